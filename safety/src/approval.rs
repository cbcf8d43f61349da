//! Approval cards: one call, or the ordered calls of a plan.
//!
//! A single call is a plan of one step, so there is one life cycle:
//!
//! ```text
//! pending ─► approved ─► running ─► done | failed | unknown
//!    │           │
//!    ├► denied   └► stale   (decided again at spending, and stricter)
//!    └► expired
//! ```

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::call::{Origin, Request, Vouching};
use crate::digest::Digest;
use crate::id::{ActorId, ApprovalId, CallId};
use crate::outcome::Outcome;
use crate::refusal::Refusal;
use crate::target::Target;
use crate::tier::Tier;
use crate::tool::Preview;

/// State of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    /// Waits for a person.
    Pending,
    /// A person said yes; not yet spent.
    Approved,
    /// Its first step is spent.
    Running,
    /// All steps are done.
    Done,
    /// A step failed or was cancelled; the rest is skipped.
    Failed,
    /// A step was cut off and nobody can tell whether it happened; the rest is skipped.
    Unknown,
    /// A person said no.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// What was approved is not what would have run.
    Stale,
}

impl ApprovalState {
    /// All states, in the order of life.
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::Approved,
        Self::Running,
        Self::Done,
        Self::Failed,
        Self::Unknown,
        Self::Denied,
        Self::Expired,
        Self::Stale,
    ];

    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Stale => "stale",
        }
    }

    /// The state with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether nothing more will happen to the card.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Approved | Self::Running)
    }
}

/// State of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Not yet spent.
    Waiting,
    /// Spent; its outcome is not recorded yet.
    Running,
    /// It happened.
    Done,
    /// It did not.
    Failed,
    /// Nobody can tell.
    Unknown,
    /// It was cancelled and did not happen.
    Cancelled,
    /// An earlier step did not succeed.
    Skipped,
    /// A person left it out of what was approved.
    Denied,
}

impl StepState {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
            Self::Denied => "denied",
        }
    }
}

/// What a person says to a card.
#[derive(Debug, Clone)]
pub(crate) enum Ruling {
    /// Yes, but for these steps, from 0.
    Approve(Vec<u32>),
    /// No, with a word back.
    Deny(String),
    /// It is not wanted any more; why.
    Withdraw(String),
}

/// One call on a card, as it was shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Id that the call will have when it runs.
    pub call: CallId,
    /// Tool.
    pub tool: String,
    /// Revision of the tool.
    pub revision: u32,
    /// Canonical arguments.
    pub args: serde_json::Value,
    /// What it acts on.
    pub target: Target,
    /// The call that it takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<CallId>,
    /// Tier of exactly this call.
    pub tier: Tier,
    /// Digest over tool, revision, schema, arguments, target and tier.
    pub digest: Digest,
    /// What will happen, made from the hashed values.
    pub sentence: String,
    /// What else was shown.
    pub preview: Preview,
    /// The rule that asked, or that would have let it run.
    pub rule: String,
    /// State.
    pub state: StepState,
    /// What came of it.
    pub outcome: Option<Outcome>,
}

/// A durable question to a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// Id.
    pub id: ApprovalId,
    /// Who asks; looked up again when it is spent.
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
    /// Who chose.
    pub vouching: Vouching,
    /// State.
    pub state: ApprovalState,
    /// Highest tier of its steps.
    pub tier: Tier,
    /// The rule that asked.
    pub rule: String,
    /// Digest over the steps' digests and the policy version.
    pub digest: Digest,
    /// Digest over tools, arguments and policy version, without the targets: by it a caller fetches the outcome of a
    /// call that changed or removed its own target.
    pub question: Digest,
    /// Idempotency key of the caller, on a card of one call.
    #[serde(default)]
    pub key: Option<String>,
    /// Version of policy and autonomy under which it was asked.
    pub policy: Digest,
    /// The calls, in order.
    pub steps: Vec<Step>,
    /// A person said yes to the same question before, so often that a grant is proposed.
    #[serde(default)]
    pub proposes_grant: bool,
    /// When it was asked.
    pub created_at: i64,
    /// When it lapses.
    pub expires_at: i64,
    /// When it was decided.
    pub decided_at: Option<i64>,
    /// Who decided.
    pub decided_by: Option<ActorId>,
    /// The word that came back, or why it lapsed.
    pub because: Option<String>,
    /// When the last step ended.
    pub finished_at: Option<i64>,
}

impl Approval {
    /// A new card for calls of one actor, without their steps. Of a plan the least traceable choice counts.
    pub(crate) fn of(
        id: ApprovalId,
        requests: &[Request],
        rule: String,
        policy: Digest,
        created_at: i64,
        expires_at: i64,
    ) -> Self {
        let first = &requests[0];
        Self {
            id,
            actor: first.actor.clone(),
            origin: Origin {
                unvouched: requests.iter().flat_map(Request::unvouched).collect::<BTreeSet<_>>().into_iter().collect(),
                ..first.origin.clone()
            },
            vouching: requests.iter().map(|request| request.vouching).fold(first.vouching, Vouching::max),
            state: ApprovalState::Pending,
            tier: Tier::Green,
            rule,
            digest: Digest::of(b""),
            question: Digest::of(b""),
            key: None,
            policy,
            steps: Vec::new(),
            proposes_grant: false,
            created_at,
            expires_at,
            decided_at: None,
            decided_by: None,
            because: None,
            finished_at: None,
        }
    }

    /// Where the call of a step comes from.
    pub(crate) fn origin_of(&self, step: &Step) -> Origin {
        // A card from before its steps said so has one step.
        let undoes = step.undoes.clone().or_else(|| self.origin.undoes.clone());
        Origin { undoes, ..self.origin.clone() }
    }

    /// Whether something of it is left, without these steps, from 0.
    pub(crate) fn left(&self, without: &[u32]) -> Result<(), Refusal> {
        let out = |step: usize| without.iter().any(|out| *out as usize == step);
        let all = self.steps.len();
        if without.iter().all(|step| (*step as usize) < all) && (0..all).any(|step| !out(step)) {
            return Ok(());
        }
        Err(Refusal::invalid(format!("leave out some of the {all} steps, or deny the card; nothing was decided")))
    }
}
