//! How dangerous a call is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The four tiers, in rising order. Arguments and targets may raise a tier, nothing lowers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Reads only.
    Green,
    /// Changes something that comes back by itself or can be put back.
    Yellow,
    /// Takes a service or access away until someone acts, or brings foreign code in.
    Orange,
    /// Destroys, exposes to the outside, spends money, or cannot be taken back.
    Red,
}

impl Tier {
    /// All tiers in rising order.
    pub const ALL: [Self; 4] = [Self::Green, Self::Yellow, Self::Orange, Self::Red];

    /// The lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Orange => "orange",
            Self::Red => "red",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The word is none of the four tiers.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a tier; use green, yellow, orange or red")]
pub struct UnknownTier(String);

impl FromStr for Tier {
    type Err = UnknownTier;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|tier| tier.as_str() == word).ok_or_else(|| UnknownTier(word.to_owned()))
    }
}

/// What a tool may touch. There is no default: whoever writes a tool says each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effects {
    /// Reads state of the outside world.
    pub reads: bool,
    /// Changes state.
    pub writes: bool,
    /// Removes something, recoverably or not.
    pub deletes: bool,
    /// Talks to hosts that the operator does not own.
    pub network: bool,
    /// Costs money.
    pub spends: bool,
    /// Makes something reachable that was not.
    pub exposes: bool,
}

impl Effects {
    /// Reads and nothing else.
    pub const READS: Self =
        Self { reads: true, writes: false, deletes: false, network: false, spends: false, exposes: false };
    /// Reads and changes.
    pub const WRITES: Self = Self { writes: true, ..Self::READS };
    /// Reads, changes and removes.
    pub const DELETES: Self = Self { deletes: true, ..Self::WRITES };

    /// The effects as words, for catalogue and wire.
    #[must_use]
    pub fn words(&self) -> Vec<&'static str> {
        let all = [
            (self.reads, "reads"),
            (self.writes, "writes"),
            (self.deletes, "deletes"),
            (self.network, "network"),
            (self.spends, "spends"),
            (self.exposes, "exposes"),
        ];
        all.into_iter().filter_map(|(set, word)| set.then_some(word)).collect()
    }
}
