//! `cargo xtask test`: every test there is.

use std::fs;
use std::process::Command;

use crate::{Done, process, root, ui};

/// Runs the dashboard's tests, the browser's, the examples in the documentation, and then all of the workspace.
/// Tests whose real part is missing say so; their lines are repeated at the end.
pub(crate) fn run() -> Done {
    let root = root();
    let skips = root.join("target/skipped.txt");
    let _ = fs::remove_file(&skips);
    fs::create_dir_all(root.join("target")).map_err(|error| error.to_string())?;
    ui::build()?;
    // All that is tried below, so that nothing is built twice with different features.
    process::run_cargo(&["build", "--locked", "--workspace", "--bins", "--tests"])?;
    if process::exists("npm") {
        let folder = ui::folder();
        process::run(&folder, "npm", &["run", "--silent", "check"])?;
        process::run(&folder, "npm", &["run", "--silent", "test"])?;
        process::run(&folder, "npm", &["run", "--silent", "size"])?;
        unchanged_wire()?;
        browser(&skips)?;
    } else {
        note(&skips, "skipped: needs Node (the dashboard's tests)");
    }
    process::run_cargo(&["test", "--locked", "--quiet", "--workspace", "--doc"])?;
    workspace(&skips)
}

/// The dashboard's types must be those of the API.
fn unchanged_wire() -> Done {
    let path = ui::folder().join("src/wire.gen.ts");
    let before = fs::read(&path).unwrap_or_default();
    ui::wire()?;
    if fs::read(&path).unwrap_or_default() == before {
        return Ok(());
    }
    Err("web/ui/src/wire.gen.ts differs from the API; `cargo xtask wire` has written it anew, look at it and commit it"
        .to_owned())
}

fn browser(skips: &std::path::Path) -> Done {
    let named = std::env::var("JARVIS_TEST_CHROMIUM").ok();
    let usual = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    let found =
        named.or_else(|| usual.iter().find(|path| fs::exists(path).unwrap_or(false)).map(|path| (*path).to_owned()));
    match found {
        Some(chromium) => {
            let mut command = Command::new("npm");
            command.args(["run", "--silent", "e2e"]).env("JARVIS_TEST_CHROMIUM", chromium);
            let status = command.current_dir(ui::folder()).status().map_err(|error| error.to_string())?;
            if status.success() { Ok(()) } else { Err(format!("the browser's tests failed ({status})")) }
        }
        None if std::env::var_os("JARVIS_CI").is_some() => Err("the browser's tests need Chromium".to_owned()),
        None => {
            note(skips, "skipped: needs Chromium (the browser's tests)");
            Ok(())
        }
    }
}

fn workspace(skips: &std::path::Path) -> Done {
    let mut command = process::cargo();
    if process::exists("cargo-nextest") {
        command.args(["nextest", "run", "--locked", "--workspace", "--no-fail-fast"]);
    } else {
        command.args(["test", "--locked", "--workspace", "--tests", "--no-fail-fast"]);
    }
    command.env("JARVIS_TEST_SKIPPED", skips);
    let (passed, lines) = process::listen(&root(), &mut command)?;
    for line in fs::read_to_string(skips).unwrap_or_default().lines() {
        process::say(line);
    }
    // The runner's own summary closes the output.
    if let Some(summary) = lines.iter().rev().find(|line| line.contains("tests run:")) {
        process::say(summary);
    }
    if passed { Ok(()) } else { Err("tests failed".to_owned()) }
}

fn note(skips: &std::path::Path, line: &str) {
    process::say(line);
    let before = fs::read_to_string(skips).unwrap_or_default();
    let _ = fs::write(skips, format!("{before}{line}\n"));
}
