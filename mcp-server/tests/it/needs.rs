//! Real parts that may be missing on a stranger's machine.

use std::io::Write as _;

/// The value of a variable that names a real part; tells that the test is skipped when it is not set.
///
/// # Panics
/// In CI, where nothing may be skipped.
pub(crate) fn part(variable: &str, what: &str) -> Option<String> {
    if let Ok(value) = std::env::var(variable) {
        return Some(value);
    }
    told(&format!("{what} ({variable})"));
    None
}

/// Tells that a test is skipped because something is missing.
///
/// # Panics
/// In CI, where nothing may be skipped.
pub(crate) fn told(what: &str) {
    assert!(std::env::var_os("JARVIS_CI").is_none(), "{what} must be there in CI");
    let line = format!("skipped: needs {what}");
    println!("{line}");
    if let Some(path) = std::env::var_os("JARVIS_TEST_SKIPPED") {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
        let _ = file.and_then(|mut file| writeln!(file, "{line}"));
    }
}
