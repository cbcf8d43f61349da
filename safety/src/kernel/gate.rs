//! The gate itself: one door for every call.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde_json::{Value, json};
use tokio::sync::{Notify, broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::actor::Actor;
use crate::approval::Approval;
use crate::autonomy::Levels;
use crate::call::Request;
use crate::carry::carry;
use crate::digest::Digest;
use crate::grant::Grant;
use crate::id::{ActorId, ApprovalId, CallId};
use crate::kill::KillSwitch;
use crate::outcome::{Answer, answer_of};
use crate::plain::shorten;
use crate::port::{Clock, Identities, Ids, Ledger, Live};
use crate::refusal::{Code, Refusal, key_refusal, store_refusal};
use crate::registry::{Erased, Registry};
use crate::row;
use crate::run::Watch;
use crate::secret::Secrets;
use crate::setting::Settings;
use crate::tier::Tier;
use crate::tool::Preview;

use super::decide::{Standing, Verdict, unreadable};
use super::grant::Grants;
use super::policy::Policy;
use super::prepare::Prepared;

/// How long the outcome of an approved call waits for the identical call to come back for it.
pub(super) const HAND_OVER_MS: i64 = 5 * 60 * 1000;

/// Everything the gate is built from.
pub struct GateParts {
    /// All tools.
    pub registry: Registry,
    /// Keeps calls, approvals and the audit.
    pub ledger: Arc<dyn Ledger>,
    /// Knows who is who.
    pub identities: Arc<dyn Identities>,
    /// Shows progress.
    pub live: Arc<dyn Live>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Fresh ids.
    pub ids: Arc<dyn Ids>,
    /// Settings at start.
    pub settings: Settings,
    /// The policy, or why it cannot be read.
    pub policy: Result<Policy, String>,
    /// The kill switch as it was left.
    pub kill: KillSwitch,
    /// Grants that are in force.
    pub grants: Vec<Grant>,
    /// Opens secrets for tools, and strikes them out of what these say.
    pub secrets: Secrets,
}

/// The rules of the moment.
pub(super) struct Rules {
    pub(super) policy: Result<Policy, String>,
    pub(super) settings: Settings,
    pub(super) levels: Levels,
    /// Digest over policy and autonomy: a card is bound to it.
    pub(super) version: Digest,
}

impl Rules {
    pub(super) fn new(policy: Result<Policy, String>, settings: Settings) -> Self {
        let file = policy.as_ref().map_or("unreadable", |policy| policy.version().as_str());
        let version = Digest::of(json!([file, settings.autonomy]).to_string().as_bytes());
        let levels = Levels::of(&settings.autonomy);
        Self { policy, settings, levels, version }
    }

    /// Without the policy nobody knows what may be approved.
    pub(super) fn readable(&self) -> Result<(), Refusal> {
        let so = "no card is approved, and what was approved waits. Nothing was decided";
        self.policy.as_ref().map(|_| ()).map_err(|_| unreadable(so))
    }
}

pub(crate) struct Inner {
    pub(crate) registry: Registry,
    pub(crate) secrets: Secrets,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(super) identities: Arc<dyn Identities>,
    pub(super) live: Arc<dyn Live>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn Ids>,
    pub(super) rules: RwLock<Arc<Rules>>,
    pub(crate) kill: watch::Sender<KillSwitch>,
    pub(super) grants: RwLock<Grants>,
    /// Set when the server stops: no effect begins any more.
    pub(crate) closing: AtomicBool,
    /// Held while the kill switch is thrown: two hands at once would leave store and memory apart.
    pub(super) braking: tokio::sync::Mutex<()>,
    pub(crate) running: Mutex<HashMap<CallId, (Tier, ActorId, CancellationToken)>>,
    /// Cards whose steps are being spent, and whether somebody else wanted to meanwhile.
    pub(crate) spending: Mutex<HashMap<ApprovalId, bool>>,
    /// Says that a call has ended.
    pub(crate) ended: Notify,
    /// Says that a card has moved on.
    pub(crate) moved: broadcast::Sender<ApprovalId>,
    /// Says that a new card may expire earlier than the others.
    pub(crate) asked: Notify,
}

/// The gate, as callers hold it: they ask, look and cancel, and decide nothing. Cheap to clone.
#[derive(Clone)]
pub struct Gate(pub(crate) Arc<Inner>);

impl Gate {
    /// All tools.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.0.rules().settings.clone()
    }

    /// Why the policy cannot be read, if it cannot.
    #[must_use]
    pub fn policy_fault(&self) -> Option<String> {
        self.0.rules().policy.as_ref().err().cloned()
    }

    /// The kill switch.
    #[must_use]
    pub fn kill_switch(&self) -> KillSwitch {
        self.0.kill()
    }

    /// What would happen if this call were made now. Runs nothing.
    ///
    /// # Errors
    /// As [`Gate::call`] would refuse.
    pub async fn preview(&self, request: &Request) -> Result<(Prepared, Preview), Refusal> {
        let prepared = self.0.prepare(request, Standing::Fresh).await?;
        // What may not be done is not looked at either: a diff shows what a file holds.
        if let Verdict::Refuse(_) = prepared.verdict {
            return Ok((prepared, Preview::default()));
        }
        let preview = self.0.look_ahead(request, &prepared).await?;
        let kept = self.0.ledger.append(row::previewed(request, &prepared), self.0.rules().settings.audit_reads).await;
        kept.map(|_| (prepared, preview)).map_err(|error| store_refusal(&error))
    }

    /// The tier and verdict that this call would have now. Runs nothing.
    ///
    /// # Errors
    /// As [`Gate::call`] would refuse.
    pub async fn classify(&self, request: &Request) -> Result<Prepared, Refusal> {
        self.0.prepare(request, Standing::Fresh).await
    }

    /// Makes a call. It goes on to its end even if the caller goes away.
    pub async fn call(&self, request: Request) -> Answer {
        self.call_watched(request, Watch::default()).await
    }

    /// Makes a call that the caller can cancel, and whose progress it can see.
    pub async fn call_watched(&self, request: Request, watch: Watch) -> Answer {
        carry(Arc::clone(&self.0).call(request, watch)).await.unwrap_or_else(|| {
            let said = "a defect in Jarvis stopped this call; look in the history for what was done";
            Answer::Refused(Refusal::new(Code::Unavailable, "gate", said))
        })
    }

    /// Cancels a running call of this actor (the operator may cancel any). Answers whether it was running.
    #[must_use]
    pub fn cancel(&self, actor: &Actor, call: &CallId) -> bool {
        let running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, owner, token)) = running.get(call) else { return false };
        let may = actor.kind == crate::ActorKind::Operator || *owner == actor.id;
        if may {
            token.cancel();
        }
        may
    }
}

