//! What came of a call, and what the gate answers.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::approval::Approval;
use crate::call::CallState;
use crate::id::CallId;
use crate::refusal::Refusal;
use crate::target::Target;
use crate::tier::Tier;
use crate::tool::ToolError;

/// What came of a call that ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Id of the call.
    pub call: CallId,
    /// Tool.
    pub tool: String,
    /// Tier of exactly this call.
    pub tier: Tier,
    /// What it acted on.
    pub target: Target,
    /// How it ended; never `Running`.
    pub state: CallState,
    /// Structured output; null unless done.
    pub output: Value,
    /// The output in plain words, or what went wrong.
    pub words: String,
    /// Why it failed.
    pub error: Option<ToolError>,
    /// Whether output and words may hold text by strangers.
    pub untrusted: bool,
    /// Whether it can be taken back.
    pub undoable: bool,
    /// How long it ran.
    pub millis: u64,
    /// The rule that let it run.
    pub rule: String,
}

/// What the gate says to a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// It ran.
    Ran(Box<Outcome>),
    /// It was refused and nothing was done.
    Refused(Refusal),
    /// A person must decide first. Approving executes it, whether or not the caller waits.
    Waiting(Box<Approval>),
}
