//! Jobs on the real binary: over HTTP, in the terminal, as tools and as tasks of MCP, and over a pulled plug.

use jarvis_client::wire::{ApprovalInfo, CallAnswer, JobInfo, JobPage};
use jarvis_client::{Client, ClientError};
use serde_json::{Value, json};

use crate::app::{TestApp, call};

fn write(path: &str) -> Value {
    json!({ "path": path, "content": "by a job" })
}

/// From now on everything above green is asked for.
async fn ask_for_everything(app: &TestApp) {
    let operator = app.operator().await;
    let mut settings: Value = operator.get("/api/settings").await.unwrap();
    settings["autonomy"] = json!({ "default": 1, "rules": [] });
    settings["mcp_hold_seconds"] = 0.into();
    let _: Value = operator.put("/api/settings", &settings).await.unwrap();
}

/// A job of a client that waits for a person.
async fn waiting(client: &Client, path: &str) -> JobInfo {
    let body = json!({ "tool": "file_write", "args": write(path) });
    let mut job: JobInfo = client.post("/api/jobs", &body, None).await.unwrap();
    while job.state != "waiting" {
        assert!(job.ended_at.is_none(), "{job:?}");
        job = client.get(&format!("/api/jobs/{}", job.id)).await.unwrap();
    }
    job
}

async fn ended(client: &Client, id: &str) -> JobInfo {
    let job: JobInfo = client.get_waiting(&format!("/api/jobs/{id}"), 30).await.unwrap();
    assert!(job.ended_at.is_some(), "{job:?}");
    job
}

