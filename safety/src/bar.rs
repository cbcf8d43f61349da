//! What the store itself knows against a call at the moment of its intent.

use crate::id::CallId;
use crate::refusal::{Code, Refusal};

/// Found in the transaction that would have recorded the intent, so that nothing can come in between: an effect does not
/// begin after the switch was thrown, a token revoked or a call taken back, whichever server heard of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bar {
    /// The kill switch is on.
    Stopped,
    /// The token of whoever asked, or of whoever approved, was revoked or is over.
    Revoked,
    /// The call to take back was taken back by this one.
    TakenBack(CallId),
    /// The caller has this many open questions, the most that one may have.
    Full(u32),
}

impl Bar {
    /// What a caller hears.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Stopped => Refusal::new(
                Code::Stopped,
                "kill switch",
                "the kill switch is on; the operator can release it on the dashboard or with `jarvis resume`",
            ),
            Self::Revoked => Refusal::new(
                Code::Unauthenticated,
                "revoked",
                "the token of whoever asked or approved this was revoked or has expired meanwhile. Nothing was done",
            ),
            Self::Full(most) => Refusal::new(
                Code::RateLimited,
                "open questions",
                format!(
                    "this caller has {most} open questions, the most that one may have; have some of them decided first. \
                     Nothing was done"
                ),
            ),
            Self::TakenBack(by) => {
                Refusal::new(Code::NotUndoable, "undo", format!("it was taken back already, by {by}"))
            }
        }
    }
}
