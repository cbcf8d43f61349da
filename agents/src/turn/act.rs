//! Making the calls of a turn, all of them through the gate, and waiting for people.
//!
//! Each call carries an idempotency key made of the turn and its place in it: asking the gate again after a crash
//! answers what came of the call then, and never makes it twice.

use std::time::{Duration, Instant};

use jarvis_safety::approval::{Approval, ApprovalState, Step, StepState};
use jarvis_safety::call::{Origin, Request, Vouching};
use jarvis_safety::conversation::{CallEnd, Entry};
use jarvis_safety::kernel::{PlanAnswer, Registry, Watch, answer_of};
use jarvis_safety::outcome::{Answer, Outcome};
use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::refusal::Code;
use jarvis_safety::{ApprovalId, Refusal};
use serde_json::Value;

use super::answer::code;
use super::driver::{Came, Driver};
use super::reading::{CallView, Reading, Route};
use super::step::{holds_secret, secret_refusal};
use super::vouch::{Choice, Witness};
use crate::sight::strangers_in_sight;
use crate::understand::Meant;
use crate::world::GateWorld;

/// How long a stopped turn waits for its call to be called off.
const CALL_OFF: Duration = Duration::from_secs(3);
/// How long one look at a card lasts at most.
const SLICE: Duration = Duration::from_secs(3600);
/// Pause before the gate is asked again about a call that still runs under its key.
const STILL_RUNNING: Duration = Duration::from_millis(100);
/// Pause before it is asked again while the store is away, and for how long: a disk may stay full.
const STORE_AWAY: Duration = Duration::from_millis(500);
const STORE_PATIENCE: Duration = Duration::from_secs(15);

impl Driver {
    /// Makes one call.
    pub(super) async fn make_call(&self, log: &[Entry], index: u32, strangers: bool) -> Vec<Entry> {
        let read = Reading::of(log);
        let Some(call) = read.calls.iter().find(|call| call.index == index) else { return Vec::new() };
        let registry = self.mind.gate.registry();
        let by_rule = read.route == Some(Route::Rule);
        if holds_secret(registry, call.tool, call.args) {
            return vec![refused(index, secret_refusal(call.tool))];
        }
        let choice = match registry.describe(call.tool) {
            _ if by_rule => Choice::of(Vouching::Person),
            Some(tool) if strangers || strangers_in_sight(registry, log, index) => {
                let orders = if tool.spec.changes_or_goes_out() { self.orders().await } else { &[] };
                Witness { registry, log, asked: &self.turn.asked, orders }.choice(index, &tool, call.args)
            }
            _ => Choice::of(Vouching::Client),
        };
        let choice = match self.led([call.tool]).await {
            Ok(led) if led && choice.vouching != Vouching::Unvouched => Choice::of(Vouching::Led),
            Ok(_) => choice,
            Err(refusal) => return vec![refused(index, refusal)],
        };
        let request = self.request(index, call.tool, call.args, choice);
        match self.ask_gate(request).await {
            Answer::Ran(outcome) => vec![ran(index, *outcome)],
            Answer::Refused(refusal) => vec![refused(index, with_near_names(registry, call.tool, refusal))],
            Answer::Waiting(card) => waiting(index, &card, by_rule),
        }
    }

    /// Makes all calls as one plan of the person's own.
    pub(super) async fn make_plan(&self, log: &[Entry]) -> Came {
        let read = Reading::of(log);
        let secret = read.calls.iter().find(|call| holds_secret(self.mind.gate.registry(), call.tool, call.args));
        if let Some(call) = secret {
            let refusal = secret_refusal(call.tool);
            return Came::with(read.calls.iter().map(|call| refused(call.index, refusal.clone())).collect());
        }
        let chooser = match self.led(read.calls.iter().map(|call| call.tool)).await {
            Ok(true) => Vouching::Led,
            Ok(false) => Vouching::Person,
            Err(refusal) => {
                return Came::with(read.calls.iter().map(|call| refused(call.index, refusal.clone())).collect());
            }
        };
        let requests: Vec<_> =
            read.calls.iter().map(|call| self.request(call.index, call.tool, call.args, Choice::of(chooser))).collect();
        let indices: Vec<_> = read.calls.iter().map(|call| call.index).collect();
        let answer = tokio::select! {
            answer = self.settled_plan(&requests) => answer,
            () = self.called_off() => {
                let entries = indices.iter().map(|index| refused(*index, left_running())).collect();
                return Came::stopped(entries);
            }
        };
        let entries = match answer {
            // It was decided and carried out while nobody waited.
            PlanAnswer::Waiting(card) if card.state.is_final() => spent(&read.calls, &card),
            PlanAnswer::Waiting(card) => waiting(indices[0], &card, true),
            PlanAnswer::Refused(refusal) => indices.iter().map(|index| refused(*index, refusal.clone())).collect(),
            PlanAnswer::Ran(results) => planned(&read.calls, results),
        };
        if self.cancel.is_cancelled() { Came::stopped(entries) } else { Came::with(entries) }
    }

