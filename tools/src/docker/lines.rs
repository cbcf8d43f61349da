//! Lines out of the pieces in which an engine sends a log, kept within bounds.
//!
//! The engine cuts what a container writes into pieces of 16 KiB, each with its own time in front, and mixes the two
//! streams. Here the pieces of a line come together again. A container chooses what it writes, so colours and other
//! commands to a terminal are taken out, and what is left that cannot be seen is shown escaped.

use std::collections::VecDeque;
use std::sync::LazyLock;

use bollard::container::LogOutput;
use jarvis_safety::plain::visible_block;
use regex::Regex;
use schemars::JsonSchema;
use serde::Serialize;

use super::moment;

/// Longest line, in bytes; the rest of it is dropped.
const LONGEST: usize = 4_000;
/// Most bytes of all lines together.
const ALL: usize = 96 * 1024;

static COMMAND: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]").ok());

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Line {
    /// When it was written, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<i64>,
    /// `stdout`, `stderr`, or `terminal` for a container with a terminal, where the two cannot be told apart.
    pub(super) stream: &'static str,
    /// The text.
    pub(super) text: String,
}

/// Collects the last lines that fit a search.
pub(super) struct Lines {
    most: usize,
    search: Option<String>,
    open: Vec<(&'static str, Open)>,
    kept: VecDeque<Line>,
    bytes: usize,
    /// Lines that went by.
    pub(super) seen: usize,
    /// Lines that fitted and were dropped again, because later ones took their place.
    pub(super) dropped: usize,
    /// Lines of which the end was dropped.
    pub(super) shortened: usize,
}

#[derive(Default)]
struct Open {
    at: Option<i64>,
    bytes: Vec<u8>,
    long: bool,
}

impl Lines {
    pub(super) fn new(most: usize, search: Option<&str>) -> Self {
        Self {
            most,
            search: search.map(str::to_lowercase),
            open: Vec::new(),
            kept: VecDeque::new(),
            bytes: 0,
            seen: 0,
            dropped: 0,
            shortened: 0,
        }
    }

    /// Takes the next piece.
    pub(super) fn take(&mut self, piece: &LogOutput) {
        let stream = match piece {
            LogOutput::StdErr { .. } => "stderr",
            LogOutput::Console { .. } => "terminal",
            LogOutput::StdOut { .. } | LogOutput::StdIn { .. } => "stdout",
        };
        let (at, text) = split_time(piece.as_ref());
        let mut open = self.take_open(stream).unwrap_or_else(|| Open { at, ..Open::default() });
        let (text, ends) = text.strip_suffix(b"\n").map_or((text, false), |text| (text, true));
        let room = LONGEST.saturating_sub(open.bytes.len());
        open.long |= text.len() > room;
        open.bytes.extend_from_slice(&text[..text.len().min(room)]);
        if ends { self.close(stream, &open) } else { self.open.push((stream, open)) }
    }

    /// The lines, oldest first.
    pub(super) fn end(&mut self) -> Vec<Line> {
        for (stream, open) in std::mem::take(&mut self.open) {
            self.close(stream, &open);
        }
        std::mem::take(&mut self.kept).into()
    }

    fn take_open(&mut self, stream: &str) -> Option<Open> {
        let index = self.open.iter().position(|(name, _)| *name == stream)?;
        Some(self.open.swap_remove(index).1)
    }

    fn close(&mut self, stream: &'static str, open: &Open) {
        self.seen += 1;
        let mut text = plain(&String::from_utf8_lossy(&open.bytes));
        if self.search.as_ref().is_some_and(|search| !text.to_lowercase().contains(search)) {
            return;
        }
        if open.long {
            text.push('…');
            self.shortened += 1;
        }
        self.bytes += text.len();
        self.kept.push_back(Line { at: open.at, stream, text });
        while self.kept.len() > self.most || self.bytes > ALL {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.bytes -= oldest.text.len();
            self.dropped += 1;
        }
    }
}

/// The time in front of a piece, and the rest.
fn split_time(piece: &[u8]) -> (Option<i64>, &[u8]) {
    let space = piece.iter().take(40).position(|byte| *byte == b' ');
    let time = space.and_then(|end| Some((std::str::from_utf8(&piece[..end]).ok()?, end)));
    match time.and_then(|(text, end)| Some((moment::parse(text)?, end))) {
        Some((at, end)) => (Some(at), &piece[end + 1..]),
        None => (None, piece),
    }
}

/// Text as a terminal would show it in the end, without what moves its cursor or changes its colour.
fn plain(text: &str) -> String {
    let text = text.trim_end_matches('\r');
    let text = text.rsplit('\r').next().unwrap_or(text);
    match COMMAND.as_ref() {
        Some(command) => visible_block(&command.replace_all(text, "")),
        None => visible_block(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out(text: &str) -> LogOutput {
        LogOutput::StdOut { message: format!("2026-11-21T02:07:10.5Z {text}").into() }
    }

    fn err(text: &str) -> LogOutput {
        LogOutput::StdErr { message: format!("2026-11-21T02:07:11Z {text}").into() }
    }

    #[test]
    fn the_pieces_of_a_line_come_together_though_the_streams_mix() {
        let mut lines = Lines::new(10, None);
        for piece in [out("one "), err("oops\n"), out("line\n"), out("end")] {
            lines.take(&piece);
        }
        let told: Vec<_> = lines.end().into_iter().map(|line| (line.stream, line.text)).collect();
        let told: Vec<_> = told.iter().map(|(stream, text)| (*stream, text.as_str())).collect();
        assert_eq!(told, [("stderr", "oops"), ("stdout", "one line"), ("stdout", "end")]);
    }

    #[test]
    fn only_the_last_lines_are_kept_and_the_others_counted() {
        let mut lines = Lines::new(2, Some("MATCH"));
        for text in ["match 1\n", "other\n", "Match 2\n", "match 3\n"] {
            lines.take(&out(text));
        }
        let texts: Vec<_> = lines.end().into_iter().map(|line| line.text).collect();
        assert_eq!(texts, ["Match 2", "match 3"]);
        assert_eq!((lines.seen, lines.dropped), (4, 1));
    }

    #[test]
    fn no_container_can_fill_the_memory_or_colour_the_answer() {
        let mut lines = Lines::new(2000, None);
        let long = format!("{}\n", "x".repeat(16_000));
        (0..100).for_each(|_| lines.take(&out(&long)));
        lines.take(&out("\u{1b}[31mred\u{1b}[0m\u{1b}]0;title\u{7} 10 %\r\u{202e}20 %\r\n"));
        let kept = lines.end();
        assert!(kept.iter().map(|line| line.text.len()).sum::<usize>() <= ALL);
        assert_eq!(lines.shortened, 100);
        assert_eq!(lines.dropped + kept.len(), 101);
        assert_eq!(kept.last().unwrap().text, r"\u{202e}20 %");
        assert_eq!(kept.last().unwrap().at, Some(1_795_226_830_500));
    }
}
