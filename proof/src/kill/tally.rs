//! What was seen, added up.

use crate::life::Counted;
use crate::life::ledger::Count;

/// Sums over kills.
#[derive(Debug)]
pub(crate) struct Tally {
    power: bool,
    pub(crate) cycles: u64,
    /// Those of them in strict reads.
    pub(crate) strict: u64,
    /// Data directories.
    pub(crate) lives: u64,
    pub(crate) count: Count,
    pub(crate) counted: Counted,
    /// Drafts that kills left beside the files.
    pub(crate) drafts: usize,
    /// Every start, in milliseconds.
    pub(crate) starts: Vec<u64>,
}

impl Tally {
    pub(crate) fn new(power: bool) -> Self {
        Self {
            power,
            cycles: 0,
            strict: 0,
            lives: 0,
            count: Count::default(),
            counted: Counted::default(),
            drafts: 0,
            starts: Vec::new(),
        }
    }

    /// Takes over what another one holds, and leaves it empty.
    pub(crate) fn add(&mut self, other: &mut Self) {
        let mut other = std::mem::replace(other, Self::new(self.power));
        self.cycles += other.cycles;
        self.strict += other.strict;
        self.lives += other.lives;
        self.count.add(other.count);
        self.counted.late(other.counted.late);
        self.counted.add(other.counted);
        self.drafts += other.drafts;
        self.starts.append(&mut other.starts);
        self.starts.sort_unstable();
    }

    /// For whoever watches.
    pub(crate) fn told(&self, what: &str, seconds: f64) -> String {
        let Count { greens, effects, cards, decisions, refusals, jobs, looks, again, cut } = self.count;
        let Counted { doubts, stopped, given_up, turned_down, late, .. } = self.counted;
        let times = if self.power { "power cuts" } else { "kills" };
        let late = match late {
            (0, _) => String::new(),
            (reads, age) => {
                format!("; {reads} reads in default mode were told up to {} ms before a cut and lost", age.as_millis())
            }
        };
        format!(
            "{what}: {} {times} ({} in strict reads) of {} data directories in {seconds:.0} s ({:.2}/s), {} \
             acknowledgements: {greens} reads, {effects} effects, {cards} cards, {decisions} decisions, {refusals} \
             refusals, {jobs} jobs, {looks} looks at jobs, {again} by key again; {cut} cut off, {stopped} seen not to \
             have begun, {doubts} in doubt, {given_up} jobs given up, {turned_down} turned down; start {} ms (median), \
             {} ms (longest); {} drafts left behind{late}",
            self.cycles,
            self.strict,
            self.lives,
            self.cycles as f64 / seconds,
            self.count.acks(),
            self.starts.get(self.starts.len() / 2).copied().unwrap_or(0),
            self.starts.last().copied().unwrap_or(0),
            self.drafts,
        )
    }
}
