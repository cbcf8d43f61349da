//! Writing to the terminal: words, or JSON.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use jarvis_safety::plain::visible_block;
use serde::Serialize;

use super::exit::{Exit, Result, Stop};

/// Writes answers. A reader that goes away (`| head`) is no fault; a disk that is full is one.
pub(crate) struct Printer {
    json: bool,
    fault: RefCell<Option<io::Error>>,
}

impl Printer {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json, fault: RefCell::new(None) }
    }

    /// Whether JSON was asked for.
    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// Whether nothing more can be written, so that nothing more need be read.
    pub(crate) fn is_shut(&self) -> bool {
        self.fault.borrow().is_some()
    }

    /// The answer: as one line of JSON if that was asked for, else as these words.
    pub(crate) fn answer<T: Serialize>(&self, answer: &T, words: impl FnOnce() -> String) {
        if self.json {
            self.document(answer);
        } else {
            self.line(&words());
        }
    }

    /// One line of JSON, whatever was asked for.
    pub(crate) fn document<T: Serialize>(&self, document: &T) {
        self.write(&format!("{}\n", json_safe(&serde_json::to_string(document).unwrap_or_default())));
    }

    /// A line.
    pub(crate) fn line(&self, text: &str) {
        self.write(&format!("{}\n", visible_block(text)));
    }

    /// A piece of a line.
    pub(crate) fn piece(&self, text: &str) {
        self.write(&visible_block(text));
    }

    /// Text of our own, as it is.
    pub(crate) fn write(&self, text: &str) {
        let mut out = io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        if let Err(error) = written {
            self.fault.borrow_mut().get_or_insert(error);
        }
    }

    /// A remark that is not the answer.
    pub(crate) fn remark(&self, text: &str) {
        remark(text);
    }

    /// The exit code of a command, once it has said everything or why it could not be carried out.
    pub(crate) fn end(&self, result: Result) -> ExitCode {
        let exit = match result {
            Ok(exit) => exit,
            Err(Stop { exit, code, message }) if self.json => {
                let told = serde_json::json!({ "error": message, "code": code, "exit": exit as u8 });
                self.answer(&told, String::new);
                exit
            }
            Err(stop) => {
                self.remark(&stop.message);
                stop.exit
            }
        };
        match &*self.fault.borrow() {
            Some(error) if error.kind() != ErrorKind::BrokenPipe => {
                self.remark(&format!("the answer could not be written: {error}"));
                Exit::Failed.code()
            }
            _ => exit.code(),
        }
    }
}

/// A remark that is not the answer, from wherever it comes.
pub(crate) fn remark(text: &str) {
    let _ = writeln!(io::stderr(), "{}", visible_block(text));
}

/// Names and logs of strangers must not drive the terminal, and what a program reads must stay JSON.
fn json_safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        let plain = matches!(character, ' '..='~' | '\n')
            || visible_block(character.encode_utf8(&mut [0; 4])).chars().eq([character]);
        if plain {
            safe.push(character);
        } else {
            safe.extend(character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::json_safe;

    #[test]
    fn json_with_characters_that_deceive_is_shown_harmless_and_stays_the_same_json() {
        let value = serde_json::json!({ "a\u{202e}": "größe 東京 \u{1b}[2J \u{7f} \u{9b} \u{e0041} \u{200b}\n\t\"" });
        let shown = json_safe(&value.to_string());
        assert!(!shown.chars().any(|character| character.is_control() || character == '\u{202e}'), "{shown:?}");
        assert!(shown.contains("größe 東京") && shown.contains("\\udb40\\udc41"), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}
