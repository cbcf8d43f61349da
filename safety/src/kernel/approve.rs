//! Asking a person, and executing what the person approved.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::actor::{Actor, ActorKind};
use crate::approval::{Approval, ApprovalState, Step, StepState};
use crate::call::{CallState, Origin, Request};
use crate::digest::Digest;
use crate::event::{Draft, EventKind};
use crate::id::{ActorId, ApprovalId, CallId};
use crate::outcome::{Answer, Outcome};
use crate::plain::{shorten, visible};
use crate::port::{Asked, Decision};
use crate::refusal::{Code, Refusal};
use crate::row;
use crate::run::Watch;
use crate::tier::Tier;

use super::decide::{Standing, Verdict};
use super::execute::NotRun;
use super::gate::{Gate, Inner, store_refusal};
use super::prepare::Prepared;

/// Proof that an actor may decide approvals, and up to which tier. The approver is never the agent: a model has no way
/// to come by one.
#[derive(Debug, Clone)]
pub struct Approver {
    actor: Actor,
    reach: Tier,
    own_only: bool,
}

impl Approver {
    /// The operator, or a token that was made to decide.
    ///
    /// # Errors
    /// Everyone else may not.
    pub fn of(actor: &Actor) -> Result<Self, Refusal> {
        let may = actor.may_approve && matches!(actor.kind, ActorKind::Operator | ActorKind::Token);
        if !may {
            return Err(Refusal::new(
                Code::Forbidden,
                "the approver is never the agent",
                format!(
                    "{} may ask but not decide; decide on the dashboard, or with `jarvis approve` and the operator's \
                     password",
                    actor.name
                ),
            ));
        }
        Ok(Self { actor: actor.clone(), reach: actor.ceiling, own_only: false })
    }

    /// A form that an MCP client showed to its person. The client could have filled it in itself, so it reaches no
    /// further than the operator allowed this client: yellow, or orange. Never red, and only the client's own cards.
    #[must_use]
    pub fn form(actor: &Actor) -> Self {
        Self { actor: actor.clone(), reach: actor.confirm.min(Tier::Orange), own_only: true }
    }

    /// Highest tier that it may approve.
    #[must_use]
    pub const fn reach(&self) -> Tier {
        self.reach
    }

    fn may_decide(&self, approval: &Approval) -> Result<(), Refusal> {
        let own = approval.actor.id == self.actor.id;
        let refused = if approval.tier > self.reach {
            Some(format!("this card is {} and {} may approve {} at most", approval.tier, self.actor.name, self.reach))
        } else if self.own_only && !own {
            Some("a form decides only what its own client asked".to_owned())
        } else if own && !self.own_only && self.actor.kind == ActorKind::Token {
            Some("a token cannot approve what it asked for itself".to_owned())
        } else {
            None
        };
        refused.map_or(Ok(()), |why| {
            Err(Refusal::new(
                Code::Forbidden,
                "who may approve",
                format!("{why}; decide it on the dashboard, or with `jarvis approve` and the operator's password"),
            ))
        })
    }
}

impl Gate {
    /// One card as it stands.
    ///
    /// # Errors
    /// If it does not exist or the store cannot be read.
    pub async fn approval(&self, id: &ApprovalId) -> Result<Approval, Refusal> {
        self.0.card(id).await
    }

    /// Says yes. The server runs the call at once, whether or not its caller still waits.
    ///
    /// # Errors
    /// If the approver may not, or the card is decided, lapsed or gone. Nothing was run then.
    pub async fn approve(&self, approver: &Approver, id: &ApprovalId, origin: &Origin) -> Result<Approval, Refusal> {
        let decided = self.0.decide_card(approver, id, ApprovalState::Approved, None, origin).await;
        // A commit in doubt may have been kept: what is not approved is not spent, so looking is safe.
        if decided.as_ref().err().is_none_or(|refusal| refusal.code == Code::StoreUnavailable) {
            let (inner, card) = (Arc::clone(&self.0), id.clone());
            tokio::spawn(async move { inner.run_card(&card).await });
        }
        decided?;
        self.0.card(id).await
    }

    /// Says no, with a word back to whoever asked.
    ///
    /// # Errors
    /// As [`Gate::approve`].
    pub async fn deny(
        &self,
        approver: &Approver,
        id: &ApprovalId,
        because: &str,
        origin: &Origin,
    ) -> Result<Approval, Refusal> {
        let because = Some(shorten(&visible(because.trim()), 500)).filter(|word| !word.is_empty());
        self.0.decide_card(approver, id, ApprovalState::Denied, because, origin).await?;
        self.0.card(id).await
    }

