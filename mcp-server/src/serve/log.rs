//! Log lines on standard error, readable alone.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::Environment;

/// Turns logging on. `JARVIS_LOG` takes a filter such as `info` or `jarvis_memory=debug`; `JARVIS_LOG=json` prints JSON.
pub(super) fn start(environment: &Environment) {
    let wanted = environment.get("JARVIS_LOG").map_or("", String::as_str);
    let json = wanted == "json";
    let filter = if wanted.is_empty() || json { "warn,jarvis=info" } else { wanted };
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("warn,jarvis=info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // A second subscriber is refused; then the first one logs.
    let _ = if json { lines.json().try_init() } else { lines.compact().try_init() };
}
