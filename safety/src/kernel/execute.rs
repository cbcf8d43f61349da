//! Running a decided call: intent, effect, outcome.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::call::{CallRecord, CallState, Request};
use crate::event::{Draft, EventKind};
use crate::frame::Frame;
use crate::id::{ApprovalId, CallId};
use crate::outcome::{Answer, Outcome};
use crate::plain::shorten;
use crate::port::Intended;
use crate::refusal::{Code, Refusal};
use crate::tier::Tier;
use crate::tool::{Probe, Progress, RunContext, ToolError, ToolErrorKind, Trust, Undo};

use super::decide::refused_outright;
use super::gate::{Inner, draft, store_refusal};
use super::permit::RawPermit;
use super::prepare::Prepared;
use super::registry::Product;

/// Largest output, in bytes of JSON.
const MAX_OUTPUT: usize = 512 * 1024;
/// Largest output that is kept in the audit's body; of a larger one only the words are.
const KEPT_OUTPUT: usize = 16 * 1024;

/// The caller's hold on a running call.
#[derive(Debug, Clone)]
pub struct Watch {
    /// Cancels the call.
    pub cancel: CancellationToken,
    /// Shows how far it is.
    pub progress: watch::Sender<Option<Progress>>,
}

impl Default for Watch {
    fn default() -> Self {
        Self { cancel: CancellationToken::new(), progress: watch::channel(None).0 }
    }
}

/// Why a decided call did not run.
pub(super) enum NotRun {
    /// The step was spent by somebody else.
    Spent,
    /// The same key ran before.
    Known(Box<CallRecord>),
    /// It may not, or the intent could not be kept.
    Refused(Refusal),
}

/// Takes a call out of the list of running ones, whatever happens to it.
struct Registered<'a>(&'a Inner, CallId);

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
        self.0.live.end(&format!("call:{}", self.1));
    }
}

impl Inner {
    /// Runs a call that needs no approval.
    pub(super) async fn run_now(
        &self,
        request: &Request,
        call: Prepared,
        rule: String,
        watch: Watch,
    ) -> Answer {
        let id = CallId::new(self.ids.next());
        if call.tier == Tier::Green {
            return self.read(request, call, id, rule, watch).await;
        }
        match self.effect(request, &call, id, rule, None, watch).await {
            Ok(outcome) => Answer::Ran(Box::new(outcome)),
            Err(NotRun::Known(record)) => known(&call, &record),
            Err(NotRun::Refused(refusal)) => self.refused(request, Some(&call), refusal).await,
            Err(NotRun::Spent) => {
                Answer::Refused(Refusal::new(Code::AlreadyDecided, "spent once", "already spent"))
            }
        }
    }

    /// A green call: run, then one row with decision and outcome, then the answer.
    async fn read(
        &self,
        request: &Request,
        call: Prepared,
        id: CallId,
        rule: String,
        watch: Watch,
    ) -> Answer {
        let (outcome, _) = self.run(request, &call, id, rule, watch).await;
        let row = self.outcome_row(request, &call, &outcome, EventKind::CallRead);
        match self.ledger.append(row, self.rules().settings.audit_reads).await {
            Ok(_) => Answer::Ran(Box::new(outcome)),
            Err(error) => Answer::Refused(store_refusal(&error)),
        }
    }

    /// A call above green: intent fsynced before the effect, outcome before the answer.
    pub(super) async fn effect(
        &self,
        request: &Request,
        call: &Prepared,
        id: CallId,
        rule: String,
        approval: Option<(ApprovalId, u32)>,
        watch: Watch,
    ) -> Result<Outcome, NotRun> {
        let _registered = self.register(&id, call.tier, request, &watch);
        // Registered first, asked second: a kill switch thrown in between finds the call in the list.
        if let Some(refusal) = refused_outright(call.tier, &request.actor, self.kill()) {
            return Err(NotRun::Refused(refusal));
        }
        let record = self.record(request, call, id.clone(), rule.clone(), approval);
        let mut row =
            draft(EventKind::CallIntent, &request.actor, id.as_str(), &request.origin, call.sentence.clone());
        row.tool = Some(call.tool().to_owned());
        row.tier = Some(call.tier);
        row.body =
            Some(json!({ "args": record.args, "target": call.target, "digest": call.digest, "rule": rule }));
        match self.ledger.intend(&record, row).await {
            Ok(Intended::Recorded) => {}
            Ok(Intended::AlreadySpent) => return Err(NotRun::Spent),
            Ok(Intended::Known(record)) => return Err(NotRun::Known(record)),
            Err(error) => return Err(NotRun::Refused(store_refusal(&error))),
        }
        let (outcome, undo) = self.run(request, call, id, rule, watch).await;
        self.settle(request, call, &outcome, undo.as_ref()).await;
        Ok(outcome)
    }

