//! Errors as `application/problem+json` (RFC 9457).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a request was not carried out. Nothing was done when one is returned, unless `detail` says otherwise.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Stable code for programs, for example `above_ceiling` or `unknown_tool`.
    pub code: String,
    /// The HTTP status again, for clients that lost the header.
    pub status: u16,
    /// A sentence that says what was wrong and what to do next.
    pub detail: String,
    /// The rule of the gate that refused, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Follows this request through logs and audit.
    pub correlation: String,
}
