//! Decoder of streamed chat completions, without I/O: bytes in, events out.
//!
//! The format is server-sent events (WHATWG HTML, "Server-sent events") whose `data` is a `chat.completion.chunk`
//! (OpenAI API reference, Chat Completions, streaming). Lines are put together from bytes before they are read as text,
//! so that neither a character nor an event can be torn by the transport. The JSON is read field by field instead of
//! into closed types: servers differ, and an unknown field, event or value must not end an answer.

use serde_json::Value;

use super::thought::{Thoughts, Told};
use super::{ModelEvent, Stop};

/// Longest line, in bytes. A whole tool call may come in one.
const MAX_LINE: usize = 1024 * 1024;
/// Most text and arguments of one answer, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;
/// Most calls in one answer.
const MAX_CALLS: usize = 64;

/// Reads one answer.
#[derive(Debug, Default)]
pub struct Decoder {
    line: Vec<u8>,
    data: Vec<u8>,
    calls: Vec<Slot>,
    thoughts: Thoughts,
    size: usize,
    stopped: bool,
    ended: bool,
}

/// A call as the server numbers it.
#[derive(Debug)]
struct Slot {
    wire: Option<u64>,
    id: String,
}

impl Decoder {
    /// A decoder for a new answer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing more will come: the server said so, or a fault ended the answer.
    #[must_use]
    pub const fn ended(&self) -> bool {
        self.ended
    }

