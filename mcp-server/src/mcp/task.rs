//! Jobs as tasks of MCP (SEP-2663), for clients that declare the extension.
//!
//! A call that may take long, or that waits for a person, becomes a job, and its task is that job: durable before the
//! client hears of it, the same after a restart, and nobody's but the client's own. What tasks tell is polled; other
//! clients have `job_status` for that. Where a form in the client may decide what a task waits for, the task asks for it.

use std::time::Duration;

use jarvis_safety::approval::{Approval, ApprovalState};
use jarvis_safety::call::Request;
use jarvis_safety::job::{JobRecord, JobState, Submission};
use jarvis_safety::outcome::{Answer, Outcome};
use jarvis_safety::refusal::Code;
use jarvis_safety::role::Deed;
use jarvis_safety::{Actor, JobId, Refusal};
use jiff::Timestamp;
use rmcp::model::{
    CallToolResponse, CallToolResult, CreateTaskResult, DetailedTask, ElicitRequest, ElicitResult, ErrorData,
    GetTaskResult, InputRequest, InputRequests, JsonObject, Task, TaskPayload, TaskStatus, UpdateTaskParams,
};
use rmcp::service::{RequestContext, RoleServer};
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::answer::result;
use super::approval::{FORM, form, form_suffices};
use super::{Face, stage};

/// A tool whose deadline is longer is called as a job.
const LONG: Duration = Duration::from_secs(60);
/// For so long the answer of a new job is held back: what has ended by then needs no task.
const HOLD: Duration = Duration::from_millis(500);
/// How often clients are asked to look.
const POLL_MS: u64 = 1_000;

/// Whether the client declared the extension, and may leave a job behind.
pub(super) fn takes_tasks(actor: &Actor, context: &RequestContext<RoleServer>) -> bool {
    actor.role.may(Deed::Act) && context.client_capabilities().is_some_and(|capabilities| capabilities.supports_tasks())
}

impl Face {
    /// Whether a call of this tool may take long.
    pub(super) fn takes_long(&self, tool: &str) -> bool {
        self.gate.registry().describe(tool).is_some_and(|tool| tool.spec.deadline > LONG)
    }

    /// Makes a job of a call, and a task of the job unless it has ended at once.
    pub(super) async fn start_task(
        &self,
        request: Request,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Request { actor, origin, tool, args, key, vouching } = request;
        let submission = Submission {
            actor: actor.clone(),
            origin,
            vouching,
            kind: "tool_call".to_owned(),
            payload: json!({ "tool": tool, "args": args }),
            key,
            run_at: None,
        };
        let receipt = match self.jobs.submit(submission).await {
            Ok(receipt) => receipt,
            Err(refusal) => return result(Answer::Refused(refusal)),
        };
        let job = tokio::select! {
            found = self.settled(&actor, &receipt.job.id) => found?,
            // The job goes on: whoever hangs up has not cancelled it.
            () = context.ct.cancelled() => return Err(ErrorData::internal_error("the request was cancelled", None)),
        };
        match came_of(&job) {
            Some(answer) if job.state != JobState::Cancelled => self.hand(&actor, answer).await,
            _ => Ok(CreateTaskResult::new(task(&job)).into()),
        }
    }

    /// A job once it has ended or waits for a person, or after a moment.
    async fn settled(&self, actor: &Actor, id: &JobId) -> Result<JobRecord, ErrorData> {
        let mut frames = self.jobs.frames();
        let subject = format!("job:{id}");
        let waits = async {
            loop {
                match frames.recv().await {
                    Ok(frame) if frame.subject == subject && frame.kind == "state" => return,
                    Ok(_) => {}
                    Err(_) => std::future::pending().await,
                }
            }
        };
        let ended = self.jobs.follow(actor, id, HOLD);
        let found = tokio::select! {
            found = ended => found,
            () = waits => self.jobs.job(actor, id).await,
        };
        found.map_err(unreadable)
    }

    /// A task as it stands.
    pub(super) async fn task(
        &self,
        actor: &Actor,
        id: &str,
        context: &RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        let job = self.jobs.job(actor, &parsed(id)?).await.map_err(unreadable)?;
        let payload = match came_of(&job) {
            _ if job.state == JobState::Cancelled => TaskPayload::Cancelled,
            Some(answer) => {
                self.remember(actor, &answer).await?;
                payload(self.shown(answer))
            }
            None if job.progress.is_some() && !self.may_tell(actor, called(&job)).await => {
                return Err(ErrorData::internal_error("the store is away; ask again in a moment", None));
            }
            None => match self.wanted(actor, &job, context).await? {
                input_requests if input_requests.is_empty() => TaskPayload::Working,
                input_requests => TaskPayload::InputRequired { input_requests },
            },
        };
        Ok(GetTaskResult::new(DetailedTask::new(task(&job), payload)))
    }

