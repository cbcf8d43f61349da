//! Choosing the way: by rule where a rule understands the sentence, else by the model, else an honest answer.

use std::collections::BTreeMap;

use jarvis_safety::conversation::Entry;
use jarvis_safety::plain::{shorten, visible};

use crate::prompt::SmallTalk;
use crate::understand::{Courtesy, Understood};
use crate::world::GateWorld;

use super::answer::sentence;
use super::driver::{Came, Driver};

/// Longest order that is repeated in an answer, in characters.
const MAX_ORDER: usize = 80;

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
            Understood::Question { text, choices } => self.beyond_rules(None, Some((text, choices))).await,
            Understood::Courtesy { kind, said, examples, many } => {
                let text = self.mind.courtesy(kind, &said, &examples, &many);
                Came::with(vec![by_rule("small talk"), Entry::Said { text }])
            }
            Understood::Nothing { nearest, order } => {
                let said = self.mind.no_model(&self.turn.asked, order, &nearest);
                self.beyond_rules(Some(said), None).await
            }
        }
    }

    /// A model takes what no rule is sure of; without one, or if it cannot be asked, the rules say what they can.
    /// `said` is what they can say where nothing was understood.
    async fn beyond_rules(&self, said: Option<String>, question: Option<(String, Vec<String>)>) -> Came {
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
            let said = Entry::Said { text: said.unwrap_or_default() };
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

impl crate::mind::Inner {
    /// What is said when no rule fits and there is no model: what can be done instead, and how to connect one.
    pub(crate) fn no_model(&self, asked: &str, order: bool, nearest: &[String]) -> String {
        let asked = visible(asked.trim().trim_end_matches(['.', '!', '?']));
        self.prompts.no_model(order.then(|| shorten(&asked, MAX_ORDER)).as_deref(), nearest)
    }

    /// The answer to small talk.
    pub(crate) fn courtesy(
        &self,
        kind: Courtesy,
        said: &str,
        examples: &[String],
        many: &BTreeMap<String, usize>,
    ) -> String {
        let registry = self.gate.registry();
        let mut families: Vec<_> = registry.described().map(|tool| tool.family()).collect();
        families.dedup();
        let model = self.gate.settings().model.is_some();
        self.prompts.courtesy(&SmallTalk { kind: kind.as_str(), said, examples, families: &families, many, model })
    }
}
