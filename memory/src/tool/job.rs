//! `job_*`: calls that run as jobs, for clients that have no other word for them.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jarvis_safety::job::{Cancelled, JobFilter, JobProgress, JobQueue, JobRecord, JobState};
use jarvis_safety::kernel::{Permit, RegistryBuilder};
use jarvis_safety::refusal::Code;
use jarvis_safety::tool::{Done, Look, RunContext, Spec, Tool, ToolError, ToolErrorKind, Trust};
use jarvis_safety::{Effects, JobId, Refusal, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Longest look at one job.
const LONGEST_WAIT: u32 = 50;
/// Pieces of output in one answer.
const PIECES: u32 = 100;
/// Jobs in one answer.
const LISTED: u32 = 50;

/// Where the tools find the queue. The queue's jobs call tools, so it is there only after them.
#[derive(Clone, Default)]
pub struct JobDesk(Arc<OnceLock<JobQueue>>);

impl JobDesk {
    /// From now on jobs are handed in here.
    pub fn open(&self, queue: JobQueue) {
        // A desk that is open stays where it is.
        let _ = self.0.set(queue);
    }

    fn queue(&self) -> Result<&JobQueue, ToolError> {
        let closed = || ToolError::new(ToolErrorKind::Unavailable, "Jarvis is starting; ask again in a moment");
        self.0.get().ok_or_else(closed)
    }
}

/// Adds the family.
#[must_use]
pub fn register(tools: RegistryBuilder, desk: &JobDesk) -> RegistryBuilder {
    tools
        .with(JobStart(desk.clone()))
        .with(JobStatus(desk.clone()))
        .with(JobList(desk.clone()))
        .with(JobCancel(desk.clone()))
}

fn refused(refusal: Refusal) -> ToolError {
    let kind = match refusal.code {
        Code::NotFound => ToolErrorKind::NotFound,
        Code::InvalidArguments | Code::UnknownTool | Code::KeyReused => ToolErrorKind::Invalid,
        // Whether it was kept is not known.
        Code::StoreUnavailable => ToolErrorKind::Interrupted,
        _ => ToolErrorKind::Unavailable,
    };
    ToolError::new(kind, refusal.message)
}

/// A job of whoever looks, as a target.
async fn resolved(desk: &JobDesk, id: &str, look: &Look) -> Result<Target, ToolError> {
    let parsed: JobId =
        id.parse().map_err(|_| ToolError::new(ToolErrorKind::Invalid, "a job is named by its id, `job_…`"))?;
    let job = desk.queue()?.job(look.actor(), &parsed).await.map_err(refused)?;
    Ok(Target::new("job", job.id.to_string(), job.title))
}

fn id_of(target: &Target) -> Result<JobId, ToolError> {
    target.id.parse().map_err(|_| ToolError::new(ToolErrorKind::NotFound, "the job is not there any more"))
}

/// A job as a model reads it.
#[derive(Debug, Serialize, JsonSchema)]
struct Seen {
    /// Its id.
    job: String,
    /// The tool that it calls.
    tool: String,
    /// `queued`, `running`, `waiting` (a person must approve it), `done`, `failed`, `cancelled` or `unknown`.
    state: String,
    /// How often it was begun.
    attempt: u32,
    /// How far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Progress>,
    /// The approval that it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    approval: Option<String>,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Value>,
    /// What went wrong, last.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Progress {
    /// Units done.
    done: f64,
    /// Units in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<f64>,
    /// What is being done.
    text: String,
}

impl From<JobRecord> for Seen {
    fn from(job: JobRecord) -> Self {
        let waits = job.state == JobState::Waiting;
        Self {
            job: job.id.to_string(),
            tool: job.title,
            state: job.state.as_str().to_owned(),
            attempt: job.attempt,
            progress: job.progress.map(|JobProgress { done, total, text }| Progress { done, total, text }),
            approval: job.approval.filter(|_| waits).map(|id| id.to_string()),
            result: job.result,
            error: job.error,
        }
    }
}

impl Seen {
    fn words(&self) -> String {
        let why = self.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
        let asks = self.approval.as_deref().map(|id| format!(" for approval {id}")).unwrap_or_default();
        format!("{} ({}) is {}{asks}{why}.", self.job, self.tool, self.state)
    }
}

/// Call a tool as a job: for work that takes long. It goes on when the client has gone, and over a restart. The call
/// is decided when it runs, as any other. Then ask `job_status`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StartArgs {
    /// Name of the tool.
    #[schemars(length(min = 1, max = 48))]
    tool: String,
    /// Its arguments.
    #[serde(default)]
    arguments: Map<String, Value>,
    /// Idempotency key: the same key and the same call are the same job.
    #[serde(default)]
    #[schemars(length(min = 1, max = 200))]
    key: Option<String>,
}

