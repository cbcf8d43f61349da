//! The ledger port in memory: it keeps the promises that the port makes, but for durability.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jarvis_safety::approval::{Approval, ApprovalState, StepState};
use jarvis_safety::call::{CallRecord, CallState};
use jarvis_safety::event::Draft;
use jarvis_safety::kernel::KillSwitch;
use jarvis_safety::outcome::Outcome;
use jarvis_safety::port::{Asked, Decision, Intended, Ledger, StoreError, Stored};
use jarvis_safety::setting::AuditReads;
use jarvis_safety::tool::Undo;
use jarvis_safety::{ActorId, ApprovalId, CallId, Digest, Target};

/// Everything the gate kept, in the order it was kept.
#[derive(Default)]
pub(crate) struct MemoryLedger(Mutex<Book>);

#[derive(Default)]
struct Book {
    rows: Vec<Draft>,
    calls: Vec<CallRecord>,
    cards: Vec<Approval>,
    handed: Vec<ApprovalId>,
    kill: KillSwitch,
}

impl MemoryLedger {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The audit rows so far.
    pub(crate) fn rows(&self) -> Vec<Draft> {
        self.book().rows.clone()
    }

    /// The card, once its last step has ended; nobody counts as having been told.
    pub(crate) async fn finished(&self, id: &ApprovalId) -> Approval {
        loop {
            let card = self.book().card(id).cloned();
            match card {
                Some(card) if card.state.is_final() => return card,
                _ => tokio::task::yield_now().await,
            }
        }
    }

    /// The calls above green so far.
    pub(crate) fn calls(&self) -> Vec<CallRecord> {
        self.book().calls.clone()
    }
}

const fn step_state(state: CallState) -> StepState {
    match state {
        CallState::Running => StepState::Running,
        CallState::Done => StepState::Done,
        CallState::Failed => StepState::Failed,
        CallState::Unknown => StepState::Unknown,
        CallState::Cancelled => StepState::Cancelled,
    }
}

impl Book {
    fn card(&mut self, id: &ApprovalId) -> Option<&mut Approval> {
        self.cards.iter_mut().find(|card| card.id == *id)
    }

    /// Spends a step; answers whether it could be spent.
    fn spend(&mut self, id: &ApprovalId, index: usize) -> bool {
        let Some(card) = self.card(id) else { return false };
        let open = matches!(card.state, ApprovalState::Approved | ApprovalState::Running);
        let before = card.steps.iter().take(index).all(|step| step.state == StepState::Done);
        let waits = card.steps.get(index).is_some_and(|step| step.state == StepState::Waiting);
        if open && before && waits {
            card.state = ApprovalState::Running;
            card.steps[index].state = StepState::Running;
        }
        open && before && waits
    }

