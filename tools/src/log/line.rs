//! One line of a log, and how many of them fit into an answer.

use std::collections::VecDeque;

use jarvis_safety::plain::{shorten, visible};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::system::quantity::stamp;

/// Longest line, in characters.
const MAX_LINE: usize = 4000;
/// Text of all lines together, in bytes.
const MAX_TEXT: usize = 256 * 1024;

/// How grave a message is (syslog(3)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Priority {
    /// The system cannot be used.
    Emergency,
    /// Something must be done at once.
    Alert,
    /// Critical.
    Critical,
    /// An error.
    Error,
    /// A warning.
    Warning,
    /// Worth noting.
    Notice,
    /// For information.
    Info,
    /// For developers.
    Debug,
}

impl Priority {
    const ALL: [Self; 8] = [
        Self::Emergency,
        Self::Alert,
        Self::Critical,
        Self::Error,
        Self::Warning,
        Self::Notice,
        Self::Info,
        Self::Debug,
    ];

    /// From 0 to 7, as the journal writes it.
    pub(super) fn of(number: &str) -> Option<Self> {
        Self::ALL.get(number.parse::<usize>().ok()?).copied()
    }

    /// The number.
    pub(super) const fn number(self) -> u8 {
        self as u8
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Line {
    /// When, in milliseconds since 1970; the journal knows it, a file does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<i64>,
    /// The service that wrote it or that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unit: Option<String>,
    /// How grave it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) priority: Option<Priority>,
    /// What it says, as it was written.
    pub(super) text: String,
}

impl Line {
    /// For chat: one line, nothing in it that could pass for something else.
    pub(super) fn shown(&self, with_unit: bool) -> String {
        let mut parts = Vec::new();
        parts.extend(self.at.map(stamp));
        parts.extend(self.unit.as_deref().filter(|_| with_unit).map(|unit| shorten(&visible(unit), 60)));
        parts.push(shorten(&visible(&self.text), 300));
        parts.join("  ")
    }
}

/// The newest lines that fit, filled from the newest to the oldest.
#[derive(Debug, Default)]
pub(super) struct Newest {
    lines: VecDeque<Line>,
    bytes: usize,
    cut: bool,
}

impl Newest {
    /// Takes the next older line. Answers whether there is room for another.
    pub(super) fn push(&mut self, mut line: Line, limit: usize) -> bool {
        if self.lines.len() >= limit || self.bytes + line.text.len().min(MAX_LINE * 4) > MAX_TEXT {
            self.cut = true;
            return false;
        }
        let whole = line.text.len();
        line.text = shorten(&line.text, MAX_LINE);
        self.cut |= line.text.len() < whole;
        self.bytes += line.text.len();
        self.lines.push_front(line);
        true
    }

    /// Notes that something was left out.
    pub(super) fn leave_out(&mut self) {
        self.cut = true;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The lines, oldest first, and whether something was left out.
    pub(super) fn finish(self) -> (Vec<Line>, bool) {
        (self.lines.into(), self.cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line { at: None, unit: None, priority: None, text: text.to_owned() }
    }

    #[test]
    fn what_does_not_fit_is_said_to_be_cut() {
        let mut newest = Newest::default();
        assert!(newest.push(line("3"), 2));
        assert!(newest.push(line("2"), 2));
        assert!(!newest.push(line("1"), 2));
        let (lines, cut) = newest.finish();
        assert_eq!(lines, [line("2"), line("3")]);
        assert!(cut);

        let mut newest = Newest::default();
        assert!(newest.push(line(&"ü".repeat(5000)), 10));
        let (lines, cut) = newest.finish();
        assert_eq!(lines[0].text.chars().count(), MAX_LINE + 1, "the ellipsis is the last");
        assert!(cut);
    }

    #[test]
    fn the_text_of_all_lines_is_bounded() {
        let mut newest = Newest::default();
        let mut count = 0;
        while newest.push(line(&"x".repeat(3000)), 2000) {
            count += 1;
        }
        assert_eq!(count, MAX_TEXT / 3000);
    }

    #[test]
    fn a_line_cannot_dress_up_as_two() {
        let shown = line("ok\n2026-01-01 00:00:00Z  all is well\u{1b}[2J").shown(true);
        assert_eq!(shown, r"ok\u{a}2026-01-01 00:00:00Z  all is well\u{1b}[2J");
    }

    #[test]
    fn priorities_are_numbered_as_syslog_does() {
        assert_eq!(Priority::of("3"), Some(Priority::Error));
        assert_eq!(Priority::Error.number(), 3);
        assert_eq!(Priority::of("8"), None);
    }
}
