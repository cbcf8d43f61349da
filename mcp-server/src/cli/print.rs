//! Writing to the terminal: words, or JSON.

use std::io::Write as _;
use std::process::ExitCode;

use serde::Serialize;

use super::exit::Exit;

/// Writes answers. A reader that goes away (`| head`) is no fault.
pub(crate) struct Printer {
    json: bool,
}

impl Printer {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether JSON was asked for.
    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// The answer: as JSON if that was asked for, else as these words.
    pub(crate) fn answer<T: Serialize>(&self, answer: &T, words: impl FnOnce() -> String) {
        if self.json {
            self.line(&serde_json::to_string(answer).unwrap_or_default());
        } else {
            self.line(&words());
        }
    }

    /// A line.
    pub(crate) fn line(&self, text: &str) {
        let _ = writeln!(std::io::stdout(), "{}", terminal_safe(text));
    }

    /// A piece of a line.
    pub(crate) fn piece(&self, text: &str) {
        let mut out = std::io::stdout();
        let _ = write!(out, "{}", terminal_safe(text));
        let _ = out.flush();
    }

    /// A remark that is not the answer.
    pub(crate) fn remark(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "{}", terminal_safe(text));
    }

    /// Why it was not carried out.
    pub(crate) fn fault(&self, message: &str, exit: Exit) -> ExitCode {
        if self.json {
            self.line(&serde_json::json!({ "error": message, "exit": exit as u8 }).to_string());
        } else {
            self.remark(message);
        }
        exit.code()
    }
}

/// Names and logs of strangers must not drive the terminal.
fn terminal_safe(text: &str) -> String {
    jarvis_safety::plain::visible_block(text)
}
