//! The port that keeps jobs and schedules.
//!
//! Every change of a state is conditional on the state and epoch before it, and is one transaction with the audit row
//! that tells of it. Being claimed, waiting and progress are states of the moment and tell no row; being submitted, tried
//! again and ended do. Whoever wants to hear of those follows the rows themselves ([`crate::port::Feed`]).

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::broadcast;

use super::record::{JobProgress, JobRecord, JobState, OutputChunk};
use super::schedule::Schedule;
use crate::event::Draft;
use crate::id::{ActorId, ApprovalId, JobId, ScheduleId};
use crate::port::Stored;

/// A job to keep.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// As it is at first: queued and never begun. Whoever submits keeps a hand on it, so that it need not be read back.
    pub record: Arc<JobRecord>,
    /// Submissions of equal text here join while one of them is open.
    pub dedup: Option<String>,
    /// The row that tells of it.
    pub draft: Draft,
}

/// What became of a submission.
#[derive(Debug, Clone)]
pub enum Submitted {
    /// It is durable.
    New,
    /// There is a job for this key and payload already, or an open one that it joins.
    Known(Box<JobRecord>),
    /// The key belongs to this job, which is another. Nothing was kept.
    KeyReused(JobId),
}

/// Which jobs a worker can take.
#[derive(Debug, Clone)]
pub struct Claim {
    /// From this queue.
    pub queue: String,
    /// Of these kinds, and until when each is held.
    pub kinds: Vec<(String, i64)>,
    /// At most so many.
    pub most: u32,
    /// Who takes them.
    pub worker: String,
    /// The time now.
    pub at: i64,
}

/// A worker's hold on a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The job.
    pub job: JobId,
    /// The epoch of the claim.
    pub epoch: u64,
}

impl Hold {
    /// The hold of whoever claimed this record.
    #[must_use]
    pub fn of(job: &JobRecord) -> Self {
        Self { job: job.id.clone(), epoch: job.epoch }
    }
}

/// What a heartbeat hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beat {
    /// The hold is renewed.
    Held,
    /// The hold is renewed, and this actor wants the job to stop.
    Stop(ActorId),
    /// The job is held by somebody else, or has ended.
    Lost,
}

/// What becomes of a job that is held.
#[derive(Debug, Clone, PartialEq)]
pub enum JobEnd {
    /// It ends in a final state.
    Final {
        /// `Done`, `Failed`, `Cancelled` or `Unknown`.
        state: JobState,
        /// What it came to.
        result: Option<Value>,
        /// What went wrong.
        error: Option<String>,
    },
    /// It goes back into its queue.
    Again {
        /// Not before this time.
        run_at: Option<i64>,
        /// What went wrong.
        error: Option<String>,
        /// Whether the attempt counts: it does unless it never began.
        counts: bool,
    },
}

/// Ends a hold.
#[derive(Debug, Clone)]
pub struct Settle {
    /// Whose.
    pub hold: Hold,
    /// How.
    pub end: JobEnd,
    /// Its last progress.
    pub progress: Option<JobProgress>,
    /// When.
    pub at: i64,
    /// Only if the lease has lapsed at that time: somebody else than the holder ends it.
    pub only_lapsed: bool,
    /// The row that tells of it; none for a hold that never began.
    pub draft: Option<Draft>,
}

/// What became of a piece of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It has this number.
    Kept(u64),
    /// There is nothing to keep yet: what was said waits for what follows.
    Held,
    /// The job has put out as much as is kept; nothing was.
    Full,
    /// The hold is lost.
    Lost,
}

/// Wants a job to stop.
#[derive(Debug, Clone)]
pub struct Cancel {
    /// Which.
    pub job: JobId,
    /// Who wants it.
    pub by: ActorId,
    /// When.
    pub at: i64,
    /// The row if it ends at once.
    pub ended: Draft,
    /// The row if it is running, and its worker must stop it.
    pub stopping: Draft,
}

/// What became of a wish to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It was queued and is cancelled.
    Ended,
    /// It is running; its worker hears of it.
    Stopping,
    /// It had ended before, as this.
    Over(JobState),
}

/// When something will be due without anybody submitting anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Due {
    /// The next queued job whose time comes.
    pub job: Option<i64>,
    /// The next lease that lapses unless it is renewed.
    pub lease: Option<i64>,
    /// The next run of a schedule.
    pub schedule: Option<i64>,
}

/// Which jobs.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// Only of this actor; `None` sees all.
    pub actor: Option<ActorId>,
    /// Only in these states (all when empty).
    pub states: Vec<JobState>,
    /// Only of this kind.
    pub kind: Option<String>,
    /// Only of this schedule.
    pub schedule: Option<ScheduleId>,
}

