//! Looking on while a card is decided and run.

use std::time::Duration;

use crate::actor::Actor;
use crate::approval::Approval;
use crate::call::Origin;
use crate::id::{ApprovalId, CallId};
use crate::kernel::Gate;
use crate::outcome::Outcome;
use crate::refusal::{Refusal, store_refusal};

impl Gate {
    /// One card as it stands.
    ///
    /// # Errors
    /// If it does not exist or the store cannot be read.
    pub async fn approval(&self, id: &ApprovalId) -> Result<Approval, Refusal> {
        self.0.card(id).await
    }

    /// What is recorded of a call above green, if that can be read.
    pub(crate) async fn recorded(&self, call: &CallId) -> Option<Outcome> {
        self.0.ledger.call(call).await.ok()??.outcome
    }

    /// Takes a question back: denies it, as whoever asked or as the operator.
    ///
    /// # Errors
    /// If it is somebody else's, or decided, lapsed or gone.
    pub async fn withdraw(
        &self,
        actor: &Actor,
        id: &ApprovalId,
        because: &str,
        origin: &Origin,
    ) -> Result<Approval, Refusal> {
        self.0.withdraw(actor, id, because, origin).await
    }

    /// Waits for the end of a card as its caller does: a final card counts as handed over.
    ///
    /// # Errors
    /// If the card does not exist or the store cannot be read.
    pub async fn wait(&self, id: &ApprovalId, longest: Duration) -> Result<Approval, Refusal> {
        let card = self.follow(id, longest).await?;
        if card.state.is_final() {
            self.0.ledger.handed(id).await.map_err(|error| store_refusal(&error))?;
        }
        Ok(card)
    }

    /// Looks on until nothing more will happen to a card, for at most so long, and answers the card as it then stands.
    ///
    /// # Errors
    /// As [`Gate::wait`].
    pub async fn follow(&self, id: &ApprovalId, longest: Duration) -> Result<Approval, Refusal> {
        let mut moved = self.0.moved.subscribe();
        let until = tokio::time::Instant::now() + longest;
        loop {
            let card = self.0.card(id).await?;
            if card.state.is_final() {
                return Ok(card);
            }
            loop {
                // A receiver that lagged cannot know what it missed: it looks again.
                match tokio::time::timeout_at(until, moved.recv()).await {
                    Err(_) => return Ok(card),
                    Ok(Ok(other)) if other != *id => {}
                    Ok(_) => break,
                }
            }
        }
    }
}
