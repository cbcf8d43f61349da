//! Rows that the door writes itself: refusals that never reach the gate.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use jarvis_safety::ActorId;
use jarvis_safety::event::{Draft, EventKind};
use jarvis_safety::plain::visible;

/// Rows about nobody in particular within a minute: a scanner must not fill the audit.
const NAMELESS: usize = 60;
const WINDOW_MS: i64 = 60_000;

/// A row, owned by whoever it tells of.
pub(crate) fn row(kind: EventKind, actor: ActorId, subject: &str, correlation: &str, summary: &str) -> Draft {
    Draft {
        kind,
        owner: actor.clone(),
        actor,
        subject: visible(subject),
        correlation: correlation.to_owned(),
        tool: None,
        tier: None,
        summary: visible(summary),
        body: None,
    }
}

/// The actor of a row about somebody who is not known.
pub(crate) fn nobody() -> ActorId {
    ActorId::new("unknown")
}

/// Limits rows about callers that are not known.
#[derive(Debug, Default)]
pub(crate) struct Nameless(Mutex<VecDeque<i64>>);

impl Nameless {
    /// Whether one more such row may be written now.
    pub(crate) fn admit(&self, now: i64) -> bool {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while times.front().is_some_and(|at| *at <= now - WINDOW_MS) {
            times.pop_front();
        }
        let admitted = times.len() < NAMELESS;
        if admitted {
            times.push_back(now);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scanner_cannot_fill_the_audit() {
        let nameless = Nameless::default();
        assert_eq!((0..1_000).filter(|at| nameless.admit(*at)).count(), NAMELESS);
        assert!(nameless.admit(WINDOW_MS));
    }

    #[test]
    fn what_strangers_sent_cannot_break_a_line_of_the_audit() {
        let row = row(EventKind::SessionRefused, nobody(), "/a\nb", "c", &"x\u{202e}".repeat(400));
        assert_eq!(row.subject, r"/a\u{a}b");
        assert!(!row.summary.contains('\u{202e}'));
    }
}
