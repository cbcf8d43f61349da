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
    use std::process::Command;

    use jarvis_safety::secret::Secret;

    use super::*;

    /// Tells the process that a test started in which format it logs.
    const LOGS_AS: &str = "JARVIS_TEST_LOGS_AS";

    /// With what a line writes otherwise than it is.
    const SECRET: &str = "ghp_Night\"ingale\\0815";

    fn break_off() {
        panic!("it broke off at {SECRET}");
    }

    /// Logs the secret in every way in which a line quotes something.
    fn log_as(format: &str) {
        let redactor = Redactor::default();
        redactor.know(vec![("door".to_owned(), Secret::new(SECRET.to_owned()))]).unwrap();
        start(&Environment::from([("JARVIS_LOG".to_owned(), format.to_owned())]), &redactor);
        tracing::warn!("it holds {SECRET} in its own words");
        tracing::warn!(text = SECRET, shown = %SECRET, told = ?SECRET, "it holds more beside them");
        assert!(std::panic::catch_unwind(break_off).is_err());
    }

    #[test]
    fn a_secret_that_is_logged_or_panicked_with_is_struck_out_before_it_reaches_standard_error() {
        if let Ok(format) = std::env::var(LOGS_AS) {
            return log_as(&format);
        }
        for format in ["warn", "json"] {
            // What logs, and what a panic says, is the whole process's: it is another one.
            let mut other = Command::new(std::env::current_exe().unwrap());
            other.args(["a_secret_that_is_logged_or_panicked_with", "--nocapture"]).env(LOGS_AS, format);
            let output = other.output().unwrap();
            let logged = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success(), "{format}: {logged}");
            assert_eq!(logged.matches("[secret door]").count(), 5, "{format}: {logged}");
            assert!(!logged.contains("ghp_") && !logged.contains("ingale"), "{format}: {logged}");
        }
    }

    #[test]
    fn what_a_line_quotes_begins_no_other_line() {
        let quoted = "WARN id=\u{1b}[2J\n2026-11-22T00:00:00Z INFO jarvis: all is well\u{202e}\r\n";
        let shown = "WARN id=\\u{1b}[2J\\u{a}2026-11-22T00:00:00Z INFO jarvis: all is well\\u{202e}\\u{d}\n";
        assert_eq!(plain(quoted), shown);
        assert_eq!(plain("größe"), "größe\n");
    }
}
