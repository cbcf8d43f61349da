//! Clients that nobody here wrote: the Python SDK, in both eras of the protocol, over HTTP and over stdio.

use std::process::Command;

use serde_json::Value;

use crate::app::{FIXTURES, PASSWORD, TestApp};
use crate::docker::Container;
use crate::{mount, needs};

/// Runs a script of `tests/it/python` against the server, and answers what it printed as JSON.
fn python(app: &TestApp, script: &str, environment: &[(&str, &str)]) -> Option<Value> {
    let python = needs::part("JARVIS_TEST_PYTHON", "Python with the MCP SDK")?;
    let output = Command::new(python)
        .arg(format!("{}/tests/it/python/{script}", env!("CARGO_MANIFEST_DIR")))
        .env("JARVIS", env!("CARGO_BIN_EXE_jarvis"))
        .env("JARVIS_DATA", app.data())
        .env("JARVIS_OPERATOR_PASSWORD", PASSWORD)
        .env("MCP_URL", format!("{}/mcp", app.url))
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    Some(serde_json::from_str(out.lines().last().unwrap()).unwrap())
}

#[tokio::test]
async fn both_eras_list_and_call_and_get_the_outcome_of_an_approval_once() {
    let Some(web) = Container::run("mcp") else { return };
    let app = TestApp::start_with(&[("JARVIS_DOCKER", web.engine())]);
    let operator = app.operator().await;
    let mut settings: Value = operator.get("/api/settings").await.unwrap();
    settings["mcp_hold_seconds"] = 1.into();
    let _: Value = operator.put("/api/settings", &settings).await.unwrap();
    for (mode, version) in [("legacy", "2025-11-25"), ("auto", "2026-07-28")] {
        // Each a token of its own: what one was told makes its next yellow call ask.
        let token = app.token(mode, "red", "client").await.secret.unwrap();
        let variables = [("MODE", mode), ("TOKEN", token.as_str()), ("CONTAINER", web.name.as_str())];
        let Some(told) = python(&app, "both_eras.py", &variables) else { return };
        assert_eq!(told["version"], version);
        assert_eq!(told["read_only"], true, "{told}");
        assert_eq!(told["destructive"], true, "{told}");
        assert_eq!(told["restart"], false, "a yellow call runs: {told}");
        assert_eq!(told["held"], "approval_required", "{told}");
        assert_eq!(told["fetched"], "done", "{told}");
        assert_eq!(told["asked_again"], "approval_required", "the outcome is handed once: {told}");
    }
}

#[tokio::test]
async fn a_form_confirms_yellow_in_both_eras_and_never_red() {
    let app = TestApp::start();
    let suggest = serde_json::json!({ "default": 1, "rules": [] });
    let operator = app.operator().await;
    let mut settings: Value = operator.get("/api/settings").await.unwrap();
    settings["autonomy"] = suggest;
    settings["mcp_hold_seconds"] = 0.into();
    let _: Value = operator.put("/api/settings", &settings).await.unwrap();
    let token = app.token("ide", "red", "client").await.secret.unwrap();
    for mode in ["legacy", "auto"] {
        let variables = [("MODE", mode), ("TOKEN", token.as_str())];
        let Some(told) = python(&app, "forms.py", &variables) else { return };
        assert_eq!(told["approved"], true, "{told}");
        assert_eq!(told["denied"], "denied", "{told}");
        assert_eq!(told["orange_forms"], 0, "{told}");
    }
}

#[tokio::test]
async fn what_no_form_may_confirm_is_an_address_in_both_eras_and_opening_it_decides_nothing() {
    let app = TestApp::start();
    let operator = app.operator().await;
    let mut settings: Value = operator.get("/api/settings").await.unwrap();
    settings["mcp_hold_seconds"] = 5.into();
    let _: Value = operator.put("/api/settings", &settings).await.unwrap();
    for mode in ["legacy", "2026-07-28"] {
        let token = app.token(mode, "red", "client").await.secret.unwrap();
        let variables = [("MODE", mode), ("TOKEN", token.as_str())];
        let Some(told) = python(&app, "page.py", &variables) else { return };
        let shown = told["shown"].as_array().unwrap();
        assert_eq!(shown.len(), 3, "{told}");
        for page in shown {
            assert_eq!(page["mode"], "url", "{told}");
            assert!(page["url"].as_str().unwrap().starts_with(&format!("{}/approvals/appr_", app.url)), "{told}");
        }
        assert_eq!(told["forged"], "approval_required", "{told}");
        assert_eq!(told["declined"], "denied", "{told}");
        assert_eq!(told["approved"], "done", "{told}");
    }
}

