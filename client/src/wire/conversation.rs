//! Conversations: trees of turns.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::CallAnswer;

/// Something said to Jarvis.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SayBody {
    /// 1 to 20,000 characters.
    pub text: String,
    /// Conversation to go on with; a new one is begun without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
    /// Turn after which this is said; the newest one without it. An earlier one makes a branch; `root` starts at the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Only work out the calls, run nothing and keep nothing.
    #[serde(default)]
    pub plan: bool,
    /// Idempotency key, 1 to 200 characters: the same key and the same words are the same turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// The calls that a sentence would make.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SayPlan {
    /// In order.
    pub calls: Vec<PlannedCall>,
    /// The one question that Jarvis would ask instead.
    pub question: Option<String>,
}

/// One call that a sentence would make.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PlannedCall {
    /// Name of the tool.
    pub tool: String,
    /// Arguments.
    #[schema(value_type = Object)]
    pub args: serde_json::Value,
    /// Tier of exactly this call.
    pub tier: String,
}

/// What `say` answers: a plan when one was asked for, else the turn as far as it has come.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum SayAnswer {
    /// The turn.
    Turn(Box<TurnInfo>),
    /// The calls it would make.
    Plan(SayPlan),
}

/// A conversation in a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ConversationInfo {
    /// Id.
    pub id: String,
    /// Title; at first the beginning of what was said.
    pub title: String,
    /// When it began.
    pub created_at: i64,
    /// When something was last said.
    pub updated_at: i64,
    /// Number of turns.
    pub turns: u64,
}

/// Conversations, the newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ConversationList {
    /// The page.
    pub conversations: Vec<ConversationInfo>,
}

/// One conversation with all its turns.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ConversationView {
    /// The conversation.
    pub conversation: ConversationInfo,
    /// All turns of the tree, oldest first; `parent` gives the shape.
    pub turns: Vec<TurnInfo>,
}

/// New title.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameBody {
    /// 1 to 200 characters.
    pub title: String,
}

/// What a person said and everything that Jarvis did about it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TurnInfo {
    /// Id.
    pub id: String,
    /// Conversation.
    pub conversation: String,
    /// The turn before it on its branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Who asked: `operator`, `local`, or the program whose words they are (`token:tok_…`).
    pub actor: String,
    /// The words.
    pub asked: String,
    /// `running`, `waiting`, `done`, `stopped` or `failed`.
    pub state: String,
    /// What happened, in order.
    pub entries: Vec<TurnEntry>,
    /// How it was answered, once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<TurnFooter>,
    /// When it was asked.
    pub created_at: i64,
}

/// One thing within a turn.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TurnEntry {
    /// Jarvis spoke. `cut` marks words that a crash or a broken stream ended early.
    Said {
        /// Markdown.
        text: String,
        /// Whether it broke off.
        #[serde(default)]
        cut: bool,
    },
    /// Jarvis asks one short question.
    Question {
        /// The question.
        text: String,
        /// Answers that can be sent back as they stand.
        #[serde(default)]
        choices: Vec<String>,
    },
    /// Jarvis called a tool.
    Call {
        /// Arguments.
        #[schema(value_type = Object)]
        args: serde_json::Value,
        /// State and outcome; `state` may also be `running` or `refused`.
        answer: Box<CallAnswer>,
    },
    /// Something the person should know about how the turn went.
    Note {
        /// The note.
        text: String,
    },
}

/// How a turn was answered.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TurnFooter {
    /// `rule` or `model`.
    pub route: String,
    /// Why that way.
    pub why: String,
    /// Model that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Tokens read, where the server said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_in: Option<u64>,
    /// Tokens written, where the server said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_out: Option<u64>,
    /// From question to end, without waiting for people.
    pub millis: u64,
}

/// What replaying the logs of a conversation found. Nothing is run for it, no model is asked and nothing is kept.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ConversationReplay {
    /// Conversation.
    pub conversation: String,
    /// Whether no turn diverges.
    pub whole: bool,
    /// All turns of the tree, oldest first.
    pub turns: Vec<TurnReplay>,
}

/// A turn, replayed from its log.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TurnReplay {
    /// Id.
    pub id: String,
    /// The person's words.
    pub asked: String,
    /// `running`, `waiting`, `done`, `stopped` or `failed`.
    pub state: String,
    /// The steps that the log holds, in order, up to its end or to where it diverges.
    pub steps: Vec<ReplayStep>,
    /// What an open turn would do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Where the log first holds something else than what comes of a step. A log that an older Jarvis wrote may diverge
    /// where the steps of a turn, the tier of a tool or a prompt have changed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub divergence: Option<ReplayDivergence>,
}

/// A step that the log of a turn holds.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReplayStep {
    /// Position of its first entry in the log, from 0.
    pub at: usize,
    /// What it was to do.
    pub does: String,
    /// What came of it.
    pub came: String,
}

/// A log that does not hold what its own beginning leads to.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReplayDivergence {
    /// Position of the first entry that is not explained, from 0.
    pub at: usize,
    /// What the step says.
    pub step: String,
    /// What the log holds.
    pub log: String,
}
