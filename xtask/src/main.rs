//! `cargo xtask`: the project's own tasks, in plain Rust so that they run wherever the project builds.
//!
//! `run` and `test` are the two commands of the README. They write only inside the repository and Jarvis's data
//! directory, and never act as root.

mod bench;
mod budget;
mod conformance;
mod fuzz;
mod lines;
mod lint;
mod mutants;
mod process;
mod proof;
mod run;
mod test;
mod ui;

use std::path::PathBuf;
use std::process::ExitCode;

const HELP: &str = "cargo xtask run [-- ARGS]   build everything and start Jarvis
cargo xtask test            run every test
cargo xtask lint            check the budgets, and that nothing was left behind
cargo xtask size            show the budgets as they stand: the kernel's lines, longest functions, packages, dashboard
cargo xtask mutants         change the kernel's meaning where it was touched since the last full run; a test must notice
                            (--all for the whole kernel, --in-place to work in this very folder)
cargo xtask proof           hold the real program to its word: kill it under load, break it, look what is left
                            (--suite kill|power|boundary|faults|postgres|secrets|hostile|adversary|dojo|questions|fuzz|openapi,
                            --minutes N, --cycles N, --seed N, --lanes N, --release)
cargo xtask conformance     play the conformance suite of the Model Context Protocol against `jarvis serve --fixtures`
                            (--set 2026-07-28|2025-11-25, --scenario NAME)
cargo xtask bench           measure what is promised of the speed, beside bare servers, in one table
                            (--quick, and any of calls, effects, tools, jobs, streams, memory, start)
cargo xtask ui              build the dashboard
cargo xtask wire            write the dashboard's types from the OpenAPI document";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rest = arguments.get(1..).unwrap_or_default();
    let done = match arguments.first().map(String::as_str) {
        Some("run") => run::run(rest),
        Some("test") => test::run(),
        Some("lint") => lint::run(),
        Some("size") => budget::print(),
        Some("mutants") => mutants::run(rest),
        Some("proof") => proof::run(rest),
        Some("conformance") => conformance::run(rest),
        Some("bench") => bench::run(rest),
        Some("ui") => ui::build(),
        Some("wire") => ui::wire(),
        _ => Err(HELP.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            process::say(&fault);
            ExitCode::FAILURE
        }
    }
}

/// The folder of the workspace.
fn root() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    own.parent().map_or_else(|| own.clone(), PathBuf::from)
}

/// A task's end: nothing, or what went wrong.
type Done = Result<(), String>;
