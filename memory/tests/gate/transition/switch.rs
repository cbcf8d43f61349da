//! A tool of which each test says, lamp by lamp, how it ends and what its probe sees.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jarvis_safety::kernel::Permit;
use jarvis_safety::tool::{Done, Look, Probe, RunContext, Spec, Tool, ToolError, ToolErrorKind, Trust};
use jarvis_safety::{Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::race::stage::Stage;

/// How a run ends once it is let go.
#[derive(Clone, Copy, Default)]
pub(super) enum End {
    #[default]
    Done,
    Fails,
    BreaksOff,
    LineBreaks,
}

/// One lamp.
#[derive(Clone, Default)]
pub(super) struct Lamp {
    pub(super) end: End,
    pub(super) probe: Option<Probe>,
    /// Whether another lamp hangs in its place.
    pub(super) replaced: bool,
}

/// The lamps, which of them were switched, and where a run stops: at `run LAMP`.
#[derive(Default)]
pub(super) struct Wall {
    pub(super) stage: Arc<Stage>,
    lamps: Mutex<BTreeMap<String, Lamp>>,
    switched: Mutex<Vec<String>>,
}

impl Wall {
    pub(super) fn change(&self, lamp: &str, change: impl FnOnce(&mut Lamp)) {
        change(self.lamps.lock().unwrap().entry(lamp.to_owned()).or_default());
    }

    /// How often a lamp, or one that is named after it, was switched. Others may be switched at the same time.
    pub(super) fn switched(&self, lamp: &str) -> usize {
        let of = |name: &String| name.strip_prefix(lamp).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
        self.switched.lock().unwrap().iter().filter(|name| of(name)).count()
    }

    fn lamp(&self, name: &str) -> Lamp {
        self.lamps.lock().unwrap().get(name).cloned().unwrap_or_default()
    }
}

/// Names a lamp.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    lamp: String,
    #[schemars(with = "String")]
    tier: Tier,
}

/// Switches a lamp.
pub(super) struct Switch(pub(super) Arc<Wall>);

impl Tool for Switch {
    const SPEC: Spec = Spec {
        name: "lamp_switch",
        revision: 1,
        tier: Tier::Yellow,
        effects: Effects::WRITES,
        deadline: Duration::from_secs(60),
        trust: Trust::Trusted,
        secrets: &[],
        examples: &["switch {lamp}"],
        lists: None,
    };
    type Args = Which;
    type Output = String;

    async fn resolve(&self, args: &Which, _: &Look) -> Result<Target, ToolError> {
        let id = if self.0.lamp(&args.lamp).replaced { "another" } else { &args.lamp };
        Ok(Target::new("lamp", id, &args.lamp))
    }

    fn tier_of(&self, args: &Which, _: &Target) -> Tier {
        args.tier
    }

    fn sentence(&self, _: &Which, target: &Target) -> String {
        format!("Switch {}.", target.name)
    }

    async fn run(&self, args: Which, _: &RunContext, _: Permit<Self>) -> Result<Done<String>, ToolError> {
        self.0.stage.pass(&format!("run {}", args.lamp)).await;
        match self.0.lamp(&args.lamp).end {
            End::Done => {}
            End::Fails => return Err(ToolError::new(ToolErrorKind::Failed, "the bulb is gone")),
            End::LineBreaks => return Err(ToolError::new(ToolErrorKind::Interrupted, "the line broke")),
            End::BreaksOff => panic!("a defect"),
        }
        let back = json!({ "lamp": format!("{} back", args.lamp), "tier": Tier::Yellow });
        self.0.switched.lock().unwrap().push(args.lamp);
        Ok(Done::new("switched".to_owned()).undo_by("lamp_switch", back))
    }

    async fn probe(&self, args: &Which, _: &Target) -> Probe {
        self.0.lamp(&args.lamp).probe.unwrap_or(Probe::NotDone)
    }

    fn words(&self, output: &String) -> String {
        output.clone()
    }
}
