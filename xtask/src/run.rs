//! `cargo xtask run`: from a clone to a page.

use std::process::Command;

use crate::{Done, process, root, ui};

/// Builds dashboard and program, and starts the server in the foreground.
pub(crate) fn run(arguments: &[String]) -> Done {
    ui::build()?;
    process::run_cargo(&["build", "--locked", "--package", "jarvis-mcp-server"])?;
    let rest = arguments.iter().skip_while(|argument| *argument == "--");
    let mut command = Command::new(root().join("target/debug/jarvis"));
    command.arg("serve").args(rest);
    let status = command.status().map_err(|error| format!("jarvis could not be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("jarvis ended ({status})")) }
}
