//! Choosing the way: by rule where a rule understands the sentence, else by the model, else an honest answer.

use jarvis_safety::conversation::Entry;

use crate::prompt::Near;
use crate::understand::Understood;
use crate::world::GateWorld;

use super::driver::{Came, Driver};

impl Driver {
    /// Understands the sentence and writes down how it will be answered.
    pub(super) async fn ask_rules(&self) -> Came {
        let world = GateWorld::new(&self.mind, &self.actor, &self.origin);
        let understood = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Came::stopped(Vec::new()),
            understood = self.mind.understanding.understand(&self.turn.asked, &world) => understood,
        };
        match understood {
            Understood::Calls { calls, why } => {
                let mut entries = vec![by_rule(&why)];
                for (index, meant) in (0..).zip(calls) {
                    entries.push(Entry::Called { index, tool: meant.tool, args: meant.args });
                }
                Came::with(entries)
            }
            Understood::Question { text, choices } => self.beyond_rules(&[], Some((text, choices))).await,
            Understood::Nothing { nearest } => self.beyond_rules(&nearest, None).await,
        }
    }

    /// A model takes what no rule is sure of; without one, or if it cannot be asked, the rules say what they can.
    async fn beyond_rules(&self, nearest: &[String], question: Option<(String, Vec<String>)>) -> Came {
        let ask_back = |(text, choices): (String, Vec<String>), note: Option<String>| {
            let mut entries = vec![by_rule("a rule understands it, but for one thing")];
            entries.extend(note.map(|text| Entry::Note { text }));
            entries.push(Entry::Asked { text, choices });
            Came::with(entries)
        };
        let Some(setting) = self.mind.gate.settings().model else {
            if let Some(question) = question {
                return ask_back(question, None);
            }
            let said = Entry::Said { text: self.mind.no_model(nearest) };
            return Came::with(vec![by_rule("no rule understands it and no model is connected"), said]);
        };
        let name = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Came::stopped(Vec::new()),
            name = self.mind.client.model(&setting) => name,
        };
        let why = if question.is_some() { "no rule is sure of it" } else { "no rule understands it" };
        let routed = |model: Option<String>| Entry::Routed { route: "model".to_owned(), why: why.to_owned(), model };
        match (name, question) {
            (Ok(name), _) => Came::with(vec![routed(Some(name))]),
            (Err(error), Some(question)) => ask_back(question, Some(sentence(&error.to_string()))),
            (Err(error), None) => Came::failed(vec![routed(None)], sentence(&error.to_string())),
        }
    }
}

fn by_rule(why: &str) -> Entry {
    Entry::Routed { route: "rule".to_owned(), why: why.to_owned(), model: None }
}

/// Words as a sentence: they begin with a capital and end with a full stop.
pub(super) fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let stop = if words.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{stop}", letters.as_str())
}

impl crate::mind::Inner {
    /// What is said when no rule fits and there is no model: what can be done instead, and how to connect one.
    pub(crate) fn no_model(&self, nearest: &[String]) -> String {
        let registry = self.gate.registry();
        let near: Vec<_> = nearest
            .iter()
            .filter_map(|name| registry.describe(name))
            .take(4)
            .map(|tool| Near {
                name: tool.spec.name.to_owned(),
                description: first_sentence(&tool.description),
                example: tool.spec.examples.first().copied().unwrap_or_default().to_owned(),
            })
            .collect();
        let mut families: Vec<_> = registry.described().map(jarvis_safety::kernel::Described::family).collect();
        families.dedup();
        self.prompts.no_model(&near, &families.join(", "))
    }
}

fn first_sentence(text: &str) -> String {
    text.find(". ").map_or(text, |end| &text[..=end]).to_owned()
}