#[tokio::test]
async fn a_call_that_waits_is_a_task_for_those_who_declare_them_and_is_held_for_the_old_era() {
    let app = TestApp::start();
    let operator = app.operator().await;
    let mut settings: Value = operator.get("/api/settings").await.unwrap();
    settings["mcp_hold_seconds"] = 1.into();
    let _: Value = operator.put("/api/settings", &settings).await.unwrap();
    let token = app.token("ide", "red", "client").await.secret.unwrap();
    let variables = |mode| [("MODE", mode), ("TOKEN", token.as_str())];
    let Some(told) = python(&app, "tasks.py", &variables("2026-07-28")) else { return };
    assert_eq!(told["seen"], serde_json::json!(["working", "completed"]), "{told}");
    assert_eq!(told["called"], "done", "{told}");
    let Some(told) = python(&app, "tasks.py", &variables("legacy")) else { return };
    assert_eq!(told["seen"], serde_json::json!([]), "{told}");
    assert_eq!(told["called"], "approval_required", "{told}");
}

#[tokio::test]
async fn a_task_asks_for_what_a_form_may_decide_and_for_nothing_else() {
    let app = TestApp::start_with(&[FIXTURES]);
    let operator = app.operator().await;
    let mut settings: Value = operator.get("/api/settings").await.unwrap();
    settings["autonomy"] = serde_json::json!({ "default": 1, "rules": [] });
    let _: Value = operator.put("/api/settings", &settings).await.unwrap();
    let token = app.token("ide", "red", "client").await.secret.unwrap();
    let Some(told) = python(&app, "task_forms.py", &[("TOKEN", token.as_str())]) else { return };
    assert_eq!(told["approve"]["code"], "done", "{told}");
    assert_eq!(told["deny"]["code"], "denied", "{told}");
    for decided in ["approve", "deny"] {
        let seen = told[decided]["seen"].as_array().unwrap();
        assert!(seen.contains(&"input_required".into()) && seen.last().unwrap() == "completed", "{told}");
    }
    assert!(told["message"].as_str().unwrap().starts_with("Jarvis asks: Waits 10 ms"), "{told}");
    let red = told["red"].as_array().unwrap();
    assert!(!red.contains(&"input_required".into()) && red.last().unwrap() == "cancelled", "{told}");
}

#[tokio::test]
async fn a_client_of_either_era_is_told_of_every_change_of_the_tools() {
    let Some(_) = mount::servers() else { return };
    let (app, home) = (TestApp::start(), mount::shared(0o755));
    let script = home.path().join("hostile.mjs");
    std::fs::write(&script, mount::HOSTILE).unwrap();
    for (mode, version) in [("legacy", "2025-11-25"), ("auto", "2026-07-28")] {
        let token = app.token(mode, "red", "client").await.secret.unwrap();
        let variables = [("MODE", mode), ("TOKEN", token.as_str()), ("SCRIPT", script.to_str().unwrap())];
        let Some(told) = python(&app, "changes.py", &variables) else { return };
        assert_eq!((&told["version"], &told["declared"]), (&version.into(), &true.into()), "{told}");
        assert_eq!((&told["came"], &told["reviewed"]), (&false.into(), &true.into()), "{told}");
        assert!(told["changed"].as_str().unwrap().starts_with("Quarantined"), "{told}");
    }
}

#[tokio::test]
async fn stdio_speaks_to_the_one_server_and_can_never_approve() {
    let app = TestApp::start();
    let Some(told) = python(&app, "stdio.py", &[]) else { return };
    assert!(told["tools"].as_array().unwrap().len() > 20);
    assert_eq!(told["info"], false);
    assert!(!told["tools"].as_array().unwrap().contains(&"docker_remove".into()), "red is above its ceiling");
}

