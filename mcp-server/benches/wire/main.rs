//! What a governed server costs from outside, beside bare ones in the same run: `cargo xtask bench`. Rounds alternate
//! between those that are compared, and each figure is the median of its rounds. Prints lines for `xtask` to put into
//! its table, and asserts only that every answer was the right one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    reason = "a measurement"
)]
#![allow(clippy::disallowed_methods, reason = "a measurement is about this machine's time")]

mod api;
mod call;
mod chained;
mod contestant;
mod effect;
mod jarvis;
mod job;
mod leash;
mod load;
mod reference;
mod rest;
mod row;
mod start;
mod stock;
mod stop;
mod stream;

use std::time::Duration;

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Plan<'a> {
    quick: bool,
    /// A data directory with very many jobs.
    pub(crate) full: Option<&'a str>,
}

impl Plan<'_> {
    /// Rounds of everything that is compared.
    pub(crate) const ROUNDS: usize = 5;

    /// One of two numbers: for a whole run, or for a quick one.
    pub(crate) const fn pick<T: Copy>(self, whole: T, quick: T) -> T {
        if self.quick { quick } else { whole }
    }

    /// Length of one round.
    pub(crate) const fn round(self) -> Duration {
        Duration::from_millis(self.pick(2_000, 300))
    }

    /// Length of one of what has its row on the disk before it is answered: the disk sets the pace.
    pub(crate) const fn durable_round(self) -> Duration {
        Duration::from_millis(self.pick(500, 60))
    }
}

/// One part of the table.
type Measure = fn(Plan<'_>);

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some(leash::FLAG) => leash::run(&words[1..]),
        Some(chained::FLAG) => return chained::serve(&words[1]),
        Some(reference::FLAG) => return reference::serve(words.iter().any(|word| word == reference::WHOLE)),
        _ => {}
    }
    // Whoever started the measurement is gone: nobody would read the rest.
    leash::tie(rustix::process::Signal::TERM);
    let full = words.iter().find_map(|word| word.strip_prefix("--full="));
    let plan = Plan { quick: words.iter().any(|word| word == "--quick"), full };
    let wants = |name: &str| words.iter().any(|word| word == name);
    let parts: [(&str, Measure); 7] = [
        ("calls", call::measure),
        ("effects", effect::measure),
        ("jobs", job::measure),
        ("streams", stream::measure),
        ("memory", rest::measure),
        ("start", start::measure),
        ("stop", stop::measure),
    ];
    for (name, measure) in parts {
        if wants(name) {
            measure(plan);
        }
    }
}
