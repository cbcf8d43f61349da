//! What is kept of a job.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::call::{Origin, Vouching};
use crate::id::{ActorId, ApprovalId, JobId, ScheduleId};

/// State of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for a worker, or for its time.
    Queued,
    /// A worker holds it.
    Running,
    /// A worker holds it, and it waits for a person to decide an approval.
    Waiting,
    /// It was done.
    Done,
    /// It came to nothing.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// Nobody can tell what became of it: a person must look.
    Unknown,
}

impl JobState {
    /// All states, in the order of life.
    pub const ALL: [Self; 7] =
        [Self::Queued, Self::Running, Self::Waiting, Self::Done, Self::Failed, Self::Cancelled, Self::Unknown];

    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }

    /// The state with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether nothing more will happen to the job.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running | Self::Waiting)
    }
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobProgress {
    /// Units done.
    pub done: f64,
    /// Units in all, where known.
    pub total: Option<f64>,
    /// What is being done; at most 300 characters.
    pub text: String,
}

/// A piece of what a job has put out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputChunk {
    /// Its number, from 1 without gaps.
    pub number: u64,
    /// When.
    pub at: i64,
    /// The text. Untrusted where the kind shows what strangers wrote.
    pub text: String,
}

/// A job as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobRecord {
    /// Id.
    pub id: JobId,
    /// Name of its kind.
    pub kind: String,
    /// What it does, in a few words of its kind.
    pub title: String,
    /// The queue that it stands in.
    pub queue: String,
    /// Within a queue the higher goes first, and of equal ones the older.
    pub priority: i32,
    /// Who submitted it, and on whose behalf it runs.
    pub actor: ActorId,
    /// From where.
    pub origin: Origin,
    /// Who chose.
    pub vouching: Vouching,
    /// What to do, in the form of its kind.
    pub payload: Value,
    /// Idempotency key of the submission.
    pub key: Option<String>,
    /// The schedule that submitted it.
    pub schedule: Option<ScheduleId>,
    /// State.
    pub state: JobState,
    /// While queued: not before this time.
    pub run_at: Option<i64>,
    /// How often it was begun.
    pub attempt: u32,
    /// Raised by every claim; only the holder of the newest may say what became of it.
    pub epoch: u64,
    /// The worker that holds it.
    pub worker: Option<String>,
    /// When the worker's hold lapses unless it is renewed.
    pub lease_until: Option<i64>,
    /// The approval that it waits for, or waited for.
    pub approval: Option<ApprovalId>,
    /// How far it is.
    pub progress: Option<JobProgress>,
    /// How many pieces of output there are.
    pub chunks: u64,
    /// What it came to.
    pub result: Option<Value>,
    /// What went wrong, last.
    pub error: Option<String>,
    /// Who wants it to stop.
    pub cancelled_by: Option<ActorId>,
    /// When it was submitted.
    pub created_at: i64,
    /// When it was first begun.
    pub started_at: Option<i64>,
    /// When it ended.
    pub ended_at: Option<i64>,
}

impl JobRecord {
    /// The idempotency key of the call that it makes: however often it is run again, that call begins once.
    #[must_use]
    pub fn call_key(&self) -> String {
        format!("job:{}", self.id)
    }
}