#[tokio::test]
async fn what_is_not_strict_json_is_refused_over_mcp_too() {
    let app = TestApp::start();
    let token = app.token("ide", "green", "client").await.secret.unwrap();
    let twice =
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"system_info","name":"docker_list"}}"#;
    let answer = reqwest::Client::new()
        .post(format!("{}/mcp", app.url))
        .bearer_auth(token)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(twice)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 400);
    let body: Value = answer.json().await.unwrap();
    assert_eq!((body["id"].as_i64(), body["error"]["code"].as_i64()), (Some(7), Some(-32700)));
    let nobody = reqwest::Client::new().post(format!("{}/mcp", app.url)).body("{}").send().await.unwrap();
    assert_eq!(nobody.status().as_u16(), 401);
}

/// One call of the stateless era, as a client without forms makes it.
async fn called(app: &TestApp, token: &str, tool: &str, args: Value) -> Value {
    let mut answer: Value = begun(app, token, tool, args, false).await.json().await.unwrap();
    answer["result"].take()
}

/// The answer to such a call as it begins to come, with or without what is told on the way.
async fn begun(app: &TestApp, token: &str, tool: &str, args: Value, progress: bool) -> reqwest::Response {
    let mut meta = serde_json::json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "c", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    if progress {
        meta["progressToken"] = "how far".into();
    }
    let params = serde_json::json!({ "name": tool, "arguments": args, "_meta": meta });
    reqwest::Client::new()
        .post(format!("{}/mcp", app.url))
        .bearer_auth(token)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", tool)
        .json(&serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }))
        .send()
        .await
        .unwrap()
}

/// The card of a call that a person must approve.
fn card(answer: &Value) -> String {
    let told: Value = serde_json::from_str(answer["content"][1]["text"].as_str().unwrap()).unwrap();
    assert_eq!(told["code"], "approval_required", "{answer}");
    told["approval_id"].as_str().unwrap().to_owned()
}

fn runs(answer: &Value) -> bool {
    answer["isError"] == false
}

#[tokio::test]
async fn a_clients_model_that_has_read_strangers_asks_for_yellow_until_a_grant_leaves_it_no_choice() {
    let mut app = TestApp::start();
    let operator = app.operator().await;
    let mut settings: Value = operator.get("/api/settings").await.unwrap();
    settings["mcp_hold_seconds"] = 0.into();
    let _: Value = operator.put("/api/settings", &settings).await.unwrap();
    let token = app.token("ide", "red", "client").await.secret.unwrap();
    let other = app.token("other", "red", "client").await.secret.unwrap();
    let write = |path: &str| serde_json::json!({ "path": path, "content": "do as the note says" });
    assert!(runs(&called(&app, &token, "file_write", write("note.txt")).await), "level 3 acts on yellow");
    assert!(runs(&called(&app, &token, "file_read", serde_json::json!({ "path": "note.txt" })).await));
    let asked = card(&called(&app, &token, "file_write", write("two.txt")).await);
    let shown: Value = operator.get(&format!("/api/approvals/{asked}")).await.unwrap();
    assert_eq!((&shown["vouching"], &shown["unvouched"]), (&"led".into(), &serde_json::json!(["content", "path"])));
    assert!(runs(&called(&app, &other, "file_write", write("three.txt")).await), "what one has read is not another's");
    // The label outlives the server.
    app.kill_and_restart();
    card(&called(&app, &token, "file_write", write("four.txt")).await);
    // Nor does the token lose it by another door.
    let by_rest = crate::app::call(&app.over_tcp(Some(&token)), "file_write", write("six.txt")).await.unwrap();
    assert_eq!(by_rest.state, "waiting", "{by_rest:?}");
    // Green that reads here stays free; a grant of exactly this call is the operator's own choice.
    assert!(runs(&called(&app, &token, "file_list", serde_json::json!({})).await));
    let (code, given) = app.cli_json(&["grant", "create", "--of", &asked]);
    assert_eq!(code, 0, "{given}");
    assert!(runs(&called(&app, &token, "file_write", write("two.txt")).await), "{given}");
    card(&called(&app, &token, "file_write", write("five.txt")).await);
}

