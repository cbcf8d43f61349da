//! Cards.

use jarvis_safety::approval::{Approval, ApprovalState, StepState};
use jarvis_safety::call::{CallRecord, CallState};
use jarvis_safety::kernel::{KillSwitch, PlanAnswer};
use jarvis_safety::outcome::{Answer, Outcome};
use jarvis_safety::port::{Decision, Feed as _, Ledger as _};
use jarvis_safety::tool::Probe;
use jarvis_safety::{Actor, ApprovalId, Refusal, Tier};
use serde_json::Value;

use super::switch::End;
use super::table::{Seen, Table};
use super::{Case, MINUTE, Place, nobody};
use crate::lamp::draft;
use crate::race::LONG;

/// A card that runs, and of which no step does: the first of two is done.
const BETWEEN: &str = "between";

const EVENTS: [&str; 24] = [
    "asked again",
    "yes",
    "yes in the last moment",
    "yes too late",
    "yes by its asker",
    "yes by a form",
    "yes without all steps",
    "no",
    "no by its asker",
    "taken back",
    "taken back by another",
    "time is over",
    "gone on with",
    "gone on with after 15 min",
    "gone on with after more",
    "gone on with, target replaced",
    "brake",
    "restart, effect seen",
    "restart, effect not seen",
    "restart, nothing to be told",
    "tool ends done",
    "tool fails",
    "tool breaks off",
    "line breaks",
];

/// Every state there is: a state that the code has and the table has not is found.
fn states() -> Vec<&'static str> {
    ApprovalState::ALL.into_iter().map(ApprovalState::as_str).chain([BETWEEN]).collect()
}

fn word(card: &Approval) -> &'static str {
    let runs = card.steps.iter().any(|step| step.state == StepState::Running);
    if card.state == ApprovalState::Running && !runs { BETWEEN } else { card.state.as_str() }
}

fn code(answer: Result<Approval, Refusal>) -> String {
    answer.map_or_else(|refusal| refusal.code.as_str().to_owned(), |_| "ok".to_owned())
}

impl Place {
    async fn card(&self, id: &ApprovalId) -> Approval {
        self.house.gate.approval(id).await.unwrap()
    }

    async fn asked(&self, case: &Case) -> Approval {
        match self.house.gate.call(case.switch(&Actor::local(), Tier::Orange, "")).await {
            Answer::Waiting(card) => *card,
            other => panic!("{other:?}"),
        }
    }

    /// A yes that nobody has acted upon yet, as when the process was killed right after it.
    async fn kept_yes(&self, card: &Approval) {
        let decision = Decision {
            approval: card.id.clone(),
            state: ApprovalState::Approved,
            by: Actor::operator().id,
            because: None,
            without: Vec::new(),
            withdrawn: false,
            at: card.created_at,
        };
        assert!(self.house.store.decide(&decision, draft()).await.unwrap());
    }

    /// Two steps, and the first was done by a process that then was killed.
    async fn between(&self, case: &Case) -> Approval {
        let steps = ["", " too"].map(|suffix| case.switch(&Actor::local(), Tier::Orange, suffix));
        let PlanAnswer::Waiting(card) = self.house.gate.plan(steps.to_vec()).await else { panic!("orange asks") };
        self.kept_yes(&card).await;
        let record = first(&card);
        self.house.store.intend(&record, None, draft()).await.unwrap();
        self.house.store.settle(&done(&record), None, None, card.created_at, draft()).await.unwrap();
        *card
    }

    async fn yes(&self, case: &Case, id: &ApprovalId) -> String {
        code(self.house.gate.approve(&Actor::operator(), id, &case.origin()).await)
    }

