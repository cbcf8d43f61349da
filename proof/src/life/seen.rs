//! What the audit says, arranged so that it can be compared with what was told.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::job::is_end;
use crate::book::{Call, Card, JobRow, Row, Snapshot};
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
    /// By what they do, which is different for each.
    pub(crate) job_table: HashMap<String, JobRow>,
    begun: usize,
    /// Jobs that were handed in, and the kinds of the rows that end them.
    jobs: HashMap<String, Vec<String>>,
    /// Calls and cards that a replica carried which is gone, and that no other has taken over yet.
    left: HashSet<String>,
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
            job_table: HashMap::new(),
            begun: 0,
            jobs: HashMap::new(),
            left: HashSet::new(),
        }
    }

    /// One that has read nothing yet.
    pub(crate) fn anew(&self) -> Self {
        Self::new(self.key.clone())
    }

    pub(crate) const fn key(&self) -> &Key {
        &self.key
    }

    /// Takes in what was read: follows the chain, and notes what each row tells. What was carried by a replica that is
    /// not `alive` may wait for another; where nobody is named, nothing may.
    pub(crate) fn take(&mut self, snapshot: Snapshot, alive: Option<&[String]>, found: &mut Vec<Violation>) {
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
        self.take_jobs(snapshot.jobs, found);
        self.take_left(&snapshot.calls, &snapshot.cards, alive);
        let open = |call: &&Call| call.state == "running" || !call.settled;
        for call in snapshot.calls.iter().filter(open).filter(|call| !self.may_be_open(call)) {
            let what = format!("after the start {} is {} and has no outcome", call.id, call.state);
            found.push(Violation::new(Kind::LostRow, what));
        }
        self.call_table = snapshot.calls.into_iter().map(|call| (call.id.clone(), call)).collect();
        self.card_table = snapshot.cards.into_iter().map(|card| (card.id.clone(), card)).collect();
    }

    /// Takes in the jobs: each was handed in once, and has one end or none.
    fn take_jobs(&mut self, jobs: Vec<JobRow>, found: &mut Vec<Violation>) {
        if jobs.len() != self.jobs.len() {
            let what = format!("{} jobs were handed in and {} are kept", self.jobs.len(), jobs.len());
            found.push(Violation::new(Kind::LostJob, what));
        }
        self.job_table.clear();
        for job in jobs {
            let ends = self.job_ends(&job.id);
            let fits = if is_end(&job.state) { ends == [job.state.as_str()] } else { ends.is_empty() };
            if !fits {
                let kind = if ends.len() > 1 { Kind::DoubleEffect } else { Kind::LostJob };
                let what = format!("the job {} is {} and its rows tell the ends {ends:?}", job.id, job.state);
                found.push(Violation::new(kind, what));
            }
            if let Some(other) = self.job_table.insert(job.name.clone(), job.clone()) {
                let what = format!("{} was handed in once and is two jobs, {} and {}", job.name, other.id, job.id);
                found.push(Violation::new(Kind::DoubleEffect, what));
            }
        }
    }

    fn take_left(&mut self, calls: &[Call], cards: &[Card], alive: Option<&[String]>) {
        let gone = |carrier: &Option<String>| {
            alive.zip(carrier.as_ref()).is_some_and(|(alive, carrier)| !alive.contains(carrier))
        };
        let calls = calls.iter().filter(|call| call.is_open() && gone(&call.carrier)).map(|call| &call.id);
        let cards = cards.iter().filter(|card| card.is_under_way() && gone(&card.carrier)).map(|card| &card.id);
        self.left = calls.chain(cards).cloned().collect();
    }

    /// Whether what became of a path, for which this card may have been put up, waits for another replica.
    pub(crate) fn is_left(&self, path: &str, card: Option<&String>) -> bool {
        self.intents(path).iter().chain(card).any(|id| self.left.contains(id))
    }

    /// A call that a job makes just now has no outcome yet, nor one that waits for another replica.
    fn may_be_open(&self, call: &Call) -> bool {
        let job = call.key.as_deref().and_then(|key| key.strip_prefix("job:"));
        self.left.contains(&call.id)
            || job.is_some_and(|id| self.job_table.values().any(|job| job.id == id && job.state == "running"))
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
            "job.submitted" if self.jobs.insert(subject(), Vec::new()).is_some() => {
                found.push(Violation::new(Kind::DoubleEffect, format!("{} was handed in twice", row.subject)));
            }
            kind if kind.strip_prefix("job.").is_some_and(is_end) => match self.jobs.get_mut(&row.subject) {
                Some(ends) => ends.push(kind.trim_start_matches("job.").to_owned()),
                None => {
                    let what = format!("{} has an end, and no row tells that it was handed in", row.subject);
                    found.push(Violation::new(Kind::LostRow, what));
                }
            },
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

    /// How a job ended; more than one word is one too many.
    pub(crate) fn job_ends(&self, job: &str) -> Vec<&str> {
        self.jobs.get(job).map_or(&[][..], Vec::as_slice).iter().map(String::as_str).collect()
    }

    /// How often a card has a row of this kind.
    pub(crate) fn card(&self, card: &str, kind: &str) -> usize {
        self.cards.get(card).map_or(0, |kinds| kinds.iter().filter(|known| *known == kind).count())
    }
}