#[tokio::test]
async fn a_card_that_tells_a_client_a_name_it_did_not_say_is_a_strangers_text() {
    let Some(web) = Container::run("named") else { return };
    let app = TestApp::start_with(&[("JARVIS_DOCKER", web.engine())]);
    let operator = app.operator().await;
    let mut settings: Value = operator.get("/api/settings").await.unwrap();
    settings["mcp_hold_seconds"] = 0.into();
    let _: Value = operator.put("/api/settings", &settings).await.unwrap();
    let token = app.token("ide", "red", "client").await.secret.unwrap();
    let write = serde_json::json!({ "path": "note.txt", "content": "x" });
    let remove =
        async |name: &str| called(&app, &token, "docker_remove", serde_json::json!({ "container": name })).await;
    card(&remove(&web.name).await);
    assert!(runs(&called(&app, &token, "file_write", write.clone()).await), "it was told the name that it said");
    let told = remove(&web.id).await;
    assert!(told["content"][0]["text"].as_str().unwrap().contains(&web.name), "{told}");
    card(&called(&app, &token, "file_write", write).await);
}

/// Asks for something of a client that takes tasks and shows forms.
async fn of_tasks(app: &TestApp, token: &str, method: &str, name: &str, mut params: Value) -> Value {
    params["_meta"] = serde_json::json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "c", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities":
            { "elicitation": { "form": {} }, "extensions": { "io.modelcontextprotocol/tasks": {} } },
    });
    let asked = reqwest::Client::new()
        .post(format!("{}/mcp", app.url))
        .bearer_auth(token)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", method)
        .header("mcp-name", name)
        .json(&serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }));
    let mut answer: Value = asked.send().await.unwrap().json().await.unwrap();
    assert!(answer["error"].is_null(), "{answer}");
    answer["result"].take()
}

#[tokio::test]
async fn the_form_of_a_task_that_tells_a_client_a_name_it_did_not_say_is_a_strangers_text() {
    let Some(web) = Container::run("tasked") else { return };
    let app = TestApp::start_with(&[("JARVIS_DOCKER", web.engine())]);
    let operator = app.operator().await;
    let mut settings: Value = operator.get("/api/settings").await.unwrap();
    settings["mcp_hold_seconds"] = 0.into();
    let _: Value = operator.put("/api/settings", &settings).await.unwrap();
    let made = serde_json::json!({ "name": "ide", "ceiling": "red", "confirm": "orange" });
    let made: Value = operator.post("/api/tokens", &made, None).await.unwrap();
    let token = made["secret"].as_str().unwrap();
    let write = serde_json::json!({ "path": "note.txt", "content": "x" });
    let stop = serde_json::json!({ "name": "docker_stop", "arguments": { "container": web.id } });
    let task = of_tasks(&app, token, "tools/call", "docker_stop", stop).await;
    let id = task["taskId"].as_str().unwrap_or_else(|| panic!("{task}"));
    assert!(runs(&called(&app, token, "file_write", write.clone()).await), "it was told of a task and of nothing else");
    let shown = loop {
        let state = of_tasks(&app, token, "tasks/get", id, serde_json::json!({ "taskId": id })).await;
        if state["status"] == "input_required" {
            break state["inputRequests"].to_string();
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert!(shown.contains(&web.name), "{shown}");
    card(&called(&app, token, "file_write", write).await);
}

#[tokio::test]
async fn what_a_tool_tells_on_its_way_is_a_strangers_text_before_it_has_ended() {
    let Some(web) = Container::run("told") else { return };
    let app = TestApp::start_with(&[("JARVIS_DOCKER", web.engine())]);
    let operator = app.operator().await;
    let mut settings: Value = operator.get("/api/settings").await.unwrap();
    settings["mcp_hold_seconds"] = 0.into();
    let _: Value = operator.put("/api/settings", &settings).await.unwrap();
    let token = app.token("ide", "red", "client").await.secret.unwrap();
    let write = serde_json::json!({ "path": "note.txt", "content": "x" });
    assert!(runs(&called(&app, &token, "file_write", write.clone()).await), "level 3 acts on yellow");
    // By its id: the name is the stranger's.
    let restart = serde_json::json!({ "container": web.id });
    let mut stream = begun(&app, &token, "docker_restart", restart, true).await;
    let mut told = String::new();
    while !told.contains(&format!("restarting {}", web.name)) {
        told.push_str(&String::from_utf8_lossy(&stream.chunk().await.unwrap().unwrap()));
    }
    assert!(told.contains("notifications/progress") && !told.contains("\"result\""), "{told}");
    card(&called(&app, &token, "file_write", write).await);
    while let Some(more) = stream.chunk().await.unwrap() {
        told.push_str(&String::from_utf8_lossy(&more));
    }
    assert!(told.contains("was restarted"), "{told}");
}
