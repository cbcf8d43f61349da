//! Asking a person, and executing what the person approved.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::actor::{Actor, ActorKind};
use crate::approval::{Approval, ApprovalState, Ruling, Step, StepState};
use crate::bar::Bar;
use crate::call::{CallState, Origin, Request, Vouching};
use crate::carry::carry;
use crate::digest::Digest;
use crate::event::{Draft, EventKind};
use crate::id::{ActorId, ApprovalId, CallId};
use crate::outcome::{Answer, Outcome};
use crate::plain::{shorten, visible};
use crate::port::{Asked, Decision};
use crate::refusal::{Code, Refusal, store_refusal};
use crate::row;
use crate::run::Watch;
use crate::stale::{asked_twice, difference, stale, unless_away};

use super::approver::Approver;
use super::decide::{Standing, Verdict};
use super::execute::NotRun;
use super::gate::Inner;
use super::prepare::Prepared;

/// Most open questions of one actor: more would bury whoever has to answer them.
const MOST_OPEN: u32 = 50;
/// How long a yes holds over a restart, and while the store is away.
pub(crate) const YES_HOLDS_MS: i64 = 15 * 60 * 1000;
/// So often the same question is asked; then it becomes a refusal or proposes a grant.
const TWICE: u64 = 2;
/// How long a repeated no holds.
const NO_HOLDS_MS: i64 = 60 * 60 * 1000;
/// How far back a yes counts for a proposal.
const YES_COUNTS_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// Pause before a store that is away is asked again.
const STORE_AWAY: Duration = Duration::from_millis(250);

