//! Tools to try and to measure Jarvis with, through the real registry and gate: only under `jarvis serve --fixtures`.

use std::time::Duration;

use jarvis_safety::kernel::{Permit, RegistryBuilder};
use jarvis_safety::tool::{Done, Look, Probe, RunContext, Spec, Tool, ToolError, ToolErrorKind, Trust};
use jarvis_safety::{Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What log and dashboard say while fixtures are there.
pub(crate) const WARNING: &str =
    "Jarvis was started with --fixtures: the tools `echo` and `wait` are there for tests and measurements";

/// Adds them.
pub(crate) fn register(tools: RegistryBuilder) -> RegistryBuilder {
    tools.with(Echo).with(Wait)
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

/// Longest that [`Wait`] waits, in milliseconds.
const LONGEST: u64 = 60_000;

/// Wait so long and change nothing, as an effect would that takes its time. For tests and measurements of what is called
/// off.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaitArgs {
    /// Tells one from another; each is a target of its own.
    #[schemars(length(min = 1, max = 60))]
    name: String,
    /// How long, in milliseconds.
    #[schemars(range(max = 60_000))]
    millis: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Waited {
    /// How long, in milliseconds.
    millis: u64,
}

struct Wait;

impl Tool for Wait {
    const SPEC: Spec = Spec {
        name: "wait",
        revision: 1,
        tier: Tier::Yellow,
        effects: Effects::WRITES,
        deadline: Duration::from_secs(61),
        trust: Trust::Trusted,
        secrets: &[],
        examples: &["wait {millis} as {name}"],
        lists: None,
    };
    type Args = WaitArgs;
    type Output = Waited;

    async fn resolve(&self, args: &WaitArgs, _: &Look) -> Result<Target, ToolError> {
        let fits = (1..=60).contains(&args.name.chars().count()) && args.millis <= LONGEST;
        if !fits {
            let said = "`name` has 1 to 60 characters and `millis` is 60000 at most";
            return Err(ToolError::new(ToolErrorKind::Invalid, said));
        }
        Ok(Target::new("fixture", format!("wait:{}", args.name), args.name.clone()))
    }

    fn sentence(&self, args: &WaitArgs, target: &Target) -> String {
        format!("Waits {} ms as {}.", args.millis, target.name)
    }

    async fn run(&self, args: WaitArgs, _: &RunContext, _: Permit<Self>) -> Result<Done<Waited>, ToolError> {
        tokio::time::sleep(Duration::from_millis(args.millis)).await;
        Ok(Done::new(Waited { millis: args.millis }))
    }

    async fn probe(&self, _: &WaitArgs, _: &Target) -> Probe {
        // It changes nothing, so what was cut off has changed nothing.
        Probe::NotDone
    }

    fn words(&self, output: &Waited) -> String {
        format!("I waited {} ms.", output.millis)
    }
}
