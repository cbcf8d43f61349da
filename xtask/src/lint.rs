//! `cargo xtask lint`: the budgets that no compiler holds.

use std::fs;
use std::path::Path;

use crate::size::{files, rust};
use crate::{Done, process, root};

/// Most lines of a source file.
const LONGEST: usize = 800;
/// Most lines of 95 % of the source files.
const LONG: usize = 450;
/// Most lines of half of the source files.
const MEDIAN: usize = 150;
/// Most lines of code of the kernel.
const KERNEL: usize = 1500;
/// Most lines of a component of the dashboard.
const COMPONENT: usize = 250;
/// Most packages in the lock file.
const PACKAGES: usize = 650;

/// Checks every budget and names each one that is broken.
pub(crate) fn run() -> Done {
    let root = root();
    let mut faults = Vec::new();
    sources(&root, &mut faults);
    kernel(&root, &mut faults);
    components(&root, &mut faults);
    packages(&root, &mut faults);
    left_behind(&root, &mut faults);
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "benches")
}

fn sources(root: &Path, faults: &mut Vec<String>) {
    let sources = files(root, &[".rs"]).into_iter().filter(|path| !is_test(path));
    let mut sizes: Vec<_> = sources.map(|path| (rust(&read(&path)).0, path)).collect();
    sizes.sort();
    let at = |share: usize| {
        sizes.get((sizes.len() * share / 100).min(sizes.len().saturating_sub(1))).map_or(0, |size| size.0)
    };
    let (median, long) = (at(50), at(95));
    process::say(&format!("sources: {} files, median {median} lines, 95 % within {long}", sizes.len()));
    if median > MEDIAN {
        faults.push(format!("half of the source files must be within {MEDIAN} lines, and are within {median}"));
    }
    if long > LONG {
        faults.push(format!("95 % of the source files must be within {LONG} lines, and are within {long}"));
    }
    for (lines, path) in sizes.iter().filter(|size| size.0 > LONGEST) {
        faults.push(format!("{} has {lines} lines, more than {LONGEST}", path.display()));
    }
}

fn kernel(root: &Path, faults: &mut Vec<String>) {
    let code: usize = files(&root.join("safety/src/kernel"), &[".rs"]).iter().map(|path| rust(&read(path)).1).sum();
    process::say(&format!("kernel: {code} lines of code"));
    if code > KERNEL {
        faults.push(format!("the kernel has {code} lines of code, more than {KERNEL}"));
    }
}

fn components(root: &Path, faults: &mut Vec<String>) {
    for path in files(&root.join("web/ui/src"), &[".svelte"]) {
        let lines = read(&path).lines().count();
        if lines > COMPONENT {
            faults.push(format!("{} has {lines} lines, more than {COMPONENT}", path.display()));
        }
    }
}

fn packages(root: &Path, faults: &mut Vec<String>) {
    let count = read(&root.join("Cargo.lock")).lines().filter(|line| *line == "[[package]]").count();
    process::say(&format!("packages: {count} locked"));
    if count > PACKAGES {
        faults.push(format!("{count} packages are locked, more than {PACKAGES}"));
    }
}

fn left_behind(root: &Path, faults: &mut Vec<String>) {
    // Spelled apart, so that this file does not find itself.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("console", ".log("), concat!("#[ign", "ore")];
    for path in files(root, &[".rs", ".ts", ".svelte", ".sh", ".css"]) {
        let text = read(&path);
        for (number, line) in text.lines().enumerate() {
            if let Some(mark) = marks.iter().find(|mark| line.contains(**mark)) {
                faults.push(format!("{}:{}: `{mark}` was left behind", path.display(), number + 1));
            }
        }
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