impl Inner {
    pub(crate) async fn card(&self, id: &ApprovalId) -> Result<Approval, Refusal> {
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
    pub(crate) async fn ask(&self, requests: &[Request], calls: Vec<Prepared>, rule: String) -> Answer {
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
        let (rules, now) = (self.rules(), self.clock.now());
        let until = now + i64::from(rules.settings.approval_minutes) * 60_000;
        let mut approval =
            Approval::of(ApprovalId::new(self.ids.next()), requests, rule, rules.version.clone(), now, until);
        approval.question = self.question(requests)?;
        approval.key = request.key.clone().filter(|_| requests.len() == 1);
        // A no to one call is a no to it within a plan, too. The operator's own hand is not what it was said to.
        let by_hand = request.actor.kind == ActorKind::Operator && request.chosen_by() == Vouching::Person;
        let mut asked = requests.chunks(1).map(|one| self.question(one)).collect::<Result<HashSet<_>, _>>()?;
        asked.insert(approval.question.clone());
        for question in asked.iter().filter(|_| !by_hand) {
            let said = self.ledger.said(&request.actor.id, question, now - NO_HOLDS_MS).await;
            if said.map_err(|error| store_refusal(&error))?.no >= TWICE {
                return Err(asked_twice());
            }
        }
        let said = self.ledger.said(&request.actor.id, &approval.question, now - YES_COUNTS_MS).await;
        let yes = said.map_err(|error| store_refusal(&error))?.yes;
        for (request, call) in requests.iter().zip(calls) {
            approval.tier = approval.tier.max(call.tier);
            approval.steps.push(self.step(request, &call).await?);
        }
        approval.proposes_grant = yes >= TWICE && approval.is_grantable();
        let digests: Vec<_> = approval.steps.iter().map(|step| &step.digest).collect();
        approval.digest = Digest::of(json!([digests, approval.policy]).to_string().as_bytes());

        let row = row::card(EventKind::ApprovalAsked, &request.actor.id, &approval, &approval.steps[0].sentence);
        match self.ledger.ask(&approval, MOST_OPEN, row).await.map_err(|error| store_refusal(&error))? {
            Asked::Joined(card) => Ok(Answer::Waiting(card)),
            Asked::Full => Err(Bar::Full(MOST_OPEN).refusal()),
            Asked::New => {
                self.asked.notify_one();
                Ok(Answer::Waiting(Box::new(approval)))
            }
        }
    }

    async fn step(&self, request: &Request, call: &Prepared) -> Result<Step, Refusal> {
        let rule = match &call.verdict {
            Verdict::Run { rule, .. } | Verdict::Ask { rule } => rule.clone(),
            Verdict::Refuse(refusal) => return Err(refusal.clone()),
        };
        Ok(Step {
            call: CallId::new(self.ids.next()),
            tool: call.tool().to_owned(),
            revision: call.tool.described().spec.revision,
            args: call.args.clone(),
            target: call.target.clone(),
            undoes: request.origin.undoes.clone(),
            tier: call.tier,
            digest: call.digest.clone(),
            sentence: call.sentence.clone(),
            preview: self.look_ahead(request, call).await?,
            rule,
            state: StepState::Waiting,
            outcome: None,
        })
    }

    /// Denies what this actor asked itself, or what anybody asked if it is the operator.
    pub(crate) async fn withdraw(
        self: &Arc<Self>,
        actor: &Actor,
        id: &ApprovalId,
        because: &str,
        origin: &Origin,
    ) -> Result<Approval, Refusal> {
        self.decided_to_the_end(Approver::of_question(actor), id, Ruling::Withdraw(because.to_owned()), origin).await
    }

    /// Decides a card and begins what was approved, even if whoever decided goes away meanwhile.
    pub(super) async fn decided_to_the_end(
        self: &Arc<Self>,
        approver: Approver,
        id: &ApprovalId,
        ruling: Ruling,
        origin: &Origin,
    ) -> Result<Approval, Refusal> {
        let (inner, id, origin) = (Arc::clone(self), id.clone(), origin.clone());
        let decided = carry(async move {
            let decided = inner.decide_card(&approver, &id, ruling, &origin).await;
            // A commit in doubt may have been kept: what is not approved is not spent, so looking is safe.
            if decided.as_ref().err().is_none_or(|refusal| refusal.code == Code::StoreUnavailable) {
                let (inner, card) = (Arc::clone(&inner), id.clone());
                tokio::spawn(async move { inner.run_card(&card, false).await });
            }
            decided?;
            inner.card(&id).await
        });
        decided.await.unwrap_or_else(|| Err(stale("a defect in Jarvis stopped the decision")))
    }

    /// Decides a card, or records why not.
    async fn decide_card(
        &self,
        approver: &Approver,
        id: &ApprovalId,
        ruling: Ruling,
        origin: &Origin,
    ) -> Result<(), Refusal> {
        let card = self.card(id).await?;
        let tried = self.try_decide(approver, &card, ruling, origin).await;
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
        ruling: Ruling,
        origin: &Origin,
    ) -> Result<(), Refusal> {
        // One look at the clock: a yes in time is kept as given in time.
        let at = self.clock.now();
        self.decidable(approver, card, at).await?;
        let withdrawn = matches!(ruling, Ruling::Withdraw(_));
        let (state, kind, because, without) = match ruling {
            Ruling::Approve(without) => {
                card.left(&without)?;
                self.rules().readable()?;
                (ApprovalState::Approved, EventKind::ApprovalApproved, String::new(), without)
            }
            Ruling::Deny(because) | Ruling::Withdraw(because) => {
                (ApprovalState::Denied, EventKind::ApprovalDenied, because, Vec::new())
            }
        };
        let because = self.secrets.redactor.text(because.trim());
        let because = Some(shorten(&visible(&because), 500)).filter(|word| !word.is_empty());
        let said = format!("{}: {}", state.as_str(), card.steps[0].sentence);
        let mut row = row::card(kind, &approver.actor.id, card, &said);
        row.correlation.clone_from(&origin.correlation);
        if let Some(body) = &mut row.body {
            // A person's words stand in the body, which can be erased.
            body["because"] = json!(because);
            body["without"] = json!(without);
        }
        let by = approver.actor.id.clone();
        let decision = Decision { approval: card.id.clone(), state, by, because, without, withdrawn, at };
        if self.decided(&decision, row).await? {
            return Ok(());
        }
        let now = self.card(&card.id).await?.state.as_str();
        let said = format!("this card is {now} already; nothing was done now");
        Err(Refusal::new(Code::AlreadyDecided, "spent once", said))
    }

    async fn decidable(&self, approver: &Approver, card: &Approval, now: i64) -> Result<(), Refusal> {
        approver.may_decide(card)?;
        if card.state == ApprovalState::Pending && card.expires_at <= now {
            self.expire(card, true).await?;
            return Err(Refusal::new(
                Code::ApprovalExpired,
                "approval expired",
                "this card lapsed before it was decided; ask again if it is still wanted. Nothing was done",
            ));
        }
        Ok(())
    }

    pub(crate) async fn decided(&self, decision: &Decision, row: Draft) -> Result<bool, Refusal> {
        let decided = self.ledger.decide(decision, row).await.map_err(|error| store_refusal(&error))?;
        if decided {
            self.say_moved(&decision.approval);
        }
        Ok(decided)
    }

    pub(crate) fn say_moved(&self, id: &ApprovalId) {
        // Nobody may be waiting; that is no fault.
        let _ = self.moved.send(id.clone());
    }

    /// Spends the steps of an approved card one after the other, and stops at the first that does not succeed. A store
    /// that is away is waited for, as long as a yes holds.
    pub(crate) async fn run_card(self: &Arc<Self>, id: &ApprovalId, too_old: bool) {
        let mut held = self.hold_card(id);
        while let Some(card) = held {
            self.run_held(id, too_old).await;
            self.say_moved(id);
            held = card.let_go();
        }
    }

    async fn run_held(self: &Arc<Self>, id: &ApprovalId, too_old: bool) {
        let mut away: Option<i64> = None;
        // What was not done when the server stops is gone on with by the next start.
        while !self.closing() {
            let lapsed = too_old || away.is_some_and(|since| since < self.clock.now() - YES_HOLDS_MS);
            match self.go_on(id, lapsed).await {
                Ok(true) => away = None,
                Ok(false) => return,
                Err(error) if error.code != Code::StoreUnavailable => return,
                Err(error) => {
                    if away.is_none() {
                        tracing::warn!(approval = %id, %error, "an approved card waits for the store");
                        away = Some(self.clock.now());
                    }
                    tokio::time::sleep(STORE_AWAY).await;
                }
            }
        }
    }

    /// Spends the next step; answers whether there may be another one, or that the store or the policy could not be read.
    async fn go_on(self: &Arc<Self>, id: &ApprovalId, lapsed: bool) -> Result<bool, Refusal> {
        let card = self.card(id).await?;
        let next = card.steps.iter().position(|step| step.state == StepState::Waiting);
        let Some(index) = next.filter(|_| matches!(card.state, ApprovalState::Approved | ApprovalState::Running))
        else {
            return Ok(false);
        };
        let spent = if lapsed { Err(stale("it was approved too long ago")) } else { self.spend(&card, index).await };
        match spent {
            Ok(Some(outcome)) => Ok(outcome.state == CallState::Done),
            // Somebody else spends this card.
            Ok(None) => Ok(false),
            Err(refusal) if matches!(refusal.code, Code::StoreUnavailable | Code::PolicyUnreadable) => Err(refusal),
            Err(refusal) => self.make_stale(&card, &refusal).await.map(|()| false),
        }
    }

    /// Decides a step again, under the rules and identities of this moment, and runs it if nothing became stricter.
    async fn spend(self: &Arc<Self>, card: &Approval, index: usize) -> Result<Option<Outcome>, Refusal> {
        let step = &card.steps[index];
        let rules = self.rules();
        rules.readable()?;
        if card.policy != rules.version {
            return Err(stale("the rules have changed since it was asked"));
        }
        let actor = self.standing(&card.actor.id).await?;
        if let Some(by) = &card.decided_by {
            let approver = self.standing(by).await?;
            // Whoever decided his own card without being the operator did it by form.
            let by_form = approver.id == actor.id && approver.kind != ActorKind::Operator;
            let approver = if by_form { Approver::form(&approver) } else { Approver::of(&approver)? };
            approver.may_decide(card)?;
        }
        let request = Request {
            actor,
            origin: card.origin_of(step),
            tool: step.tool.clone(),
            args: step.args.clone(),
            key: None,
            vouching: card.vouching,
        };
        let favour = if card.steps.len() > 1 { Standing::InPlan } else { Standing::Approved };
        let call = self.prepare(&request, favour).await.map_err(unless_away)?;
        if call.digest != step.digest {
            return Err(stale(&difference(step, &call)));
        }
        let rule = match call.verdict.clone() {
            Verdict::Run { rule, .. } => rule,
            Verdict::Ask { rule } => return Err(stale(&rule)),
            Verdict::Refuse(refusal) => return Err(stale(&refusal.message)),
        };
        let place = (card.id.clone(), u32::try_from(index).unwrap_or(u32::MAX));
        match self.effect(&request, &call, step.call.clone(), rule, Some(place), Watch::default()).await {
            Ok(outcome) => Ok(Some(outcome)),
            Err(NotRun::Spent | NotRun::Known(_) | NotRun::TooOften | NotRun::Ungranted(_) | NotRun::Closing) => {
                Ok(None)
            }
            Err(NotRun::Refused(refusal)) => Err(unless_away(refusal)),
        }
    }

    async fn standing(&self, id: &ActorId) -> Result<Actor, Refusal> {
        let standing = self.identities.standing(id).await.map_err(|error| store_refusal(&error))?;
        standing.ok_or_else(|| stale(&format!("{id} is not allowed in any more")))
    }

    pub(super) async fn make_stale(&self, card: &Approval, why: &Refusal) -> Result<(), Refusal> {
        let system = Actor::system().id;
        let done = card.steps.iter().filter(|step| step.state == StepState::Done).count();
        let after = if done == 0 { "Nothing was done" } else { "The steps before it were done and stay" };
        let why = format!("{}. {after}; ask again for the rest", why.message);
        let row = row::card(EventKind::ApprovalStale, &system, card, &why);
        let decision = Decision::void(card, ApprovalState::Stale, why, self.clock.now());
        self.decided(&decision, row).await.map(|_| ())
    }
}
