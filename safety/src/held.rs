//! What this process has in hand: calls that run or whose outcome is not recorded yet, and cards that it spends.
//!
//! What the store says is under way, is this process's and is not in its hands was lost on the way, and is looked after.

use std::collections::hash_map::Entry;
use std::sync::{Arc, PoisonError};

use crate::call::Request;
use crate::id::{ApprovalId, CallId};
use crate::kernel::Inner;
use crate::run::Watch;
use crate::tier::Tier;

/// A call in hand, until this is dropped: whatever happens to it.
pub(crate) struct Held(Arc<Inner>, CallId);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
        self.0.ended.notify_waiters();
    }
}

/// A card that one task spends, until this is dropped.
pub(crate) struct HeldCard {
    inner: Arc<Inner>,
    id: ApprovalId,
    held: bool,
}

impl HeldCard {
    /// Lets go of the card, unless somebody wanted it meanwhile: then whoever has it looks at it once more.
    pub(crate) fn let_go(mut self) -> Option<Self> {
        let inner = Arc::clone(&self.inner);
        let mut spending = inner.spending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wanted) = spending.get_mut(&self.id).filter(|wanted| **wanted) {
            *wanted = false;
            return Some(self);
        }
        spending.remove(&self.id);
        self.held = false;
        None
    }
}

impl Drop for HeldCard {
    fn drop(&mut self) {
        if self.held {
            self.inner.spending.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        }
    }
}

impl Inner {
    /// Takes a card in hand; `None` if another task has it, which then looks at it once more before it lets go.
    pub(crate) fn hold_card(self: &Arc<Self>, id: &ApprovalId) -> Option<HeldCard> {
        let mut spending = self.spending.lock().unwrap_or_else(PoisonError::into_inner);
        match spending.entry(id.clone()) {
            Entry::Occupied(mut wanted) => {
                wanted.insert(true);
                None
            }
            Entry::Vacant(place) => {
                place.insert(false);
                Some(HeldCard { inner: Arc::clone(self), id: id.clone(), held: true })
            }
        }
    }

    /// Whether a card is in hand.
    pub(crate) fn holds_card(&self, id: &ApprovalId) -> bool {
        self.spending.lock().unwrap_or_else(PoisonError::into_inner).contains_key(id)
    }

    /// Takes a call in hand: from now on the kill switch and its owner can cancel it. `None` if it is in hand already.
    pub(crate) fn hold(self: &Arc<Self>, id: &CallId, tier: Tier, request: &Request, watch: &Watch) -> Option<Held> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let Entry::Vacant(place) = running.entry(id.clone()) else { return None };
        place.insert((tier, request.actor.id.clone(), watch.cancel.clone()));
        Some(Held(Arc::clone(self), id.clone()))
    }

    /// Whether a call is in hand.
    pub(crate) fn holds(&self, id: &CallId) -> bool {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).contains_key(id)
    }
}
