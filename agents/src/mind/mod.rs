//! The mind: the one door through which something is said to Jarvis.
//!
//! [`Mind::say`] keeps what was said and answers at once; a task of its own carries the turn on, and goes on with it
//! after a restart ([`Mind::resume`]). Who said something is the only one who sees it, beside the operator.

mod conversation;
mod plan;
mod say;
mod undo;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jarvis_safety::conversation::TurnState;
use jarvis_safety::heard::Heard;
use jarvis_safety::kernel::Gate;
use jarvis_safety::port::{Clock, Conversations, Identities, Ids, Index, Live, StoreError};
use jarvis_safety::refusal::Code;
use jarvis_safety::secret::{Redactor, Secrets};
use jarvis_safety::{Actor, Refusal, TurnId};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use crate::prompt::Prompts;
use crate::provider::Patience;
use crate::provider::client::Client;
use crate::understand::{ToolText, Understanding};
use crate::world::Remembered;

pub use plan::{PlannedCall, SayPlan};
pub use say::{After, Said};

/// Everything the mind is built from.
pub struct MindParts {
    /// The gate: every call goes through it, and the settings come from it.
    pub gate: Gate,
    /// What the models behind clients have heard.
    pub heard: Arc<Heard>,
    /// Keeps conversations.
    pub conversations: Arc<dyn Conversations>,
    /// Knows who is who: a turn that is resumed acts as whoever its actor is by then.
    pub identities: Arc<dyn Identities>,
    /// Shows words while they are being said.
    pub live: Arc<dyn Live>,
    /// Finds tools; its keys are tool names.
    pub index: Arc<dyn Index>,
    /// Opens the model's key, and strikes secrets out of what is said.
    pub secrets: Secrets,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Fresh ids.
    pub ids: Arc<dyn Ids>,
    /// The prompts.
    pub prompts: Prompts,
}

/// The mind. Cheap to clone; when the last clone is dropped, all turns stop where they are and can be resumed.
#[derive(Clone)]
pub struct Mind(Arc<Last>);

/// Ends the tasks with the last handle.
struct Last(Arc<Inner>);

impl Drop for Last {
    fn drop(&mut self) {
        for running in self.0.running.lock().unwrap_or_else(PoisonError::into_inner).values() {
            running.task.abort();
        }
    }
}

pub(crate) struct Inner {
    pub(crate) gate: Gate,
    pub(crate) heard: Arc<Heard>,
    pub(crate) conversations: Arc<dyn Conversations>,
    pub(crate) identities: Arc<dyn Identities>,
    pub(crate) live: Arc<dyn Live>,
    pub(crate) index: Arc<dyn Index>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) prompts: Prompts,
    pub(crate) client: Client,
    pub(crate) redactor: Redactor,
    pub(crate) understanding: Understanding,
    pub(crate) remembered: Arc<Remembered>,
    running: Mutex<HashMap<TurnId, Running>>,
}

/// A hold on a turn that is being carried on.
struct Running {
    cancel: CancellationToken,
    stopper: Arc<Mutex<Option<Actor>>>,
    state: watch::Receiver<TurnState>,
    task: AbortHandle,
}

impl Mind {
    /// Builds the mind. Call [`Mind::resume`] once the gate has recovered.
    #[must_use]
    pub fn new(parts: MindParts) -> Self {
        Self::patient(parts, Patience::default())
    }

    /// Like [`Mind::new`], with other waiting times for model servers.
    #[must_use]
    pub fn patient(parts: MindParts, patience: Patience) -> Self {
        let tools: Vec<ToolText> = parts.gate.registry().described().map(|tool| ToolText::from(&*tool)).collect();
        Self(Arc::new(Last(Arc::new(Inner {
            understanding: Understanding::new(&tools, Arc::clone(&parts.index)),
            redactor: parts.secrets.redactor.clone(),
            client: Client::new(parts.secrets, patience),
            gate: parts.gate,
            heard: parts.heard,
            conversations: parts.conversations,
            identities: parts.identities,
            live: parts.live,
            index: parts.index,
            clock: parts.clock,
            ids: parts.ids,
            prompts: parts.prompts,
            remembered: Arc::default(),
            running: Mutex::default(),
        }))))
    }

    fn inner(&self) -> &Arc<Inner> {
        &self.0.0
    }
}

impl Inner {
    /// Forgets a turn that is not carried on any more.
    pub(crate) fn forget(&self, turn: &TurnId) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(turn);
    }
}

fn not_found(what: &str) -> Refusal {
    Refusal::new(Code::NotFound, "conversations", format!("there is no {what} of yours by this id"))
}

/// What the store answered. What is gone by now, because somebody else was quicker, is no fault of the store's.
fn store(error: &StoreError) -> Refusal {
    let code = match error {
        StoreError::NotFound(_) => Code::NotFound,
        StoreError::Conflict(_) => Code::AlreadyDecided,
        StoreError::Unavailable(_) | StoreError::Unknown(_) => Code::StoreUnavailable,
    };
    Refusal::new(code, "store", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_else_has_erased_meanwhile_is_not_there_and_the_store_is() {
        let code = |error| store(&error).code;
        assert_eq!(code(StoreError::NotFound("conversation".to_owned())), Code::NotFound);
        assert_eq!(code(StoreError::Conflict("taken".to_owned())), Code::AlreadyDecided);
        assert_eq!(code(StoreError::Unavailable("locked".to_owned())), Code::StoreUnavailable);
        assert_eq!(code(StoreError::Unknown("cut off".to_owned())), Code::StoreUnavailable);
    }
}
