//! What the operator can set while Jarvis runs. Everything has a default that is useful and safe.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::kernel::Autonomy;
use crate::mount::{Line, Review};

/// All settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How far Jarvis goes by himself.
    pub autonomy: Autonomy,
    /// The model, if there is one.
    pub model: Option<ModelSetting>,
    /// Folders beside `DATA/files`.
    pub roots: Vec<Root>,
    /// Hosts that `http_fetch` may read without asking.
    pub hosts: Vec<String>,
    /// Minutes for which an approval stays open, 1 to 1,440.
    pub approval_minutes: u32,
    /// Seconds for which an MCP call waits for its approval, 0 to 50.
    pub mcp_hold_seconds: u32,
    /// How durable the row of a green call is before it is answered.
    pub audit_reads: AuditReads,
    /// Mounted MCP servers, by name.
    pub mounts: BTreeMap<String, Line>,
    /// What the operator said of their tools: by server, by the tool's name there.
    pub reviews: BTreeMap<String, BTreeMap<String, Review>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            autonomy: Autonomy::default(),
            model: None,
            roots: Vec::new(),
            hosts: Vec::new(),
            approval_minutes: 15,
            mcp_hold_seconds: 20,
            audit_reads: AuditReads::Wal,
            mounts: BTreeMap::new(),
            reviews: BTreeMap::new(),
        }
    }
}

/// How durable the row of a green call is before it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditReads {
    /// Written to the log file (survives a killed process), fsynced within 5 ms.
    Wal,
    /// Fsynced first (survives a power cut).
    Fsync,
}

/// An OpenAI-compatible server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSetting {
    /// Base address up to and with `/v1`.
    pub url: String,
    /// Name of the model; empty takes the first that the server lists.
    pub name: String,
    /// `secret://NAME`, `env:NAME` or `file:/path`.
    pub key: Option<String>,
    /// Tokens that the model can read at once.
    pub context: u32,
    /// The operator accepts that words, descriptions and outputs leave the house.
    pub cloud_accepted: bool,
}

/// A folder that the file tools may enter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Root {
    /// Absolute path.
    pub path: String,
    /// Whether files may be written there.
    #[serde(default)]
    pub write: bool,
}