    /// Brings a card into a state.
    async fn card_in(&self, state: &str, case: &Case) -> Approval {
        if state == BETWEEN {
            return self.between(case).await;
        }
        let card = self.asked(case).await;
        let end = match state {
            "failed" => End::Fails,
            "unknown" => End::BreaksOff,
            _ => End::Done,
        };
        self.wall.change(&case.lamp, |lamp| {
            lamp.end = end;
            lamp.probe = (state == "unknown").then_some(Probe::Unknown);
        });
        let operator = Actor::operator();
        match state {
            "pending" => {}
            "approved" => self.kept_yes(&card).await,
            "running" => {
                self.wall.stage.hold(&case.run(), 1);
                self.yes(case, &card.id).await;
                self.wall.stage.reached(&case.run(), 1).await;
            }
            "denied" => drop(self.house.gate.deny(&operator, &card.id, "", &case.origin()).await.unwrap()),
            "expired" => {
                self.house.clock.turn(15 * MINUTE);
                assert_eq!(self.yes(case, &card.id).await, "approval_expired");
            }
            "stale" => {
                self.wall.change(&case.lamp, |lamp| lamp.replaced = true);
                self.yes(case, &card.id).await;
            }
            _ => drop(self.yes(case, &card.id).await),
        }
        if matches!(state, "done" | "failed" | "unknown" | "stale") {
            self.house.gate.follow(&card.id, LONG).await.unwrap();
        }
        card
    }

    /// What is under way of a card is brought to its end.
    async fn ended(&self, id: &ApprovalId) {
        if self.card(id).await.state != ApprovalState::Pending {
            self.house.gate.follow(id, LONG).await.unwrap();
        }
    }

    /// Lets something happen, and answers what was answered.
    async fn happens(mut self, event: &str, case: &Case, card: &Approval) -> (Self, String) {
        let before = word(&self.card(&card.id).await);
        if let Some(answer) = self.says(event, case, card).await {
            if answer == "ok" {
                self.ended(&card.id).await;
            }
            return (self, answer);
        }
        if event.starts_with("restart") {
            self.wall.change(&case.lamp, |lamp| lamp.probe = Some(probe(event)));
            self = self.restart().await;
            self.ended(&card.id).await;
        } else if event == "time is over" {
            self.lapse().await;
        } else {
            self.goes_on(event, case, card, before == "running").await;
        }
        (self, "-".to_owned())
    }

    /// What Jarvis himself, the brake or the tool does, to a card of which a step runs or none does.
    async fn goes_on(&self, event: &str, case: &Case, card: &Approval, runs: bool) {
        if event == "brake" {
            self.brake(KillSwitch::Effects).await;
            self.house.gate.recover().await.unwrap();
            self.ended(&card.id).await;
            self.brake(KillSwitch::Off).await;
        } else if event.starts_with("gone on with") {
            self.go_on(event, case, card).await;
            // What runs is in hand, and is gone on with by whoever has it.
            if !runs {
                self.ended(&card.id).await;
            }
        } else if runs {
            self.wall.change(&case.lamp, |lamp| lamp.end = end(event));
            self.wall.stage.release(&case.run(), 1);
            self.ended(&card.id).await;
        }
    }

    /// What somebody says to a card, and what is answered; `None` if the event is of another kind.
    async fn says(&self, event: &str, case: &Case, card: &Approval) -> Option<String> {
        let (gate, id, origin) = (&self.house.gate, &card.id, case.origin());
        let (operator, asker) = (Actor::operator(), Actor::local());
        let answer = match event {
            "asked again" => return Some(self.ask_again(case, card).await),
            "yes" => return Some(self.yes(case, id).await),
            "yes in the last moment" => {
                self.house.clock.turn(card.expires_at - 1 - self.now());
                return Some(self.yes(case, id).await);
            }
            "yes too late" => {
                self.house.clock.turn(card.expires_at - self.now());
                return Some(self.yes(case, id).await);
            }
            "yes by its asker" => gate.approve(&asker, id, &origin).await,
            "yes by a form" => gate.confirm(&asker, id, &origin).await,
            "yes without all steps" => {
                let all: Vec<_> = (0..card.steps.len() as u32).collect();
                gate.approve_without(&operator, id, &all, &origin).await
            }
            "no" => gate.deny(&operator, id, "no", &origin).await,
            "no by its asker" => gate.deny(&asker, id, "no", &origin).await,
            "taken back" => gate.withdraw(&asker, id, "", &origin).await,
            "taken back by another" => gate.withdraw(&Actor::mcp_stdio(), id, "", &origin).await,
            _ => return None,
        };
        Some(code(answer))
    }

    async fn brake(&self, kill: KillSwitch) {
        self.house.gate.set_kill_switch(&Actor::operator(), kill, &nobody()).await.unwrap();
    }

    fn now(&self) -> i64 {
        jarvis_safety::port::Clock::now(&*self.house.clock)
    }

