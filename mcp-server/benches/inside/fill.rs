//! A data directory with very many jobs, for the measurement of the start.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jarvis_memory::{JobStore, LiveHub, Options, Store};
use jarvis_safety::Actor;
use jarvis_safety::call::{Origin, Vouching};
use jarvis_safety::job::{
    Dedup, JobContext, JobError, JobKind, JobQueue, JobSpec, Kinds, QueueParts, Repeat, Retry, Submission, Worker,
    WorkerOptions,
};
use jarvis_safety::secret::Redactor;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::machine::Machine;

/// Ends at once; in the store it is a call of a tool like any other.
struct Ended;

impl JobKind for Ended {
    const SPEC: JobSpec = JobSpec {
        kind: "tool_call",
        queue: "tool",
        priority: 0,
        retry: Retry::NEVER,
        dedup: Dedup::None,
        repeat: Repeat::Safe,
        lease: Duration::from_secs(30),
        deadline: Duration::from_secs(60),
    };
    type Payload = Value;

    fn title(&self, _: &Value) -> String {
        "echo".to_owned()
    }

    async fn run(&self, _: Value, _: &JobContext) -> Result<Value, JobError> {
        Ok(Value::Null)
    }
}

/// Jobs that were handed in, run and told in the audit, as the server would have done it.
pub(crate) async fn fill(data: &Path, jobs: u64) {
    let machine = Arc::new(Machine);
    let options =
        Options { data: data.to_owned(), clock: machine.clone(), ids: machine.clone(), redactor: Redactor::default() };
    let store = Store::open(options).await.unwrap();
    let queue = JobQueue::new(QueueParts {
        kinds: Kinds::builder().with(Ended).build().unwrap(),
        jobs: Arc::new(JobStore::new(&store)),
        feed: Arc::new(store.clone()),
        live: Arc::new(LiveHub::new()),
        clock: machine.clone(),
        ids: machine.clone(),
        redactor: Redactor::default(),
    });
    let stop = CancellationToken::new();
    let options = WorkerOptions { places: 1024, ..WorkerOptions::default() };
    let working = tokio::spawn(Worker::new(&queue, options).run(stop.clone()));
    let (mut clients, left) = (JoinSet::new(), Arc::new(AtomicU64::new(0)));
    for _ in 0..256 {
        let (queue, left) = (queue.clone(), Arc::clone(&left));
        clients.spawn(async move {
            while left.fetch_add(1, Ordering::Relaxed) < jobs {
                queue.submit(submission()).await.unwrap();
            }
        });
    }
    clients.join_all().await;
    loop {
        let counts = queue.counts().await.unwrap();
        if counts.queued + counts.running == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.cancel();
    working.await.unwrap();
    store.close().await;
}

fn submission() -> Submission {
    Submission {
        actor: Actor::local(),
        origin: Origin { face: "api".to_owned(), correlation: "bench".to_owned(), ..Origin::default() },
        vouching: Vouching::Client,
        kind: "tool_call".to_owned(),
        payload: json!({ "tool": "echo", "args": { "text": "hello" } }),
        key: None,
        run_at: None,
    }
}
