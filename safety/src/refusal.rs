//! Why the gate, or a face before it, said no.

use serde::{Deserialize, Serialize};

use crate::port::StoreError;

/// A refusal: nothing was done. Code and rule are stable, the message is for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Stable code.
    pub code: Code,
    /// The rule that refused.
    pub rule: String,
    /// What was wrong and what to do.
    pub message: String,
}

impl Refusal {
    /// A refusal by a rule.
    #[must_use]
    pub fn new(code: Code, rule: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, rule: rule.into(), message: message.into() }
    }

    /// Whether it may hold words of others, such as names of what is there: a tool has looked and not found, a card came
    /// to nothing, a job repeats what went wrong.
    #[must_use]
    pub fn quotes_strangers(&self) -> bool {
        self.rule == RESOLVE || matches!(self.code, Code::ApprovalStale | Code::Unavailable)
    }

    /// Whether it leaves open what became of a call that was made with a key: it still runs, or its key cannot be looked
    /// up. Asking again with the same key tells.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.rule == KEY_RULE && matches!(self.code, Code::AlreadyDecided | Code::StoreUnavailable)
    }

    /// A refusal of what was sent, by validation.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArguments, "validate", message)
    }
}

/// The rule of what a tool itself refused while it looked for its target.
pub(crate) const RESOLVE: &str = "resolve";

/// The rule that a key stands for one call.
pub(crate) const KEY_RULE: &str = "idempotency key";

/// The store could not say what a key stands for.
pub(crate) fn key_refusal(error: &StoreError) -> Refusal {
    let said =
        format!("whether a call was made with this key cannot be looked up ({error}); ask again with the same key");
    Refusal::new(Code::StoreUnavailable, KEY_RULE, said)
}

/// The store could not.
pub(crate) fn store_refusal(error: &StoreError) -> Refusal {
    Refusal::new(Code::StoreUnavailable, "store", error.to_string())
}

impl crate::kernel::Gate {
    /// Records what a face refused before it became a call, and answers the refusal.
    pub async fn refuse(&self, request: &crate::call::Request, refusal: Refusal) -> crate::outcome::Answer {
        self.0.refused(request, None, refusal).await
    }
}

/// All reasons, with their stable words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// No tool has this name.
    UnknownTool,
    /// The arguments do not fit the tool.
    InvalidArguments,
    /// The target does not exist or cannot be told apart.
    UnknownTarget,
    /// What the tool needs is not there (no Docker socket, no rights).
    Unavailable,
    /// Above the caller's ceiling.
    AboveCeiling,
    /// Not among the caller's targets.
    OutsideTargets,
    /// The autonomy level refuses.
    AutonomyLevel,
    /// A rule of `policy.toml` refuses.
    Policy,
    /// `policy.toml` cannot be read.
    PolicyUnreadable,
    /// The kill switch is on.
    Stopped,
    /// Nobody could approve it.
    NoApprover,
    /// The caller may not do this.
    Forbidden,
    /// The caller is not known, or no longer.
    Unauthenticated,
    /// The approval does not exist.
    UnknownApproval,
    /// Somebody decided before.
    AlreadyDecided,
    /// The approval lapsed.
    ApprovalExpired,
    /// What was approved is not what would run now.
    ApprovalStale,
    /// A person said no.
    Denied,
    /// The same key came with another call.
    KeyReused,
    /// The call cannot be undone, or was undone.
    NotUndoable,
    /// The thing asked for does not exist.
    NotFound,
    /// Too many requests.
    RateLimited,
    /// The store could not say whether it was kept.
    StoreUnavailable,
}

impl Code {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownTool => "unknown_tool",
            Self::InvalidArguments => "invalid_arguments",
            Self::UnknownTarget => "unknown_target",
            Self::Unavailable => "unavailable",
            Self::AboveCeiling => "above_ceiling",
            Self::OutsideTargets => "outside_targets",
            Self::AutonomyLevel => "autonomy_level",
            Self::Policy => "policy",
            Self::PolicyUnreadable => "policy_unreadable",
            Self::Stopped => "stopped",
            Self::NoApprover => "no_approver",
            Self::Forbidden => "forbidden",
            Self::Unauthenticated => "unauthenticated",
            Self::UnknownApproval => "unknown_approval",
            Self::AlreadyDecided => "already_decided",
            Self::ApprovalExpired => "approval_expired",
            Self::ApprovalStale => "approval_stale",
            Self::Denied => "denied",
            Self::KeyReused => "key_reused",
            Self::NotUndoable => "not_undoable",
            Self::NotFound => "not_found",
            Self::RateLimited => "rate_limited",
            Self::StoreUnavailable => "store_unavailable",
        }
    }
}
