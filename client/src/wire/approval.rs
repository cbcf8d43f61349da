//! Approval cards.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CallAnswer, Preview};

/// A durable question to a person: may exactly these calls run?
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApprovalInfo {
    /// Id of the card.
    pub id: String,
    /// `pending`, `approved`, `running`, `done`, `failed`, `unknown`, `denied`, `expired` or `stale`.
    pub state: String,
    /// Highest tier of its steps.
    pub tier: String,
    /// The rule that asked.
    pub rule: String,
    /// Who asks: id of the actor.
    pub actor: String,
    /// Who asks, by name.
    pub actor_name: String,
    /// From where: `dashboard`, `cli`, `mcp`, `chat` …
    pub face: String,
    /// The words of the person that led here, if any did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
    /// Who chose the call: `person` (their own words or hand), `client` (a program, or our own model before strangers
    /// were in its sight), `model` (a client's own model), `led` (such a model that was handed what strangers may have
    /// written), `unvouched` (our own model with such text in sight, and the person's words do not order it).
    pub vouching: String,
    /// Names of the arguments whose values nothing of the person's vouches for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unvouched: Vec<String>,
    /// Conversation that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
    /// SHA-256 over all steps and the policy version.
    pub digest: String,
    /// One call, or the ordered calls of a plan.
    pub steps: Vec<StepInfo>,
    /// Whether a grant could spare such a question: one yellow or orange call, vouched for, and not asked by the policy.
    #[serde(default)]
    pub grantable: bool,
    /// A person said yes to the same question at least twice within the last seven days: give a grant instead?
    #[serde(default)]
    pub proposes_grant: bool,
    /// When it was asked.
    pub created_at: i64,
    /// When it lapses.
    pub expires_at: i64,
    /// When somebody decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<i64>,
    /// Who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// The word that came back with a denial, or why the card lapsed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// One call on a card.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StepInfo {
    /// `waiting`, `running`, `done`, `failed`, `unknown`, `cancelled`, `skipped`, or `denied`: left out by a person.
    pub state: String,
    /// What was shown when it was asked.
    pub preview: Preview,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<CallAnswer>,
}

/// A page of cards, newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApprovalList {
    /// The cards.
    pub approvals: Vec<ApprovalInfo>,
}

/// What of a plan to leave out.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveBody {
    /// Numbers of the steps that are not to run, from 1. At least one step must be left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<u32>,
}

/// The word that goes back to whoever asked.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DenyBody {
    /// At most 500 characters.
    #[serde(default)]
    pub because: String,
}
