//! `service_list`: which services there are and how they are.

use std::collections::HashMap;
use std::time::Duration;

use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::tool::{Done, Listing, Look, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Effects, Target, Tier, kernel::Permit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zbus::{DynamicType, OwnedObjectPath};

use super::bus::{Bus, MANAGER, ROOT, body};

/// Services that are answered at most.
const MAX_SERVICES: usize = 400;
/// Names that chat shows.
const SHOWN: usize = 30;
const PATTERN: [&str; 1] = ["*.service"];

/// Which services.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Which {
    /// All that systemd has loaded.
    #[default]
    All,
    /// Those with a running process.
    Running,
    /// Those that have failed.
    Failed,
}

/// The services of this machine (systemd): name, description, whether each is active, and whether it starts with the
/// machine. `state` picks the running or the failed ones.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// `all`, `running` or `failed`.
    #[serde(default)]
    state: Which,
    /// Only services with this in their name.
    #[serde(default)]
    #[schemars(length(max = 100))]
    name: Option<String>,
}

/// One service.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Service {
    /// Canonical name.
    name: String,
    /// What it is, in its author's words.
    description: String,
    /// `active`, `inactive`, `failed`, `activating`, `deactivating` or `reloading`.
    active: String,
    /// The finer state: `running`, `exited`, `dead` …
    sub: String,
    /// Whether it starts with the machine: `enabled`, `disabled`, `static`, `masked` …
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<String>,
}

/// The services.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// Failed ones first, then by name.
    services: Vec<Service>,
    /// How many there are in all.
    total: u64,
    /// Which were asked for.
    state: Which,
    /// Whether some were left out.
    cut: bool,
}

/// One row of systemd's lists: name, description, load state, active state, sub state, and five that are not needed.
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) load: String,
    pub(super) active: String,
    pub(super) sub: String,
}

type Row = (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);

impl Bus {
    /// Calls one of the methods that list units.
    pub(super) async fn listed<B>(&self, method: &str, arguments: &B) -> Result<Vec<Listed>, ToolError>
    where
        B: Serialize + DynamicType,
    {
        let rows: Vec<Row> = body(&self.call(ROOT, MANAGER, method, arguments).await?)?;
        let listed = |row: Row| Listed { name: row.0, description: row.1, load: row.2, active: row.3, sub: row.4 };
        Ok(rows.into_iter().map(listed).collect())
    }

    /// Service files by name, and whether each starts with the machine.
    async fn files(&self) -> Result<HashMap<String, String>, ToolError> {
        let every: [&str; 0] = [];
        let asked = (every.as_slice(), PATTERN.as_slice());
        let reply = self.call(ROOT, MANAGER, "ListUnitFilesByPatterns", &asked).await?;
        let rows: Vec<(String, String)> = body(&reply)?;
        let named = |(path, state): (String, String)| (path.rsplit('/').next().unwrap_or_default().to_owned(), state);
        Ok(rows.into_iter().map(named).collect())
    }

    /// Names of all services that are loaded or could be.
    pub(super) async fn service_names(&self) -> Result<Vec<String>, ToolError> {
        let mut names: Vec<_> = self.files().await?.into_keys().filter(|name| !name.contains("@.")).collect();
        let loaded = self.loaded(Which::All).await?;
        names.extend(loaded.into_iter().map(|unit| unit.name));
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Services that systemd has loaded; not those that others only mention.
    async fn loaded(&self, which: Which) -> Result<Vec<Listed>, ToolError> {
        let states: &[&str] = match which {
            Which::All => &[],
            Which::Running => &["running"],
            Which::Failed => &["failed"],
        };
        let mut units = self.listed("ListUnitsByPatterns", &(states, PATTERN.as_slice())).await?;
        units.retain(|unit| unit.load != "not-found" || unit.active != "inactive");
        Ok(units)
    }
}

pub(super) struct ServiceList(pub(super) Bus);

impl Tool for ServiceList {
    const SPEC: Spec = Spec {
        name: "service_list",
        revision: 1,
        tier: Tier::Green,
        effects: Effects::READS,
        deadline: Duration::from_secs(20),
        // Names and descriptions are from unit files, which only the administrator of the machine writes.
        trust: Trust::Named,
        secrets: &[],
        examples: &[
            "which services are running?",
            "list the services",
            "has any service failed?",
            "show failed services",
            "which services are there with {name} in their name?",
            "show all {state} services",
        ],
        lists: Some(Listing { entity: "service", items: "services", name: "name", state: "active" }),
    };
    type Args = Args;
    type Output = Output;

    async fn resolve(&self, _: &Args, _: &Look) -> Result<Target, ToolError> {
        Ok(Target::new("service", "all", "all services"))
    }

