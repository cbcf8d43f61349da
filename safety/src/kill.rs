//! The kill switch: a durable flag that only the operator sets and releases.

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::kernel::Gate;

/// What is refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KillSwitch {
    /// Nothing.
    #[default]
    Off,
    /// Everything above green.
    Effects,
    /// Everything.
    All,
}

impl KillSwitch {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Effects => "effects",
            Self::All => "all",
        }
    }

    /// The state with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Off, Self::Effects, Self::All].into_iter().find(|state| state.as_str() == word)
    }
}

impl Gate {
    /// Tells of every move of the kill switch, to whatever runs without a call.
    #[must_use]
    pub fn brake(&self) -> watch::Receiver<KillSwitch> {
        self.0.kill.subscribe()
    }
}
