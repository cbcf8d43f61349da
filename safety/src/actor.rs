//! Who asks.

use serde::{Deserialize, Serialize};

use crate::id::ActorId;
use crate::reach::Reach;
use crate::role::Role;
use crate::tier::Tier;

/// The ways in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// The operator, proven by password.
    Operator,
    /// Somebody with access to the socket in the data directory.
    Local,
    /// A client with a token.
    Token,
    /// The process that started `jarvis mcp`.
    McpStdio,
    /// Jarvis himself: start-up, expiry, recovery. Never calls tools.
    System,
}

/// An identity at the moment of a call. Stored with approvals, and looked up again when one is spent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Id as it stands in the audit.
    pub id: ActorId,
    /// How the actor came in.
    pub kind: ActorKind,
    /// For people.
    pub name: String,
    /// Above it a call is refused and never asked.
    pub ceiling: Tier,
    /// What the actor's own form (MCP elicitation) may confirm.
    pub confirm: Tier,
    /// What its holder may do at the faces.
    #[serde(default)]
    pub role: Role,
    /// Which targets it may call on.
    #[serde(default)]
    pub reach: Reach,
}

impl Actor {
    /// Whether what this actor says are a person's own words: the operator's, or those of somebody at this machine.
    /// A token belongs to a program, whatever it repeats.
    #[must_use]
    pub const fn is_person(&self) -> bool {
        matches!(self.kind, ActorKind::Operator | ActorKind::Local)
    }

    /// Whether it may decide the cards of others: the operator, and a token that was made for it.
    #[must_use]
    pub const fn may_approve(&self) -> bool {
        match self.kind {
            ActorKind::Operator => true,
            ActorKind::Token => matches!(self.role, Role::Approver),
            ActorKind::Local | ActorKind::McpStdio | ActorKind::System => false,
        }
    }

    /// Highest tier that a form of this client may confirm: the client relays it and could fill it in by itself, so red
    /// never is.
    #[must_use]
    pub fn form_reach(&self) -> Tier {
        self.confirm.min(Tier::Orange)
    }

    /// The operator.
    #[must_use]
    pub fn operator() -> Self {
        Self {
            id: ActorId::new("operator"),
            kind: ActorKind::Operator,
            name: "operator".to_owned(),
            ceiling: Tier::Red,
            confirm: Tier::Yellow,
            role: Role::Client,
            reach: Reach::default(),
        }
    }

    /// A program on this machine that can open the data directory's socket: may ask for anything, decide nothing.
    #[must_use]
    pub fn local() -> Self {
        Self {
            id: ActorId::new("local"),
            kind: ActorKind::Local,
            name: "this machine".to_owned(),
            ceiling: Tier::Red,
            confirm: Tier::Yellow,
            role: Role::Client,
            reach: Reach::default(),
        }
    }

    /// The client behind `jarvis mcp`.
    #[must_use]
    pub fn mcp_stdio() -> Self {
        Self {
            id: ActorId::new("mcp:stdio"),
            kind: ActorKind::McpStdio,
            name: "MCP over stdio".to_owned(),
            ceiling: Tier::Orange,
            confirm: Tier::Yellow,
            role: Role::Client,
            reach: Reach::default(),
        }
    }

    /// Jarvis himself.
    #[must_use]
    pub fn system() -> Self {
        Self {
            id: ActorId::new("system"),
            kind: ActorKind::System,
            name: "Jarvis".to_owned(),
            ceiling: Tier::Green,
            confirm: Tier::Yellow,
            role: Role::Client,
            reach: Reach::default(),
        }
    }
}
