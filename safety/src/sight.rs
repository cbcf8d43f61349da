//! What of an answer strangers may have written: it may hold orders, and whoever reads it may be led by them.

use crate::outcome::{Answer, Outcome};
use crate::registry::Registry;
use crate::tool::Trust;

impl Registry {
    /// Whether strangers may have written any of an outcome. What went wrong, or was cut off, is told in the words of
    /// others.
    #[must_use]
    pub fn outcome_quotes_strangers(&self, outcome: &Outcome) -> bool {
        let trusted = self.describe(&outcome.tool).is_some_and(|tool| tool.spec.trust == Trust::Trusted);
        !trusted || outcome.error.is_some() || outcome.output.is_null()
    }

    /// Whether strangers may have written any of an answer.
    #[must_use]
    pub fn quotes_strangers(&self, answer: &Answer) -> bool {
        match answer {
            Answer::Ran(outcome) => self.outcome_quotes_strangers(outcome),
            Answer::Refused(refusal) => refusal.quotes_strangers(),
            // A card shows its caller only what the caller has asked for.
            Answer::Waiting(_) => false,
        }
    }
}
