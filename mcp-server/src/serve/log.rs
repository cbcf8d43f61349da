//! Log lines on standard error, readable alone and without secrets.

use std::io::{self, IsTerminal as _, Write};

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
        .with_writer(Lines(redactor.clone()))
        .with_ansi(io::stderr().is_terminal());
    // A second subscriber is refused; then the first one logs.
    let _ = if json { lines.json().try_init() } else { lines.compact().try_init() };
    // What a panic says may quote a text: it goes the same way.
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
}

/// Writes to standard error. A line is written in one piece, so a secret in it is whole.
struct Lines(Redactor);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(&self.0)
    }
}

struct Line<'a>(&'a Redactor);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(line) {
            Ok(text) => io::stderr().write_all(self.0.text(text).as_bytes())?,
            Err(_) => io::stderr().write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
