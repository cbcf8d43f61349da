//! What changed about the lists of this server, for whoever listens.

use tokio::sync::broadcast;

/// Changes that a slow listener may be behind; it then hears of all of them as one.
const KEPT: usize = 16;

/// A list that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// The tools.
    Tools,
    /// The prompts.
    Prompts,
}

/// Where changes are told and heard. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Changes(broadcast::Sender<Change>);

impl Default for Changes {
    fn default() -> Self {
        Self(broadcast::Sender::new(KEPT))
    }
}

impl Changes {
    /// Tells everybody who listens now.
    pub(crate) fn tell(&self, change: Change) {
        // Nobody may listen.
        let _ = self.0.send(change);
    }

    pub(super) fn listen(&self) -> broadcast::Receiver<Change> {
        self.0.subscribe()
    }
}
