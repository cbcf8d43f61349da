//! Retention: what is older than allowed goes, nothing else does, and the chain stays whole.

use std::num::NonZeroU32;

use jarvis_memory::{Pruned, Retention};
use jarvis_safety::ActorId;
use jarvis_safety::approval::{Approval, ApprovalState};
use jarvis_safety::call::{CallRecord, CallState};
use jarvis_safety::conversation::{Conversation, TurnState};
use jarvis_safety::event::EventKind;
use jarvis_safety::port::{Clock as _, Conversations as _, Decision, Feed as _, Ledger as _};
use serde_json::json;

use crate::world::{ON_POSTGRES, START, World, outcome, read, row};

const DAY: i64 = 24 * 60 * 60 * 1000;

fn days(count: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(count)
}

async fn prune(world: &World, rules: Retention) -> Pruned {
    world.store.prune(&rules).await.unwrap()
}

async fn has_body(world: &World, seq: u64) -> bool {
    world.store.event(seq).await.unwrap().unwrap().1.is_some()
}

/// Whether a text stands in SQLite's database or in its log.
fn stored(world: &World, text: &str) -> bool {
    ["jarvis.db", "jarvis.db-wal"].iter().any(|name| {
        let bytes = std::fs::read(world.data.join(name)).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[tokio::test]
async fn bodies_that_are_too_old_are_erased_and_the_audit_says_how_many() {
    let world = World::new().await;
    for index in 0..1200 {
        world.append(read(&format!("old-{index}"))).await;
    }
    world.clock.turn(10 * DAY);
    let young = world.append(read("young")).await;
    let rules = Retention { event_bodies_days: days(7), ..Retention::default() };
    // What a server of its own has on its disk is its administrator's.
    assert!(ON_POSTGRES || stored(&world, "about old-7\""));
    let pruned = prune(&world, rules.clone()).await;
    assert_eq!(pruned, Pruned { bodies: 1200, ..Pruned::default() });
    assert!(!has_body(&world, 1).await && !has_body(&world, 1200).await && has_body(&world, young).await);
    assert!(!stored(&world, "about old-7\""), "neither in the database nor in its log");
    let found = world.whole().await;
    assert_eq!((found.erased, found.rows), (1200, young + 3), "three pages, a row each");
    let (told, _) = world.store.event(found.head).await.unwrap().unwrap();
    assert_eq!((told.kind, told.summary.as_str()), (EventKind::BodyErased, "200 bodies erased: older than 7 days"));
    assert_eq!(prune(&world, rules.clone()).await, Pruned::default(), "once");
    assert_eq!(world.store.head(), found.head, "nothing to tell of");
    // What is exactly as old as allowed stays; a moment later it goes.
    world.clock.turn(7 * DAY);
    assert_eq!(prune(&world, rules.clone()).await.bodies, 0);
    world.clock.turn(1);
    assert_eq!(prune(&world, rules).await.bodies, 1);
    world.restart().await.whole().await;
}

#[tokio::test]
async fn without_rules_everything_is_kept() {
    let world = World::new().await;
    world.append(read("old")).await;
    settled(&world, CallState::Done).await;
    said(&world, "old", TurnState::Done).await;
    world.clock.turn(10_000 * DAY);
    let head = world.store.head();
    assert_eq!(prune(&world, Retention::default()).await, Pruned::default());
    assert_eq!((world.store.head(), world.whole().await.erased), (head, 0));
}

async fn settled_in(world: &World, state: CallState, conversation: Option<&Conversation>) -> CallRecord {
    let mut record = world.record(None);
    record.origin.conversation = conversation.map(|conversation| conversation.id.clone());
    world.store.intend(&record, None, row(EventKind::CallIntent, record.id.as_str())).await.unwrap();
    if state != CallState::Running {
        let told = row(EventKind::CallDone, record.id.as_str());
        world.store.settle(&outcome(&record, state), None, None, world.clock.now(), told).await.unwrap();
    }
    record
}

async fn settled(world: &World, state: CallState) -> CallRecord {
    settled_in(world, state, None).await
}

async fn said(world: &World, title: &str, state: TurnState) -> Conversation {
    let conversation = world.conversation(title);
    let turn = world.turn(&conversation, &format!("what about {title}?"));
    world.store.begin(&conversation, &turn, row(EventKind::TurnAsked, turn.id.as_str())).await.unwrap();
    if state != TurnState::Running {
        world.store.step(&turn.id, &[], state, Some(row(EventKind::TurnDone, turn.id.as_str()))).await.unwrap();
    }
    conversation
}

async fn card(world: &World, question: &str, state: ApprovalState) -> Approval {
    let card = world.card(question, 2);
    world.store.ask(&card, 100, row(EventKind::ApprovalAsked, card.id.as_str())).await.unwrap();
    if state != ApprovalState::Pending {
        let (by, at) = (ActorId::new("operator"), world.clock.now());
        let decision =
            Decision { approval: card.id.clone(), state, by, because: None, without: Vec::new(), withdrawn: false, at };
        assert!(world.store.decide(&decision, row(EventKind::ApprovalDenied, card.id.as_str())).await.unwrap());
    }
    card
}

#[tokio::test]
async fn old_calls_and_cards_go_once_they_are_settled_and_nobody_must_look_at_them() {
    let world = World::new().await;
    let talk = said(&world, "talk", TurnState::Done).await;
    let mut gone = Vec::new();
    for state in [CallState::Done, CallState::Failed, CallState::Cancelled] {
        gone.push(settled(&world, state).await);
    }
    for _ in 0..600 {
        settled(&world, CallState::Done).await;
    }
    let mut kept = vec![settled_in(&world, CallState::Done, Some(&talk)).await];
    kept.push(settled(&world, CallState::Running).await);
    kept.push(settled(&world, CallState::Unknown).await);
    let denied = card(&world, "denied", ApprovalState::Denied).await;
    let open = [card(&world, "open", ApprovalState::Pending).await, card(&world, "yes", ApprovalState::Approved).await];
    world.clock.turn(40 * DAY);
    kept.push(settled(&world, CallState::Done).await);
    let bodies = world.whole().await.bodies;
    let pruned = prune(&world, Retention { calls_days: days(30), ..Retention::default() }).await;
    assert_eq!(pruned, Pruned { calls: 603, cards: 1, ..Pruned::default() });
    for record in &gone {
        assert!(world.store.call(&record.id).await.unwrap().is_none(), "{}", record.id);
    }
    for record in &kept {
        assert!(world.store.call(&record.id).await.unwrap().is_some(), "{}", record.id);
    }
    assert!(world.store.approval(&denied.id).await.unwrap().is_none());
    for card in &open {
        assert_eq!(world.store.approval(&card.id).await.unwrap().unwrap().steps.len(), 2);
    }
    let found = world.whole().await;
    assert_eq!(found.bodies, bodies, "the audit keeps what it tells of them");
    // Once the conversation is gone, so may be its calls.
    let told = row(EventKind::ConversationDeleted, talk.id.as_str());
    world.store.delete(&talk.id, told).await.unwrap();
    assert_eq!(prune(&world, Retention { calls_days: days(30), ..Retention::default() }).await.calls, 1);
    world.whole().await;
}

#[tokio::test]
async fn jobs_that_ended_long_ago_go_with_what_they_put_out() {
    let world = World::new().await;
    let talk = said(&world, "talk", TurnState::Done).await;
    let job = async |id: &str, state: &str, ended_at: i64, conversation: &str| {
        let columns = "id, kind, queue, priority, actor, state, created_at, ended_at, conversation, json";
        let values = format!("'{id}', 'k', 'q', 0, 'a', '{state}', {START}, {ended_at}, {conversation}, '{{}}'");
        world.tamper(&format!("insert into job ({columns}) values ({values})")).await;
        world.tamper(&format!("insert into job_output (job, number, at, text) values ('{id}', 0, 0, 'x')")).await;
    };
    for (index, state) in ["done", "failed", "cancelled", "unknown", "queued", "running", "waiting"].iter().enumerate()
    {
        job(&format!("job_{index}"), state, START, "null").await;
    }
    job("job_7", "done", START + 20 * DAY, "null").await;
    job("job_8", "done", START, &format!("'{}'", talk.id)).await;
    // A person has looked: at one long ago, at one a moment ago.
    for (id, at) in [("job_9", START), ("job_90", START + 20 * DAY)] {
        job(id, "unknown", START, "null").await;
        world.tamper(&format!("update job set acknowledged_at = {at} where id = '{id}'")).await;
    }
    world.clock.turn(40 * DAY);
    let pruned = prune(&world, Retention { jobs_days: days(30), ..Retention::default() }).await;
    assert_eq!(pruned, Pruned { jobs: 4, ..Pruned::default() });
    let mut connection = world.burglar().await;
    for table in ["select id from job order by id", "select job from job_output order by job"] {
        let rows = sqlx::query(table).fetch_all(&mut connection).await.unwrap();
        let left: Vec<String> = rows.iter().map(|row| sqlx::Row::get(row, 0)).collect();
        assert_eq!(left, ["job_3", "job_4", "job_5", "job_6", "job_7", "job_8", "job_90"], "{table}");
    }
    world.whole().await;
}

#[tokio::test]
async fn a_conversation_goes_when_nothing_was_said_or_goes_on_in_it_for_long() {
    let world = World::new().await;
    let old = said(&world, "old", TurnState::Done).await;
    let busy = said(&world, "busy", TurnState::Waiting).await;
    let revived = said(&world, "revived", TurnState::Done).await;
    for index in 0..60 {
        said(&world, &format!("more-{index}"), TurnState::Done).await;
    }
    world.clock.turn(31 * DAY);
    let turn = world.turn(&revived, "and now?");
    world.store.add_turn(&turn, row(EventKind::TurnAsked, turn.id.as_str())).await.unwrap();
    let rules = Retention { conversations_days: days(30), ..Retention::default() };
    assert_eq!(prune(&world, rules.clone()).await, Pruned { conversations: 61, ..Pruned::default() });
    assert!(world.store.conversation(&old.id).await.unwrap().is_none());
    for kept in [&busy, &revived] {
        assert!(world.store.conversation(&kept.id).await.unwrap().is_some(), "{}", kept.title);
    }
    assert!(!stored(&world, "what about old?"));
    world.whole().await;
    assert_eq!(prune(&world, rules).await.conversations, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_on_while_much_is_pruned() {
    let world = World::new().await;
    for _ in 0..40 {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..250 {
            let store = world.store.clone();
            tasks.spawn(
                async move { store.append(read("old"), jarvis_safety::setting::AuditReads::Wal).await.unwrap() },
            );
        }
        tasks.join_all().await;
    }
    world.clock.turn(8 * DAY);
    let (store, rules) = (world.store.clone(), Retention { event_bodies_days: days(7), ..Retention::default() });
    let pruning = tokio::spawn(async move { store.prune(&rules).await.unwrap() });
    let mut between = 0;
    while !pruning.is_finished() {
        world.append(read("young")).await;
        between += 1;
    }
    assert_eq!(pruning.await.unwrap().bodies, 10_000);
    // Twenty pages: had one transaction taken all, at most one call would have come between.
    assert!(between >= 15, "{between} calls were made meanwhile");
    world.whole().await;
}

#[test]
fn a_rule_is_a_number_of_days_from_one_on() {
    let read = |value: serde_json::Value| serde_json::from_value::<Retention>(value);
    let rules = read(json!({ "event_bodies_days": 90 })).unwrap();
    assert_eq!(rules, Retention { event_bodies_days: days(90), ..Retention::default() });
    for wrong in [json!({ "calls_days": 0 }), json!({ "calls_days": -1 }), json!({ "call_days": 1 })] {
        assert!(read(wrong.clone()).is_err(), "{wrong}");
    }
}
