//! What a turn changed, for taking it back.

use jarvis_safety::conversation::{CallEnd, TurnState};
use jarvis_safety::{Actor, CallId, Refusal, TurnId};

use crate::turn::reading::Reading;

use super::Mind;

impl Mind {
    /// The calls of a turn that left something to take them back by, the last one first.
    ///
    /// # Errors
    /// If the turn does not exist for this actor, has not ended, or the store cannot be read.
    pub async fn changes(&self, actor: &Actor, id: &TurnId) -> Result<Vec<CallId>, Refusal> {
        let (turn, log) = self.turn(actor, id).await?;
        if matches!(turn.state, TurnState::Running | TurnState::Waiting) {
            return Err(Refusal::invalid(
                "this turn has not ended; stop it, or wait for its end. Nothing was taken back",
            ));
        }
        let mut changes = Vec::new();
        for call in Reading::of(&log).calls {
            if let Some(CallEnd::Ran { outcome }) = call.end
                && outcome.undoable
            {
                changes.push(outcome.call.clone());
            }
        }
        changes.reverse();
        Ok(changes)
    }
}
