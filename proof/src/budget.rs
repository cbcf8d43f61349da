//! How much is to be done, shared by those who do it side by side.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// So many rounds, or so long.
#[derive(Debug)]
pub(crate) struct Budget {
    begun: Instant,
    most: u64,
    longest: Option<Duration>,
    spent: AtomicU64,
    stopped: AtomicBool,
}

impl Budget {
    /// At most so many rounds, and where minutes are given no longer than that.
    pub(crate) fn new(most: u64, minutes: Option<f64>) -> Self {
        Self {
            begun: Instant::now(),
            most,
            longest: minutes.map(|minutes| Duration::from_secs_f64(minutes.max(0.0) * 60.0)),
            spent: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        }
    }

    /// Counts a round.
    pub(crate) fn spend(&self) {
        self.spent.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends early: something was found.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_over(&self) -> bool {
        let late = self.longest.is_some_and(|longest| self.begun.elapsed() > longest);
        late || self.stopped.load(Ordering::Relaxed) || self.spent.load(Ordering::Relaxed) >= self.most
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }
}
