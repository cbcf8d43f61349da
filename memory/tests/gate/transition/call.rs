//! Calls above green that no card stands for.

use jarvis_safety::call::{CallRecord, CallState, Request, Vouching};
use jarvis_safety::kernel::{KillSwitch, Watch};
use jarvis_safety::outcome::{Answer, Outcome};
use jarvis_safety::port::{Feed as _, Ledger as _, StoreError};
use jarvis_safety::tool::Probe;
use jarvis_safety::{Actor, CallId, Tier};
use serde_json::Value;
use tokio::task::JoinHandle;

use super::switch::End;
use super::table::{Seen, Table};
use super::{Case, Place, nobody};
use crate::lamp::{draft, ran};

/// Nothing is known of the call yet.
const NEW: &str = "new";
/// It was done, and taken back since.
const UNDONE: &str = "undone";

const STATES: [&str; 7] = [NEW, "running", "done", "failed", "cancelled", "unknown", UNDONE];

const EVENTS: [&str; 18] = [
    "made",
    "made with other arguments",
    "cancelled by its caller",
    "cancelled by another",
    "brake",
    "tool ends done",
    "tool fails",
    "tool breaks off, effect seen",
    "tool breaks off, effect not seen",
    "tool breaks off, nothing to be told",
    "line breaks, effect not seen",
    "restart, effect seen",
    "restart, effect not seen",
    "restart, nothing to be told",
    "taken back",
    "taken back by another",
    "outcome told again",
    "looked at",
];

fn key(case: &Case) -> Option<String> {
    Some(format!("key of {}", case.lamp))
}

fn keyed(case: &Case, suffix: &str) -> Request {
    Request { key: key(case), ..case.switch(&Actor::operator(), Tier::Yellow, suffix) }
}

/// A state of the record, by a match that a new state of the code does not pass.
fn word(record: Option<&CallRecord>) -> &'static str {
    match record.map(|record| (record.state, record.undone_by.is_some())) {
        None => NEW,
        Some((CallState::Done, true)) => UNDONE,
        Some((
            state @ (CallState::Running
            | CallState::Done
            | CallState::Failed
            | CallState::Unknown
            | CallState::Cancelled),
            _,
        )) => state.as_str(),
    }
}

fn heard(answer: Answer) -> String {
    match answer {
        Answer::Ran(outcome) => outcome.state.as_str().to_owned(),
        Answer::Refused(refusal) => refusal.code.as_str().to_owned(),
        Answer::Waiting(_) => "waiting".to_owned(),
    }
}

/// What the store answers to a change.
fn kept<T: ToString>(answer: Result<T, StoreError>) -> String {
    match answer {
        Ok(answer) => answer.to_string(),
        Err(StoreError::Conflict(_)) => "conflict".to_owned(),
        Err(StoreError::NotFound(_)) => "not there".to_owned(),
        Err(other) => panic!("{other}"),
    }
}

fn yes_or_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

fn end(event: &str) -> (End, Probe) {
    let end = match event {
        "tool fails" => End::Fails,
        "line breaks, effect not seen" => End::LineBreaks,
        _ if event.starts_with("tool breaks off") => End::BreaksOff,
        _ => End::Done,
    };
    let probe = if event.ends_with("effect seen") {
        Probe::Done
    } else if event.ends_with("effect not seen") {
        Probe::NotDone
    } else {
        Probe::Unknown
    };
    (end, probe)
}

impl Place {
    async fn record(&self, case: &Case) -> Option<CallRecord> {
        self.house.store.keyed(&Actor::operator().id, &key(case).unwrap()).await.unwrap()
    }

    /// Brings a call into a state; what carries it, if it runs.
    async fn call_in(&self, state: &str, case: &Case) -> Option<JoinHandle<Answer>> {
        let gate = self.house.gate.clone();
        let (end, probe) = match state {
            "failed" => (End::Fails, None),
            "unknown" => (End::BreaksOff, Some(Probe::Unknown)),
            _ => (End::Done, None),
        };
        self.wall.change(&case.lamp, |lamp| (lamp.end, lamp.probe) = (end, probe));
        if state == NEW {
            return None;
        }
        if matches!(state, "running" | "cancelled") {
            self.wall.stage.hold(&case.run(), 1);
            let request = keyed(case, "");
            let call = tokio::spawn(async move { gate.call(request).await });
            self.wall.stage.reached(&case.run(), 1).await;
            if state == "running" {
                return Some(call);
            }
            let id = self.record(case).await.unwrap().id;
            assert!(self.house.gate.cancel(&Actor::operator(), &id));
            assert_eq!(heard(call.await.unwrap()), "cancelled");
            return None;
        }
        let outcome = ran(gate.call(keyed(case, "")).await);
        if state == UNDONE {
            ran(gate.undo(&Actor::operator(), &outcome.call, case.origin(), Vouching::Person).await);
        }
        None
    }

