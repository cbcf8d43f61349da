//! Limits for guessing passwords and codes.
//!
//! An attempt is counted when it begins and forgotten when it was right, so many at once gain nothing. Addresses are
//! counted singly (IPv6 by its /64, which is what one customer has), and all of them together, so that many addresses
//! do not add up. Loopback and the local socket are not part of the sum: a stranger cannot lock the owner out of it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Attempts of one source within a window.
const PER_SOURCE: usize = 5;
/// Attempts of all distant sources within a window.
const ALTOGETHER: usize = 60;
/// The window.
const WINDOW_MS: i64 = 60_000;
/// Sources that are remembered; more than can reach [`ALTOGETHER`].
const MAX_SOURCES: usize = 256;

/// Where an attempt comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The socket in the data directory.
    Socket,
    /// A loopback address. A proxy on this machine makes strangers look like this, so it is not the same as the socket.
    Loopback,
    /// An address, with the part that one customer can change at will cut off.
    Far(IpAddr),
}

impl Source {
    /// The source behind a peer's address; none means the local socket.
    #[must_use]
    pub fn of(peer: Option<IpAddr>) -> Self {
        match peer.map(|address| address.to_canonical()) {
            None => Self::Socket,
            Some(address) if address.is_loopback() => Self::Loopback,
            Some(IpAddr::V4(address)) => Self::Far(IpAddr::V4(address)),
            Some(IpAddr::V6(address)) => {
                let [a, b, c, d, ..] = address.segments();
                Self::Far(IpAddr::from([a, b, c, d, 0, 0, 0, 0]))
            }
        }
    }
}

impl Source {
    const fn is_far(self) -> bool {
        matches!(self, Self::Far(_))
    }
}

/// Counts attempts.
#[derive(Debug, Default)]
pub struct Attempts {
    times: Mutex<HashMap<Source, Vec<i64>>>,
}

/// Too many: ask again after so many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany {
    /// At least 1.
    pub retry_after: u64,
}

impl Attempts {
    /// Counts an attempt and answers how many this source made before it within the window.
    ///
    /// # Errors
    /// If it is one too many; it is not counted then, so that waiting helps.
    pub fn admit(&self, source: Source, now: i64) -> Result<usize, TooMany> {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.retain(|_, list| {
            list.retain(|at| *at > now - WINDOW_MS && *at <= now);
            !list.is_empty()
        });
        let own = times.get(&source).map_or(0, Vec::len);
        let far: Vec<i64> =
            times.iter().filter(|(source, _)| source.is_far()).flat_map(|(_, list)| list.clone()).collect();
        if own >= PER_SOURCE {
            return Err(too_many(times.get(&source).into_iter().flatten().copied(), now));
        }
        let crowded = far.len() >= ALTOGETHER || times.len() >= MAX_SOURCES;
        if source.is_far() && crowded {
            return Err(too_many(far.into_iter(), now));
        }
        times.entry(source).or_default().push(now);
        Ok(own)
    }

    /// The attempt was right: its source starts anew.
    pub fn forget(&self, source: Source) {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).remove(&source);
    }
}

fn too_many(times: impl Iterator<Item = i64>, now: i64) -> TooMany {
    let oldest = times.min().unwrap_or(now);
    let left = oldest + WINDOW_MS - now;
    TooMany { retry_after: u64::try_from((left + 999) / 1000).unwrap_or(1).max(1) }
}

/// How long a wrong attempt is held back, by the number of attempts before it.
#[must_use]
pub const fn penalty_ms(before: usize) -> u64 {
    match before {
        0 => 250,
        1 => 500,
        2 => 1_000,
        _ => 2_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn far(text: &str) -> Source {
        Source::of(Some(text.parse().unwrap()))
    }

    #[test]
    fn the_sixth_attempt_within_a_minute_waits_until_the_first_is_a_minute_old() {
        let attempts = Attempts::default();
        for before in 0..5 {
            assert_eq!(attempts.admit(far("192.0.2.1"), 1_000 * before), Ok(usize::try_from(before).unwrap()));
        }
        assert_eq!(attempts.admit(far("192.0.2.1"), 5_000), Err(TooMany { retry_after: 55 }));
        assert_eq!(attempts.admit(far("192.0.2.2"), 5_000), Ok(0));
        assert_eq!(attempts.admit(far("192.0.2.1"), 60_000), Ok(4));
    }

    #[test]
    fn a_right_attempt_starts_anew() {
        let attempts = Attempts::default();
        for _ in 0..5 {
            attempts.admit(Source::Loopback, 0).unwrap();
        }
        assert!(attempts.admit(Source::Loopback, 0).is_err());
        assert_eq!(attempts.admit(Source::Socket, 0), Ok(0));
        attempts.forget(Source::Loopback);
        assert_eq!(attempts.admit(Source::Loopback, 0), Ok(0));
    }

    #[test]
    fn changing_the_lower_half_of_an_ipv6_address_gains_nothing() {
        assert_eq!(far("2001:db8::1"), far("2001:db8::ffff:1"));
        assert_ne!(far("2001:db8::1"), far("2001:db8:0:1::1"));
        assert_eq!(far("::ffff:192.0.2.1"), far("192.0.2.1"));
        assert_eq!(far("127.0.0.1"), Source::Loopback);
        assert_eq!(far("::1"), Source::Loopback);
    }

    #[test]
    fn many_addresses_together_are_limited_and_cannot_lock_out_this_machine() {
        let attempts = Attempts::default();
        for last in 0..60 {
            attempts.admit(far(&format!("192.0.2.{last}")), 0).unwrap();
        }
        assert_eq!(attempts.admit(far("198.51.100.1"), 1), Err(TooMany { retry_after: 60 }));
        assert_eq!(attempts.admit(Source::Loopback, 1), Ok(0));
        assert_eq!(attempts.admit(Source::Socket, 1), Ok(0));
    }
}
