//! What MCP offers beside calls, and in which shape: resources, prompts, completions, subscriptions, the compact list, and
//! sessions that outlive us. Spoken by hand, so that nothing of the SDK stands between.

use std::time::Duration;

use futures_util::StreamExt as _;
use jarvis_client::wire::TokenBody;
use reqwest::Response;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::app::{FIXTURES, TestApp, call};

/// A client of the stateless era.
pub(crate) struct Client {
    url: String,
    token: String,
    http: reqwest::Client,
}

impl Client {
    pub(crate) async fn new(app: &TestApp, ceiling: &str) -> Self {
        let token = app.token("ide", ceiling, "client").await.secret.unwrap();
        Self { url: app.url.clone(), token, http: reqwest::Client::new() }
    }

    async fn send(&self, path: &str, method: &str, mut params: Value) -> Response {
        let name = ["name", "uri"].iter().find_map(|key| params[*key].as_str().map(str::to_owned));
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "c", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let mut request = self
            .http
            .post(format!("{}{path}", self.url))
            .bearer_auth(&self.token)
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", method);
        if let Some(name) = name {
            request = request.header("mcp-name", name);
        }
        let body = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
        request.json(&body).send().await.unwrap()
    }

    pub(crate) async fn ask(&self, path: &str, method: &str, params: Value) -> Value {
        self.send(path, method, params).await.json().await.unwrap()
    }

    async fn read(&self, uri: &str) -> Value {
        self.ask("/mcp", "resources/read", json!({ "uri": uri })).await
    }

    async fn call(&self, path: &str, name: &str, arguments: Value) -> Value {
        self.ask(path, "tools/call", json!({ "name": name, "arguments": arguments })).await["result"].take()
    }
}

