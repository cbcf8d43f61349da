//! A store that fails for a moment, or for longer.

use std::time::Duration;

use jarvis_safety::approval::ApprovalState;
use jarvis_safety::call::{CallState, Request};
use jarvis_safety::event::EventKind;
use jarvis_safety::kernel::{Autonomy, KillSwitch, Level, PlanAnswer};
use jarvis_safety::outcome::Outcome;
use jarvis_safety::port::{Intended, Ledger as _};
use jarvis_safety::refusal::Code;
use jarvis_safety::setting::Settings;
use jarvis_safety::{Actor, Tier};

use super::stage::Fault;
use super::{MINUTE, house, odd, own, yes};
use crate::lamp::{draft, ran, refused};

/// K-3, K-17.
#[tokio::test]
async fn an_intent_that_may_have_been_kept_is_not_run_and_certainly_did_not_begin() {
    let (house, stage) = house().await;
    stage.fail("intend", Fault::Kept, 1);
    let keyed = || Request { key: Some("k".to_owned()), ..own("hall") };
    assert_eq!(refused(house.gate.call(keyed()).await).code, Code::StoreUnavailable);
    assert!(house.store.unsettled_calls().await.unwrap().is_empty());
    assert_eq!(ran(house.gate.call(keyed()).await).state, CallState::Cancelled, "the key brings what was settled");
    // Killed before even that could be recorded: the next start probes it.
    stage.fail("intend", Fault::Kept, 1);
    stage.hold("settle", 1);
    house.begin(own("shed"));
    stage.reached("settle", 1).await;
    let house = house.killed().await;
    assert_eq!((house.count(EventKind::CallFailed).await, house.effects().len()), (1, 0));
    house.leave().await;
}

#[tokio::test]
async fn an_approved_intent_that_may_have_been_kept_is_handed_in_again_and_run_once() {
    for fault in [Fault::Before, Fault::Kept] {
        let (house, stage) = house().await;
        let card = house.card(&Actor::local(), "cellar", Tier::Red).await;
        stage.fail("intend", fault, 3);
        house.yes(&card.id).await;
        assert_eq!(house.decided_once(&card.id).await, ApprovalState::Done);
        let call = card.steps[0].call.as_str();
        assert_eq!(house.kinds(call).await, [EventKind::CallIntent, EventKind::CallDone]);
        house.leave().await;
    }
}

#[tokio::test]
async fn whoever_else_spends_a_step_meanwhile_is_not_mistaken_for_the_attempt_before() {
    let (house, stage) = house().await;
    let card = house.card(&Actor::local(), "cellar", Tier::Orange).await;
    stage.hold("ran cellar", 1);
    house.yes(&card.id).await;
    stage.reached("ran cellar", 1).await;
    // It goes on with what the store says is under way, and finds it in hand.
    house.gate.recover().await.unwrap();
    stage.release("ran cellar", 1);
    assert_eq!(house.decided_once(&card.id).await, ApprovalState::Done);
    // Of another time, and so of another attempt, is a record that says the same otherwise.
    let mut record = house.store.call(&card.steps[0].call).await.unwrap().unwrap();
    record.created_at += 1;
    let again = house.store.intend(&record, None, draft()).await.unwrap();
    assert!(matches!(again, Intended::AlreadySpent), "{again:?}");
    house.leave().await;
}