struct JobStart(JobDesk);

fn payload(args: &StartArgs) -> Value {
    json!({ "tool": args.tool, "args": args.arguments })
}

impl Tool for JobStart {
    const SPEC: Spec = Spec {
        name: "job_start",
        revision: 1,
        tier: Tier::Yellow,
        effects: Effects::WRITES,
        deadline: Duration::from_secs(10),
        trust: Trust::Trusted,
        secrets: &[],
        examples: &["run {tool} as a job", "start {tool} in the background", "hand in {tool} as a job"],
        lists: None,
    };
    type Args = StartArgs;
    type Output = Seen;

    async fn resolve(&self, args: &StartArgs, _: &Look) -> Result<Target, ToolError> {
        self.0.queue()?.check("tool_call", payload(args)).map_err(refused)?;
        Ok(Target::new("tool", args.tool.clone(), args.tool.clone()))
    }

    fn sentence(&self, args: &StartArgs, _: &Target) -> String {
        format!("Hands in a job that calls {} with {}.", args.tool, Value::Object(args.arguments.clone()))
    }

    async fn run(&self, args: StartArgs, cx: &RunContext, _: Permit<Self>) -> Result<Done<Seen>, ToolError> {
        let queue = self.0.queue()?;
        let receipt = queue.own(cx).submit("tool_call", payload(&args), args.key).await.map_err(refused)?;
        // A job that this one joined may have ended, and what came of that strangers may have written.
        let seen = Seen { progress: None, result: None, error: None, ..JobRecord::clone(&receipt.job).into() };
        let undo = json!({ "job": seen.job });
        Ok(Done::new(seen).undo_by("job_cancel", undo))
    }

    fn words(&self, output: &Seen) -> String {
        format!("{} is handed in; it calls {}.", output.job, output.tool)
    }
}

/// How a job is: its state, how far it is, what it has put out, and what came of it. Waits for its end if asked to.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StatusArgs {
    /// Id of the job.
    #[schemars(regex(pattern = "^job_[0-9a-z]{26}$"))]
    job: String,
    /// Wait so many seconds for its end, at most 50.
    #[serde(default)]
    #[schemars(range(max = 50))]
    wait_seconds: u32,
    /// Output after this piece.
    #[serde(default)]
    output_after: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Status {
    #[serde(flatten)]
    seen: Seen,
    /// What it has put out, a piece each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    output: Vec<String>,
    /// Number of the last of these pieces: pass it as `output_after` to read on.
    output_last: u64,
}

struct JobStatus(JobDesk);

impl Tool for JobStatus {
    const SPEC: Spec = Spec {
        name: "job_status",
        revision: 1,
        tier: Tier::Green,
        effects: Effects::READS,
        deadline: Duration::from_secs(60),
        // Outputs of any tool come through it.
        trust: Trust::Untrusted,
        secrets: &[],
        examples: &["how is job {job}?", "what became of job {job}?", "show job {job}"],
        lists: None,
    };
    type Args = StatusArgs;
    type Output = Status;

    async fn resolve(&self, args: &StatusArgs, look: &Look) -> Result<Target, ToolError> {
        if args.wait_seconds > LONGEST_WAIT {
            let said = format!("`wait_seconds` is at most {LONGEST_WAIT}; ask again after that");
            return Err(ToolError::new(ToolErrorKind::Invalid, said));
        }
        resolved(&self.0, &args.job, look).await
    }

    fn sentence(&self, _: &StatusArgs, target: &Target) -> String {
        format!("Looks how {} is.", target.id)
    }

    async fn run(&self, args: StatusArgs, cx: &RunContext, permit: Permit<Self>) -> Result<Done<Status>, ToolError> {
        let (id, own) = (id_of(permit.target())?, self.0.queue()?.own(cx));
        let job = own.follow(&id, Duration::from_secs(u64::from(args.wait_seconds))).await.map_err(refused)?;
        let output = own.output(&id, args.output_after, PIECES).await.map_err(refused)?;
        Ok(Done::new(Status {
            seen: job.into(),
            output_last: output.last().map_or(args.output_after, |piece| piece.number),
            output: output.into_iter().map(|piece| piece.text).collect(),
        }))
    }

