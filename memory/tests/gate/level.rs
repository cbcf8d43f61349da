//! Levels by capability and target: the rule that fits a call decides, and not the level everywhere.

use std::sync::Arc;
use std::time::Duration;

use jarvis_safety::kernel::{Autonomy, AutonomyRule, Level, Permit};
use jarvis_safety::outcome::Answer;
use jarvis_safety::setting::Settings;
use jarvis_safety::tool::{Done, Look, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::lamp::{House, World};

/// Longer than calls are counted as repeated.
const LATER: i64 = 60 * 60 * 1000;

/// Changes the bulb of a lamp: yellow, and of another family than the lamps' own tools.
struct Bulb(World);

/// Names a lamp.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Change {
    lamp: String,
}

impl Tool for Bulb {
    const SPEC: Spec = Spec {
        name: "bulb_change",
        revision: 1,
        tier: Tier::Yellow,
        effects: Effects::WRITES,
        deadline: Duration::from_secs(5),
        trust: Trust::Trusted,
        secrets: &[],
        examples: &["{lamp}"],
        lists: None,
    };
    type Args = Change;
    type Output = String;

    async fn resolve(&self, args: &Change, _: &Look) -> Result<Target, ToolError> {
        Ok(Target::new("lamp", format!("id-{}", args.lamp), &args.lamp))
    }

    fn sentence(&self, args: &Change, _: &Target) -> String {
        format!("Change the bulb of {}.", args.lamp)
    }

    async fn run(&self, _: Change, _: &RunContext, permit: Permit<Self>) -> Result<Done<String>, ToolError> {
        let effect = ("bulb_change".to_owned(), permit.target().id.clone());
        self.0.lock().unwrap().effects.push(effect);
        Ok(Done::new("changed".to_owned()))
    }

    fn words(&self, output: &String) -> String {
        output.clone()
    }
}

/// Capability, target and level.
type Rule = (Option<&'static str>, Option<&'static str>, Level);

const LAMP: Option<&str> = Some("lamp");
const HALL: Option<&str> = Some("hall");

/// Level where no rule fits, rules, and what becomes under them of `lamp_dim` on hall and cellar, then of `bulb_change`
/// on both.
const CASES: &[(Level, &[Rule], [&str; 4])] = &[
    (Level::ActAndReport, &[], ["run", "run", "run", "run"]),
    (Level::ActAndReport, &[(LAMP, None, Level::Suggest)], ["ask", "ask", "run", "run"]),
    (Level::ActAndReport, &[(None, HALL, Level::Observe)], ["no", "run", "no", "run"]),
    (Level::ActAndReport, &[(LAMP, HALL, Level::Observe)], ["no", "run", "run", "run"]),
    (Level::Observe, &[(LAMP, HALL, Level::ActAndReport)], ["run", "no", "no", "no"]),
    // By its id, and by a part of its name.
    (Level::ActAndReport, &[(None, Some("id-cellar"), Level::Suggest)], ["run", "ask", "run", "ask"]),
    (Level::ActAndReport, &[(None, Some("h*"), Level::Suggest)], ["ask", "run", "ask", "run"]),
    // A target says more than a capability, and both say more than either, whatever the order and the levels.
    (Level::Suggest, &[(None, HALL, Level::ActAndReport), (LAMP, None, Level::Observe)], ["run", "no", "run", "ask"]),
    (Level::Suggest, &[(LAMP, None, Level::ActAndReport), (None, HALL, Level::Observe)], ["no", "run", "no", "ask"]),
    (
        Level::Observe,
        &[(LAMP, HALL, Level::ActAndReport), (None, HALL, Level::Suggest), (LAMP, None, Level::Suggest)],
        ["run", "ask", "ask", "no"],
    ),
    // A target of anything says nothing.
    (
        Level::ActAndReport,
        &[(None, Some("*"), Level::Observe), (LAMP, None, Level::Suggest)],
        ["ask", "ask", "no", "no"],
    ),
    // Among equals the lowest level.
    (Level::Observe, &[(LAMP, None, Level::ActAndReport), (LAMP, None, Level::Suggest)], ["ask", "ask", "no", "no"]),
];

fn autonomy(default: Level, rules: &[Rule]) -> Autonomy {
    let rule = |(capability, target, level): &Rule| AutonomyRule {
        capability: capability.map(str::to_owned),
        target: target.map(str::to_owned),
        level: *level,
    };
    Autonomy { default, rules: rules.iter().map(rule).collect() }
}

#[tokio::test]
async fn the_most_specific_rule_that_fits_capability_and_target_decides_what_becomes_of_a_call() {
    let house =
        House::fitted(Arc::new(|tools, store, world| (tools.with(Bulb(Arc::clone(world))), Arc::new(store.clone()))))
            .await;
    for (default, rules, expected) in CASES {
        let autonomy = autonomy(*default, rules);
        house.gate.apply_settings(Settings { autonomy, ..Settings::default() });
        house.clock.turn(LATER);
        let calls = ["lamp_dim", "bulb_change"].into_iter().flat_map(|tool| [(tool, "hall"), (tool, "cellar")]);
        for ((tool, lamp), expected) in calls.zip(expected) {
            let before = house.effects().len();
            let became = match house.call_local(tool, json!({ "lamp": lamp })).await {
                Answer::Ran(_) => "run",
                Answer::Waiting(_) => "ask",
                Answer::Refused(refusal) if refusal.rule == "autonomy level 0" => "no",
                Answer::Refused(refusal) => panic!("{refusal:?}"),
            };
            assert_eq!(became, *expected, "{tool} on {lamp} under {default:?} and {rules:?}");
            assert_eq!(house.effects().len() - before, usize::from(became == "run"), "{tool} on {lamp}");
        }
    }
    house.leave().await;
}