    /// Records an outcome. If the store fails here the effect stays in doubt and is probed at the next start.
    async fn settle(&self, request: &Request, call: &Prepared, outcome: &Outcome, undo: Option<&Undo>) {
        let kind = settled_kind(outcome.state);
        let row = self.outcome_row(request, call, outcome, kind);
        let undoes = request.origin.undoes.as_ref();
        if let Err(error) = self.ledger.settle(outcome, undo, undoes, self.clock.now(), row).await {
            tracing::error!(call = %outcome.call, %error, "the outcome could not be recorded; it will be probed at the next start");
        }
    }

    fn register<'a>(&'a self, id: &CallId, tier: Tier, request: &Request, watch: &Watch) -> Registered<'a> {
        let entry = (tier, request.actor.id.clone(), watch.cancel.clone());
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), entry);
        Registered(self, id.clone())
    }

    fn record(
        &self,
        request: &Request,
        call: &Prepared,
        id: CallId,
        rule: String,
        approval: Option<(ApprovalId, u32)>,
    ) -> CallRecord {
        CallRecord {
            id,
            actor: request.actor.id.clone(),
            origin: request.origin.clone(),
            tool: call.tool().to_owned(),
            revision: call.tool.described().spec.revision,
            args: call.shown_args(),
            target: call.target.clone(),
            tier: call.tier,
            digest: call.digest.clone(),
            key: request.key.clone(),
            approval,
            rule,
            state: CallState::Running,
            created_at: self.clock.now(),
            outcome: None,
            undo: None,
            undone_by: None,
        }
    }

    /// Runs the tool as its own task, with deadline, cancellation, output cap and progress.
    async fn run(
        &self,
        request: &Request,
        call: &Prepared,
        id: CallId,
        rule: String,
        watch: Watch,
    ) -> (Outcome, Option<Undo>) {
        let _registered = (call.tier == Tier::Green).then(|| self.register(&id, call.tier, request, &watch));
        let begun = Instant::now();
        let result = self.run_task(request, call, &id, &watch).await;
        let spec = call.tool.described().spec;
        let mut outcome = Outcome {
            call: id,
            tool: spec.name.to_owned(),
            tier: call.tier,
            target: call.target.clone(),
            state: CallState::Done,
            output: Value::Null,
            words: String::new(),
            error: None,
            untrusted: spec.trust == Trust::Untrusted,
            undoable: false,
            millis: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            rule,
        };
        match result {
            Ok(product) => {
                let undo = product.undo.clone();
                fill(&mut outcome, product);
                (outcome, undo)
            }
            Err(error) => {
                self.fail(&mut outcome, call, error).await;
                (outcome, None)
            }
        }
    }

    async fn run_task(
        &self,
        request: &Request,
        call: &Prepared,
        id: &CallId,
        watch: &Watch,
    ) -> Result<Product, ToolError> {
        let cx = RunContext {
            call: id.clone(),
            cancel: watch.cancel.child_token(),
            progress: watch.progress.clone(),
        };
        let permit =
            RawPermit { target: call.target.clone(), digest: call.digest.clone(), tool: call.tool() };
        let (tool, args) = (Arc::clone(&call.tool), call.args.clone());
        let cancel = cx.cancel.clone();
        let mut task = tokio::spawn(async move { tool.run(args, &cx, permit).await });
        let mut progress = watch.progress.subscribe();
        let deadline = tokio::time::sleep(call.tool.described().spec.deadline);
        tokio::pin!(deadline);
        let error = loop {
            tokio::select! {
                joined = &mut task => return joined.unwrap_or_else(|_| Err(ToolError::new(
                    ToolErrorKind::Panicked,
                    "the tool has a defect and broke off; the log has the details",
                ))),
                () = watch.cancel.cancelled() => break ToolError::new(ToolErrorKind::Cancelled, "it was cancelled"),
                () = &mut deadline => break ToolError::new(
                    ToolErrorKind::Deadline,
                    format!("it took longer than {} s", call.tool.described().spec.deadline.as_secs()),
                ),
                Ok(()) = progress.changed() => self.show_progress(request, id, &mut progress),
            }
        };
        cancel.cancel();
        task.abort();
        // Waits for the abort, so that nothing of it runs after the answer.
        match task.await {
            Ok(finished) => finished,
            Err(_) => Err(error),
        }
    }

    fn show_progress(
        &self,
        request: &Request,
        id: &CallId,
        progress: &mut watch::Receiver<Option<Progress>>,
    ) {
        let Some(latest) = progress.borrow_and_update().clone() else { return };
        self.live.publish(Frame {
            subject: format!("call:{id}"),
            kind: "progress".to_owned(),
            offset: 0,
            data: json!(latest),
            owner: request.actor.id.clone(),
        });
    }

    /// A read that failed has failed. An effect that was cut off is probed before it is called anything.
    async fn fail(&self, outcome: &mut Outcome, call: &Prepared, error: ToolError) {
        let cut_off = matches!(
            error.kind,
            ToolErrorKind::Cancelled | ToolErrorKind::Deadline | ToolErrorKind::Panicked
        );
        outcome.state = CallState::Failed;
        outcome.words = error.message.clone();
        if call.tier > Tier::Green && cut_off {
            let (state, seen) = probed(self.probe(call).await, error.kind);
            outcome.state = state;
            outcome.words = format!("{}; {seen}", error.message);
        }
        outcome.error = (outcome.state != CallState::Done).then_some(error);
    }

    async fn probe(&self, call: &Prepared) -> Probe {
        let looked = tokio::time::timeout(
            std::time::Duration::from_secs(10),
            call.tool.probe(&call.args, &call.target),
        );
        looked.await.unwrap_or(Probe::Unknown)
    }

    fn outcome_row(&self, request: &Request, call: &Prepared, outcome: &Outcome, kind: EventKind) -> Draft {
        let told = format!("{} {}: {}", call.tool(), call.target.name, first_line(&outcome.words));
        let subject = outcome.call.as_str();
        let mut row = draft(kind, &request.actor, subject, &request.origin, told);
        row.tool = Some(call.tool().to_owned());
        row.tier = Some(call.tier);
        let small = outcome.output.to_string().len() <= KEPT_OUTPUT;
        row.body = Some(json!({
            "args": call.shown_args(),
            "target": call.target,
            "rule": outcome.rule,
            "state": outcome.state,
            "words": shorten(&outcome.words, 4000),
            "output": if small { outcome.output.clone() } else { Value::Null },
            "error": outcome.error,
            "face": request.origin.face,
            "millis": outcome.millis,
        }));
        row
    }
}

