//! Jobs, what they put out, and the schedules that submit them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::CallAnswer;

/// A call that is to run as a job: it outlives whoever asked for it, and the server that began it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobBody {
    /// Name of the tool.
    pub tool: String,
    /// Arguments by name; an absent object means none.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub args: Option<Box<RawValue>>,
    /// Idempotency key: the same key and the same call are the same job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Not before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_at: Option<i64>,
}

/// How far a job is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct ProgressInfo {
    /// Units done.
    pub done: f64,
    /// Units in all, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<f64>,
    /// What is being done.
    pub text: String,
}

/// A job as it stands.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JobInfo {
    /// Id.
    pub id: String,
    /// Its kind; calls of tools are `tool_call`.
    pub kind: String,
    /// What it does, in a few words; for a call the name of the tool.
    pub title: String,
    /// What it was handed in with; for a call `tool` and `args`.
    #[schema(value_type = Object)]
    pub payload: Value,
    /// `queued`, `running`, `waiting` (for an approval), `done`, `failed`, `cancelled` or `unknown` (a person must look).
    pub state: String,
    /// On whose behalf it runs.
    pub actor: String,
    /// From where it was handed in.
    pub face: String,
    /// Follows one request through everything it caused.
    pub correlation: String,
    /// The schedule that submitted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Idempotency key of the submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// While queued: not before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_at: Option<i64>,
    /// How often it was begun.
    pub attempt: u32,
    /// The approval that it waits for, or waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// How far it is, or came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressInfo>,
    /// How many pieces of output there are.
    pub chunks: u64,
    /// What came of the call, once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<CallAnswer>,
    /// What went wrong, last. May repeat text written by strangers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Who wants it to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_by: Option<String>,
    /// When it was submitted.
    pub created_at: i64,
    /// When it was first begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<i64>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<i64>,
}

/// How many jobs are in the states that somebody may have to act on; each is counted up to 10,000.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
pub struct JobCountsInfo {
    /// Queued.
    pub queued: u64,
    /// Running.
    pub running: u64,
    /// Waiting for an approval.
    pub waiting: u64,
    /// In doubt: a person must look.
    pub unknown: u64,
}

/// A page of jobs, newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JobPage {
    /// The jobs.
    pub jobs: Vec<JobInfo>,
    /// Pass as `before` to read on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Of all actors; only whoever sees all is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<JobCountsInfo>,
}

/// A piece of what a job has put out. May be text written by strangers.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
pub struct OutputInfo {
    /// Its number, from 1 without gaps.
    pub number: u64,
    /// When.
    pub at: i64,
    /// The text.
    pub text: String,
}

/// Output of a job, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OutputPage {
    /// The pieces.
    pub output: Vec<OutputInfo>,
}

/// What became of the wish that a job stop.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CancelInfo {
    /// `cancelled` (it had not begun), `stopping` (it runs and is being stopped), or the state in which it had ended.
    pub state: String,
}

/// A call that is submitted as a job again and again.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleBody {
    /// What a person calls it; 1 to 100 characters.
    pub name: String,
    /// Name of the tool.
    pub tool: String,
    /// Arguments by name; an absent object means none.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub args: Option<Box<RawValue>>,
    /// Five fields of cron: minute, hour, day of the month, month, day of the week.
    pub cron: String,
    /// IANA time zone, such as `Europe/Berlin`.
    #[serde(default = "utc")]
    pub zone: String,
    /// How many runs that were missed while Jarvis was not there are made up for, 0 to 100. 0 leaves them out.
    #[serde(default)]
    pub catch_up: u32,
    /// Whether it runs at all.
    #[serde(default = "yes")]
    pub active: bool,
}

fn utc() -> String {
    "UTC".to_owned()
}

const fn yes() -> bool {
    true
}

/// A schedule as it stands.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ScheduleInfo {
    /// Id.
    pub id: String,
    /// What a person calls it.
    pub name: String,
    /// On whose behalf its jobs run.
    pub actor: String,
    /// Kind of its jobs; calls of tools are `tool_call`.
    pub kind: String,
    /// What each is handed in with; for a call `tool` and `args`.
    #[schema(value_type = Object)]
    pub payload: Value,
    /// Five fields of cron.
    pub cron: String,
    /// IANA time zone.
    pub zone: String,
    /// How many missed runs are made up for; 0 leaves them out.
    pub catch_up: u32,
    /// Whether it runs at all.
    pub active: bool,
    /// The next run; absent while it is not active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<i64>,
    /// The last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<i64>,
    /// When it was made.
    pub created_at: i64,
}

/// All schedules that the caller may see.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ScheduleList {
    /// By age.
    pub schedules: Vec<ScheduleInfo>,
}
