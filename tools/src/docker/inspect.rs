//! `docker_inspect`: what matters of one container. Values of environment variables are never shown.

use std::time::Duration;

use bollard::models::{ContainerConfig, HostConfig, NetworkSettings, RestartPolicyNameEnum};
use jarvis_safety::kernel::Permit;
use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::tool::{Done, Look, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::container::Snapshot;
use super::engine::Docker;
use super::{moment, redact};

/// Most entries of each list in the answer.
const MOST: usize = 60;
/// Longest command line and label value, in characters.
const LONGEST: usize = 300;

pub(super) struct Inspect(pub(super) Docker);

/// Shows how one container is set up and how it is doing: image, state, health, restarts, ports, mounts, networks,
/// limits, labels. Names of environment variables are shown, their values never.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Name or id of the container.
    #[schemars(extend("x-entity" = "container"))]
    container: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// Full id.
    id: String,
    name: String,
    image: String,
    /// `running`, `exited`, `created`, `paused`, `restarting`, `removing` or `dead`.
    state: String,
    /// State, time and health in words.
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<String>,
    /// When it was made, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<i64>,
    /// When it last started, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<i64>,
    /// When it last ended, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    finished: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i64>,
    /// Whether the kernel ended it because memory ran out.
    out_of_memory: bool,
    /// How often the engine has started it again by itself.
    restart_count: i64,
    /// `no`, `always`, `unless-stopped` or `on-failure`.
    restart_policy: String,
    /// Command line, with what looks like a secret hidden.
    command: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// Whether it has all rights on the host.
    privileged: bool,
    ports: Vec<String>,
    mounts: Vec<Mount>,
    networks: Vec<Network>,
    limits: Limits,
    labels: Vec<Label>,
    /// Names of the environment variables.
    env_names: Vec<String>,
    /// How many entries of the lists were left out.
    cut: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Mount {
    /// `volume`, `bind` or `tmpfs`.
    kind: String,
    /// Name of the volume, or path on the host.
    source: String,
    /// Path in the container.
    destination: String,
    writable: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Network {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
}

/// What is not set is not limited.
#[derive(Debug, Default, Serialize, JsonSchema)]
struct Limits {
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_bytes: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpus: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    processes: Option<i64>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Label {
    name: String,
    /// Shortened, with what looks like a secret hidden.
    value: String,
}

impl Tool for Inspect {
    const SPEC: Spec = Spec {
        name: "docker_inspect",
        revision: 1,
        tier: Tier::Green,
        effects: Effects::READS,
        deadline: Duration::from_secs(15),
        trust: Trust::Untrusted,
        secrets: &[],
        examples: &[
            "is {container} running?",
            "is {container} healthy?",
            "inspect {container}",
            "how is {container} configured?",
            "show the details of {container}",
            "which ports does {container} use?",
            "what is mounted into {container}?",
            "how long has {container} been running?",
            "why did {container} stop?",
            "how often did {container} restart?",
        ],
        lists: None,
    };
    type Args = Args;
    type Output = Output;

    async fn resolve(&self, args: &Args, _: &Look) -> Result<Target, ToolError> {
        self.0.container(&args.container).await
    }

    fn sentence(&self, _: &Args, target: &Target) -> String {
        format!("Show how container {} is set up and how it is doing.", target.name)
    }

    async fn run(&self, _: Args, _: &RunContext, permit: Permit<Self>) -> Result<Done<Output>, ToolError> {
        let snapshot = self.0.snapshot(permit.target()).await?;
        let now = self.0.now().await?;
        Ok(Done::new(Output::of(snapshot, permit.target(), now)))
    }

    fn words(&self, output: &Output) -> String {
        let mut lines = vec![output.first_line()];
        if output.out_of_memory {
            lines.push("The kernel ended it because memory ran out.".to_owned());
        }
        if output.restart_count > 0 {
            lines.push(format!("The engine has restarted it {} times by itself.", output.restart_count));
        }
        if !output.ports.is_empty() {
            lines.push(format!("Ports: {}.", output.ports.join(", ")));
        }
        if !output.mounts.is_empty() {
            let mounts: Vec<_> = output
                .mounts
                .iter()
                .take(8)
                .map(|mount| format!("{} at {}", mount.source, mount.destination))
                .collect();
            let more = output.mounts.len().saturating_sub(8);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            lines.push(format!("Mounts: {}{more}.", mounts.join(", ")));
        }
        lines.push(format!("Restart policy: {}.", output.restart_policy));
        lines.join("\n")
    }
}

impl Output {
    /// `web is running (lab/web:1), up 3 h, healthy.`
    fn first_line(&self) -> String {
        let (name, image, status) = (&self.name, &self.image, &self.status);
        match status.split_once(", up ") {
            Some((state, since)) => format!("{name} is {state} ({image}), up {since}."),
            None => format!("{name} is not running ({image}): {status}."),
        }
    }

    fn of(snapshot: Snapshot, target: &Target, now: i64) -> Self {
        let mut cut = 0;
        let networks = snapshot.0.network_settings.as_ref().map_or_else(Vec::new, networks);
        let config = snapshot.0.config.clone().unwrap_or_default();
        let host = snapshot.0.host_config.clone().unwrap_or_default();
        let state = snapshot.0.state.as_ref();
        Self {
            id: target.id.clone(),
            name: target.name.clone(),
            image: snapshot.image(),
            state: snapshot.state(),
            status: snapshot.told(now),
            health: snapshot.health(),
            created: snapshot.0.created.as_deref().and_then(moment::parse),
            started: snapshot.started(),
            finished: snapshot.finished().filter(|_| !snapshot.is_running()),
            exit_code: snapshot.exit_code(),
            out_of_memory: state.and_then(|state| state.oom_killed).unwrap_or(false),
            restart_count: snapshot.0.restart_count.unwrap_or(0),
            restart_policy: policy(&host),
            command: command(&snapshot),
            user: config.user.as_deref().filter(|user| !user.is_empty()).map(visible),
            privileged: host.privileged.unwrap_or(false),
            limits: limits(&host),
            ports: first(snapshot.ports(), &mut cut),
            networks: first(networks, &mut cut),
            mounts: first(mounts(&snapshot), &mut cut),
            labels: first(labels(&config), &mut cut),
            env_names: first(env_names(&config), &mut cut),
            cut,
        }
    }
}

/// The first entries; counts the others.
fn first<T>(mut list: Vec<T>, cut: &mut usize) -> Vec<T> {
    *cut += list.len().saturating_sub(MOST);
    list.truncate(MOST);
    list
}

fn command(snapshot: &Snapshot) -> String {
    let words = snapshot.0.path.iter().chain(snapshot.0.args.iter().flatten());
    redact::command(&words.cloned().collect::<Vec<_>>(), LONGEST)
}

fn mounts(snapshot: &Snapshot) -> Vec<Mount> {
    let shown = |text: &Option<String>| visible(text.as_deref().unwrap_or_default());
    snapshot
        .mounts()
        .iter()
        .map(|mount| Mount {
            kind: shown(&mount.typ),
            source: shown(if mount.name.is_some() { &mount.name } else { &mount.source }),
            destination: shown(&mount.destination),
            writable: mount.rw.unwrap_or(false),
        })
        .collect()
}

fn networks(settings: &NetworkSettings) -> Vec<Network> {
    let all = settings.networks.iter().flatten();
    let mut told: Vec<_> = all
        .map(|(name, end)| Network {
            name: visible(name),
            address: end.ip_address.as_deref().filter(|address| !address.is_empty()).map(visible),
        })
        .collect();
    told.sort_by(|a, b| a.name.cmp(&b.name));
    told
}

fn limits(host: &HostConfig) -> Limits {
    let set = |number: Option<i64>| number.filter(|number| *number > 0);
    let quota = set(host.cpu_quota).map(|quota| quota as f64 / set(host.cpu_period).unwrap_or(100_000) as f64);
    Limits {
        memory_bytes: set(host.memory),
        cpus: set(host.nano_cpus).map(|nano| nano as f64 / 1e9).or(quota),
        processes: set(host.pids_limit),
    }
}

fn policy(host: &HostConfig) -> String {
    let name = host.restart_policy.as_ref().and_then(|policy| policy.name);
    match name {
        None | Some(RestartPolicyNameEnum::EMPTY) => "no".to_owned(),
        Some(name) => name.to_string(),
    }
}

fn labels(config: &ContainerConfig) -> Vec<Label> {
    let all = config.labels.iter().flatten();
    let mut told: Vec<_> = all
        .map(|(name, value)| Label {
            name: shorten(&visible(name), LONGEST),
            value: redact::label(name, value, LONGEST),
        })
        .collect();
    told.sort_by(|a, b| a.name.cmp(&b.name));
    told
}

/// The part before the first equals sign, and nothing else.
fn env_names(config: &ContainerConfig) -> Vec<String> {
    let names = config.env.iter().flatten().map(|entry| entry.split('=').next().unwrap_or_default());
    let mut names: Vec<_> = names.map(|name| shorten(&visible(name), LONGEST)).collect();
    names.sort();
    names
}