    /// Waits until a person has decided, and what was approved has been done.
    pub(super) async fn wait(&self, log: &[Entry], index: u32, id: &ApprovalId, whole: bool) -> Came {
        let card = loop {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return self.leave_card(id).await,
                card = self.mind.gate.wait(id, SLICE) => match card {
                    Ok(card) if card.state.is_final() => break card,
                    Ok(_) => {}
                    Err(refusal) if refusal.code == Code::StoreUnavailable => {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                    Err(refusal) => return Came::with(vec![refused(index, refusal)]),
                },
            }
        };
        if !whole {
            return Came::with(match answer_of(&card) {
                Answer::Ran(outcome) => vec![ran(index, *outcome)],
                Answer::Refused(refusal) => vec![refused(index, refusal)],
                Answer::Waiting(_) => vec![refused(index, skipped())],
            });
        }
        let read = Reading::of(log);
        Came::with(spent(&read.calls, &card))
    }

    /// A turn was stopped while its card was open. Whoever stopped it takes the question back, if it is his to take.
    async fn leave_card(&self, id: &ApprovalId) -> Came {
        if let Some(actor) = self.stopped_by()
            && self.mind.gate.withdraw(&actor, id, "the turn was stopped", &self.origin).await.is_ok()
        {
            return Came::stopped(Vec::new());
        }
        let text = format!("The card {id} was left as it is; deny it on the approvals page if it is not wanted.");
        Came::stopped(vec![Entry::Note { text }])
    }

    /// Whether strangers may have had a say in what was said, because a program said it that was handed their text. It
    /// matters only to what changes something or goes out.
    async fn led(&self, tools: impl IntoIterator<Item = &str>) -> Result<bool, Refusal> {
        let registry = self.mind.gate.registry();
        let matters = |tool| registry.describe(tool).is_some_and(|tool| tool.spec.changes_or_goes_out());
        if !tools.into_iter().any(matters) {
            return Ok(false);
        }
        let began = Instant::now();
        loop {
            match self.mind.heard.leads(&self.actor).await {
                Err(refusal) if away(&refusal) && began.elapsed() < STORE_PATIENCE => {
                    tokio::time::sleep(STORE_AWAY).await;
                }
                answer => return answer,
            }
        }
    }

    /// What the person's words order by the rules, whatever a model makes of them.
    async fn orders(&self) -> &[Meant] {
        let orders = self.orders.get_or_init(|| async {
            let world = GateWorld::new(&self.mind, &self.actor, &self.origin);
            self.mind.understanding.orders(&self.turn.asked, &world).await
        });
        orders.await
    }

    pub(super) fn request(&self, index: u32, tool: &str, args: &Value, choice: Choice) -> Request {
        Request {
            actor: self.actor.clone(),
            origin: Origin {
                conversation: Some(self.turn.conversation.clone()),
                turn: Some(self.turn.id.clone()),
                words: Some(self.turn.asked.clone()),
                undoes: None,
                unvouched: choice.unvouched,
                ..self.origin.clone()
            },
            tool: tool.to_owned(),
            args: args.clone(),
            key: Some(format!("turn:{}:{index}", self.turn.id)),
            vouching: choice.vouching,
        }
    }

    async fn ask_gate(&self, request: Request) -> Answer {
        let began = Instant::now();
        loop {
            let watch = Watch { cancel: self.cancel.child_token(), ..Watch::default() };
            let answer = tokio::select! {
                answer = self.mind.gate.call_watched(request.clone(), watch) => answer,
                () = self.called_off() => return Answer::Refused(left_running()),
            };
            match &answer {
                Answer::Refused(refusal) if refusal.is_open() => tokio::time::sleep(STILL_RUNNING).await,
                Answer::Refused(refusal) if away(refusal) && began.elapsed() < STORE_PATIENCE => {
                    tokio::time::sleep(STORE_AWAY).await;
                }
                _ => return answer,
            }
        }
    }