impl Inner {
    pub(super) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    pub(super) fn kill(&self) -> KillSwitch {
        *self.kill.borrow()
    }

    pub(crate) async fn call(self: Arc<Self>, request: Request, watch: Watch) -> Answer {
        match self.known(&request).await {
            Ok(None) => {}
            // Whoever asks again and again until it has ended fills no audit, and needs no store for this answer.
            Ok(Some(Answer::Refused(refusal))) | Err(refusal) if refusal.is_open() => return Answer::Refused(refusal),
            Ok(Some(Answer::Refused(refusal))) | Err(refusal) => return self.refused(&request, None, refusal).await,
            Ok(Some(answer)) => return answer,
        }
        self.decided_now(&request, watch).await
    }

    pub(super) async fn decided_now(self: &Arc<Self>, request: &Request, watch: Watch) -> Answer {
        match self.prepare(request, Standing::Fresh).await {
            Err(refusal) => self.refused(request, None, refusal).await,
            Ok(prepared) => match prepared.verdict.clone() {
                Verdict::Refuse(refusal) => self.refused(request, Some(&prepared), refusal).await,
                Verdict::Run { rule, .. } => self.run_now(request, prepared, rule, watch).await,
                Verdict::Ask { rule } => self.ask(std::slice::from_ref(request), vec![prepared], rule).await,
            },
        }
    }

    /// The answer that is known already: this actor made this call with this key before, or has not yet fetched the
    /// outcome of its approval. Looked up before the target is, which the first call may have taken away.
    pub(super) async fn known(&self, request: &Request) -> Result<Option<Answer>, Refusal> {
        let found = self.registry.find(&request.tool)?;
        let (id, spec) = (&request.actor.id, found.described().spec);
        if let Some(key) = &request.key {
            let args = self.canonical(&*found, request.args.clone())?;
            if let Some(record) = self.ledger.keyed(id, key).await.map_err(|error| key_refusal(&error))? {
                return Ok(Some(record.answer(&request.tool, &args)));
            }
            if let Some(card) = self.ledger.card_keyed(id, key).await.map_err(|error| key_refusal(&error))? {
                return Ok(Some(card.answer_to(&request.tool, &args)));
            }
        }
        // What can never be asked has nothing to fetch; most calls end here.
        let ruled = || self.rules().policy.as_ref().is_ok_and(|policy| policy.asks(&request.tool));
        if spec.tier == Tier::Green && !spec.effects.network && !ruled() {
            return Ok(None);
        }
        Ok(self.fetched(std::slice::from_ref(request)).await?.map(|card| answer_of(&card)))
    }

    /// The finished card of the same question whose outcome nobody has fetched.
    pub(crate) async fn fetched(&self, requests: &[Request]) -> Result<Option<Approval>, Refusal> {
        let Some(first) = requests.first() else { return Ok(None) };
        let question = self.question(requests)?;
        let found = self.ledger.hand_over(&first.actor.id, &question, self.clock.now() - HAND_OVER_MS).await;
        found.map_err(|error| store_refusal(&error))
    }

    /// Arguments as their tool reads them. What it says of others may quote them.
    pub(super) fn canonical(&self, tool: &dyn Erased, args: Value) -> Result<Value, Refusal> {
        let said = |error: String| self.secrets.redactor.text(&error).into_owned();
        tool.canonical(args).map_err(|error| {
            Refusal::invalid(format!("`{}`: {}", tool.described().spec.name, shorten(&said(error), 1_000)))
        })
    }

    /// Digest over what is asked, without the targets.
    pub(super) fn question(&self, requests: &[Request]) -> Result<Digest, Refusal> {
        let mut asked = Vec::with_capacity(requests.len());
        for request in requests {
            let tool = self.registry.find(&request.tool)?;
            let args = self.canonical(&*tool, request.args.clone())?;
            asked.push(json!([request.tool, tool.described().spec.revision, args]));
        }
        Ok(Digest::of(json!([asked, self.rules().version]).to_string().as_bytes()))
    }

    /// Records a refusal. If even that cannot be kept, the refusal says so: it stays a refusal.
    pub(crate) async fn refused(&self, request: &Request, call: Option<&Prepared>, refusal: Refusal) -> Answer {
        let row = row::refused(request, call, &refusal);
        match self.ledger.append(row, self.rules().settings.audit_reads).await {
            Ok(_) => Answer::Refused(refusal),
            Err(error) => Answer::Refused(store_refusal(&error)),
        }
    }
}
