//! `service_status`: how one service is.

use std::time::Duration;

use jarvis_safety::tool::{Done, Look, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Effects, Target, Tier, kernel::Permit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bus::Bus;
use super::state::State;

/// How one service is: active or not and since when, how it ended, main process, restarts, memory, and whether it starts
/// with the machine.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// The service, with or without `.service`.
    #[schemars(extend("x-entity" = "service"))]
    service: String,
}

pub(super) struct ServiceStatus(pub(super) Bus);

impl Tool for ServiceStatus {
    const SPEC: Spec = Spec {
        name: "service_status",
        revision: 1,
        tier: Tier::Green,
        effects: Effects::READS,
        deadline: Duration::from_secs(20),
        // A unit file is written by the administrator of the machine, the rest by systemd.
        trust: Trust::Named,
        secrets: &[],
        examples: &[
            "is {service} running?",
            "status of {service}",
            "how is the service {service} doing?",
            "why is {service} down?",
            "since when is {service} up?",
        ],
        lists: None,
    };
    type Args = Args;
    type Output = State;

    async fn resolve(&self, args: &Args, _: &Look) -> Result<Target, ToolError> {
        self.0.resolve(&args.service).await
    }

    fn sentence(&self, _: &Args, target: &Target) -> String {
        format!("look at the service {}", target.name)
    }

    async fn run(&self, _: Args, _: &RunContext, permit: Permit<Self>) -> Result<Done<State>, ToolError> {
        Ok(Done::new(self.0.state(&permit.target().id).await?))
    }

    fn words(&self, state: &State) -> String {
        state.words()
    }
}
