//! Mounted MCP servers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// How a server is reached: `program` and what belongs to it, or `url`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MountBody {
    /// Name of a program in the system's folders, or its whole path. It is begun and spoken to over its standard streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// Its arguments, at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Its variables, at most 50. A value may be `secret://NAME`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Folders that it may read, beside programs and libraries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<String>,
    /// Folders that it may change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<String>,
    /// Whether it reaches the network.
    #[serde(default)]
    pub network: bool,
    /// Address of a server that speaks Streamable HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// `secret://NAME` of its bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Longest time of a call, 1 to 540 seconds.
    #[serde(default = "minute")]
    pub seconds: u64,
}

const fn minute() -> u64 {
    60
}

/// Tiers for tools that the operator has read.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewBody {
    /// At most 128 tools.
    pub reviews: Vec<ToolReview>,
}

/// A tier for one tool.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolReview {
    /// What the server calls it.
    pub tool: String,
    /// `digest` of what was read. If the tool is another by now, nothing is changed.
    pub digest: String,
    /// `green`, `yellow`, `orange` or `red`; nothing makes it a tool that nobody has reviewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
}

/// All mounted servers.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MountList {
    /// By name.
    pub mounts: Vec<MountInfo>,
}

/// A mounted server.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MountInfo {
    /// Name, and the family of its tools.
    pub name: String,
    /// How it is reached.
    pub line: MountBody,
    /// Whether it stands in `jarvis.toml` and can only be changed there.
    pub configured: bool,
    /// `connecting`, `up` or `down`.
    pub state: String,
    /// Why it is down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What it calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Its tools as they were last listed.
    pub tools: Vec<MountedToolInfo>,
}

/// A tool of a mounted server.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MountedToolInfo {
    /// What the server calls it.
    pub name: String,
    /// What it is called here.
    pub call: String,
    /// The server's own words: text by strangers.
    pub description: String,
    /// JSON Schema of its arguments: text by strangers.
    pub input: Value,
    /// Changes with every word of it, and with how the server is reached.
    pub digest: String,
    /// `new` (red), `reviewed`, `changed` (not called until it is reviewed again) or `refused`.
    pub standing: String,
    /// The tier that the operator gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Why it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The description that was read, where it has changed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}