fn names(list: &Value, key: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| item[key].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_resource_is_a_call_in_the_callers_name_with_all_that_belongs_to_it() {
    let app = TestApp::start();
    let client = Client::new(&app, "yellow").await;
    let listed = client.ask("/mcp", "resources/list", json!({})).await;
    let uris = names(&listed["result"]["resources"], "uri");
    assert!(uris.contains(&"jarvis://system".to_owned()), "{uris:?}");
    assert!(!uris.iter().any(|uri| uri.starts_with("test://")), "fixtures are never part of a default start: {uris:?}");
    let templates = client.ask("/mcp", "resources/templates/list", json!({})).await;
    let templates = names(&templates["result"]["resourceTemplates"], "uriTemplate");
    assert!(templates.contains(&"jarvis://files/{+path}".to_owned()), "{templates:?}");

    let secret = "tr0ub4dor-and-3-horses";
    let kept = json!({ "value": secret, "uses": [] });
    let _: Value = app.operator().await.put("/api/secrets/horse", &kept).await.unwrap();
    std::fs::write(app.data().join("files/a note.txt"), format!("the password is {secret}\n")).unwrap();
    let read = client.read("jarvis://files/a%20note.txt").await;
    let content = &read["result"]["contents"][0];
    assert_eq!(content["uri"], "jarvis://files/a%20note.txt", "{read}");
    assert!(content["text"].as_str().unwrap().starts_with("the password is "), "{read}");
    assert!(!read.to_string().contains(secret), "a secret is struck out on this way, too: {read}");
    assert_eq!(content["_meta"]["jarvis/untrusted"], true, "{read}");
    // Whose model has read that is asked before it acts.
    let write = json!({ "path": "b.txt", "content": "as the note says" });
    let written = call(&app.over_tcp(Some(&client.token)), "file_write", write).await.unwrap();
    assert_eq!(written.state, "waiting", "{written:?}");

    for (uri, code) in [
        ("jarvis://files/nothing.txt", -32602),
        ("jarvis://nowhere", -32602),
        ("jarvis://files/..%2F..%2Fetc%2Fshadow", -32602),
        ("", -32602),
    ] {
        let refused = client.read(uri).await;
        assert_eq!(refused["error"]["code"], code, "{uri}: {refused}");
    }
    let history: Value = app.local().get("/api/history?limit=100").await.unwrap();
    let read = history["events"].as_array().unwrap().iter().filter(|event| event["tool"] == "file_read").count();
    assert!(read >= 2, "every reading leaves a row: {history}");
}

#[tokio::test]
async fn a_token_reads_only_what_is_among_its_targets() {
    let app = TestApp::start();
    std::fs::write(app.data().join("files/mine.txt"), "mine").unwrap();
    let folder = app.data().join("files");
    let body = TokenBody {
        name: "guest".to_owned(),
        role: Some("guest".to_owned()),
        ceiling: None,
        confirm: None,
        targets: vec!["web*".to_owned()],
        minutes: None,
        per_minute: None,
    };
    let token: Value = app.operator().await.post("/api/tokens", &body, None).await.unwrap();
    let token = token["secret"].as_str().unwrap().to_owned();
    let guest = Client { url: app.url.clone(), token, http: reqwest::Client::new() };
    let refused = guest.read("jarvis://files/mine.txt").await;
    assert_eq!(refused["error"]["code"], -32602, "{} {refused}", folder.display());
    let there = guest.read("jarvis://files/not-there.txt").await;
    let words = |refusal: &Value| refusal["error"]["message"].as_str().unwrap().replace("mine", "not-there");
    assert_eq!(words(&refused), words(&there), "in the same words as what is not there");
}

#[tokio::test]
async fn prompts_are_worded_for_a_person_and_their_arguments_are_completed_by_what_there_is() {
    let app = TestApp::start();
    let client = Client::new(&app, "green").await;
    let listed = client.ask("/mcp", "prompts/list", json!({})).await;
    assert_eq!(
        names(&listed["result"]["prompts"], "name"),
        ["check_up", "explain_file", "find_fault", "plan_change"],
        "{listed}"
    );
    let get = |name: &'static str, arguments: Value| {
        client.ask("/mcp", "prompts/get", json!({ "name": name, "arguments": arguments }))
    };
    let made = get("find_fault", json!({ "container": "web\u{202e}" })).await;
    let message = &made["result"]["messages"][0];
    assert_eq!(message["role"], "user", "{made}");
    let text = message["content"]["text"].as_str().unwrap();
    assert!(text.contains("web") && !text.contains('\u{202e}'), "{text}");
    for (name, arguments) in [
        ("find_fault", json!({ "machine": "a" })),
        ("find_fault", json!({ "container": 1 })),
        ("plan_change", json!({})),
        ("plan_change", json!({ "goal": "a".repeat(501) })),
        ("nothing", json!({})),
    ] {
        let refused = get(name, arguments.clone()).await;
        assert_eq!(refused["error"]["code"], -32602, "{name} {arguments}: {refused}");
    }

    for name in ["apples.txt", "apricots.txt", "pears.txt"] {
        std::fs::write(app.data().join("files").join(name), "").unwrap();
    }
    let complete = |reference: Value, argument: &'static str, value: &'static str| {
        let argument = json!({ "name": argument, "value": value });
        client.ask("/mcp", "completion/complete", json!({ "ref": reference, "argument": argument }))
    };
    let prompt = json!({ "type": "ref/prompt", "name": "explain_file" });
    let completed = complete(prompt.clone(), "path", "ap").await;
    assert_eq!(completed["result"]["completion"]["values"], json!(["apples.txt", "apricots.txt"]), "{completed}");
    let template = json!({ "type": "ref/resource", "uri": "jarvis://files/{+path}" });
    let completed = complete(template, "path", "pea").await;
    assert_eq!(completed["result"]["completion"]["values"], json!(["pears.txt"]), "{completed}");
    let unknown = complete(prompt, "nothing", "").await;
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
}

/// The next message of a stream.
async fn next(
    stream: &mut (impl futures_util::Stream<Item = reqwest::Result<bytes::Bytes>> + Unpin),
    held: &mut String,
) -> Value {
    let until = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        if let Some((event, rest)) = held.clone().split_once("\n\n") {
            rest.clone_into(held);
            let data: String = event.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim).collect();
            if !data.is_empty() {
                return serde_json::from_str(&data).unwrap();
            }
            continue;
        }
        // A stream that only keeps itself alive says nothing.
        let piece = tokio::time::timeout_at(until, stream.next()).await;
        held.push_str(&String::from_utf8(piece.unwrap().unwrap().unwrap().to_vec()).unwrap().replace("\r\n", "\n"));
    }
}

