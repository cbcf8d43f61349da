//! `docker_restart`: stops a container and starts it again, and tells how it is afterwards.

use std::time::Duration;

use bollard::query_parameters::RestartContainerOptions;
use jarvis_safety::kernel::Permit;
use jarvis_safety::tool::{Done, Look, Preview, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::engine::Docker;
use super::settle::After;

pub(super) struct Restart(pub(super) Docker);

/// Restarts a container and tells whether it came up again and is healthy. One that is stopped is started.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Name or id of the container.
    #[schemars(extend("x-entity" = "container"))]
    container: String,
}

impl Tool for Restart {
    const SPEC: Spec = Spec {
        name: "docker_restart",
        revision: 1,
        tier: Tier::Yellow,
        effects: Effects::WRITES,
        // A container may have been given minutes to stop in.
        deadline: Duration::from_secs(330),
        trust: Trust::Named,
        secrets: &[],
        examples: &[
            "restart {container}",
            "restart the container {container}",
            "please restart {container}",
            "bounce {container}",
            "restart the container {container}, it hangs",
        ],
        lists: None,
    };
    type Args = Args;
    type Output = After;

    async fn resolve(&self, args: &Args, _: &Look) -> Result<Target, ToolError> {
        self.0.container(&args.container).await
    }

    fn sentence(&self, _: &Args, target: &Target) -> String {
        format!("Restart container {}{}.", target.name, self.0.himself(target))
    }

    async fn preview(&self, _: &Args, target: &Target, _: &Look) -> Result<Preview, ToolError> {
        let (_, mut effects) = self.0.card(target).await?;
        effects.push("It is away for a moment; volumes and settings stay.".to_owned());
        Ok(Preview { effects, undo: Some("It comes back by itself.".to_owned()), ..Preview::default() })
    }

    fn tier_of(&self, _: &Args, target: &Target) -> Tier {
        if self.0.is_own(target) { Tier::Red } else { Tier::Yellow }
    }

    async fn run(&self, _: Args, cx: &RunContext, permit: Permit<Self>) -> Result<Done<After>, ToolError> {
        let target = permit.target();
        let before = self.0.snapshot(target).await?;
        cx.progress(0.0, None, format!("restarting {}", target.name));
        let client = self.0.client().await?;
        let restarted = client.restart_container(&target.id, None::<RestartContainerOptions>).await;
        if let Err(error) = restarted {
            return Err(self.0.not_started(&before, target, &error).await);
        }
        Ok(Done::new(self.0.settle(target, "was restarted", cx).await?))
    }

    fn words(&self, output: &After) -> String {
        output.told("was restarted")
    }
}