    /// Lets something happen, and answers what was answered.
    async fn befalls(self, event: &str, case: &Case, carried: Option<JoinHandle<Answer>>) -> (Self, String) {
        let (gate, operator) = (self.house.gate.clone(), Actor::operator());
        let record = self.record(case).await;
        let id = record.as_ref().map_or_else(|| CallId::new(9_999), |record| record.id.clone());
        let (end, probe) = end(event);
        if carried.is_some() {
            self.wall.change(&case.lamp, |lamp| (lamp.end, lamp.probe) = (end, Some(probe)));
        }
        let answer = match event {
            "made" => heard(gate.call_watched(keyed(case, ""), Watch::default()).await),
            "made with other arguments" => heard(gate.call(keyed(case, " other")).await),
            "cancelled by its caller" => {
                self.wall.change(&case.lamp, |lamp| lamp.probe = Some(Probe::NotDone));
                yes_or_no(gate.cancel(&operator, &id))
            }
            "cancelled by another" => yes_or_no(gate.cancel(&Actor::local(), &id)),
            "brake" => {
                gate.set_kill_switch(&operator, KillSwitch::Effects, &nobody()).await.unwrap();
                "-".to_owned()
            }
            "taken back" => heard(gate.undo(&operator, &id, case.origin(), Vouching::Person).await),
            "taken back by another" => {
                heard(gate.undo(&Actor::mcp_stdio(), &id, case.origin(), Vouching::Person).await)
            }
            "outcome told again" => {
                let outcome = told(&id, record.as_ref());
                kept(self.house.store.settle(&outcome, None, None, 5, draft()).await.map(|()| "kept"))
            }
            "looked at" => kept(self.house.store.acknowledge(id.as_str(), 5, draft()).await.map(yes_or_no)),
            _ if event.starts_with("restart") => {
                drop(gate);
                return (self.restart().await, "-".to_owned());
            }
            _ => {
                if carried.is_some() {
                    self.wall.stage.release(&case.run(), 1);
                }
                "-".to_owned()
            }
        };
        let ends = event == "cancelled by its caller" || event == "brake" || answer == "-";
        if let Some(carried) = carried.filter(|_| ends) {
            carried.await.unwrap();
        }
        if event == "brake" {
            gate.set_kill_switch(&operator, KillSwitch::Off, &nobody()).await.unwrap();
        }
        (self, answer)
    }
}

fn told(id: &CallId, record: Option<&CallRecord>) -> Outcome {
    Outcome {
        call: id.clone(),
        tool: "lamp_switch".to_owned(),
        tier: Tier::Yellow,
        target: record.map_or_else(|| jarvis_safety::Target::new("lamp", "", ""), |record| record.target.clone()),
        state: CallState::Done,
        output: Value::Null,
        words: "switched".to_owned(),
        error: None,
        untrusted: false,
        undoable: false,
        millis: 1,
        rule: String::new(),
    }
}

/// K-1, K-3, K-4, K-6, K-7.
#[tokio::test]
async fn every_event_in_every_state_of_a_call_is_what_the_table_says() {
    let (mut table, mut place) = (Table::read("call"), Place::new().await);
    for event in EVENTS {
        for state in STATES {
            let case = place.next();
            let carried = place.call_in(state, &case).await;
            assert_eq!(word(place.record(&case).await.as_ref()), state, "it was not brought there");
            let (since, switched) = (place.newest().await, place.wall.switched(&case.lamp));
            let (after, answer) = place.befalls(event, &case, carried).await;
            place = after;
            let seen = Seen {
                becomes: word(place.record(&case).await.as_ref()).to_owned(),
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
