//! What a person sees of a container before saying yes.

use bollard::models::MountPoint;
use jarvis_safety::Target;
use jarvis_safety::plain::visible;
use jarvis_safety::tool::ToolError;

use super::container::{Snapshot, is_anonymous};
use super::engine::Docker;

/// Most mounts that a card names.
const MOST: usize = 12;

impl Docker {
    /// The container as it is, and the first lines of its card: state, image, published ports.
    pub(super) async fn card(&self, target: &Target) -> Result<(Snapshot, Vec<String>), ToolError> {
        let snapshot = self.snapshot(target).await?;
        let now = self.now().await?;
        let mut lines = vec![format!("{} is {} ({}).", target.name, snapshot.told(now), snapshot.image())];
        if self.is_own(target) {
            lines.push("Jarvis himself runs in this container: he will be gone with it.".to_owned());
        }
        let ports = snapshot.ports();
        let published: Vec<_> = ports.iter().filter(|port| port.contains("->")).map(String::as_str).collect();
        if snapshot.is_running() && !published.is_empty() {
            lines.push(format!("Published ports {} will not answer.", published.join(", ")));
        }
        Ok((snapshot, lines))
    }

    /// ` (Jarvis himself runs in it)` where that is so.
    pub(super) fn himself(&self, target: &Target) -> &'static str {
        if self.is_own(target) { " (Jarvis himself runs in it)" } else { "" }
    }
}

impl Snapshot {
    /// What becomes of its mounts, a line each.
    pub(super) fn fate_of_mounts(&self, with_volumes: bool) -> Vec<String> {
        let mounts = self.mounts();
        let mut lines: Vec<_> = mounts.iter().take(MOST).map(|mount| fate(mount, with_volumes)).collect();
        if mounts.len() > MOST {
            lines.push(format!("{} more mounts are not shown; docker_inspect shows them.", mounts.len() - MOST));
        }
        lines
    }
}

fn fate(mount: &MountPoint, with_volumes: bool) -> String {
    let place = visible(mount.destination.as_deref().unwrap_or_default());
    let name = mount.name.as_deref().unwrap_or_default();
    let source = visible(mount.source.as_deref().unwrap_or_default());
    match mount.typ.as_deref() {
        Some("volume") if is_anonymous(name) => {
            let short = &name[..12];
            if with_volumes {
                format!("Anonymous volume {short} (at {place}) is deleted with all that it holds.")
            } else {
                format!("Anonymous volume {short} (at {place}) stays, without a container.")
            }
        }
        Some("volume") => format!("Volume {} (at {place}) stays.", visible(name)),
        Some("bind") => format!("{source} on the host (at {place}) stays as it is."),
        _ => format!("What is mounted at {place} is not kept."),
    }
}
