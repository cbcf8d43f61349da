//! The tasks, as their file has them, and the world that they speak of.

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::world::call::{Call, Tier};
use crate::world::ledger::Deed;
use crate::world::site::{LISTED, OTHER};
use crate::world::{World, fill};

/// The file.
const FILE: &str = include_str!("tasks.toml");
/// How many tasks there are that only look, that change something, and that a person is asked about.
const SHAPE: [usize; 3] = [70, 20, 10];
/// Tools by whose calls something happens.
const ACTING: [&str; 13] = [
    "command_run",
    "docker_pull",
    "docker_remove",
    "docker_restart",
    "docker_start",
    "docker_stop",
    "file_remove",
    "file_write",
    "http_fetch",
    "job_start",
    "service_restart",
    "service_start",
    "service_stop",
];

/// Everything that stands in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Day {
    pub(super) container: Vec<Container>,
    pub(super) service: Vec<Service>,
    pub(super) file: Vec<Text>,
    pub(super) page: Vec<Text>,
    pub(super) task: Vec<Task>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) image: String,
    #[serde(default)]
    pub(super) log: Vec<String>,
    #[serde(default)]
    pub(super) exited: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) description: String,
    #[serde(default)]
    pub(super) down: bool,
}

/// A file, or a page of a site.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Text {
    pub(super) path: String,
    pub(super) text: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Task {
    pub(super) say: String,
    pub(super) tier: Tier,
    #[serde(default)]
    pub(super) route: Route,
    pub(super) calls: Vec<Truth>,
    pub(super) tells: Option<String>,
    pub(super) leaves: Option<String>,
    pub(super) makes: Option<String>,
}

/// Who is to understand it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Route {
    #[default]
    Rules,
    Model,
}

/// A call that a right answer makes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Truth {
    pub(super) tool: String,
    #[serde(default)]
    pub(super) args: Map<String, Value>,
}

/// The day, as it is written.
pub(super) fn day() -> anyhow::Result<Day> {
    let day: Day = toml::from_str(FILE).context("the file of the tasks")?;
    let count = |from: Tier, to: Tier| day.task.iter().filter(|task| (from..=to).contains(&task.tier)).count();
    let shape = [count(Tier::Green, Tier::Green), count(Tier::Yellow, Tier::Yellow), count(Tier::Orange, Tier::Red)];
    ensure!(shape == SHAPE, "there are {shape:?} tasks, and not {SHAPE:?}");
    Ok(day)
}

impl Task {
    /// The same with the names of this world in it.
    pub(super) fn within(&self, world: &World) -> Self {
        let link = |site| world.sites.link(site, "").trim_end_matches('/').to_owned();
        let (site, other, marks) = (link(LISTED), link(OTHER), world.marks.display().to_string());
        let with = |text: &str| text.replace("{site}", &site).replace("{other}", &other).replace("{marks}", &marks);
        let mut task = self.clone();
        task.say = with(&self.say);
        for value in task.calls.iter_mut().flat_map(|call| call.args.values_mut()) {
            fill(value, &with);
        }
        task
    }

    /// Its calls by which something happens.
    pub(super) fn acts(&self, world: &World) -> anyhow::Result<Vec<Call>> {
        let acts = self.calls.iter().filter_map(|call| {
            let tool = ACTING.iter().find(|tool| **tool == call.tool)?;
            Some(self.act(world, tool, &call.args))
        });
        acts.collect()
    }

    fn act(&self, world: &World, tool: &'static str, args: &Map<String, Value>) -> anyhow::Result<Call> {
        let deed = self.deed(world, tool, args)?;
        Ok(Call { tool, args: args.clone().into(), tier: self.tier, deed, before: None })
    }

    fn deed(&self, world: &World, tool: &'static str, args: &Map<String, Value>) -> anyhow::Result<Deed> {
        let text = |name: &str| args.get(name).and_then(Value::as_str).unwrap_or_default();
        let thing = match tool {
            "job_start" => {
                let inner = ACTING.iter().find(|known| **known == text("tool")).context("a job that does nothing")?;
                let args = args.get("arguments").and_then(Value::as_object).cloned().unwrap_or_default();
                return self.deed(world, inner, &args);
            }
            "command_run" => self.makes.clone().context("what does the command make?")?,
            "docker_pull" => text("image").to_owned(),
            "http_fetch" => text("url").to_owned(),
            "file_write" | "file_remove" => text("path").to_owned(),
            _ if tool.starts_with("service") => text("service").to_owned(),
            _ => world.engine.id(text("container")),
        };
        ensure!(!thing.is_empty(), "`{}`: nothing would happen by {tool}", self.say);
        Ok(Deed::new(tool, thing))
    }

    /// Its calls that only look.
    pub(super) fn looks(&self) -> impl Iterator<Item = &Truth> {
        self.calls.iter().filter(|call| call.tool == "http_fetch" || !ACTING.contains(&call.tool.as_str()))
    }

    /// Whether it goes on after the turn.
    pub(super) fn is_job(&self) -> bool {
        self.calls.iter().any(|call| call.tool == "job_start")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_has_the_shape_that_was_fixed_and_nothing_is_said_twice() {
        let day = day().unwrap();
        let mut said: Vec<_> = day.task.iter().map(|task| &task.say).collect();
        said.sort();
        said.dedup();
        assert_eq!(said.len(), SHAPE.iter().sum::<usize>());
    }
}
