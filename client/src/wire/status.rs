//! How Jarvis himself is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the frame of every page shows.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StatusInfo {
    /// Name of this machine.
    pub host: String,
    /// Version of Jarvis.
    pub version: String,
    /// `off`, `effects` (everything above green is refused) or `all`.
    pub kill: String,
    /// Default autonomy level.
    pub level: u8,
    /// Approvals that wait.
    pub waiting: u64,
    /// Highest tier among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_tier: Option<String>,
    /// Sequence of the newest event.
    pub head: u64,
    /// Last verification of the audit, if there was one since the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<super::AuditReport>,
    /// Name of the configured model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What needs the operator's attention: no password yet, policy file unreadable, listening without TLS …
    pub warnings: Vec<String>,
}

/// One thing that `doctor` looked at.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// What was looked at.
    pub what: String,
    /// `ok`, `missing` or `warning`.
    pub state: String,
    /// What was found.
    pub found: String,
    /// How to mend it; empty when there is nothing to mend.
    #[serde(default)]
    pub fix: String,
}

/// Everything that `doctor` looked at.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DoctorReport {
    /// In the order of looking.
    pub findings: Vec<Finding>,
}

/// How much to stop.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KillBody {
    /// `effects` (the default) or `all`.
    #[serde(default)]
    pub level: Option<String>,
}

/// What a path is as a protected resource of OAuth 2.1 (RFC 9728).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ResourceMetadata {
    /// Its address.
    pub resource: String,
    /// Its name.
    pub resource_name: String,
    /// How a token is sent: in the `Authorization` header. The operator makes tokens; there is no authorization server.
    pub bearer_methods_supported: Vec<String>,
}

/// Is the process alive?
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok`.
    pub status: String,
    /// Version of Jarvis.
    pub version: String,
}
