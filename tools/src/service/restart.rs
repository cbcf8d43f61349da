//! `service_restart`: the usual remedy.

use std::time::Duration;

use jarvis_safety::tool::{Done, Look, Preview, Probe, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Effects, Target, Tier, kernel::Permit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bus::Bus;
use super::guard::Verb;
use super::job::Moved;

/// Restarts a service, or starts it if it is down, and waits until systemd says that it is up.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// The service, with or without `.service`.
    #[schemars(extend("x-entity" = "service"))]
    service: String,
}

pub(super) struct ServiceRestart(pub(super) Bus);

impl Tool for ServiceRestart {
    const SPEC: Spec = Spec {
        name: "service_restart",
        revision: 1,
        tier: Tier::Yellow,
        effects: Effects::WRITES,
        deadline: Duration::from_secs(210),
        trust: Trust::Trusted,
        secrets: &[],
        examples: &[
            "restart {service}",
            "restart the service {service}",
            "reboot the {service} service",
            "bounce {service}",
            "stop and start {service} again",
        ],
        lists: None,
    };
    type Args = Args;
    type Output = Moved;

    async fn resolve(&self, args: &Args, _: &Look) -> Result<Target, ToolError> {
        self.0.resolve(&args.service).await
    }

    fn sentence(&self, _: &Args, target: &Target) -> String {
        format!("restart the service {}", target.name)
    }

    async fn preview(&self, _: &Args, target: &Target, _: &Look) -> Result<Preview, ToolError> {
        self.0.preview_of(Verb::Restart, &target.id).await
    }

    fn tier_of(&self, _: &Args, target: &Target) -> Tier {
        self.0.guard().tier(Verb::Restart, &target.id)
    }

    async fn run(&self, _: Args, cx: &RunContext, permit: Permit<Self>) -> Result<Done<Moved>, ToolError> {
        let id = &permit.target().id;
        let moved = self.0.move_service(Verb::Restart, id, cx).await?;
        let was_down = matches!(moved.before.as_str(), "inactive" | "failed");
        let done = if was_down {
            Done::new(moved).undo_by("service_stop", serde_json::json!({ "service": id }))
        } else {
            Done::new(moved)
        };
        Ok(done)
    }

    async fn probe(&self, _: &Args, target: &Target) -> Probe {
        self.0.probe_service(Verb::Restart, &target.id).await
    }

    fn words(&self, moved: &Moved) -> String {
        let state = &moved.service;
        if !state.is_active() {
            return format!("{} was restarted, ran and has ended: {}.", state.name, state.both());
        }
        let process = state.main_pid.map(|pid| format!(", process {pid}")).unwrap_or_default();
        let was = if moved.before == "active" { "" } else { " (it was down before)" };
        format!("{} was restarted{was} and is up: {}{process}.", state.name, state.both())
    }
}
