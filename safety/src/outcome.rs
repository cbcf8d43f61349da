//! What came of a call, and what the gate answers.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::approval::{Approval, ApprovalState};
use crate::call::CallState;
use crate::id::CallId;
use crate::refusal::{Code, KEY_RULE, Refusal};
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

/// The answer that a card of one step stands for.
#[must_use]
pub fn answer_of(card: &Approval) -> Answer {
    let because = || card.because.clone().unwrap_or_default();
    match card.state {
        ApprovalState::Denied => {
            let word =
                card.because.as_ref().map_or_else(|| "no reason was given".to_owned(), |word| format!("“{word}”"));
            Answer::Refused(Refusal::new(Code::Denied, "a person said no", format!("denied: {word}")))
        }
        ApprovalState::Expired => Answer::Refused(Refusal::new(
            Code::ApprovalExpired,
            "approval expired",
            "nobody decided in time; ask again if it is still wanted. Nothing was done",
        )),
        ApprovalState::Stale => {
            Answer::Refused(Refusal::new(Code::ApprovalStale, "decided again at spending", because()))
        }
        _ => match card.steps.iter().rev().find_map(|step| step.outcome.clone()) {
            Some(outcome) if card.state.is_final() => Answer::Ran(Box::new(outcome)),
            _ => Answer::Waiting(Box::new(card.clone())),
        },
    }
}

impl Approval {
    /// The answer to a later call with the key of this card's call, as often as it is asked.
    #[must_use]
    pub fn answer_to(&self, tool: &str, args: &Value) -> Answer {
        if self.steps.iter().any(|step| step.tool == tool && step.args == *args) {
            return answer_of(self);
        }
        let said = format!("this key belongs to another call ({}); use a new key. Nothing was done", self.id);
        Answer::Refused(Refusal::new(Code::KeyReused, KEY_RULE, said))
    }
}
