//! How fast jobs are: `cargo bench -p jarvis-memory --bench job [-- FINISHED | postgres]`. Everything is durable (FULL) and told in
//! the audit. The raw reference of the same run is an fdatasync of 4 KiB beside the store. `FINISHED` (200,000 unless
//! given) is how many ended jobs are there when the last figures are taken. With `postgres` it is all on the server that
//! `JARVIS_TEST_POSTGRES` names. Prints and asserts nothing.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a measurement, not a product")]

#[path = "../tests/it/scratch.rs"]
mod scratch;
#[path = "../tests/it/world.rs"]
#[expect(dead_code, reason = "the tests use the rest of it")]
mod world;

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jarvis_memory::{JobStore, LiveHub};
use jarvis_safety::call::{Origin, Vouching};
use jarvis_safety::job::{
    Dedup, JobContext, JobError, JobFilter, JobKind, JobQueue, JobSpec, JobState, Jobs as _, Kinds, QueueParts, Repeat,
    Retry, Submission, Worker, WorkerOptions,
};
use jarvis_safety::port::Clock;
use jarvis_safety::secret::Redactor;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use world::{World, client};

/// As in the server.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The time that passes: a worker that rests by a clock that stands still measures nothing.
struct Wall(Instant);

impl Clock for Wall {
    fn now(&self) -> i64 {
        world::START + i64::try_from(self.0.elapsed().as_millis()).unwrap()
    }
}

/// Ends at once, and notes how long after its submission was answered it began.
struct Nothing {
    base: Instant,
    picked: Arc<Mutex<Vec<Duration>>>,
    ran: Arc<AtomicU64>,
}

impl JobKind for Nothing {
    const SPEC: JobSpec = JobSpec {
        kind: "nothing",
        queue: "bench",
        priority: 0,
        retry: Retry::NEVER,
        dedup: Dedup::None,
        repeat: Repeat::Safe,
        lease: Duration::from_secs(30),
        deadline: Duration::from_secs(60),
    };
    type Payload = Value;

    fn title(&self, _: &Value) -> String {
        "nothing".to_owned()
    }

    async fn run(&self, payload: Value, _: &JobContext) -> Result<Value, JobError> {
        if let Some(at) = payload.get("at").and_then(Value::as_u64) {
            let waited = self.base.elapsed().saturating_sub(Duration::from_nanos(at));
            self.picked.lock().unwrap().push(waited);
        }
        self.ran.fetch_add(1, Ordering::Relaxed);
        Ok(Value::Null)
    }
}

struct Bench {
    world: World,
    jobs: Arc<JobStore>,
    queue: JobQueue,
    base: Instant,
    picked: Arc<Mutex<Vec<Duration>>>,
    ran: Arc<AtomicU64>,
}

impl Bench {
    async fn new(world: World) -> Self {
        let jobs = Arc::new(JobStore::new(&world.store));
        let (base, picked, ran) = (Instant::now(), Arc::default(), Arc::default());
        let kind = Nothing { base, picked: Arc::clone(&picked), ran: Arc::clone(&ran) };
        let queue = JobQueue::new(QueueParts {
            kinds: Kinds::builder().with(kind).build().unwrap(),
            jobs: Arc::clone(&jobs) as _,
            feed: Arc::new(world.store.clone()),
            live: Arc::new(LiveHub::new()),
            clock: Arc::new(Wall(base)),
            ids: Arc::clone(&world.ids) as _,
            redactor: Redactor::default(),
        });
        Self { world, jobs, queue, base, picked, ran }
    }

    fn submission(payload: Value) -> Submission {
        Submission {
            actor: client(),
            origin: Origin { face: "api".to_owned(), correlation: "c-1".to_owned(), ..Origin::default() },
            vouching: Vouching::Client,
            kind: "nothing".to_owned(),
            payload,
            key: None,
            run_at: None,
        }
    }

    /// Many clients, each of which waits for its answer before it submits again.
    async fn submit(&self, clients: u64, jobs: u64) -> (Duration, Vec<Duration>) {
        let begun = Instant::now();
        let mut tasks = JoinSet::new();
        for client in 0..clients {
            let queue = self.queue.clone();
            tasks.spawn(async move {
                let mut took = Vec::new();
                for index in 0..jobs / clients {
                    let begun = Instant::now();
                    queue.submit(Self::submission(json!({ "client": client, "index": index }))).await.unwrap();
                    took.push(begun.elapsed());
                }
                took
            });
        }
        let mut took: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
        took.sort();
        (begun.elapsed(), took)
    }

    async fn submissions(&self, rounds: &[(u64, u64)]) {
        for &(clients, jobs) in rounds {
            let spent = cpu();
            let (took, each) = self.submit(clients, jobs).await;
            let spent = cpu() - spent;
            println!(
                "  submissions, {clients:3} clients: {:8.0}/s, {:5.1} µs CPU each, {}",
                jobs as f64 / took.as_secs_f64(),
                spent.as_secs_f64() * 1e6 / jobs as f64,
                spread(&each),
            );
        }
    }

    fn work(&self, places: u32) -> (CancellationToken, tokio::task::JoinHandle<()>) {
        let stop = CancellationToken::new();
        let worker = Worker::new(&self.queue, WorkerOptions { places, ..WorkerOptions::default() });
        (stop.clone(), tokio::spawn(worker.run(stop)))
    }

