//! The first kind: a call of any tool, through the gate, as whoever submitted it.
//!
//! The call carries the job's id as its idempotency key. However often the job is run again, the gate finds the outcome
//! that was recorded, or the card that was put up, and begins nothing twice.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::context::JobContext;
use super::kind::{Dedup, JobError, JobErrorKind, JobKind, JobSpec, Repeat, Retry};
use crate::actor::Actor;
use crate::approval::{Approval, ApprovalState};
use crate::call::{CallState, Request};
use crate::kernel::Gate;
use crate::outcome::{Answer, Outcome, answer_of};
use crate::port::{Identities, StoreError};
use crate::refusal::{Code, Refusal};
use crate::run::Watch;
use crate::tool::Progress;

/// How long a look at a card lasts: a decision that this process makes is heard of at once, one of another replica after
/// this time.
const LOOK: Duration = Duration::from_secs(15);

/// When a call is asked for again that an earlier run of this job has begun and not ended.
const STILL_RUNNING: Duration = Duration::from_secs(2);

/// Calls a tool.
pub struct ToolCall {
    gate: Gate,
    identities: Arc<dyn Identities>,
}

/// Which tool, with what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolCallPayload {
    /// Name of the tool.
    pub tool: String,
    /// Its arguments.
    #[serde(default)]
    pub args: Value,
}

impl ToolCall {
    /// The kind, over a gate.
    #[must_use]
    pub fn new(gate: Gate, identities: Arc<dyn Identities>) -> Self {
        Self { gate, identities }
    }
}

impl JobKind for ToolCall {
    const SPEC: JobSpec = JobSpec {
        kind: "tool_call",
        queue: "tool",
        priority: 0,
        retry: Retry { attempts: 5, first: Duration::from_secs(1), cap: Duration::from_secs(60) },
        dedup: Dedup::None,
        repeat: Repeat::Safe,
        lease: Duration::from_secs(30),
        // A card may wait for a person for as long as a day.
        deadline: Duration::from_secs(25 * 60 * 60),
    };
    type Payload = ToolCallPayload;

    fn check(&self, payload: ToolCallPayload) -> Result<ToolCallPayload, String> {
        let ToolCallPayload { tool, args } = payload;
        let found = self.gate.registry().find(&tool).map_err(|refusal| refusal.message)?;
        let args = match args {
            Value::Null => json!({}),
            Value::Object(_) => args,
            _ => return Err(format!("the arguments of `{tool}` must be a JSON object")),
        };
        let args = found.canonical(args).map_err(|error| format!("`{tool}`: {error}"))?;
        let secrets = found.described().spec.secrets;
        if secrets.iter().any(|field| args.get(field).is_some_and(|value| !value.is_null())) {
            return Err(format!(
                "`{tool}` was given a secret, and a secret cannot wait in a job: pass a reference instead of the value"
            ));
        }
        Ok(ToolCallPayload { tool, args })
    }

    fn title(&self, payload: &ToolCallPayload) -> String {
        payload.tool.clone()
    }

    async fn run(&self, payload: ToolCallPayload, cx: &JobContext) -> Result<Value, JobError> {
        let job = cx.job();
        let standing = self.identities.standing(&job.actor).await.map_err(|error| again(&error))?;
        let actor = standing
            .ok_or_else(|| JobError::failed(format!("{} is not allowed in any more; nothing was done", job.actor)))?;
        let request = Request {
            actor: actor.clone(),
            origin: job.origin.clone(),
            tool: payload.tool,
            args: payload.args,
            key: Some(job.call_key()),
            vouching: job.vouching,
        };
        match self.call(request, cx).await {
            Answer::Waiting(card) => came_of(self.decided(&actor, *card, cx).await?, cx),
            // What it came to is recorded as soon as the store can; if not yet, the next look finds it by its key.
            Answer::Ran(outcome) if outcome.state == CallState::Unknown => {
                match self.gate.recorded(&outcome.call).await {
                    Some(recorded) => ended(recorded),
                    None if cx.is_unwanted() => ended(*outcome),
                    None => Err(JobError::new(JobErrorKind::Later(STILL_RUNNING), "its outcome is not recorded yet")),
                }
            }
            answer => came_of(answer, cx),
        }
    }
}

