//! What in the log of a turn strangers may have written.
//!
//! What a model has said after it read such text may rest on it, so the label stays with the conversation, however short
//! a later model's memory of it is.

use jarvis_safety::conversation::{CallEnd, Entry};
use jarvis_safety::kernel::Registry;

/// Whether strangers may have written any of what a log holds.
pub(crate) fn holds_strangers(registry: &Registry, log: &[Entry]) -> bool {
    log.iter().any(|entry| speaks_for_strangers(registry, entry))
}

/// Whether text by strangers was in the model's sight when it asked for the call at `index`.
pub(crate) fn strangers_in_sight(registry: &Registry, log: &[Entry], index: u32) -> bool {
    // The calls of one answer were chosen together: only what stood before that answer was in sight.
    let mut placed = 0;
    let mut seen = false;
    let mut before = false;
    for entry in log {
        if let Entry::Model { calls, .. } = entry {
            if placed > index {
                break;
            }
            before = seen;
            placed += u32::try_from(calls.len()).unwrap_or(u32::MAX);
        }
        seen |= speaks_for_strangers(registry, entry);
    }
    before
}

fn speaks_for_strangers(registry: &Registry, entry: &Entry) -> bool {
    match entry {
        Entry::Answered { answer: CallEnd::Ran { outcome }, .. } => registry.outcome_quotes_strangers(outcome),
        Entry::Answered { answer: CallEnd::Refused { refusal }, .. } => refusal.quotes_strangers(),
        // What the rules say and ask names what there is.
        Entry::Asked { .. } | Entry::Said { .. } => true,
        _ => false,
    }
}
