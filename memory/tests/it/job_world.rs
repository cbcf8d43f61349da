//! Kinds of jobs that do what a test tells them, a queue over the world's store, and workers over that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jarvis_memory::{JobStore, LiveHub};
use jarvis_safety::call::{Origin, Vouching};
use jarvis_safety::event::{Draft, EventKind};
use jarvis_safety::job::{
    Claim, Dedup, Hold, JobContext, JobEnd, JobError, JobErrorKind, JobFilter, JobKind, JobQueue, JobRecord, JobSpec,
    JobState, Jobs, Kinds, KindsBuilder, NewJob, Peers, QueueParts, Receipt, Repeat, Retry, Settle, Submission, Worker,
    WorkerOptions,
};
use jarvis_safety::port::{Clock as _, EventFilter, Feed as _, Ids as _};
use jarvis_safety::secret::Redactor;
use jarvis_safety::{Actor, JobId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::world::{World, client, row};

/// As long as a test ever waits for what must come.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// What a scripted job does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Act {
    /// Ends at once with this.
    Give(Value),
    /// Waits until the test lets one go, or until it is cancelled.
    Hold,
    /// Waits until the test lets one go, and hears of no cancelling.
    HoldDeaf,
    /// Asks to be tried again until this attempt, which is done.
    Until(u32),
    /// Comes to nothing.
    Fail,
    /// Breaks off.
    Panic,
    /// Puts out these pieces and says how far it is.
    Say(Vec<String>),
}

/// Shared with the test.
pub(crate) struct Stage {
    began: mpsc::UnboundedSender<JobId>,
    dropped: mpsc::UnboundedSender<JobId>,
    pub(crate) go: Semaphore,
    pub(crate) runs: AtomicU32,
}

/// What the test hears of running jobs.
pub(crate) struct Ears {
    began: Mutex<mpsc::UnboundedReceiver<JobId>>,
    dropped: Mutex<mpsc::UnboundedReceiver<JobId>>,
}

impl Ears {
    /// The next job that began.
    pub(crate) async fn began(&self) -> JobId {
        tokio::time::timeout(LONG, async { self.began.lock().await.recv().await.unwrap() }).await.unwrap()
    }

    /// Whether another one has begun already.
    pub(crate) async fn heard(&self) -> Option<JobId> {
        self.began.lock().await.try_recv().ok()
    }

    /// The next run that ended or was dropped.
    pub(crate) async fn dropped(&self) -> JobId {
        tokio::time::timeout(LONG, async { self.dropped.lock().await.recv().await.unwrap() }).await.unwrap()
    }
}

struct Ends<'a>(&'a Stage, JobId);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        let _ = self.0.dropped.send(self.1.clone());
    }
}

async fn play(stage: &Stage, act: Act, cx: &JobContext) -> Result<Value, JobError> {
    stage.runs.fetch_add(1, Ordering::SeqCst);
    let _ends = Ends(stage, cx.id().clone());
    let _ = stage.began.send(cx.id().clone());
    match act {
        Act::Give(value) => Ok(value),
        Act::Hold => tokio::select! {
            go = stage.go.acquire() => {
                go.unwrap().forget();
                Ok(json!("let go"))
            }
            () = cx.cancelled().cancelled() => Err(JobError::new(JobErrorKind::Cancelled, "it stopped")),
        },
        Act::HoldDeaf => {
            stage.go.acquire().await.unwrap().forget();
            Ok(json!("let go"))
        }
        Act::Until(attempt) if cx.attempt() >= attempt => Ok(json!({ "attempt": attempt })),
        Act::Until(_) => Err(JobError::new(JobErrorKind::Retry, "not yet")),
        Act::Fail => Err(JobError::failed("it makes no sense")),
        Act::Panic => panic!("as the test wanted"),
        Act::Say(pieces) => {
            for (index, piece) in pieces.iter().enumerate() {
                cx.output(piece).await.map_err(|error| JobError::failed(error.to_string()))?;
                cx.progress((index + 1) as f64, Some(pieces.len() as f64), "saying");
            }
            Ok(Value::Null)
        }
    }
}

