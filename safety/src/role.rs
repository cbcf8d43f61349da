//! What the holder of a token may do at the faces.
//!
//! One table, and not a check in each handler: a handler says what it is for ([`Deed`]), and this file alone says whose
//! it is. A role never lifts anything; tier, targets, policy and approval hold below it as for everybody.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::tier::Tier;

/// The role of a token. The operator, who proves himself by a password, needs none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A program or a model that acts: asks for anything up to its ceiling, decides nothing.
    #[default]
    Client,
    /// A bot that relays a person's decisions: a client that also decides the cards of others. Never over MCP.
    Approver,
    /// A display or a monitor: reads, and leaves nothing behind.
    Viewer,
    /// Somebody who is let in for a while: asks green things on its targets, and sees nothing but its own.
    Guest,
}

/// What an operation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// To call a tool or look at one, and to follow what is the caller's own.
    Ask,
    /// To talk: what is said becomes a turn, which calls as the speaker.
    Talk,
    /// To see how Jarvis is.
    Watch,
    /// To leave something that goes on or changes: plans, jobs, schedules, stops, decisions.
    Act,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Client, Self::Approver, Self::Viewer, Self::Guest];

    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Approver => "approver",
            Self::Viewer => "viewer",
            Self::Guest => "guest",
        }
    }

    /// Whether it may do such a thing at a face.
    #[must_use]
    pub const fn may(self, deed: Deed) -> bool {
        match self {
            Self::Client | Self::Approver => true,
            Self::Viewer => matches!(deed, Deed::Ask | Deed::Watch),
            Self::Guest => matches!(deed, Deed::Ask | Deed::Talk),
        }
    }

    /// Highest tier that it may ask for, whatever the ceiling of its token says.
    #[must_use]
    pub const fn most(self) -> Tier {
        match self {
            Self::Client | Self::Approver => Tier::Red,
            Self::Viewer | Self::Guest => Tier::Green,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The word is no role of a token.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a role of a token; use client, approver, viewer or guest")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.as_str() == word).ok_or_else(|| UnknownRole(word.to_owned()))
    }
}
