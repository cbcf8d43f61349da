//! Faults of the log of the database: each is counted by whoever meets it, and made up for by the writer.
//!
//! What the system could not write it forgets, and the next fsync goes well: the log may have a gap from then on, and rows
//! behind a gap are lost with a power cut. So nothing is acknowledged, or called durable, before the log has begun anew
//! after the last fault.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many there were, and up to which the log has begun anew.
#[derive(Debug, Default)]
pub(crate) struct Tears {
    met: AtomicU64,
    mended: AtomicU64,
}

impl Tears {
    /// Of a log that began anew, or that could not.
    pub(crate) fn of(anew: bool) -> Self {
        Self { met: AtomicU64::new(u64::from(!anew)), mended: AtomicU64::default() }
    }

    /// One more.
    pub(crate) fn meet(&self) {
        self.met.fetch_add(1, Ordering::AcqRel);
    }

    /// How many there were so far.
    pub(crate) fn met(&self) -> u64 {
        self.met.load(Ordering::Acquire)
    }

    /// The log has begun anew after so many; whatever was met meanwhile is another one.
    pub(crate) fn mend(&self, met: u64) {
        self.mended.store(met, Ordering::Release);
    }

    /// Whether the log may have a gap.
    pub(crate) fn are_open(&self) -> bool {
        self.mended.load(Ordering::Acquire) != self.met()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_met_while_another_is_mended_stays_open() {
        let tears = Tears::default();
        assert!(!tears.are_open());
        tears.meet();
        let met = tears.met();
        assert!(tears.are_open());
        tears.meet();
        tears.mend(met);
        assert!(tears.are_open());
        tears.mend(tears.met());
        assert!(!tears.are_open());
    }
}