    fn sentence(&self, args: &Args, _: &Target) -> String {
        match args.state {
            Which::All => "list the services of this machine".to_owned(),
            Which::Running => "list the running services of this machine".to_owned(),
            Which::Failed => "list the failed services of this machine".to_owned(),
        }
    }

    async fn run(&self, args: Args, _: &RunContext, _: Permit<Self>) -> Result<Done<Output>, ToolError> {
        let units = self.0.loaded(args.state).await?;
        let files = self.0.files().await?;
        Ok(Done::new(output(units, &files, &args)))
    }

    fn words(&self, output: &Output) -> String {
        words(output)
    }
}

fn output(units: Vec<Listed>, files: &HashMap<String, String>, args: &Args) -> Output {
    let wanted = args.name.as_deref().unwrap_or_default().to_lowercase();
    let clean = |text: &str| shorten(&visible(text), 200);
    let mut services: Vec<_> = units
        .into_iter()
        .filter(|unit| unit.name.to_lowercase().contains(&wanted))
        .map(|unit| Service {
            enabled: files.get(&unit.name).map(|state| clean(state)),
            name: clean(&unit.name),
            description: clean(&unit.description),
            active: clean(&unit.active),
            sub: clean(&unit.sub),
        })
        .collect();
    services.sort_by(|one, other| {
        let sound = |service: &Service| service.active != "failed";
        sound(one).cmp(&sound(other)).then_with(|| one.name.cmp(&other.name))
    });
    let total = services.len();
    services.truncate(MAX_SERVICES);
    Output { cut: total > services.len(), services, total: total as u64, state: args.state }
}

fn words(output: &Output) -> String {
    let failed: Vec<_> = output.services.iter().filter(|service| service.active == "failed").collect();
    if output.services.is_empty() {
        return match output.state {
            Which::Failed => "No service has failed.".to_owned(),
            Which::Running => "No such service is running.".to_owned(),
            Which::All => "There is no such service.".to_owned(),
        };
    }
    let names = |services: &[&Service]| {
        let mut shown: Vec<_> = services.iter().take(SHOWN).map(|service| service.name.clone()).collect();
        let more = services.len() - shown.len();
        if more > 0 {
            shown.push(format!("and {more} more"));
        }
        shown.join(", ")
    };
    let mut lines = Vec::new();
    if !failed.is_empty() {
        lines.push(format!("Failed: {}.", names(&failed)));
    }
    let running: Vec<_> = output.services.iter().filter(|service| service.sub == "running").collect();
    if !running.is_empty() {
        lines.push(format!("Running: {}.", names(&running)));
    }
    let other: Vec<_> =
        output.services.iter().filter(|service| service.active != "failed" && service.sub != "running").collect();
    // Finished and sleeping services are many and rarely meant, unless somebody asked for few.
    if !other.is_empty() && other.len() <= 12 {
        let shown: Vec<_> = other.iter().map(|service| format!("{} ({})", service.name, service.sub)).collect();
        lines.push(format!("Not running: {}.", shown.join(", ")));
    } else if !other.is_empty() {
        lines.push(format!("{} more are loaded and not running.", other.len()));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &str, active: &str, sub: &str) -> Listed {
        Listed {
            name: name.to_owned(),
            description: String::new(),
            load: "loaded".to_owned(),
            active: active.to_owned(),
            sub: sub.to_owned(),
        }
    }

    fn all(units: Vec<Listed>, name: Option<&str>) -> Output {
        let args = Args { state: Which::All, name: name.map(str::to_owned) };
        output(units, &HashMap::from([("b.service".to_owned(), "enabled".to_owned())]), &args)
    }

    #[test]
    fn what_has_failed_comes_first() {
        let units = vec![
            unit("a.service", "active", "running"),
            unit("b.service", "failed", "failed"),
            unit("c.service", "active", "exited"),
        ];
        let output = all(units, None);
        assert_eq!(output.services[0].name, "b.service");
        assert_eq!(output.services[0].enabled.as_deref(), Some("enabled"));
        assert_eq!(words(&output), "Failed: b.service.\nRunning: a.service.\nNot running: c.service (exited).");
    }

    #[test]
    fn more_than_can_be_shown_is_said_to_be_cut() {
        let units = (0..500).map(|number| unit(&format!("s{number}.service"), "active", "running")).collect();
        let output = all(units, None);
        assert_eq!((output.services.len(), output.total, output.cut), (400, 500, true));
        assert!(words(&output).contains("and 370 more"));
    }

    #[test]
    fn a_part_of_the_name_is_enough() {
        let units = vec![unit("Lab-Demo.service", "active", "running"), unit("x.service", "active", "running")];
        assert_eq!(all(units, Some("demo")).services.len(), 1);
    }
}