#[tokio::test]
async fn who_listens_is_told_of_its_own_jobs_and_of_nobody_elses() {
    let app = TestApp::start_with(&[FIXTURES]);
    let (client, stranger) = (Client::new(&app, "yellow").await, Client::new(&app, "yellow").await);
    let submit = |client: &Client, name: &'static str| {
        let later = json!({ "tool": "wait", "args": { "name": name, "millis": 1 }, "run_at": 9_999_999_999_999_u64 });
        let rest = app.over_tcp(Some(&client.token));
        async move { rest.post::<_, Value>("/api/jobs", &later, None).await.unwrap()["id"].as_str().unwrap().to_owned() }
    };
    let (own, other) = (submit(&client, "own").await, submit(&stranger, "other").await);
    let uris = json!([format!("jarvis://jobs/{own}"), format!("jarvis://jobs/{other}"), "jarvis://system"]);
    let wanted = json!({ "notifications": { "resourceSubscriptions": uris, "toolsListChanged": true } });
    let listening = client.send("/mcp", "subscriptions/listen", wanted).await;
    let (mut stream, mut held) = (listening.bytes_stream(), String::new());
    let acknowledged = next(&mut stream, &mut held).await;
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged", "{acknowledged}");
    let accepted = &acknowledged["params"]["notifications"]["resourceSubscriptions"];
    assert!(!accepted.to_string().contains("system"), "what is never told of is not accepted: {acknowledged}");
    for (client, id) in [(&stranger, &other), (&client, &own)] {
        let rest = app.over_tcp(Some(&client.token));
        let _: Value = rest.post(&format!("/api/jobs/{id}/cancel"), &json!({}), None).await.unwrap();
    }
    let told = next(&mut stream, &mut held).await;
    assert_eq!(told["method"], "notifications/resources/updated", "{told}");
    assert_eq!(told["params"]["uri"], format!("jarvis://jobs/{own}"), "a stranger's job is not told of: {told}");
    client.call("/mcp", "test_trigger_tool_change", json!({})).await;
    loop {
        let told = next(&mut stream, &mut held).await;
        assert!(!told.to_string().contains(&other), "{told}");
        if told["method"] == "notifications/tools/list_changed" {
            break;
        }
    }
}

#[tokio::test]
async fn who_listens_is_told_of_nothing_once_its_token_has_expired() {
    let app = TestApp::start();
    let body = json!({ "name": "ide", "ceiling": "green", "minutes": 1 });
    let token: Value = app.operator().await.post("/api/tokens", &body, None).await.unwrap();
    let token = token["secret"].as_str().unwrap().to_owned();
    let client = Client { url: app.url.clone(), token, http: reqwest::Client::new() };
    let begun = std::time::Instant::now();
    let listening = client.send("/mcp", "subscriptions/listen", json!({ "notifications": {} })).await;
    assert_eq!(listening.status(), 200);
    // Whatever keeps it alive until then.
    let over = tokio::time::timeout(Duration::from_secs(90), listening.bytes()).await;
    assert!(over.is_ok() && begun.elapsed() > Duration::from_secs(50), "{over:?} after {:?}", begun.elapsed());
}

/// Tokens that so much JSON is at most, as the mind counts them.
fn tokens(value: &Value) -> usize {
    (value.to_string().len() * 2).div_ceil(7)
}