#[tokio::test]
async fn the_terminal_hands_in_follows_and_lists() {
    let app = TestApp::start();
    let args = write("a.txt").to_string();
    let words = ["job", "start", "file_write", &args, "--key", "once"];
    let (code, first) = app.cli_json(&words);
    let (again, second) = app.cli_json(&words);
    assert_eq!((code, again, &first["id"]), (0, 0, &second["id"]), "{first} {second}");
    let id = first["id"].as_str().unwrap();
    let followed = app.cli(&["job", "output", id]);
    assert!(followed.status.success() && String::from_utf8_lossy(&followed.stdout).contains("a.txt"), "{followed:?}");
    let (code, shown) = app.cli_json(&["job", "show", id]);
    assert_eq!((code, &shown["state"], &shown["answer"]["state"]), (0, &json!("done"), &json!("done")), "{shown}");
    let (_, page) = app.cli_json(&["jobs"]);
    assert_eq!(page["jobs"].as_array().unwrap().len(), 1, "the same key is the same job: {page}");
    assert_eq!(app.cli(&["job", "cancel", id]).status.code(), Some(2), "it has ended");
    let unknown = app.cli(&["job", "start", "no_such_tool"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no_such_tool"), "{unknown:?}");
}

#[tokio::test]
async fn a_failed_job_ends_as_one_and_its_follower_says_so() {
    let app = TestApp::start();
    let followed = app.cli(&["job", "start", "file_read", "{\"path\":\"nowhere.txt\"}", "--follow"]);
    assert_eq!(followed.status.code(), Some(1), "{followed:?}");
    assert!(String::from_utf8_lossy(&followed.stdout).starts_with("failed: "), "{followed:?}");
}

#[tokio::test]
async fn a_job_that_waits_for_a_person_outlives_a_pulled_plug_and_runs_once() {
    let mut app = TestApp::start();
    ask_for_everything(&app).await;
    let token = app.token("ci", "red", "client").await.secret.unwrap();
    let job = waiting(&app.over_tcp(Some(&token)), "kept.txt").await;
    app.kill_and_restart();
    let client = app.over_tcp(Some(&token));
    let now = waiting_again(&client, &job.id).await;
    let path = format!("/api/approvals/{}/approve", now.approval.unwrap());
    let _: ApprovalInfo = app.operator().await.post(&path, &json!({}), Some(20)).await.unwrap();
    let done = ended(&client, &job.id).await;
    assert_eq!((done.state.as_str(), done.answer.unwrap().state.as_str()), ("done", "done"));
    let history: Value = app.operator().await.get("/api/history?kind=call.done&limit=50").await.unwrap();
    let effects = history["events"].as_array().unwrap().iter().filter(|row| row["tool"] == "file_write").count();
    assert_eq!(effects, 1, "{history}");
}

async fn waiting_again(client: &Client, id: &str) -> JobInfo {
    loop {
        let job: JobInfo = client.get(&format!("/api/jobs/{id}")).await.unwrap();
        assert!(job.ended_at.is_none(), "{job:?}");
        if job.state == "waiting" {
            return job;
        }
    }
}

#[tokio::test]
async fn cancelling_a_job_that_waits_takes_its_question_back() {
    let app = TestApp::start();
    ask_for_everything(&app).await;
    let token = app.token("ci", "red", "client").await.secret.unwrap();
    let client = app.over_tcp(Some(&token));
    let job = waiting(&client, "never.txt").await;
    let _: Value = client.post(&format!("/api/jobs/{}/cancel", job.id), &json!({}), None).await.unwrap();
    assert_eq!(ended(&client, &job.id).await.state, "cancelled");
    let card: ApprovalInfo = client.get(&format!("/api/approvals/{}", job.approval.unwrap())).await.unwrap();
    assert_eq!(card.state, "denied");
    assert!(!app.data().join("files/never.txt").exists());
}

#[tokio::test]
async fn jobs_of_others_are_not_there() {
    let app = TestApp::start();
    let mine = app.over_tcp(Some(&app.token("mine", "red", "client").await.secret.unwrap()));
    let theirs = app.over_tcp(Some(&app.token("theirs", "red", "client").await.secret.unwrap()));
    let job: JobInfo = mine.post("/api/jobs", &json!({ "tool": "system_info" }), Some(20)).await.unwrap();
    for path in ["", "/output", "/stream"] {
        let refused = theirs.get::<Value>(&format!("/api/jobs/{}{path}", job.id)).await.unwrap_err();
        assert!(matches!(&refused, ClientError::Refused(problem) if problem.status == 404), "{refused}");
    }
    let page: JobPage = theirs.get("/api/jobs").await.unwrap();
    assert!(page.jobs.is_empty() && page.counts.is_none());
    let all: JobPage = app.operator().await.get("/api/jobs").await.unwrap();
    assert_eq!(all.jobs.len(), 1);
}

#[tokio::test]
async fn a_client_without_tasks_starts_polls_and_cancels_by_tools() {
    let app = TestApp::start();
    let client = app.over_tcp(Some(&app.token("ide", "yellow", "client").await.secret.unwrap()));
    let started = call(&client, "job_start", json!({ "tool": "system_info" })).await.unwrap();
    let job = started.output["job"].clone();
    let polled = call(&client, "job_status", json!({ "job": job, "wait_seconds": 20 })).await.unwrap();
    assert_eq!((&polled.output["state"], polled.untrusted), (&json!("done"), true), "{polled:?}");
    assert_eq!(polled.output["result"]["state"], "done", "{polled:?}");
    let listed = call(&client, "job_list", json!({})).await.unwrap();
    assert_eq!(listed.output["jobs"].as_array().unwrap().len(), 1, "{listed:?}");
    let over = call(&client, "job_cancel", json!({ "job": job })).await.unwrap();
    assert_eq!(over.output["state"], "done", "{over:?}");
    let above = call(&client, "job_start", json!({ "tool": "docker_remove", "arguments": { "container": "x" } })).await;
    let above = above.unwrap().output["job"].clone();
    let refused = call(&client, "job_status", json!({ "job": above, "wait_seconds": 20 })).await.unwrap();
    assert_eq!(refused.output["state"], "failed", "a job is no way around a ceiling: {refused:?}");
    let other = app.over_tcp(Some(&app.token("other", "yellow", "client").await.secret.unwrap()));
    let hidden = call(&other, "job_status", json!({ "job": job })).await;
    assert!(hidden.is_err() || hidden.as_ref().is_ok_and(|answer| answer.state == "failed"), "{hidden:?}");
}

/// One modern MCP request; answers result or error.
async fn mcp(app: &TestApp, token: &str, method: &str, name: &str, mut params: Value, tasks: bool) -> Value {
    let extensions = if tasks { json!({ "extensions": { "io.modelcontextprotocol/tasks": {} } }) } else { json!({}) };
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": extensions,
    });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(format!("{}/mcp", app.url)).bearer_auth(token).json(&body);
    let request = request.header("accept", "application/json, text/event-stream").header("mcp-name", name);
    let request = request.header("mcp-protocol-version", "2026-07-28").header("mcp-method", method);
    let text = request.send().await.unwrap().text().await.unwrap();
    let line = text.lines().rev().find_map(|line| line.strip_prefix("data: ")).unwrap_or(&text);
    serde_json::from_str(line).unwrap_or_else(|_| panic!("{text}"))
}

