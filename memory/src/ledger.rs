//! What the gate keeps, joined to the tables that keep it.

use async_trait::async_trait;
use jarvis_safety::approval::{Approval, ApprovalState};
use jarvis_safety::call::CallRecord;
use jarvis_safety::doubt::Doubt;
use jarvis_safety::event::Draft;
use jarvis_safety::grant::Grant;
use jarvis_safety::kernel::KillSwitch;
use jarvis_safety::outcome::Outcome;
use jarvis_safety::port::{Asked, Decision, Due, Intended, Ledger, Pace, Said, Stored};
use jarvis_safety::setting::AuditReads;
use jarvis_safety::tool::Undo;
use jarvis_safety::{ActorId, ApprovalId, CallId, Digest, GrantId, Target};

use crate::approval::{self, Ask, Decide, HandOver, Handed};
use crate::call::{self, Intend, Settle};
use crate::change::Durability;
use crate::doubt::{self, Acknowledge};
use crate::grant::{self, Give, Revoke};
use crate::replica::Carried;
use crate::row::Row;
use crate::setting;
use crate::space;
use crate::store::Store;

#[async_trait]
impl Ledger for Store {
    async fn append(&self, draft: Draft, reads: AuditReads) -> Stored<u64> {
        let durability = match reads {
            AuditReads::Wal => Durability::Wal,
            AuditReads::Fsync => Durability::Fsync,
        };
        self.0.writer.append(draft, durability).await
    }

    async fn intend(&self, record: &CallRecord, pace: Option<Pace>, draft: Draft) -> Stored<Intended> {
        space::room(&self.0.directory)?;
        self.0.writer.submit(Intend::new(&self.0.redactor, record, pace, draft)?).await
    }

    async fn settle(
        &self,
        outcome: &Outcome,
        undo: Option<&Undo>,
        undoes: Option<&CallId>,
        at: i64,
        draft: Draft,
    ) -> Stored<()> {
        self.0.writer.submit(Settle::new(&self.0.redactor, outcome, undo, undoes, at, draft)?).await
    }

    async fn call(&self, id: &CallId) -> Stored<Option<CallRecord>> {
        call::find(&self.0.lookup, id).await
    }

    async fn unsettled_calls(&self) -> Stored<Vec<CallRecord>> {
        call::unsettled(&self.0.readers).await
    }

    async fn abandoned_calls(&self) -> Stored<Vec<CallRecord>> {
        let mut calls = Vec::new();
        for id in self.take_over(Carried::Calls).await? {
            calls.extend(call::find_by_word(&self.0.lookup, &id).await?);
        }
        Ok(calls)
    }

    async fn abandoned_cards(&self) -> Stored<Vec<Approval>> {
        let mut cards = Vec::new();
        for id in self.take_over(Carried::Cards).await? {
            cards.extend(approval::find_by_word(&self.0.lookup, &id).await?);
        }
        Ok(cards)
    }

    async fn keyed(&self, actor: &ActorId, key: &str) -> Stored<Option<CallRecord>> {
        call::keyed(&self.0.lookup, actor, key).await
    }

    async fn repeats(
        &self,
        actor: &ActorId,
        tool: &str,
        args: &serde_json::Value,
        target: &Target,
        since: i64,
    ) -> Stored<u64> {
        call::repeats(&self.0.lookup, actor, tool, args, target, since).await
    }

    async fn ask(&self, approval: &Approval, most_open: u32, draft: Draft) -> Stored<Asked> {
        space::room(&self.0.directory)?;
        self.0.writer.submit(Ask::new(&self.0.redactor, approval, most_open, draft)?).await
    }

    async fn said(&self, actor: &ActorId, question: &Digest, since: i64) -> Stored<Said> {
        approval::said(&self.0.readers, actor, question, since).await
    }

    async fn due(&self, now: i64) -> Stored<Due> {
        approval::due(&self.0.readers, now).await
    }

    async fn decide(&self, decision: &Decision, draft: Draft) -> Stored<bool> {
        self.0.writer.submit(Decide { decision: decision.clone(), row: Row::new(&self.0.redactor, draft)? }).await
    }

    async fn approval(&self, id: &ApprovalId) -> Stored<Option<Approval>> {
        approval::find(&self.0.lookup, id).await
    }

    async fn approvals(&self, states: &[ApprovalState], limit: u32) -> Stored<Vec<Approval>> {
        approval::list(&self.0.readers, states, limit).await
    }

    async fn card_keyed(&self, actor: &ActorId, key: &str) -> Stored<Option<Approval>> {
        approval::keyed(&self.0.lookup, actor, key).await
    }

    async fn hand_over(&self, actor: &ActorId, question: &Digest, since: i64) -> Stored<Option<Approval>> {
        let change = HandOver { actor: actor.clone(), question: question.clone(), since, now: self.0.clock.now() };
        if !change.is_there(&self.0.lookup).await? {
            return Ok(None);
        }
        self.0.writer.submit(change).await
    }

    async fn handed(&self, approval: &ApprovalId) -> Stored<()> {
        self.0.writer.submit(Handed { approval: approval.clone(), now: self.0.clock.now() }).await
    }

    async fn doubts(&self, actor: Option<&ActorId>, limit: u32) -> Stored<Vec<Doubt>> {
        doubt::list(&self.0.readers, actor, limit).await
    }

    async fn acknowledge(&self, subject: &str, at: i64, draft: Draft) -> Stored<bool> {
        self.0
            .writer
            .submit(Acknowledge { subject: subject.to_owned(), at, row: Row::new(&self.0.redactor, draft)? })
            .await
    }

    async fn grant(&self, grant: &Grant, draft: Draft) -> Stored<()> {
        space::room(&self.0.directory)?;
        self.0.writer.submit(Give { grant: grant.clone(), row: Row::new(&self.0.redactor, draft)? }).await
    }

    async fn grants(&self, live_at: Option<i64>) -> Stored<Vec<Grant>> {
        grant::list(&self.0.readers, live_at).await
    }

    async fn revoke_grant(&self, id: &GrantId, at: i64, draft: Draft) -> Stored<bool> {
        self.0.writer.submit(Revoke { id: id.clone(), at, row: Row::new(&self.0.redactor, draft)? }).await
    }

    async fn kill_switch(&self) -> Stored<KillSwitch> {
        setting::kill_switch(&self.0.readers).await
    }

    async fn set_kill_switch(&self, kill: KillSwitch, draft: Draft) -> Stored<()> {
        self.0.writer.submit(setting::Save::kill_switch(&self.0.redactor, kill, draft)?).await
    }
}
