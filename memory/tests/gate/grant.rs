//! Grants: what they loosen, and the line that they never pass.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jarvis_safety::approval::ApprovalState;
use jarvis_safety::call::{Origin, Vouching};
use jarvis_safety::event::EventKind;
use jarvis_safety::grant::{Grant, Terms, Wanted};
use jarvis_safety::kernel::{KillSwitch, PlanAnswer, Policy};
use jarvis_safety::outcome::Answer;
use jarvis_safety::port::{Feed as _, Ledger as _};
use jarvis_safety::refusal::Code;
use jarvis_safety::{Actor, Refusal, Tier};
use serde_json::{Value, json};

use crate::lamp::{House, ran, refused, request};

const MINUTE: i64 = 60_000;

fn terms(tool: &str) -> Terms {
    Terms { tool: tool.to_owned(), target: None, target_id: None, actor: None, when: BTreeMap::new(), only: false }
}

async fn try_give(house: &House, terms: Terms, most: u32, minutes: u32) -> Result<Grant, Refusal> {
    house.gate.grant(&Actor::operator(), terms, most, minutes, &Origin::default()).await
}

async fn give(house: &House, terms: Terms, most: u32) -> Grant {
    try_give(house, terms, most, 60).await.unwrap()
}

fn lamp(name: &str) -> Value {
    json!({ "lamp": name })
}

fn waits(answer: &Answer) -> bool {
    matches!(answer, Answer::Waiting(_))
}

#[tokio::test]
async fn a_granted_call_runs_unasked_and_the_audit_names_the_grant() {
    let house = House::new().await;
    let grant = give(&house, terms("lamp_stop"), 2).await;
    let outcome = ran(house.call_local("lamp_stop", lamp("hall")).await);
    assert_eq!(outcome.rule, format!("granted by {}", grant.id));
    assert_eq!(house.kinds(grant.id.as_str()).await, [EventKind::GrantGiven]);
    let filter = jarvis_safety::port::EventFilter { kinds: vec![EventKind::CallIntent], ..Default::default() };
    let intent = house.store.after(0, &filter, 10).await.unwrap().remove(0);
    let body = house.store.event(intent.seq).await.unwrap().unwrap().1.unwrap();
    assert_eq!(body["grant"], json!(grant.id));
    assert_eq!(house.store.grants(None).await.unwrap()[0].used, 1);
    assert_eq!(house.count(EventKind::ApprovalAsked).await, 0);
    house.leave().await;
}

/// K-16.
#[tokio::test]
async fn red_is_asked_whatever_was_granted() {
    let house = House::new().await;
    give(&house, terms("lamp_*"), 100).await;
    assert!(waits(&house.call_local("lamp_smash", lamp("hall")).await));
    let no = try_give(&house, terms("lamp_smash"), 1, 60).await.unwrap_err();
    assert_eq!(no.code, Code::InvalidArguments);
    assert!(no.message.contains("red is asked every time"), "{}", no.message);
    assert!(house.effects().is_empty());
    house.leave().await;
}

/// K-23.
#[tokio::test(flavor = "multi_thread")]
async fn a_grant_lets_through_as_many_as_it_says_also_at_once_and_after_a_restart() {
    let house = House::new().await;
    give(&house, terms("lamp_stop"), 5).await;
    let gate = Arc::new(house.gate.gate());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let gate = Arc::clone(&gate);
        tasks.spawn(async move { gate.call(request(&Actor::local(), "lamp_stop", lamp("hall"))).await });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Answer::Ran(_))).count(), 5);
    assert_eq!(answers.iter().filter(|answer| waits(answer)).count(), 15);
    assert_eq!(house.effects().len(), 5);
    drop(gate);
    let house = house.killed().await;
    assert!(waits(&house.call_local("lamp_stop", lamp("cellar")).await));
    let grant = house.store.grants(None).await.unwrap().remove(0);
    assert_eq!((grant.used, grant.most), (5, 5));
    house.leave().await;
}

