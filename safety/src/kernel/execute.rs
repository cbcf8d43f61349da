//! Carrying out a decided call: intent, effect, outcome.

use std::sync::Arc;

use crate::call::{CallRecord, CallState, Request};
use crate::event::EventKind;
use crate::id::{ApprovalId, CallId, GrantId};
use crate::outcome::{Answer, Outcome};
use crate::port::{Intended, Pace, StoreError};
use crate::refusal::{Code, Refusal, store_refusal};
use crate::row;
use crate::run::{Run, Watch};
use crate::settle::Ended;
use crate::tier::Tier;
use crate::tool::Undo;

use super::decide::{UNASKED_REPEATS, refused_outright};
use super::gate::Inner;
use super::permit::RawPermit;
use super::prepare::{Prepared, REPEAT_WINDOW_MS};

/// Why a decided call did not run.
pub(super) enum NotRun {
    /// The step was spent by somebody else.
    Spent,
    /// It was made so often lately that a person is asked.
    TooOften,
    /// The grant that let it run lets nothing through any more.
    Ungranted(GrantId),
    /// The server stops.
    Closing,
    /// The same key ran before.
    Known(Box<CallRecord>),
    /// It may not, or the intent could not be kept.
    Refused(Refusal),
}

impl Inner {
    /// Runs a call that needs no approval.
    pub(super) async fn run_now(
        self: &Arc<Self>,
        request: &Request,
        call: Prepared,
        rule: String,
        watch: Watch,
    ) -> Answer {
        let id = CallId::new(self.ids.next());
        if call.tier == Tier::Green {
            return self.read(request, call, id, rule, watch).await;
        }
        match self.effect(request, &call, id, rule, None, watch.clone()).await {
            Ok(outcome) => Answer::Ran(Box::new(outcome)),
            Err(NotRun::Known(record)) => record.answer(&request.tool, &call.args),
            // What the store knows is known now: it is asked, or another grant lets it run.
            Err(NotRun::TooOften) => Box::pin(self.decided_now(request, watch)).await,
            Err(NotRun::Ungranted(grant)) => {
                self.forget_grant(&grant);
                Box::pin(self.decided_now(request, watch)).await
            }
            Err(NotRun::Refused(refusal)) => self.refused(request, Some(&call), refusal).await,
            Err(NotRun::Closing) => {
                let said = "Jarvis is being stopped; call again after the start. Nothing was done";
                self.refused(request, Some(&call), Refusal::new(Code::Unavailable, "stopping", said)).await
            }
            Err(NotRun::Spent) => Answer::Refused(Refusal::new(Code::AlreadyDecided, "spent once", "already spent")),
        }
    }

    /// A green call: run, then one row with decision and outcome, then the answer.
    async fn read(
        self: &Arc<Self>,
        request: &Request,
        call: Prepared,
        id: CallId,
        rule: String,
        watch: Watch,
    ) -> Answer {
        let _held = self.hold(&id, call.tier, request, &watch);
        if let Some(refusal) = refused_outright(call.tier, &request.actor, self.kill()) {
            return self.refused(request, Some(&call), refusal).await;
        }
        let (outcome, _) = self.run(request, &call, id, rule, watch).await;
        let (actor, origin) = (&request.actor, &request.origin);
        let row = row::outcome(actor, origin, call.shown_args(), &outcome, EventKind::CallRead);
        match self.ledger.append(row, self.rules().settings.audit_reads).await {
            Ok(_) => Answer::Ran(Box::new(outcome)),
            Err(error) => Answer::Refused(store_refusal(&error)),
        }
    }

    /// A call above green: intent fsynced before the effect, outcome before the answer.
    pub(super) async fn effect(
        self: &Arc<Self>,
        request: &Request,
        call: &Prepared,
        id: CallId,
        rule: String,
        approval: Option<(ApprovalId, u32)>,
        watch: Watch,
    ) -> Result<Outcome, NotRun> {
        let held = self.hold(&id, call.tier, request, &watch).ok_or(NotRun::Spent)?;
        // Held first, asked second: a kill switch thrown in between finds the call in the list.
        if let Some(refusal) = refused_outright(call.tier, &request.actor, self.kill()) {
            return Err(NotRun::Refused(refusal));
        }
        if self.closing() {
            return Err(NotRun::Closing);
        }
        let now = self.clock.now();
        // Counted with the recording: calls made at once must not all find that they are the first.
        let unasked = call.tier == Tier::Yellow && approval.is_none() && call.verdict.grant().is_none();
        let pace = unasked.then_some(Pace { since: now - REPEAT_WINDOW_MS, most: UNASKED_REPEATS });
        let record = CallRecord::begun(request, call, id.clone(), rule.clone(), approval, now);
        let approved = record.approval.is_some();
        let (refusal, may_be_kept) =
            match self.intend(&record, pace, row::intent(request, call, &record, &self.rules().version)).await {
                Ok(Intended::Recorded) => {
                    self.count_grant(record.grant.as_ref());
                    (None, true)
                }
                Ok(Intended::AlreadySpent) => return Err(NotRun::Spent),
                Ok(Intended::Known(record)) => return Err(NotRun::Known(record)),
                Ok(Intended::TooOften(_)) => return Err(NotRun::TooOften),
                Ok(Intended::Ungranted(grant)) => return Err(NotRun::Ungranted(grant)),
                Ok(Intended::Barred(bar)) => (Some(bar.refusal()), approved),
                Err(error) => (Some(store_refusal(&error)), matches!(error, StoreError::Unknown(_))),
            };
        if let Some(refusal) = refusal {
            if may_be_kept {
                // It never begins: if its intent was kept after all, that is its outcome.
                watch.cancel.cancel();
                let (outcome, _) = self.run(request, call, id, rule, watch).await;
                let ended = Ended { request, call, outcome: &outcome, undo: None, approved, began: false };
                let _ = self.settle(held, ended).await;
            }
            return Err(NotRun::Refused(refusal));
        }
        let (mut outcome, undo) = self.run(request, call, id, rule, watch).await;
        let ended = Ended { request, call, outcome: &outcome, undo: undo.as_ref(), approved, began: true };
        if let Err(error) = self.settle(held, ended).await {
            outcome.state = CallState::Unknown;
            outcome.words =
                format!("{} But this could not be recorded yet ({error}): look before you repeat it.", outcome.words);
        }
        Ok(outcome)
    }

    /// The one place where a permit is made.
    async fn run(
        &self,
        request: &Request,
        call: &Prepared,
        id: CallId,
        rule: String,
        watch: Watch,
    ) -> (Outcome, Option<Undo>) {
        let permit = RawPermit { target: call.target.clone(), digest: call.digest.clone(), tool: call.tool() };
        Run { id, rule, by: request, live: &*self.live, secrets: &self.secrets, watch }.go(call, permit).await
    }
}
