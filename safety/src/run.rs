//! Running one tool: as its own task, with deadline, cancellation, output cap and progress.
//!
//! It takes a permit and gives an outcome; whether there is a permit is the kernel's business.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use crate::call::{CallState, Request};
use crate::frame::Frame;
use crate::id::CallId;
use crate::json;
use crate::kernel::{Prepared, RawPermit};
use crate::outcome::Outcome;
use crate::port::Live;
use crate::registry::{Erased, Product};
use crate::secret::{Redactor, Secrets};
use crate::target::Target;
use crate::tier::Tier;
use crate::tool::{Hand, Probe, Progress, RunContext, ToolError, ToolErrorKind, Trust, Undo};

/// Largest output, in bytes of JSON.
const MAX_OUTPUT: usize = 512 * 1024;
/// Longest look after an effect that was cut off.
const PROBE_DEADLINE: Duration = Duration::from_secs(10);

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

/// What a run needs beside the call.
pub(crate) struct Run<'a> {
    pub(crate) id: CallId,
    pub(crate) rule: String,
    pub(crate) by: &'a Request,
    pub(crate) live: &'a dyn Live,
    pub(crate) secrets: &'a Secrets,
    pub(crate) watch: Watch,
}

impl Run<'_> {
    /// Runs the tool and says what came of it.
    pub(crate) async fn go(self, call: &Prepared, permit: RawPermit) -> (Outcome, Option<Undo>) {
        let begun = Instant::now();
        let result = self.task(call, permit).await;
        if self.watch.progress.borrow().is_some() {
            self.live.end(&format!("call:{}", self.id));
        }
        let spec = call.tool.described().spec;
        let mut outcome = Outcome {
            call: self.id,
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
            rule: self.rule,
        };
        let undo = match result {
            Ok(product) => {
                let undo = product.undo.clone();
                fill(&mut outcome, product);
                undo
            }
            Err(error) => {
                fail(&mut outcome, call, error).await;
                None
            }
        };
        strike(&self.secrets.redactor, &mut outcome);
        (outcome, undo)
    }

    async fn task(&self, call: &Prepared, permit: RawPermit) -> Result<Product, ToolError> {
        // Cancelled while its intent was recorded: it never begins, and that is certain.
        if self.watch.cancel.is_cancelled() {
            return Err(ToolError::new(
                ToolErrorKind::NeverBegan,
                "it was cancelled before it began; nothing was done",
            ));
        }
        let (cancel, progress) = (self.watch.cancel.clone(), self.watch.progress.clone());
        let hand = Hand {
            vault: Arc::clone(&self.secrets.vault),
            redactor: self.secrets.redactor.clone(),
            tool: call.tool.described().spec.name,
            target: call.target.name.clone(),
        };
        let caller = self.by.caller();
        let cx = RunContext { call: self.id.clone(), cancel: cancel.clone(), progress, caller, hand };
        let (tool, args) = (Arc::clone(&call.tool), call.args.clone());
        let mut run = AssertUnwindSafe(async move { tool.run(args, &cx, permit).await }).catch_unwind().boxed();
        // What is there at once needs no task of its own.
        if let Poll::Ready(done) = futures_util::poll!(&mut run) {
            return done.unwrap_or_else(|_| Err(broke_off()));
        }
        let mut task = tokio::spawn(run);
        let mut progress = self.watch.progress.subscribe();
        let longest = call.tool.described().spec.deadline;
        let deadline = tokio::time::sleep(longest);
        tokio::pin!(deadline);
        let error = loop {
            tokio::select! {
                biased;
                () = self.watch.cancel.cancelled() => break ToolError::new(ToolErrorKind::Cancelled, "it was cancelled"),
                joined = &mut task => return ended(joined, broke_off()),
                () = &mut deadline => break ToolError::new(
                    ToolErrorKind::Deadline,
                    format!("it took longer than {} s", longest.as_secs()),
                ),
                Ok(()) = progress.changed() => self.show(&mut progress),
            }
        };
        cancel.cancel();
        task.abort();
        // Waits for the abort, so that nothing of it runs after the answer.
        ended(task.await, error)
    }

    fn show(&self, progress: &mut watch::Receiver<Option<Progress>>) {
        let Some(latest) = progress.borrow_and_update().clone() else { return };
        self.live.publish(Frame {
            subject: format!("call:{}", self.id),
            kind: "progress".to_owned(),
            offset: 0,
            data: serde_json::json!(latest),
            owner: self.by.actor.id.clone(),
        });
    }
}

