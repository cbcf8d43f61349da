//! Finding a container, and what is known of one.

use std::collections::BTreeSet;

use bollard::models::{ContainerInspectResponse, ContainerSummary, HealthStatusEnum, MountPoint, PortMap};
use bollard::query_parameters::ListContainersOptionsBuilder;
use jarvis_safety::Target;
use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::tool::{ToolError, ToolErrorKind};

use super::engine::Docker;
use super::moment;

/// Shortest beginning of an id that counts as one.
const SHORTEST_ID: usize = 8;
/// How alike a name must be to be offered instead (Jaro-Winkler, 0 to 1).
const NEAR: f64 = 0.75;

impl Docker {
    /// The one container that is meant: by exact name, full id, or a beginning of the id that fits no other.
    pub(super) async fn container(&self, wanted: &str) -> Result<Target, ToolError> {
        let all = self.containers().await?;
        let known: Vec<(String, &str)> =
            all.iter().filter_map(|one| Some((name_of(one), one.id.as_deref()?))).collect();
        let name = wanted.strip_prefix('/').unwrap_or(wanted);
        if let Some((name, id)) = known.iter().find(|(known, id)| known == name || *id == name) {
            return Ok(Target::new("container", *id, name.clone()));
        }
        let is_id = name.len() >= SHORTEST_ID && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let lower = name.to_ascii_lowercase();
        let begins: Vec<_> = known.iter().filter(|(_, id)| is_id && id.starts_with(&lower)).collect();
        match begins.as_slice() {
            [(name, id)] => Ok(Target::new("container", *id, name.clone())),
            [] => Err(unknown(name, known.iter().map(|(name, _)| name.as_str()))),
            several => Err(ToolError::new(
                ToolErrorKind::Invalid,
                format!("the ids of {} containers begin with `{lower}`; give more of the id, or a name", several.len()),
            )),
        }
    }

    /// All containers, also those that do not run.
    pub(super) async fn containers(&self) -> Result<Vec<ContainerSummary>, ToolError> {
        let options = ListContainersOptionsBuilder::default().all(true).build();
        let listed = self.client().await?.list_containers(Some(options)).await;
        listed.map_err(|error| self.failed(&error))
    }

    /// All that the engine tells of a container.
    pub(super) async fn snapshot(&self, target: &Target) -> Result<Snapshot, ToolError> {
        let inspected = self.client().await?.inspect_container(&target.id, None).await;
        inspected.map(Snapshot).map_err(|error| {
            let told = self.failed(&error);
            if told.kind == ToolErrorKind::NotFound { gone(target) } else { told }
        })
    }
}

/// The container was there when the call was decided.
pub(super) fn gone(target: &Target) -> ToolError {
    ToolError::new(
        ToolErrorKind::NotFound,
        format!("the container {} is not there any more; docker_list shows what is", target.name),
    )
}

fn unknown<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> ToolError {
    let lower = wanted.to_lowercase();
    let mut near: Vec<(f64, &str)> = names
        .map(|name| (strsim::jaro_winkler(&lower, &name.to_lowercase()), name))
        .filter(|(likeness, name)| *likeness >= NEAR || name.to_lowercase().contains(&lower))
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let near: Vec<_> = near.iter().take(3).map(|(_, name)| *name).collect();
    let hint =
        if near.is_empty() { "docker_list shows all".to_owned() } else { format!("did you mean {}?", near.join(", ")) };
    let shown = shorten(&visible(wanted), 80);
    ToolError::new(ToolErrorKind::NotFound, format!("there is no container `{shown}`; {hint}"))
}

/// The container's own name; names with another slash belong to links from other containers.
pub(super) fn name_of(summary: &ContainerSummary) -> String {
    let names = summary.names.iter().flatten().map(|name| name.trim_start_matches('/'));
    let own = names.clone().find(|name| !name.contains('/')).or_else(|| names.clone().next());
    let short = || summary.id.as_deref().unwrap_or_default().chars().take(12).collect();
    own.map_or_else(short, visible)
}

/// What the engine told of one container at one moment.
pub(super) struct Snapshot(pub(super) ContainerInspectResponse);

impl Snapshot {
    /// `running`, `exited`, `restarting` …
    pub(super) fn state(&self) -> String {
        let state = self.0.state.as_ref().and_then(|state| state.status);
        state.map(|state| state.to_string()).filter(|state| !state.is_empty()).unwrap_or("unknown".to_owned())
    }

    /// Whether its process is there, paused or not.
    pub(super) fn is_running(&self) -> bool {
        self.0.state.as_ref().and_then(|state| state.running).unwrap_or(false)
    }

    /// `healthy`, `unhealthy` or `starting`, for a container that has a health check and runs.
    pub(super) fn health(&self) -> Option<String> {
        let state = self.0.state.as_ref()?;
        let health = state.health.as_ref()?.status?;
        let told = !matches!(health, HealthStatusEnum::EMPTY | HealthStatusEnum::NONE);
        (told && self.is_running()).then(|| health.to_string())
    }