    async fn ask_again(&self, case: &Case, card: &Approval) -> String {
        let heard = if card.steps.len() > 1 {
            let steps = ["", " too"].map(|suffix| case.switch(&Actor::local(), Tier::Orange, suffix));
            match self.house.gate.plan(steps.to_vec()).await {
                PlanAnswer::Waiting(card) => Answer::Waiting(card),
                other => panic!("{other:?}"),
            }
        } else {
            self.house.gate.call(case.switch(&Actor::local(), Tier::Orange, "")).await
        };
        match heard {
            Answer::Waiting(same) if same.id == card.id => "waiting".to_owned(),
            Answer::Waiting(_) => "another card".to_owned(),
            Answer::Ran(outcome) => outcome.state.as_str().to_owned(),
            Answer::Refused(refusal) => refusal.code.as_str().to_owned(),
        }
    }

    /// The time of all cards is over, and of one that was asked last: once that one has lapsed, all have.
    async fn lapse(&mut self) {
        let last = self.next();
        let last = self.asked(&last).await;
        self.house.clock.turn(15 * MINUTE);
        tokio::select! {
            () = self.house.gate.keep_expiring() => {}
            card = self.house.gate.follow(&last.id, LONG) => assert_eq!(card.unwrap().state, ApprovalState::Expired),
        }
    }

    /// Takes up what the store says is under way, as a start does.
    async fn go_on(&self, event: &str, case: &Case, card: &Approval) {
        match event {
            "gone on with after 15 min" => self.house.clock.turn(card.created_at + 15 * MINUTE - self.now()),
            "gone on with after more" => self.house.clock.turn(card.created_at + 15 * MINUTE + 1 - self.now()),
            "gone on with, target replaced" => {
                for lamp in [case.lamp.clone(), format!("{} too", case.lamp)] {
                    self.wall.change(&lamp, |lamp| lamp.replaced = true);
                }
            }
            _ => {}
        }
        self.house.gate.recover().await.unwrap();
    }
}

fn probe(event: &str) -> Probe {
    match event {
        "restart, effect seen" => Probe::Done,
        "restart, effect not seen" => Probe::NotDone,
        _ => Probe::Unknown,
    }
}

fn end(event: &str) -> End {
    match event {
        "tool ends done" => End::Done,
        "tool fails" => End::Fails,
        "tool breaks off" => End::BreaksOff,
        _ => End::LineBreaks,
    }
}

/// The intent of the first step.
fn first(card: &Approval) -> CallRecord {
    let step = &card.steps[0];
    CallRecord {
        id: step.call.clone(),
        actor: card.actor.id.clone(),
        origin: card.origin.clone(),
        tool: step.tool.clone(),
        revision: step.revision,
        args: step.args.clone(),
        target: step.target.clone(),
        tier: step.tier,
        digest: step.digest.clone(),
        key: None,
        approval: Some((card.id.clone(), 0)),
        grant: None,
        rule: step.rule.clone(),
        state: CallState::Running,
        created_at: card.created_at,
        outcome: None,
        undo: None,
        undone_by: None,
    }
}

fn done(record: &CallRecord) -> Outcome {
    Outcome {
        call: record.id.clone(),
        tool: record.tool.clone(),
        tier: record.tier,
        target: record.target.clone(),
        state: CallState::Done,
        output: Value::Null,
        words: "switched".to_owned(),
        error: None,
        untrusted: false,
        undoable: false,
        millis: 1,
        rule: record.rule.clone(),
    }
}

/// K-1, K-2, K-5, K-8 to K-14.
#[tokio::test]
async fn every_event_in_every_state_of_a_card_is_what_the_table_says() {
    let (mut table, mut place) = (Table::read("card"), Place::new().await);
    for event in EVENTS {
        for state in states() {
            let case = place.next();
            let card = place.card_in(state, &case).await;
            let card = place.card(&card.id).await;
            assert_eq!(word(&card), state, "it was not brought there");
            let (since, switched) = (place.newest().await, place.wall.switched(&case.lamp));
            let (after, answer) = place.happens(event, &case, &card).await;
            place = after;
            let seen = Seen {
                becomes: word(&place.card(&card.id).await).to_owned(),
                answer,
                told: place.told(&case, since).await,
                effects: place.wall.switched(&case.lamp) - switched,
            };
            table.compare(event, state, seen);
        }
    }
    table.holds();
    assert_eq!(place.house.store.verify().await.unwrap().faults, Vec::<String>::new());
}
