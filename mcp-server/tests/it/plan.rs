//! Plans: ordered calls, one digest, one card; spent singly; stopped at the first failure.

use jarvis_safety::Actor;
use jarvis_safety::approval::{ApprovalState, StepState};
use jarvis_safety::kernel::PlanAnswer;
use jarvis_safety::refusal::Code;
use serde_json::json;

use crate::lamp::{House, request};

fn steps(calls: &[(&str, &str)]) -> Vec<jarvis_safety::call::Request> {
    calls.iter().map(|(tool, lamp)| request(&Actor::operator(), tool, json!({ "lamp": lamp }))).collect()
}

fn card(answer: PlanAnswer) -> jarvis_safety::approval::Approval {
    match answer {
        PlanAnswer::Waiting(card) => *card,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_plan_is_one_card_and_its_steps_run_in_order() {
    let house = House::new().await;
    let calls = [("lamp_dim", "hall"), ("lamp_stop", "kitchen"), ("lamp_smash", "cellar")];
    let waiting = card(house.gate.plan(steps(&calls)).await);
    assert_eq!((waiting.steps.len(), waiting.tier.as_str()), (3, "red"));
    assert!(house.effects().is_empty(), "nothing runs before the card is decided, green and yellow steps neither");
    let done = house.approve(&waiting.id).await.unwrap();
    assert_eq!(done.state, ApprovalState::Done);
    let names: Vec<_> = house.effects().into_iter().map(|effect| effect.1).collect();
    assert_eq!(names, ["id-hall", "id-kitchen", "id-cellar"]);
    house.leave().await;
}

#[tokio::test]
async fn a_plan_stops_at_the_first_failure() {
    let house = House::new().await;
    let calls = [("lamp_stop", "hall"), ("lamp_stop", "broken"), ("lamp_stop", "cellar")];
    let waiting = card(house.gate.plan(steps(&calls)).await);
    let failed = house.approve(&waiting.id).await.unwrap();
    assert_eq!(failed.state, ApprovalState::Failed);
    let states: Vec<_> = failed.steps.iter().map(|step| step.state).collect();
    assert_eq!(states, [StepState::Done, StepState::Failed, StepState::Skipped]);
    assert_eq!(house.effects().len(), 1);
    house.leave().await;
}

#[tokio::test]
async fn a_plan_with_a_refused_call_runs_nothing() {
    let house = House::new().await;
    match house.gate.plan(steps(&[("lamp_dim", "hall"), ("lamp_dim", "nowhere")])).await {
        PlanAnswer::Refused(refusal) => assert_eq!(refusal.code, Code::UnknownTarget),
        other => panic!("{other:?}"),
    }
    assert!(house.effects().is_empty());
    house.leave().await;
}

#[tokio::test]
async fn a_plan_that_needs_nobody_runs_at_once() {
    let house = House::new().await;
    match house.gate.plan(steps(&[("lamp_see", "hall"), ("lamp_dim", "hall")])).await {
        PlanAnswer::Ran(outcomes) => assert!(outcomes.iter().all(Result::is_ok)),
        other => panic!("{other:?}"),
    }
    assert_eq!(house.effects().len(), 2);
    house.leave().await;
}

#[tokio::test]
async fn a_step_whose_target_changed_voids_the_rest_of_the_plan() {
    let house = House::new().await;
    let waiting = card(house.gate.plan(steps(&[("lamp_stop", "hall"), ("lamp_stop", "cellar")])).await);
    house.replace("cellar", "id-of-another");
    let stale = house.approve(&waiting.id).await.unwrap();
    assert_eq!(stale.state, ApprovalState::Stale);
    assert_eq!(house.effects(), [("lamp_stop".to_owned(), "id-hall".to_owned())]);
    assert_eq!(stale.steps[1].state, StepState::Skipped);
    assert!(stale.because.unwrap().contains("The steps before it were done and stay"));
    house.leave().await;
}
