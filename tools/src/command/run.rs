//! `command_run`: any program, with arguments.

use std::time::Duration;

use jarvis_safety::kernel::Permit;
use jarvis_safety::tool::{Done, Look, Preview, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Commands;
use super::form::MOST_SECONDS;
use super::line::{Line, LineOutput, MOST_ARGS, MOST_FOLDERS};

pub(super) struct CommandRun(pub(super) Commands);

/// Runs a program with arguments, never a shell. Red unless `command_list` shows it. To look, use `command_look`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RunArgs {
    /// Name or whole path.
    program: String,
    /// One by one.
    #[serde(default)]
    #[schemars(length(max = MOST_ARGS))]
    args: Vec<String>,
    /// Where to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    folder: Option<String>,
    /// Folders that it may change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MOST_FOLDERS))]
    writes: Vec<String>,
    /// May reach the network.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    network: bool,
    /// Longest time, up to 540.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MOST_SECONDS))]
    seconds: Option<u64>,
}

impl RunArgs {
    fn line(&self) -> Line {
        let Self { program, args, folder, writes, network, seconds } = self.clone();
        Line { program, args, folder, writes, network, seconds }
    }
}

impl Tool for CommandRun {
    const SPEC: Spec = Spec {
        name: "command_run",
        revision: 1,
        tier: Tier::Yellow,
        effects: Effects { network: true, spends: true, exposes: true, ..Effects::DELETES },
        deadline: Duration::from_secs(600),
        trust: Trust::Untrusted,
        secrets: &[],
        examples: &["run the command {program}", "run the program {program}", "execute the program {program}"],
        lists: None,
    };
    type Args = RunArgs;
    type Output = LineOutput;

    async fn resolve(&self, args: &RunArgs, _: &Look) -> Result<Target, ToolError> {
        args.line().target(&self.0).await
    }

    fn sentence(&self, args: &RunArgs, target: &Target) -> String {
        args.line().sentence(target)
    }

    async fn preview(&self, args: &RunArgs, target: &Target, _: &Look) -> Result<Preview, ToolError> {
        Ok(Preview { effects: args.line().effects(&self.0, target).await?, ..Preview::default() })
    }

    fn tier_of(&self, args: &RunArgs, target: &Target) -> Tier {
        args.line().form(&self.0, target).map_or(Tier::Red, |form| form.tier)
    }

    async fn run(&self, args: RunArgs, cx: &RunContext, permit: Permit<Self>) -> Result<Done<LineOutput>, ToolError> {
        args.line().carry_out(&self.0, cx, permit.target()).await.map(Done::new)
    }

    fn words(&self, output: &LineOutput) -> String {
        output.words()
    }
}