#[tokio::test]
async fn the_compact_list_is_small_and_always_the_same() {
    let app = TestApp::start();
    let client = Client::new(&app, "red").await;
    let listed = client.ask("/mcp/compact", "tools/list", json!({})).await;
    let tools = &listed["result"]["tools"];
    assert_eq!(names(tools, "name"), ["search_tools", "call_read_tool", "call_write_tool", "call_delete_tool"]);
    assert!(tokens(tools) <= 1_500, "{} tokens", tokens(tools));
    assert!(listed["result"]["ttlMs"].as_u64().unwrap() > 0, "{listed}");
    let again = client.ask("/mcp/compact", "tools/list", json!({})).await;
    assert_eq!(again, listed);
    let hint = |name: &str, hint: &str| {
        let tool = tools.as_array().unwrap().iter().find(|tool| tool["name"] == name).unwrap();
        tool["annotations"][hint].clone()
    };
    assert_eq!(hint("call_read_tool", "readOnlyHint"), true);
    assert_eq!(
        (hint("call_write_tool", "readOnlyHint"), hint("call_write_tool", "destructiveHint")),
        (false.into(), false.into())
    );
    assert_eq!(hint("call_delete_tool", "destructiveHint"), true);
    let green = Client::new(&app, "green").await;
    let listed = green.ask("/mcp/compact", "tools/list", json!({})).await;
    assert_eq!(names(&listed["result"]["tools"], "name"), ["search_tools", "call_read_tool"], "{listed}");
}

#[tokio::test]
async fn each_tool_has_one_way_to_it_and_that_way_says_what_the_tool_says() {
    let app = TestApp::start();
    let client = Client::new(&app, "red").await;
    let all = client.ask("/mcp", "tools/list", json!({})).await;
    for tool in all["result"]["tools"].as_array().unwrap() {
        let name = tool["name"].as_str().unwrap();
        let way = match (&tool["annotations"]["readOnlyHint"], &tool["annotations"]["destructiveHint"]) {
            (Value::Bool(true), _) => "call_read_tool",
            (_, Value::Bool(false)) => "call_write_tool",
            _ => "call_delete_tool",
        };
        for other in ["call_read_tool", "call_write_tool", "call_delete_tool"].into_iter().filter(|other| *other != way)
        {
            let refused = client.call("/mcp/compact", other, json!({ "name": name })).await;
            assert_eq!(refused["isError"], true, "{name} through {other}: {refused}");
            let said = refused["content"][0]["text"].as_str().unwrap();
            assert!(said.contains(&format!("`{way}`")), "the right one is named: {said}");
        }
    }
}

#[tokio::test]
async fn a_compact_call_is_the_same_call() {
    let app = TestApp::start();
    let client = Client::new(&app, "yellow").await;
    let found = client.call("/mcp/compact", "search_tools", json!({ "query": "write a text file" })).await;
    let tools = found["structuredContent"]["tools"].as_array().unwrap();
    assert!(tools.len() <= 5 && !tools.is_empty(), "{found}");
    let write = tools.iter().find(|tool| tool["name"] == "file_write").unwrap();
    assert_eq!(write["call_with"], "call_write_tool", "{write}");
    let every = client.call("/mcp/compact", "search_tools", json!({ "query": "" })).await;
    let every = every["structuredContent"]["names"].to_string();
    assert!(every.contains("system_info") && !every.contains("docker_remove"), "nothing above the ceiling: {every}");

    let args = json!({ "path": "compact.txt", "content": "one" });
    let inner = json!({ "name": "file_write", "arguments": args });
    let written = client.call("/mcp/compact", "call_write_tool", inner).await;
    assert_eq!(written["isError"], false, "{written}");
    assert_eq!(std::fs::read_to_string(app.data().join("files/compact.txt")).unwrap(), "one");
    let history: Value = app.local().get("/api/history?limit=20").await.unwrap();
    assert!(history.to_string().contains("file_write"), "the audit tells the real name: {history}");
    let above = client
        .call("/mcp/compact", "call_delete_tool", json!({ "name": "docker_remove", "arguments": { "container": "a" } }))
        .await;
    let refused: Value = serde_json::from_str(above["content"][1]["text"].as_str().unwrap()).unwrap();
    assert_eq!(refused["code"], "above_ceiling", "{above}");
    for wrong in [
        json!({}),
        json!({ "name": "nothing" }),
        json!({ "name": "file_read", "arguments": [] }),
        json!({ "name": "file_read", "path": "a" }),
    ] {
        let refused = client.call("/mcp/compact", "call_read_tool", wrong.clone()).await;
        assert_eq!(refused["isError"], true, "{wrong}: {refused}");
    }
    for (wrong, helps) in [
        (json!({ "name": "file_read", "arguments": "{}" }), "not a text"),
        (json!({ "name": "file_read", "path": "a" }), "belongs into `arguments`"),
        (json!({ "name": "search_tools", "arguments": { "query": "a" } }), "is called by itself"),
    ] {
        let refused = client.call("/mcp/compact", "call_read_tool", wrong).await;
        assert!(refused["content"][0]["text"].as_str().unwrap().contains(helps), "{refused}");
    }
    let nothing = client.call("/mcp/compact", "search_tools", json!({ "query": "zzzzqq" })).await;
    assert!(nothing["structuredContent"]["note"].as_str().unwrap().contains("other words"), "{nothing}");
}

