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

/// A call, as a client of 2026-07-28 makes it.
fn called(tool: &str, arguments: &Value, key: Option<&str>) -> Case {
    let mut meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "c", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    if let Some(key) = key {
        meta["jarvis/idempotency-key"] = key.into();
    }
    let params = json!({ "name": tool, "arguments": arguments, "_meta": meta });
    let headers = [
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", tool),
    ];
    Case {
        name: tool.to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        body: json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string(),
    }
}

/// What each server makes up for itself: ids, versions, times and its own folder.
fn common(app: &TestApp, said: &Value) -> String {
    let text = said.to_string().replace(&app.data().display().to_string(), "DATA");
    let text = text.replace(app.url.trim_end_matches('/'), "URL");
    let is_fresh = |word: &str| match word.len() {
        // An id, a version of a file, a time.
        31 => word.starts_with("call_") || word.starts_with("appr_"),
        32 => word.bytes().all(|byte| byte.is_ascii_hexdigit()),
        13 => word.bytes().all(|byte| byte.is_ascii_digit()),
        _ => false,
    };
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.map(|word| if is_fresh(word) { "FRESH" } else { word }).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn effects_questions_and_keys_mean_the_same_both_ways() {
    let mut told = Vec::new();
    for detour in [false, true] {
        let app = TestApp::start();
        let operator = app.operator().await;
        let mut settings: Value = operator.get("/api/settings").await.unwrap();
        settings["mcp_hold_seconds"] = 0.into();
        let _: Value = operator.put("/api/settings", &settings).await.unwrap();
        let token = app.token("corpus", "red", "client").await.secret.unwrap();
        let write = |content: &str| json!({ "path": "a.txt", "content": content });
        let red = json!({ "program": "/bin/true", "args": ["corpus"] });
        let mut answers = Vec::new();
        for (case, expected) in [
            (called("file_write", &write("one"), None), "done"),
            (called("file_write", &write("two"), Some("k-1")), "done"),
            // The same call, which is not made again; and another one under its key.
            (called("file_write", &write("two"), Some("k-1")), "done"),
            (called("file_write", &write("three"), Some("k-1")), "key_reused"),
            (called("command_run", &red, None), "approval_required"),
            (called("command_run", &red, Some("k-2")), "approval_required"),
            (called("command_run", &red, Some("k-2")), "approval_required"),
        ] {
            let (said, straight) = answer(&app, &token, &case, detour).await;
            // What asks a person is never answered straight.
            assert_eq!(straight, !detour && expected != "approval_required", "{said}");
            let shown = said["body"]["result"].to_string();
            let is_error = said["body"]["result"]["isError"] == true;
            assert_eq!(is_error, expected != "done", "{said}");
            assert!(expected == "done" || shown.contains(expected), "{said}");
            answers.push(common(&app, &said));
        }
        assert_eq!(std::fs::read_to_string(app.data().join("files/a.txt")).unwrap(), "two");
        told.push(answers);
    }
    assert_eq!(told[0], told[1]);
}
