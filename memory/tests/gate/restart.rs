//! A restart in every state of a call and of a card.

use std::time::Duration;

use jarvis_safety::Actor;
use jarvis_safety::approval::{Approval, ApprovalState};
use jarvis_safety::call::{CallState, Origin};
use jarvis_safety::kernel::KillSwitch;
use jarvis_safety::port::{Decision, Ledger as _};
use jarvis_safety::refusal::Code;
use jarvis_safety::tool::Probe;
use serde_json::json;

use crate::lamp::{House, draft, ran, refused, request};

/// The operator's yes, a millisecond after the question.
fn yes(card: &Approval) -> Decision {
    Decision {
        approval: card.id.clone(),
        state: ApprovalState::Approved,
        by: Actor::operator().id,
        because: None,
        without: Vec::new(),
        withdrawn: false,
        at: card.created_at + 1,
    }
}

#[tokio::test]
async fn a_pending_card_is_still_there_after_a_restart_and_executes() {
    let house = House::new().await;
    let card = house.ask(&Actor::local(), "lamp_smash", "hall").await;
    let house = house.killed().await;
    assert_eq!(house.approve(&card.id).await.unwrap().state, ApprovalState::Done);
    assert_eq!(house.effects().len(), 1);
    house.leave().await;
}

#[tokio::test]
async fn what_was_approved_before_a_restart_runs_after_it_once() {
    let house = House::new().await;
    let card = house.ask(&Actor::local(), "lamp_smash", "hall").await;
    // Decided in the store, and killed before the gate could spend it.
    assert!(house.store.decide(&yes(&card), draft()).await.unwrap());
    let house = house.killed().await;
    let done = house.gate.wait(&card.id, Duration::from_secs(10)).await.unwrap();
    assert_eq!(done.state, ApprovalState::Done);
    let house = house.killed().await;
    assert_eq!(house.effects().len(), 1);
    house.leave().await;
}

/// Kills the house while a slow call is under way, before its effect.
async fn killed_under_way(probe: Option<Probe>) -> (House, jarvis_safety::CallId) {
    let house = House::new().await;
    let (gate, slow) = (house.gate.clone(), json!({ "lamp": "hall", "slow": 60_000 }));
    let call = tokio::spawn(async move { gate.call(request(&Actor::operator(), "lamp_dim", slow)).await });
    let record = loop {
        if let Some(record) = house.store.unsettled_calls().await.unwrap().pop() {
            break record;
        }
        tokio::task::yield_now().await;
    };
    call.abort();
    house.world.lock().unwrap().probe = probe;
    (house.killed().await, record.id)
}

/// K-4, K-6.
#[tokio::test]
async fn an_effect_that_a_kill_cut_off_is_probed_and_never_repeated() {
    let cases =
        [(None, CallState::Unknown), (Some(Probe::NotDone), CallState::Failed), (Some(Probe::Done), CallState::Done)];
    for (probe, expected) in cases {
        let (house, id) = killed_under_way(probe).await;
        let record = house.store.call(&id).await.unwrap().unwrap();
        assert_eq!(record.state, expected);
        assert!(house.effects().is_empty(), "a restart repeats nothing");
        assert!(house.store.unsettled_calls().await.unwrap().is_empty());
    }
}

/// K-18.
#[tokio::test]
async fn the_kill_switch_survives_a_restart() {
    let house = House::new().await;
    house.gate.set_kill_switch(&Actor::operator(), KillSwitch::Effects, &Origin::default()).await.unwrap();
    let house = house.killed().await;
    let refusal = refused(house.call(&Actor::operator(), "lamp_dim", json!({ "lamp": "hall" })).await);
    assert_eq!(refusal.code, Code::Stopped);
    assert_eq!(ran(house.call(&Actor::operator(), "lamp_see", json!({ "lamp": "hall" })).await).state, CallState::Done);
    let refusal = house.gate.set_kill_switch(&Actor::local(), KillSwitch::Off, &Origin::default()).await.unwrap_err();
    assert_eq!(refusal.code, Code::Forbidden, "only the operator releases it");
    house.leave().await;
}

#[tokio::test]
async fn the_kill_switch_cancels_what_runs_and_calls_it_unknown() {
    let house = House::new().await;
    let (gate, slow) = (house.gate.clone(), json!({ "lamp": "hall", "slow": 60_000 }));
    let call = tokio::spawn(async move { gate.call(request(&Actor::operator(), "lamp_dim", slow)).await });
    while house.world.lock().unwrap().begun == 0 {
        tokio::task::yield_now().await;
    }
    house.gate.set_kill_switch(&Actor::operator(), KillSwitch::Effects, &Origin::default()).await.unwrap();
    assert_eq!(ran(call.await.unwrap()).state, CallState::Unknown);
    house.leave().await;
}

/// K-12, K-17.
#[tokio::test]
async fn while_the_policy_is_unreadable_nothing_is_approved_and_what_was_approved_waits() {
    let house = House::new().await;
    let [asked, approved] = [house.ask(&Actor::local(), "lamp_stop", "hall").await, {
        let card = house.ask(&Actor::local(), "lamp_stop", "cellar").await;
        assert!(house.store.decide(&yes(&card), draft()).await.unwrap());
        card
    }];
    let house = house.killed_under(Err("line 1".to_owned())).await;
    let refusal = house.gate.approve(&Actor::operator(), &asked.id, &Origin::default()).await.unwrap_err();
    assert_eq!(refusal.code, Code::PolicyUnreadable);
    assert!(refusal.message.contains("Nothing was decided"), "{}", refusal.message);
    // What a start takes up is in hand until it is let go of.
    house.gate.follow(&approved.id, Duration::from_millis(300)).await.ok();
    for (card, state) in [(&asked, ApprovalState::Pending), (&approved, ApprovalState::Approved)] {
        assert_eq!(house.gate.approval(&card.id).await.unwrap().state, state);
    }
    let refusal = refused(house.call(&Actor::operator(), "lamp_dim", json!({ "lamp": "hall" })).await);
    assert_eq!(refusal.code, Code::PolicyUnreadable);
    assert!(house.effects().is_empty());
    // With the policy as it was, the yes holds, and the other card can be given one.
    let house = house.killed().await;
    assert_eq!(house.gate.follow(&approved.id, Duration::from_secs(10)).await.unwrap().state, ApprovalState::Done);
    assert_eq!(house.approve(&asked.id).await.unwrap().state, ApprovalState::Done);
    house.leave().await;
}

/// K-11.
#[tokio::test]
async fn a_yes_does_not_hold_until_a_start_days_later() {
    let house = House::new().await;
    let card = house.ask(&Actor::local(), "lamp_smash", "hall").await;
    assert!(house.store.decide(&yes(&card), draft()).await.unwrap());
    house.clock.turn(2 * 24 * 3600 * 1000);
    let house = house.killed().await;
    let card = house.gate.wait(&card.id, Duration::from_secs(10)).await.unwrap();
    assert_eq!(card.state, ApprovalState::Stale);
    assert!(house.effects().is_empty());
    house.leave().await;
}
