//! A token reaches its targets for its time and nothing else, whatever way a call takes to the gate.

use std::time::Duration;

use jarvis_safety::approval::ApprovalState;
use jarvis_safety::call::Origin;
use jarvis_safety::event::EventKind;
use jarvis_safety::id::TokenId;
use jarvis_safety::identity::TokenGrant;
use jarvis_safety::kernel::PlanAnswer;
use jarvis_safety::port::{Clock as _, Identities as _, Ledger as _};
use jarvis_safety::refusal::Code;
use jarvis_safety::{Actor, Reach, Role, Tier};
use serde_json::json;

use crate::lamp::{House, draft, ran, refused, request};

fn reach(patterns: &[&str]) -> Reach {
    Reach::new(patterns.iter().map(|&pattern| pattern.to_owned()).collect()).unwrap()
}

async fn token(house: &House, number: u128, grant: TokenGrant) -> Actor {
    house.store.create_token(TokenId::new(number), grant, draft()).await.unwrap().0.actor()
}

async fn narrow(house: &House) -> Actor {
    token(house, 71, TokenGrant { reach: reach(&["h*", "id-cellar"]), ..TokenGrant::client("ide", Tier::Red) }).await
}

#[tokio::test]
async fn a_call_outside_the_targets_is_refused_and_never_asked() {
    let house = House::new().await;
    let actor = narrow(&house).await;
    let lamp = |name: &str| json!({ "lamp": name });
    ran(house.call(&actor, "lamp_see", lamp("hall")).await);
    ran(house.call(&actor, "lamp_dim", lamp("cellar")).await);
    for tool in ["lamp_see", "lamp_dim", "lamp_stop", "lamp_smash"] {
        let refusal = refused(house.call(&actor, tool, lamp("kitchen")).await);
        assert_eq!((refusal.code, refusal.rule.as_str()), (Code::OutsideTargets, "targets"), "{tool}");
        assert!(refusal.message.contains("h*, id-cellar") && !refusal.message.contains("kitchen"), "{refusal}");
    }
    let missing = refused(house.call(&actor, "lamp_see", lamp("attic")).await);
    assert_eq!(missing.code, Code::OutsideTargets, "what is not there sounds like what is outside");
    assert!(house.store.approvals(&[], 10).await.unwrap().is_empty(), "nobody is asked");
    assert_eq!(house.count(EventKind::CallRefused).await, 5, "each refusal leaves a row");
    house.leave().await;
}

#[tokio::test]
async fn previews_and_plans_meet_the_same_line() {
    let house = House::new().await;
    let actor = narrow(&house).await;
    let outside = request(&actor, "lamp_stop", json!({ "lamp": "kitchen" }));
    let within = request(&actor, "lamp_stop", json!({ "lamp": "hall" }));
    assert!(house.gate.preview(&within).await.is_ok());
    assert_eq!(house.gate.preview(&outside).await.err().map(|refusal| refusal.code), Some(Code::OutsideTargets));
    assert_eq!(house.gate.classify(&outside).await.err().map(|refusal| refusal.code), Some(Code::OutsideTargets));
    match house.gate.plan(vec![within, outside]).await {
        PlanAnswer::Refused(refusal) => assert_eq!(refusal.code, Code::OutsideTargets),
        other => panic!("{other:?}"),
    }
    assert!(house.effects().is_empty());
    house.leave().await;
}

#[tokio::test]
async fn the_target_is_looked_up_anew_when_a_yes_is_spent() {
    let house = House::new().await;
    let actor =
        token(&house, 72, TokenGrant { reach: reach(&["id-hall"]), ..TokenGrant::client("ide", Tier::Red) }).await;
    let card = house.ask(&actor, "lamp_stop", "hall").await;
    house.replace("hall", "id-other");
    let stale = house.approve(&card.id).await.unwrap();
    assert_eq!(stale.state, ApprovalState::Stale);
    assert!(stale.because.unwrap().contains("targets"), "the id is not the one that the token reaches");
    assert!(house.effects().is_empty());
    house.leave().await;
}

#[tokio::test]
async fn an_open_question_of_a_token_that_is_over_is_not_spent_any_more() {
    let house = House::new().await;
    let now = house.clock.now();
    let grant = TokenGrant { expires_at: Some(now + 60_000), ..TokenGrant::client("ide", Tier::Red) };
    let actor = token(&house, 73, grant).await;
    let card = house.ask(&actor, "lamp_stop", "hall").await;
    house.clock.turn(60_000);
    assert_eq!(house.approve(&card.id).await.unwrap().state, ApprovalState::Stale);
    assert!(house.effects().is_empty());
    house.leave().await;
}

/// K-8.
#[tokio::test]
async fn an_approver_decides_on_its_targets_and_no_others() {
    let house = House::new().await;
    let grant = TokenGrant { role: Role::Approver, reach: reach(&["hall"]), ..TokenGrant::client("bot", Tier::Red) };
    let bot = token(&house, 75, grant).await;
    let hall = house.ask(&Actor::local(), "lamp_stop", "hall").await;
    let cellar = house.ask(&Actor::local(), "lamp_stop", "cellar").await;
    let both = ["hall", "cellar"].map(|name| request(&Actor::local(), "lamp_smash", json!({ "lamp": name })));
    let PlanAnswer::Waiting(both) = house.gate.plan(both.to_vec()).await else { panic!("a plan that is asked") };
    for card in [&cellar.id, &both.id] {
        for decided in [
            house.gate.approve(&bot, card, &Origin::default()).await,
            house.gate.deny(&bot, card, "no", &Origin::default()).await,
        ] {
            let refusal = decided.unwrap_err();
            assert_eq!((refusal.code, refusal.rule.as_str()), (Code::Forbidden, "who may approve"));
            assert!(refusal.message.contains("targets of bot"), "{refusal}");
        }
    }
    house.gate.approve(&bot, &hall.id, &Origin::default()).await.unwrap();
    assert_eq!(house.gate.wait(&hall.id, Duration::from_secs(10)).await.unwrap().state, ApprovalState::Done);
    assert_eq!(house.effects().len(), 1);
    house.leave().await;
}

#[tokio::test]
async fn the_yes_of_an_approver_that_is_over_is_none() {
    let house = House::new().await;
    let now = house.clock.now();
    let over = TokenGrant { expires_at: Some(now), role: Role::Approver, ..TokenGrant::client("bot", Tier::Red) };
    let bot = token(&house, 74, over).await;
    let card = house.ask(&Actor::local(), "lamp_stop", "hall").await;
    // At the door it would not have come in; a decision that was under way meets the gate.
    house.gate.approve(&bot, &card.id, &Origin::default()).await.unwrap();
    let card = house.gate.wait(&card.id, Duration::from_secs(10)).await.unwrap();
    assert_eq!(card.state, ApprovalState::Stale);
    assert!(house.effects().is_empty());
    house.leave().await;
}
