//! `cargo xtask lint`: what no compiler holds, the budgets and what must not be left behind.

use std::fs;
use std::path::Path;

use crate::lines::files;
use crate::{Done, budget, root};

/// Checks every budget and names each one that is broken.
pub(crate) fn run() -> Done {
    let root = root();
    let mut faults = budget::faults(&root);
    left_behind(&root, &mut faults);
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

fn left_behind(root: &Path, faults: &mut Vec<String>) {
    // Spelled apart, so that this file does not find itself.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("console", ".log("), concat!("#[ign", "ore")];
    for path in files(root, &[".rs", ".ts", ".svelte", ".sh", ".css"]) {
        let text = fs::read_to_string(&path).unwrap_or_default();
        for (number, line) in text.lines().enumerate() {
            if let Some(mark) = marks.iter().find(|mark| line.contains(**mark)) {
                faults.push(format!("{}:{}: `{mark}` was left behind", path.display(), number + 1));
            }
        }
    }
}
