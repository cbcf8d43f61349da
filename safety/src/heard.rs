//! What the models behind clients have heard: whether one was handed text that strangers may have written.
//!
//! Nobody here sees what a client shows its model, or when it begins a new conversation. So the label belongs to the
//! actor, is durable before the text is handed over, and holds for a day: what such a model chooses then is asked like
//! the choice of whoever wrote the text.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::actor::Actor;
use crate::call::Vouching;
use crate::id::ActorId;
use crate::port::{Clock, Identities, Stored};
use crate::refusal::{Refusal, store_refusal};

/// How long what was heard counts: a day after the last of it, which may be younger than what is kept.
const COUNTS_MS: i64 = 24 * 60 * 60 * 1000 + KEPT_MS;
/// How old the kept time may become before it is kept anew.
const KEPT_MS: i64 = 60 * 60 * 1000;
/// Most actors that are remembered; the store knows them all.
const MOST: usize = 1_000;

/// Remembers who has heard strangers.
pub struct Heard {
    identities: Arc<dyn Identities>,
    clock: Arc<dyn Clock>,
    /// When it was last kept.
    known: Mutex<HashMap<ActorId, i64>>,
}

impl Heard {
    /// Over the store that keeps it.
    #[must_use]
    pub fn new(identities: Arc<dyn Identities>, clock: Arc<dyn Clock>) -> Self {
        Self { identities, clock, known: Mutex::default() }
    }

    /// How far a choice of this client's model can be trusted.
    ///
    /// # Errors
    /// If the store cannot say what it has heard: then nothing may be decided for it.
    pub async fn chooser(&self, actor: &Actor) -> Result<Vouching, Refusal> {
        let now = self.clock.now();
        let mut at = self.last(&actor.id);
        if at.is_none_or(|at| now - at >= COUNTS_MS) {
            at = self.identities.heard(&actor.id).await.map_err(|error| store_refusal(&error))?;
        }
        Ok(if at.is_some_and(|at| now - at < COUNTS_MS) { Vouching::Led } else { Vouching::Model })
    }

    /// Whether what a program says or calls may be led by strangers, because its model was handed such text.
    ///
    /// # Errors
    /// As [`Heard::chooser`].
    pub async fn leads(&self, actor: &Actor) -> Result<bool, Refusal> {
        Ok(!actor.is_person() && self.chooser(actor).await? == Vouching::Led)
    }

    /// A client is about to be handed what strangers may have written.
    ///
    /// # Errors
    /// If that could not be kept: then nothing may be handed over.
    pub async fn hears(&self, actor: &Actor) -> Stored<()> {
        let now = self.clock.now();
        if self.last(&actor.id).is_some_and(|at| now - at < KEPT_MS) {
            return Ok(());
        }
        self.identities.hear(&actor.id, now).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(actor.id.clone(), now);
        Ok(())
    }

    fn last(&self, actor: &ActorId) -> Option<i64> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(actor).copied()
    }
}
