//! What was seen, added up.

use crate::life::Counted;
use crate::life::ledger::Count;
use crate::report::say;

/// Sums over outages.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Data directories.
    pub(super) lives: u64,
    pub(super) windows: u64,
    pub(super) points: u64,
    /// Those of them at which a call failed.
    pub(super) met: u64,
    pub(super) births: u64,
    pub(super) full: u64,
    pub(super) read_only: u64,
    pub(super) clocks: u64,
    /// Calls that failed or lasted.
    pub(super) injected: u64,
    /// Starts that a fault prevented.
    pub(super) prevented: u64,
    /// Outages after which the program went on without a start.
    pub(super) went_on: u64,
    /// Outages after which it needed one.
    pub(super) restarted: u64,
    /// Answers that said no because of the disk, and what the last one said.
    unkept: (u64, String),
    pub(super) count: Count,
    pub(super) counted: Counted,
}

impl Tally {
    pub(super) const fn outages(&self) -> u64 {
        self.windows + self.points + self.full + self.read_only + self.clocks
    }

    /// Takes over answers that said no because of the disk.
    pub(super) fn note_unkept(&mut self, seen: &mut (u64, String)) {
        self.unkept.0 += std::mem::take(&mut seen.0);
        if !seen.1.is_empty() {
            self.unkept.1.clone_from(&seen.1);
        }
    }

    /// Takes over what another one holds, and leaves it empty.
    pub(super) fn add(&mut self, other: &mut Self) {
        let mut other = std::mem::take(other);
        self.lives += other.lives;
        self.windows += other.windows;
        self.points += other.points;
        self.met += other.met;
        self.births += other.births;
        self.full += other.full;
        self.read_only += other.read_only;
        self.clocks += other.clocks;
        self.injected += other.injected;
        self.prevented += other.prevented;
        self.went_on += other.went_on;
        self.restarted += other.restarted;
        self.note_unkept(&mut other.unkept);
        self.count.add(other.count);
        self.counted.add(other.counted);
    }

    /// For whoever watches.
    pub(super) fn tell(&self, what: &str, seconds: f64) {
        let Count { greens, effects, cards, decisions, jobs, looks, cut, .. } = self.count;
        let Counted { voided, doubts, given_up, turned_down, .. } = self.counted;
        say(&format!(
            "{what}: {} outages ({} windows, {} points of which {} met a call, {} full disks, {} read-only disks, {} \
             clocks) and {} deaths at birth of {} data directories in {seconds:.0} s, {} calls failed or lasted, {} \
             answers said that nothing was kept; {} acknowledgements ({greens} reads, {effects} effects, {cards} cards, \
             {decisions} decisions, {jobs} jobs, {looks} looks at jobs), {cut} cut off or unknown; {doubts} in doubt, \
             {given_up} jobs given up, {turned_down} turned down; {} times it went on by itself, {} times it needed a \
             start, {} starts were prevented, {voided} approvals were voided by a failing disk",
            self.outages(),
            self.windows,
            self.points,
            self.met,
            self.full,
            self.read_only,
            self.clocks,
            self.births,
            self.lives,
            self.injected,
            self.unkept.0,
            self.count.acks(),
            self.went_on,
            self.restarted,
            self.prevented,
        ));
        if !self.unkept.1.is_empty() {
            say(&format!("{what}: what it says then: {}", self.unkept.1));
        }
    }
}