/// What a run came to; `aborted` if it was ended before it came to anything.
fn ended(
    joined: Result<thread::Result<Result<Product, ToolError>>, JoinError>,
    aborted: ToolError,
) -> Result<Product, ToolError> {
    match joined {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(broke_off()),
        Err(_) => Err(aborted),
    }
}

/// What a tool says holds no secret that Jarvis knows, whoever put it there.
fn strike(redactor: &Redactor, outcome: &mut Outcome) {
    redactor.value(&mut outcome.output);
    redactor.strike(&mut outcome.target.name);
    redactor.strike(&mut outcome.words);
    if let Some(error) = &mut outcome.error {
        redactor.strike(&mut error.message);
    }
}

fn broke_off() -> ToolError {
    ToolError::new(ToolErrorKind::Panicked, "the tool has a defect and broke off; the log has the details")
}

fn fill(outcome: &mut Outcome, product: Product) {
    outcome.undoable = product.undo.is_some();
    let size = json::size(&product.output);
    if size <= MAX_OUTPUT {
        outcome.output = product.output;
        outcome.words = product.words;
    } else {
        outcome.words =
            format!("It is done, but its output of {size} bytes is larger than {MAX_OUTPUT} and was left out.");
    }
}

/// A read that failed has failed. An effect that was cut off is probed before it is called anything.
async fn fail(outcome: &mut Outcome, call: &Prepared, error: ToolError) {
    // A connection that broke says nothing about what it had carried.
    let cut_off = matches!(
        error.kind,
        ToolErrorKind::Cancelled | ToolErrorKind::Deadline | ToolErrorKind::Panicked | ToolErrorKind::Interrupted
    );
    outcome.state = CallState::Failed;
    outcome.words.clone_from(&error.message);
    if call.tier > Tier::Green && cut_off {
        let (state, seen) = judged(probe(&*call.tool, &call.args, &call.target).await, error.kind);
        outcome.state = state;
        outcome.words = format!("{}; {seen}", error.message);
    }
    if error.kind == ToolErrorKind::NeverBegan {
        outcome.state = CallState::Cancelled;
    }
    outcome.error = (outcome.state != CallState::Done).then_some(error);
}

/// Looks whether an effect happened, for as long as may be.
pub(crate) async fn probe(tool: &dyn Erased, args: &Value, target: &Target) -> Probe {
    let looked = AssertUnwindSafe(tool.probe(args, target)).catch_unwind();
    // A probe that breaks off or takes too long has seen nothing.
    tokio::time::timeout(PROBE_DEADLINE, looked).await.unwrap_or(Ok(Probe::Unknown)).unwrap_or(Probe::Unknown)
}

/// What an effect that was cut off is called once the probe has looked.
pub(crate) const fn judged(probe: Probe, why: ToolErrorKind) -> (CallState, &'static str) {
    match (probe, why) {
        (Probe::Done, _) => (CallState::Done, "the effect was seen to be there"),
        (Probe::NotDone, ToolErrorKind::Cancelled) => (CallState::Cancelled, "the effect was seen not to be there"),
        (Probe::NotDone, _) => (CallState::Failed, "the effect was seen not to be there"),
        (Probe::Unknown, _) => {
            (CallState::Unknown, "nobody can tell whether it happened: look at the target before you repeat it")
        }
    }
}
