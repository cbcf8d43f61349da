//! `service_start`: bringing a service up.

use std::time::Duration;

use jarvis_safety::tool::{Done, Look, Preview, Probe, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Effects, Target, Tier, kernel::Permit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bus::Bus;
use super::guard::Verb;
use super::job::Moved;

/// Starts a service and waits until systemd says that it is up. What is up already stays as it is.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// The service, with or without `.service`.
    #[schemars(extend("x-entity" = "service"))]
    service: String,
}

pub(super) struct ServiceStart(pub(super) Bus);

impl Tool for ServiceStart {
    const SPEC: Spec = Spec {
        name: "service_start",
        revision: 1,
        tier: Tier::Yellow,
        effects: Effects::WRITES,
        deadline: Duration::from_secs(120),
        trust: Trust::Trusted,
        secrets: &[],
        examples: &[
            "start {service}",
            "start the service {service}",
            "bring {service} up",
            "turn {service} on",
            "please get {service} running again",
        ],
        lists: None,
    };
    type Args = Args;
    type Output = Moved;

    async fn resolve(&self, args: &Args, _: &Look) -> Result<Target, ToolError> {
        self.0.resolve(&args.service).await
    }

    fn sentence(&self, _: &Args, target: &Target) -> String {
        format!("start the service {}", target.name)
    }

    async fn preview(&self, _: &Args, target: &Target, _: &Look) -> Result<Preview, ToolError> {
        self.0.preview_of(Verb::Start, &target.id).await
    }

    fn tier_of(&self, _: &Args, target: &Target) -> Tier {
        self.0.guard().tier(Verb::Start, &target.id)
    }

    async fn run(&self, _: Args, cx: &RunContext, permit: Permit<Self>) -> Result<Done<Moved>, ToolError> {
        let id = &permit.target().id;
        let moved = self.0.move_service(Verb::Start, id, cx).await?;
        let done = if moved.changed {
            Done::new(moved).undo_by("service_stop", serde_json::json!({ "service": id }))
        } else {
            Done::new(moved)
        };
        Ok(done)
    }

    async fn probe(&self, _: &Args, target: &Target) -> Probe {
        self.0.probe_service(Verb::Start, &target.id).await
    }

    fn words(&self, moved: &Moved) -> String {
        let state = &moved.service;
        if !moved.changed {
            return format!("{} was up already: {}.", state.name, state.both());
        }
        if !state.is_active() {
            return format!("{} ran and has ended: {}.", state.name, state.both());
        }
        let process = state.main_pid.map(|pid| format!(", process {pid}")).unwrap_or_default();
        format!("{} is up: {}{process}.", state.name, state.both())
    }
}