#[tokio::test]
async fn a_client_that_declares_tasks_gets_one_for_a_call_that_waits_and_polls_its_outcome() {
    let app = TestApp::start();
    ask_for_everything(&app).await;
    let token = app.token("ide", "red", "client").await.secret.unwrap();
    let params = json!({ "name": "file_write", "arguments": write("task.txt") });
    let asked = mcp(&app, &token, "tools/call", "file_write", params.clone(), true).await;
    assert_eq!(asked["result"]["resultType"], "task", "{asked}");
    assert_eq!(asked["result"]["status"], "working", "{asked}");
    let id = asked["result"]["taskId"].as_str().unwrap().to_owned();
    let get = |token: String, tasks| {
        let (app, id) = (&app, id.clone());
        async move { mcp(app, &token, "tasks/get", &id, json!({ "taskId": id }), tasks).await }
    };
    let now = get(token.clone(), true).await;
    assert_eq!(now["result"]["status"], "working", "{now}");
    assert!(now["result"]["statusMessage"].as_str().unwrap().contains("approval"), "{now}");
    let stranger = app.token("other", "red", "client").await.secret.unwrap();
    assert!(get(stranger, true).await["error"]["message"].as_str().unwrap().contains("no such task"));
    assert!(get(token.clone(), false).await["error"].is_object(), "the extension was not declared");
    let job: JobInfo = app.operator().await.get(&format!("/api/jobs/{id}")).await.unwrap();
    let path = format!("/api/approvals/{}/approve", job.approval.unwrap());
    let _: ApprovalInfo = app.operator().await.post(&path, &json!({}), Some(20)).await.unwrap();
    ended(&app.operator().await, &id).await;
    let done = get(token.clone(), true).await;
    assert_eq!((&done["result"]["status"], &done["result"]["result"]["isError"]), (&json!("completed"), &json!(false)));
    assert!(app.data().join("files/task.txt").exists());
    let plain = mcp(
        &app,
        &token,
        "tools/call",
        "file_write",
        json!({ "name": "file_write", "arguments": write("b.txt") }),
        false,
    )
    .await;
    assert!(plain.to_string().contains("approval_required"), "{plain}");
}

#[tokio::test]
async fn a_task_can_be_cancelled_and_then_nothing_is_done() {
    let app = TestApp::start();
    ask_for_everything(&app).await;
    let token = app.token("ide", "red", "client").await.secret.unwrap();
    let params = json!({ "name": "file_write", "arguments": write("gone.txt") });
    let asked = mcp(&app, &token, "tools/call", "file_write", params, true).await;
    let id = asked["result"]["taskId"].as_str().unwrap().to_owned();
    let acknowledged = mcp(&app, &token, "tasks/cancel", &id, json!({ "taskId": id }), true).await;
    assert!(acknowledged["result"].is_object(), "{acknowledged}");
    ended(&app.operator().await, &id).await;
    let now = mcp(&app, &token, "tasks/get", &id, json!({ "taskId": id }), true).await;
    assert_eq!(now["result"]["status"], "cancelled", "{now}");
    assert!(!app.data().join("files/gone.txt").exists());
}

#[tokio::test]
async fn schedules_are_made_paused_resumed_and_removed_in_the_terminal() {
    let app = TestApp::start();
    let add = ["schedule", "add", "nightly", "--cron", "30 4 * * *", "--zone", "Europe/Berlin", "system_info"];
    let (code, made) = app.cli_json(&add);
    assert_eq!((code, &made["active"], made["next_at"].is_i64()), (0, &json!(true), true), "{made}");
    let id = made["id"].as_str().unwrap();
    let (_, paused) = app.cli_json(&["schedule", "pause", id]);
    assert_eq!((&paused["active"], &paused["next_at"]), (&json!(false), &Value::Null), "{paused}");
    let (_, resumed) = app.cli_json(&["schedule", "resume", id]);
    assert_eq!((&resumed["next_at"], &resumed["payload"]), (&made["next_at"], &made["payload"]), "{resumed}");
    assert_eq!(app.cli(&["schedule", "remove", id]).status.code(), Some(0));
    assert_eq!(app.cli(&["schedule", "remove", id]).status.code(), Some(2), "it is gone");
    for (wrong, named) in [(["--cron", "61 4 * * *"], "61 4"), (["--zone", "Mars/Base"], "Mars/Base")] {
        let mut words = add.to_vec();
        let at = words.iter().position(|word| *word == wrong[0]).unwrap();
        words[at + 1] = wrong[1];
        let refused = app.cli(&words);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains(named), "{refused:?}");
    }
}

#[tokio::test]
async fn a_schedule_fires_and_its_job_runs_as_whoever_made_it() {
    let app = TestApp::start();
    let token = app.token("cron", "green", "client").await;
    let client = app.over_tcp(token.secret.as_deref());
    let body = json!({ "name": "each minute", "tool": "system_info", "cron": "* * * * *" });
    let made: Value = client.post("/api/schedules", &body, None).await.unwrap();
    let path = format!("/api/jobs?schedule={}", made["id"].as_str().unwrap());
    let mut stream = client.stream(0, "").await.unwrap();
    loop {
        let jarvis_client::Message::Event(row) = stream.next().await.unwrap() else { continue };
        if row.kind == "job.done" {
            break;
        }
    }
    let page: JobPage = client.get(&path).await.unwrap();
    assert_eq!(page.jobs[0].actor, format!("token:{}", token.id));
    let answer: &CallAnswer = page.jobs[0].answer.as_ref().unwrap();
    assert_eq!((answer.tool.as_str(), answer.state.as_str()), ("system_info", "done"));
}
