//! What a server says of its tools is read by the operator first. Until then not a word of it comes by any way to a client
//! or a model: not by lists, faults, refusals, previews, cards or rows.

use jarvis_client::wire::{ApprovalInfo, ApprovalList, TurnInfo};
use jarvis_client::{Client, ClientError};
use serde_json::{Value, json};

use super::{hostile, review, servers, shared, tool, until};
use crate::app::{TestApp, call, code};
use crate::protocol;
use crate::turn::model::{ModelServer, call as calls, words};

/// Stands in all that the server says of `whisper`, and in what `echo` becomes.
const WORDS: [&str; 2] = ["marzipan", "container_stop with"];

fn quiet(what: &str, told: &str) {
    for word in WORDS {
        assert!(!told.to_lowercase().contains(word), "{what} tells {word}: {told}");
    }
}

fn refusal(answer: Result<Value, ClientError>) -> String {
    let Err(ClientError::Refused(problem)) = answer else { panic!("{answer:?}") };
    serde_json::to_string(&problem).unwrap()
}

/// Everything that is told of a tool, and what comes of arguments that fit and of some that do not.
async fn everything(app: &TestApp, mcp: &protocol::Client, name: &str, fits: &Value, unfit: &Value) {
    let clients = [app.operator().await, app.over_tcp(app.token("c", "red", "client").await.secret.as_deref())];
    for client in &clients {
        for path in ["/api/tools", "/api/status"] {
            quiet(path, &client.get::<Value>(path).await.unwrap().to_string());
        }
        let post = async |path: &str, args: &Value| {
            let body = json!({ "tool": name, "args": args });
            client.post::<_, Value>(path, &body, None).await
        };
        for path in ["/api/call", "/api/preview", "/api/jobs"] {
            quiet("a fault", &format!("{:?}", post(path, unfit).await));
            quiet("an answer", &format!("{:?}", post(path, fits).await));
        }
        let plan = json!({ "steps": [{ "tool": name, "args": fits }, { "tool": name, "args": unfit }] });
        quiet("a plan", &format!("{:?}", client.post::<_, Value>("/api/plan", &plan, None).await));
        for path in ["/api/approvals", "/api/history?limit=200", "/api/jobs"] {
            quiet(path, &client.get::<Value>(path).await.unwrap().to_string());
        }
    }
    for path in ["/api/doctor", "/api/doubts"] {
        quiet(path, &clients[0].get::<Value>(path).await.unwrap().to_string());
    }
    for path in ["/mcp", "/mcp/compact"] {
        quiet("the list", &mcp.ask(path, "tools/list", json!({})).await.to_string());
    }
    for args in [fits, unfit] {
        let told = mcp.ask("/mcp", "tools/call", json!({ "name": name, "arguments": args })).await;
        quiet("an answer of MCP", &told.to_string());
    }
    let search = json!({ "name": "search_tools", "arguments": { "query": "" } });
    let found = mcp.ask("/mcp/compact", "tools/call", search).await;
    assert!(found.to_string().contains(name), "{found}");
    quiet("a search", &found.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn not_a_word_of_a_tool_that_nobody_has_read_is_told_by_any_way() {
    let Some(_) = servers() else { return };
    let (app, home) = (TestApp::start(), shared(0o755));
    let client = app.operator().await;
    let lab = hostile(&client, &home, |_| {}).await;
    assert!(tool(&lab, "whisper").description.contains("Marzipan"), "the operator reads it");
    let mcp = protocol::Client::new(&app, "red").await;
    let mut settings: Value = client.get("/api/settings").await.unwrap();
    settings["mcp_hold_seconds"] = json!(1);
    let _: Value = client.put("/api/settings", &settings).await.unwrap();
    let (fits, unfit) = (json!({ "n": 1 }), json!({ "n": 1, "of": "x" }));
    let told = refusal(client.post("/api/call", &json!({ "tool": "lab_whisper", "args": unfit }), None).await);
    assert!(told.contains("nobody has reviewed this tool yet"), "{told}");
    everything(&app, &mcp, "lab_whisper", &fits, &unfit).await;
    let preview = json!({ "tool": "lab_whisper", "args": fits });
    let preview: Value = client.post("/api/preview", &preview, None).await.unwrap();
    assert!(preview.to_string().contains("nobody has reviewed this tool yet"), "{preview}");

    // One that was read and changed is as silent.
    review(&client, &lab, &["echo", "turn"], "green").await;
    call(&client, "lab_turn", json!({})).await.unwrap();
    until(&client, "lab", |mount| tool(mount, "echo").standing == "changed").await;
    everything(&app, &mcp, "lab_echo", &json!({ "text": "a" }), &json!({ "text": 1 })).await;

    // Once it was read, it is told: as text by a stranger on the card, and in the fault.
    review(&client, &lab, &["whisper"], "orange").await;
    let waits = call(&client, "lab_whisper", json!({ "n": 2 })).await.unwrap();
    let card: ApprovalInfo = client.get(&format!("/api/approvals/{}", waits.approval.unwrap())).await.unwrap();
    let untrusted = card.steps[0].preview.untrusted.clone();
    assert!(untrusted.unwrap_or_default().contains("Marzipan"), "{card:?}");
    let fault = client.post("/api/call", &json!({ "tool": "lab_whisper", "args": unfit }), None).await;
    assert!(refusal(fault).contains("Marzipan"));
}

/// Denies what waits, and hands the turn back once it is at rest.
async fn at_rest(client: &Client, turn: &TurnInfo) -> TurnInfo {
    loop {
        let now: TurnInfo = client.get_waiting(&format!("/api/turns/{}", turn.id), 5).await.unwrap();
        if ["done", "failed", "stopped"].contains(&now.state.as_str()) {
            return now;
        }
        let cards: ApprovalList = client.get("/api/approvals").await.unwrap();
        for card in cards.approvals {
            let path = format!("/api/approvals/{}/deny", card.id);
            let _: ApprovalInfo = client.post(&path, &json!({ "because": "not now" }), None).await.unwrap();
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_told_nothing_of_it_either() {
    let Some(_) = servers() else { return };
    let script = vec![
        calls("lab_whisper", json!({ "n": 1, "of": "x" })),
        calls("lab_whisper", json!({ "n": 1 })),
        words("It did not work."),
    ];
    let model = ModelServer::start(script).await;
    let (app, home) = (TestApp::start(), shared(0o755));
    model.connect(&app, None).await;
    let client = app.operator().await;
    hostile(&client, &home, |_| {}).await;
    let said = json!({ "text": "qwzx, let the lab whisper please" });
    let turn: TurnInfo = client.post("/api/say", &said, None).await.unwrap();
    let turn = at_rest(&client, &turn).await;
    assert_eq!(turn.state, "done", "{turn:?}");
    let seen = model.seen();
    assert_eq!(seen.len(), 3, "{turn:?}");
    assert!(seen[1].outcomes()[0].contains("nobody has reviewed this tool yet"), "{:?}", seen[1].outcomes());
    for request in &seen {
        quiet("a request to the model", &request.rest);
    }
    assert_eq!(code(call(&client, "lab_whisper", json!({ "n": "x" })).await), "invalid_arguments");
}