    /// Waits for the end of a card as its caller does: a final card counts as handed over.
    ///
    /// # Errors
    /// If the card does not exist or the store cannot be read.
    pub async fn wait(&self, id: &ApprovalId, longest: Duration) -> Result<Approval, Refusal> {
        let card = self.follow(id, longest).await?;
        if card.state.is_final() {
            self.0.ledger.handed(id).await.map_err(|error| store_refusal(&error))?;
        }
        Ok(card)
    }

    /// Looks on until nothing more will happen to a card, for at most so long, and answers the card as it then stands.
    ///
    /// # Errors
    /// As [`Gate::wait`].
    pub async fn follow(&self, id: &ApprovalId, longest: Duration) -> Result<Approval, Refusal> {
        let mut moved = self.0.moved.subscribe();
        let until = tokio::time::Instant::now() + longest;
        loop {
            let card = self.0.card(id).await?;
            if card.state.is_final() {
                return Ok(card);
            }
            loop {
                // A receiver that lagged cannot know what it missed: it looks again.
                match tokio::time::timeout_at(until, moved.recv()).await {
                    Err(_) => return Ok(card),
                    Ok(Ok(other)) if other != *id => {}
                    Ok(_) => break,
                }
            }
        }
    }

    /// Lapses cards whose time is over, for as long as the server runs.
    pub async fn keep_expiring(&self) {
        loop {
            let next = self.0.expire_due().await;
            let pause = next.map_or(Duration::from_secs(3600), |at| {
                Duration::from_millis(u64::try_from(at - self.0.clock.now()).unwrap_or(0).max(5))
            });
            let _ = tokio::time::timeout(pause, self.0.asked.notified()).await;
        }
    }
}

impl Inner {
    async fn card(&self, id: &ApprovalId) -> Result<Approval, Refusal> {
        let found = self.ledger.approval(id).await.map_err(|error| store_refusal(&error))?;
        found.ok_or_else(|| {
            Refusal::new(
                Code::UnknownApproval,
                "approvals",
                format!("there is no approval {id}; `jarvis approvals` lists them"),
            )
        })
    }

    /// Puts up a card for one or several calls of one actor, or joins the same open question.
    pub(super) async fn ask(&self, requests: &[Request], calls: Vec<Prepared>, rule: String) -> Answer {
        match self.try_ask(requests, calls, rule).await {
            Ok(answer) => answer,
            Err(refusal) => self.refused(&requests[0], None, refusal).await,
        }
    }

    async fn try_ask(&self, requests: &[Request], calls: Vec<Prepared>, rule: String) -> Result<Answer, Refusal> {
        let request = &requests[0];
        if let Some(call) = calls.iter().find(|call| call.holds_secret()) {
            return Err(Refusal::invalid(format!(
                "`{}` must be approved, and a secret cannot wait in an approval: pass a reference instead of the value",
                call.tool()
            )));
        }
        let mut approval = self.new_card(request, rule);
        approval.question = self.question(requests)?;
        approval.key = request.key.clone().filter(|_| requests.len() == 1);
        for call in calls {
            approval.tier = approval.tier.max(call.tier);
            approval.steps.push(self.step(request, &call).await?);
        }
        let digests: Vec<_> = approval.steps.iter().map(|step| &step.digest).collect();
        approval.digest = Digest::of(json!([digests, approval.policy]).to_string().as_bytes());

        let row = row::card(EventKind::ApprovalAsked, &request.actor.id, &approval, &approval.steps[0].sentence);
        match self.ledger.ask(&approval, row).await.map_err(|error| store_refusal(&error))? {
            Asked::Joined(card) => Ok(Answer::Waiting(card)),
            Asked::New => {
                self.asked.notify_one();
                Ok(Answer::Waiting(Box::new(approval)))
            }
        }
    }

    fn new_card(&self, request: &Request, rule: String) -> Approval {
        let rules = self.rules();
        let now = self.clock.now();
        Approval {
            id: ApprovalId::new(self.ids.next()),
            actor: request.actor.clone(),
            origin: request.origin.clone(),
            vouching: request.vouching,
            state: ApprovalState::Pending,
            tier: Tier::Green,
            rule,
            digest: Digest::of(b""),
            question: Digest::of(b""),
            key: None,
            policy: rules.version.clone(),
            steps: Vec::new(),
            created_at: now,
            expires_at: now + i64::from(rules.settings.approval_minutes) * 60_000,
            decided_at: None,
            decided_by: None,
            because: None,
            finished_at: None,
        }
    }

