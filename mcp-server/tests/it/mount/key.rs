//! The key of a call: a server is told the id of the call, so that what is sent to it again is one call there.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use jarvis_client::wire::{CallAnswer, CallBody, EventPage, MountBody};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{Ended, hostile, mount, review, servers, shared};
use crate::app::{TestApp, call, code};

const FORGETS: &str = include_str!("forgets.mjs");
const KEY: &str = "jarvis/idempotency-key";

/// What a server tells as JSON in its text.
fn told(answer: &CallAnswer) -> Value {
    serde_json::from_str(answer.output["text"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn every_call_carries_its_own_id_as_key() {
    let Some(_) = servers() else { return };
    let (app, home) = (TestApp::start(), shared(0o755));
    let client = app.operator().await;
    let lab = hostile(&client, &home, |_| {}).await;
    review(&client, &lab, &["meta"], "green").await;
    let first = call(&client, "lab_meta", json!({})).await.unwrap();
    let second = call(&client, "lab_meta", json!({})).await.unwrap();
    for answer in [&first, &second] {
        assert_eq!(told(answer)[KEY].as_str(), answer.call.as_deref(), "{answer:?}");
    }
    assert_ne!(told(&first)[KEY], told(&second)[KEY]);
}

#[tokio::test]
async fn what_is_sent_again_because_the_session_was_over_carries_the_same_key() {
    let Some(_) = servers() else { return };
    let (app, home) = (TestApp::start(), tempfile::tempdir().unwrap());
    let script = home.path().join("forgets.mjs");
    std::fs::write(&script, FORGETS).unwrap();
    let mut server = Ended(Command::new("node").arg(script).stdout(Stdio::piped()).spawn().unwrap());
    let mut port = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let client = app.operator().await;
    let url = Some(format!("http://127.0.0.1:{}/mcp", port.trim()));
    let web = mount(&client, "web", &MountBody { url, seconds: 60, ..MountBody::default() }).await;
    review(&client, &web, &["came"], "green").await;
    let first = call(&client, "web_came", json!({})).await.unwrap();
    let second = call(&client, "web_came", json!({})).await.unwrap();
    let (first_id, second_id) = (first.call.as_deref().unwrap(), second.call.as_deref().unwrap());
    let came = told(&second);
    let keys: Vec<_> = came.as_array().unwrap().iter().map(|meta| meta[KEY].as_str().unwrap()).collect();
    assert_eq!(keys, [first_id, first_id, second_id], "{came}");
}

#[tokio::test]
async fn to_another_jarvis_the_same_key_is_the_same_call() {
    let (outer, inner) = (TestApp::start(), TestApp::start());
    let client = outer.operator().await;
    let token = inner.token("outer", "yellow", "client").await.secret.unwrap();
    let _: Value = client.put("/api/secrets/inner", &json!({ "value": token })).await.unwrap();
    let url = Some(format!("{}/mcp", inner.url));
    let body = MountBody { url, key: Some("secret://inner".to_owned()), seconds: 60, ..MountBody::default() };
    let mounted = mount(&client, "inner", &body).await;
    review(&client, &mounted, &["file_write"], "yellow").await;
    let args = json!({ "path": "once.txt", "content": "one" });
    let wrote = call(&client, "inner_file_write", args.clone()).await.unwrap();
    assert_eq!(wrote.state, "done", "{wrote:?}");
    let file = inner.data().join("files/once.txt");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "one");
    std::fs::remove_file(&file).unwrap();

    // The same caller comes again with the key that the call had.
    let caller = inner.over_tcp(Some(&token));
    let again = async |args: Value| {
        let args = Some(RawValue::from_string(args.to_string()).unwrap());
        let body = CallBody { tool: "file_write".to_owned(), args, key: wrote.call.clone() };
        caller.post::<_, CallAnswer>("/api/call", &body, None).await
    };
    assert_eq!(again(args).await.unwrap().state, "done");
    assert!(!file.exists(), "it is told of again, and not done again");
    assert_eq!(code(again(json!({ "path": "once.txt", "content": "two" })).await), "key_reused");
    let page: EventPage = inner.operator().await.get("/api/history?limit=100").await.unwrap();
    assert_eq!(page.events.iter().filter(|row| row.kind == "call.intent").count(), 1, "{page:?}");
}
