//! Whether a container that was just started stays up.
//!
//! The engine says yes as soon as the process exists. One that dies a moment later would make that a lie, so it is
//! watched for a short while, and a health check that has not spoken yet is given a little longer. When the look fails,
//! the start has still been made: that is a doubt and no failure.

use std::time::Duration;

use bollard::query_parameters::WaitContainerOptions;
use futures_util::{StreamExt as _, pin_mut};
use jarvis_safety::Target;
use jarvis_safety::tool::{RunContext, ToolError, ToolErrorKind};
use schemars::JsonSchema;
use serde::Serialize;

use super::container::Snapshot;
use super::engine::Docker;
use super::failure;
use crate::doubt::in_doubt;

/// How long a fresh process is watched.
const WATCHED: Duration = Duration::from_secs(2);
/// How often and how many times a health check is looked at that has not spoken yet.
const PAUSE: Duration = Duration::from_millis(500);
const LOOKS: u32 = 16;

/// A container after something was done to it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct After {
    /// Full id.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) image: String,
    /// `running`, `exited`, `restarting` …
    pub(super) state: String,
    /// State, time and health in words.
    pub(super) status: String,
    /// `healthy`, `unhealthy` or `starting`, where there is a health check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) health: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exit_code: Option<i64>,
    /// Whether anything was done: false if it was so already.
    pub(super) changed: bool,
}

impl After {
    pub(super) fn of(snapshot: &Snapshot, target: &Target, now: i64, changed: bool) -> Self {
        Self {
            id: target.id.clone(),
            name: target.name.clone(),
            image: snapshot.image(),
            state: snapshot.state(),
            status: snapshot.told(now),
            health: snapshot.health(),
            exit_code: snapshot.exit_code(),
            changed,
        }
    }

    /// Whether its process is there, paused or not.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.state.as_str(), "running" | "paused")
    }

    /// `web was restarted and runs, healthy (lab/web:1).`
    pub(super) fn told(&self, done: &str) -> String {
        let (name, image) = (&self.name, &self.image);
        match (self.state.as_str(), self.health.as_deref()) {
            ("running", Some("unhealthy")) => {
                format!("{name} {done} and runs, but its health check fails ({image}); docker_logs may say why.")
            }
            ("running", Some("starting")) => {
                format!("{name} {done} and runs; its health check has not passed yet ({image}).")
            }
            ("running", Some(health)) => format!("{name} {done} and runs, {health} ({image})."),
            ("running", None) => format!("{name} {done} and runs ({image})."),
            _ => format!("{name} {done}; it ended by itself with code 0 ({image})."),
        }
    }
}

impl Docker {
    /// Watches a container that was just started and answers how it is then.
    ///
    /// One that ended with a code other than 0, or that the engine starts again and again, has failed.
    pub(super) async fn settle(&self, target: &Target, done: &str, cx: &RunContext) -> Result<After, ToolError> {
        let watched = self.watch(target, cx).await;
        let (snapshot, now) = watched.map_err(|error| unseen(target, done, &error))?;
        fell(&snapshot, target, done).map_or_else(|| Ok(After::of(&snapshot, target, now, true)), Err)
    }

    /// What a failed start means. An engine that fell over it (a port that is taken) has said why, and a container that
    /// shows no new start was not started.
    pub(super) async fn not_started(
        &self,
        before: &Snapshot,
        target: &Target,
        error: &bollard::errors::Error,
    ) -> ToolError {
        let told = self.change_failed(error);
        match self.snapshot(target).await {
            Ok(now) if failure::is_fault(error) && !now.is_running() && now.started() == before.started() => {
                let (name, state) = (&target.name, now.state());
                ToolError::new(ToolErrorKind::Failed, format!("{}; {name} is {state} now", told.message))
            }
            _ => told,
        }
    }

    async fn watch(&self, target: &Target, cx: &RunContext) -> Result<(Snapshot, i64), ToolError> {
        cx.progress(0.0, None, format!("watching whether {} stays up", target.name));
        let ended = self.client().await?.wait_container(&target.id, None::<WaitContainerOptions>);
        pin_mut!(ended);
        // Whether it ended, the time is over or the question failed: what counts is how the container is then.
        let _ = tokio::time::timeout(WATCHED, ended.next()).await;
        let mut snapshot = self.snapshot(target).await?;
        for _ in 0..LOOKS {
            if snapshot.health().as_deref() != Some("starting") {
                break;
            }
            cx.progress(0.0, None, format!("waiting for the health check of {}", target.name));
            tokio::time::sleep(PAUSE).await;
            snapshot = self.snapshot(target).await?;
        }
        Ok((snapshot, self.now().await?))
    }
}

/// It was done, and then nobody could look.
pub(super) fn unseen(target: &Target, done: &str, error: &ToolError) -> ToolError {
    let told = format!("{} {done}, but how it is now cannot be seen: {}", target.name, error.message);
    in_doubt(ToolError::new(error.kind, told))
}

fn fell(snapshot: &Snapshot, target: &Target, done: &str) -> Option<ToolError> {
    let name = &target.name;
    let again = snapshot.0.restart_count.unwrap_or(0);
    let code = snapshot.exit_code().unwrap_or(0);
    let state = snapshot.state();
    let why = if state == "restarting" || again > 0 {
        format!("{name} {done} but does not stay up: it ends with code {code} and the engine starts it again and again")
    } else if state == "running" || (state == "exited" && code == 0) {
        return None;
    } else {
        format!("{name} {done} but did not stay up: it is {state} with exit code {code}")
    };
    Some(ToolError::new(ToolErrorKind::Failed, format!("{why}; docker_logs of {name} may say why")))
}
