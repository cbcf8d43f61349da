//! Plans: ordered calls that are decided as one.

use std::collections::HashMap;
use std::sync::Arc;

use crate::call::{CallState, Request};
use crate::id::GrantId;
use crate::kernel::{Gate, Inner, Standing, Verdict};
use crate::outcome::{Answer, Outcome};
use crate::refusal::{Code, Refusal};
use crate::run::Watch;

/// Most calls in one plan.
pub(crate) const MAX_STEPS: usize = 50;

/// What became of a plan.
#[derive(Debug, Clone)]
pub enum PlanAnswer {
    /// Nothing in it had to be asked: these ran, in order, up to the first that did not succeed.
    Ran(Vec<Result<Outcome, Refusal>>),
    /// It waits on one card; or the same plan has ended within five minutes, and this is its final card.
    Waiting(Box<crate::approval::Approval>),
    /// One of its calls is refused, so none was run.
    Refused(Refusal),
}

impl Gate {
    /// Carries out ordered calls of one actor. If any of them must be asked, all go on one card with one digest;
    /// if any is refused, none runs.
    pub async fn plan(&self, requests: Vec<Request>) -> PlanAnswer {
        let inner = Arc::clone(&self.0);
        tokio::spawn(async move { inner.plan(requests).await }).await.unwrap_or_else(|_| interrupted())
    }

    /// Makes calls one after the other, each decided in its turn, up to the first that does not succeed.
    pub(crate) async fn in_order(&self, requests: Vec<Request>) -> PlanAnswer {
        let inner = Arc::clone(&self.0);
        let ran = tokio::spawn(async move { inner.run_in_order(requests).await }).await;
        ran.map_or_else(|_| interrupted(), PlanAnswer::Ran)
    }
}

fn interrupted() -> PlanAnswer {
    PlanAnswer::Refused(Refusal::new(Code::Unavailable, "gate", "the plan was interrupted; look at its calls"))
}

impl Inner {
    async fn plan(self: Arc<Self>, requests: Vec<Request>) -> PlanAnswer {
        let Some(first) = requests.first() else {
            return PlanAnswer::Refused(Refusal::invalid("a plan needs at least one call"));
        };
        let actor = first.actor.id.clone();
        if requests.len() > MAX_STEPS || requests.iter().any(|request| request.actor.id != actor) {
            return PlanAnswer::Refused(Refusal::invalid(format!(
                "a plan is at most {MAX_STEPS} calls of one actor; split it. Nothing was done"
            )));
        }
        match self.fetched(&requests).await {
            Ok(None) => {}
            Ok(Some(card)) => return PlanAnswer::Waiting(Box::new(card)),
            Err(refusal) => {
                self.refused(first, None, refusal.clone()).await;
                return PlanAnswer::Refused(refusal);
            }
        }
        let mut calls = Vec::with_capacity(requests.len());
        let mut question = None;
        let mut granted: HashMap<GrantId, u32> = HashMap::new();
        for request in &requests {
            let prepared = self.prepare(request, Standing::Fresh).await;
            let refusal = match &prepared {
                Err(refusal) => Some(refusal.clone()),
                Ok(call) => match &call.verdict {
                    Verdict::Refuse(refusal) => Some(refusal.clone()),
                    Verdict::Ask { rule } => {
                        question.get_or_insert_with(|| rule.clone());
                        None
                    }
                    Verdict::Run { grant: None, .. } => None,
                    Verdict::Run { grant: Some(grant), .. } => {
                        let calls = granted.entry(grant.clone()).or_default();
                        *calls += 1;
                        if *calls > self.grant_left(grant) {
                            question.get_or_insert_with(|| format!("{grant} does not reach for the whole plan"));
                        }
                        None
                    }
                },
            };
            if let Some(refusal) = refusal {
                self.refused(request, prepared.as_ref().ok(), refusal.clone()).await;
                return PlanAnswer::Refused(refusal);
            }
            calls.extend(prepared);
        }
        if let Some(rule) = question {
            return match self.ask(&requests, calls, rule).await {
                Answer::Waiting(card) => PlanAnswer::Waiting(card),
                Answer::Refused(refusal) => PlanAnswer::Refused(refusal),
                Answer::Ran(outcome) => PlanAnswer::Ran(vec![Ok(*outcome)]),
            };
        }
        PlanAnswer::Ran(self.run_in_order(requests).await)
    }

    /// Each call is prepared anew: what an earlier one changed is seen by the next. If one has come to need a person
    /// meanwhile, it waits on its own card and the rest stops there.
    async fn run_in_order(self: Arc<Self>, requests: Vec<Request>) -> Vec<Result<Outcome, Refusal>> {
        let mut ran = Vec::with_capacity(requests.len());
        for request in requests {
            let result = match Arc::clone(&self).call(request, Watch::default()).await {
                Answer::Ran(outcome) => Ok(*outcome),
                Answer::Refused(refusal) => Err(refusal),
                Answer::Waiting(card) => Err(Refusal::new(
                    Code::ApprovalStale,
                    card.rule.clone(),
                    format!("this call must be asked now and waits as {}; the rest of the plan was not run", card.id),
                )),
            };
            let goes_on = result.as_ref().is_ok_and(|outcome| outcome.state == CallState::Done);
            ran.push(result);
            if !goes_on {
                break;
            }
        }
        ran
    }
}