    /// What a task wants of its client.
    async fn wanted(
        &self,
        actor: &Actor,
        job: &JobRecord,
        context: &RequestContext<RoleServer>,
    ) -> Result<InputRequests, ErrorData> {
        if let Some(handle) = self.handle(job) {
            return stage::requests(self.inquiries.open(handle));
        }
        let Some(card) = self.confirmable(actor, job, context).await else { return Ok(InputRequests::new()) };
        self.remember(actor, &Answer::Waiting(Box::new(card.clone()))).await?;
        let form = InputRequest::Elicitation(ElicitRequest::new(form(&card)?));
        Ok(InputRequests::from([(FORM.to_owned(), form)]))
    }

    /// The card that a task waits for, if a form in this client may decide it.
    async fn confirmable(
        &self,
        actor: &Actor,
        job: &JobRecord,
        context: &RequestContext<RoleServer>,
    ) -> Option<Approval> {
        let id = job.approval.as_ref().filter(|_| job.state == JobState::Waiting)?;
        let card = self.gate.approval(id).await.ok()?;
        let open = card.state == ApprovalState::Pending && card.actor.id == actor.id;
        (open && form_suffices(actor, &card, context)).then_some(card)
    }

    /// Takes what a task wanted. What it does not want, or not any more, is left alone: it tells how it stands.
    pub(super) async fn inform_task(
        &self,
        actor: &Actor,
        params: &UpdateTaskParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let job = self.jobs.job(actor, &parsed(&params.task_id)?).await.map_err(unreadable)?;
        if let Some(handle) = self.handle(&job).filter(|_| job.actor == actor.id) {
            self.inquiries.answer(handle, &params.input_responses);
        }
        let Some(filled) = params.input_responses.get(FORM) else { return Ok(()) };
        let filled = ElicitResult::deserialize(filled)
            .map_err(|_| ErrorData::invalid_params("the form came back in an unknown shape", None))?;
        let Some(card) = self.confirmable(actor, &job, context).await else { return Ok(()) };
        match self.rule(actor, &card, &filled, &self.origin()).await {
            Some(Err(refusal)) => Err(ErrorData::invalid_request(refusal.message, None)),
            _ => Ok(()),
        }
    }

    /// Wants a task to stop.
    pub(super) async fn stop_task(&self, actor: &Actor, id: &str) -> Result<(), ErrorData> {
        let origin = self.origin();
        self.jobs.cancel(actor, &parsed(id)?, &origin).await.map(|_| ()).map_err(unreadable)
    }
}

fn parsed(id: &str) -> Result<JobId, ErrorData> {
    id.parse().map_err(|_| ErrorData::invalid_params("there is no such task", None))
}

fn unreadable(refusal: Refusal) -> ErrorData {
    match refusal.code {
        Code::NotFound => ErrorData::invalid_params("there is no such task", None),
        _ => ErrorData::internal_error(refusal.message, None),
    }
}

/// What came of the call of a job that has ended.
fn came_of(job: &JobRecord) -> Option<Answer> {
    if !job.state.is_final() {
        return None;
    }
    let kept = job.result.clone().unwrap_or_default();
    if let Ok(outcome) = Outcome::deserialize(&kept) {
        return Some(Answer::Ran(Box::new(outcome)));
    }
    let refusal = kept.get("refusal").and_then(|refusal| Refusal::deserialize(refusal).ok());
    Some(Answer::Refused(refusal.unwrap_or_else(|| {
        let why = job.error.as_deref().unwrap_or("it came to nothing");
        Refusal::new(Code::Unavailable, "jobs", format!("the job ended as {}: {why}", job.state.as_str()))
    })))
}

/// The tool that a job calls.
fn called(job: &JobRecord) -> &str {
    job.payload.get("tool").and_then(Value::as_str).unwrap_or_default()
}

fn payload(shown: Result<CallToolResponse, ErrorData>) -> TaskPayload {
    match shown {
        Ok(CallToolResponse::Complete(complete)) => TaskPayload::Completed { result: object(&complete) },
        Ok(_) => TaskPayload::Completed { result: object(&CallToolResult::default()) },
        Err(error) => TaskPayload::Failed { error: object(&error) },
    }
}

fn object(value: &impl serde::Serialize) -> JsonObject {
    match serde_json::to_value(value) {
        Ok(Value::Object(object)) => object,
        _ => JsonObject::new(),
    }
}

fn task(job: &JobRecord) -> Task {
    let status = match job.state {
        JobState::Queued | JobState::Running | JobState::Waiting => TaskStatus::Working,
        JobState::Cancelled => TaskStatus::Cancelled,
        JobState::Done | JobState::Failed | JobState::Unknown => TaskStatus::Completed,
    };
    let changed = job.ended_at.or(job.started_at).unwrap_or(job.created_at);
    let said = match (&job.approval, &job.progress) {
        (Some(approval), _) if job.state == JobState::Waiting => {
            format!(
                "waiting for a person's approval ({approval}), on the dashboard or with `jarvis approve {approval}`"
            )
        }
        (_, Some(progress)) if !job.state.is_final() => progress.text.clone(),
        _ => format!("{}: {}", job.title, job.state.as_str()),
    };
    Task::new(job.id.to_string(), status, time(job.created_at), time(changed))
        .with_status_message(said)
        .with_poll_interval_ms(POLL_MS)
}

/// ISO 8601, in UTC.
fn time(millis: i64) -> String {
    Timestamp::from_millisecond(millis).unwrap_or_default().to_string()
}
