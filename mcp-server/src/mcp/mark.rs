//! Marks in the schema of a tool's output: `x-mcp` says that it is shown in a way of its own, `x-mcp-task` that it is a
//! task. Only fixtures have them.

use std::collections::BTreeMap;

use jarvis_safety::kernel::Registry;
use serde_json::Value;

/// How the output is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Staging {
    /// It holds content of the protocol.
    Content,
    /// It may be a question to the client.
    Exchange,
    /// As content; before, the tool asks while it runs as a task.
    Inquiry,
}

/// Whether a tool is a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tasked {
    /// Never.
    Never,
    /// For clients that take one.
    Offered,
    /// Always: others cannot call it.
    Only,
}

/// What the marks of a tool say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) staging: Staging,
    pub(super) tasked: Tasked,
}

impl Mark {
    fn of(output: &Value) -> Option<Self> {
        let staging = match output.get("x-mcp")?.as_str()? {
            "content" => Staging::Content,
            "exchange" => Staging::Exchange,
            "inquiry" => Staging::Inquiry,
            _ => return None,
        };
        let tasked = match output.get("x-mcp-task").and_then(Value::as_str) {
            Some("only") => Tasked::Only,
            Some("offered") => Tasked::Offered,
            _ => Tasked::Never,
        };
        Some(Self { staging, tasked })
    }
}

/// The tools that have marks.
pub(super) fn all(registry: &Registry) -> BTreeMap<&'static str, Mark> {
    registry.described().filter_map(|tool| Some((tool.spec.name, Mark::of(&tool.output)?))).collect()
}
