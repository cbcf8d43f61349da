//! `docker_stop`: ends a container until somebody starts it again.

use std::time::Duration;

use bollard::query_parameters::StopContainerOptions;
use jarvis_safety::kernel::Permit;
use jarvis_safety::tool::{Done, Look, Preview, Probe, RunContext, Spec, Tool, ToolError, ToolErrorKind, Trust};
use jarvis_safety::{Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::engine::Docker;
use super::settle::{After, unseen};

pub(super) struct Stop(pub(super) Docker);

/// Stops a running container; it stays away until it is started again. Nothing is deleted.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Name or id of the container.
    #[schemars(extend("x-entity" = "container"))]
    container: String,
}

impl Tool for Stop {
    const SPEC: Spec = Spec {
        name: "docker_stop",
        revision: 1,
        tier: Tier::Orange,
        effects: Effects::WRITES,
        // A container may have been given minutes to stop in.
        deadline: Duration::from_secs(330),
        trust: Trust::Named,
        secrets: &[],
        examples: &[
            "stop {container}",
            "stop the container {container}",
            "shut {container} down",
            "turn {container} off",
            "halt {container}",
        ],
        lists: None,
    };
    type Args = Args;
    type Output = After;

    async fn resolve(&self, args: &Args, _: &Look) -> Result<Target, ToolError> {
        self.0.container(&args.container).await
    }

    fn sentence(&self, _: &Args, target: &Target) -> String {
        format!("Stop container {}{}.", target.name, self.0.himself(target))
    }

    async fn preview(&self, _: &Args, target: &Target, _: &Look) -> Result<Preview, ToolError> {
        let (snapshot, mut effects) = self.0.card(target).await?;
        if !snapshot.is_running() {
            effects.push("It is not running: nothing will be done.".to_owned());
            return Ok(Preview { effects, ..Preview::default() });
        }
        if snapshot.removes_itself() {
            effects.push("It was started with --rm: once stopped, the engine removes it.".to_owned());
            effects.extend(snapshot.fate_of_mounts(true));
            return Ok(Preview { effects, ..Preview::default() });
        }
        effects.push("It stays away until it is started again; volumes and settings stay.".to_owned());
        let undo = Some(format!("Start {} again (docker_start).", target.name));
        Ok(Preview { effects, undo, ..Preview::default() })
    }

    fn tier_of(&self, _: &Args, target: &Target) -> Tier {
        if self.0.is_own(target) { Tier::Red } else { Tier::Orange }
    }

    async fn run(&self, _: Args, cx: &RunContext, permit: Permit<Self>) -> Result<Done<After>, ToolError> {
        let target = permit.target();
        let before = self.0.snapshot(target).await?;
        let now = self.0.now().await?;
        if !before.is_running() {
            return Ok(Done::new(After::of(&before, target, now, false)));
        }
        cx.progress(0.0, None, format!("stopping {}", target.name));
        let stopped = self.0.client().await?.stop_container(&target.id, None::<StopContainerOptions>).await;
        stopped.map_err(|error| self.0.change_failed(&error))?;
        match self.0.snapshot(target).await {
            Ok(after) if !after.is_running() => {
                let now = self.0.now().await.map_err(|error| unseen(target, "was stopped", &error))?;
                let done = Done::new(After::of(&after, target, now, true));
                Ok(if before.removes_itself() {
                    done
                } else {
                    done.undo_by("docker_start", json!({ "container": target.id }))
                })
            }
            Ok(after) => Err(ToolError::new(
                ToolErrorKind::Failed,
                format!("{} was stopped but is {} again: something starts it", target.name, after.state()),
            )),
            Err(error) if error.kind == ToolErrorKind::NotFound && before.removes_itself() => {
                let mut output = After::of(&before, target, now, true);
                "removed".clone_into(&mut output.state);
                "removed by the engine (--rm)".clone_into(&mut output.status);
                Ok(Done::new(output))
            }
            Err(error) => Err(unseen(target, "was stopped", &error)),
        }
    }

    /// One that still runs may be on its way to an end: an engine goes on with a stop that nobody waits for.
    async fn probe(&self, _: &Args, target: &Target) -> Probe {
        match self.0.snapshot(target).await {
            Ok(now) if !now.is_running() => Probe::Done,
            Err(error) if error.kind == ToolErrorKind::NotFound => Probe::Done,
            _ => Probe::Unknown,
        }
    }

    fn words(&self, output: &After) -> String {
        if output.changed {
            format!("{} is stopped ({}).", output.name, output.status)
        } else {
            format!("{} was not running ({}); nothing was done.", output.name, output.status)
        }
    }
}
