//! `command_list`: which commands are understood.

use std::time::Duration;

use jarvis_safety::kernel::Permit;
use jarvis_safety::plain::visible;
use jarvis_safety::tool::{Done, Look, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Commands;

pub(super) struct CommandList(pub(super) Commands);

/// Lists the commands that `command_look` (green ones) and `command_run` understand, each with its tier. Any other command
/// is red.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListArgs {}

/// What is understood.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ListOutput {
    commands: Vec<Known>,
    /// How commands are confined on this machine.
    confined: String,
}

/// One command.
#[derive(Debug, Serialize, JsonSchema)]
struct Known {
    name: String,
    /// Program and arguments; capitals stand for values.
    usage: String,
    tier: &'static str,
}

impl Tool for CommandList {
    const SPEC: Spec = Spec {
        name: "command_list",
        revision: 1,
        tier: Tier::Green,
        effects: Effects::READS,
        deadline: Duration::from_secs(10),
        trust: Trust::Trusted,
        secrets: &[],
        examples: &["list the commands", "show the commands", "list all commands"],
        lists: None,
    };
    type Args = ListArgs;
    type Output = ListOutput;

    async fn resolve(&self, _: &ListArgs, _: &Look) -> Result<Target, ToolError> {
        Ok(Target::new("commands", self.0.forms()?.version.as_str(), "commands"))
    }

    fn sentence(&self, _: &ListArgs, _: &Target) -> String {
        "List the commands that are understood".to_owned()
    }

    async fn run(&self, _: ListArgs, _: &RunContext, _: Permit<Self>) -> Result<Done<ListOutput>, ToolError> {
        let known = self.0.forms()?.iter().map(|form| Known {
            name: form.name.clone(),
            usage: form.usage(),
            tier: form.tier.as_str(),
        });
        Ok(Done::new(ListOutput { commands: known.collect(), confined: self.0.found().await? }))
    }

    fn words(&self, output: &ListOutput) -> String {
        let lines = output.commands.iter().map(|known| format!("{} ({})", visible(&known.usage), known.tier));
        let lines: Vec<_> = lines.collect();
        format!("These commands are understood, any other is red:\n{}", lines.join("\n"))
    }
}
