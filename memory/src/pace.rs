//! How fast one token may ask.
//!
//! A bucket that holds a minute's worth of requests and fills evenly, kept as the one time at which it would be full again
//! (the generic cell rate algorithm): counting is one compare-and-swap on a number of that token alone, without a lock and
//! without the store, and a restart forgets, which lets through a minute's worth at most. Replicas that share a database
//! count together in it, what is not one too many for their own bucket already.

use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use jarvis_safety::id::TokenId;
use sqlx::Row as _;

use crate::change::{Change, Durability, Tx};
use crate::stored::Halt;

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

/// Takes one of so many a minute out of the bucket that replicas share; answers the milliseconds after which there is one,
/// if there is none. Only PostgreSQL has replicas.
pub(crate) struct TakeShared {
    pub(crate) token: TokenId,
    pub(crate) per_minute: u32,
}

#[async_trait]
impl Change for TakeShared {
    type Answer = Option<i64>;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Option<i64>, Halt> {
        // The one clock that all of them have.
        let found = sqlx::query(
            "select coalesce((select full_at from pace where token = $1), 0), \
             cast(extract(epoch from clock_timestamp()) * 1000 as bigint)",
        )
        .bind(self.token.as_str())
        .fetch_one(&mut *tx.connection)
        .await?;
        let bucket = Pace(AtomicI64::new(found.try_get(0)?));
        if let Err(wait) = bucket.take(self.per_minute, found.try_get(1)?) {
            return Ok(Some(wait));
        }
        sqlx::query(
            "insert into pace (token, full_at) values ($1, $2) on conflict (token) do update set full_at = excluded.full_at",
        )
        .bind(self.token.as_str())
        .bind(bucket.0.into_inner())
        .execute(&mut *tx.connection)
        .await?;
        Ok(None)
    }

    /// Nothing is done by it.
    fn durability(&self) -> Durability {
        Durability::Wal
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