macro_rules! scripted {
    ($(#[$doc:meta])* $name:ident, $spec:expr) => {
        $(#[$doc])*
        pub(crate) struct $name(pub(crate) Arc<Stage>);

        impl JobKind for $name {
            const SPEC: JobSpec = $spec;
            type Payload = Act;

            fn title(&self, act: &Act) -> String {
                format!("{act:?}")
            }

            async fn run(&self, act: Act, cx: &JobContext) -> Result<Value, JobError> {
                play(&self.0, act, cx).await
            }
        }
    };
}

pub(crate) const SAFE: JobSpec = JobSpec {
    kind: "safe",
    queue: "plain",
    priority: 0,
    retry: Retry { attempts: 3, first: Duration::from_secs(10), cap: Duration::from_secs(15) },
    dedup: Dedup::None,
    repeat: Repeat::Safe,
    lease: Duration::from_secs(3),
    deadline: Duration::from_secs(600),
};

scripted!(
    /// May be run again.
    Safe,
    SAFE
);
scripted!(
    /// Must not be run again, and goes first.
    Once,
    JobSpec { kind: "once", priority: 5, repeat: Repeat::Never, ..SAFE }
);
scripted!(
    /// Joins an open one that is the same.
    Single,
    JobSpec { kind: "single", queue: "apart", dedup: Dedup::ByPayload, ..SAFE }
);
scripted!(
    /// Has little time.
    Brief,
    JobSpec { kind: "brief", deadline: Duration::from_millis(50), ..SAFE }
);

/// A world with a queue.
pub(crate) struct Jobbing {
    pub(crate) world: World,
    pub(crate) jobs: Arc<JobStore>,
    pub(crate) queue: JobQueue,
    pub(crate) stage: Arc<Stage>,
    pub(crate) ears: Ears,
}

impl Jobbing {
    pub(crate) async fn new() -> Self {
        Self::over(World::new().await)
    }

    pub(crate) fn over(world: World) -> Self {
        Self::with(world, |kinds| kinds)
    }

    pub(crate) fn with(world: World, more: impl FnOnce(KindsBuilder) -> KindsBuilder) -> Self {
        let (began, hears_began) = mpsc::unbounded_channel();
        let (dropped, hears_dropped) = mpsc::unbounded_channel();
        let stage = Arc::new(Stage { began, dropped, go: Semaphore::new(0), runs: AtomicU32::new(0) });
        let kinds = Kinds::builder()
            .with(Safe(Arc::clone(&stage)))
            .with(Once(Arc::clone(&stage)))
            .with(Single(Arc::clone(&stage)))
            .with(Brief(Arc::clone(&stage)));
        let jobs = Arc::new(JobStore::new(&world.store));
        let queue = queue(&world, &jobs, more(kinds).build().unwrap());
        let ears = Ears { began: Mutex::new(hears_began), dropped: Mutex::new(hears_dropped) };
        Self { world, jobs, queue, stage, ears }
    }

    /// As after a restart of the process. What ran in the old one must be over.
    pub(crate) async fn restart(self) -> Self {
        let Self { world, jobs, queue, .. } = self;
        drop((jobs, queue));
        Self::over(world.restart().await)
    }

    pub(crate) fn submission(&self, kind: &str, act: &Act) -> Submission {
        Submission {
            actor: client(),
            origin: Origin { face: "api".to_owned(), correlation: "c-1".to_owned(), ..Origin::default() },
            vouching: Vouching::Client,
            kind: kind.to_owned(),
            payload: serde_json::to_value(act).unwrap(),
            key: None,
            run_at: None,
        }
    }

    pub(crate) async fn submit(&self, kind: &str, act: Act) -> JobRecord {
        (*self.queue.submit(self.submission(kind, &act)).await.unwrap().job).clone()
    }

    pub(crate) async fn keyed(&self, kind: &str, act: Act, key: &str) -> Receipt {
        let submission = Submission { key: Some(key.to_owned()), ..self.submission(kind, &act) };
        self.queue.submit(submission).await.unwrap()
    }

    /// A job as the port takes it.
    pub(crate) fn new_job(&self, kind: &str) -> NewJob {
        self.new_job_with(kind, |_| {})
    }

    pub(crate) fn new_job_with(&self, kind: &str, change: impl FnOnce(&mut JobRecord)) -> NewJob {
        let mut record = JobRecord {
            id: JobId::new(self.world.ids.next()),
            kind: kind.to_owned(),
            title: "a job".to_owned(),
            queue: "plain".to_owned(),
            priority: 0,
            actor: client().id,
            origin: Origin::default(),
            vouching: Vouching::Client,
            payload: json!({ "give": null }),
            key: None,
            schedule: None,
            state: JobState::Queued,
            run_at: None,
            attempt: 0,
            epoch: 0,
            worker: None,
            lease_until: None,
            approval: None,
            progress: None,
            chunks: 0,
            result: None,
            error: None,
            cancelled_by: None,
            created_at: self.world.clock.now(),
            started_at: None,
            ended_at: None,
        };
        change(&mut record);
        let draft = row(EventKind::JobSubmitted, record.id.as_str());
        NewJob { record: Arc::new(record), dedup: None, draft }
    }

    /// Takes jobs as a worker does that is no more.
    pub(crate) async fn take(&self, queue: &str, most: u32, worker: &str) -> Vec<JobRecord> {
        self.jobs.claim(&self.claim(queue, most, worker)).await.unwrap()
    }

    pub(crate) fn claim(&self, queue: &str, most: u32, worker: &str) -> Claim {
        let at = self.world.clock.now();
        let kinds = ["safe", "once", "single", "brief", "tool_call"].map(|kind| (kind.to_owned(), at + 3_000)).to_vec();
        Claim { queue: queue.to_owned(), kinds, most, worker: worker.to_owned(), at }
    }

    pub(crate) fn done(&self, job: &JobRecord) -> Settle {
        let end = JobEnd::Final { state: JobState::Done, result: Some(json!("by hand")), error: None };
        self.end(job, end, EventKind::JobDone)
    }

    pub(crate) fn end(&self, job: &JobRecord, end: JobEnd, kind: EventKind) -> Settle {
        let at = self.world.clock.now();
        let draft = Some(row(kind, job.id.as_str()));
        Settle { hold: Hold::of(job), end, progress: None, at, only_lapsed: false, draft }
    }

    pub(crate) async fn job(&self, id: &JobId) -> JobRecord {
        self.jobs.job(id).await.unwrap().unwrap()
    }

    /// The job once it has ended.
    pub(crate) async fn ended(&self, id: &JobId) -> JobRecord {
        let job = self.queue.follow(&client(), id, LONG).await.unwrap();
        assert!(job.state.is_final(), "{job:?}");
        job
    }

    /// Kinds of the rows about something, in their order.
    pub(crate) async fn told(&self, subject: &str) -> Vec<&'static str> {
        let filter = EventFilter { subject: Some(subject.to_owned()), ..EventFilter::default() };
        let rows = self.world.store.after(0, &filter, 1000).await.unwrap();
        rows.iter().map(|row| row.kind.as_str()).collect()
    }

    pub(crate) async fn all(&self, filter: JobFilter) -> Vec<JobRecord> {
        self.jobs.jobs(&filter, None, 500).await.unwrap()
    }

    /// Starts a worker with so many places in each queue.
    pub(crate) fn work(&self, places: u32) -> Working {
        self.work_as(WorkerOptions { places, grace: Duration::ZERO, ..WorkerOptions::default() })
    }

    pub(crate) fn work_as(&self, options: WorkerOptions) -> Working {
        let stop = CancellationToken::new();
        let worker = Worker::new(&self.queue, options);
        Working { task: tokio::spawn(worker.run(stop.clone())), stop }
    }

    /// A worker that has peers: it takes over nothing at its start.
    pub(crate) fn peer(&self, places: u32) -> Working {
        let queues = BTreeMap::new();
        self.work_as(WorkerOptions { places, queues, grace: Duration::ZERO, peers: Peers::Replicas })
    }
}

pub(crate) fn queue(world: &World, jobs: &Arc<JobStore>, kinds: Kinds) -> JobQueue {
    JobQueue::new(QueueParts {
        kinds,
        jobs: Arc::clone(jobs) as _,
        feed: Arc::new(world.store.clone()),
        live: Arc::new(LiveHub::new()),
        clock: Arc::clone(&world.clock) as _,
        ids: Arc::clone(&world.ids) as _,
        redactor: Redactor::default(),
    })
}

/// A worker at work.
pub(crate) struct Working {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Working {
    /// Stops in good order.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(LONG, self.task).await.unwrap().unwrap();
    }
}

/// A row that a test tells of a job.
pub(crate) fn told_of(kind: EventKind, job: &JobRecord) -> Draft {
    row(kind, job.id.as_str())
}

pub(crate) fn operator() -> Actor {
    Actor::operator()
}