    /// Since when it runs, or when it last began to.
    pub(super) fn started(&self) -> Option<i64> {
        self.0.state.as_ref()?.started_at.as_deref().and_then(moment::parse)
    }

    /// When it last ended.
    pub(super) fn finished(&self) -> Option<i64> {
        self.0.state.as_ref()?.finished_at.as_deref().and_then(moment::parse)
    }

    /// Exit code of a container that has ended.
    pub(super) fn exit_code(&self) -> Option<i64> {
        let state = self.0.state.as_ref()?;
        let ended = self.finished().is_some() && !state.running.unwrap_or(false);
        state.exit_code.filter(|_| ended || state.restarting.unwrap_or(false))
    }

    /// The image as it was named when the container was made.
    pub(super) fn image(&self) -> String {
        let image = self.0.config.as_ref().and_then(|config| config.image.as_deref());
        visible(image.or(self.0.image.as_deref()).unwrap_or("unknown image"))
    }

    /// Ports: `8080->80/tcp` for published ones, `80/tcp` for the others.
    pub(super) fn ports(&self) -> Vec<String> {
        self.0.network_settings.as_ref().and_then(|network| network.ports.as_ref()).map_or_else(Vec::new, ports)
    }

    /// What is mounted into it.
    pub(super) fn mounts(&self) -> &[MountPoint] {
        self.0.mounts.as_deref().unwrap_or_default()
    }

    /// Names of the volumes that nobody gave a name, which go with the container when that is asked for.
    pub(super) fn anonymous_volumes(&self) -> Vec<String> {
        let volumes = self.mounts().iter().filter(|mount| mount.typ.as_deref() == Some("volume"));
        volumes.filter_map(|mount| mount.name.clone()).filter(|name| is_anonymous(name)).collect()
    }

    /// Whether the engine removes it by itself once it stops.
    pub(super) fn removes_itself(&self) -> bool {
        self.0.host_config.as_ref().and_then(|host| host.auto_remove).unwrap_or(false)
    }

    /// State, time and health in words: `running, up 3 h, healthy` or `exited 5 min ago with code 1`.
    pub(super) fn told(&self, now: i64) -> String {
        let state = self.state();
        if self.is_running() {
            let up = self.started().map(|at| format!(", up {}", moment::span(now - at)));
            let health = self.health().map(|health| format!(", {health}"));
            return format!("{state}{}{}", up.unwrap_or_default(), health.unwrap_or_default());
        }
        let ago = self.finished().map(|at| format!(" {} ago", moment::span(now - at)));
        let code = self.exit_code().map(|code| format!(" with code {code}"));
        format!("{state}{}{}", ago.unwrap_or_default(), code.unwrap_or_default())
    }
}

/// Whether a volume's name is the kind that the engine makes up.
pub(super) fn is_anonymous(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn ports(map: &PortMap) -> Vec<String> {
    let mut told = BTreeSet::new();
    for (inner, bindings) in map {
        let bindings = bindings.iter().flatten();
        let published: Vec<_> = bindings
            .filter_map(|binding| {
                let port = binding.host_port.as_deref()?;
                Some(published(binding.host_ip.as_deref(), port, inner))
            })
            .collect();
        if published.is_empty() {
            told.insert(visible(inner));
        }
        told.extend(published);
    }
    told.into_iter().collect()
}

/// A published port; the address only where it is not all of them.
pub(super) fn published(address: Option<&str>, port: &str, inner: &str) -> String {
    match address.filter(|address| !matches!(*address, "" | "0.0.0.0" | "::")) {
        Some(address) if address.contains(':') => visible(&format!("[{address}]:{port}->{inner}")),
        Some(address) => visible(&format!("{address}:{port}->{inner}")),
        None => visible(&format!("{port}->{inner}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_answered_with_at_most_three_near_ones() {
        let told = unknown("web1", ["web", "web-2", "webdav", "web-old", "postgres"].into_iter()).message;
        assert!(told.starts_with("there is no container `web1`; did you mean web"), "{told}");
        assert!(told.matches(',').count() == 2 && !told.contains("postgres"), "{told}");
        assert!(unknown("zzz", ["web"].into_iter()).message.ends_with("docker_list shows all"));
    }

    #[test]
    fn a_link_does_not_give_a_container_its_name() {
        let names = vec!["/app/db".to_owned(), "/db".to_owned()];
        assert_eq!(name_of(&ContainerSummary { names: Some(names), ..Default::default() }), "db");
        let id = Some("0123456789abcdef".to_owned());
        assert_eq!(name_of(&ContainerSummary { id, ..Default::default() }), "0123456789ab");
    }
}