    async fn step(&self, request: &Request, call: &Prepared) -> Result<Step, Refusal> {
        let rule = match &call.verdict {
            Verdict::Run { rule } | Verdict::Ask { rule } => rule.clone(),
            Verdict::Refuse(refusal) => return Err(refusal.clone()),
        };
        Ok(Step {
            call: CallId::new(self.ids.next()),
            tool: call.tool().to_owned(),
            revision: call.tool.described().spec.revision,
            args: call.args.clone(),
            target: call.target.clone(),
            tier: call.tier,
            digest: call.digest.clone(),
            sentence: call.sentence.clone(),
            preview: self.look_ahead(request, call).await?,
            rule,
            state: StepState::Waiting,
            outcome: None,
        })
    }

    async fn decide_card(
        &self,
        approver: &Approver,
        id: &ApprovalId,
        state: ApprovalState,
        because: Option<String>,
        origin: &Origin,
    ) -> Result<(), Refusal> {
        let card = self.card(id).await?;
        let tried = self.try_decide(approver, &card, state, because, origin).await;
        if let Err(refusal) = &tried {
            let mut row = row::card(EventKind::ApprovalRefused, &approver.actor.id, &card, &refusal.message);
            row.correlation.clone_from(&origin.correlation);
            self.ledger.append(row, self.rules().settings.audit_reads).await.map_err(|error| store_refusal(&error))?;
        }
        tried
    }

    async fn try_decide(
        &self,
        approver: &Approver,
        card: &Approval,
        state: ApprovalState,
        because: Option<String>,
        origin: &Origin,
    ) -> Result<(), Refusal> {
        self.decidable(approver, card).await?;
        let approved = state == ApprovalState::Approved;
        let kind = if approved { EventKind::ApprovalApproved } else { EventKind::ApprovalDenied };
        let word = because.as_ref().map(|word| format!(" — “{word}”")).unwrap_or_default();
        let said = format!("{}: {}{word}", state.as_str(), card.steps[0].sentence);
        let mut row = row::card(kind, &approver.actor.id, card, &said);
        row.correlation.clone_from(&origin.correlation);
        if self.decided(card, state, &approver.actor.id, because, row).await? {
            return Ok(());
        }
        let now = self.card(&card.id).await?.state.as_str();
        let said = format!("this card is {now} already; nothing was done now");
        Err(Refusal::new(Code::AlreadyDecided, "spent once", said))
    }

    async fn decidable(&self, approver: &Approver, card: &Approval) -> Result<(), Refusal> {
        approver.may_decide(card)?;
        if card.state == ApprovalState::Pending && card.expires_at <= self.clock.now() {
            self.expire(card).await?;
            return Err(Refusal::new(
                Code::ApprovalExpired,
                "approval expired",
                "this card lapsed before it was decided; ask again if it is still wanted. Nothing was done",
            ));
        }
        Ok(())
    }

    async fn decided(
        &self,
        card: &Approval,
        state: ApprovalState,
        by: &ActorId,
        because: Option<String>,
        row: Draft,
    ) -> Result<bool, Refusal> {
        let decision = Decision { approval: card.id.clone(), state, by: by.clone(), because, at: self.clock.now() };
        let decided = self.ledger.decide(&decision, row).await.map_err(|error| store_refusal(&error))?;
        if decided {
            self.say_moved(&card.id);
        }
        Ok(decided)
    }

    fn say_moved(&self, id: &ApprovalId) {
        // Nobody may be waiting; that is no fault.
        let _ = self.moved.send(id.clone());
    }

    async fn expire(&self, card: &Approval) -> Result<(), Refusal> {
        let system = Actor::system().id;
        let row = row::card(EventKind::ApprovalExpired, &system, card, &card.steps[0].sentence);
        let because = Some("nobody decided in time".to_owned());
        self.decided(card, ApprovalState::Expired, &system, because, row).await.map(|_| ())
    }

