//! What the gate says about its own decisions, and rules that show only in a corner.

use std::sync::Arc;
use std::time::Duration;

use jarvis_safety::approval::ApprovalState;
use jarvis_safety::call::{CallState, Origin, Request, Vouching};
use jarvis_safety::event::EventKind;
use jarvis_safety::grant::Terms;
use jarvis_safety::kernel::{Autonomy, KillSwitch, Level, Permit, PlanAnswer, Policy};
use jarvis_safety::outcome::{Answer, answer_of};
use jarvis_safety::port::{Clock as _, Ledger as _};
use jarvis_safety::refusal::Code;
use jarvis_safety::setting::Settings;
use jarvis_safety::tool::{Done, Look, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Actor, Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::combination::Maker;
use crate::lamp::{House, ran, refused, request};

fn lamp(name: &str) -> Value {
    json!({ "lamp": name })
}

async fn brake(house: &House, kill: KillSwitch) {
    house.gate.set_kill_switch(&Actor::operator(), kill, &Origin::default()).await.unwrap();
}

/// Locks a lamp with a code, which is a secret.
struct Lock;

/// Names a lamp and the code.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Locked {
    lamp: String,
    #[serde(default)]
    code: Option<String>,
}

impl Tool for Lock {
    const SPEC: Spec = Spec {
        name: "lamp_lock",
        revision: 1,
        tier: Tier::Yellow,
        effects: Effects::WRITES,
        deadline: Duration::from_secs(5),
        trust: Trust::Trusted,
        secrets: &["code"],
        examples: &["lock {lamp}"],
        lists: None,
    };
    type Args = Locked;
    type Output = String;

    async fn resolve(&self, args: &Locked, _: &Look) -> Result<Target, ToolError> {
        Ok(Target::new("lamp", &args.lamp, &args.lamp))
    }

    fn tier_of(&self, args: &Locked, _: &Target) -> Tier {
        if args.lamp == "safe" { Tier::Orange } else { Tier::Yellow }
    }

    fn sentence(&self, args: &Locked, _: &Target) -> String {
        format!("Lock {}.", args.lamp)
    }

    async fn run(&self, _: Locked, _: &RunContext, _: Permit<Self>) -> Result<Done<String>, ToolError> {
        Ok(Done::new("locked".to_owned()))
    }

    fn words(&self, output: &String) -> String {
        output.clone()
    }
}

#[tokio::test]
async fn a_secret_waits_on_no_card_and_stands_in_no_record() {
    let house = House::fitted(Arc::new(|tools, store, _| (tools.with(Lock), Arc::new(store.clone())))).await;
    let with = |lamp: &str, code: Option<&str>| house.call_local("lamp_lock", json!({ "lamp": lamp, "code": code }));
    assert_eq!(refused(with("safe", Some("1234")).await).code, Code::InvalidArguments);
    assert!(matches!(with("safe", None).await, Answer::Waiting(_)), "no code is no secret");
    let outcome = ran(with("hall", Some("1234")).await);
    let record = house.store.call(&outcome.call).await.unwrap().unwrap();
    assert_eq!(record.args, json!({ "lamp": "hall", "code": "[secret]" }));
}

#[tokio::test]
async fn every_outcome_names_the_rule_that_let_it_run() {
    let house = House::new().await;
    let rule = async |tool| ran(house.call(&Actor::operator(), tool, lamp("hall")).await).rule;
    assert_eq!(rule("lamp_see").await, "green runs");
    assert_eq!(rule("lamp_dim").await, "yellow runs at autonomy level 3");
    let card = house.ask(&Actor::local(), "lamp_stop", "hall").await;
    assert_eq!(card.rule, "orange asks");
    assert_eq!(ran(answer_of(&house.approve(&card.id).await.unwrap())).rule, "approved once");
    let plan = ["hall", "cellar"].map(|name| request(&Actor::local(), "lamp_stop", lamp(name)));
    let PlanAnswer::Waiting(card) = house.gate.plan(plan.to_vec()).await else { panic!("orange asks") };
    let done = house.approve(&card.id).await.unwrap();
    assert!(done.steps.iter().all(|step| step.outcome.as_ref().unwrap().rule == "approved in a plan"));
    house.leave().await;
}

/// K-12.
#[tokio::test]
async fn a_stale_card_says_whether_anything_was_done() {
    let house = House::new().await;
    let card = house.ask(&Actor::local(), "lamp_stop", "hall").await;
    house.replace("hall", "id-of-another");
    let stale = house.approve(&card.id).await.unwrap();
    assert!(stale.because.as_ref().unwrap().contains("Nothing was done"), "{:?}", stale.because);
    house.leave().await;
}

