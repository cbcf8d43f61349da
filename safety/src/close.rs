//! Stopping in good order.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::kernel::{Console, Inner};
use crate::tier::Tier;

/// How long an effect that was cancelled may take to be probed and recorded.
const CANCELLED: Duration = Duration::from_secs(15);

impl Console {
    /// Begins no effect any more and waits for the running ones: for as long as is given, then cancels and probes them.
    /// Answers how many are still running; the next start probes those.
    pub async fn close(&self, longest: Duration) -> usize {
        self.inner().closing.store(true, Ordering::Release);
        if self.inner().quiet(longest).await {
            return 0;
        }
        for (tier, _, cancel) in self.inner().running.lock().unwrap_or_else(PoisonError::into_inner).values() {
            if *tier > Tier::Green {
                cancel.cancel();
            }
        }
        self.inner().quiet(CANCELLED).await;
        self.inner().effects()
    }
}

impl Inner {
    fn effects(&self) -> usize {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.values().filter(|(tier, _, _)| *tier > Tier::Green).count()
    }

    /// Waits until no effect runs; answers whether that was so in time.
    async fn quiet(&self, longest: Duration) -> bool {
        let until = tokio::time::Instant::now() + longest;
        loop {
            let ended = self.ended.notified();
            if self.effects() == 0 {
                return true;
            }
            if tokio::time::timeout_at(until, ended).await.is_err() {
                return false;
            }
        }
    }
}
