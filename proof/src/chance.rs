//! Chance that can be repeated: which calls are made and when the kill comes follows from one number.
//!
//! What the threads of two processes make of it does not, so a seed brings back the kind of run and not the run itself.

use std::time::Duration;

/// A stream of numbers (SplitMix64, Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    /// Begins at a number, or at one that the system gives.
    pub(crate) fn new(seed: Option<u64>) -> anyhow::Result<(Self, u64)> {
        let seed = match seed {
            Some(seed) => seed,
            None => getrandom::u64()?,
        };
        Ok((Self(seed), seed))
    }

    /// The stream of one of many things that are numbered: each can be brought back without those before it.
    pub(crate) const fn of(seed: u64, number: u64) -> Self {
        let mut chance = Self(seed ^ number.wrapping_mul(0xd134_2543_de82_ef95));
        chance.next();
        chance
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A stream of its own for somebody else.
    pub(crate) const fn fork(&mut self) -> Self {
        Self(self.next())
    }

    /// From `low` to `high`, without `high`.
    pub(crate) const fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }

    /// Whether something happens that happens so often in a hundred.
    pub(crate) const fn percent(&mut self, share: u64) -> bool {
        self.between(0, 100) < share
    }

    /// A time between two, to the microsecond.
    pub(crate) fn time(&mut self, low: Duration, high: Duration) -> Duration {
        let (low, high) = (micros(low), micros(high));
        Duration::from_micros(self.between(low, high.max(low + 1)))
    }

    /// Takes out one of several.
    pub(crate) fn take<T>(&mut self, all: &mut Vec<T>) -> Option<T> {
        let place = usize::try_from(self.between(0, all.len().max(1) as u64)).unwrap_or(0);
        (place < all.len()).then(|| all.swap_remove(place))
    }

    /// One of several.
    pub(crate) fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let place = self.next() % (all.len() as u64).max(1);
        all.get(usize::try_from(place).unwrap_or(0))
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_brings_one_stream_and_another_seed_another() {
        let stream = |seed| {
            let (mut chance, _) = Chance::new(Some(seed)).unwrap();
            (0..8).map(|_| chance.next()).collect::<Vec<_>>()
        };
        assert_eq!(stream(7), stream(7));
        assert_ne!(stream(7), stream(8));
        // From the paper's reference implementation.
        assert_eq!(stream(1_234_567)[..2], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn what_is_drawn_stays_within_its_bounds() {
        let (mut chance, _) = Chance::new(Some(1)).unwrap();
        for _ in 0..1000 {
            assert!((3..6).contains(&chance.between(3, 6)));
            assert!(!chance.percent(0));
            assert!(chance.percent(100));
        }
        assert_eq!(chance.pick::<u8>(&[]), None);
        assert_eq!(chance.take::<u8>(&mut Vec::new()), None);
    }
}
