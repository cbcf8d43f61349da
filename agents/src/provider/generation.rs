//! One answer of a model, put together from its events.
//!
//! A call leaves here only out of an answer that its server declared complete: a stream that breaks off inside the
//! arguments of a call yields words for people, and nothing to run.

use super::{ModelEvent, Stop};

/// An answer as far as it has come.
#[derive(Debug, Default)]
pub struct Generation {
    text: String,
    calls: Vec<Wanted>,
    tokens_in: Option<u64>,
    tokens_out: Option<u64>,
    stop: Option<Stop>,
    fault: Option<String>,
}

/// A call that the model wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The model's own id; may be empty.
    pub id: String,
    /// Tool.
    pub tool: String,
    /// Arguments as the model wrote them.
    pub args: String,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complete {
    /// The words.
    pub text: String,
    /// The calls, in order; none if the answer was cut short by the server.
    pub calls: Vec<Wanted>,
    /// Calls that were left out because the answer was cut short.
    pub dropped: usize,
    /// Why it ended.
    pub stop: Stop,
    /// Tokens read.
    pub tokens_in: Option<u64>,
    /// Tokens written.
    pub tokens_out: Option<u64>,
}

/// An answer that never became whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incomplete {
    /// The words before the break.
    pub text: String,
    /// The fault that the server reported, if it did.
    pub fault: Option<String>,
}

impl Generation {
    /// Takes the next event; answers new words for people.
    pub fn take(&mut self, event: ModelEvent) -> Option<String> {
        match event {
            ModelEvent::Text(text) => {
                self.text.push_str(&text);
                return Some(text);
            }
            ModelEvent::Thinking(_) => {}
            ModelEvent::CallBegun { id, tool, .. } => {
                self.calls.push(Wanted { id, tool, args: String::new() });
            }
            ModelEvent::CallArgs { call, text } => {
                if let Some(wanted) = self.calls.get_mut(call) {
                    wanted.args.push_str(&text);
                }
            }
            ModelEvent::Usage { tokens_in, tokens_out } => {
                self.tokens_in = Some(tokens_in);
                self.tokens_out = Some(tokens_out);
            }
            ModelEvent::Stop(stop) => self.stop = Some(stop),
            ModelEvent::Fault(message) => self.fault = Some(message),
        }
        None
    }

    /// The words so far.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The answer, now that the stream has ended.
    ///
    /// # Errors
    /// If the server reported a fault or never said that the answer is whole.
    pub fn complete(self) -> Result<Complete, Incomplete> {
        let (Some(stop), None) = (self.stop, &self.fault) else {
            return Err(Incomplete { text: self.text, fault: self.fault });
        };
        let (calls, dropped) = if stop == Stop::Complete { (self.calls, 0) } else { (Vec::new(), self.calls.len()) };
        Ok(Complete { text: self.text, calls, dropped, stop, tokens_in: self.tokens_in, tokens_out: self.tokens_out })
    }
}
