//! Conversations: trees whose nodes are turns.
//!
//! A turn is what a person said and everything that Jarvis did about it, kept as a log of entries. What Jarvis does next
//! is a function of that log and nothing else, so a turn goes on after a crash from its last entry.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{ActorId, ApprovalId, ConversationId, TurnId};
use crate::outcome::Outcome;
use crate::refusal::Refusal;

/// A conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// Id.
    pub id: ConversationId,
    /// Whose it is.
    pub owner: ActorId,
    /// Title.
    pub title: String,
    /// When it began.
    pub created_at: i64,
    /// When something was last said.
    pub updated_at: i64,
    /// Number of turns.
    pub turns: u64,
}

/// State of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnState {
    /// Jarvis works on it.
    Running,
    /// An approval is open.
    Waiting,
    /// It is answered.
    Done,
    /// A person stopped it.
    Stopped,
    /// It could not be answered.
    Failed,
}

impl TurnState {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }

    /// The state with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Running, Self::Waiting, Self::Done, Self::Stopped, Self::Failed]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// A turn without its log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Id.
    pub id: TurnId,
    /// Conversation.
    pub conversation: ConversationId,
    /// The turn before it on its branch.
    pub parent: Option<TurnId>,
    /// Who said it.
    pub actor: ActorId,
    /// The person's words.
    pub asked: String,
    /// State.
    pub state: TurnState,
    /// When it was said.
    pub created_at: i64,
    /// Idempotency key: the same actor's same key and words are the same turn.
    #[serde(default)]
    pub key: Option<String>,
}

/// What became of something said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uttered {
    /// It is durable, and nobody carries it on yet.
    New,
    /// It was said before: this turn has its key and its words. Nothing was kept.
    Known(Box<Turn>),
    /// The key belongs to this turn, which is another. Nothing was kept.
    KeyReused(TurnId),
}

/// One entry of a turn's log. Entries are only ever appended, but for `Partial`, which the next entry replaces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// How the turn is answered: by rule or by a model, and why.
    Routed {
        /// `rule` or `model`.
        route: String,
        /// Why.
        why: String,
        /// Name of the model.
        model: Option<String>,
    },
    /// What the model said and asked for in one step.
    Model {
        /// Its words.
        text: String,
        /// The calls it wants, in order.
        calls: Vec<ModelCall>,
        /// Tokens read, where the server said so.
        tokens_in: Option<u64>,
        /// Tokens written.
        tokens_out: Option<u64>,
    },
    /// What the model had said when it was last looked at; replaced by what follows.
    Partial {
        /// Its words so far.
        text: String,
    },
    /// A generation that broke off; the step is asked again and this text is kept for people.
    Cut {
        /// The words before the break.
        text: String,
    },
    /// A call is handed to the gate.
    Called {
        /// Position among the calls of this turn, from 0.
        index: u32,
        /// Tool.
        tool: String,
        /// Arguments.
        args: Value,
    },
    /// The gate put up a card for it.
    Waiting {
        /// Position of the call; a plan waits with the first of its calls.
        index: u32,
        /// The card.
        approval: ApprovalId,
    },
    /// What came of it.
    Answered {
        /// Position of the call.
        index: u32,
        /// What came of it.
        answer: CallEnd,
    },
    /// Jarvis speaks.
    Said {
        /// Markdown.
        text: String,
    },
    /// Jarvis asks.
    Asked {
        /// The question.
        text: String,
        /// Answers that can be sent as they stand.
        choices: Vec<String>,
    },
    /// Something the person should know about how it went.
    Note {
        /// The note.
        text: String,
    },
    /// The turn ended.
    Ended {
        /// How.
        state: TurnState,
        /// From question to end without waiting for people, in milliseconds.
        millis: u64,
    },
}

/// A call that a model asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelCall {
    /// The model's own id for it.
    pub id: String,
    /// Tool.
    pub tool: String,
    /// Arguments as text, as the model wrote them.
    pub args: String,
}

/// How a call of a turn ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum CallEnd {
    /// It ran.
    Ran {
        /// What came of it.
        outcome: Box<Outcome>,
    },
    /// It did not.
    Refused {
        /// Why.
        refusal: Refusal,
    },
}
