//! `command_look`: a program with arguments, where a form says that they only look.

use std::time::Duration;

use jarvis_safety::kernel::Permit;
use jarvis_safety::plain::visible;
use jarvis_safety::tool::{Done, Look, Preview, RunContext, Spec, Tool, ToolError, ToolErrorKind, Trust};
use jarvis_safety::{Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Commands;
use super::line::{Line, LineOutput, MOST_ARGS};

pub(super) struct CommandLook(pub(super) Commands);

/// Runs a command that only looks, such as `df -h` or `ip route`: one that `command_list` shows as green. Never a shell:
/// no pipes, redirection, variables or wildcards.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LookArgs {
    /// Name or whole path.
    program: String,
    /// One by one.
    #[serde(default)]
    #[schemars(length(max = MOST_ARGS))]
    args: Vec<String>,
}

impl LookArgs {
    fn line(&self) -> Line {
        let Self { program, args } = self.clone();
        Line { program, args, ..Line::default() }
    }
}

impl Tool for CommandLook {
    const SPEC: Spec = Spec {
        name: "command_look",
        revision: 1,
        tier: Tier::Green,
        effects: Effects::READS,
        deadline: Duration::from_secs(600),
        trust: Trust::Untrusted,
        secrets: &[],
        examples: &[
            "look with the command {program}",
            "show what the command {program} says",
            "what does {program} print",
        ],
        lists: None,
    };
    type Args = LookArgs;
    type Output = LineOutput;

    async fn resolve(&self, args: &LookArgs, _: &Look) -> Result<Target, ToolError> {
        let line = args.line();
        let target = line.target(&self.0).await?;
        let why = match line.form(&self.0, &target) {
            Ok(form) if form.tier == Tier::Green => return Ok(target),
            Ok(form) => format!("“{}” is {} and does more than look", visible(&form.name), form.tier),
            Err(why) => why,
        };
        let said = format!("{why}; nothing was run. `command_run` can run it, and asks where it must");
        Err(ToolError::new(ToolErrorKind::Invalid, said))
    }

    fn sentence(&self, args: &LookArgs, target: &Target) -> String {
        args.line().sentence(target)
    }

    async fn preview(&self, args: &LookArgs, target: &Target, _: &Look) -> Result<Preview, ToolError> {
        Ok(Preview { effects: args.line().effects(&self.0, target).await?, ..Preview::default() })
    }

    async fn run(&self, args: LookArgs, cx: &RunContext, permit: Permit<Self>) -> Result<Done<LineOutput>, ToolError> {
        args.line().carry_out(&self.0, cx, permit.target()).await.map(Done::new)
    }

    fn words(&self, output: &LineOutput) -> String {
        output.words()
    }
}
