//! Places at which tool and ledger stop until a test lets them go, and a ledger that fails when it is told to.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jarvis_memory::Store;
use jarvis_safety::approval::{Approval, ApprovalState};
use jarvis_safety::call::CallRecord;
use jarvis_safety::doubt::Doubt;
use jarvis_safety::event::Draft;
use jarvis_safety::grant::Grant;
use jarvis_safety::kernel::KillSwitch;
use jarvis_safety::outcome::Outcome;
use jarvis_safety::port::{Asked, Decision, Due, Intended, Ledger, Pace, Said, StoreError, Stored};
use jarvis_safety::setting::AuditReads;
use jarvis_safety::tool::Undo;
use jarvis_safety::{ActorId, ApprovalId, CallId, Digest, GrantId, Target};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::LONG;

/// How the ledger fails: nothing is kept and it says so, or it is kept and the ledger cannot say so.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    Before,
    Kept,
}

/// A place at which the next few that come by stop.
struct Hold {
    left: Semaphore,
    here: Semaphore,
    go: Semaphore,
}

/// Where tool and ledger stop, and how the ledger fails. The same over every restart of a house.
#[derive(Default)]
pub(crate) struct Stage {
    holds: Mutex<BTreeMap<String, Arc<Hold>>>,
    faults: Mutex<BTreeMap<&'static str, (Fault, usize)>>,
}

impl Stage {
    pub(crate) fn hold(&self, place: &str, many: usize) {
        let hold = Hold { left: Semaphore::new(many), here: Semaphore::new(0), go: Semaphore::new(0) };
        self.holds.lock().unwrap().insert(place.to_owned(), Arc::new(hold));
    }

    fn at(&self, place: &str) -> Option<Arc<Hold>> {
        self.holds.lock().unwrap().get(place).cloned()
    }

    /// Waits until so many have stopped there.
    pub(crate) async fn reached(&self, place: &str, many: u32) {
        let hold = self.at(place).unwrap();
        let all = tokio::time::timeout(LONG, hold.here.acquire_many(many)).await;
        all.unwrap_or_else(|_| panic!("nobody came to `{place}`")).unwrap().forget();
    }

    pub(crate) fn release(&self, place: &str, many: usize) {
        self.at(place).unwrap().go.add_permits(many);
    }

    pub(crate) async fn pass(&self, place: &str) {
        let Some(hold) = self.at(place) else { return };
        if let Ok(one) = hold.left.try_acquire() {
            one.forget();
            hold.here.add_permits(1);
            hold.go.acquire().await.unwrap().forget();
        }
    }

    /// The next so many calls of this method fail; with none it is mended.
    pub(crate) fn fail(&self, method: &'static str, fault: Fault, times: usize) {
        self.faults.lock().unwrap().insert(method, (fault, times));
    }

    /// How many failures of this method are left.
    pub(crate) fn left(&self, method: &str) -> usize {
        self.faults.lock().unwrap().get(method).map_or(0, |(_, left)| *left)
    }

    fn fault(&self, method: &str) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        let (fault, left) = faults.get_mut(method)?;
        *left = left.checked_sub(1)?;
        Some(*fault)
    }
}

/// The real store behind a line that holds back, breaks, or loses the answer.
pub(crate) struct FaultyLedger {
    pub(crate) store: Store,
    pub(crate) stage: Arc<Stage>,
}

impl FaultyLedger {
    async fn carry<T>(&self, method: &'static str, work: impl Future<Output = Stored<T>> + Send) -> Stored<T> {
        self.stage.pass(method).await;
        let fault = self.stage.fault(method);
        if matches!(fault, Some(Fault::Before)) {
            return Err(StoreError::Unavailable("the disk is full".to_owned()));
        }
        let answer = work.await?;
        self.stage.pass(&format!("{method} kept")).await;
        fault.map_or(Ok(answer), |_| Err(StoreError::Unknown("the disk went away".to_owned())))
    }
}

macro_rules! carried {
    ($($method:ident($($arg:ident: $kind:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl Ledger for FaultyLedger {
            $(async fn $method(&self, $($arg: $kind),*) -> Stored<$answer> {
                self.carry(stringify!($method), self.store.$method($($arg),*)).await
            })*
        }
    };
}

carried! {
    append(draft: Draft, reads: AuditReads) -> u64;
    intend(record: &CallRecord, pace: Option<Pace>, draft: Draft) -> Intended;
    settle(outcome: &Outcome, undo: Option<&Undo>, undoes: Option<&CallId>, at: i64, draft: Draft) -> ();
    call(id: &CallId) -> Option<CallRecord>;
    keyed(actor: &ActorId, key: &str) -> Option<CallRecord>;
    unsettled_calls() -> Vec<CallRecord>;
    abandoned_calls() -> Vec<CallRecord>;
    abandoned_cards() -> Vec<Approval>;
    repeats(actor: &ActorId, tool: &str, args: &Value, target: &Target, since: i64) -> u64;
    ask(approval: &Approval, most_open: u32, draft: Draft) -> Asked;
    said(actor: &ActorId, question: &Digest, since: i64) -> Said;
    due(now: i64) -> Due;
    decide(decision: &Decision, draft: Draft) -> bool;
    approval(id: &ApprovalId) -> Option<Approval>;
    approvals(states: &[ApprovalState], limit: u32) -> Vec<Approval>;
    hand_over(actor: &ActorId, question: &Digest, since: i64) -> Option<Approval>;
    card_keyed(actor: &ActorId, key: &str) -> Option<Approval>;
    handed(approval: &ApprovalId) -> ();
    doubts(actor: Option<&ActorId>, limit: u32) -> Vec<Doubt>;
    acknowledge(subject: &str, at: i64, draft: Draft) -> bool;
    grant(grant: &Grant, draft: Draft) -> ();
    grants(live_at: Option<i64>) -> Vec<Grant>;
    revoke_grant(id: &GrantId, at: i64, draft: Draft) -> bool;
    kill_switch() -> KillSwitch;
    set_kill_switch(kill: KillSwitch, draft: Draft) -> ();
}
