//! The plug is pulled on the real binary.

use jarvis_client::wire::{ApprovalInfo, AuditReport, CallAnswer, EventPage, SayBody, TurnInfo};
use serde_json::json;

use crate::app::{TestApp, call};
use crate::docker::Container;

#[tokio::test]
async fn what_was_answered_is_in_the_audit_after_a_kill() {
    let mut app = TestApp::start();
    let local = app.local();
    let mut calls = Vec::new();
    for _ in 0..50 {
        calls.push(call(&local, "system_temperatures", json!({})).await.unwrap().call.unwrap());
    }
    app.kill_and_restart();
    let page: EventPage = app.local().get("/api/history?limit=200&kind=call.read").await.unwrap();
    let told: Vec<_> = page.events.into_iter().map(|event| event.subject).collect();
    assert!(calls.iter().all(|call| told.contains(call)), "an answered call is missing");
    let report: AuditReport = app.local().post("/api/audit/verify", &json!({}), None).await.unwrap();
    assert!(report.ok, "{:?}", report.faults);
}

#[tokio::test]
async fn a_pending_removal_survives_a_kill_and_happens_once() {
    let Some(web) = Container::run("crash") else { return };
    let mut app = TestApp::start_with(&[("JARVIS_DOCKER", web.engine())]);
    let removal = call(&app.local(), "docker_remove", json!({ "container": web.name })).await.unwrap();
    app.kill_and_restart();
    let approve = format!("/api/approvals/{}/approve", removal.approval.unwrap());
    let done: ApprovalInfo = app.operator().await.post(&approve, &json!({}), Some(20)).await.unwrap();
    assert_eq!(done.state, "done");
    assert!(!web.exists());
    app.kill_and_restart();
    let page: EventPage = app.local().get("/api/history?limit=200&kind=call.intent").await.unwrap();
    assert_eq!(page.events.len(), 1, "one intent, although the plug was pulled twice");
}

#[tokio::test]
async fn a_kill_during_an_approved_call_runs_nothing_twice() {
    let Some(web) = Container::run("mid") else { return };
    let mut app = TestApp::start_with(&[("JARVIS_DOCKER", web.engine())]);
    // `sleep` as process 1 ignores the polite signal, so stopping takes seconds: time to pull the plug.
    let stop = call(&app.local(), "docker_stop", json!({ "container": web.name })).await.unwrap();
    let id = stop.approval.unwrap();
    let approve = format!("/api/approvals/{id}/approve");
    let _: ApprovalInfo = app.operator().await.post(&approve, &json!({}), None).await.unwrap();
    loop {
        let page: EventPage = app.local().get("/api/history?limit=10&kind=call.intent").await.unwrap();
        if !page.events.is_empty() {
            break;
        }
    }
    app.kill_and_restart();
    let card: ApprovalInfo = app.local().get(&format!("/api/approvals/{id}")).await.unwrap();
    assert!(["done", "failed", "unknown"].contains(&card.state.as_str()), "{card:?}");
    let page: EventPage = app.local().get("/api/history?limit=10&kind=call.intent").await.unwrap();
    assert_eq!(page.events.len(), 1, "nothing ran twice");
}

#[tokio::test]
async fn a_conversation_is_whole_after_a_kill() {
    let mut app = TestApp::start();
    let say = |text: &str, conversation: Option<String>| SayBody {
        text: text.to_owned(),
        conversation,
        ..SayBody::default()
    };
    let first: TurnInfo = app.local().post("/api/say", &say("how is this machine?", None), Some(20)).await.unwrap();
    assert_eq!(first.state, "done", "{first:?}");
    app.kill_and_restart();
    let conversation = Some(first.conversation.clone());
    let second: TurnInfo =
        app.local().post("/api/say", &say("what is filling the disk?", conversation), Some(20)).await.unwrap();
    assert_eq!((second.conversation, second.parent), (first.conversation, Some(first.id)));
}

#[tokio::test]
async fn the_same_key_after_a_kill_brings_the_first_outcome() {
    let mut app = TestApp::start();
    let body = json!({ "tool": "file_write", "args": { "path": "a.txt", "content": "one" }, "key": "k" });
    let first: CallAnswer = app.local().post("/api/call", &body, None).await.unwrap();
    app.kill_and_restart();
    let second: CallAnswer = app.local().post("/api/call", &body, None).await.unwrap();
    assert_eq!(first.call, second.call);
}