/// How many jobs are in the states that somebody may have to act on. Each is counted up to 10,000.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct JobCounts {
    /// Queued.
    pub queued: u64,
    /// Running.
    pub running: u64,
    /// Waiting for an approval.
    pub waiting: u64,
    /// In doubt.
    pub unknown: u64,
}

/// A schedule whose time has come.
#[derive(Debug, Clone)]
pub struct Fire {
    /// Which.
    pub schedule: ScheduleId,
    /// The run that was next; if it no longer is, somebody else has fired it, and nothing is kept.
    pub due: i64,
    /// The run that is next then.
    pub next: Option<i64>,
    /// When.
    pub at: i64,
    /// The jobs that it submits.
    pub jobs: Vec<NewJob>,
    /// The row that tells of runs that are not caught up.
    pub missed: Option<Draft>,
}

/// Keeps jobs and schedules.
#[async_trait]
pub trait Jobs: Send + Sync {
    /// Keeps a job, fsynced.
    async fn submit(&self, job: NewJob) -> Stored<Submitted>;
    /// Keeps many. Each is kept or not on its own.
    async fn submit_all(&self, jobs: Vec<NewJob>) -> Vec<Stored<Submitted>>;
    /// Jobs that another replica has moved without a row of the audit, as they come: taken, going on, waiting, putting
    /// out. `None` says that some may have been missed.
    fn moved(&self) -> broadcast::Receiver<Option<JobId>>;
    /// Takes queued jobs whose time has come, by priority and then age: `Running`, one attempt and one epoch further. None
    /// while there is no room to record what they do.
    async fn claim(&self, claim: &Claim) -> Stored<Vec<JobRecord>>;
    /// Renews a hold until a time. Also one that has lapsed, if nobody has taken it.
    async fn beat(&self, hold: &Hold, until: i64) -> Stored<Beat>;
    /// Keeps how far a held job is. Answers whether it is still held.
    async fn progress(&self, hold: &Hold, progress: &JobProgress) -> Stored<bool>;
    /// Keeps a piece of output of a held job: at most 16 KiB each, and 1 MiB or 4,096 pieces in all.
    async fn put_out(&self, hold: &Hold, text: &str, at: i64) -> Stored<Appended>;
    /// Marks a held job as waiting for an approval, or as running again. Answers whether it is still held.
    async fn wait_for(&self, hold: &Hold, approval: Option<&ApprovalId>) -> Stored<bool>;
    /// Ends a hold. Answers whether it was held; if not, nothing is kept, the draft neither.
    async fn settle(&self, settle: Settle) -> Stored<bool>;
    /// Wants a job to stop.
    async fn cancel(&self, cancel: Cancel) -> Stored<Cancelled>;
    /// Jobs that are held by anybody, those whose lease lapses first; at most 1,000.
    async fn held(&self) -> Stored<Vec<JobRecord>>;
    /// What is due next; no job and no schedule while there is no room for them.
    async fn due(&self) -> Stored<Due>;

    /// One job.
    async fn job(&self, id: &JobId) -> Stored<Option<JobRecord>>;
    /// Jobs, newest first, older than this one; at most 500.
    async fn jobs(&self, filter: &JobFilter, before: Option<&JobId>, limit: u32) -> Stored<Vec<JobRecord>>;
    /// How many are open or in doubt.
    async fn counts(&self) -> Stored<JobCounts>;
    /// Output after a number, oldest first; at most 500 pieces.
    async fn output(&self, id: &JobId, after: u64, limit: u32) -> Stored<Vec<OutputChunk>>;

    /// Makes a schedule, or replaces the one of this id.
    async fn save_schedule(&self, schedule: &Schedule, draft: Draft) -> Stored<()>;
    /// Removes a schedule; its jobs stay. Answers whether it was there.
    async fn remove_schedule(&self, id: &ScheduleId, draft: Draft) -> Stored<bool>;
    /// One schedule.
    async fn schedule(&self, id: &ScheduleId) -> Stored<Option<Schedule>>;
    /// Schedules of an actor (`None`: of all), by age; at most 1,000.
    async fn schedules(&self, actor: Option<&ActorId>) -> Stored<Vec<Schedule>>;
    /// Schedules that are due at a time, the longest due first; at most 100.
    async fn due_schedules(&self, now: i64) -> Stored<Vec<Schedule>>;
    /// Submits the jobs of a schedule and moves it to its next run, as one transaction. Answers whether it was due.
    async fn fire(&self, fire: Fire) -> Stored<bool>;
}
