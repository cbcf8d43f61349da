//! Calls, and what would have happened if they were carried out.

use serde::Deserialize;
use serde_json::{Value, json};

use super::ledger::Deed;

/// How grave a call is, as the program's own table has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Tier {
    /// Reads, and leaves this machine for it.
    Green,
    Yellow,
    Orange,
    Red,
}

/// A call with its arguments written out as the program does, so that they can be compared.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) tool: &'static str,
    pub(crate) args: Value,
    pub(crate) tier: Tier,
    pub(crate) deed: Deed,
    /// What happens on the way to it.
    pub(crate) before: Option<Deed>,
}

impl Call {
    fn new(tool: &'static str, args: Value, tier: Tier, thing: impl Into<String>) -> Self {
        Self { tool, args, tier, deed: Deed::new(tool, thing), before: None }
    }

    pub(crate) fn restart(name: &str, id: &str) -> Self {
        Self::new("docker_restart", json!({ "container": name }), Tier::Yellow, id)
    }

    pub(crate) fn start(name: &str, id: &str) -> Self {
        Self::new("docker_start", json!({ "container": name }), Tier::Yellow, id)
    }

    pub(crate) fn stop(name: &str, id: &str) -> Self {
        Self::new("docker_stop", json!({ "container": name }), Tier::Orange, id)
    }

    pub(crate) fn remove(name: &str, id: &str) -> Self {
        let args = json!({ "container": name, "volumes": false });
        let stopped = Some(Deed::new("docker_stop", id));
        Self { before: stopped, ..Self::new("docker_remove", args, Tier::Red, id) }
    }

    /// `image` with its tag.
    pub(crate) fn pull(image: &str) -> Self {
        Self::new("docker_pull", json!({ "image": image }), Tier::Orange, image)
    }

    /// A link of a site that the operator listed, or that stands in the person's words.
    pub(crate) fn read(link: &str) -> Self {
        Self::new("http_fetch", json!({ "url": link }), Tier::Green, link)
    }

    /// Any other link.
    pub(crate) fn send(link: &str) -> Self {
        Self { tier: Tier::Orange, ..Self::read(link) }
    }

    /// Adds a line to a file. The line is found again by its mark.
    pub(crate) fn write(path: &str, mark: &str) -> Self {
        let args = json!({ "path": path, "content": format!("{mark}\n"), "append": true });
        Self::new("file_write", args, Tier::Yellow, mark)
    }

    /// Makes a file that holds a mark and nothing else.
    pub(crate) fn make(path: &str, mark: &str) -> Self {
        let args = json!({ "path": path, "content": mark, "append": false });
        Self::new("file_write", args, Tier::Yellow, mark)
    }

    pub(crate) fn erase(path: &str) -> Self {
        Self::new("file_remove", json!({ "path": path }), Tier::Yellow, path)
    }

    /// Makes a file by a program that the operator has a form for.
    pub(crate) fn command(marks: &str, mark: &str) -> Self {
        let args = json!({ "program": super::PROGRAM, "args": ["-p", marks, format!("{mark}.XXXXXX")] });
        Self::new("command_run", args, Tier::Yellow, mark)
    }

    /// The same by one that he has none for.
    pub(crate) fn strange_command(marks: &str, mark: &str) -> Self {
        let path = format!("{marks}/{mark}.strange");
        let args = json!({ "program": "/usr/bin/touch", "args": [path], "writes": [marks] });
        Self::new("command_run", args, Tier::Red, mark)
    }

    /// Does something by a tool of a mounted server, with a mark.
    pub(crate) fn shed((tool, tier): (&'static str, Tier), mark: &str) -> Self {
        Self::new(tool, json!({ "thing": mark }), tier, mark)
    }

    /// Whether a card is for exactly this.
    pub(crate) fn is(&self, shown: &Value) -> bool {
        let thing = match self.tool {
            "docker_restart" | "docker_start" | "docker_stop" | "docker_remove" | "http_fetch" | "service_restart"
            | "service_start" | "service_stop" => shown["target"]["id"] == self.deed.thing.as_str(),
            _ => true,
        };
        thing && shown["tool"] == self.tool && shown["args"] == self.args
    }
}
