//! One meaning and not two: a corpus of `tools/call` requests, hostile ones among them, goes the straight way and the way
//! through rmcp, and is answered alike.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::TestApp;

/// A header that means nothing to anyone, and keeps a request off the straight way.
const DETOUR: &str = "mcp-param-detour";

/// What is answered straight: what `straight.rs` lists, without arguments that are no object, which are refused before,
/// and with the spaces around a header, which are lost on the wire.
const STRAIGHT: [&str; 32] = [
    "plain",
    "a text as id",
    "a negative id",
    "an id of zero",
    "the largest id",
    "an empty text as id",
    "no arguments",
    "an unknown field",
    "a wrong type",
    "a missing folder",
    "outside the roots",
    "upwards",
    "a control character",
    "text from right to left",
    "a NUL",
    "an unknown tool",
    "an empty name",
    "a green call with a bad limit",
    "above the ceiling",
    "far above the ceiling",
    "meta without a client",
    "an unknown capability",
    "forms can be shown",
    "sampling and roots",
    "a client with a title",
    "trace context",
    "a key of somebody else",
    "an idempotency key on a read",
    "spaces around",
    "escaped names",
    "a name header with spaces",
    "accepted in the other order",
];

#[derive(Deserialize)]
struct Case {
    name: String,
    headers: Vec<(String, String)>,
    body: String,
}

/// Status, type and body, without what is new in every answer; and whether it came straight: without the correlation
/// that the layers give every other answer.
async fn answer(app: &TestApp, token: &str, case: &Case, detour: bool) -> (Value, bool) {
    let mut headers = HeaderMap::new();
    for (name, value) in &case.headers {
        headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    if detour {
        headers.append(DETOUR, HeaderValue::from_static("x"));
    }
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(format!("{}/mcp", app.url)).headers(headers).bearer_auth(token).body(case.body.clone());
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let straight = !response.headers().contains_key("x-correlation-id");
    let kind = response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
    let text = response.text().await.unwrap();
    let mut body: Value = serde_json::from_str(&text).unwrap_or_else(|_| text.clone().into());
    if let Some(meta) = body.pointer_mut("/result/_meta").and_then(Value::as_object_mut) {
        assert!(meta.remove("jarvis/call").is_some_and(|id| id.is_string()));
    }
    (json!({ "status": status, "type": kind, "body": body }), straight)
}

#[tokio::test]
async fn the_straight_way_and_the_way_through_rmcp_mean_the_same() {
    let app = TestApp::start();
    let token = app.token("corpus", "green", "client").await.secret.unwrap();
    let corpus = include_str!("../corpus/tools_call.jsonl");
    let (mut differences, mut taken) = (Vec::new(), Vec::new());
    for line in corpus.lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        let (straight, went_straight) = answer(&app, &token, &case, false).await;
        let (around, detoured_straight) = answer(&app, &token, &case, true).await;
        assert!(!detoured_straight, "{}", case.name);
        if straight != around {
            differences.push(format!("{}:\n  straight {straight}\n  around   {around}", case.name));
        }
        if went_straight {
            taken.push(case.name);
        }
    }
    assert!(corpus.lines().count() > 100);
    assert_eq!(taken, STRAIGHT);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[tokio::test]
async fn both_ways_leave_the_same_row() {
    let app = TestApp::start();
    let token = app.token("corpus", "green", "client").await.secret.unwrap();
    let first = include_str!("../corpus/tools_call.jsonl").lines().next().unwrap();
    let case: Case = serde_json::from_str(first).unwrap();
    let mut rows = Vec::new();
    for detour in [false, true] {
        let (said, straight) = answer(&app, &token, &case, detour).await;
        assert_eq!((&said["status"], straight), (&json!(200), !detour));
        let history: Value = app.operator().await.get("/api/history?kind=call.read&limit=1").await.unwrap();
        let mut row = history["events"][0].clone();
        for fresh in ["seq", "at", "subject", "correlation", "hash"] {
            assert!(row.as_object_mut().unwrap().remove(fresh).is_some(), "{row}");
        }
        rows.push(row);
    }
    assert_eq!(rows[0], rows[1]);
}
