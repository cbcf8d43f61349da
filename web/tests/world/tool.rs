//! Three tools: one that reads, and breaks while it looks if it is told to, one that destroys, and one that takes as long
//! as the test wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jarvis_safety::kernel::Permit;
use jarvis_safety::tool::{Done, Look, Probe, RunContext, Spec, Tool, ToolError, ToolErrorKind, Trust};
use jarvis_safety::{Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, Semaphore};

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

/// Where things are tended.
pub struct Bench {
    pub tended: AtomicU32,
    /// Says that one has begun.
    pub begun: Notify,
    /// Lets as many be done as the test allows.
    pub go: Semaphore,
}

impl Default for Bench {
    fn default() -> Self {
        Self { tended: AtomicU32::new(0), begun: Notify::new(), go: Semaphore::new(0) }
    }
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
/// Names a thing, and the code that opens it.
pub struct Locked {
    /// Its name.
    pub name: String,
    /// Its code.
    #[serde(default)]
    pub code: Option<String>,
}

pub struct Tend(pub Arc<Bench>);

impl Tool for Tend {
    const SPEC: Spec = Spec {
        name: "demo_tend",
        tier: Tier::Yellow,
        effects: Effects::WRITES,
        deadline: Duration::from_secs(60),
        secrets: &["code"],
        examples: &["tend {name}"],
        ..READS
    };
    type Args = Locked;
    type Output = Told;

    async fn resolve(&self, args: &Locked, _: &Look) -> Result<Target, ToolError> {
        Ok(Target::new("thing", &args.name, &args.name))
    }

    fn sentence(&self, args: &Locked, _: &Target) -> String {
        format!("tend {}", args.name)
    }

    async fn run(&self, _: Locked, cx: &RunContext, permit: Permit<Self>) -> Result<Done<Told>, ToolError> {
        cx.progress(1.0, Some(2.0), "reaching out");
        self.0.begun.notify_one();
        tokio::select! {
            go = self.0.go.acquire() => go.unwrap().forget(),
            () = cx.cancelled().cancelled() => {
                return Err(ToolError::new(ToolErrorKind::Cancelled, "it was called off"));
            }
        }
        self.0.tended.fetch_add(1, Ordering::SeqCst);
        Ok(Done::new(Told { name: permit.target().name.clone() }))
    }

    async fn probe(&self, _: &Locked, _: &Target) -> Probe {
        if self.0.tended.load(Ordering::SeqCst) == 0 { Probe::NotDone } else { Probe::Done }
    }

    fn words(&self, output: &Told) -> String {
        format!("tended {}", output.name)
    }
}
