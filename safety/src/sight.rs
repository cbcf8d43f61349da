//! What of an answer strangers may have written: it may hold orders, and whoever reads it may be led by them.

use crate::approval::Approval;
use crate::outcome::{Answer, Outcome};
use crate::registry::Registry;
use crate::tool::Trust;
use serde_json::Value;

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
            Answer::Waiting(card) => self.card_quotes_strangers(card),
        }
    }

    /// Whether a card tells its caller a name that the caller did not say itself.
    #[must_use]
    pub fn card_quotes_strangers(&self, card: &Approval) -> bool {
        card.steps.iter().any(|step| {
            let trusted = self.describe(&step.tool).is_some_and(|tool| tool.spec.trust == Trust::Trusted);
            !trusted && !says(&step.args, &step.target.name)
        })
    }
}

/// Whether arguments hold this name, or the part of it that people say.
fn says(args: &Value, name: &str) -> bool {
    match args {
        Value::String(text) => {
            let short = name.strip_suffix(".service").unwrap_or(name);
            text == name || text == short || name.strip_suffix(text.as_str()).is_some_and(|rest| rest.ends_with('/'))
        }
        Value::Array(items) => items.iter().any(|item| says(item, name)),
        Value::Object(fields) => fields.values().any(|value| says(value, name)),
        _ => false,
    }
}
