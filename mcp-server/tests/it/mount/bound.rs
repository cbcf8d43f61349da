//! What a server may not do to others by being slow, large or changeable.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jarvis_client::Client;
use jarvis_client::wire::{MountBody, MountInfo};
use serde_json::{Value, json};

use super::{HOSTILE, hostile, mount, node, review, seen, servers, shared, tool, until};
use crate::app::{TestApp, call};

/// Calls of a server at once, as ARCHITECTURE.md has it.
const PLACES: usize = 16;

/// Looks until it is so.
async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Intents of a tool in the audit.
async fn intents(client: &Client, tool: &str) -> usize {
    let page: Value = client.get("/api/history?limit=100&kind=call.intent").await.unwrap();
    page["events"].as_array().unwrap().iter().filter(|row| row.to_string().contains(tool)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_waited_for_its_place_while_its_tool_changed_is_not_run() {
    let Some(_) = servers() else { return };
    let (app, home, place) = (TestApp::start(), shared(0o755), shared(0o777));
    let client = Arc::new(app.operator().await);
    let lab = hostile(&client, &home, |body| body.writes = vec![place.path().display().to_string()]).await;
    review(&client, &lab, &["hold", "reached"], "green").await;
    review(&client, &lab, &["echo"], "yellow").await;
    let spawned = |tool: &'static str, args: Value| {
        let client = Arc::clone(&client);
        tokio::spawn(async move { call(&client, tool, args).await.unwrap() })
    };
    let holds: Vec<_> = (0..PLACES).map(|_| spawned("lab_hold", json!({ "at": place.path() }))).collect();
    let held = || std::fs::read_dir(place.path()).unwrap().count();
    eventually("the places are not taken", async || held() == PLACES).await;
    let echo = spawned("lab_echo", json!({ "text": "hello" }));
    eventually("it is not decided", async || intents(&client, "lab_echo").await == 1).await;

    std::fs::write(place.path().join("turn"), "").unwrap();
    until(&client, "lab", |mount| tool(mount, "echo").standing == "changed").await;
    std::fs::write(place.path().join("go"), "").unwrap();
    let echo = echo.await.unwrap();
    assert!(echo.state == "cancelled" && echo.words.contains("changed or reviewed anew meanwhile"), "{echo:?}");
    for hold in holds {
        assert_eq!(hold.await.unwrap().output["text"], "held");
    }
    let reached = call(&client, "lab_reached", json!({})).await.unwrap();
    assert_eq!(reached.output["text"], json!({ "hold": PLACES, "reached": 1 }).to_string(), "{reached:?}");
}

/// The hostile server with another list.
fn listing(home: &tempfile::TempDir, list: &str) -> MountBody {
    let script = home.path().join("hostile.mjs");
    std::fs::write(&script, HOSTILE).unwrap();
    node(&script, &[list])
}

#[tokio::test]
async fn a_list_that_is_too_large_too_many_or_endless_is_bounded_and_hurts_nobody_else() {
    let Some(_) = servers() else { return };
    let (app, home) = (TestApp::start(), shared(0o755));
    let client = app.operator().await;
    let lab = hostile(&client, &home, |_| {}).await;
    review(&client, &lab, &["echo"], "green").await;

    let _: MountBody = client.put("/api/mounts/large", &listing(&home, "large")).await.unwrap();
    let is_told = |mount: &MountInfo| mount.why.as_deref().unwrap_or_default().contains("larger than 4 MiB");
    let large = until(&client, "large", is_told).await;
    assert!(large.tools.is_empty(), "{large:?}");
    for list in ["many", "endless"] {
        let most = if list == "many" { 128 } else { 32 };
        let bounded = mount(&client, list, &listing(&home, list)).await;
        assert_eq!(bounded.tools.len(), most, "{list}");
    }

    let tools: Value = client.get("/api/tools").await.unwrap();
    let family = |name: &str| tools["tools"].as_array().unwrap().iter().filter(|tool| tool["family"] == name).count();
    assert_eq!([family("large"), family("many"), family("endless")], [0, 128, 32]);
    assert_eq!(seen(&client, "lab").await.unwrap().state, "up");
    let said = call(&client, "lab_echo", json!({ "text": "still here" })).await.unwrap();
    assert_eq!(said.output["text"], "still here");
}
