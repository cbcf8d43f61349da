//! Striking the model's key out of what its server says back, however that was split.
//!
//! What may be the beginning of the key is held back until what follows tells: at most one byte less than the key is
//! long.

use jarvis_safety::port::Secret;

use super::ModelEvent;

/// What stands where the key stood.
pub(super) const MARK: &str = "[key]";
/// Shorter keys are placeholders of servers that want none, such as `ollama`: struck out, they would garble words and
/// names.
const SHORTEST: usize = 8;

/// Strikes the key out of one answer: each stream of text in it has a replacer of its own.
pub(super) struct Scrub {
    key: Option<Secret>,
    words: Replacer,
    /// By call.
    args: Vec<Replacer>,
}

impl Scrub {
    pub(super) fn new(key: Option<Secret>) -> Self {
        let key = key.filter(|key| key.expose().len() >= SHORTEST);
        Self { key, words: Replacer::default(), args: Vec::new() }
    }

    /// A text that came in one piece, without the key.
    pub(super) fn whole(&self, text: &str) -> String {
        self.key.as_ref().map_or_else(|| text.to_owned(), |key| text.replace(key.expose(), MARK))
    }

    /// The event without the key.
    pub(super) fn event(&mut self, event: ModelEvent) -> ModelEvent {
        let Some(key) = self.key.as_ref().map(Secret::expose) else { return event };
        match event {
            ModelEvent::Text(text) => ModelEvent::Text(self.words.take(key, &text)),
            ModelEvent::CallBegun { call, id, tool } => {
                ModelEvent::CallBegun { call, id: self.whole(&id), tool: self.whole(&tool) }
            }
            ModelEvent::CallArgs { call, text } => {
                if self.args.len() <= call {
                    self.args.resize_with(call + 1, Replacer::default);
                }
                ModelEvent::CallArgs { call, text: self.args[call].take(key, &text) }
            }
            // A thought is neither shown nor kept, and a fault is struck where it is told.
            event => event,
        }
    }

    /// What is held back, now that nothing follows.
    pub(super) fn finish(&mut self) -> Vec<ModelEvent> {
        let Some(key) = self.key.as_ref().map(Secret::expose) else { return Vec::new() };
        let mut events = vec![ModelEvent::Text(self.words.finish(key))];
        for (call, args) in self.args.iter_mut().enumerate() {
            events.push(ModelEvent::CallArgs { call, text: args.finish(key) });
        }
        events
    }
}

/// Replaces the key in one stream of text.
#[derive(Default)]
struct Replacer {
    held: String,
}

impl Replacer {
    fn take(&mut self, key: &str, text: &str) -> String {
        self.held.push_str(text);
        let mut told = String::new();
        while let Some(at) = self.held.find(key) {
            told.push_str(&self.held[..at]);
            told.push_str(MARK);
            self.held.drain(..at + key.len());
        }
        let begins = |length: &usize| self.held.as_bytes().ends_with(&key.as_bytes()[..*length]);
        let kept = (1..key.len()).rev().find(begins).unwrap_or(0);
        told.extend(self.held.drain(..self.held.len() - kept));
        told
    }

    /// Half a key or more at the end of a text is no coincidence.
    fn finish(&mut self, key: &str) -> String {
        let held = std::mem::take(&mut self.held);
        if held.len() * 2 >= key.len() { MARK.to_owned() } else { held }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "sk-sk-secret";

    fn told(pieces: &[&str]) -> String {
        let mut replacer = Replacer::default();
        let mut told: String = pieces.iter().map(|piece| replacer.take(KEY, piece)).collect();
        assert!(replacer.held.len() < KEY.len());
        told.push_str(&replacer.finish(KEY));
        told
    }

    #[test]
    fn the_key_is_struck_out_however_it_is_split() {
        let text = "größe sk-sk-sk-secret: sk-sk-secretsk-sk-secret, sk-sk-se! 東";
        let expected = "größe sk-[key]: [key][key], sk-sk-se! 東";
        for (at, _) in text.char_indices() {
            assert_eq!(told(&[&text[..at], &text[at..]]), expected, "split at {at}");
        }
        let single: Vec<String> = text.chars().map(String::from).collect();
        assert_eq!(told(&single.iter().map(String::as_str).collect::<Vec<_>>()), expected);
    }

    #[test]
    fn a_beginning_of_the_key_at_the_end_is_let_out_unless_it_is_half_of_it() {
        assert_eq!(told(&["a task", " begins with sk-"]), "a task begins with sk-");
        assert_eq!(told(&["sk-sk-", "secre"]), "[key]");
    }

    #[test]
    fn a_placeholder_is_not_struck_out() {
        let mut scrub = Scrub::new(Some(Secret::new("ollama".to_owned())));
        let said = ModelEvent::Text("ollama runs".to_owned());
        assert_eq!(scrub.event(said.clone()), said);
    }
}
