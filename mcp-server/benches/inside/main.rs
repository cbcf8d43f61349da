//! What is measured, or made ready, inside one process: `cargo xtask bench`. Prints lines for `xtask` to put into its
//! table.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, missing_docs, reason = "a measurement")]
#![allow(clippy::disallowed_methods, reason = "a measurement is about this machine's time")]

mod fill;
mod machine;
mod tool;

use std::path::Path;

use rustix::process::Signal;

/// As in the server.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() {
    // Whoever started the measurement is gone: nobody would read the rest.
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM)).unwrap();
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["fill", folder, jobs] => fill::fill(Path::new(folder), jobs.parse().unwrap()).await,
        ["tools", ..] => tool::measure(words.iter().any(|word| word == "--quick")).await,
        _ => panic!("say `fill FOLDER JOBS` or `tools [--quick]`"),
    }
}
