//! Servers that end with whoever started them, however that ends: by a panic, Ctrl-C or a kill.
//!
//! The benchmark starts itself, asks the system for a signal at its parent's death, and becomes the server; what was
//! asked for outlives that. The parent is a thread to the system, so servers are started from the main thread alone.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::process::{Resource, Rlimit, Signal};

/// With it the benchmark becomes the program that follows.
pub(crate) const FLAG: &str = "--leash";

/// Open files that a program usually may have, so that a server finds what it finds elsewhere.
const USUAL_FILES: u64 = 1_024;

/// A program on the leash.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([FLAG, &std::process::id().to_string(), program]);
    command
}

/// Becomes the program.
pub(crate) fn run(words: &[String]) -> ! {
    tie(Signal::KILL);
    let parent = rustix::process::getppid().map(|parent| parent.as_raw_nonzero().to_string());
    assert_eq!(parent.as_ref(), Some(&words[0]), "the benchmark ended before its server began");
    let limit = rustix::process::getrlimit(Resource::Nofile);
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current: Some(USUAL_FILES), ..limit }).unwrap();
    let error = Command::new(&words[1]).args(&words[2..]).exec();
    panic!("{} could not be started: {error}", words[1]);
}

/// This process ends with its parent.
pub(crate) fn tie(signal: Signal) {
    rustix::process::set_parent_process_death_signal(Some(signal)).unwrap();
}

/// As many open files as the system allows.
pub(crate) fn many_files() {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}