#[tokio::test]
async fn a_grant_survives_a_restart_and_ends_with_its_time_or_when_it_is_taken_back() {
    let house = House::new().await;
    let grant = give(&house, terms("lamp_stop"), 100).await;
    let house = house.killed().await;
    ran(house.call_local("lamp_stop", lamp("hall")).await);
    house.clock.turn(60 * MINUTE);
    assert!(waits(&house.call_local("lamp_stop", lamp("hall")).await));

    let second = give(&house, terms("lamp_stop"), 100).await;
    ran(house.call_local("lamp_stop", lamp("cellar")).await);
    house.gate.revoke_grant(&Actor::operator(), &second.id, &Origin::default()).await.unwrap();
    assert!(waits(&house.call_local("lamp_stop", lamp("cellar")).await));
    let again = house.gate.revoke_grant(&Actor::operator(), &second.id, &Origin::default()).await.unwrap_err();
    assert_eq!(again.code, Code::NotFound);
    assert_eq!(house.kinds(second.id.as_str()).await, [EventKind::GrantGiven, EventKind::GrantRevoked]);
    assert_ne!(grant.id, second.id);
    house.leave().await;
}

/// K-16.
#[tokio::test]
async fn what_untrusted_text_chose_takes_no_grant() {
    let house = House::new().await;
    give(&house, terms("lamp_*"), 100).await;
    for tool in ["lamp_dim", "lamp_stop"] {
        let mut chosen = request(&Actor::local(), tool, lamp("hall"));
        chosen.vouching = Vouching::Unvouched;
        assert!(waits(&house.gate.call(chosen).await), "{tool}");
    }
    assert!(house.effects().is_empty());
    house.leave().await;
}

/// K-15, K-16.
#[tokio::test]
async fn what_the_policy_asks_or_refuses_no_grant_lets_through() {
    let policy = Policy::parse(
        r#"
        [[rule]]
        name = "the cellar is asked"
        target = "cellar"
        then = "ask"
        refused = [{ tool = "lamp_dim", target = "cellar" }]
        [[rule]]
        name = "the hall stays"
        target = "hall"
        then = "refuse"
        refused = [{ tool = "lamp_stop", target = "hall" }]
        "#,
    );
    let house = House::new().await.killed_under(policy.map_err(|error| error.to_string())).await;
    give(&house, terms("lamp_*"), 100).await;
    assert!(waits(&house.call_local("lamp_dim", lamp("cellar")).await));
    assert_eq!(refused(house.call_local("lamp_stop", lamp("hall")).await).code, Code::Policy);
    ran(house.call_local("lamp_stop", lamp("kitchen")).await);
    house.leave().await;
}

#[tokio::test]
async fn terms_fit_the_call_its_caller_and_the_target_and_not_another_of_its_name() {
    let house = House::new().await;
    let exactly = Terms {
        target_id: Some("id-hall".to_owned()),
        actor: Some(Actor::local().id),
        when: BTreeMap::from([("slow".to_owned(), Wanted::Is(json!(0)))]),
        ..terms("lamp_stop")
    };
    give(&house, exactly, 100).await;
    ran(house.call_local("lamp_stop", lamp("hall")).await);
    assert!(waits(&house.call_local("lamp_stop", json!({ "lamp": "hall", "slow": 1 })).await), "other arguments");
    assert!(waits(&house.call_local("lamp_stop", lamp("cellar")).await), "another target");
    assert!(waits(&house.call(&Actor::operator(), "lamp_stop", lamp("hall")).await), "another caller");
    house.replace("hall", "id-of-another");
    assert!(waits(&house.call_local("lamp_stop", lamp("hall")).await), "another thing of that name");

    let like = BTreeMap::from([("lamp".to_owned(), Wanted::Like { like: "k*".to_owned() })]);
    give(&house, Terms { when: like, ..terms("lamp_s?op") }, 100).await;
    ran(house.call(&Actor::operator(), "lamp_stop", lamp("kitchen")).await);
    house.leave().await;
}