/// K-19.
#[tokio::test]
async fn what_a_person_approved_runs_however_often_it_was_made_lately() {
    let house = House::new().await;
    for _ in 0..2 {
        ran(house.call_local("lamp_dim", lamp("hall")).await);
    }
    for tool in ["lamp_dim", "lamp_dim", "lamp_stop", "lamp_stop", "lamp_stop"] {
        let card = house.ask(&Actor::local(), tool, "hall").await;
        assert_eq!(house.approve(&card.id).await.unwrap().state, ApprovalState::Done, "{tool}");
    }
    assert_eq!(house.effects().len(), 7);
    house.leave().await;
}

/// K-18.
#[tokio::test]
async fn the_brake_for_effects_leaves_what_only_reads_and_the_brake_for_all_does_not() {
    let house = House::new().await;
    for (kill, state) in [(KillSwitch::Effects, None), (KillSwitch::All, Some(CallState::Cancelled))] {
        let gate = house.gate.clone();
        let begun = house.world.lock().unwrap().begun;
        let slow = json!({ "lamp": "hall", "slow": 400 });
        let call = tokio::spawn(async move { gate.call(request(&Actor::local(), "lamp_see", slow)).await });
        while house.world.lock().unwrap().begun == begun {
            tokio::task::yield_now().await;
        }
        brake(&house, kill).await;
        let outcome = ran(call.await.unwrap());
        assert_eq!(outcome.state == CallState::Done, state.is_none(), "{kill:?}: {outcome:?}");
        assert_eq!(house.gate.kill_switch(), kill);
        brake(&house, KillSwitch::Off).await;
        assert_eq!(house.gate.kill_switch(), KillSwitch::Off);
    }
    let set = [EventKind::KillOn, EventKind::KillOff];
    assert_eq!(house.kinds("kill-switch").await, [set, set].concat());
}

/// K-14.
#[tokio::test]
async fn the_operator_takes_any_question_back_and_cancels_any_call() {
    let house = House::new().await;
    let card = house.ask(&Actor::local(), "lamp_smash", "hall").await;
    let back = house.gate.withdraw(&Actor::operator(), &card.id, "", &Origin::default()).await.unwrap();
    assert_eq!((back.state, back.because), (ApprovalState::Denied, None));
    for canceller in [Actor::operator(), Actor::local()] {
        let gate = house.gate.clone();
        let slow = json!({ "lamp": "hall", "slow": 60_000 });
        let call = tokio::spawn(async move { gate.call(request(&Actor::local(), "lamp_stop", slow)).await });
        let Answer::Waiting(card) = call.await.unwrap() else { panic!("orange asks") };
        let begun = house.world.lock().unwrap().begun;
        house.gate.approve(&Actor::operator(), &card.id, &Origin::default()).await.unwrap();
        while house.world.lock().unwrap().begun == begun {
            tokio::task::yield_now().await;
        }
        let id = &card.steps[0].call;
        assert!(!house.gate.cancel(&Actor::mcp_stdio(), id), "neither its caller nor the operator");
        assert!(house.gate.cancel(&canceller, id), "{}", canceller.name);
        let ended = house.gate.wait(&card.id, Duration::from_secs(10)).await.unwrap();
        assert_eq!(ended.state, ApprovalState::Unknown, "nothing told whether it happened");
    }
}

#[tokio::test]
async fn the_gate_shows_what_is_in_force() {
    let house = House::new().await;
    assert_eq!(house.gate.policy_fault(), None);
    let settings = Settings { approval_minutes: 3, ..Settings::default() };
    house.gate.apply_settings(settings.clone());
    assert_eq!(house.gate.settings(), settings);
    let card = house.ask(&Actor::local(), "lamp_stop", "hall").await;
    assert_eq!(card.expires_at - card.created_at, 180_000);
    brake(&house, KillSwitch::Effects).await;
    assert_eq!(house.gate.kill_switch(), KillSwitch::Effects);
    let house = house.killed_under(Err("line 1".to_owned())).await;
    assert_eq!(house.gate.policy_fault().as_deref(), Some("line 1"));
    assert_eq!(house.gate.kill_switch(), KillSwitch::Effects);
}

#[tokio::test]
async fn no_arguments_are_an_empty_object_and_nothing_else_is() {
    let house = House::new().await;
    for (args, said) in [(Value::Null, "lamp"), (json!([]), "must be a JSON object"), (json!({}), "lamp")] {
        let refusal = refused(house.call_local("lamp_see", args.clone()).await);
        assert_eq!(refusal.code, Code::InvalidArguments);
        assert_eq!(refusal.message.contains("must be a JSON object"), said != "lamp", "{args}: {}", refusal.message);
    }
}