    fn move_on(&mut self, id: &ApprovalId, index: usize, outcome: &Outcome, at: i64) {
        let Some(card) = self.card(id) else { return };
        card.steps[index].state = step_state(outcome.state);
        card.steps[index].outcome = Some(outcome.clone());
        let last = index + 1 == card.steps.len();
        match outcome.state {
            CallState::Done if !last => return,
            CallState::Done => card.state = ApprovalState::Done,
            CallState::Unknown | CallState::Running => card.state = ApprovalState::Unknown,
            CallState::Failed | CallState::Cancelled => card.state = ApprovalState::Failed,
        }
        card.finished_at = Some(at);
        for step in card.steps.iter_mut().skip(index + 1) {
            step.state = StepState::Skipped;
        }
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn append(&self, draft: Draft, _: AuditReads) -> Stored<u64> {
        let mut book = self.book();
        book.rows.push(draft);
        Ok(book.rows.len() as u64)
    }

    async fn intend(&self, record: &CallRecord, draft: Draft) -> Stored<Intended> {
        let mut book = self.book();
        let same = |known: &&CallRecord| record.key.is_some() && known.key == record.key && known.actor == record.actor;
        if let Some(known) = book.calls.iter().find(same) {
            return Ok(Intended::Known(Box::new(known.clone())));
        }
        if let Some((card, index)) = &record.approval
            && !book.spend(card, *index as usize)
        {
            return Ok(Intended::AlreadySpent);
        }
        book.calls.push(record.clone());
        book.rows.push(draft);
        Ok(Intended::Recorded)
    }

    async fn settle(
        &self,
        outcome: &Outcome,
        undo: Option<&Undo>,
        undoes: Option<&CallId>,
        at: i64,
        draft: Draft,
    ) -> Stored<()> {
        let mut book = self.book();
        let Some(record) = book.calls.iter_mut().find(|record| record.id == outcome.call) else {
            return Err(StoreError::NotFound(outcome.call.to_string()));
        };
        record.state = outcome.state;
        record.outcome = Some(outcome.clone());
        record.undo = undo.cloned();
        if let Some((card, index)) = record.approval.clone() {
            book.move_on(&card, index as usize, outcome, at);
        }
        let undone = undoes.filter(|_| outcome.state == CallState::Done);
        if let Some(undone) = undone.and_then(|id| book.calls.iter_mut().find(|call| call.id == *id)) {
            undone.undone_by = Some(outcome.call.clone());
        }
        book.rows.push(draft);
        Ok(())
    }

    async fn call(&self, id: &CallId) -> Stored<Option<CallRecord>> {
        Ok(self.book().calls.iter().find(|call| call.id == *id).cloned())
    }

    async fn unsettled_calls(&self) -> Stored<Vec<CallRecord>> {
        let book = self.book();
        Ok(book.calls.iter().filter(|call| call.state == CallState::Running).cloned().collect())
    }

    async fn keyed(&self, actor: &ActorId, key: &str) -> Stored<Option<CallRecord>> {
        let same = |call: &&CallRecord| call.actor == *actor && call.key.as_deref() == Some(key);
        Ok(self.book().calls.iter().find(same).cloned())
    }

    async fn repeats(
        &self,
        actor: &ActorId,
        tool: &str,
        args: &serde_json::Value,
        target: &Target,
        since: i64,
    ) -> Stored<u64> {
        let same = |call: &&CallRecord| {
            call.actor == *actor
                && call.tool == tool
                && call.args == *args
                && call.target.name == target.name
                && call.created_at >= since
        };
        Ok(self.book().calls.iter().filter(same).count() as u64)
    }

    async fn ask(&self, approval: &Approval, draft: Draft) -> Stored<Asked> {
        let mut book = self.book();
        let same = |card: &&Approval| {
            card.state == ApprovalState::Pending && card.actor.id == approval.actor.id && card.digest == approval.digest
        };
        if let Some(card) = book.cards.iter().find(same) {
            return Ok(Asked::Joined(Box::new(card.clone())));
        }
        book.cards.push(approval.clone());
        book.rows.push(draft);
        Ok(Asked::New)
    }

    async fn decide(&self, decision: &Decision, draft: Draft) -> Stored<bool> {
        let mut book = self.book();
        let Some(card) = book.card(&decision.approval) else { return Ok(false) };
        let stale = decision.state == ApprovalState::Stale;
        let fits = match card.state {
            ApprovalState::Pending => !stale,
            ApprovalState::Approved | ApprovalState::Running => stale,
            _ => false,
        };
        if !fits {
            return Ok(false);
        }
        card.state = decision.state;
        card.because.clone_from(&decision.because);
        if stale {
            let waiting = card.steps.iter_mut().filter(|step| step.state == StepState::Waiting);
            waiting.for_each(|step| step.state = StepState::Skipped);
            card.finished_at = Some(decision.at);
        } else {
            card.decided_by = Some(decision.by.clone());
            card.decided_at = Some(decision.at);
        }
        book.rows.push(draft);
        Ok(true)
    }

    async fn approval(&self, id: &ApprovalId) -> Stored<Option<Approval>> {
        Ok(self.book().card(id).cloned())
    }

    async fn approvals(&self, states: &[ApprovalState], limit: u32) -> Stored<Vec<Approval>> {
        let book = self.book();
        let wanted = book.cards.iter().rev();
        let wanted = wanted.filter(|card| states.is_empty() || states.contains(&card.state));
        Ok(wanted.take(limit as usize).cloned().collect())
    }

    async fn card_keyed(&self, actor: &ActorId, key: &str) -> Stored<Option<Approval>> {
        let same = |card: &&Approval| card.actor.id == *actor && card.key.as_deref() == Some(key);
        Ok(self.book().cards.iter().find(same).cloned())
    }

    async fn hand_over(&self, actor: &ActorId, question: &Digest, since: i64) -> Stored<Option<Approval>> {
        let mut book = self.book();
        let fits = |card: &&Approval| {
            card.actor.id == *actor
                && card.question == *question
                && card.finished_at.is_some_and(|at| at >= since)
                && !book.handed.contains(&card.id)
        };
        let found = book.cards.iter().find(fits).cloned();
        if let Some(card) = &found {
            book.handed.push(card.id.clone());
        }
        Ok(found)
    }

    async fn handed(&self, approval: &ApprovalId) -> Stored<()> {
        self.book().handed.push(approval.clone());
        Ok(())
    }

    async fn kill_switch(&self) -> Stored<KillSwitch> {
        Ok(self.book().kill)
    }

    async fn set_kill_switch(&self, kill: KillSwitch, draft: Draft) -> Stored<()> {
        let mut book = self.book();
        book.kill = kill;
        book.rows.push(draft);
        Ok(())
    }
}
