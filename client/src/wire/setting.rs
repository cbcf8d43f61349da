//! What the operator can set while Jarvis runs.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// All settings. `PUT` takes the whole, so that what was seen is what is saved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingsInfo {
    /// How far Jarvis goes by himself.
    pub autonomy: AutonomyInfo,
    /// The model, if there is one.
    #[serde(default)]
    pub model: Option<ModelInfo>,
    /// Folders beside the default one.
    #[serde(default)]
    pub roots: Vec<RootInfo>,
    /// Hosts that `http_fetch` may read without asking: `example.org` or `*.example.org`.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Minutes for which an approval stays open, 1 to 1,440.
    pub approval_minutes: u32,
    /// Seconds for which an MCP call waits for its approval, 0 to 50.
    pub mcp_hold_seconds: u32,
    /// `wal` (survives a killed process, fsynced within 5 ms) or `fsync` (also survives a power cut at once).
    pub audit_reads: String,
}

/// Autonomy levels, 0 observe to 4 act within a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AutonomyInfo {
    /// Level where nothing more specific is set.
    pub default: u8,
    /// The most specific match wins: capability and target, target, capability.
    #[serde(default)]
    pub rules: Vec<AutonomyRuleInfo>,
}

/// A level for a part of the world.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AutonomyRuleInfo {
    /// Tool family, for example `docker`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capability: Option<String>,
    /// Name or id of a target; `*` stands for anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// 0 to 4.
    pub level: u8,
}

/// An OpenAI-compatible server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelInfo {
    /// Base address up to and with `/v1`.
    pub url: String,
    /// Name of the model; empty takes the first that the server lists.
    #[serde(default)]
    pub name: String,
    /// Where the key lies: `secret://NAME`, `env:NAME` or `file:/path`; never the key itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Tokens that the model can read at once, 2,048 to 2,000,000.
    pub context: u32,
    /// For a server that is not on this machine or a private network: the operator accepts that what is said, tool
    /// descriptions and tool outputs are sent there.
    #[serde(default)]
    pub cloud_accepted: bool,
}

/// A folder that the file tools may enter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RootInfo {
    /// Absolute path.
    pub path: String,
    /// Whether files may be written there.
    #[serde(default)]
    pub write: bool,
}
