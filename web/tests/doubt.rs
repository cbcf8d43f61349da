//! What nobody can tell: seen by its own, and acknowledged by the operator.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

mod world;

use jarvis_safety::call::{CallRecord, CallState, Origin};
use jarvis_safety::event::{Draft, EventKind};
use jarvis_safety::outcome::Outcome;
use jarvis_safety::port::Ledger as _;
use jarvis_safety::{CallId, Digest, Target, Tier};
use serde_json::{Value, json};
use world::house::{House, actor_of, get, post};

fn draft(kind: EventKind, record: &CallRecord) -> Draft {
    Draft {
        kind,
        actor: record.actor.clone(),
        owner: record.actor.clone(),
        subject: record.id.to_string(),
        correlation: "c".to_owned(),
        tool: Some(record.tool.clone()),
        tier: Some(record.tier),
        summary: "test".to_owned(),
        body: None,
    }
}

/// A call of a token whose outcome nobody can tell; its id.
async fn doubt(house: &House, number: u128) -> String {
    let record = CallRecord {
        id: CallId::new(number),
        actor: actor_of(number),
        origin: Origin::default(),
        tool: "demo_tend".to_owned(),
        revision: 1,
        args: json!({ "name": "a" }),
        target: Target::new("demo", "a", "a"),
        tier: Tier::Yellow,
        digest: Digest::of(b"tend a"),
        key: None,
        approval: None,
        grant: None,
        rule: "level 3".to_owned(),
        state: CallState::Running,
        created_at: i64::try_from(number).unwrap(),
        outcome: None,
        undo: None,
        undone_by: None,
    };
    let outcome = Outcome {
        call: record.id.clone(),
        tool: record.tool.clone(),
        tier: record.tier,
        target: record.target.clone(),
        state: CallState::Unknown,
        output: Value::Null,
        words: "Nobody can tell; look at a.".to_owned(),
        error: None,
        untrusted: false,
        undoable: false,
        millis: 1,
        rule: "level 3".to_owned(),
    };
    let store = &house.kept.store;
    store.intend(&record, None, draft(EventKind::CallIntent, &record)).await.unwrap();
    store.settle(&outcome, None, None, 5, draft(EventKind::CallUnknown, &record)).await.unwrap();
    record.id.to_string()
}

async fn listed(house: &House, bearer: &str) -> Vec<Value> {
    let answer = house.ask(get("/api/doubts", Some(bearer))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body["doubts"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_doubt_is_shown_to_its_own_and_the_operator_until_the_operator_has_looked() {
    let house = House::new().await;
    let operator = house.operator().await;
    let (one, other) = (house.token(1, Tier::Yellow, false).await, house.token(2, Tier::Yellow, true).await);
    assert!(listed(&house, &operator).await.is_empty());
    let (of_one, of_other) = (doubt(&house, 1).await, doubt(&house, 2).await);
    let own = listed(&house, &one).await;
    assert_eq!(own.len(), 1);
    let words = "Nobody can tell; look at a.";
    let wanted = json!({ "subject": of_one, "actor": actor_of(1).as_str(), "what": "demo_tend", "target": "a", "words": words, "at": 1 });
    assert_eq!(own[0], wanted);
    let all: Vec<_> = listed(&house, &operator).await.iter().map(|doubt| doubt["subject"].clone()).collect();
    assert_eq!(all, [of_other.clone(), of_one.clone()]);

    let acknowledge = |bearer: String, id: String| {
        let house = &house;
        async move { house.ask(post(&format!("/api/doubts/{id}/acknowledge"), Some(&bearer), "")).await }
    };
    for token in [&one, &other] {
        assert_eq!(acknowledge(token.clone(), of_one.clone()).await.status, 403, "only the operator");
    }
    assert_eq!(acknowledge(operator.clone(), of_one.clone()).await.status, 204);
    let (kind, actor, _) = house.newest().await;
    assert_eq!((kind.as_str(), actor.as_str()), ("doubt.acknowledged", "operator"));
    for wrong in [of_one, "call_0".to_owned(), "%00".to_owned()] {
        let again = acknowledge(operator.clone(), wrong).await;
        assert_eq!(again.problem(), (404, "not_found"));
    }
    assert!(listed(&house, &one).await.is_empty());
    assert_eq!(listed(&house, &operator).await.len(), 1);
}
