//! The kill switch on real servers: what runs is called off, looked after and recorded, everywhere.

use jarvis_client::Client;
use jarvis_client::wire::{CallAnswer, JobInfo, StatusInfo};
use serde_json::{Value, json};

use crate::app::{FIXTURES, TestApp, call, code};
use crate::replica::Scratch;

/// Longer than any test takes.
const LONG: u64 = 60_000;

fn waiting(name: &str) -> Value {
    json!({ "name": name, "millis": LONG })
}

/// Calls and jobs that run now.
struct Busy {
    calls: Vec<tokio::task::JoinHandle<CallAnswer>>,
    jobs: Vec<String>,
}

impl Busy {
    async fn on(app: &TestApp, token: &str, names: &str) -> Self {
        let client = || app.over_tcp(Some(token));
        let (mut calls, mut jobs) = (Vec::new(), Vec::new());
        for number in 0..3 {
            let (caller, args) = (client(), waiting(&format!("{names} call {number}")));
            calls.push(tokio::spawn(async move { call(&caller, "wait", args).await.unwrap() }));
            let body = json!({ "tool": "wait", "args": waiting(&format!("{names} job {number}")) });
            jobs.push(client().post::<_, JobInfo>("/api/jobs", &body, None).await.unwrap().id);
        }
        let operator = app.operator().await;
        while begun(&operator).await < 6 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        Self { calls, jobs }
    }

    /// How each ended, calls before jobs.
    async fn ends(self, client: &Client) -> Vec<String> {
        let mut ends = Vec::new();
        for call in self.calls {
            ends.push(call.await.unwrap().state);
        }
        for id in self.jobs {
            ends.push(client.get_waiting::<JobInfo>(&format!("/api/jobs/{id}"), 20).await.unwrap().state);
        }
        ends
    }
}

/// Intents of `wait` in the audit.
async fn begun(operator: &Client) -> usize {
    let page: Value = operator.get("/api/history?limit=400").await.unwrap();
    let rows = page["events"].as_array().unwrap().iter();
    rows.filter(|row| row["kind"] == "call.intent").count()
}

#[tokio::test]
async fn calls_and_jobs_that_run_are_called_off_and_probed_and_only_the_operator_releases() {
    let app = TestApp::start_with(&[FIXTURES]);
    let token = app.token("ci", "red", "approver").await.secret.unwrap();
    let client = app.over_tcp(Some(&token));
    let busy = Busy::on(&app, &token, "one").await;
    let operator = app.operator().await;
    let _: Value = operator.post("/api/kill", &json!({}), None).await.unwrap();
    // The probe saw that nothing had happened: that is certain, and no doubt is left.
    assert_eq!(busy.ends(&client).await, ["cancelled"; 6]);
    let doubts: Value = operator.get("/api/doubts").await.unwrap();
    assert_eq!(doubts["doubts"].as_array().map(Vec::len), Some(0), "{doubts}");
    assert_eq!(code(call(&client, "wait", waiting("two")).await), "stopped");
    let body = json!({ "tool": "wait", "args": waiting("three") });
    let late: JobInfo = client.post("/api/jobs", &body, Some(20)).await.unwrap();
    assert_eq!(late.state, "failed", "{late:?}");
    assert!(late.error.unwrap_or_default().contains("kill switch"));
    for actor in [&client, &app.local()] {
        let refused = actor.delete("/api/kill").await;
        assert!(refused.is_err(), "only the operator releases it");
        assert_eq!(app.local().get::<StatusInfo>("/api/status").await.unwrap().kill, "effects");
    }
    operator.delete("/api/kill").await.unwrap();
    let short = json!({ "name": "four", "millis": 1 });
    assert_eq!(call(&client, "wait", short).await.unwrap().state, "done");
}

#[tokio::test]
async fn thrown_on_one_server_it_calls_off_what_runs_on_another() {
    let Some(scratch) = Scratch::new() else { return };
    let one = scratch.first(&[FIXTURES]);
    let other = scratch.beside(&one, &[FIXTURES]);
    let token = one.token("ci", "red", "client").await.secret.unwrap();
    let busy = Busy::on(&other, &token, "other").await;
    let stopped = one.cli(&["stop"]);
    assert!(stopped.status.success(), "{stopped:?}");
    let client = other.over_tcp(Some(&token));
    assert_eq!(busy.ends(&client).await, ["cancelled"; 6]);
    assert_eq!(code(call(&client, "wait", waiting("more")).await), "stopped");
}
