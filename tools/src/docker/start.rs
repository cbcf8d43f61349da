//! `docker_start`: starts a container that is not running.

use std::time::Duration;

use bollard::query_parameters::StartContainerOptions;
use jarvis_safety::kernel::Permit;
use jarvis_safety::tool::{Done, Look, Preview, Probe, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::engine::Docker;
use super::probe::patient;
use super::settle::After;

pub(super) struct Start(pub(super) Docker);

/// Starts a container that is not running, and tells whether it stays up.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Name or id of the container.
    #[schemars(extend("x-entity" = "container"))]
    container: String,
}

impl Tool for Start {
    const SPEC: Spec = Spec {
        name: "docker_start",
        revision: 1,
        tier: Tier::Yellow,
        effects: Effects::WRITES,
        deadline: Duration::from_secs(90),
        trust: Trust::Named,
        secrets: &[],
        examples: &[
            "start {container}",
            "start the container {container}",
            "bring {container} up",
            "bring {container} back",
            "turn {container} on",
        ],
        lists: None,
    };
    type Args = Args;
    type Output = After;

    async fn resolve(&self, args: &Args, _: &Look) -> Result<Target, ToolError> {
        self.0.container(&args.container).await
    }

    fn sentence(&self, _: &Args, target: &Target) -> String {
        format!("Start container {}.", target.name)
    }

    async fn preview(&self, _: &Args, target: &Target, _: &Look) -> Result<Preview, ToolError> {
        let (snapshot, mut effects) = self.0.card(target).await?;
        let undo = if snapshot.is_running() {
            effects.push("It runs already: nothing will be done.".to_owned());
            None
        } else {
            Some(format!("Stop {} again (docker_stop).", target.name))
        };
        Ok(Preview { effects, undo, ..Preview::default() })
    }

    async fn run(&self, _: Args, cx: &RunContext, permit: Permit<Self>) -> Result<Done<After>, ToolError> {
        let target = permit.target();
        let before = self.0.snapshot(target).await?;
        if before.is_running() {
            return Ok(Done::new(After::of(&before, target, self.0.now().await?, false)));
        }
        cx.progress(0.0, None, format!("starting {}", target.name));
        let started = self.0.client().await?.start_container(&target.id, None::<StartContainerOptions>).await;
        if let Err(error) = started {
            return Err(self.0.not_started(&before, target, &error).await);
        }
        let after = self.0.settle(target, "was started", cx).await?;
        let is_up = after.is_up();
        let done = Done::new(after);
        Ok(if is_up { done.undo_by("docker_stop", json!({ "container": target.id })) } else { done })
    }

    async fn probe(&self, _: &Args, target: &Target) -> Probe {
        patient(self.look(target), self.look(target)).await
    }

    fn words(&self, output: &After) -> String {
        if output.changed {
            output.told("was started")
        } else {
            format!("{} was running already ({}); nothing was done.", output.name, output.status)
        }
    }
}

impl Start {
    async fn look(&self, target: &Target) -> Probe {
        match self.0.snapshot(target).await {
            Ok(now) if now.is_running() => Probe::Done,
            // Made and never started; any other state may be the end of a short life.
            Ok(now) if now.started().is_none() => Probe::NotDone,
            _ => Probe::Unknown,
        }
    }
}
