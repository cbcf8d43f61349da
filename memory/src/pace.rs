//! How fast one token may ask.
//!
//! A bucket that holds a minute's worth of requests and fills evenly, kept as the one time at which it would be full again
//! (the generic cell rate algorithm): counting is one compare-and-swap on a number of that token alone, without a lock and
//! without the store. Each server counts its own; a restart forgets, which lets through a minute's worth at most.

use std::sync::atomic::{AtomicI64, Ordering};

/// The window, in microseconds: finer than the clock, so that any limit divides it well enough.
const MINUTE: i64 = 60_000_000;

/// When the bucket is full again, in microseconds since 1970.
#[derive(Default)]
pub(crate) struct Pace(AtomicI64);

impl Pace {
    /// Takes one of so many a minute; else answers after how many milliseconds there is one, at least 1.
    pub(crate) fn take(&self, per_minute: u32, now_ms: i64) -> Result<(), i64> {
        let (now, one) = (now_ms * 1000, MINUTE / i64::from(per_minute.max(1)));
        let mut full_at = self.0.load(Ordering::Relaxed);
        loop {
            // Later than a whole minute ahead it can only be after the clock was put back.
            let from = if full_at > now + MINUTE { now } else { full_at.max(now) };
            let next = from + one;
            if next > now + MINUTE {
                return Err(((next - now - MINUTE) / 1000).max(1));
            }
            match self.0.compare_exchange_weak(full_at, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(found) => full_at = found,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minutes_worth_at_once_then_evenly() {
        let pace = Pace::default();
        let now = 1_700_000_000_000;
        assert!((0..30).all(|_| pace.take(30, now).is_ok()));
        assert_eq!(pace.take(30, now), Err(2_000));
        assert_eq!(pace.take(30, now + 1_999), Err(1));
        assert!(pace.take(30, now + 2_000).is_ok());
        assert!(pace.take(30, now + 2_000).is_err());
        assert!((0..30).all(|_| pace.take(30, now + 62_000).is_ok()));
    }

    #[test]
    fn a_clock_that_was_put_back_locks_nobody_out() {
        let pace = Pace::default();
        let now = 1_700_000_000_000;
        assert!((0..60).all(|_| pace.take(60, now).is_ok()));
        assert!(pace.take(60, now - 3_600_000).is_ok());
    }

    #[test]
    fn of_many_at_once_only_so_many_get_in() {
        let pace = Pace::default();
        let taken = || (0..100).filter(|_| pace.take(40, 1_700_000_000_000).is_ok()).count();
        let all: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(taken)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(all, 40);
    }
}
