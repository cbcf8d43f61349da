//! The gate with the hand that decides: only a face that proves who is there holds it.

use std::ops::Deref;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::{Notify, broadcast, watch};

use crate::actor::{Actor, ActorKind};
use crate::approval::{Approval, Ruling};
use crate::call::Origin;
use crate::event::EventKind;
use crate::id::ApprovalId;
use crate::kill::KillSwitch;
use crate::refusal::{Code, Refusal, store_refusal};
use crate::row;
use crate::setting::Settings;
use crate::tier::Tier;

use super::approver::Approver;
use super::gate::{Gate, GateParts, Inner, Rules};
use super::grant::compiled;

/// The gate and what decides over it: approvals, the kill switch, settings, recovery. The agents' room gets the [`Gate`]
/// alone. Cheap to clone.
#[derive(Clone)]
pub struct Console(Gate);

impl Deref for Console {
    type Target = Gate;

    fn deref(&self) -> &Gate {
        &self.0
    }
}

impl Console {
    /// Builds the gate. Call [`Console::recover`] before the first request.
    #[must_use]
    pub fn new(parts: GateParts) -> Self {
        Self(Gate(Arc::new(Inner {
            registry: parts.registry,
            secrets: parts.secrets,
            ledger: parts.ledger,
            identities: parts.identities,
            live: parts.live,
            clock: parts.clock,
            ids: parts.ids,
            rules: RwLock::new(Arc::new(Rules::new(parts.policy, parts.settings))),
            kill: watch::Sender::new(parts.kill),
            grants: RwLock::new(compiled(parts.grants)),
            braking: tokio::sync::Mutex::new(()),
            closing: AtomicBool::new(false),
            ended: Notify::new(),
            running: Mutex::default(),
            spending: Mutex::default(),
            moved: broadcast::channel(256).0,
            asked: Notify::new(),
        })))
    }

    /// The handle for callers.
    #[must_use]
    pub fn gate(&self) -> Gate {
        self.0.clone()
    }

    pub(crate) const fn inner(&self) -> &Arc<Inner> {
        &self.0.0
    }

    /// Says yes. The server runs the call at once, whether or not its caller still waits. Only the operator may, or a
    /// token that was made to decide.
    ///
    /// # Errors
    /// If the actor may not, or the card is decided, lapsed or gone. Nothing was run then.
    pub async fn approve(&self, actor: &Actor, id: &ApprovalId, origin: &Origin) -> Result<Approval, Refusal> {
        self.approve_without(actor, id, &[], origin).await
    }

    /// Says yes to a plan, but for these steps, from 0: they are left out, and the others run in their order.
    ///
    /// # Errors
    /// As [`Console::approve`], and if nothing would be left or there is no such step.
    pub async fn approve_without(
        &self,
        actor: &Actor,
        id: &ApprovalId,
        steps: &[u32],
        origin: &Origin,
    ) -> Result<Approval, Refusal> {
        let approver = self.approver(actor, id, origin).await?;
        self.inner().decided_to_the_end(approver, id, Ruling::Approve(steps.to_vec()), origin).await
    }

    /// Says no, with a word back to whoever asked.
    ///
    /// # Errors
    /// As [`Console::approve`].
    pub async fn deny(
        &self,
        actor: &Actor,
        id: &ApprovalId,
        because: &str,
        origin: &Origin,
    ) -> Result<Approval, Refusal> {
        let approver = self.approver(actor, id, origin).await?;
        self.inner().decided_to_the_end(approver, id, Ruling::Deny(because.to_owned()), origin).await
    }

    /// The person behind an MCP client said yes in the client's own form, which reaches no further than
    /// [`Actor::form_reach`].
    ///
    /// # Errors
    /// As [`Console::approve`].
    pub async fn confirm(&self, client: &Actor, id: &ApprovalId, origin: &Origin) -> Result<Approval, Refusal> {
        let approver = Approver::form(client);
        self.inner().decided_to_the_end(approver, id, Ruling::Approve(Vec::new()), origin).await
    }

    async fn approver(&self, actor: &Actor, id: &ApprovalId, origin: &Origin) -> Result<Approver, Refusal> {
        let approver = Approver::of(actor);
        if let Err(refusal) = &approver {
            let row = row::row(EventKind::ApprovalRefused, actor, id.as_str(), origin, &refusal.message);
            let reads = self.inner().rules().settings.audit_reads;
            self.inner().ledger.append(row, reads).await.map_err(|error| store_refusal(&error))?;
        }
        approver
    }

    /// Puts new settings in force; the caller has stored them.
    pub fn apply_settings(&self, settings: Settings) {
        let policy = self.inner().rules().policy.clone();
        *self.inner().rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Rules::new(policy, settings));
    }

    /// Sets or releases the kill switch. What it forbids is refused and cancelled at once, before the store is asked:
    /// the brake must not depend on a disk. A release waits for the store.
    ///
    /// # Errors
    /// Only the operator may. If the store did not keep it, it holds until the next start, and the message says so.
    pub async fn set_kill_switch(&self, actor: &Actor, kill: KillSwitch, origin: &Origin) -> Result<(), Refusal> {
        if actor.kind != ActorKind::Operator {
            return Err(Refusal::new(
                Code::Forbidden,
                "operator only",
                "only the operator sets or releases the kill switch; sign in on the dashboard, or give the password to \
                 `jarvis stop` or `jarvis resume`",
            ));
        }
        let kind = if kill == KillSwitch::Off { EventKind::KillOff } else { EventKind::KillOn };
        let row = row::row(kind, actor, "kill-switch", origin, &format!("kill switch: {}", kill.as_str()));
        // At once: no other hand and no disk is waited for.
        self.put_in_force(|now| now.max(kill));
        let _one_at_a_time = self.inner().braking.lock().await;
        // Once more: a release that was under way has come before.
        let before = self.put_in_force(|now| now.max(kill));
        self.inner().ledger.set_kill_switch(kill, row).await.map_err(|error| {
            let held = self.inner().kill().as_str();
            Refusal::new(Code::StoreUnavailable, "store", format!("{error}. In force until the next start: {held}"))
        })?;
        // A release; a brake that was thrown harder meanwhile stays, its own hand is next.
        self.put_in_force(|now| if now == before { kill } else { now });
        Ok(())
    }

    /// Moves the kill switch from where it is, and cancels what it forbids. Answers where it is.
    pub(crate) fn put_in_force(&self, after: impl FnOnce(KillSwitch) -> KillSwitch) -> KillSwitch {
        let mut kill = KillSwitch::All;
        self.inner().kill.send_modify(|now| {
            kill = after(*now);
            *now = kill;
        });
        let running = self.inner().running.lock().unwrap_or_else(PoisonError::into_inner);
        for (tier, _, token) in running.values() {
            if kill == KillSwitch::All || (kill == KillSwitch::Effects && *tier > Tier::Green) {
                token.cancel();
            }
        }
        kill
    }
}
