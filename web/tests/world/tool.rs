//! Three tools: one that reads, one that destroys, one that breaks while it looks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jarvis_safety::kernel::Permit;
use jarvis_safety::tool::{Done, Look, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
/// Names a thing.
pub struct Thing {
    /// Its name.
    pub name: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Told {
    pub name: String,
}

const READS: Spec = Spec {
    name: "demo_read",
    revision: 1,
    tier: Tier::Green,
    effects: Effects::READS,
    deadline: Duration::from_secs(5),
    trust: Trust::Trusted,
    secrets: &[],
    examples: &["read {name}"],
    lists: None,
};

pub struct Read;

impl Tool for Read {
    const SPEC: Spec = READS;
    type Args = Thing;
    type Output = Told;

    async fn resolve(&self, args: &Thing, _: &Look) -> Result<Target, ToolError> {
        assert!(args.name != "panic", "a defect, on purpose");
        Ok(Target::new("thing", &args.name, &args.name))
    }

    fn sentence(&self, args: &Thing, _: &Target) -> String {
        format!("read {}", args.name)
    }

    async fn run(&self, _: Thing, _: &RunContext, permit: Permit<Self>) -> Result<Done<Told>, ToolError> {
        Ok(Done::new(Told { name: permit.target().name.clone() }))
    }

    fn words(&self, output: &Told) -> String {
        output.name.clone()
    }
}

pub struct Wipe(pub Arc<AtomicU32>);

impl Tool for Wipe {
    const SPEC: Spec =
        Spec { name: "demo_wipe", tier: Tier::Red, effects: Effects::DELETES, examples: &["wipe {name}"], ..READS };
    type Args = Thing;
    type Output = Told;

    async fn resolve(&self, args: &Thing, _: &Look) -> Result<Target, ToolError> {
        Ok(Target::new("thing", &args.name, &args.name))
    }

    fn sentence(&self, args: &Thing, _: &Target) -> String {
        format!("wipe {}", args.name)
    }

    async fn run(&self, _: Thing, _: &RunContext, permit: Permit<Self>) -> Result<Done<Told>, ToolError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Done::new(Told { name: permit.target().name.clone() }))
    }

    fn words(&self, output: &Told) -> String {
        format!("wiped {}", output.name)
    }
}