/// K-15.
#[tokio::test]
async fn a_grant_raises_no_ceiling_and_passes_no_kill_switch() {
    let house = House::new().await;
    give(&house, terms("lamp_*"), 100).await;
    let low = Actor { ceiling: Tier::Yellow, ..Actor::local() };
    assert_eq!(refused(house.call(&low, "lamp_stop", lamp("hall")).await).code, Code::AboveCeiling);
    let operator = Actor::operator();
    house.gate.set_kill_switch(&operator, KillSwitch::Effects, &Origin::default()).await.unwrap();
    assert_eq!(refused(house.call_local("lamp_stop", lamp("hall")).await).code, Code::Stopped);
    house.leave().await;
}

#[tokio::test]
async fn a_repeated_yellow_call_is_not_asked_where_it_is_granted() {
    let house = House::new().await;
    for _ in 0..2 {
        ran(house.call_local("lamp_dim", lamp("hall")).await);
    }
    assert!(waits(&house.call_local("lamp_dim", lamp("hall")).await));
    let grant = give(&house, terms("lamp_dim"), 2).await;
    for _ in 0..2 {
        assert_eq!(ran(house.call_local("lamp_dim", lamp("hall")).await).rule, format!("granted by {}", grant.id));
    }
    assert!(waits(&house.call_local("lamp_dim", lamp("hall")).await));
    house.leave().await;
}

/// K-23.
#[tokio::test]
async fn only_the_operator_gives_and_takes_back_within_bounds_and_only_what_can_be_granted() {
    let house = House::new().await;
    let grant = give(&house, terms("lamp_stop"), 1).await;
    for actor in [Actor::local(), Actor::system(), Actor { role: jarvis_safety::Role::Approver, ..Actor::local() }] {
        let given = house.gate.grant(&actor, terms("lamp_stop"), 1, 60, &Origin::default()).await;
        assert_eq!(given.unwrap_err().code, Code::Forbidden);
        let taken = house.gate.revoke_grant(&actor, &grant.id, &Origin::default()).await;
        assert_eq!(taken.unwrap_err().code, Code::Forbidden);
    }
    for (most, minutes) in [(0, 60), (1001, 60), (1, 0), (1, 43_201)] {
        let no = try_give(&house, terms("lamp_stop"), most, minutes).await.unwrap_err();
        assert!(no.message.contains("1 to 1000 calls"), "{}", no.message);
    }
    let no = try_give(&house, terms("lamb_stop"), 1, 60).await.unwrap_err();
    assert!(no.message.contains("no tool is called `lamb_stop`"), "{}", no.message);
    assert_eq!(house.store.grants(None).await.unwrap().len(), 1);
    house.leave().await;
}

#[tokio::test]
async fn a_proposed_grant_tells_which_questions_it_would_have_spared() {
    let house = House::new().await;
    let first = house.ask(&Actor::local(), "lamp_stop", "hall").await;
    house.approve(&first.id).await.unwrap();
    let second = house.ask(&Actor::local(), "lamp_stop", "cellar").await;
    house.gate.deny(&Actor::operator(), &second.id, "not the cellar", &Origin::default()).await.unwrap();
    house.ask(&Actor::local(), "lamp_smash", "kitchen").await;
    let mut unvouched = request(&Actor::local(), "lamp_stop", lamp("kitchen"));
    unvouched.vouching = Vouching::Unvouched;
    assert!(waits(&house.gate.call(unvouched).await));
    let plan = ["lamp_stop", "lamp_smash"].map(|tool| request(&Actor::local(), tool, lamp("kitchen")));
    let PlanAnswer::Waiting(plan) = house.gate.plan(plan.to_vec()).await else { panic!("a plan that is asked") };

    let trial = house.gate.try_grant(&terms("lamp_*")).await.unwrap();
    assert_eq!(trial.looked, 5);
    let spared: Vec<_> = trial.spared.iter().map(|spared| (&spared.approval, spared.tier, spared.approved)).collect();
    let orange = Tier::Orange;
    assert_eq!(
        spared,
        [(&plan.id, orange, None), (&second.id, orange, Some(false)), (&first.id, orange, Some(true))],
        "of a plan what could be granted"
    );

    let card = house.gate.approval(&first.id).await.unwrap();
    assert_eq!(card.state, ApprovalState::Done);
    let exactly = Terms::exactly(&card, &card.steps[0]);
    assert!(exactly.only && exactly.when.len() == 2, "every argument: {exactly:?}");
    let trial = house.gate.try_grant(&exactly).await.unwrap();
    assert_eq!(trial.spared.iter().map(|spared| &spared.approval).collect::<Vec<_>>(), [&first.id]);
    give(&house, exactly, 1).await;
    ran(house.call_local("lamp_stop", lamp("hall")).await);
    house.leave().await;
}

