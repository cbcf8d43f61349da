//! `docker_remove`: deletes a container for good.

use std::time::Duration;

use bollard::query_parameters::{
    InspectContainerOptions, RemoveContainerOptionsBuilder, StopContainerOptions, WaitContainerOptionsBuilder,
};
use futures_util::{StreamExt as _, pin_mut};
use jarvis_safety::kernel::Permit;
use jarvis_safety::tool::{Done, Look, Preview, Probe, RunContext, Spec, Tool, ToolError, ToolErrorKind, Trust};
use jarvis_safety::{Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::container::Snapshot;
use super::engine::Docker;
use super::probe::patient;
use super::settle::unseen;

/// Longest wait until a container that is being removed is gone.
const GOING: Duration = Duration::from_secs(30);

pub(super) struct Remove(pub(super) Docker);

/// Removes a container for good, stopping it first if it runs. Named volumes always stay; anonymous ones go only if
/// that is asked for.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Name or id of the container.
    #[schemars(extend("x-entity" = "container"))]
    container: String,
    /// Whether its anonymous volumes are deleted too.
    #[serde(default)]
    volumes: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// Full id of what was removed.
    id: String,
    name: String,
    image: String,
    /// Whether it was running.
    was_running: bool,
    /// Anonymous volumes that were deleted.
    volumes_deleted: Vec<String>,
    /// Anonymous volumes that are still there.
    volumes_kept: Vec<String>,
}

impl Tool for Remove {
    const SPEC: Spec = Spec {
        name: "docker_remove",
        revision: 1,
        tier: Tier::Red,
        effects: Effects::DELETES,
        // A container may have been given minutes to stop in.
        deadline: Duration::from_secs(330),
        // Container and image are named by whoever made them.
        trust: Trust::Named,
        secrets: &[],
        examples: &[
            "remove {container}",
            "remove the container {container}",
            "delete {container}",
            "get rid of the container {container}",
            "docker rm {container}",
        ],
        lists: None,
    };
    type Args = Args;
    type Output = Output;

    async fn resolve(&self, args: &Args, _: &Look) -> Result<Target, ToolError> {
        self.0.container(&args.container).await
    }

    fn sentence(&self, args: &Args, target: &Target) -> String {
        let volumes = if args.volumes { "with its anonymous volumes" } else { "leaving its volumes" };
        let himself = self.0.himself(target);
        format!("Remove container {}{himself}, {volumes}, even if it is running.", target.name)
    }

    async fn preview(&self, args: &Args, target: &Target, _: &Look) -> Result<Preview, ToolError> {
        let (snapshot, mut effects) = self.0.card(target).await?;
        if snapshot.is_running() {
            effects.push("It is running now: it will be stopped first.".to_owned());
        }
        effects.push("What it wrote outside of its mounts is lost, and so are its logs.".to_owned());
        effects.extend(snapshot.fate_of_mounts(args.volumes));
        Ok(Preview {
            effects,
            undo: Some(format!(
                "It cannot be taken back. A new container can be made from {}, with none of this one's contents.",
                snapshot.image()
            )),
            ..Preview::default()
        })
    }

    async fn run(&self, args: Args, cx: &RunContext, permit: Permit<Self>) -> Result<Done<Output>, ToolError> {
        let target = permit.target();
        let before = self.0.snapshot(target).await?;
        // One that removes itself once stopped would take its volumes along whatever was approved.
        let stops = before.is_running() && !before.removes_itself();
        if stops {
            cx.progress(0.0, Some(2.0), format!("stopping {}", target.name));
            let client = self.0.client().await?;
            let stopped = client.stop_container(&target.id, None::<StopContainerOptions>).await;
            stopped.map_err(|error| self.0.change_failed(&error))?;
        }
        cx.progress(1.0, Some(2.0), format!("removing {}", target.name));
        let options = RemoveContainerOptionsBuilder::default().force(true).v(args.volumes).build();
        let removed = match self.0.client().await {
            Ok(client) => self.removed(target, client.remove_container(&target.id, Some(options)).await).await,
            Err(error) => Err(error),
        };
        removed.map_err(|error| if stops { after_stop(target, error) } else { error })?;
        if !self.is_gone(target).await.map_err(|error| unseen(target, "was removed", &error))? {
            return Err(ToolError::new(
                ToolErrorKind::Failed,
                format!("the engine said that {} is removed, but it is still there; look at it", target.name),
            ));
        }
        let volumes = self.volumes(&before).await;
        let (volumes_deleted, volumes_kept) = volumes.map_err(|error| unseen(target, "was removed", &error))?;
        Ok(Done::new(Output {
            id: target.id.clone(),
            name: target.name.clone(),
            image: before.image(),
            was_running: before.is_running(),
            volumes_deleted,
            volumes_kept,
        }))
    }

