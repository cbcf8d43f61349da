//! Recording what a call is about to do and what came of it, also while the store comes and goes.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crate::call::{CallRecord, Request};
use crate::event::{Draft, EventKind};
use crate::held::Held;
use crate::id::CallId;
use crate::kernel::{Inner, Prepared};
use crate::outcome::Outcome;
use crate::port::{Intended, Pace, StoreError, Stored};
use crate::row;
use crate::setting::AuditReads;
use crate::tool::Undo;

/// Pause before the second attempt, twice that before the third, and so on.
const FIRST: Duration = Duration::from_millis(50);
/// Longest pause.
const LONGEST: Duration = Duration::from_secs(2);
/// How long a caller waits for the store, and a server that stops.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long an approved step waits for the store before it is decided anew.
const STEP_PATIENCE: Duration = Duration::from_secs(30);

/// How a call ended.
pub(crate) struct Ended<'a> {
    pub(crate) request: &'a Request,
    pub(crate) call: &'a Prepared,
    pub(crate) outcome: &'a Outcome,
    pub(crate) undo: Option<&'a Undo>,
    /// Whether a person approved it: nobody waits for the answer then but the card.
    pub(crate) approved: bool,
    /// Whether it began; else its intent may not even be there.
    pub(crate) began: bool,
}

/// An outcome that the store could not take at once.
struct Late {
    outcome: Outcome,
    undo: Option<Undo>,
    undoes: Option<CallId>,
    at: i64,
    row: Draft,
    began: bool,
}

impl Inner {
    /// Makes an intent durable. An approved one is not given up because the store is away for a moment: it is handed in
    /// again, and if the attempt before was kept after all, that is the answer.
    pub(crate) async fn intend(&self, record: &CallRecord, pace: Option<Pace>, row: Draft) -> Stored<Intended> {
        let began = tokio::time::Instant::now();
        let mut pause = FIRST;
        let mut doubt = None;
        loop {
            let intended = self.ledger.intend(record, pace, row.clone()).await;
            let Err(error @ (StoreError::Unavailable(_) | StoreError::Unknown(_))) = intended else { return intended };
            // What one attempt left in doubt is in doubt until the store answers, whatever becomes of the next.
            let error = doubt.take().unwrap_or(error);
            if record.approval.is_none() || self.closing() || began.elapsed() > STEP_PATIENCE {
                return Err(error);
            }
            doubt = Some(error).filter(|error| matches!(error, StoreError::Unknown(_)));
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST);
        }
    }

    /// Records an outcome. If the store cannot take it, that is tried again until it can or the server stops; the call
    /// stays in hand for so long. Whoever waits for the answer hears of it within seconds.
    pub(crate) async fn settle(self: &Arc<Self>, held: Held, ended: Ended<'_>) -> Stored<()> {
        let Ended { request, call, outcome, undo, approved, began } = ended;
        let row =
            row::outcome(&request.actor, &request.origin, call.shown_args(), outcome, row::settled(outcome.state));
        let (at, undoes) = (self.clock.now(), request.origin.undoes.as_ref());
        let first = self.ledger.settle(outcome, undo, undoes, at, row.clone());
        let first = tokio::time::timeout(PATIENCE, first).await.unwrap_or_else(|_| Err(too_slow()));
        if first.is_ok() {
            return first;
        }
        let late = Late { outcome: outcome.clone(), undo: undo.cloned(), undoes: undoes.cloned(), at, row, began };
        let task = tokio::spawn(Arc::clone(self).settle_late(held, late, first));
        let longest = if approved { Duration::MAX } else { PATIENCE };
        match tokio::time::timeout(longest, task).await {
            Ok(Ok(settled)) => settled,
            Ok(Err(_)) | Err(_) => Err(too_slow()),
        }
    }

    /// Goes on with the first attempt's answer.
    async fn settle_late(self: Arc<Self>, held: Held, late: Late, first: Stored<()>) -> Stored<()> {
        let begun = tokio::time::Instant::now();
        let (call, state) = (&late.outcome.call, late.outcome.state.as_str());
        let (mut settled, mut pause) = (first, FIRST);
        let end = loop {
            let error = match self.came_of(&late, settled).await {
                ControlFlow::Break(end) => break end,
                ControlFlow::Continue(error) => error,
            };
            if self.closing() && begun.elapsed() > PATIENCE {
                tracing::error!(%call, state, %error, "an outcome could not be recorded; the next start probes it");
                break Err(error);
            }
            tokio::time::sleep(pause).await;
            pause = longer(pause, call, &error);
            let Late { outcome, undo, undoes, at, row, .. } = &late;
            settled = self.ledger.settle(outcome, undo.as_ref(), undoes.as_ref(), *at, row.clone()).await;
        };
        drop(held);
        end
    }

    /// What an attempt came to: an end, or an error after which it is tried again.
    async fn came_of(&self, late: &Late, settled: Stored<()>) -> ControlFlow<Stored<()>, StoreError> {
        let Late { outcome, began, .. } = late;
        match settled {
            Ok(()) => ControlFlow::Break(Ok(())),
            // Its intent was not kept, or somebody saw before that it did not begin.
            Err(StoreError::Conflict(_) | StoreError::NotFound(_)) if !began => ControlFlow::Break(Ok(())),
            Err(error @ StoreError::NotFound(_)) => {
                tracing::error!(call = %outcome.call, state = outcome.state.as_str(), "the intent of an effect is gone");
                ControlFlow::Break(Err(error))
            }
            // An attempt in doubt may have been kept, or another replica recorded what it saw.
            Err(error @ StoreError::Conflict(_)) => match self.ledger.call(&outcome.call).await {
                Ok(Some(record)) if record.state == outcome.state => ControlFlow::Break(Ok(())),
                Ok(_) => ControlFlow::Break(self.contradicted(late, error).await),
                Err(_) => ControlFlow::Continue(error),
            },
            Err(error) => ControlFlow::Continue(error),
        }
    }

    /// Something else is recorded of a call than what came of it: both stay to be seen.
    async fn contradicted(&self, late: &Late, error: StoreError) -> Stored<()> {
        let Late { outcome, row, .. } = late;
        let (call, state) = (&outcome.call, outcome.state.as_str());
        tracing::error!(%call, state, %error, "an outcome was recorded otherwise before, by who could not see this one");
        let row = Draft { kind: EventKind::CallUnknown, ..row.clone() };
        if let Err(error) = self.ledger.append(row, AuditReads::Fsync).await {
            tracing::error!(%call, state, %error, "that this is so could not be recorded");
        }
        Err(error)
    }
}

/// The next pause; says once that this may last.
fn longer(pause: Duration, call: &CallId, error: &StoreError) -> Duration {
    let next = (pause * 2).min(LONGEST);
    if next == LONGEST && pause < LONGEST {
        tracing::warn!(%call, %error, "an outcome cannot be recorded yet; it is tried again and again");
    }
    next
}

fn too_slow() -> StoreError {
    StoreError::Unknown("it does not answer in time".to_owned())
}
