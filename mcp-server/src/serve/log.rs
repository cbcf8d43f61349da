//! Log lines on standard error, readable alone and without secrets. What is logged may quote anybody: no text in a line
//! begins another one or hides a part of it.

use std::io::{self, Write};

use jarvis_safety::plain::visible;
use jarvis_safety::secret::Redactor;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::Environment;

/// Turns logging on. `JARVIS_LOG` takes a filter such as `info` or `jarvis_memory=debug`; `JARVIS_LOG=json` prints JSON.
pub(super) fn start(environment: &Environment, redactor: &Redactor) {
    let wanted = environment.get("JARVIS_LOG").map_or("", String::as_str);
    let json = wanted == "json";
    let filter = if wanted.is_empty() || json { "warn,jarvis=info" } else { wanted };
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("warn,jarvis=info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Lines { redactor: redactor.clone(), json })
        // Without colours: a code that steers a terminal is always somebody else's.
        .with_ansi(false);
    // A second subscriber is refused; then the first one logs.
    let _ = if json { lines.json().try_init() } else { lines.compact().try_init() };
    // What a panic says may quote a text: it goes the same way.
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
}

/// Writes to standard error. A line is written in one piece, so a secret in it is whole.
struct Lines {
    redactor: Redactor,
    json: bool,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

struct Line<'a>(&'a Lines);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let text = self.0.redactor.text(&text);
        // JSON has its own way to write what is not plain.
        if self.0.json {
            io::stderr().write_all(text.as_bytes())?;
        } else {
            io::stderr().write_all(plain(&text).as_bytes())?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// A line, with its end as the only one.
fn plain(line: &str) -> String {
    let mut shown = visible(line.strip_suffix('\n').unwrap_or(line));
    shown.push('\n');
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_line_quotes_begins_no_other_line() {
        let quoted = "WARN id=\u{1b}[2J\n2026-11-22T00:00:00Z INFO jarvis: all is well\u{202e}\r\n";
        let shown = "WARN id=\\u{1b}[2J\\u{a}2026-11-22T00:00:00Z INFO jarvis: all is well\\u{202e}\\u{d}\n";
        assert_eq!(plain(quoted), shown);
        assert_eq!(plain("größe"), "größe\n");
    }
}