    /// Lapses what is due and answers when the next card is.
    pub(super) async fn expire_due(&self) -> Option<i64> {
        let pending = match self.ledger.approvals(&[ApprovalState::Pending], 10_000).await {
            Ok(pending) => pending,
            Err(error) => {
                tracing::error!(%error, "open approvals cannot be read; trying again in 5 s");
                return Some(self.clock.now() + 5_000);
            }
        };
        let now = self.clock.now();
        let (due, open): (Vec<_>, Vec<_>) = pending.into_iter().partition(|card| card.expires_at <= now);
        for card in due {
            if let Err(error) = self.expire(&card).await {
                tracing::error!(approval = %card.id, %error, "an approval could not be lapsed");
            }
        }
        open.iter().map(|card| card.expires_at).min()
    }

    /// Spends the steps of an approved card one after the other, and stops at the first that does not succeed.
    pub(super) async fn run_card(&self, id: &ApprovalId) {
        loop {
            let card = match self.card(id).await {
                Ok(card) if !card.state.is_final() => card,
                Ok(_) => return self.say_moved(id),
                Err(error) => {
                    return tracing::error!(approval = %id, %error, "an approved card cannot be read");
                }
            };
            let Some(index) = card.steps.iter().position(|step| step.state == StepState::Waiting) else {
                return;
            };
            match self.spend(&card, index).await {
                Ok(Some(outcome)) if outcome.state == CallState::Done => {}
                Ok(Some(_)) => return self.say_moved(id),
                // Somebody else spends this card.
                Ok(None) => return,
                Err(refusal) => return self.make_stale(&card, &refusal).await,
            }
        }
    }

    /// Decides a step again, under the rules and identities of this moment, and runs it if nothing became stricter.
    async fn spend(&self, card: &Approval, index: usize) -> Result<Option<Outcome>, Refusal> {
        let step = &card.steps[index];
        let actor = self.standing(&card.actor.id).await?;
        if let Some(approver) = &card.decided_by {
            self.standing(approver).await?;
        }
        let request = Request {
            actor,
            origin: card.origin.clone(),
            tool: step.tool.clone(),
            args: step.args.clone(),
            key: None,
            vouching: card.vouching,
        };
        let favour = if card.steps.len() > 1 { Standing::InPlan } else { Standing::Approved };
        let call = self.prepare(&request, favour).await.map_err(|refusal| stale(&refusal.message))?;
        if call.digest != step.digest {
            return Err(stale(&difference(step, &call)));
        }
        let rule = match call.verdict.clone() {
            Verdict::Run { rule } => rule,
            Verdict::Ask { rule } => return Err(stale(&rule)),
            Verdict::Refuse(refusal) => return Err(stale(&refusal.message)),
        };
        let place = (card.id.clone(), u32::try_from(index).unwrap_or(u32::MAX));
        match self.effect(&request, &call, step.call.clone(), rule, Some(place), Watch::default()).await {
            Ok(outcome) => Ok(Some(outcome)),
            Err(NotRun::Spent | NotRun::Known(_) | NotRun::TooOften(_)) => Ok(None),
            Err(NotRun::Refused(refusal)) => Err(stale(&refusal.message)),
        }
    }

    async fn standing(&self, id: &ActorId) -> Result<Actor, Refusal> {
        let standing = self.identities.standing(id).await.map_err(|error| store_refusal(&error))?;
        standing.ok_or_else(|| stale(&format!("{id} is not allowed in any more")))
    }

    pub(super) async fn make_stale(&self, card: &Approval, why: &Refusal) {
        let system = Actor::system().id;
        let done = card.steps.iter().filter(|step| step.state == StepState::Done).count();
        let after = if done == 0 { "Nothing was done" } else { "The steps before it were done and stay" };
        let why = format!("{}. {after}; ask again for the rest", why.message);
        let row = row::card(EventKind::ApprovalStale, &system, card, &why);
        let kept = self.decided(card, ApprovalState::Stale, &system, Some(why), row).await;
        if let Err(error) = kept {
            tracing::error!(approval = %card.id, %error, "a stale approval could not be voided");
        }
    }
}

pub(super) fn stale(why: &str) -> Refusal {
    let said = format!("what was approved is not what would run now: {}", why.trim_end_matches('.'));
    Refusal::new(Code::ApprovalStale, "decided again at spending", said)
}

fn difference(step: &Step, call: &Prepared) -> String {
    if step.target.id != call.target.id || step.target.kind != call.target.kind {
        return format!("{} is another {} now", step.target.name, step.target.kind);
    }
    if step.tier != call.tier {
        return format!("it is {} now and was {}", call.tier, step.tier);
    }
    format!("the tool {} was changed", step.tool)
}
