//! What was asked and answered, added up.

use std::collections::BTreeMap;
use std::time::Duration;

use super::ledger::Ledger;
use super::raw::Heard;
use super::request::Deed;
use crate::report::{Violation, say};

/// Sums over requests.
#[derive(Debug, Default)]
pub(super) struct Tally {
    families: BTreeMap<&'static str, u64>,
    statuses: BTreeMap<u16, u64>,
    silent: u64,
    pub(super) ledger: Ledger,
    pub(super) found: Vec<Violation>,
    /// The slowest answer, and the request it was given to.
    pub(super) slowest: (Duration, u64),
}

impl Tally {
    pub(super) fn add(&mut self, deed: &Deed, heard: &Heard, mut found: Vec<Violation>) {
        *self.families.entry(deed.family).or_default() += 1;
        for answer in &heard.answers {
            *self.statuses.entry(answer.status).or_default() += 1;
        }
        if deed.whole {
            self.slowest = self.slowest.max((heard.took, deed.number));
        }
        self.silent += u64::from(heard.answers.is_empty());
        self.found.append(&mut found);
        let refused = !heard.answers.is_empty() && heard.answers.iter().all(|answer| answer.status >= 400);
        if deed.powerless {
            let named = heard.answers.iter().map(|answer| answer.header("x-correlation-id"));
            // What is open to everybody may have rows of its own.
            let named = named.filter(|_| refused);
            self.ledger.forbidden.extend(named.filter_map(|id| u128::from_str_radix(id, 16).ok()));
        } else if refused && heard.answers.len() >= deed.answers {
            self.ledger.refused.insert(deed.number);
        }
    }

    pub(super) fn requests(&self) -> u64 {
        self.families.values().sum()
    }

    pub(super) fn answers(&self) -> u64 {
        self.statuses.values().sum()
    }

    pub(super) fn tell(&self, seconds: f64) {
        let list = |parts: Vec<String>| parts.join(", ");
        let requests = self.requests();
        say(&format!("hostile: {requests} requests in {seconds:.0} s ({:.0}/s)", requests as f64 / seconds));
        say(&format!(
            "families: {}",
            list(self.families.iter().map(|(name, count)| format!("{name} {count}")).collect())
        ));
        let statuses = self.statuses.iter().map(|(status, count)| format!("{status} × {count}")).collect();
        let (time, number) = self.slowest;
        say(&format!(
            "answers: {}, none × {}; the slowest took {} ms (request {number})",
            list(statuses),
            self.silent,
            time.as_millis()
        ));
    }
}