    fn words(&self, output: &Status) -> String {
        output.seen.words()
    }
}

/// The newest jobs, and those that are open.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListArgs {
    /// Only those that have not ended.
    #[serde(default)]
    open: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Listed {
    /// Newest first, at most 50.
    jobs: Vec<Seen>,
    /// Whether there are older ones.
    more: bool,
}

struct JobList(JobDesk);

impl Tool for JobList {
    const SPEC: Spec = Spec {
        name: "job_list",
        revision: 1,
        tier: Tier::Green,
        effects: Effects::READS,
        deadline: Duration::from_secs(10),
        trust: Trust::Untrusted,
        secrets: &[],
        examples: &["which jobs are running?", "list the jobs", "show all jobs"],
        lists: None,
    };
    type Args = ListArgs;
    type Output = Listed;

    async fn resolve(&self, _: &ListArgs, _: &Look) -> Result<Target, ToolError> {
        Ok(Target::new("jobs", "jobs", "jobs"))
    }

    fn sentence(&self, _: &ListArgs, _: &Target) -> String {
        "Lists jobs.".to_owned()
    }

    async fn run(&self, args: ListArgs, cx: &RunContext, _: Permit<Self>) -> Result<Done<Listed>, ToolError> {
        let open = JobState::ALL.into_iter().filter(|state| args.open && !state.is_final()).collect();
        let filter = JobFilter { states: open, ..JobFilter::default() };
        let mut jobs = self.0.queue()?.own(cx).list(filter, LISTED + 1).await.map_err(refused)?;
        let more = jobs.len() > LISTED as usize;
        jobs.truncate(LISTED as usize);
        // What came of each stands in `job_status`.
        let jobs = jobs.into_iter().map(|job| Seen { result: None, ..job.into() }).collect();
        Ok(Done::new(Listed { jobs, more }))
    }

    fn words(&self, output: &Listed) -> String {
        let lines: Vec<_> = output.jobs.iter().take(10).map(Seen::words).collect();
        if lines.is_empty() { "There are no such jobs.".to_owned() } else { lines.join("\n") }
    }
}

/// Stop a job: one that has not begun ends at once, one that runs is cancelled.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CancelArgs {
    /// Id of the job.
    #[schemars(regex(pattern = "^job_[0-9a-z]{26}$"))]
    job: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Stopped {
    /// Its id.
    job: String,
    /// `cancelled`, `stopping`, or the state in which it had ended before.
    state: String,
}

struct JobCancel(JobDesk);

impl Tool for JobCancel {
    const SPEC: Spec = Spec {
        name: "job_cancel",
        revision: 1,
        tier: Tier::Yellow,
        effects: Effects::WRITES,
        deadline: Duration::from_secs(10),
        trust: Trust::Trusted,
        secrets: &[],
        examples: &["cancel job {job}", "stop job {job}", "abort job {job}"],
        lists: None,
    };
    type Args = CancelArgs;
    type Output = Stopped;

    async fn resolve(&self, args: &CancelArgs, look: &Look) -> Result<Target, ToolError> {
        resolved(&self.0, &args.job, look).await
    }

    fn sentence(&self, _: &CancelArgs, target: &Target) -> String {
        format!("Stops {}, which calls {}.", target.id, target.name)
    }

    async fn run(&self, _: CancelArgs, cx: &RunContext, permit: Permit<Self>) -> Result<Done<Stopped>, ToolError> {
        let id = id_of(permit.target())?;
        let state = match self.0.queue()?.own(cx).cancel(&id).await.map_err(refused)? {
            Cancelled::Ended => "cancelled",
            Cancelled::Stopping => "stopping",
            Cancelled::Over(state) => state.as_str(),
        };
        Ok(Done::new(Stopped { job: id.to_string(), state: state.to_owned() }))
    }

    fn words(&self, output: &Stopped) -> String {
        match output.state.as_str() {
            "cancelled" => format!("{} is cancelled; it had not begun.", output.job),
            "stopping" => format!("{} is being stopped.", output.job),
            state => format!("{} had ended before: {state}.", output.job),
        }
    }
}
