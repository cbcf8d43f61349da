//! Grants: standing permissions of the operator.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Which calls to let run without asking. What is left out fits everything.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantBody {
    /// Name of a tool, or a pattern with `*` and `?`. Red calls are asked all the same.
    pub tool: String,
    /// Name of the target, or a pattern. Another thing may come to bear the same name; `target_id` cannot be taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Id of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_id: Option<String>,
    /// Id of whoever calls, as it stands in the history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Arguments by name: a value, or `{"like": "web*"}` for a text that fits a pattern.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub when: BTreeMap<String, Value>,
    /// No argument beyond those may be given: a later version of a tool may take more.
    #[serde(default)]
    pub only: bool,
    /// Most calls that it lets through, 1 to 1,000.
    #[serde(default = "ten")]
    pub calls: u32,
    /// How long it lives, 1 to 43,200 minutes (30 days).
    #[serde(default = "day")]
    pub minutes: u32,
}

const fn ten() -> u32 {
    10
}

const fn day() -> u32 {
    24 * 60
}

/// A grant.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GrantInfo {
    /// Id.
    pub id: String,
    /// `live`, `used_up`, `over` or `revoked`.
    pub state: String,
    /// Tool, or a pattern.
    pub tool: String,
    /// Name of the target, or a pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Id of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_id: Option<String>,
    /// Whoever calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Arguments by name.
    pub when: BTreeMap<String, Value>,
    /// Whether no argument beyond those may be given.
    pub only: bool,
    /// Most calls that it lets through.
    pub calls: u32,
    /// Calls that it has let through.
    pub used: u32,
    /// When it was given.
    pub created_at: i64,
    /// When it ends.
    pub expires_at: i64,
    /// When it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<i64>,
}

/// All grants, those that have ended too.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GrantList {
    /// Newest first.
    pub grants: Vec<GrantInfo>,
}

/// A question of the past that a grant would have answered.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SparedInfo {
    /// The card.
    pub approval: String,
    /// When it was asked.
    pub at: i64,
    /// What was asked.
    pub sentence: String,
    /// Tier of the call.
    pub tier: String,
    /// What a person said then: `approved`, `denied`, or `undecided`.
    pub answer: String,
}

/// What a grant would have done.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GrantTrial {
    /// How many of the newest cards were looked through.
    pub looked: u64,
    /// Those that it would have answered, newest first.
    pub spared: Vec<SparedInfo>,
}