    async fn probe(&self, _: &Args, target: &Target) -> Probe {
        patient(self.look(target), self.look(target)).await
    }

    fn words(&self, output: &Output) -> String {
        let stopped = if output.was_running { ", after it was stopped" } else { "" };
        let mut told = format!("{} is removed{stopped} ({}).", output.name, output.image);
        if !output.volumes_deleted.is_empty() {
            told.push_str(&format!(" Anonymous volumes deleted: {}.", output.volumes_deleted.len()));
        }
        if !output.volumes_kept.is_empty() {
            told.push_str(&format!(" Anonymous volumes that stay: {}.", output.volumes_kept.len()));
        }
        told
    }
}

impl Remove {
    async fn look(&self, target: &Target) -> Probe {
        match self.0.snapshot(target).await {
            Err(error) if error.kind == ToolErrorKind::NotFound => Probe::Done,
            // The engine notes at once that it removes one, and goes on if nobody waits.
            Ok(now) if !matches!(now.state().as_str(), "removing" | "dead") => Probe::NotDone,
            _ => Probe::Unknown,
        }
    }

    /// The engine refuses while it removes the container for another reason; then it only has to be waited for.
    async fn removed(&self, target: &Target, told: Result<(), bollard::errors::Error>) -> Result<(), ToolError> {
        let Err(error) = told else { return Ok(()) };
        let code = match &error {
            bollard::errors::Error::DockerResponseServerError { status_code, .. } => *status_code,
            _ => 0,
        };
        if code == 404 {
            return Ok(());
        }
        let going = code == 409
            && matches!(self.0.snapshot(target).await.map(|now| now.state()).as_deref(), Ok("removing") | Err(_));
        if !going {
            return Err(self.0.change_failed(&error));
        }
        let options = WaitContainerOptionsBuilder::default().condition("removed").build();
        let client = self.0.client().await.map_err(|error| unseen(target, "is being removed", &error))?;
        let ended = client.wait_container(&target.id, Some(options));
        pin_mut!(ended);
        // Whatever it answers, the next look tells whether the container is gone.
        let _ = tokio::time::timeout(GOING, ended.next()).await;
        Ok(())
    }

    async fn is_gone(&self, target: &Target) -> Result<bool, ToolError> {
        let client = self.0.client().await?;
        match client.inspect_container(&target.id, None::<InspectContainerOptions>).await {
            Ok(_) => Ok(false),
            Err(error) => {
                let told = self.0.failed(&error);
                if told.kind == ToolErrorKind::NotFound { Ok(true) } else { Err(told) }
            }
        }
    }

    /// Which of its anonymous volumes went and which are still there: one may be in use elsewhere.
    async fn volumes(&self, before: &Snapshot) -> Result<(Vec<String>, Vec<String>), ToolError> {
        let client = self.0.client().await?;
        let (mut deleted, mut kept) = (Vec::new(), Vec::new());
        for name in before.anonymous_volumes() {
            match client.inspect_volume(&name).await {
                Ok(_) => kept.push(name),
                Err(error) => {
                    let told = self.0.failed(&error);
                    if told.kind != ToolErrorKind::NotFound {
                        return Err(told);
                    }
                    deleted.push(name);
                }
            }
        }
        Ok((deleted, kept))
    }
}

/// It did not go, and is not as it was either.
fn after_stop(target: &Target, error: ToolError) -> ToolError {
    let told = format!("{} was stopped to be removed; then: {}", target.name, error.message);
    ToolError::new(error.kind, told)
}
