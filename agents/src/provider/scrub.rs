//! Striking secrets, the model's key among them, out of what its server says back.

use jarvis_safety::secret::{Redactor, Strike};

use super::ModelEvent;

/// Strikes secrets out of one answer: each stream of text in it has a state of its own.
pub(super) struct Scrub {
    redactor: Redactor,
    words: Strike,
    /// By call.
    args: Vec<Strike>,
}

impl Scrub {
    pub(super) fn new(redactor: &Redactor) -> Self {
        Self { redactor: redactor.clone(), words: redactor.stream(), args: Vec::new() }
    }

    /// The event without secrets.
    pub(super) fn event(&mut self, event: ModelEvent) -> ModelEvent {
        let whole = |text: &str| self.redactor.text(text).into_owned();
        match event {
            ModelEvent::Text(text) => ModelEvent::Text(self.words.take(&text)),
            ModelEvent::CallBegun { call, id, tool } => {
                ModelEvent::CallBegun { call, id: whole(&id), tool: whole(&tool) }
            }
            ModelEvent::CallArgs { call, text } => {
                if self.args.len() <= call {
                    self.args.resize_with(call + 1, || self.redactor.stream());
                }
                ModelEvent::CallArgs { call, text: self.args[call].take(&text) }
            }
            // A thought is neither shown nor kept, and a fault is struck where it is told.
            event => event,
        }
    }

    /// What is held back, now that nothing follows.
    pub(super) fn finish(&mut self) -> Vec<ModelEvent> {
        let mut events = vec![ModelEvent::Text(self.words.finish())];
        for (call, args) in self.args.iter_mut().enumerate() {
            events.push(ModelEvent::CallArgs { call, text: args.finish() });
        }
        events
    }
}