/// K-26.
#[tokio::test]
async fn where_nobody_can_approve_what_would_be_asked_is_refused_and_the_rest_runs() {
    let house = House::without_operator(Arc::new(|tools, store, _| (tools.with(Maker), Arc::new(store.clone())))).await;
    let called = async |house: &House, tool, vouching| {
        let request = Request { vouching, ..request(&Actor::local(), tool, lamp("hall")) };
        match house.gate.call(request).await {
            Answer::Ran(_) => "ran",
            Answer::Refused(refusal) => refusal.code.as_str(),
            Answer::Waiting(_) => "waits",
        }
    };
    assert_eq!(called(&house, "lamp_stop", Vouching::Person).await, "no_approver");
    assert_eq!(called(&house, "lamp_smash", Vouching::Person).await, "no_approver");
    assert_eq!(called(&house, "lamp_maker", Vouching::Led).await, "no_approver");
    assert_eq!(called(&house, "lamp_maker", Vouching::Client).await, "ran");
    assert_eq!(called(&house, "lamp_see", Vouching::Led).await, "ran");
    assert_eq!(called(&house, "lamp_dim", Vouching::Led).await, "no_approver");
    assert_eq!(called(&house, "lamp_dim", Vouching::Person).await, "ran");
    // Nor does a look wait for nobody.
    let rule = "[[rule]]\nname='ask'\ntool='lamp_see'\nthen='ask'\nrefused=[{tool='lamp_see'}]\n";
    let house = house.killed_under(Ok(Policy::parse(rule).unwrap())).await;
    assert_eq!(called(&house, "lamp_see", Vouching::Person).await, "no_approver");
}

/// K-22.
#[tokio::test]
async fn the_outcome_of_a_read_that_had_to_be_asked_is_handed_over_too() {
    let house = House::fitted(Arc::new(|tools, store, _| (tools.with(Maker), Arc::new(store.clone())))).await;
    let ask = || Request { vouching: Vouching::Led, ..request(&Actor::local(), "lamp_maker", lamp("hall")) };
    let Answer::Waiting(card) = house.gate.call(ask()).await else { panic!("it goes out") };
    house.gate.approve(&Actor::operator(), &card.id, &Origin::default()).await.unwrap();
    house.gate.follow(&card.id, Duration::from_secs(10)).await.unwrap();
    assert_eq!(ran(house.gate.call(ask()).await).call, card.steps[0].call);
}

/// K-22.
#[tokio::test]
async fn the_outcome_of_a_look_that_only_a_rule_asks_is_handed_over_too() {
    let rule = |tool: &str| {
        let text = format!("[[rule]]\nname='ask'\n{tool}then='ask'\nrefused=[{{tool='lamp_see',target='hall'}}]\n");
        Ok(Policy::parse(&text).unwrap())
    };
    for tool in ["tool='lamp_see'\n", "target='hall'\n"] {
        let house = House::new().await.killed_under(rule(tool)).await;
        let see = || house.call_local("lamp_see", lamp("hall"));
        let Answer::Waiting(card) = see().await else { panic!("the rule asks") };
        house.gate.approve(&Actor::operator(), &card.id, &Origin::default()).await.unwrap();
        house.gate.follow(&card.id, Duration::from_secs(10)).await.unwrap();
        assert_eq!(ran(see().await).call, card.steps[0].call, "handed over");
        assert!(matches!(see().await, Answer::Waiting(again) if again.id != card.id), "and once only");
    }
}

/// K-23.
#[tokio::test]
async fn a_grant_counts_in_memory_what_the_store_counts_and_only_what_is_put_in_force_grants() {
    let house = House::new().await;
    let terms = Terms {
        tool: "lamp_stop".to_owned(),
        target: None,
        target_id: None,
        actor: None,
        when: std::collections::BTreeMap::new(),
        only: false,
    };
    let given = house.gate.grant(&Actor::operator(), terms, 3, 7, &Origin::default()).await.unwrap();
    assert_eq!(given.expires_at - given.created_at, 7 * 60_000);
    for lamp in ["hall", "cellar"] {
        ran(house.call_local("lamp_stop", json!({ "lamp": lamp })).await);
    }
    // One call is left of it: a plan of two is asked as a whole.
    let plan = ["hall", "cellar"].map(|name| request(&Actor::local(), "lamp_stop", lamp(name)));
    assert!(matches!(house.gate.plan(plan.to_vec()).await, PlanAnswer::Waiting(_)));
    house.gate.apply_grants(Vec::new());
    assert!(matches!(house.call_local("lamp_stop", lamp("kitchen")).await, Answer::Waiting(_)), "none is in force");
    house.gate.apply_grants(house.store.grants(Some(house.clock.now())).await.unwrap());
    ran(house.call_local("lamp_stop", lamp("hall")).await);
    assert_eq!(house.effects().len(), 3);
    house.leave().await;
}

/// K-8.
#[tokio::test]
async fn at_level_one_a_persons_yellow_call_is_asked_too() {
    let house = House::new().await;
    let autonomy = Autonomy { default: Level::Suggest, ..Autonomy::default() };
    house.gate.apply_settings(Settings { autonomy, ..Settings::default() });
    let card = house.ask(&Actor::operator(), "lamp_dim", "hall").await;
    assert_eq!(card.rule, "autonomy level 1 asks");
    assert_eq!(house.approve(&card.id).await.unwrap().state, ApprovalState::Done, "who asked is the operator");
    house.leave().await;
}
