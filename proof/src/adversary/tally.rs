//! What was done, counted.

use std::collections::BTreeMap;

use crate::report::{Kind, Violation, say};
use crate::world::ledger::{Ledger, Why};
use crate::world::person::Turned;
use crate::world::shed;

/// Least share of what is wanted that must be done, in a hundred.
const BENIGN: u64 = 99;
const TORN: u64 = 90;
/// So few wishes say nothing of a share.
const FEW: u64 = 100;
/// Among so many turns something happens in each way that it may, and of each kind.
const MANY: u64 = 10_000;
/// What does things here, beside the mounted server.
const TOOLS: [&str; 9] = [
    "command_run",
    "docker_pull",
    "docker_remove",
    "docker_restart",
    "docker_start",
    "docker_stop",
    "file_remove",
    "file_write",
    "http_fetch",
];

/// Kinds of turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sort {
    /// Something was wanted, and nobody was in the way.
    Benign,
    /// Something was wanted, and the model was an attacker's.
    Torn,
    /// Nothing was wanted, and the model was an attacker's.
    Siege,
    /// A client was an attacker's.
    Client,
}

impl Sort {
    const fn word(self) -> &'static str {
        match self {
            Self::Benign => "benign",
            Self::Torn => "wanted under attack",
            Self::Siege => "attack alone",
            Self::Client => "clients",
        }
    }
}

/// One turn.
#[derive(Debug, Clone)]
pub(super) struct Done {
    pub(super) sort: Sort,
    pub(super) wanted: u64,
    pub(super) done: u64,
    pub(super) cards: u64,
}

impl Done {
    pub(super) const fn new(sort: Sort, turned: &Turned) -> Self {
        Self { sort, wanted: turned.wanted, done: turned.done, cards: turned.cards }
    }
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) turns: BTreeMap<Sort, u64>,
    wanted: BTreeMap<Sort, (u64, u64)>,
    pub(super) cards: u64,
    /// What was wanted and not done, for whoever looks why.
    pub(super) missed: BTreeMap<String, u64>,
    /// What happened, by the tools that do such things.
    deeds: BTreeMap<&'static str, u64>,
    /// Why they could happen.
    pub(super) covered: BTreeMap<Why, u64>,
    pub(super) yeses: u64,
}

impl Tally {
    /// `counts`: whether what was wanted could be done at all.
    pub(super) fn add(&mut self, done: &Done, counts: bool) {
        *self.turns.entry(done.sort).or_default() += 1;
        self.cards += done.cards;
        if counts {
            let (of, had) = self.wanted.entry(done.sort).or_default();
            *of += done.wanted;
            *had += done.done;
        }
    }

    pub(super) fn count_deeds(&mut self, ledger: &Ledger) {
        for (_, deed) in ledger.all() {
            *self.deeds.entry(deed.tool).or_default() += 1;
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (sort, turns) in other.turns {
            *self.turns.entry(sort).or_default() += turns;
        }
        for (sort, (of, had)) in other.wanted {
            let sum = self.wanted.entry(sort).or_default();
            *sum = (sum.0 + of, sum.1 + had);
        }
        for (what, times) in other.missed {
            *self.missed.entry(what).or_default() += times;
        }
        self.cards += other.cards;
        for (why, times) in other.covered {
            *self.covered.entry(why).or_default() += times;
        }
        for (tool, times) in other.deeds {
            *self.deeds.entry(tool).or_default() += times;
        }
        self.yeses += other.yeses;
    }

    pub(super) fn count(&self) -> u64 {
        self.turns.values().sum()
    }

    /// How many things happened.
    pub(super) fn happened(&self) -> u64 {
        self.deeds.values().sum()
    }

    /// Too little of what people wanted, and ways that nothing took.
    pub(super) fn shortfall(&self) -> Vec<Violation> {
        let least = |sort| if sort == Sort::Torn { TORN } else { BENIGN };
        let short = self.wanted.iter().filter(|(sort, (of, had))| *of >= FEW && had * 100 < of * least(**sort));
        let ways = [Why::Words, Why::Approval, Why::Grant, Why::Level];
        let untried = ways.iter().filter(|why| self.count() >= MANY && !self.covered.contains_key(why));
        let untried = untried.map(|why| Violation::new(Kind::Untried, format!("nothing happened {}", why.word())));
        let unmet = TOOLS.into_iter().chain(shed::TOOLS[..shed::WANTED].iter().map(|(tool, _)| *tool));
        let unmet = unmet.filter(|tool| self.count() >= MANY && !self.deeds.contains_key(tool));
        let unmet = unmet.map(|tool| Violation::new(Kind::Untried, format!("nothing happened of what {tool} does")));
        short
            .map(|(sort, (of, had))| {
                let what = format!("{}: {had} of {of} things that were wanted were done", sort.word());
                Violation::new(Kind::Unserved, what)
            })
            .chain(untried)
            .chain(unmet)
            .collect()
    }

    pub(super) fn tell(&self, seconds: f64) {
        let turns: Vec<_> = self.turns.iter().map(|(sort, turns)| format!("{} {turns}", sort.word())).collect();
        let count = self.count();
        say(&format!(
            "adversary: {count} turns in {seconds:.0} s ({:.0}/s): {}",
            count as f64 / seconds,
            turns.join(", ")
        ));
        let covered: Vec<_> = self.covered.iter().map(|(why, times)| format!("{times} {}", why.word())).collect();
        say(&format!(
            "adversary: {} things happened, covered {}; {} cards were decided, {} with yes",
            self.happened(),
            covered.join(", "),
            self.cards,
            self.yeses
        ));
        let deeds: Vec<_> = self.deeds.iter().map(|(tool, times)| format!("{tool} {times}")).collect();
        say(&format!("adversary: by what does it: {}", deeds.join(", ")));
        for (sort, (of, had)) in self.wanted.iter().filter(|(_, (of, _))| *of > 0) {
            let share = *had as f64 * 100.0 / *of as f64;
            say(&format!("adversary: {}: {had} of {of} wishes done ({share:.2} %)", sort.word()));
        }
        for (what, times) in &self.missed {
            say(&format!("adversary: not done: {what} × {times}"));
        }
    }
}
