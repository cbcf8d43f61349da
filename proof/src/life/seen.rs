//! What the audit says, arranged so that it can be compared with what was told.

use std::collections::HashMap;

use serde_json::Value;

use crate::book::{Call, Card, Row, Snapshot};
use crate::chain::{Key, Walk};
use crate::report::{Kind, Violation};

/// Kinds of rows that end a call above green.
const ENDS: [&str; 4] = ["call.done", "call.failed", "call.unknown", "call.cancelled"];

/// The audit of one data directory, as far as it was read.
pub(crate) struct Seen {
    key: Key,
    pub(crate) walk: Walk,
    /// Correlations of the green rows of a call.
    reads: HashMap<String, Vec<String>>,
    /// How many rows of refused calls there are of a correlation.
    refused: HashMap<String, usize>,
    /// Calls that were begun on a path.
    intents: HashMap<String, Vec<String>>,
    /// Kinds of the rows that end a call.
    ends: HashMap<String, Vec<String>>,
    /// Kinds of the rows about a card.
    cards: HashMap<String, Vec<String>>,
    /// The tables as they were last.
    pub(crate) call_table: HashMap<String, Call>,
    pub(crate) card_table: HashMap<String, Card>,
    begun: usize,
}

impl Seen {
    pub(crate) fn new(key: Key) -> Self {
        Self {
            key,
            walk: Walk::new(),
            reads: HashMap::new(),
            refused: HashMap::new(),
            intents: HashMap::new(),
            ends: HashMap::new(),
            cards: HashMap::new(),
            call_table: HashMap::new(),
            card_table: HashMap::new(),
            begun: 0,
        }
    }

    /// One that has read nothing yet.
    pub(crate) fn anew(&self) -> Self {
        Self::new(self.key.clone())
    }

    pub(crate) const fn key(&self) -> &Key {
        &self.key
    }

    /// Takes in what was read: follows the chain, and notes what each row tells.
    pub(crate) fn take(&mut self, snapshot: Snapshot, found: &mut Vec<Violation>) {
        for row in &snapshot.rows {
            self.walk.step(&self.key, row, found);
            self.note(row, found);
        }
        if snapshot.head != (self.walk.seq, self.walk.hash.clone()) {
            let (head, last) = (snapshot.head.0, self.walk.seq);
            found.push(Violation::new(Kind::Chain, format!("the head says row {head} and the last row is {last}")));
        }
        if snapshot.orphans > 0 {
            found.push(Violation::new(Kind::Chain, format!("{} bodies belong to no row", snapshot.orphans)));
        }
        if snapshot.calls.len() != self.begun {
            let what = format!("{} calls were begun and {} are kept", self.begun, snapshot.calls.len());
            found.push(Violation::new(Kind::LostRow, what));
        }
        for call in snapshot.calls.iter().filter(|call| call.state == "running" || !call.settled) {
            let what = format!("after the start {} is {} and has no outcome", call.id, call.state);
            found.push(Violation::new(Kind::LostRow, what));
        }
        self.call_table = snapshot.calls.into_iter().map(|call| (call.id.clone(), call)).collect();
        self.card_table = snapshot.cards.into_iter().map(|card| (card.id.clone(), card)).collect();
    }

    fn note(&mut self, row: &Row, found: &mut Vec<Violation>) {
        let subject = || row.subject.clone();
        match row.kind.as_str() {
            "call.read" => self.reads.entry(subject()).or_default().push(row.correlation.clone()),
            "call.refused" => *self.refused.entry(row.correlation.clone()).or_default() += 1,
            "call.intent" => {
                self.begun += 1;
                let body: Option<Value> = row.body.as_ref().and_then(|(_, json)| serde_json::from_str(json).ok());
                let path = body.as_ref().and_then(|body| body.pointer("/args/path")).and_then(Value::as_str);
                match path {
                    Some(path) => {
                        let known = self.intents.entry(path.to_owned()).or_default();
                        known.push(subject());
                        if known.len() > 1 {
                            let what = format!("{path} was begun {} times: {}", known.len(), known.join(", "));
                            found.push(Violation::new(Kind::DoubleEffect, what));
                        }
                    }
                    None => found.push(Violation::new(Kind::Untrue, format!("row {} tells no path", row.seq))),
                }
            }
            kind if ENDS.contains(&kind) => self.ends.entry(subject()).or_default().push(kind.to_owned()),
            kind if kind.starts_with("approval.") => {
                self.cards.entry(subject()).or_default().push(kind.to_owned());
            }
            _ => {}
        }
    }

    /// Correlations of the rows of a green call.
    pub(crate) fn reads(&self, call: &str) -> &[String] {
        self.reads.get(call).map_or(&[], Vec::as_slice)
    }

    /// Rows of refused calls of a correlation.
    pub(crate) fn refused(&self, correlation: &str) -> usize {
        self.refused.get(correlation).copied().unwrap_or(0)
    }

    /// Calls that were begun on a path.
    pub(crate) fn intents(&self, path: &str) -> &[String] {
        self.intents.get(path).map_or(&[], Vec::as_slice)
    }

    /// How a call ended; more than one word is one too many.
    pub(crate) fn ends(&self, call: &str) -> Vec<&str> {
        let rows = self.ends.get(call).map_or(&[][..], Vec::as_slice);
        rows.iter().map(|kind| kind.strip_prefix("call.").unwrap_or(kind)).collect()
    }

    /// How often a card has a row of this kind.
    pub(crate) fn card(&self, card: &str, kind: &str) -> usize {
        self.cards.get(card).map_or(0, |kinds| kinds.iter().filter(|known| *known == kind).count())
    }
}
