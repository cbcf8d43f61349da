//! Starting other programs.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

/// A line for whoever watches.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Whether a program can be started.
pub(crate) fn exists(program: &str) -> bool {
    let version = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

/// Cargo in the project's folder, as if started by hand. What `cargo run` told this program about itself is kept from it:
/// build scripts look at these variables, and where they differ half of the workspace is built anew.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(crate::root());
    let told = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(told)) {
        command.env_remove(name);
    }
    command
}

/// Runs cargo with its output shown.
pub(crate) fn run_cargo(arguments: &[&str]) -> Result<(), String> {
    finish(cargo().args(arguments), &format!("cargo {}", arguments.join(" ")))
}

/// Runs a program in a folder, with its output shown.
pub(crate) fn run(folder: &Path, program: &str, arguments: &[&str]) -> Result<(), String> {
    let shown = format!("{program} {}", arguments.join(" "));
    finish(Command::new(program).args(arguments).current_dir(folder), &shown)
}

fn finish(command: &mut Command, shown: &str) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{shown}` failed ({status})")),
        Err(error) => Err(format!("`{shown}` could not be started: {error}")),
    }
}

/// Runs a program with its messages shown as they come, and answers them.
pub(crate) fn listen(folder: &Path, command: &mut Command) -> Result<(bool, Vec<String>), String> {
    let mut child = command
        .current_dir(folder)
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("`{}` could not be started: {error}", command.get_program().to_string_lossy()))?;
    let mut lines = Vec::new();
    if let Some(messages) = child.stderr.take() {
        for line in BufReader::new(messages).lines().map_while(Result::ok) {
            say(&line);
            lines.push(line);
        }
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    Ok((status.success(), lines))
}
