//! Calls with an effect: intent, outcome, keys, repeats.

use jarvis_safety::approval::ApprovalState;
use jarvis_safety::bar::Bar;
use jarvis_safety::call::{CallRecord, CallState};
use jarvis_safety::event::EventKind;
use jarvis_safety::id::TokenId;
use jarvis_safety::identity::TokenGrant;
use jarvis_safety::kernel::KillSwitch;
use jarvis_safety::port::{Decision, Feed as _, Identities as _, Intended, Ledger as _, Pace, StoreError};
use jarvis_safety::tool::Undo;
use jarvis_safety::{ActorId, Role, Target, Tier};
use serde_json::json;

use crate::world::{World, client, outcome, row, web};

#[tokio::test]
async fn an_intent_is_kept_as_it_was_recorded() {
    let world = World::new().await;
    let record = world.record(Some("k"));
    let answer = world.store.intend(&record, None, row(EventKind::CallIntent, record.id.as_str())).await.unwrap();
    assert!(matches!(answer, Intended::Recorded));
    assert_eq!(world.store.call(&record.id).await.unwrap(), Some(record));
    assert_eq!(world.store.call(&world.call_id()).await.unwrap(), None);
    assert_eq!(world.whole().await.rows, 1);
}

#[tokio::test]
async fn reuse_of_a_key_returns_the_known_call_and_keeps_nothing() {
    let world = World::new().await;
    let first = world.record(Some("k"));
    world.store.intend(&first, None, row(EventKind::CallIntent, "a")).await.unwrap();
    let again = world.record(Some("k"));
    match world.store.intend(&again, None, row(EventKind::CallIntent, "b")).await.unwrap() {
        Intended::Known(known) => assert_eq!(known.id, first.id),
        other => panic!("{other:?}"),
    }
    assert_eq!(world.store.call(&again.id).await.unwrap(), None);
    assert_eq!(world.store.keyed(&first.actor, "k").await.unwrap(), Some(first.clone()));
    assert_eq!(world.store.keyed(&first.actor, "l").await.unwrap(), None);
    assert_eq!(world.store.keyed(&ActorId::new("operator"), "k").await.unwrap(), None);
    assert_eq!(world.store.head(), 1);
    // The key of another actor is another key.
    let mut other = world.record(Some("k"));
    other.actor = ActorId::new("operator");
    let answer = world.store.intend(&other, None, row(EventKind::CallIntent, "c")).await.unwrap();
    assert!(matches!(answer, Intended::Recorded));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_concurrent_calls_with_one_key_one_is_recorded() {
    let world = World::new().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (store, record) = (world.store.clone(), world.record(Some("k")));
        tasks.spawn(async move { store.intend(&record, None, row(EventKind::CallIntent, "a")).await.unwrap() });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Intended::Recorded)).count(), 1);
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Intended::Known(_))).count(), 49);
    assert_eq!(world.store.unsettled_calls().await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_outcome_is_recorded_once_with_its_undo() {
    let world = World::new().await;
    let record = world.record(None);
    world.store.intend(&record, None, row(EventKind::CallIntent, "a")).await.unwrap();
    let outcome = outcome(&record, CallState::Done);
    let undo = Undo { tool: "docker_start".to_owned(), args: json!({ "container": "web" }) };
    let settle = || world.store.settle(&outcome, Some(&undo), None, 5, row(EventKind::CallDone, "a"));
    settle().await.unwrap();
    let kept = world.store.call(&record.id).await.unwrap().unwrap();
    assert_eq!((kept.state, kept.outcome.as_ref(), kept.undo.as_ref()), (CallState::Done, Some(&outcome), Some(&undo)));
    assert!(matches!(settle().await, Err(StoreError::Conflict(_))));
    assert_eq!(world.whole().await.rows, 2);
}

#[tokio::test]
async fn an_outcome_of_no_call_or_of_a_running_one_is_refused() {
    let world = World::new().await;
    let record = world.record(None);
    let done = outcome(&record, CallState::Done);
    let answer = world.store.settle(&done, None, None, 5, row(EventKind::CallDone, "a")).await;
    assert!(matches!(answer, Err(StoreError::NotFound(_))));
    world.store.intend(&record, None, row(EventKind::CallIntent, "a")).await.unwrap();
    let running = outcome(&record, CallState::Running);
    let answer = world.store.settle(&running, None, None, 5, row(EventKind::CallDone, "a")).await;
    assert!(matches!(answer, Err(StoreError::Conflict(_))));
    assert_eq!(world.store.head(), 1);
}

#[tokio::test]
async fn a_call_is_taken_back_once_and_what_did_not_happen_takes_nothing_back() {
    let world = World::new().await;
    let first = world.record(None);
    world.store.intend(&first, None, row(EventKind::CallIntent, "a")).await.unwrap();
    let done = outcome(&first, CallState::Done);
    world.store.settle(&done, None, None, 5, row(EventKind::CallDone, "a")).await.unwrap();
    let undone_by = async || world.store.call(&first.id).await.unwrap().unwrap().undone_by;
    let back = async || {
        let mut back = world.record(None);
        back.origin.undoes = Some(first.id.clone());
        let intended = world.store.intend(&back, None, row(EventKind::CallIntent, "b")).await.unwrap();
        (back, intended)
    };
    for (state, holds) in
        [(CallState::Failed, false), (CallState::Cancelled, false), (CallState::Unknown, true), (CallState::Done, true)]
    {
        let (taking, intended) = back().await;
        assert!(matches!(intended, Intended::Recorded), "{intended:?}");
        assert_eq!(undone_by().await.as_ref(), Some(&taking.id), "from its intent on");
        let (_, second) = back().await;
        assert!(matches!(second, Intended::Barred(Bar::TakenBack(by)) if by == taking.id));
        let end = outcome(&taking, state);
        world.store.settle(&end, None, Some(&first.id), 6, row(EventKind::CallDone, "b")).await.unwrap();
        assert_eq!(undone_by().await.is_some(), holds, "{state:?}");
        if holds {
            let mut connection = world.burglar().await;
            sqlx::query("update call set undone_by = null").execute(&mut connection).await.unwrap();
        }
    }
}

#[tokio::test]
async fn no_intent_is_kept_after_the_switch_was_thrown_or_a_token_revoked() {
    let world = World::new().await;
    let grant = TokenGrant { role: Role::Approver, ..TokenGrant::client("bot", Tier::Red) };
    let (token, _) = world.store.create_token(TokenId::new(7), grant, row(EventKind::TokenCreated, "t")).await.unwrap();
    let intend = async |record: &CallRecord| {
        world.store.intend(record, None, row(EventKind::CallIntent, record.id.as_str())).await.unwrap()
    };
    let of_token = || CallRecord { actor: token.actor().id, ..world.record(None) };
    assert!(matches!(intend(&of_token()).await, Intended::Recorded));
    let card = world.card("q", 1);
    world.store.ask(&card, 100, row(EventKind::ApprovalAsked, "a")).await.unwrap();
    let decision = Decision {
        approval: card.id.clone(),
        state: ApprovalState::Approved,
        by: token.actor().id,
        because: None,
        without: Vec::new(),
        withdrawn: false,
        at: 7,
    };
    assert!(world.store.decide(&decision, row(EventKind::ApprovalApproved, "a")).await.unwrap());
    world.store.revoke_token(&token.id, row(EventKind::TokenRevoked, "t")).await.unwrap();
    assert!(matches!(intend(&of_token()).await, Intended::Barred(Bar::Revoked)));
    let spending =
        CallRecord { id: card.steps[0].call.clone(), approval: Some((card.id.clone(), 0)), ..world.record(None) };
    assert!(matches!(intend(&spending).await, Intended::Barred(Bar::Revoked)), "the approver's token");
    assert!(matches!(intend(&world.record(None)).await, Intended::Recorded));
    world.store.set_kill_switch(KillSwitch::Effects, row(EventKind::KillOn, "kill")).await.unwrap();
    let head = world.store.head();
    assert!(matches!(intend(&world.record(None)).await, Intended::Barred(Bar::Stopped)));
    assert_eq!(world.store.head(), head, "nothing was kept");
}

#[tokio::test]
async fn no_intent_is_kept_of_a_token_whose_time_is_over() {
    let world = World::new().await;
    let over = TokenGrant { expires_at: Some(crate::world::START + 10), ..TokenGrant::client("ci", Tier::Red) };
    let (token, _) = world.store.create_token(TokenId::new(8), over, row(EventKind::TokenCreated, "t")).await.unwrap();
    let intend = async |at: i64| {
        let record = CallRecord { actor: token.actor().id, created_at: at, ..world.record(None) };
        world.store.intend(&record, None, row(EventKind::CallIntent, record.id.as_str())).await.unwrap()
    };
    assert!(matches!(intend(crate::world::START + 9).await, Intended::Recorded));
    assert!(matches!(intend(crate::world::START + 10).await, Intended::Barred(Bar::Revoked)));
}

#[tokio::test]
async fn unsettled_calls_are_found_after_a_restart() {
    let world = World::new().await;
    let (open, settled) = (world.record(None), world.record(None));
    for record in [&open, &settled] {
        world.store.intend(record, None, row(EventKind::CallIntent, record.id.as_str())).await.unwrap();
    }
    let failed = outcome(&settled, CallState::Failed);
    world.store.settle(&failed, None, None, 5, row(EventKind::CallFailed, "x")).await.unwrap();
    let world = world.restart().await;
    assert_eq!(world.store.unsettled_calls().await.unwrap(), [open]);
}

#[tokio::test]
async fn repeats_count_one_actor_one_tool_one_target_since_a_time() {
    let world = World::new().await;
    for _ in 0..3 {
        let record = world.record(None);
        world.store.intend(&record, None, row(EventKind::CallIntent, "a")).await.unwrap();
        world.clock.turn(1000);
    }
    let mut elsewhere = world.record(None);
    elsewhere.target = Target::new("container", "sha256:0123", "db");
    world.store.intend(&elsewhere, None, row(EventKind::CallIntent, "a")).await.unwrap();
    let (actor, tool, start) = (client().id, "docker_restart", crate::world::START);
    let args = json!({ "container": "web" });
    let count = |since, target| {
        let (store, actor) = (world.store.clone(), actor.clone());
        async move { store.repeats(&actor, tool, &json!({ "container": "web" }), &target, since).await.unwrap() }
    };
    assert_eq!(count(start, web()).await, 3);
    assert_eq!(count(start + 1000, web()).await, 2);
    assert_eq!(count(start, elsewhere.target).await, 1);
    // The id of a file changes with its content; it is the same file by its name.
    assert_eq!(count(start, Target::new("container", "sha256:9999", "web")).await, 3);
    assert_eq!(count(start, Target::new("service", "sha256:0123", "web")).await, 0);
    let other = json!({ "container": "web", "wait": 1 });
    assert_eq!(world.store.repeats(&actor, tool, &other, &web(), start).await.unwrap(), 0);
    assert_eq!(world.store.repeats(&actor, "docker_start", &args, &web(), start).await.unwrap(), 0);
    assert_eq!(world.store.repeats(&ActorId::new("operator"), tool, &args, &web(), start).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_same_calls_at_once_as_many_begin_as_the_pace_allows() {
    let world = World::new().await;
    let intend = |since| {
        let (store, record) = (world.store.clone(), world.record(None));
        let pace = Some(Pace { since, most: 2 });
        async move { store.intend(&record, pace, row(EventKind::CallIntent, "a")).await.unwrap() }
    };
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        tasks.spawn(intend(crate::world::START));
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Intended::Recorded)).count(), 2);
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Intended::TooOften(2))).count(), 18);
    // Also one that is alone in its batch; what is older does not count.
    assert!(matches!(intend(crate::world::START).await, Intended::TooOften(2)));
    assert!(matches!(intend(crate::world::START + 1).await, Intended::Recorded));
    assert_eq!(world.whole().await.rows, 3);
}

#[tokio::test]
async fn the_kill_switch_outlives_a_restart() {
    let world = World::new().await;
    assert_eq!(world.store.kill_switch().await.unwrap(), KillSwitch::Off);
    world.store.set_kill_switch(KillSwitch::Effects, row(EventKind::KillOn, "kill")).await.unwrap();
    let world = world.restart().await;
    assert_eq!(world.store.kill_switch().await.unwrap(), KillSwitch::Effects);
    world.store.set_kill_switch(KillSwitch::Off, row(EventKind::KillOff, "kill")).await.unwrap();
    assert_eq!(world.store.kill_switch().await.unwrap(), KillSwitch::Off);
    assert_eq!(world.whole().await.rows, 2);
}