/// A client of the old era that never opens a second session.
struct Old {
    http: reqwest::Client,
    token: String,
    session: String,
}

impl Old {
    async fn open(app: &TestApp, path: &str) -> Self {
        let token = app.token("old", "yellow", "client").await.secret.unwrap();
        let mut old = Self { http: reqwest::Client::new(), token, session: String::new() };
        let opening = json!({
            "protocolVersion": "2025-11-25", "capabilities": { "elicitation": {} }, "clientInfo": { "name": "old", "version": "1" },
        });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": opening });
        let (headers, _) = old.send(app, path, body).await.unwrap();
        headers["mcp-session-id"].to_str().unwrap().clone_into(&mut old.session);
        old.send(app, path, json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await.unwrap();
        old
    }

    /// Headers and body, or the status that refuses.
    async fn send(&self, app: &TestApp, path: &str, body: Value) -> Result<(HeaderMap, String), u16> {
        let mut request = self
            .http
            .post(format!("{}{path}", app.url))
            .bearer_auth(&self.token)
            .header("accept", "application/json, text/event-stream");
        if !self.session.is_empty() {
            request = request.header("mcp-session-id", &self.session).header("mcp-protocol-version", "2025-11-25");
        }
        let answer = request.json(&body).send().await.unwrap();
        if !answer.status().is_success() {
            return Err(answer.status().as_u16());
        }
        let headers = answer.headers().clone();
        Ok((headers, answer.text().await.unwrap()))
    }

    async fn system(&self, app: &TestApp, path: &str) -> Result<bool, u16> {
        let name = if path == "/mcp" { "system_info" } else { "search_tools" };
        let arguments = if path == "/mcp" { json!({}) } else { json!({ "query": "" }) };
        let params = json!({ "name": name, "arguments": arguments });
        let body = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params });
        self.send(app, path, body)
            .await
            .map(|(_, text)| text.contains("system_info") || text.contains("\"isError\":false"))
    }

    async fn end(&self, app: &TestApp, path: &str) -> u16 {
        let request = self.http.delete(format!("{}{path}", app.url)).bearer_auth(&self.token);
        let request = request.header("mcp-session-id", &self.session).header("mcp-protocol-version", "2025-11-25");
        request.send().await.unwrap().status().as_u16()
    }
}

#[tokio::test]
async fn a_session_of_the_old_era_outlives_the_server_and_stays_its_owners() {
    let mut app = TestApp::start();
    for path in ["/mcp", "/mcp/compact"] {
        let old = Old::open(&app, path).await;
        assert_eq!(old.system(&app, path).await, Ok(true));
        app.kill_and_restart();
        assert_eq!(old.system(&app, path).await, Ok(true), "the same id goes on after a restart");
        assert_eq!(old.system(&app, path).await, Ok(true));
        let token = app.token("thief", "yellow", "client").await.secret.unwrap();
        let thief = Old { http: reqwest::Client::new(), token, session: old.session.clone() };
        assert_eq!(thief.system(&app, path).await, Err(404), "to everybody else it does not exist");
        let elsewhere = if path == "/mcp" { "/mcp/compact" } else { "/mcp" };
        assert_eq!(old.system(&app, elsewhere).await, Err(404), "nor on another path");
        assert_eq!(old.end(&app, path).await, 204);
        assert_eq!(old.system(&app, path).await, Err(404), "what its client ended is over");
        app.kill_and_restart();
        assert_eq!(old.system(&app, path).await, Err(404), "and stays so");
    }
}