fn first_line(words: &str) -> String {
    shorten(words.lines().next().unwrap_or_default(), 200)
}

fn fill(outcome: &mut Outcome, product: Product) {
    outcome.undoable = product.undo.is_some();
    let size = product.output.to_string().len();
    if size <= MAX_OUTPUT {
        outcome.output = product.output;
        outcome.words = product.words;
    } else {
        outcome.words = format!(
            "It is done, but its output of {size} bytes is larger than {MAX_OUTPUT} and was left out."
        );
    }
}

pub(super) const fn settled_kind(state: CallState) -> EventKind {
    match state {
        CallState::Done => EventKind::CallDone,
        CallState::Failed => EventKind::CallFailed,
        CallState::Cancelled => EventKind::CallCancelled,
        CallState::Unknown | CallState::Running => EventKind::CallUnknown,
    }
}

/// What an effect that was cut off is called once the probe has looked.
pub(super) const fn probed(probe: Probe, why: ToolErrorKind) -> (CallState, &'static str) {
    match (probe, why) {
        (Probe::Done, _) => (CallState::Done, "the effect was seen to be there"),
        (Probe::NotDone, ToolErrorKind::Cancelled) => {
            (CallState::Cancelled, "the effect was seen not to be there")
        }
        (Probe::NotDone, _) => (CallState::Failed, "the effect was seen not to be there"),
        (Probe::Unknown, _) => (
            CallState::Unknown,
            "nobody can tell whether it happened: look at the target before you repeat it",
        ),
    }
}

/// The answer to a call whose key was seen before.
fn known(call: &Prepared, record: &CallRecord) -> Answer {
    if record.digest != call.digest {
        return Answer::Refused(Refusal::new(
            Code::KeyReused,
            "idempotency key",
            format!("this key belongs to another call ({}); use a new key. Nothing was done", record.id),
        ));
    }
    match &record.outcome {
        Some(outcome) => Answer::Ran(Box::new(outcome.clone())),
        None => Answer::Refused(Refusal::new(
            Code::AlreadyDecided,
            "idempotency key",
            format!("the call with this key ({}) is still running; ask again in a moment", record.id),
        )),
    }
}
