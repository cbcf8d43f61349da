//! Mounted MCP servers: what the operator sets, and what is seen of them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;
use crate::plain::{shorten, visible};
use crate::tier::Tier;

/// Longest name of a mounted server: 1 to 24 of `[a-z0-9]`, a letter first. It is the family of its tools.
pub const LONGEST_NAME: usize = 24;

/// Whether a server can be called so.
#[must_use]
pub fn is_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// The name of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountName(String);

impl MountName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MountName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if is_name(text) {
            return Ok(Self(text.to_owned()));
        }
        let shown = shorten(&visible(text), 60);
        Err(format!("`{shown}` is no name for a server: use 1 to {LONGEST_NAME} of a-z and 0-9, a letter first"))
    }
}

/// How a server of tools that somebody else wrote is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// A program that is begun and spoken to over its standard streams, confined like a command.
    Program(Program),
    /// Streamable HTTP.
    Http(Http),
}

/// A program, and what it may touch. What is not named is out of its reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Name in the system's folders, or whole path.
    pub program: String,
    /// One by one.
    #[serde(default)]
    pub args: Vec<String>,
    /// Variables; a value may be `secret://NAME`.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Below these it may read everything.
    #[serde(default)]
    pub reads: Vec<PathBuf>,
    /// Below these it may change everything.
    #[serde(default)]
    pub writes: Vec<PathBuf>,
    /// Whether it reaches the network.
    #[serde(default)]
    pub network: bool,
    /// Longest time of a call, 1 to 540 seconds.
    #[serde(default = "usual_seconds")]
    pub seconds: u64,
}

/// An address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// `http://` or `https://`.
    pub url: String,
    /// `secret://NAME` of its bearer token.
    #[serde(default)]
    pub key: Option<String>,
    /// Longest time of a call, 1 to 540 seconds.
    #[serde(default = "usual_seconds")]
    pub seconds: u64,
}

const fn usual_seconds() -> u64 {
    60
}

impl Line {
    /// Longest time of a call, in seconds.
    #[must_use]
    pub const fn seconds(&self) -> u64 {
        match self {
            Self::Program(program) => program.seconds,
            Self::Http(http) => http.seconds,
        }
    }

    /// Which server it leads to: other whenever another one might answer.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut leads = self.clone();
        match &mut leads {
            Self::Program(program) => program.seconds = 0,
            Self::Http(http) => http.seconds = 0,
        }
        Digest::of(serde_json::to_string(&leads).unwrap_or_default().as_bytes())
    }
}

/// What the operator said of one tool, and of which wording of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// Tier of every call.
    pub tier: Tier,
    /// Of the whole declaration, and of how the server is reached.
    pub digest: Digest,
    /// The description that was read.
    pub description: String,
}

/// What is seen of a mounted server.
#[derive(Debug, Clone)]
pub struct MountView {
    /// Name.
    pub name: String,
    /// How it is reached.
    pub line: Line,
    /// Whether it stands in `jarvis.toml`.
    pub configured: bool,
    /// How it is.
    pub state: MountState,
    /// What it calls itself, once it has answered.
    pub server: Option<String>,
    /// Its tools as they were last listed.
    pub tools: Vec<MountedTool>,
}

/// How a mounted server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountState {
    /// It is being reached.
    Connecting,
    /// It answers.
    Up,
    /// It does not, for this reason. It is tried again.
    Down(String),
}

/// A tool of a mounted server.
#[derive(Debug, Clone)]
pub struct MountedTool {
    /// What the server calls it.
    pub name: String,
    /// What it is called here.
    pub call: String,
    /// The server's own words, control characters shown.
    pub description: String,
    /// The schema of its arguments.
    pub input: Arc<Value>,
    /// Of its whole declaration, and of how the server is reached.
    pub digest: Digest,
    /// How it stands.
    pub standing: ToolStanding,
}

/// How a tool of a mounted server stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolStanding {
    /// The operator has not looked at it: red.
    New,
    /// The operator gave it this tier.
    Reviewed(Tier),
    /// It was changed after the operator had looked at it, and is not called. Holds what he had read.
    Changed(Review),
    /// It is not called, for this reason.
    Refused(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_program_or_an_address_and_nothing_else() {
        let read = |text: &str| serde_json::from_str::<Line>(text);
        assert!(matches!(read(r#"{"program":"node"}"#).unwrap(), Line::Program(_)));
        assert!(matches!(read(r#"{"url":"http://lab/mcp"}"#).unwrap(), Line::Http(_)));
        for bad in ["{}", r#"{"program":"node","url":"http://lab/mcp"}"#, r#"{"program":"node","shell":true}"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_is_a_family() {
        assert!(is_name("github") && is_name("lab2"));
        for bad in ["", "2lab", "git_hub", "git-hub", "Lab", &"a".repeat(25)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
