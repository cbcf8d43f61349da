//! Calls that this process has in hand: they run, or their outcome is not recorded yet.
//!
//! What the store says is running, is this process's and is not in its hands was lost on the way, and is looked after.

use std::collections::hash_map::Entry;
use std::sync::{Arc, PoisonError};

use crate::call::Request;
use crate::id::CallId;
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

impl Inner {
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
