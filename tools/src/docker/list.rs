//! `docker_list`: which containers there are and how they are.

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum, PortSummary};
use jarvis_safety::kernel::Permit;
use jarvis_safety::plain::visible;
use jarvis_safety::tool::{Done, Listing, Look, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::container::{name_of, published};
use super::engine::Docker;

/// Most containers in one answer.
const MOST: usize = 300;
/// Most names in one sentence.
const NAMED: usize = 12;

pub(super) struct List(pub(super) Docker);

/// Lists the Docker containers with image, state, health and ports. Can be narrowed to running or exited ones, or to a
/// part of the name.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Which containers.
    #[serde(default)]
    state: Wanted,
    /// A part of the name, in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Wanted {
    Running,
    Exited,
    #[default]
    All,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The containers, by name.
    containers: Vec<Container>,
    /// How many more fit and were left out.
    cut: usize,
    /// How many containers the engine has in all.
    total: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Container {
    /// Full id.
    id: String,
    name: String,
    image: String,
    /// `running`, `exited`, `created`, `paused`, `restarting`, `removing` or `dead`.
    state: String,
    /// What the engine says of it: `Up 3 hours`.
    status: String,
    /// `healthy`, `unhealthy` or `starting`, where there is a health check.
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<String>,
    /// `8080->80/tcp` is published, `80/tcp` is not.
    ports: Vec<String>,
    /// When it was made, in milliseconds since 1970.
    created: i64,
}

impl Tool for List {
    const SPEC: Spec = Spec {
        name: "docker_list",
        revision: 1,
        tier: Tier::Green,
        effects: Effects::READS,
        deadline: Duration::from_secs(15),
        trust: Trust::Named,
        secrets: &[],
        examples: &[
            "which containers are there?",
            "list all containers",
            "show me docker",
            "docker ps",
            "what containers are running?",
            "list the containers named {name}",
            "list the containers with {name} in their name",
            "which containers have stopped?",
            "are all containers healthy?",
        ],
        lists: Some(Listing { entity: "container", items: "containers", name: "name", state: "state" }),
    };
    type Args = Args;
    type Output = Output;

    async fn resolve(&self, _: &Args, _: &Look) -> Result<Target, ToolError> {
        self.0.target().await
    }

    fn sentence(&self, args: &Args, _: &Target) -> String {
        let which = match args.state {
            Wanted::Running => "the running containers",
            Wanted::Exited => "the containers that have ended",
            Wanted::All => "all containers",
        };
        match &args.name {
            Some(name) => format!("List {which} named like “{name}”."),
            None => format!("List {which}."),
        }
    }

    async fn run(&self, args: Args, _: &RunContext, _: Permit<Self>) -> Result<Done<Output>, ToolError> {
        let all = self.0.containers().await?;
        let total = all.len();
        let part = args.name.as_deref().map(str::to_lowercase);
        let mut containers: Vec<_> = all
            .into_iter()
            .map(Container::of)
            .filter(|one| match args.state {
                Wanted::Running => one.state == "running",
                Wanted::Exited => matches!(one.state.as_str(), "exited" | "dead"),
                Wanted::All => true,
            })
            .filter(|one| part.as_ref().is_none_or(|part| one.name.to_lowercase().contains(part)))
            .collect();
        containers.sort_by(|a, b| a.name.cmp(&b.name));
        let cut = containers.len().saturating_sub(MOST);
        containers.truncate(MOST);
        Ok(Done::new(Output { containers, cut, total }))
    }

    fn words(&self, output: &Output) -> String {
        match output.containers.as_slice() {
            [] if output.total == 0 => "There is no container on this engine.".to_owned(),
            [] => format!("None of the {} fits.", counted(output.total)),
            [one] => one.told(),
            several => told(several, output.cut),
        }
    }
}

impl Container {
    fn of(summary: ContainerSummary) -> Self {
        let name = name_of(&summary);
        let status = visible(summary.status.as_deref().unwrap_or_default());
        let (status, health) = split_health(&status);
        Self {
            id: summary.id.unwrap_or_default(),
            name,
            image: visible(summary.image.as_deref().unwrap_or_default()),
            state: summary.state.unwrap_or(ContainerSummaryStateEnum::EMPTY).to_string(),
            status,
            health,
            ports: ports(summary.ports.unwrap_or_default()),
            created: summary.created.unwrap_or_default().saturating_mul(1000),
        }
    }

    /// `web is running (lab/web:1), up 3 hours, healthy.`
    fn told(&self) -> String {
        let status = match self.status.strip_prefix("Up ") {
            Some(up) => format!(", up {}", lower_first(up)),
            // `Exited (1) 5 minutes ago` says more than the state.
            None if self.state == "exited" => format!(": {}", lower_first(&self.status)),
            None => String::new(),
        };
        let health = self.health.as_ref().map(|health| match health.as_str() {
            "starting" => ", its health check has not passed yet".to_owned(),
            health => format!(", {health}"),
        });
        let open: Vec<_> = self.ports.iter().filter(|port| port.contains("->")).map(String::as_str).collect();
        let open = if open.is_empty() { String::new() } else { format!(", published ports {}", open.join(", ")) };
        let verb = if self.state == "running" { "is running" } else { "is not running" };
        let state = if matches!(self.state.as_str(), "running" | "exited") {
            String::new()
        } else {
            format!(" ({})", self.state)
        };
        format!("{} {verb}{state} ({}){status}{}{open}.", self.name, self.image, health.unwrap_or_default())
    }
}

/// `14 containers: 12 running, 2 exited (old-db, test-db).`
fn told(containers: &[Container], cut: usize) -> String {
    let mut states: BTreeMap<(bool, &str), Vec<&str>> = BTreeMap::new();
    for one in containers {
        states.entry((one.state != "running", &one.state)).or_default().push(&one.name);
    }
    let parts: Vec<_> = states
        .iter()
        .map(|((_, state), names)| {
            let more = names.len().saturating_sub(NAMED);
            let shown: Vec<_> = names.iter().take(NAMED).copied().collect();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{} {state} ({}{more})", names.len(), shown.join(", "))
        })
        .collect();
    let sick: Vec<_> = containers
        .iter()
        .filter(|one| one.health.as_deref() == Some("unhealthy"))
        .map(|one| one.name.as_str())
        .collect();
    let sick = if sick.is_empty() { String::new() } else { format!(" Unhealthy: {}.", sick.join(", ")) };
    let cut = if cut > 0 { format!(" {cut} more were left out; narrow it by name.") } else { String::new() };
    format!("{}: {}.{sick}{cut}", counted(containers.len()), parts.join(", "))
}

fn counted(number: usize) -> String {
    if number == 1 { "1 container".to_owned() } else { format!("{number} containers") }
}

/// Engines before API 1.52 tell the health only inside the status: `Up 3 hours (healthy)`.
fn split_health(status: &str) -> (String, Option<String>) {
    for (mark, health) in
        [(" (healthy)", "healthy"), (" (unhealthy)", "unhealthy"), (" (health: starting)", "starting")]
    {
        if let Some(rest) = status.strip_suffix(mark) {
            return (rest.to_owned(), Some(health.to_owned()));
        }
    }
    (status.to_owned(), None)
}

fn ports(ports: Vec<PortSummary>) -> Vec<String> {
    let mut told: Vec<_> = ports
        .into_iter()
        .map(|port| {
            let kind = port.typ.map_or_else(|| "tcp".to_owned(), |kind| kind.to_string());
            let inner = format!("{}/{kind}", port.private_port);
            match port.public_port {
                Some(public) => published(port.ip.as_deref(), &public.to_string(), &inner),
                None => inner,
            }
        })
        .collect();
    told.sort();
    told.dedup();
    told
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, state: &str, status: &str) -> Container {
        let (status, health) = split_health(status);
        Container {
            id: "0".repeat(64),
            name: name.to_owned(),
            image: "lab/web:1".to_owned(),
            state: state.to_owned(),
            status,
            health,
            ports: vec!["8080->80/tcp".to_owned(), "81/tcp".to_owned()],
            created: 0,
        }
    }

    #[test]
    fn one_container_is_told_with_all_that_matters() {
        assert_eq!(
            one("web", "running", "Up About an hour (healthy)").told(),
            "web is running (lab/web:1), up about an hour, healthy, published ports 8080->80/tcp."
        );
        let mut ended = one("db", "exited", "Exited (1) 5 minutes ago");
        ended.ports.clear();
        assert_eq!(ended.told(), "db is not running (lab/web:1): exited (1) 5 minutes ago.");
        let mut fresh = one("new", "created", "Created");
        fresh.ports.clear();
        assert_eq!(fresh.told(), "new is not running (created) (lab/web:1).");
    }

    #[test]
    fn several_are_counted_by_state_and_the_sick_are_named() {
        let all = [
            one("old-db", "exited", "Exited (0) 2 days ago"),
            one("web", "running", "Up 3 hours (unhealthy)"),
            one("db", "running", "Up 3 hours"),
        ];
        assert_eq!(told(&all, 0), "3 containers: 2 running (web, db), 1 exited (old-db). Unhealthy: web.");
        assert!(told(&all, 7).ends_with("7 more were left out; narrow it by name."));
    }
}