#[tokio::test]
async fn an_approved_card_waits_for_a_store_that_cannot_even_be_read() {
    let (house, stage) = house().await;
    let card = house.card(&Actor::local(), "cellar", Tier::Orange).await;
    stage.hold("decide kept", 1);
    let yes = tokio::spawn(yes(house.gate.clone(), card.id.clone()));
    stage.reached("decide kept", 1).await;
    stage.fail("approval", Fault::Before, 4);
    stage.release("decide kept", 1);
    yes.await.unwrap();
    while house.store.approval(&card.id).await.unwrap().unwrap().state != ApprovalState::Done {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(house.decided_once(&card.id).await, ApprovalState::Done);
    house.leave().await;
}

/// K-11.
#[tokio::test]
async fn a_yes_lapses_while_the_store_is_away_for_more_than_fifteen_minutes() {
    for (away, holds) in [(15 * MINUTE, true), (15 * MINUTE + 1, false)] {
        let (house, stage) = house().await;
        let card = house.card(&Actor::local(), "cellar", Tier::Orange).await;
        stage.hold("decide kept", 1);
        let yes = tokio::spawn(yes(house.gate.clone(), card.id.clone()));
        stage.reached("decide kept", 1).await;
        stage.fail("approval", Fault::Before, usize::MAX);
        stage.release("decide kept", 1);
        yes.await.unwrap();
        // The first look has failed by then, or the wait has no beginning.
        while stage.left("approval") > usize::MAX - 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        house.clock.turn(away);
        stage.fail("approval", Fault::Before, 0);
        // Voiding it fails at first, too.
        stage.fail("decide", Fault::Before, 2);
        let card = house.end_of(&card.id).await;
        if holds {
            assert_eq!((card.state, house.times("cellar")), (ApprovalState::Done, 1), "{card:?}");
        } else {
            assert_eq!((card.state, house.times("cellar")), (ApprovalState::Stale, 0), "{card:?}");
            assert!(card.because.unwrap().contains("too long ago"));
        }
        house.leave().await;
    }
}

/// K-4, K-12.
#[tokio::test]
async fn a_card_whose_decision_or_second_look_meets_a_failing_store_is_run_all_the_same() {
    let (house, stage) = house().await;
    let settings = |default| Settings { autonomy: Autonomy { default, ..Autonomy::default() }, ..Settings::default() };
    // Here yellow asks, and how often it was made lately is looked up.
    house.gate.apply_settings(settings(Level::Suggest));
    for (method, fault, heard) in [("decide", Fault::Kept, false), ("repeats", Fault::Before, true)] {
        let card = house.card(&Actor::local(), method, Tier::Yellow).await;
        stage.fail(method, fault, 1);
        assert_eq!(yes(house.gate.clone(), card.id.clone()).await, heard, "{method}");
        assert_eq!(house.decided_once(&card.id).await, ApprovalState::Done, "{method}");
        assert_eq!(stage.left(method), 0);
    }
    house.leave().await;
}

#[tokio::test]
async fn an_outcome_is_recorded_once_although_the_store_fails_for_a_moment() {
    let (house, stage) = house().await;
    for (lamp, fault) in [("hall", Fault::Before), ("cellar", Fault::Kept)] {
        stage.fail("settle", fault, 3);
        let outcome = house.turn(lamp).await;
        assert_eq!(outcome.state, CallState::Done);
        assert_eq!(house.kinds(outcome.call.as_str()).await, [EventKind::CallIntent, EventKind::CallDone]);
        stage.fail("settle", fault, 0);
    }
    house.leave().await;
}

#[tokio::test]
async fn an_outcome_that_cannot_be_recorded_is_told_as_unknown_and_recorded_as_soon_as_it_can_be() {
    let (house, stage) = house().await;
    let card = house.card(&Actor::local(), "cellar", Tier::Orange).await;
    stage.fail("settle", Fault::Before, usize::MAX);
    house.yes(&card.id).await;
    let outcome = house.turn("hall").await;
    assert!(outcome.state == CallState::Unknown && outcome.words.contains("could not be recorded"), "{outcome:?}");
    assert_eq!(house.store.call(&outcome.call).await.unwrap().unwrap().state, CallState::Running);
    // What is still in hand is not looked after by whoever looks for what was lost.
    house.gate.recover().await.unwrap();
    stage.fail("settle", Fault::Before, 0);
    assert_eq!(house.decided_once(&card.id).await, ApprovalState::Done);
    while house.store.call(&outcome.call).await.unwrap().unwrap().state == CallState::Running {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(house.kinds(outcome.call.as_str()).await, [EventKind::CallIntent, EventKind::CallDone]);
    let kept = house.store.call(&outcome.call).await.unwrap().unwrap();
    assert!(
        kept.undo.is_some() && !kept.outcome.unwrap().words.contains("recorded"),
        "what is kept is what came of it"
    );
    house.leave().await;
}

#[tokio::test]
async fn an_outcome_that_is_never_recorded_is_probed_by_the_next_start() {
    let (house, stage) = house().await;
    let card = house.card(&Actor::local(), "cellar", Tier::Orange).await;
    stage.fail("settle", Fault::Before, usize::MAX);
    stage.hold("ran cellar", 1);
    house.yes(&card.id).await;
    stage.reached("ran cellar", 1).await;
    stage.release("ran cellar", 1);
    let outcome = house.turn("hall").await;
    // A server that stops gives it up; it does not wait for a store that is gone.
    assert_eq!(house.gate.close(Duration::ZERO).await, 0);
    assert_eq!(house.store.call(&outcome.call).await.unwrap().unwrap().state, CallState::Running);
    stage.fail("settle", Fault::Before, 0);
    let house = house.killed().await;
    assert_eq!(house.store.call(&outcome.call).await.unwrap().unwrap().state, CallState::Done, "its probe saw it");
    assert_eq!(house.decided_once(&card.id).await, ApprovalState::Done);
    house.leave().await;
}

#[tokio::test]
async fn a_yes_that_was_not_kept_does_not_void_what_the_second_yes_runs() {
    let (house, stage) = house().await;
    let card = house.card(&Actor::local(), "hall", Tier::Red).await;
    stage.hold("decide", 1);
    let first = tokio::spawn(yes(house.gate.clone(), card.id.clone()));
    stage.reached("decide", 1).await;
    // After an answer in doubt the card is looked at: it is pending. Then the second yes runs and takes the lamp away.
    stage.hold("approval kept", 1);
    stage.fail("decide", Fault::Before, 1);
    stage.release("decide", 1);
    assert!(!first.await.unwrap());
    stage.reached("approval kept", 1).await;
    house.yes(&card.id).await;
    // Whoever looked first looks once more, for the second.
    stage.release("approval kept", 1);
    assert_eq!(house.decided_once(&card.id).await, ApprovalState::Done);
    house.leave().await;
}

#[tokio::test]
async fn a_brake_that_another_replica_threw_meanwhile_bars_an_intent_that_was_kept() {
    let (house, stage) = house().await;
    let card = house.card(&Actor::local(), "cellar", Tier::Orange).await;
    stage.fail("intend", Fault::Kept, 1);
    stage.hold("intend kept", 1);
    house.yes(&card.id).await;
    stage.reached("intend kept", 1).await;
    // This one's gate has not heard of it yet.
    house.store.set_kill_switch(KillSwitch::Effects, draft()).await.unwrap();
    stage.release("intend kept", 1);
    assert_eq!(house.decided_once(&card.id).await, ApprovalState::Failed);
    let call = house.store.call(&card.steps[0].call).await.unwrap().unwrap();
    assert_eq!((call.state, house.times("cellar")), (CallState::Cancelled, 0));
    house.leave().await;
}

#[tokio::test]
async fn looking_for_what_was_lost_voids_no_plan_that_is_between_its_steps() {
    let (house, stage) = house().await;
    let plan = vec![odd("one", Tier::Orange, None), own("two")];
    let PlanAnswer::Waiting(card) = house.gate.plan(plan).await else { panic!("it asks") };
    stage.hold("resolve two", 1);
    house.yes(&card.id).await;
    stage.reached("resolve two", 1).await;
    // The first step took long: for a card that nobody spends the yes would be too old.
    house.clock.turn(16 * MINUTE);
    house.gate.recover().await.unwrap();
    stage.release("resolve two", 1);
    assert_eq!(house.end_of(&card.id).await.state, ApprovalState::Done);
    assert_eq!((house.times("one"), house.times("two")), (1, 1));
    house.leave().await;
}

#[tokio::test]
async fn an_outcome_that_contradicts_what_was_recorded_before_is_told_and_stays_to_be_seen() {
    let (house, stage) = house().await;
    stage.hold("ran hall", 1);
    let call = house.begin(own("hall"));
    stage.reached("ran hall", 1).await;
    let record = house.store.unsettled_calls().await.unwrap().remove(0);
    // As a replica does that took it over from one which it could not see.
    let seen = Outcome { state: CallState::Failed, call: record.id.clone(), ..house.turn("shed").await };
    house.store.settle(&seen, None, None, 0, draft()).await.unwrap();
    stage.release("ran hall", 1);
    let outcome = ran(call.await.unwrap());
    assert!(outcome.state == CallState::Unknown && outcome.words.contains("could not be recorded"), "{outcome:?}");
    let kinds = house.kinds(record.id.as_str()).await;
    assert_eq!(kinds.last(), Some(&EventKind::CallUnknown), "{kinds:?}");
}
