//! A killed process loses no job that it acknowledged, and repeats none silently.
//!
//! This test binary starts itself again as a child that submits and works as fast as it can, prints every acknowledged
//! submission and every run that begins, and is killed in the middle. Whatever state a job was in, the next process finds
//! it: queued ones run, those that may be repeated run again, the others are in doubt, and none that must not be
//! repeated has begun twice.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use jarvis_memory::JobStore;
use jarvis_safety::JobId;
use jarvis_safety::call::{Origin, Vouching};
use jarvis_safety::job::{
    Dedup, JobContext, JobError, JobFilter, JobKind, JobSpec, JobState, Jobs as _, Kinds, Repeat, Retry, Submission,
    Worker, WorkerOptions,
};
use jarvis_safety::port::Clock as _;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::job_world::{self, LONG};
use crate::world::{World, client};

const DATA: &str = "JARVIS_MEMORY_JOB_CRASH_DATA";
const FIRST: &str = "JARVIS_MEMORY_JOB_CRASH_FIRST_ID";

const SPEC: JobSpec = JobSpec {
    kind: "again",
    queue: "plain",
    priority: 0,
    retry: Retry { attempts: 50, first: Duration::from_millis(1), cap: Duration::from_millis(1) },
    dedup: Dedup::None,
    repeat: Repeat::Safe,
    lease: Duration::from_secs(30),
    deadline: Duration::from_secs(600),
};

fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}

/// Prints that it began, and lets others run before it ends.
async fn run(cx: &JobContext) -> Result<Value, JobError> {
    if std::env::var(DATA).is_ok() {
        tell(&format!("began {}", cx.id()));
    }
    cx.output("a piece\n").await.map_err(|error| JobError::failed(error.to_string()))?;
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    Ok(json!("ran"))
}

struct Again;
struct Once;

impl JobKind for Again {
    const SPEC: JobSpec = SPEC;
    type Payload = Value;

    fn title(&self, _: &Value) -> String {
        "may be run again".to_owned()
    }

    async fn run(&self, _: Value, cx: &JobContext) -> Result<Value, JobError> {
        run(cx).await
    }
}

impl JobKind for Once {
    const SPEC: JobSpec = JobSpec { kind: "once", repeat: Repeat::Never, ..SPEC };
    type Payload = Value;

    fn title(&self, _: &Value) -> String {
        "must not be run again".to_owned()
    }

    async fn run(&self, _: Value, cx: &JobContext) -> Result<Value, JobError> {
        run(cx).await
    }
}

fn over(world: &World) -> (Arc<JobStore>, jarvis_safety::job::JobQueue) {
    let jobs = Arc::new(JobStore::new(&world.store));
    let queue = job_world::queue(world, &jobs, Kinds::builder().with(Again).with(Once).build().unwrap());
    (jobs, queue)
}

/// The process that is killed: does nothing unless the test below starts it.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(data) = std::env::var(DATA) else { return };
    let first = std::env::var(FIRST).unwrap().parse().unwrap();
    let world = World::at(data.into(), first).await.unwrap();
    let (_, queue) = over(&world);
    let worker = Worker::new(&queue, WorkerOptions { places: 16, ..WorkerOptions::default() });
    tokio::spawn(worker.run(CancellationToken::new()));
    let mut tasks = tokio::task::JoinSet::new();
    for submitter in 0..8 {
        let queue = queue.clone();
        let now = world.clock.now();
        tasks.spawn(async move {
            for index in 0..2000_u32 {
                let submission = Submission {
                    actor: client(),
                    origin: Origin::default(),
                    vouching: Vouching::Client,
                    kind: if index % 2 == 0 { "again" } else { "once" }.to_owned(),
                    payload: json!({ "submitter": submitter, "index": index }),
                    key: (index % 3 == 0).then(|| format!("{first}-{submitter}-{index}")),
                    run_at: (index % 7 == 0).then_some(now + 10),
                };
                let receipt = queue.submit(submission).await.unwrap();
                tell(&format!("acked {}", receipt.job.id));
            }
        });
    }
    tasks.join_all().await;
}

/// Lets a child run until so many acknowledgements, kills it, and answers what was acknowledged and how often each job
/// was seen to begin.
fn killed_after(data: &Path, first: u64, acks: usize, begun: &mut BTreeMap<String, u32>) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "job_crash::child", "--nocapture", "--test-threads=1"])
        .env(DATA, data)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acked = Vec::new();
    let mut killed = false;
    while let Some(Ok(line)) = lines.next() {
        let whole = |id: &str| id.parse::<JobId>().is_ok();
        if let Some((_, id)) = line.split_once("acked ").filter(|(_, id)| whole(id)) {
            acked.push(id.to_owned());
        } else if let Some((_, id)) = line.split_once("began ").filter(|(_, id)| whole(id)) {
            *begun.entry(id.to_owned()).or_default() += 1;
        }
        if !killed && acked.len() >= acks {
            child.kill().unwrap();
            killed = true;
        }
    }
    child.wait().unwrap();
    assert!(killed, "the child ended by itself after {} acknowledgements", acked.len());
    acked
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_loses_no_job_and_repeats_none_that_must_not_be() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (mut acked, mut begun) = (BTreeSet::new(), BTreeMap::new());
    for (round, acks) in [1, 60, 900].into_iter().enumerate() {
        let first = (round as u64 + 1) * 1_000_000;
        acked.extend(killed_after(&data, first, acks, &mut begun));
        let world = World::at(data.clone(), first + 500_000).await.unwrap();
        let (jobs, _) = over(&world);
        for id in &acked {
            let job = jobs.job(&id.parse().unwrap()).await.unwrap();
            assert!(job.is_some(), "{id} was acknowledged");
        }
        world.whole().await;
        world.store.close().await;
    }
    let world = World::at(data, 9_000_000).await.unwrap();
    let (jobs, queue) = over(&world);
    let in_doubt: BTreeSet<_> = jobs.held().await.unwrap().into_iter().map(|job| job.id.to_string()).collect();
    world.clock.turn(60_000);
    let stop = CancellationToken::new();
    let worker = Worker::new(&queue, WorkerOptions { places: 64, ..WorkerOptions::default() });
    let working = tokio::spawn(worker.run(stop.clone()));
    let operator = job_world::operator();
    for id in &acked {
        let job = queue.follow(&operator, &id.parse().unwrap(), LONG).await.unwrap();
        let begins = begun.get(id).copied().unwrap_or(0);
        match (job.kind.as_str(), job.state) {
            (_, JobState::Done) => assert_eq!(job.result, Some(json!("ran"))),
            ("once", JobState::Unknown) => {
                assert!(job.error.unwrap().contains("its worker was lost"));
                assert_eq!(job.attempt, 1);
            }
            other => panic!("{id} ended as {other:?}"),
        }
        if job.kind == "once" {
            assert!(begins <= 1, "{id} began {begins} times");
            assert_eq!((job.attempt, job.epoch), (1, 1));
        }
    }
    stop.cancel();
    working.await.unwrap();
    assert!(!in_doubt.is_empty(), "no kill met a running job: the test has shown nothing");
    let open = JobFilter { states: vec![JobState::Running, JobState::Waiting], ..JobFilter::default() };
    assert!(jobs.jobs(&open, None, 10).await.unwrap().is_empty());
    world.whole().await;
}
