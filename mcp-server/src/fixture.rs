//! Tools to try and to measure Jarvis with, through the real registry and gate: only under `jarvis serve --fixtures`.

use std::time::Duration;

use jarvis_safety::kernel::{Permit, RegistryBuilder};
use jarvis_safety::tool::{Done, Look, RunContext, Spec, Tool, ToolError, ToolErrorKind, Trust};
use jarvis_safety::{Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What log and dashboard say while fixtures are there.
pub(crate) const WARNING: &str =
    "Jarvis was started with --fixtures: the tool `echo` is there for tests and measurements";

/// Adds them.
pub(crate) fn register(tools: RegistryBuilder) -> RegistryBuilder {
    tools.with(Echo)
}

/// Give back a text as it came. For tests and measurements.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EchoArgs {
    /// Text to give back.
    #[schemars(length(max = 65_536))]
    text: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Echoed {
    /// The text.
    text: String,
}

struct Echo;

impl Tool for Echo {
    const SPEC: Spec = Spec {
        name: "echo",
        revision: 1,
        tier: Tier::Green,
        effects: Effects::READS,
        deadline: Duration::from_secs(1),
        // What comes back is what somebody sent.
        trust: Trust::Untrusted,
        secrets: &[],
        examples: &["echo {text}"],
        lists: None,
    };
    type Args = EchoArgs;
    type Output = Echoed;

    async fn resolve(&self, args: &EchoArgs, _: &Look) -> Result<Target, ToolError> {
        if args.text.chars().count() > 65_536 {
            let said = "`text` has more than 65536 characters; send less";
            return Err(ToolError::new(ToolErrorKind::Invalid, said));
        }
        Ok(Target::new("fixture", "echo", "echo"))
    }

    fn sentence(&self, _: &EchoArgs, _: &Target) -> String {
        "Gives back a text.".to_owned()
    }

    async fn run(&self, args: EchoArgs, _: &RunContext, _: Permit<Self>) -> Result<Done<Echoed>, ToolError> {
        Ok(Done::new(Echoed { text: args.text }))
    }

    fn words(&self, output: &Echoed) -> String {
        output.text.clone()
    }
}
