//! What the mind is tested with, held against what the binary really has.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::post;
use jarvis_client::wire::{SayBody, ToolInfo, ToolList, TurnInfo};
use serde_json::{Value, json};

use crate::app::TestApp;

/// Tokens that the model reads in this test: a small machine.
const CONTEXT: u32 = 4096;
/// Most tokens of the fixed prompt.
const PROMPT: usize = 600;
/// Most tokens of the tools that a request describes.
const TOOLS: usize = 900;

/// Sentences that no rule understands, as people say them.
const SENTENCES: [&str; 10] = [
    "my photo album feels terribly slow since yesterday, any idea why?",
    "could the web server be the reason that my phone cannot sync?",
    "please compare the logs of web and the proxy and tell me what they disagree about",
    "which of my programs would you switch off to save some memory?",
    "summarise in two sentences what this machine has been up to this week",
    "write me a short poem about the disks and put it somewhere I will find it",
    "is there anything in my notes about the router's password policy?",
    "what would you tidy up first around here?",
    "the backup did not run last night; find out what went wrong and suggest a remedy",
    "explain to my wife what the service manager is for",
];

fn line(tool: &ToolInfo) -> Value {
    json!({
        "name": tool.name,
        "tier": tool.tier,
        "description": tool.description,
        "examples": tool.examples,
        "input": tool.input,
        "network": tool.effects.iter().any(|effect| effect == "network"),
    })
}

/// `UPDATE_TOOLS=1` writes the file anew.
#[tokio::test]
async fn the_rules_are_tested_with_the_tools_that_there_are() {
    let app = TestApp::start();
    let list: ToolList = app.local().get("/api/tools").await.unwrap();
    let real: Vec<Value> = list.tools.iter().map(line).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../agents/tests/utterances/tools.json");
    if std::env::var_os("UPDATE_TOOLS").is_some() {
        let lines: Vec<String> = real.iter().map(|tool| format!("  {tool}")).collect();
        std::fs::write(&path, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
    }
    let kept: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let name = |tool: &Value| tool["name"].as_str().unwrap().to_owned();
    assert_eq!(
        kept.iter().map(name).collect::<Vec<_>>(),
        real.iter().map(name).collect::<Vec<_>>(),
        "other tools: run this test with UPDATE_TOOLS=1, then the tests of agents"
    );
    for (kept, real) in kept.iter().zip(&real) {
        assert_eq!(kept, real, "a tool has changed: run this test with UPDATE_TOOLS=1, then the tests of agents");
    }
}

/// Requests that a model server was sent.
type Seen = Arc<Mutex<Vec<Value>>>;

/// A model server that says one word.
async fn model() -> (String, Seen) {
    async fn answer(State(seen): State<Seen>, body: axum::Json<Value>) -> impl IntoResponse {
        seen.lock().unwrap().push(body.0);
        let chunk = json!({ "choices": [{ "index": 0, "delta": { "content": "Quite." }, "finish_reason": "stop" }] });
        ([("content-type", "text/event-stream")], format!("data: {chunk}\n\ndata: [DONE]\n\n"))
    }
    let seen = Seen::default();
    let router = Router::new().route("/v1/chat/completions", post(answer)).with_state(Arc::clone(&seen));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, seen)
}

/// Tokens that so much JSON is at most, as the mind counts them.
fn tokens(value: &Value) -> usize {
    (value.to_string().len() * 2).div_ceil(7)
}

#[tokio::test]
async fn what_a_small_model_is_told_leaves_room_to_think() {
    let app = TestApp::start();
    let (url, seen) = model().await;
    let operator = app.operator().await;
    let mut settings: Value = operator.get("/api/settings").await.unwrap();
    settings["model"] =
        json!({ "url": url, "name": "small", "key": null, "context": CONTEXT, "cloud_accepted": false });
    let _: Value = operator.put("/api/settings", &settings).await.unwrap();
    for text in SENTENCES {
        let body = SayBody { text: text.to_owned(), ..SayBody::default() };
        let turn: TurnInfo = operator.post("/api/say", &body, Some(20)).await.unwrap();
        assert_eq!(turn.state, "done", "{turn:?}");
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), SENTENCES.len(), "every sentence is one for the model");
    let mut described = BTreeMap::new();
    for (request, sentence) in seen.iter().zip(SENTENCES) {
        assert_eq!(request["messages"][0]["role"], "system");
        assert!(tokens(&request["messages"][0]["content"]) <= PROMPT, "{}", request["messages"][0]);
        let tools = request["tools"].as_array().unwrap();
        assert!(tools.len() >= 4, "{sentence}: only {} tools are described", tools.len());
        assert!(tokens(&request["tools"]) <= TOOLS + 1, "{sentence}: {} tokens of tools", tokens(&request["tools"]));
        let answer = usize::try_from(request["max_tokens"].as_u64().unwrap()).unwrap();
        assert!(tokens(request) + answer <= CONTEXT as usize, "{sentence}: {} tokens", tokens(request));
        described.extend(tools.iter().map(|tool| (tool["function"]["name"].as_str().unwrap(), tokens(tool))));
    }
    let mut sizes: Vec<_> = described.values().copied().collect();
    sizes.sort_unstable();
    let largest: usize = sizes.iter().rev().take(5).sum();
    println!("{} tools were described; the five largest take {largest} tokens", sizes.len());
    assert!(largest <= TOOLS, "{described:?}");
}