/// K-21.
#[tokio::test]
async fn the_same_question_is_not_asked_three_times_after_two_noes() {
    let house = House::new().await;
    for _ in 0..2 {
        let card = house.ask(&Actor::local(), "lamp_smash", "hall").await;
        house.gate.deny(&Actor::operator(), &card.id, "no", &Origin::default()).await.unwrap();
        // Fetched: what comes now is another question.
        assert_eq!(refused(house.call_local("lamp_smash", lamp("hall")).await).code, Code::Denied);
    }
    let no = refused(house.call_local("lamp_smash", lamp("hall")).await);
    assert_eq!((no.code, no.rule.as_str()), (Code::Denied, "asked twice"));
    assert_eq!(house.count(EventKind::ApprovalAsked).await, 2);
    assert!(waits(&house.call_local("lamp_smash", lamp("cellar")).await), "another question");
    assert!(waits(&house.call(&Actor::operator(), "lamp_smash", lamp("hall")).await), "another caller");
    house.clock.turn(60 * MINUTE + 1);
    assert!(waits(&house.call_local("lamp_smash", lamp("hall")).await), "an hour later");
    house.leave().await;
}

/// K-21.
#[tokio::test]
async fn a_no_to_a_call_holds_within_a_plan_too() {
    let house = House::new().await;
    for _ in 0..2 {
        let card = house.ask(&Actor::local(), "lamp_smash", "hall").await;
        house.gate.deny(&Actor::operator(), &card.id, "no", &Origin::default()).await.unwrap();
        assert_eq!(refused(house.call_local("lamp_smash", lamp("hall")).await).code, Code::Denied);
    }
    let plan = |name: &str| ["lamp_see", "lamp_smash"].map(|tool| request(&Actor::local(), tool, lamp(name))).to_vec();
    match house.gate.plan(plan("hall")).await {
        PlanAnswer::Refused(refusal) => assert_eq!(refusal.rule, "asked twice"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(house.gate.plan(plan("cellar")).await, PlanAnswer::Waiting(_)), "another question");
    for _ in 0..3 {
        let by_hand = ["lamp_see", "lamp_smash"].map(|tool| request(&Actor::operator(), tool, lamp("hall"))).to_vec();
        let PlanAnswer::Waiting(card) = house.gate.plan(by_hand).await else {
            panic!("the operator's own hand is asked")
        };
        house.gate.deny(&Actor::operator(), &card.id, "no", &Origin::default()).await.unwrap();
        house.clock.turn(6 * MINUTE);
    }
    house.leave().await;
}

/// K-21.
#[tokio::test]
async fn a_question_that_nobody_answers_twice_is_not_asked_a_third_time() {
    let house = House::new().await;
    for _ in 0..2 {
        let card = house.ask(&Actor::local(), "lamp_smash", "hall").await;
        house.clock.turn(15 * MINUTE);
        let lapses = house.gate.keep_expiring();
        let seen = house.gate.follow(&card.id, Duration::from_secs(10));
        tokio::select! {
            () = lapses => {}
            seen = seen => assert_eq!(seen.unwrap().state, ApprovalState::Expired),
        }
        // Longer than the end of a card waits to be fetched.
        house.clock.turn(6 * MINUTE);
    }
    let no = refused(house.call_local("lamp_smash", lamp("hall")).await);
    assert_eq!((no.code, no.rule.as_str()), (Code::Denied, "asked twice"));
    assert!(waits(&house.call(&Actor::operator(), "lamp_smash", lamp("hall")).await), "another caller");
    for _ in 0..3 {
        let card = house.ask(&Actor::local(), "lamp_smash", "cellar").await;
        house.clock.turn(15 * MINUTE);
        assert_eq!(house.approve(&card.id).await.unwrap_err().code, Code::ApprovalExpired, "too late is no silence");
        house.clock.turn(6 * MINUTE);
    }
    house.clock.turn(60 * MINUTE);
    assert!(waits(&house.call_local("lamp_smash", lamp("hall")).await), "later");
    house.leave().await;
}

/// K-21.
#[tokio::test]
async fn the_third_question_after_two_yeses_proposes_a_grant() {
    let house = House::new().await;
    for round in 0..3 {
        for (tool, grantable) in [("lamp_stop", true), ("lamp_smash", false)] {
            let card = house.ask(&Actor::local(), tool, "hall").await;
            assert_eq!(card.is_grantable(), grantable);
            assert_eq!(card.proposes_grant, grantable && round == 2, "{tool}, {round}");
            house.approve(&card.id).await.unwrap();
            house.replace("hall", "id-hall");
        }
        house.clock.turn(6 * MINUTE);
    }
    house.leave().await;
}

#[tokio::test]
async fn where_a_grant_is_used_up_another_one_lets_the_call_run() {
    let house = House::new().await;
    let first = give(&house, terms("lamp_stop"), 1).await;
    let second = give(&house, terms("lamp_*"), 1).await;
    assert_eq!(ran(house.call_local("lamp_stop", lamp("hall")).await).rule, format!("granted by {}", first.id));
    assert_eq!(ran(house.call_local("lamp_stop", lamp("hall")).await).rule, format!("granted by {}", second.id));
    assert!(waits(&house.call_local("lamp_stop", lamp("hall")).await));
    house.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn yellow_calls_at_once_that_come_to_be_too_many_run_by_the_grant() {
    let house = House::new().await;
    give(&house, terms("lamp_dim"), 3).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let gate = house.gate.gate();
        tasks.spawn(async move { gate.call(request(&Actor::local(), "lamp_dim", lamp("hall"))).await });
    }
    let answers = tasks.join_all().await;
    let ran = answers.iter().filter(|answer| matches!(answer, Answer::Ran(_))).count();
    assert_eq!((ran, house.store.grants(None).await.unwrap()[0].used), (5, 3), "two by themselves, three by the grant");
    house.leave().await;
}

#[tokio::test]
async fn a_plan_that_its_grant_does_not_reach_for_is_asked_as_a_whole() {
    let house = House::new().await;
    give(&house, terms("lamp_stop"), 2).await;
    let plan = |lamps: &[&str]| lamps.iter().map(|name| request(&Actor::local(), "lamp_stop", lamp(name))).collect();
    match house.gate.plan(plan(&["hall", "cellar", "kitchen"])).await {
        PlanAnswer::Waiting(card) => assert_eq!(card.steps.len(), 3),
        other => panic!("{other:?}"),
    }
    assert!(house.effects().is_empty());
    match house.gate.plan(plan(&["hall", "cellar"])).await {
        PlanAnswer::Ran(results) => assert!(results.iter().all(Result::is_ok), "{results:?}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(house.effects().len(), 2);
    house.leave().await;
}

#[tokio::test]
async fn no_argument_beyond_what_was_granted_is_taken_where_it_says_so() {
    let house = House::new().await;
    let when = BTreeMap::from([("lamp".to_owned(), Wanted::Is(json!("hall")))]);
    give(&house, Terms { only: true, when, ..terms("lamp_stop") }, 10).await;
    assert!(waits(&house.call_local("lamp_stop", lamp("hall")).await), "`slow` has a default, and was not granted");
    let no = Terms { when: BTreeMap::from([("lamb".to_owned(), Wanted::Is(json!(1)))]), ..terms("lamp_stop") };
    let no = try_give(&house, no, 1, 60).await.unwrap_err();
    assert!(no.message.contains("takes no `lamb`"), "{}", no.message);
    house.leave().await;
}

#[tokio::test]
async fn what_was_taken_back_is_no_answer_and_the_operators_own_hand_is_always_asked() {
    let house = House::new().await;
    let (local, operator, origin) = (Actor::local(), Actor::operator(), Origin::default());
    for _ in 0..3 {
        let card = house.ask(&local, "lamp_smash", "hall").await;
        house.gate.withdraw(&local, &card.id, "not needed any more", &origin).await.unwrap();
        assert_eq!(refused(house.call_local("lamp_smash", lamp("hall")).await).code, Code::Denied, "fetched");
    }
    let by_model = || {
        let mut chosen = request(&operator, "lamp_smash", lamp("hall"));
        chosen.vouching = Vouching::Unvouched;
        house.gate.call(chosen)
    };
    for _ in 0..2 {
        let Answer::Waiting(card) = by_model().await else { panic!("it is asked") };
        house.gate.deny(&operator, &card.id, "no", &origin).await.unwrap();
        assert_eq!(refused(by_model().await).code, Code::Denied, "fetched");
    }
    assert_eq!(refused(by_model().await).rule, "asked twice");
    assert!(waits(&house.call(&operator, "lamp_smash", lamp("hall")).await), "by hand");
    house.leave().await;
}

#[tokio::test]
async fn a_yes_by_the_clients_own_form_proposes_no_grant() {
    let house = House::new().await;
    let client = Actor { confirm: Tier::Orange, ..Actor::local() };
    for _ in 0..2 {
        let card = house.ask(&client, "lamp_stop", "hall").await;
        house.gate.confirm(&client, &card.id, &Origin::default()).await.unwrap();
        house.gate.wait(&card.id, Duration::from_secs(10)).await.unwrap();
        house.clock.turn(6 * MINUTE);
    }
    let card = house.ask(&client, "lamp_stop", "hall").await;
    assert!(card.is_grantable() && !card.proposes_grant);
    house.leave().await;
}

#[tokio::test]
async fn what_a_clients_model_chose_is_carried_only_by_a_grant_that_spells_it_out() {
    let house = House::new().await;
    let model = |lamp_name: &str| {
        let call = request(&Actor::operator(), "lamp_stop", lamp(lamp_name));
        jarvis_safety::call::Request { vouching: Vouching::Model, ..call }
    };
    for wide in [
        terms("lamp_stop"),
        Terms {
            target: Some("hal*".to_owned()),
            when: BTreeMap::from([("lamp".to_owned(), Wanted::Is(json!("hall")))]),
            ..terms("lamp_stop")
        },
        Terms { target: Some("hall".to_owned()), ..terms("lamp_stop") },
        Terms {
            target: Some("hall".to_owned()),
            when: BTreeMap::from([("lamp".to_owned(), Wanted::Like { like: "hall".to_owned() })]),
            ..terms("lamp_stop")
        },
        Terms {
            target: Some("hall".to_owned()),
            when: BTreeMap::from([("lamp".to_owned(), Wanted::Is(json!("hall")))]),
            ..terms("lamp_*")
        },
    ] {
        let grant = give(&house, wide.clone(), 5).await;
        assert!(waits(&house.gate.call(model("hall")).await), "{wide:?}");
        house.gate.revoke_grant(&Actor::operator(), &grant.id, &Origin::default()).await.unwrap();
    }
    let exact = BTreeMap::from([("lamp".to_owned(), Wanted::Is(json!("hall")))]);
    let grant = give(&house, Terms { target: Some("hall".to_owned()), when: exact, ..terms("lamp_stop") }, 5).await;
    assert_eq!(ran(house.gate.call(model("hall")).await).rule, format!("granted by {}", grant.id));
    assert!(waits(&house.gate.call(model("cellar")).await));
    house.leave().await;
}
