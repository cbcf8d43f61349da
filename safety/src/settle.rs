//! Recording what a call is about to do and what came of it, also while the store comes and goes.

use std::sync::Arc;
use std::time::Duration;

use crate::call::{CallRecord, Request};
use crate::event::Draft;
use crate::held::Held;
use crate::id::CallId;
use crate::kernel::{Inner, Prepared};
use crate::outcome::Outcome;
use crate::port::{Intended, Pace, StoreError, Stored};
use crate::row;
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
}

/// An outcome that the store could not take at once.
struct Late {
    outcome: Outcome,
    undo: Option<Undo>,
    undoes: Option<CallId>,
    at: i64,
    row: Draft,
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
    /// stays in hand for so long. Whoever waits for the answer hears of it after three seconds.
    pub(crate) async fn settle(self: &Arc<Self>, held: Held, ended: Ended<'_>) -> Stored<()> {
        let Ended { request, call, outcome, undo, approved } = ended;
        let row =
            row::outcome(&request.actor, &request.origin, call.shown_args(), outcome, row::settled(outcome.state));
        let (at, undoes) = (self.clock.now(), request.origin.undoes.as_ref());
        let Err(error) = recorded(self.ledger.settle(outcome, undo, undoes, at, row.clone()).await) else {
            return Ok(());
        };
        let late = Late { outcome: outcome.clone(), undo: undo.cloned(), undoes: undoes.cloned(), at, row };
        let task = tokio::spawn(Arc::clone(self).settle_late(held, late));
        let longest = if approved { Duration::MAX } else { PATIENCE };
        match tokio::time::timeout(longest, task).await {
            Ok(Ok(settled)) => settled,
            Ok(Err(_)) | Err(_) => Err(error),
        }
    }

    async fn settle_late(self: Arc<Self>, held: Held, late: Late) -> Stored<()> {
        let began = tokio::time::Instant::now();
        let call = &late.outcome.call;
        let mut pause = FIRST;
        loop {
            tokio::time::sleep(pause).await;
            let Late { outcome, undo, undoes, at, row } = &late;
            let settled = self.ledger.settle(outcome, undo.as_ref(), undoes.as_ref(), *at, row.clone()).await;
            match recorded(settled) {
                Ok(()) => break,
                Err(error) if self.closing() && began.elapsed() > PATIENCE => {
                    tracing::error!(%call, %error, "an outcome could not be recorded; the next start probes it");
                    return Err(error);
                }
                Err(error) if pause == LONGEST => {
                    tracing::warn!(%call, %error, "an outcome cannot be recorded yet; it is tried again");
                }
                Err(_) => {}
            }
            pause = (pause * 2).min(LONGEST);
        }
        drop(held);
        Ok(())
    }
}

/// Whether an outcome stands. An attempt in doubt before this one may have been kept, or the intent was not.
pub(crate) fn recorded(settled: Stored<()>) -> Stored<()> {
    match settled {
        Err(StoreError::Conflict(_) | StoreError::NotFound(_)) => Ok(()),
        settled => settled,
    }
}
