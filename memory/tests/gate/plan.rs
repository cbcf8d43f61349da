//! Plans: ordered calls, one digest, one card; spent singly; stopped at the first failure.

use std::time::Duration;

use jarvis_safety::Actor;
use jarvis_safety::approval::{ApprovalState, StepState};
use jarvis_safety::call::{Origin, Vouching};
use jarvis_safety::kernel::PlanAnswer;
use jarvis_safety::port::{Decision, Ledger as _};
use jarvis_safety::refusal::Code;
use serde_json::json;

use crate::lamp::{House, draft, request};

fn steps(calls: &[(&str, &str)]) -> Vec<jarvis_safety::call::Request> {
    calls.iter().map(|(tool, lamp)| request(&Actor::operator(), tool, json!({ "lamp": lamp }))).collect()
}

fn card(answer: PlanAnswer) -> jarvis_safety::approval::Approval {
    match answer {
        PlanAnswer::Waiting(card) => *card,
        other => panic!("{other:?}"),
    }
}

/// K-5.
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

/// K-13.
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
async fn of_a_plan_the_least_traceable_choice_counts_and_what_a_led_model_chose_is_marked() {
    let house = House::new().await;
    let mut calls = [("lamp_see", "hall"), ("lamp_stop", "cellar"), ("lamp_dim", "cellar")]
        .map(|(tool, name)| request(&Actor::mcp_stdio(), tool, json!({ "lamp": name })));
    calls[0].vouching = Vouching::Client;
    for call in &mut calls[1..] {
        call.vouching = Vouching::Led;
    }
    let waiting = card(house.gate.plan(calls.to_vec()).await);
    assert_eq!((waiting.vouching, waiting.origin.unvouched.as_slice()), (Vouching::Led, &["lamp".to_owned()][..]));
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

/// K-5.
#[tokio::test]
async fn steps_that_a_person_leaves_out_are_not_run_and_the_others_are() {
    let calls = [("lamp_stop", "hall"), ("lamp_smash", "kitchen"), ("lamp_stop", "cellar")];
    for out in [&[0][..], &[1], &[2], &[0, 1], &[1, 2], &[0, 2, 2]] {
        let house = House::new().await;
        let waiting = card(house.gate.plan(steps(&calls)).await);
        let (operator, origin) = (Actor::operator(), Origin::default());
        house.gate.approve_without(&operator, &waiting.id, out, &origin).await.unwrap();
        let done = house.gate.wait(&waiting.id, Duration::from_secs(10)).await.unwrap();
        assert_eq!(done.state, ApprovalState::Done, "{out:?}");
        let expected = (0..3).map(|step| if out.contains(&step) { StepState::Denied } else { StepState::Done });
        assert_eq!(done.steps.iter().map(|step| step.state).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        let ran: Vec<_> = house.effects().into_iter().map(|effect| effect.1).collect();
        let left = ["id-hall", "id-kitchen", "id-cellar"].into_iter().zip(0..).filter(|(_, step)| !out.contains(step));
        assert_eq!(ran, left.map(|(id, _)| id).collect::<Vec<_>>(), "{out:?}");
        house.leave().await;
    }
}

#[tokio::test]
async fn what_leaves_nothing_or_is_no_step_decides_nothing() {
    let house = House::new().await;
    let waiting = card(house.gate.plan(steps(&[("lamp_stop", "hall"), ("lamp_stop", "cellar")])).await);
    for out in [&[0, 1][..], &[2], &[0, u32::MAX]] {
        let no =
            house.gate.approve_without(&Actor::operator(), &waiting.id, out, &Origin::default()).await.unwrap_err();
        assert_eq!(no.code, Code::InvalidArguments, "{out:?}");
        assert!(no.message.contains("nothing was decided"), "{}", no.message);
    }
    assert_eq!(house.gate.approval(&waiting.id).await.unwrap().state, ApprovalState::Pending);
    assert!(house.effects().is_empty());
    let done = house.approve(&waiting.id).await.unwrap();
    assert_eq!(done.state, ApprovalState::Done);
    house.leave().await;
}

#[tokio::test]
async fn what_was_left_out_stays_out_after_a_restart() {
    let house = House::new().await;
    let waiting = card(house.gate.plan(steps(&[("lamp_stop", "hall"), ("lamp_stop", "cellar")])).await);
    let decision = Decision {
        approval: waiting.id.clone(),
        state: ApprovalState::Approved,
        by: Actor::operator().id,
        because: None,
        without: vec![0],
        withdrawn: false,
        at: waiting.created_at,
    };
    assert!(house.store.decide(&decision, draft()).await.unwrap());
    let house = house.killed().await;
    let done = house.gate.wait(&waiting.id, Duration::from_secs(10)).await.unwrap();
    let states: Vec<_> = done.steps.iter().map(|step| step.state).collect();
    assert_eq!((done.state, states), (ApprovalState::Done, vec![StepState::Denied, StepState::Done]));
    assert_eq!(house.effects(), [("lamp_stop".to_owned(), "id-cellar".to_owned())]);
    house.leave().await;
}
