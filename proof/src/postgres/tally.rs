//! What was seen, added up.

use std::fmt::Write as _;

use super::outage::{OUTAGES, Outage};
use crate::life::Counted;
use crate::life::ledger::Count;

/// Sums over outages.
#[derive(Debug, Default)]
pub(super) struct Tally {
    outages: [u64; OUTAGES.len()],
    /// Databases.
    pub(super) lives: u64,
    /// Answers of the database that were cut in their middle.
    pub(super) snipped: u64,
    /// Starts of replicas that were killed.
    pub(super) starts_killed: u64,
    /// Replicas that were left dead until another had taken over.
    pub(super) left_dead: u64,
    /// Answers that said that the database is away, and what the last one said.
    unkept: (u64, String),
    pub(super) count: Count,
    pub(super) counted: Counted,
    /// After each outage, milliseconds until every client had its answer and both replicas did effects.
    pub(super) back: Vec<u64>,
    /// At each end, milliseconds until everything was taken over.
    pub(super) taken_over: Vec<u64>,
    /// Every start of a replica, in milliseconds.
    pub(super) starts: Vec<u64>,
}

impl Tally {
    pub(super) fn count_one(&mut self, outage: Outage) {
        for ((known, ..), count) in OUTAGES.iter().zip(&mut self.outages) {
            *count += u64::from(*known == outage);
        }
    }

    pub(super) fn cycles(&self) -> u64 {
        self.outages.iter().sum()
    }

    /// Takes over answers that said that the database is away.
    pub(super) fn note_unkept(&mut self, seen: &mut (u64, String)) {
        self.unkept.0 += std::mem::take(&mut seen.0);
        if !seen.1.is_empty() {
            self.unkept.1.clone_from(&seen.1);
        }
    }

    /// Takes over what another one holds, and leaves it empty.
    pub(super) fn add(&mut self, other: &mut Self) {
        let mut other = std::mem::take(other);
        for (count, more) in self.outages.iter_mut().zip(other.outages) {
            *count += more;
        }
        self.lives += other.lives;
        self.snipped += other.snipped;
        self.starts_killed += other.starts_killed;
        self.left_dead += other.left_dead;
        self.note_unkept(&mut other.unkept);
        self.count.add(other.count);
        self.counted.add(other.counted);
        for (all, more) in [
            (&mut self.back, &mut other.back),
            (&mut self.taken_over, &mut other.taken_over),
            (&mut self.starts, &mut other.starts),
        ] {
            all.append(more);
            all.sort_unstable();
        }
    }

    /// For whoever watches.
    pub(super) fn told(&self, what: &str, seconds: f64) -> String {
        let Count { greens, effects, cards, decisions, refusals, jobs, looks, again, cut } = self.count;
        let Counted { doubts, stopped, voided, given_up, turned_down, .. } = self.counted;
        let mut kinds = String::new();
        for ((_, name, _), count) in OUTAGES.iter().zip(self.outages).filter(|(_, count)| *count > 0) {
            let _ = write!(kinds, "{}{count} {name}", if kinds.is_empty() { "" } else { ", " });
        }
        let (back, taken, starts) = (spread(&self.back), spread(&self.taken_over), spread(&self.starts));
        format!(
            "{what}: {} outages ({kinds}; {} answers cut in their middle, {} starts killed) of {} databases with two \
             replicas in {seconds:.0} s, {} acknowledgements ({greens} reads, {effects} effects, {cards} cards, \
             {decisions} decisions, {refusals} refusals, {jobs} jobs, {looks} looks at jobs, {again} by key again), {} \
             answers said that the store is away, {cut} cut off or unknown, {stopped} seen not to have begun, {doubts} in \
             doubt, {voided} approvals voided, {given_up} jobs given up, {turned_down} turned down; both served again \
             within {back}, what was left was taken over after {taken} ({} times by the other alone), start {starts} \
             (median, longest)",
            self.cycles(),
            self.snipped,
            self.starts_killed,
            self.lives,
            self.count.acks(),
            self.unkept.0,
            self.left_dead,
        )
    }

    /// What the program says when its database is away.
    pub(super) fn said(&self) -> Option<&str> {
        (!self.unkept.1.is_empty()).then_some(self.unkept.1.as_str())
    }
}

/// The middle and the largest of sorted milliseconds.
fn spread(sorted: &[u64]) -> String {
    let of = |found: Option<&u64>| found.copied().unwrap_or(0);
    format!("{} ms, {} ms", of(sorted.get(sorted.len() / 2)), of(sorted.last()))
}
