//! The same stream read at once: server-sent events line by line (WHATWG HTML, 9.2.6), the words of the first choice, and
//! thoughts told from words over the whole answer.

use serde_json::Value;

/// What was said in all.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) words: String,
    /// Thoughts that stood in the answer.
    pub(super) written: String,
    /// Thoughts that the server told apart.
    pub(super) apart: String,
}

/// Why nothing more is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The server said so.
    Done,
    /// It is at fault.
    Fault,
}

#[derive(Default)]
struct Answer {
    said: Said,
    /// Words in which thoughts are still told from the answer.
    open: String,
    /// The server gave a reason to stop: words behind it are words.
    closed: bool,
}

pub(super) fn read(sent: &[u8]) -> Said {
    let mut answer = Answer::default();
    let mut data: Vec<&[u8]> = Vec::new();
    let mut lines = sent.split(|byte| *byte == b'\n').collect::<Vec<_>>();
    // What follows the last line break is a line only if the connection ends there.
    let last = lines.pop().unwrap_or_default();
    for line in lines {
        if let Some(end) = answer.line(line, &mut data) {
            return answer.ended(end);
        }
    }
    if let Some(end) = answer.line(last, &mut data) {
        return answer.ended(end);
    }
    let rest = data.join(&b'\n');
    let whole = rest == b"[DONE]" || serde_json::from_slice::<Value>(&rest).is_ok();
    if whole && let Some(end) = answer.event(&rest) {
        return answer.ended(end);
    }
    answer.ended(End::Done)
}

impl Answer {
    fn line<'a>(&mut self, line: &'a [u8], data: &mut Vec<&'a [u8]>) -> Option<End> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return self.event(&std::mem::take(data).join(&b'\n'));
        }
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &b""[..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"error" => Some(End::Fault),
            // A first line of nothing counts for nothing.
            b"data" if !(data.is_empty() && value.is_empty()) => {
                data.push(value);
                None
            }
            _ => None,
        }
    }

    fn event(&mut self, data: &[u8]) -> Option<End> {
        let text = String::from_utf8_lossy(data);
        match text.trim() {
            "" => None,
            "[DONE]" => Some(End::Done),
            text => match serde_json::from_str::<Value>(text) {
                Ok(chunk) => self.chunk(&chunk),
                Err(_) => Some(End::Fault),
            },
        }
    }

    fn chunk(&mut self, chunk: &Value) -> Option<End> {
        if !chunk["error"].is_null() {
            return Some(End::Fault);
        }
        let choices = chunk["choices"].as_array()?;
        let choice = choices.iter().find(|choice| choice["index"].as_u64().unwrap_or(0) == 0)?;
        let delta = &choice["delta"];
        for field in ["reasoning_content", "reasoning"] {
            self.said.apart.push_str(delta[field].as_str().unwrap_or_default());
        }
        let words = delta["content"].as_str().unwrap_or_default();
        if self.closed {
            self.said.words.push_str(words);
        } else {
            self.open.push_str(words);
        }
        if choice["finish_reason"].as_str().is_some_and(|reason| !reason.is_empty()) {
            self.close(End::Done);
        }
        None
    }

    fn ended(mut self, end: End) -> Said {
        self.close(end);
        self.said
    }

    /// A thought stands before the answer and nowhere else.
    fn close(&mut self, end: End) {
        let open = std::mem::take(&mut self.open);
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        let mut rest = open.as_str();
        loop {
            let begun = rest.trim_start();
            let tag = [("<think>", "</think>"), ("<thinking>", "</thinking>")];
            let Some((opening, closing)) = tag.into_iter().find(|(opening, _)| begun.starts_with(opening)) else {
                break;
            };
            let within = &begun[opening.len()..];
            let Some((thought, behind)) = within.split_once(closing) else {
                let told = if end == End::Fault { without_beginning_of(closing, within) } else { within };
                self.said.written.push_str(told);
                return;
            };
            self.said.written.push_str(thought);
            rest = behind.trim_start();
        }
        // What could have become a tag was held back, and a fault ends all.
        let open = ["<think>", "<thinking>"].iter().any(|tag| tag.starts_with(rest.trim_start()));
        if !(open && end == End::Fault) {
            self.said.words.push_str(rest);
        }
    }
}

/// The text without the beginning of a tag at its end.
fn without_beginning_of<'a>(tag: &str, text: &'a str) -> &'a str {
    let beginnings = (1..tag.len()).rev().map(|length| &tag[..length]);
    beginnings.filter_map(|beginning| text.strip_suffix(beginning)).next().unwrap_or(text)
}
