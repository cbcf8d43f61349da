//! `policy.toml` as the operator wrote it: what it refuses, and what happens when it has a mistake.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use jarvis_client::ClientError;
use jarvis_client::wire::StatusInfo;
use serde_json::json;

use crate::app::{TestApp, call, code};

const RULE: &str = r#"
[[rule]]
name = "the diary is closed"
tool = "file_*"
when = { path = "diary/*" }
then = "refuse"
because = "the diary is written by hand only"
refused = [{ tool = "file_write", args = { path = "diary/monday.txt" } }]
accepted = [{ tool = "file_write", args = { path = "list.txt" } }]
"#;

fn start(policy: &str) -> TestApp {
    let data = tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap();
    std::fs::write(data.path().join("policy.toml"), policy).unwrap();
    TestApp::start_on(data, &[])
}

#[tokio::test]
async fn a_rule_of_the_policy_refuses_by_its_name_and_with_its_reason() {
    let app = start(RULE);
    let local = app.local();
    let diary = json!({ "path": "diary/monday.txt", "content": "Dear diary" });
    match call(&local, "file_write", diary).await {
        Err(ClientError::Refused(problem)) => {
            assert_eq!((problem.code.as_str(), problem.status), ("policy", 403));
            assert_eq!(problem.rule.as_deref(), Some("policy.toml: the diary is closed"));
            assert!(problem.detail.contains("the diary is written by hand only"), "{problem:?}");
        }
        other => panic!("{other:?}"),
    }
    assert!(!app.data().join("files/diary/monday.txt").exists());
    let list = call(&local, "file_write", json!({ "path": "list.txt", "content": "milk" })).await.unwrap();
    assert_eq!(list.state, "done", "what the rule accepts runs as before");
    let (exit, report) = app.cli_json(&["doctor"]);
    assert!(report.to_string().contains("holds against its examples"), "{exit} {report}");
}

#[tokio::test]
async fn a_policy_with_a_mistake_refuses_everything_above_green_and_every_face_says_so() {
    let rules = [RULE.replace("then", "than"), RULE.replace("path = \"list.txt\"", "path = \"diary/x\"")];
    for (policy, fault) in rules.iter().zip(["than", "its accepted example 1 is caught by it"]) {
        let app = start(policy);
        let local = app.local();
        let note = json!({ "path": "list.txt", "content": "milk" });
        assert_eq!(code(call(&local, "file_write", note).await), "policy_unreadable");
        assert!(!app.data().join("files/list.txt").exists());
        assert_eq!(call(&local, "system_temperatures", json!({})).await.unwrap().state, "done", "green runs");
        let status: StatusInfo = local.get("/api/status").await.unwrap();
        assert!(status.warnings.iter().any(|warning| warning.contains(fault)), "{:?}", status.warnings);
        let (exit, report) = app.cli_json(&["doctor"]);
        assert_eq!(exit, 1, "{report}");
        let findings = report["findings"].as_array().unwrap();
        let found = findings.iter().find(|finding| finding["what"] == "policy.toml").unwrap();
        assert_eq!(found["state"], "warning", "{found}");
        assert!(found["found"].as_str().unwrap().contains(fault) && found["fix"] != "", "{found}");
    }
}
