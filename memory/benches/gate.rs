//! What a green call costs from the request to its durable row: `cargo bench -p jarvis-memory --bench gate`. The bare
//! reference of the same run appends the same kind of row without a gate. Prints and asserts nothing.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a measurement, not a product")]

#[path = "../tests/it/scratch.rs"]
mod scratch;
#[path = "../tests/it/world.rs"]
#[expect(dead_code, reason = "the tests use the rest of it")]
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jarvis_memory::LiveHub;
use jarvis_safety::call::{Origin, Request, Vouching};
use jarvis_safety::kernel::{Console, Gate, GateParts, KillSwitch, Permit, Policy, Registry};
use jarvis_safety::outcome::Answer;
use jarvis_safety::port::{Ids, Ledger as _};
use jarvis_safety::secret::Secrets;
use jarvis_safety::setting::{AuditReads, Settings};
use jarvis_safety::tool::{Done, Look, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Actor, Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use world::{World, read};

/// As in the server.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Gives back what it was given.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EchoArgs {
    text: String,
}

#[derive(Serialize, JsonSchema)]
struct Echoed {
    text: String,
}

struct Echo;

impl Tool for Echo {
    const SPEC: Spec = Spec {
        name: "bench_echo",
        revision: 1,
        tier: Tier::Green,
        effects: Effects::READS,
        deadline: Duration::from_secs(1),
        trust: Trust::Trusted,
        secrets: &[],
        examples: &["echo {text}"],
        lists: None,
    };
    type Args = EchoArgs;
    type Output = Echoed;

    async fn resolve(&self, _: &EchoArgs, _: &Look) -> Result<Target, ToolError> {
        Ok(Target::new("echo", "echo", "echo"))
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

struct Counter(AtomicU64);

impl Ids for Counter {
    fn next(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

fn gate(world: &World) -> Gate {
    let parts = GateParts {
        registry: Registry::builder().with(Echo).build().unwrap(),
        ledger: Arc::new(world.store.clone()),
        identities: Arc::new(world.store.clone()),
        live: Arc::new(LiveHub::new()),
        clock: Arc::clone(&world.clock) as _,
        ids: Arc::new(Counter(AtomicU64::new(1))),
        settings: Settings::default(),
        policy: Ok(Policy::default()),
        kill: KillSwitch::Off,
        grants: Vec::new(),
        secrets: Secrets::default(),
    };
    Console::new(parts).gate()
}

/// CPU time of this process so far.
fn cpu() -> Duration {
    let mut all = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let text = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap_or_default();
        all += text.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok()).unwrap_or(0);
    }
    Duration::from_nanos(all)
}

#[tokio::main]
async fn main() {
    for (clients, calls) in [(1, 4_000), (16, 40_000), (128, 80_000)] {
        for bare in [true, false] {
            let world = World::new().await;
            let gate = gate(&world);
            let (begun, spent) = (Instant::now(), cpu());
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..clients {
                let (store, gate) = (world.store.clone(), gate.clone());
                tasks.spawn(async move {
                    for _ in 0..calls / clients {
                        if bare {
                            store.append(read("call_0123456789"), AuditReads::Wal).await.unwrap();
                            continue;
                        }
                        let request = Request {
                            actor: Actor::local(),
                            origin: Origin { face: "mcp".to_owned(), correlation: "c".to_owned(), ..Origin::default() },
                            tool: "bench_echo".to_owned(),
                            args: json!({ "text": "hello" }),
                            key: None,
                            vouching: Vouching::Client,
                        };
                        assert!(matches!(gate.call(request).await, Answer::Ran(_)));
                    }
                });
            }
            tasks.join_all().await;
            let (took, spent) = (begun.elapsed(), cpu() - spent);
            println!(
                "{clients:4} clients, {}: {:8.0}/s, {:6.1} µs CPU each",
                if bare { "row alone" } else { "whole call" },
                f64::from(calls) / took.as_secs_f64(),
                spent.as_secs_f64() * 1e6 / f64::from(calls),
            );
            world.store.close().await;
        }
    }
}
