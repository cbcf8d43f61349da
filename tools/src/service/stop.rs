//! `service_stop`: taking a service down until somebody starts it.

use std::time::Duration;

use jarvis_safety::tool::{Done, Look, Preview, Probe, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Effects, Target, Tier, kernel::Permit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bus::Bus;
use super::guard::Verb;
use super::job::Moved;

/// Stops a service until somebody starts it again, and waits until systemd says that it is down.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// The service, with or without `.service`.
    #[schemars(extend("x-entity" = "service"))]
    service: String,
}

pub(super) struct ServiceStop(pub(super) Bus);

impl Tool for ServiceStop {
    const SPEC: Spec = Spec {
        name: "service_stop",
        revision: 1,
        tier: Tier::Orange,
        effects: Effects::WRITES,
        deadline: Duration::from_secs(120),
        trust: Trust::Trusted,
        secrets: &[],
        examples: &[
            "stop {service}",
            "stop the service {service}",
            "shut {service} down",
            "turn {service} off",
            "take {service} down",
        ],
        lists: None,
    };
    type Args = Args;
    type Output = Moved;

    async fn resolve(&self, args: &Args, _: &Look) -> Result<Target, ToolError> {
        self.0.resolve(&args.service).await
    }

    fn sentence(&self, _: &Args, target: &Target) -> String {
        format!("stop the service {}", target.name)
    }

    async fn preview(&self, _: &Args, target: &Target, _: &Look) -> Result<Preview, ToolError> {
        self.0.preview_of(Verb::Stop, &target.id).await
    }

    fn tier_of(&self, _: &Args, target: &Target) -> Tier {
        self.0.guard().tier(Verb::Stop, &target.id)
    }

    async fn run(&self, _: Args, cx: &RunContext, permit: Permit<Self>) -> Result<Done<Moved>, ToolError> {
        let id = &permit.target().id;
        let moved = self.0.move_service(Verb::Stop, id, cx).await?;
        // What was not running is not started by taking it back.
        let was_up = moved.changed && moved.before != "failed";
        let done = if was_up {
            Done::new(moved).undo_by("service_start", serde_json::json!({ "service": id }))
        } else {
            Done::new(moved)
        };
        Ok(done)
    }

    async fn probe(&self, _: &Args, target: &Target) -> Probe {
        self.0.probe_service(Verb::Stop, &target.id).await
    }

    fn words(&self, moved: &Moved) -> String {
        let state = &moved.service;
        if !moved.changed {
            return format!("{} was down already: {}.", state.name, state.both());
        }
        let again = if state.triggered_by.is_empty() {
            String::new()
        } else {
            format!(" It can be started again by {}.", state.triggered_by.join(", "))
        };
        format!("{} is stopped: {}.{again}", state.name, state.both())
    }
}