    async fn drained(&self) {
        loop {
            let counts = self.queue.counts().await.unwrap();
            if counts.queued + counts.running == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Submit, take, end: from the first submission to the last end.
    async fn lifecycles(&self, jobs: u64, places: u32) {
        let (stop, working) = self.work(places);
        let (begun, spent, ran) = (Instant::now(), cpu(), self.ran.load(Ordering::Relaxed));
        let (submitted, _) = self.submit(256, jobs).await;
        self.drained().await;
        let (took, spent) = (begun.elapsed(), cpu() - spent);
        let ran = self.ran.load(Ordering::Relaxed) - ran;
        println!(
            "  lifecycles, 256 clients, {places} places: {:8.0}/s ({ran} jobs, submitted after {submitted:.1?}), {:5.1} µs \
             CPU each",
            ran as f64 / took.as_secs_f64(),
            spent.as_secs_f64() * 1e6 / ran as f64,
        );
        stop.cancel();
        working.await.unwrap();
    }

    /// From the answer of a submission to the first line of its run, at a rate that leaves room.
    async fn pickup(&self, rate: u64, jobs: u64) {
        let (stop, working) = self.work(64);
        self.picked.lock().unwrap().clear();
        let mut tick = tokio::time::interval(Duration::from_micros(1_000_000 / rate));
        let mut tasks = JoinSet::new();
        for _ in 0..jobs {
            tick.tick().await;
            let (queue, base) = (self.queue.clone(), self.base);
            tasks.spawn(async move {
                // As of before the commit: the wait for it is in the figure.
                let at = u64::try_from(base.elapsed().as_nanos()).unwrap();
                queue.submit(Self::submission(json!({ "at": at }))).await.unwrap();
            });
        }
        tasks.join_all().await;
        self.drained().await;
        let mut picked = self.picked.lock().unwrap().clone();
        picked.sort();
        println!("  pickup at {rate}/s (submit called to run begun): {}", spread(&picked));
        stop.cancel();
        working.await.unwrap();
    }

    /// What it costs to look.
    async fn looks(&self) {
        let newest = JobFilter::default();
        let failed = JobFilter { states: vec![JobState::Failed], ..JobFilter::default() };
        let own = JobFilter { actor: Some(client().id), ..JobFilter::default() };
        for (what, filter) in [("newest", newest), ("failed", failed), ("of an actor", own)] {
            let mut took = Vec::new();
            for _ in 0..200 {
                let begun = Instant::now();
                self.jobs.jobs(&filter, None, 50).await.unwrap();
                took.push(begun.elapsed());
            }
            took.sort();
            println!("  50 jobs, {what:11}: {}", spread(&took));
        }
        let mut took = Vec::new();
        for _ in 0..200 {
            let begun = Instant::now();
            self.jobs.due().await.unwrap();
            took.push(begun.elapsed());
        }
        took.sort();
        println!("  what is due next    : {}", spread(&took));
    }
}

fn spread(took: &[Duration]) -> String {
    format!(
        "p50 {:.2?}, p99 {:.2?}, max {:.2?}",
        took[took.len() / 2],
        took[took.len() * 99 / 100],
        took[took.len() - 1]
    )
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

/// The disk alone.
fn raw(world: &World) {
    let mut file = std::fs::File::create(world.data.join("raw")).unwrap();
    let mut took = Vec::new();
    for _ in 0..300 {
        let begun = Instant::now();
        file.write_all(&[7; 4096]).unwrap();
        file.sync_data().unwrap();
        took.push(begun.elapsed());
    }
    took.sort();
    println!("  fdatasync of 4 KiB  : {}", spread(&took));
}

#[tokio::main]
async fn main() {
    if std::env::args().any(|argument| argument == "postgres") {
        return on_postgres().await;
    }
    let finished = std::env::args().filter_map(|argument| argument.parse::<u64>().ok()).next().unwrap_or(200_000);
    let bench = Bench::new(World::new().await).await;
    println!("empty:");
    raw(&bench.world);
    bench.submissions(&[(1, 500), (16, 16_000), (256, 102_400), (256, 102_400)]).await;
    bench.world.store.close().await;

    let bench = Bench::new(World::new().await).await;
    for places in [64, 256, 1024] {
        bench.lifecycles(51_200, places).await;
    }
    bench.pickup(500, 3_000).await;
    bench.looks().await;
    let there = bench.ran.load(Ordering::Relaxed);
    let (stop, working) = bench.work(1024);
    bench.submit(256, finished.saturating_sub(there)).await;
    bench.drained().await;
    stop.cancel();
    working.await.unwrap();
    println!("after {} finished jobs:", bench.ran.load(Ordering::Relaxed));
    raw(&bench.world);
    bench.lifecycles(51_200, 1024).await;
    bench.pickup(500, 3_000).await;
    bench.looks().await;
    bench.world.store.close().await;
}

async fn on_postgres() {
    println!("PostgreSQL:");
    let bench = Bench::new(World::on(Some(Arc::new(scratch::Scratch::new().await))).await).await;
    bench.submissions(&[(1, 500), (16, 8_000), (256, 51_200)]).await;
    bench.world.store.close().await;

    let bench = Bench::new(World::on(Some(Arc::new(scratch::Scratch::new().await))).await).await;
    bench.lifecycles(51_200, 1024).await;
    bench.pickup(500, 3_000).await;
    bench.world.store.close().await;
}