    async fn settled_plan(&self, requests: &[Request]) -> PlanAnswer {
        let began = Instant::now();
        loop {
            let answer = self.mind.gate.plan(requests.to_vec()).await;
            let open = |result: &Result<Outcome, Refusal>| result.as_ref().is_err_and(Refusal::is_open);
            let waits = |result: &Result<Outcome, Refusal>| result.as_ref().is_err_and(away);
            match &answer {
                PlanAnswer::Ran(results) if results.iter().any(open) => tokio::time::sleep(STILL_RUNNING).await,
                PlanAnswer::Ran(results) if results.iter().any(waits) && began.elapsed() < STORE_PATIENCE => {
                    tokio::time::sleep(STORE_AWAY).await;
                }
                PlanAnswer::Refused(refusal) if away(refusal) && began.elapsed() < STORE_PATIENCE => {
                    tokio::time::sleep(STORE_AWAY).await;
                }
                _ => return answer,
            }
        }
    }

    /// Ends when a stopped turn has waited long enough for its calls.
    async fn called_off(&self) {
        self.cancel.cancelled().await;
        tokio::time::sleep(CALL_OFF).await;
    }
}

fn ran(index: u32, outcome: Outcome) -> Entry {
    Entry::Answered { index, answer: CallEnd::Ran { outcome: Box::new(outcome) } }
}

const fn refused(index: u32, refusal: Refusal) -> Entry {
    Entry::Answered { index, answer: CallEnd::Refused { refusal } }
}

/// The card, and by rule a word about it: a model finds its own.
fn waiting(index: u32, card: &Approval, by_rule: bool) -> Vec<Entry> {
    let mut entries = Vec::new();
    if by_rule {
        let steps = card.steps.iter().zip(1..);
        let steps: Vec<_> = steps.map(|(step, place)| format!("{place}. {}", code(&step.sentence))).collect();
        let text = match card.steps.as_slice() {
            [step] => format!("That needs your approval: {}", code(&step.sentence)),
            all => format!("That needs your approval, as one plan of {} steps:\n\n{}", all.len(), steps.join("\n")),
        };
        entries.push(Entry::Said { text });
    }
    entries.push(Entry::Waiting { index, approval: card.id.clone() });
    entries
}

/// What came of a plan that ran, call by call: it ends early at a call that did not succeed.
fn planned(calls: &[CallView<'_>], results: Vec<Result<Outcome, Refusal>>) -> Vec<Entry> {
    let mut results = results.into_iter();
    let entry = |call: &CallView<'_>| match results.next() {
        Some(Ok(outcome)) => ran(call.index, outcome),
        Some(Err(refusal)) => refused(call.index, refusal),
        None => refused(call.index, skipped()),
    };
    calls.iter().map(entry).collect()
}

/// What came of a plan whose card is final, call by call.
fn spent(calls: &[CallView<'_>], card: &Approval) -> Vec<Entry> {
    let entry = |(call, place): (&CallView<'_>, usize)| match card.steps.get(place) {
        Some(Step { outcome: Some(outcome), .. }) => ran(call.index, outcome.clone()),
        Some(Step { state: StepState::Denied, .. }) => refused(call.index, left_out()),
        _ => refused(call.index, not_run(card)),
    };
    calls.iter().zip(0..).map(entry).collect()
}

/// Whether the store could not: nothing began, and asking again with the same key begins nothing twice.
fn away(refusal: &Refusal) -> bool {
    refusal.code == Code::StoreUnavailable
}

fn left_running() -> Refusal {
    Refusal::new(
        Code::Unavailable,
        "stopped",
        "the turn was stopped before the outcome was known; the activity page shows what came of the call",
    )
}

fn skipped() -> Refusal {
    Refusal::new(Code::Unavailable, "plan", "not made, because an earlier call of the plan did not succeed")
}

fn left_out() -> Refusal {
    Refusal::new(Code::Denied, "a person said no", "denied: this call was left out when the plan was approved")
}

/// Why a step of a decided card has no outcome.
fn not_run(card: &Approval) -> Refusal {
    match card.state {
        ApprovalState::Denied | ApprovalState::Expired | ApprovalState::Stale => match answer_of(card) {
            Answer::Refused(refusal) => refusal,
            _ => skipped(),
        },
        _ => skipped(),
    }
}

/// A tool that does not exist is often one that is spelled differently.
fn with_near_names(registry: &Registry, tool: &str, mut refusal: Refusal) -> Refusal {
    if refusal.code != Code::UnknownTool {
        return refusal;
    }
    let mut near: Vec<_> = registry
        .described()
        .map(|described| (strsim::jaro_winkler(tool, described.spec.name), described.spec.name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let names: Vec<_> = near.iter().take(3).map(|(_, name)| *name).collect();
    if !names.is_empty() {
        refusal.message =
            format!("there is no tool `{}`; did you mean {}?", shorten(&visible(tool), 60), names.join(", "));
    }
    refusal
}
