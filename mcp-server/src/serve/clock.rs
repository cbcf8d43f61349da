//! The ambient clock and id generator: the only places where the bans on them are lifted.

use std::time::{SystemTime, UNIX_EPOCH};

use jarvis_safety::port::{Clock, Ids};

/// The time of the machine.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the port that everyone else uses")]
    fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

/// UUIDs of version 7: ordered by time, unguessable by chance.
pub(crate) struct UuidIds;

impl Ids for UuidIds {
    #[expect(clippy::disallowed_methods, reason = "this is the port that everyone else uses")]
    fn next(&self) -> u128 {
        uuid::Uuid::now_v7().as_u128()
    }
}
