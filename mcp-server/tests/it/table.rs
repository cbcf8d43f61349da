//! The autonomy table, for every tool above green that there is, on real targets.

use std::collections::BTreeSet;

use jarvis_client::Client;
use jarvis_client::wire::{CallAnswer, ToolList};
use serde_json::{Value, json};

use crate::app::{TestApp, call, code};
use crate::docker::Container;
use crate::needs;

async fn set_level(operator: &Client, level: u8) {
    let mut settings: Value = operator.get("/api/settings").await.unwrap();
    settings["autonomy"] = json!({ "default": level, "rules": [] });
    let _: Value = operator.put("/api/settings", &settings).await.unwrap();
}

#[tokio::test]
async fn every_tool_above_green_is_refused_or_asked_where_the_table_says_so() {
    let Some(web) = Container::run("every") else { return };
    let Some(bus) = needs::part("JARVIS_TEST_DBUS", "a host with systemd") else { return };
    let app = TestApp::start_with(&[("JARVIS_DOCKER", web.engine()), ("JARVIS_DBUS", &bus)]);
    let (local, operator) = (app.local(), app.operator().await);
    // A version that can be put back, made while the level still lets yellow run.
    let note = json!({ "path": "note.txt", "content": "one" });
    let written = call(&local, "file_write", note.clone()).await.unwrap();
    let version = written.output["version"].clone();
    let container = json!({ "container": web.name });
    // One that stays open while it is looked at.
    let later = json!({ "tool": "system_info", "run_at": 9_999_999_999_999_u64 });
    let job: Value = local.post("/api/jobs", &later, None).await.unwrap();
    let service = json!({ "service": "lab-demo.service" });
    let samples = [
        ("command_run", json!({ "program": "uptime" })),
        ("docker_pull", json!({ "image": "lab/nowhere:1" })),
        ("docker_remove", container.clone()),
        ("docker_restart", container.clone()),
        ("docker_start", container.clone()),
        ("docker_stop", container),
        ("file_remove", json!({ "path": "note.txt" })),
        ("file_restore", json!({ "version": version })),
        ("file_write", json!({ "path": "note.txt", "content": "two" })),
        ("job_cancel", json!({ "job": job["id"] })),
        ("job_start", json!({ "tool": "system_info" })),
        ("service_restart", service.clone()),
        ("service_start", service.clone()),
        ("service_stop", service),
    ];
    let list: ToolList = local.get("/api/tools").await.unwrap();
    let above: BTreeSet<_> =
        list.tools.iter().filter(|tool| tool.tier != "green").map(|tool| tool.name.as_str()).collect();
    assert_eq!(above, samples.iter().map(|sample| sample.0).collect(), "every tool above green has a sample");

    set_level(&operator, 0).await;
    for (tool, args) in &samples {
        assert_eq!(code(call(&local, tool, args.clone()).await), "autonomy_level", "{tool} at level 0");
    }
    set_level(&operator, 1).await;
    for (tool, args) in &samples {
        assert_eq!(call(&local, tool, args.clone()).await.unwrap().state, "waiting", "{tool} at level 1");
    }
    for level in [2, 3, 4] {
        set_level(&operator, level).await;
        for (tool, args) in &samples {
            let declared = &list.tools.iter().find(|found| found.name == *tool).unwrap().tier;
            if declared != "yellow" {
                let answer: CallAnswer = call(&local, tool, args.clone()).await.unwrap();
                assert_eq!(answer.state, "waiting", "{tool} at level {level}");
            }
        }
    }
    assert!(web.exists(), "nothing was done");
}
