//! A call on its way to the gate, and what is kept of one that had an effect.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::actor::Actor;
use crate::digest::Digest;
use crate::id::{ActorId, ApprovalId, CallId, ConversationId, GrantId, TurnId};
use crate::kernel::Prepared;
use crate::outcome::{Answer, Outcome};
use crate::refusal::{Code, KEY_RULE, Refusal};
use crate::target::Target;
use crate::tier::Tier;
use crate::tool::Undo;

/// Where a call comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// `dashboard`, `cli`, `mcp`, `chat`, `api`, `bot`.
    pub face: String,
    /// Conversation that it belongs to.
    pub conversation: Option<ConversationId>,
    /// Turn that it belongs to.
    pub turn: Option<TurnId>,
    /// The person's own message that led here, word for word. Never a model's text.
    pub words: Option<String>,
    /// Follows the request through logs and audit.
    pub correlation: String,
    /// The call that this one takes back.
    #[serde(default)]
    pub undoes: Option<CallId>,
    /// Names of the arguments that nothing of the person's vouches for, where text by strangers was in sight. Marked on
    /// the card.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unvouched: Vec<String>,
}

/// How far the choice of this call can be traced to a person, the farthest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vouching {
    /// Tool, target and values follow from the person's own words or hand.
    Person,
    /// A program, or our own model before any untrusted text was in its sight, chose them.
    Client,
    /// A client's model chose them, and nobody here knows what text it had in sight.
    Model,
    /// A client's model chose them, and it was handed text that strangers may have written.
    Led,
    /// Untrusted text was in sight when they were chosen.
    Unvouched,
}

impl Vouching {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Client => "client",
            Self::Model => "model",
            Self::Led => "led",
            Self::Unvouched => "unvouched",
        }
    }

    /// Whether strangers may have had a say in it.
    #[must_use]
    pub const fn after_strangers(self) -> bool {
        matches!(self, Self::Led | Self::Unvouched)
    }

    /// Whether a client's own model chose, which only a grant that leaves it no choice carries.
    #[must_use]
    pub const fn by_clients_model(self) -> bool {
        matches!(self, Self::Model | Self::Led)
    }
}

/// Who calls, from where, and who chose.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) actor: Actor,
    pub(crate) origin: Origin,
    pub(crate) vouching: Vouching,
}

/// A tool and arguments that somebody wants to run.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who asks.
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
    /// Name of the tool.
    pub tool: String,
    /// Arguments as they came, strictly parsed ([`crate::json::parse`]).
    pub args: Value,
    /// Idempotency key of the caller.
    pub key: Option<String>,
    /// Who chose.
    pub vouching: Vouching,
}

impl Request {
    pub(crate) fn caller(&self) -> Caller {
        Caller { actor: self.actor.clone(), origin: self.origin.clone(), vouching: self.vouching }
    }

    /// The person's own words that led here; a program has none.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        self.origin.words.clone().filter(|_| self.actor.is_person())
    }

    /// Names of the arguments that nothing vouches for: of what a led model chose, all of them.
    pub(crate) fn unvouched(&self) -> Vec<String> {
        if self.vouching != Vouching::Led {
            return self.origin.unvouched.clone();
        }
        self.args.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
    }

    /// Who chose: never a person where a program asks.
    #[must_use]
    pub const fn chosen_by(&self) -> Vouching {
        match self.vouching {
            Vouching::Person if !self.actor.is_person() => Vouching::Client,
            vouching => vouching,
        }
    }
}

/// State of a call that has an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// The intent is durable; the outcome is not.
    Running,
    /// It happened.
    Done,
    /// It was tried and did not happen, as far as the tool can tell.
    Failed,
    /// Nobody can tell: it was cut off and the probe could not see.
    Unknown,
    /// It was cancelled, and the probe saw that it did not happen.
    Cancelled,
}

impl CallState {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What is kept of a call above green.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    /// Id.
    pub id: CallId,
    /// Who asked.
    pub actor: ActorId,
    /// From where.
    pub origin: Origin,
    /// Tool.
    pub tool: String,
    /// Revision of the tool.
    pub revision: u32,
    /// Canonical arguments, secrets digested.
    pub args: Value,
    /// What it acts on.
    pub target: Target,
    /// Tier of exactly this call.
    pub tier: Tier,
    /// Digest over tool, revision, schema, arguments, target and tier.
    pub digest: Digest,
    /// Idempotency key.
    pub key: Option<String>,
    /// The approval and the step of it that this call spent.
    pub approval: Option<(ApprovalId, u32)>,
    /// The grant that let it run.
    #[serde(default)]
    pub grant: Option<GrantId>,
    /// The rule that let it run.
    pub rule: String,
    /// State.
    pub state: CallState,
    /// When the intent was recorded.
    pub created_at: i64,
    /// What came of it.
    pub outcome: Option<Outcome>,
    /// The call that takes it back.
    pub undo: Option<Undo>,
    /// The call that took it back.
    pub undone_by: Option<CallId>,
}

impl CallRecord {
    /// The record of a call that is about to run.
    pub(crate) fn begun(
        request: &Request,
        call: &Prepared,
        id: CallId,
        rule: String,
        approval: Option<(ApprovalId, u32)>,
        now: i64,
    ) -> Self {
        Self {
            id,
            actor: request.actor.id.clone(),
            origin: request.origin.clone(),
            tool: call.tool().to_owned(),
            revision: call.tool.described().spec.revision,
            args: call.shown_args(),
            target: call.target.clone(),
            tier: call.tier,
            digest: call.digest.clone(),
            key: request.key.clone(),
            approval,
            grant: call.verdict.grant().cloned(),
            rule,
            state: CallState::Running,
            created_at: now,
            outcome: None,
            undo: None,
            undone_by: None,
        }
    }

    /// The answer to a later call with the same key: the first outcome if it is the same call, else a refusal.
    /// The target is not compared, because the first call may have changed or removed it.
    #[must_use]
    pub fn answer(&self, tool: &str, args: &Value) -> Answer {
        let (code, said) = match &self.outcome {
            Some(outcome) if self.tool == tool && self.args == *args => return Answer::Ran(Box::new(outcome.clone())),
            _ if self.tool != tool || self.args != *args => (
                Code::KeyReused,
                format!("this key belongs to another call ({}); use a new key. Nothing was done", self.id),
            ),
            _ => {
                let said = format!("the call with this key ({}) is still running; ask again in a moment", self.id);
                (Code::AlreadyDecided, said)
            }
        };
        Answer::Refused(Refusal::new(code, KEY_RULE, said))
    }
}