    /// Takes the next bytes, however they were split.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<ModelEvent> {
        let mut events = Vec::new();
        for &byte in bytes {
            if self.ended {
                break;
            }
            if byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                self.take_line(line.strip_suffix(b"\r").unwrap_or(&line), &mut events);
            } else if self.line.len() < MAX_LINE && self.data.len() < MAX_LINE {
                self.line.push(byte);
            } else {
                self.fault("the model server sent a line that is longer than 1 MiB", &mut events);
            }
        }
        events
    }

    /// Says that the connection has ended. A last event without its closing blank line counts if it is whole.
    pub fn finish(&mut self) -> Vec<ModelEvent> {
        let mut events = Vec::new();
        if self.ended {
            return events;
        }
        let line = std::mem::take(&mut self.line);
        self.take_line(line.strip_suffix(b"\r").unwrap_or(&line), &mut events);
        let whole = self.data == b"[DONE]" || serde_json::from_slice::<Value>(&self.data).is_ok();
        if whole && !self.ended {
            self.dispatch(&mut events);
        }
        // Behind a fault comes nothing.
        if !self.ended {
            tell(self.thoughts.finish(), &mut events);
        }
        self.ended = true;
        events
    }

    fn take_line(&mut self, line: &[u8], events: &mut Vec<ModelEvent>) {
        if line.is_empty() {
            return self.dispatch(events);
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = colon.map_or((line, &[][..]), |at| (&line[..at], &line[at + 1..]));
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                if !self.data.is_empty() {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
            }
            // llama-server reports late faults in a field of its own.
            b"error" => {
                let told = serde_json::from_slice(value).unwrap_or(Value::Null);
                self.fault(&fault_words(&told), events);
            }
            // Comments (an empty field name), `event`, `id`, `retry` and whatever comes one day.
            _ => {}
        }
    }

    fn dispatch(&mut self, events: &mut Vec<ModelEvent>) {
        let data = std::mem::take(&mut self.data);
        let text = String::from_utf8_lossy(&data);
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        if text == "[DONE]" {
            tell(self.thoughts.finish(), events);
            // Some servers give no reason for a plain answer. With calls open, silence is not consent.
            if !self.stopped && self.calls.is_empty() {
                events.push(ModelEvent::Stop(Stop::Complete));
            }
            self.ended = true;
            return;
        }
        match serde_json::from_str::<Value>(text) {
            Ok(chunk) => self.take_chunk(&chunk, events),
            Err(_) => self.fault("the model server sent an event that is not JSON", events),
        }
    }

    fn take_chunk(&mut self, chunk: &Value, events: &mut Vec<ModelEvent>) {
        if let Some(error) = chunk.get("error").filter(|error| !error.is_null()) {
            return self.fault(&fault_words(error), events);
        }
        let choices = chunk.get("choices").and_then(Value::as_array);
        let first = choices
            .and_then(|all| all.iter().find(|choice| choice.get("index").and_then(Value::as_u64).unwrap_or(0) == 0));
        if let Some(choice) = first {
            self.take_choice(choice, events);
        }
        if let Some(usage) = chunk.get("usage").filter(|usage| usage.is_object()) {
            let count = |field: &str| usage.get(field).and_then(Value::as_u64).unwrap_or(0);
            events
                .push(ModelEvent::Usage { tokens_in: count("prompt_tokens"), tokens_out: count("completion_tokens") });
        }
    }

    fn take_choice(&mut self, choice: &Value, events: &mut Vec<ModelEvent>) {
        let delta = choice.get("delta").unwrap_or(&Value::Null);
        for field in ["reasoning_content", "reasoning"] {
            if let Some(thought) = said(delta, field) {
                events.push(ModelEvent::Thinking(thought.to_owned()));
            }
        }
        if let Some(text) = said(delta, "content") {
            self.size += text.len();
            tell(self.thoughts.take(text), events);
        }
        for piece in delta.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
            self.take_call(piece, events);
        }
        if self.size > MAX_ANSWER || self.calls.len() > MAX_CALLS {
            return self.fault("the model's answer is longer than anything that makes sense", events);
        }
        if let Some(reason) = said(choice, "finish_reason") {
            self.stopped = true;
            tell(self.thoughts.finish(), events);
            events.push(ModelEvent::Stop(match reason {
                "length" | "max_tokens" => Stop::Length,
                "content_filter" | "refusal" => Stop::Withheld,
                _ => Stop::Complete,
            }));
        }
    }

    fn take_call(&mut self, piece: &Value, events: &mut Vec<ModelEvent>) {
        let function = piece.get("function").unwrap_or(&Value::Null);
        let tool = said(function, "name");
        let call = self.slot(piece, tool, events);
        let Some(call) = call else { return };
        let args = match function.get("arguments") {
            Some(Value::String(text)) => text.clone(),
            // Ollama's own dialect sends the arguments as an object, whole.
            Some(object @ Value::Object(_)) => object.to_string(),
            _ => return,
        };
        self.size += args.len();
        if !args.is_empty() {
            events.push(ModelEvent::CallArgs { call, text: args });
        }
    }

    /// Finds the call that a piece belongs to, or begins it. A piece with a known number but another id is another call:
    /// some servers number every call 0.
    fn slot(&mut self, piece: &Value, tool: Option<&str>, events: &mut Vec<ModelEvent>) -> Option<usize> {
        let wire = piece.get("index").and_then(Value::as_u64);
        let id = said(piece, "id").unwrap_or_default();
        let same = |slot: &Slot| {
            let numbered = wire.is_none() || slot.wire == wire;
            let named = id.is_empty() || slot.id.is_empty() || slot.id == id;
            numbered && named
        };
        if let Some(known) = self.calls.iter().rposition(same)
            && !(wire.is_none() && id.is_empty() && tool.is_some())
        {
            return Some(known);
        }
        let tool = tool?;
        self.calls.push(Slot { wire, id: id.to_owned() });
        let call = self.calls.len() - 1;
        events.push(ModelEvent::CallBegun { call, id: id.to_owned(), tool: tool.to_owned() });
        Some(call)
    }

    fn fault(&mut self, message: &str, events: &mut Vec<ModelEvent>) {
        self.ended = true;
        events.push(ModelEvent::Fault(message.to_owned()));
    }
}

fn tell(told: Told, events: &mut Vec<ModelEvent>) {
    if !told.thought.is_empty() {
        events.push(ModelEvent::Thinking(told.thought));
    }
    if !told.words.is_empty() {
        events.push(ModelEvent::Text(told.words));
    }
}

/// A text field that says something.
fn said<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    object.get(field).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The sentence in an error object, in whatever of the usual shapes.
pub(super) fn fault_words(error: &Value) -> String {
    let inner = error.get("error").unwrap_or(&Value::Null);
    let told = [error.as_str(), said(error, "message"), inner.as_str(), said(inner, "message")];
    let words = told.into_iter().flatten().find(|words| !words.trim().is_empty());
    words.unwrap_or("the model server reported an error without a word").to_owned()
}
