//! Tools, calls and what came of them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// One tool as every face shows it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ToolInfo {
    /// `family_verb`.
    pub name: String,
    /// The part of the name before the first underscore.
    pub family: String,
    /// What it does, from the doc comment of its arguments.
    pub description: String,
    /// Declared tier; arguments may raise it.
    pub tier: String,
    /// What it may touch: any of `reads`, `writes`, `deletes`, `network`, `spends`, `exposes`.
    pub effects: Vec<String>,
    /// Raised whenever the meaning of the tool changes.
    pub revision: u32,
    /// JSON Schema of the arguments.
    pub input: Value,
    /// JSON Schema of the output.
    pub output: Value,
    /// Sentences that mean this tool; `{slots}` are arguments.
    pub examples: Vec<String>,
    /// Who wrote its output: `trusted` (Jarvis and the machine), `named` (the same, beside names that strangers may have
    /// chosen), `untrusted` (it may hold text by strangers).
    pub trust: String,
    /// Longest run, in milliseconds.
    pub deadline_ms: u64,
}

/// All tools that the caller may see.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ToolList {
    /// In the order of their names.
    pub tools: Vec<ToolInfo>,
}

/// A tool and its arguments.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallBody {
    /// Name of the tool.
    pub tool: String,
    /// Arguments by name; an absent object means none.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub args: Option<Box<serde_json::value::RawValue>>,
    /// Idempotency key: the same key and the same call never run twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Ordered calls that are decided as one.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanBody {
    /// One to fifty calls, carried out in this order; the first failure stops the rest.
    pub steps: Vec<CallBody>,
}

/// The thing a call acts on, found before anything was decided.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
pub struct TargetInfo {
    /// `container`, `service`, `file`, `host` …
    pub kind: String,
    /// Immutable id.
    pub id: String,
    /// What a person calls it.
    pub name: String,
}

/// What came of a call.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CallAnswer {
    /// Id of the call; `undo` takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// Name of the tool.
    pub tool: String,
    /// Tier of exactly this call.
    pub tier: String,
    /// `done`, `failed`, `unknown`, `cancelled` or `waiting`.
    pub state: String,
    /// What it acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetInfo>,
    /// Structured output, when done.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub output: Value,
    /// The output in plain words, or what went wrong.
    pub words: String,
    /// Stable error code, when failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether output and words may hold text written by strangers.
    #[serde(default)]
    pub untrusted: bool,
    /// Whether `undo` can take it back.
    #[serde(default)]
    pub undoable: bool,
    /// How long it ran.
    #[serde(default)]
    pub millis: u64,
    /// The approval that it waits for or was executed by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// When that approval expires, if still pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// The rule that let it run or asked.
    #[serde(default)]
    pub rule: String,
}

/// What would happen if this call were made now. Nothing was run.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Preview {
    /// Name of the tool.
    pub tool: String,
    /// Canonical arguments.
    #[schema(value_type = Object)]
    pub args: Value,
    /// What it would act on.
    pub target: TargetInfo,
    /// Tier of exactly this call.
    pub tier: String,
    /// `run`, `ask` or `refuse`.
    pub verdict: String,
    /// The rule behind the verdict.
    pub rule: String,
    /// What would happen, in one sentence.
    pub sentence: String,
    /// Predicted effects, a line each.
    pub effects: Vec<String>,
    /// Unified diff, where the tool writes text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
    /// How it could be taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<String>,
    /// Text written by strangers that matters here; show it in its own box.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untrusted: Option<String>,
    /// SHA-256 of tool, revision, arguments, target and tier.
    pub digest: String,
}

/// What would take a call or a turn back, in order. Nothing was run.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct UndoPreview {
    /// The calls that would be made, the first one first.
    pub steps: Vec<UndoStep>,
}

/// One call that would take one back.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct UndoStep {
    /// The call that would be taken back.
    pub undoes: String,
    /// Name of the tool that would do it.
    pub tool: String,
    /// What would happen; absent where that can only be seen once the steps before it are done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Preview>,
    /// Why it cannot be seen now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<String>,
}

/// A call above green or a job of which nobody can tell what became of it, and that nobody has acknowledged.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DoubtInfo {
    /// Id of the call or the job.
    pub subject: String,
    /// Who asked for it.
    pub actor: String,
    /// Tool of the call, or title of the job.
    pub what: String,
    /// Name of what the call acts on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// What is known, and where to look.
    pub words: String,
    /// When it was begun, in milliseconds since 1970.
    pub at: i64,
}

/// What is in doubt.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DoubtList {
    /// The newest first, at most 200.
    pub doubts: Vec<DoubtInfo>,
}
