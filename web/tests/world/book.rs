//! Calls, approvals and the kill switch.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jarvis_safety::approval::{Approval, ApprovalState, StepState};
use jarvis_safety::call::{CallRecord, CallState};
use jarvis_safety::event::Draft;
use jarvis_safety::kernel::KillSwitch;
use jarvis_safety::outcome::Outcome;
use jarvis_safety::port::{Asked, Decision, Due, Intended, Ledger, Stored};
use jarvis_safety::setting::AuditReads;
use jarvis_safety::tool::Undo;
use jarvis_safety::{ActorId, ApprovalId, CallId, Digest, Target};

use super::journal::Journal;

pub struct Book {
    pub journal: Arc<Journal>,
    calls: Mutex<Vec<CallRecord>>,
    cards: Mutex<Vec<Approval>>,
    kill: Mutex<KillSwitch>,
}

impl Book {
    pub fn new(journal: Arc<Journal>) -> Arc<Self> {
        Arc::new(Self { journal, calls: Mutex::default(), cards: Mutex::default(), kill: Mutex::default() })
    }

    fn spend(&self, record: &CallRecord) -> bool {
        let Some((id, step)) = &record.approval else { return true };
        let mut cards = self.cards.lock().unwrap();
        let card = cards.iter_mut().find(|card| card.id == *id).unwrap();
        let open = matches!(card.state, ApprovalState::Approved | ApprovalState::Running);
        let step = &mut card.steps[*step as usize];
        let spendable = open && step.state == StepState::Waiting;
        if spendable {
            step.state = StepState::Running;
            card.state = ApprovalState::Running;
        }
        spendable
    }
}

#[async_trait]
impl Ledger for Book {
    async fn append(&self, draft: Draft, _: AuditReads) -> Stored<u64> {
        Ok(self.journal.write(draft))
    }

    async fn intend(&self, record: &CallRecord, draft: Draft) -> Stored<Intended> {
        if !self.spend(record) {
            return Ok(Intended::AlreadySpent);
        }
        self.calls.lock().unwrap().push(record.clone());
        self.journal.write(draft);
        Ok(Intended::Recorded)
    }

    async fn settle(
        &self,
        outcome: &Outcome,
        undo: Option<&Undo>,
        _: Option<&CallId>,
        at: i64,
        draft: Draft,
    ) -> Stored<()> {
        let mut calls = self.calls.lock().unwrap();
        let record = calls.iter_mut().find(|record| record.id == outcome.call).unwrap();
        record.state = outcome.state;
        record.outcome = Some(outcome.clone());
        record.undo = undo.cloned();
        if let Some((id, step)) = &record.approval {
            let mut cards = self.cards.lock().unwrap();
            let card = cards.iter_mut().find(|card| card.id == *id).unwrap();
            let done = outcome.state == CallState::Done;
            let step = &mut card.steps[*step as usize];
            step.state = if done { StepState::Done } else { StepState::Failed };
            step.outcome = Some(outcome.clone());
            let over = card.steps.iter().all(|step| step.state == StepState::Done);
            card.state = match (done, over) {
                (true, true) => ApprovalState::Done,
                (true, false) => ApprovalState::Running,
                (false, _) => ApprovalState::Failed,
            };
            card.finished_at = Some(at);
        }
        self.journal.write(draft);
        Ok(())
    }

    async fn call(&self, id: &CallId) -> Stored<Option<CallRecord>> {
        Ok(self.calls.lock().unwrap().iter().find(|record| record.id == *id).cloned())
    }

    async fn unsettled_calls(&self) -> Stored<Vec<CallRecord>> {
        Ok(Vec::new())
    }

    async fn keyed(&self, _: &ActorId, _: &str) -> Stored<Option<CallRecord>> {
        Ok(None)
    }

    async fn repeats(&self, _: &ActorId, _: &str, _: &serde_json::Value, _: &Target, _: i64) -> Stored<u64> {
        Ok(0)
    }

    async fn ask(&self, approval: &Approval, _: u32, draft: Draft) -> Stored<Asked> {
        let mut cards = self.cards.lock().unwrap();
        let same = |card: &&Approval| {
            card.state == ApprovalState::Pending && card.digest == approval.digest && card.actor.id == approval.actor.id
        };
        if let Some(card) = cards.iter().find(same) {
            return Ok(Asked::Joined(Box::new(card.clone())));
        }
        cards.push(approval.clone());
        self.journal.write(draft);
        Ok(Asked::New)
    }

    async fn due(&self, _: i64) -> Stored<Due> {
        Ok(Due::default())
    }

    async fn decide(&self, decision: &Decision, draft: Draft) -> Stored<bool> {
        let mut cards = self.cards.lock().unwrap();
        let card = cards.iter_mut().find(|card| card.id == decision.approval).unwrap();
        if card.state != ApprovalState::Pending {
            return Ok(false);
        }
        card.state = decision.state;
        card.because.clone_from(&decision.because);
        card.decided_by = Some(decision.by.clone());
        card.decided_at = Some(decision.at);
        self.journal.write(draft);
        Ok(true)
    }

    async fn approval(&self, id: &ApprovalId) -> Stored<Option<Approval>> {
        Ok(self.cards.lock().unwrap().iter().find(|card| card.id == *id).cloned())
    }

    async fn approvals(&self, states: &[ApprovalState], limit: u32) -> Stored<Vec<Approval>> {
        let cards = self.cards.lock().unwrap();
        let wanted = |card: &&Approval| states.is_empty() || states.contains(&card.state);
        Ok(cards.iter().rev().filter(wanted).take(limit as usize).cloned().collect())
    }

    async fn card_keyed(&self, _: &ActorId, _: &str) -> Stored<Option<Approval>> {
        Ok(None)
    }

    async fn hand_over(&self, _: &ActorId, _: &Digest, _: i64) -> Stored<Option<Approval>> {
        Ok(None)
    }

    async fn handed(&self, _: &ApprovalId) -> Stored<()> {
        Ok(())
    }

    async fn kill_switch(&self) -> Stored<KillSwitch> {
        Ok(*self.kill.lock().unwrap())
    }

    async fn set_kill_switch(&self, kill: KillSwitch, draft: Draft) -> Stored<()> {
        *self.kill.lock().unwrap() = kill;
        self.journal.write(draft);
        Ok(())
    }
}
