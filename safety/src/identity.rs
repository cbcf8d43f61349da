//! Tokens and sessions, without their secrets.

use serde::{Deserialize, Serialize};

use crate::id::{ActorId, SessionId, TokenId};
use crate::reach::Reach;
use crate::role::Role;
use crate::tier::Tier;

/// What a new token may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenGrant {
    /// Name for people.
    pub name: String,
    /// Highest tier it may ask for.
    pub ceiling: Tier,
    /// What its own form may confirm: yellow, or orange where the operator said so.
    pub confirm: Tier,
    /// What its holder may do at the faces.
    pub role: Role,
    /// Which targets it may call on.
    pub reach: Reach,
    /// When it ends by itself.
    pub expires_at: Option<i64>,
    /// Most requests a minute; none means as many as the machine can answer.
    pub per_minute: Option<u32>,
}

impl TokenGrant {
    /// One that acts up to a tier, on everything, without an end, and confirms nothing above yellow.
    #[must_use]
    pub fn client(name: impl Into<String>, ceiling: Tier) -> Self {
        Self {
            name: name.into(),
            ceiling,
            confirm: Tier::Yellow,
            role: Role::Client,
            reach: Reach::default(),
            expires_at: None,
            per_minute: None,
        }
    }

    /// Whether its time is over.
    #[must_use]
    pub fn is_over(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

/// A token of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Id.
    pub id: TokenId,
    /// What it may do.
    pub grant: TokenGrant,
    /// When it was made.
    pub created_at: i64,
    /// When it was last used, to the minute.
    pub used_at: Option<i64>,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
}

impl Token {
    /// The actor that a holder of this token is.
    #[must_use]
    pub fn actor(&self) -> crate::Actor {
        crate::Actor {
            id: ActorId::new(format!("token:{}", self.id)),
            kind: crate::ActorKind::Token,
            name: self.grant.name.clone(),
            ceiling: self.grant.ceiling.min(self.grant.role.most()),
            confirm: self.grant.confirm,
            role: self.grant.role,
            reach: self.grant.reach.clone(),
        }
    }
}

/// Where a session was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whence {
    /// `dashboard`, or `cli` for a program that holds the secret itself.
    pub face: String,
    /// The peer's address, as far as it is known; `socket` for the one in the data directory.
    pub place: String,
}

/// A signed-in session of the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Id.
    pub id: SessionId,
    /// Where it was opened.
    pub whence: Whence,
    /// When it was opened.
    pub created_at: i64,
    /// When it ends.
    pub expires_at: i64,
    /// When it was last used, to the minute.
    pub used_at: i64,
}

/// Where an attempt to sign in comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Tells it from others.
    pub name: String,
    /// Whether it is not on this machine.
    pub far: bool,
}

/// What became of an attempt to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may be made.
    Admitted {
        /// Attempts of its source within the last minute.
        before: usize,
    },
    /// It is one too many, and was not counted.
    TooMany {
        /// When it may be made again, in milliseconds from now; at least 1.
        wait_ms: i64,
    },
}
