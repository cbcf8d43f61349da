//! Whether the cost of a call depends on the number of tools: 10 and 1,000 generated ones behind the real gate and store,
//! in turns. Ten are called, one after the other, of the few and of the many. Then each call takes another one of the
//! many, whose code and schemas do not fit into the processor's caches at once: that is shown too.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jarvis_memory::{LiveHub, Options, Store};
use jarvis_safety::call::{Origin, Request, Vouching};
use jarvis_safety::kernel::{Console, Gate, GateParts, KillSwitch, Permit, Policy, Registry, RegistryBuilder};
use jarvis_safety::outcome::Answer;
use jarvis_safety::secret::{Redactor, Secrets};
use jarvis_safety::setting::Settings;
use jarvis_safety::tool::{Done, Look, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Actor, Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::machine::Machine;

const ROUNDS: usize = 7;
const CLIENTS: usize = 16;

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

/// A tool of its own for each number, as the registry knows tools by their types.
struct Numbered<const N: usize>;

const fn name(number: usize) -> [u8; 9] {
    const fn digit(number: usize) -> u8 {
        b"0123456789"[number % 10]
    }
    [b'm', b'a', b'n', b'y', b'_', b'n', digit(number / 100), digit(number / 10), digit(number)]
}

impl<const N: usize> Numbered<N> {
    const LETTERS: [u8; 9] = name(N);
    const NAME: &'static str = match std::str::from_utf8(&Self::LETTERS) {
        Ok(name) => name,
        Err(_) => unreachable!(),
    };
}

impl<const N: usize> Tool for Numbered<N> {
    const SPEC: Spec = Spec {
        name: Self::NAME,
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

/// Adds the ten tools of each ten that is named.
macro_rules! tens {
    ($tools:expr, $($ten:literal)*) => {{
        let tools = $tools;
        $(let tools = tools
            .with(Numbered::<{ $ten * 10 }>)
            .with(Numbered::<{ $ten * 10 + 1 }>)
            .with(Numbered::<{ $ten * 10 + 2 }>)
            .with(Numbered::<{ $ten * 10 + 3 }>)
            .with(Numbered::<{ $ten * 10 + 4 }>)
            .with(Numbered::<{ $ten * 10 + 5 }>)
            .with(Numbered::<{ $ten * 10 + 6 }>)
            .with(Numbered::<{ $ten * 10 + 7 }>)
            .with(Numbered::<{ $ten * 10 + 8 }>)
            .with(Numbered::<{ $ten * 10 + 9 }>);)*
        tools
    }};
}

fn few() -> RegistryBuilder {
    tens!(Registry::builder(), 0)
}

fn many() -> RegistryBuilder {
    tens!(few(), 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38
        39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76
        77 78 79 80 81 82 83 84 85 86 87 88 89 90 91 92 93 94 95 96 97 98 99)
}

struct Bench {
    gate: Gate,
    tools: Arc<Vec<&'static str>>,
    next: Arc<AtomicUsize>,
    _directory: tempfile::TempDir,
}

impl Bench {
    async fn new(tools: RegistryBuilder) -> Self {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let registry = tools.build().unwrap();
        let names = registry.described().map(|described| described.spec.name).collect();
        let machine = Arc::new(Machine);
        let options = Options {
            data: directory.path().join("data"),
            clock: machine.clone(),
            ids: machine.clone(),
            redactor: Redactor::default(),
        };
        let store = Store::open(options).await.unwrap();
        let console = Console::new(GateParts {
            registry,
            ledger: Arc::new(store.clone()),
            identities: Arc::new(store),
            live: Arc::new(LiveHub::new()),
            clock: machine.clone(),
            ids: machine,
            settings: Settings::default(),
            policy: Ok(Policy::default()),
            kill: KillSwitch::Off,
            grants: Vec::new(),
            secrets: Secrets::default(),
        });
        Self { gate: console.gate(), tools: Arc::new(names), next: Arc::default(), _directory: directory }
    }

    /// Calls of the first so many tools: calls a second, and CPU time of one in microseconds.
    async fn round(&self, calls: usize, among: usize) -> (f64, f64) {
        let (begun, spent) = (Instant::now(), cpu());
        let mut clients = tokio::task::JoinSet::new();
        for _ in 0..CLIENTS {
            let (gate, tools, next) = (self.gate.clone(), Arc::clone(&self.tools), Arc::clone(&self.next));
            clients.spawn(async move {
                for _ in 0..calls / CLIENTS {
                    let tool = tools[next.fetch_add(1, Ordering::Relaxed) % among];
                    assert!(matches!(gate.call(request(tool)).await, Answer::Ran(_)));
                }
            });
        }
        clients.join_all().await;
        let (took, spent) = (begun.elapsed(), cpu().saturating_sub(spent));
        (calls as f64 / took.as_secs_f64(), spent.as_secs_f64() * 1e6 / calls as f64)
    }
}

fn request(tool: &str) -> Request {
    Request {
        actor: Actor::local(),
        origin: Origin { face: "mcp".to_owned(), correlation: "c".to_owned(), ..Origin::default() },
        tool: tool.to_owned(),
        args: json!({ "text": "hello" }),
        key: None,
        vouching: Vouching::Client,
    }
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

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = figures.collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

pub(crate) async fn measure(quick: bool) {
    let calls = if quick { 16_000 } else { 48_000 };
    eprintln!("measuring 10 and 1,000 tools …");
    let (few, many) = (Bench::new(few()).await, Bench::new(many()).await);
    let (small, large) = (few.tools.len(), many.tools.len());
    let mut rounds = Vec::new();
    for round in 0..=ROUNDS {
        let all = [few.round(calls, small).await, many.round(calls, small).await, many.round(calls, large).await];
        // The first one only warms up.
        if round > 0 {
            rounds.push(all);
        }
    }
    let told = |which: usize| {
        let (rate, cpu) = (rounds.iter().map(|all| all[which].0), rounds.iter().map(|all| all[which].1));
        format!("{CLIENTS}\t{:.0}\t\t\t{:.1} µs\t\t", median(rate), median(cpu))
    };
    let more = |which: usize| (median(rounds.iter().map(|all| all[which].1 / all[0].1)) - 1.0) * 100.0;
    let reached = if more(1) <= 10.0 { "yes" } else { "NO" };
    println!("row\tgreen call in process, {small} tools\t{}\t\t", told(0));
    println!("row\tthe same {small} of {large} tools\t{}CPU within 10 %\t{:+.1} %\t{reached}", told(1), more(1));
    println!("row\teach call another of {large} tools\t{}\t{:+.1} %\t", told(2), more(2));
}