impl ToolCall {
    /// Makes the call and passes on how far it is.
    async fn call(&self, request: Request, cx: &JobContext) -> Answer {
        let watch = Watch { cancel: cx.cancelled().child_token(), ..Watch::default() };
        let mut progress = watch.progress.subscribe();
        let call = self.gate.call_watched(request, watch);
        tokio::pin!(call);
        let mut told = String::new();
        let answer = loop {
            tokio::select! {
                biased;
                answer = &mut call => break answer,
                Ok(()) = progress.changed() => pass_on(&mut progress, &mut told, cx).await,
            }
        };
        // What was told last came with the answer; whoever told it may be gone.
        if progress.borrow().has_changed() {
            pass_on(&mut progress, &mut told, cx).await;
        }
        answer
    }

    /// Follows a card to its end. A job that shall stop takes its question back, or cancels what was approved.
    async fn decided(&self, actor: &Actor, card: Approval, cx: &JobContext) -> Result<Answer, JobError> {
        cx.waiting(&card.id).await.map_err(|error| again(&error))?;
        let mut stopping = false;
        loop {
            let look = self.gate.wait(&card.id, LOOK);
            let found = tokio::select! {
                biased;
                () = cx.cancelled().cancelled(), if !stopping => {
                    stopping = true;
                    self.take_back(actor, &card, cx).await;
                    continue;
                }
                found = look => found,
            };
            let card = found.map_err(|refusal| refused(&refusal))?;
            if card.state.is_final() {
                return Ok(answer_of(&card));
            }
        }
    }

    async fn take_back(&self, actor: &Actor, card: &Approval, cx: &JobContext) {
        let because = if cx.is_unwanted() { "its job was cancelled" } else { "the time of its job is over" };
        if self.gate.withdraw(actor, &card.id, because, &card.origin).await.is_err() {
            // It was decided before: what runs is cancelled, and what has ended tells its own outcome.
            for step in &card.steps {
                let _ = self.gate.cancel(actor, &step.call);
            }
        }
    }
}

/// What was being done, one line each, is the output of a call.
async fn pass_on(progress: &mut watch::Receiver<Option<Progress>>, told: &mut String, cx: &JobContext) {
    let Some(Progress { done, total, text }) = progress.borrow_and_update().clone() else { return };
    if text != *told && cx.output(&format!("{text}\n")).await.is_err() {
        tracing::warn!(job = %cx.id(), "output could not be kept");
    }
    cx.progress(done, total, &text);
    *told = text;
}

fn again(error: &StoreError) -> JobError {
    JobError::new(JobErrorKind::Retry, error.to_string())
}

/// What an answer of the gate means for the job.
fn came_of(answer: Answer, cx: &JobContext) -> Result<Value, JobError> {
    match answer {
        Answer::Ran(outcome) => ended(*outcome),
        Answer::Refused(refusal) if refusal.code == Code::Denied && cx.is_unwanted() => {
            Err(JobError::new(JobErrorKind::Cancelled, "it was cancelled before anybody approved it; nothing was done"))
        }
        Answer::Refused(refusal) => Err(refused(&refusal)),
        // A final card stands for an outcome or a refusal; one without has lost it.
        Answer::Waiting(card) if matches!(card.state, ApprovalState::Pending | ApprovalState::Approved) => {
            Err(JobError::new(JobErrorKind::Later(STILL_RUNNING), "its approval is still open"))
        }
        Answer::Waiting(card) => Err(JobError::new(
            JobErrorKind::Unknown,
            format!("the approval {} has ended and its outcome is not recorded; look at the target", card.id),
        )),
    }
}

fn ended(outcome: Outcome) -> Result<Value, JobError> {
    let kind = match outcome.state {
        CallState::Done => None,
        CallState::Failed => Some(JobErrorKind::Failed),
        CallState::Cancelled => Some(JobErrorKind::Cancelled),
        CallState::Unknown | CallState::Running => Some(JobErrorKind::Unknown),
    };
    let words = outcome.words.clone();
    let result = serde_json::to_value(outcome).map_err(|error| JobError::failed(error.to_string()))?;
    match kind {
        None => Ok(result),
        Some(kind) => Err(JobError::new(kind, words).with(result)),
    }
}

/// Only what was not decided is tried again; a no stays a no.
fn refused(refusal: &Refusal) -> JobError {
    let kind = match (refusal.code, refusal.rule.as_str()) {
        _ if refusal.is_open() => JobErrorKind::Later(STILL_RUNNING),
        (Code::Unavailable, "stopping") => JobErrorKind::Later(STILL_RUNNING),
        (Code::StoreUnavailable | Code::RateLimited, _) => JobErrorKind::Retry,
        _ => JobErrorKind::Failed,
    };
    JobError::new(kind, &refusal.message).with(json!({ "refusal": refusal }))
}
