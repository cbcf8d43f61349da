//! The budgets: how large things may be, and how large they are. `size` prints them; `lint` holds the same.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::lines::{files, rust};
use crate::{Done, process, ui};

/// The budget whose parts are all shown.
const KERNEL: &str = "lines of code of the kernel";
/// So many parts of the others are.
const SHOWN: usize = 5;

/// One budget as it stands.
struct Budget {
    /// What is measured.
    what: &'static str,
    /// How much there is.
    is: usize,
    /// How much there may be.
    most: usize,
    /// What it is made of: size and name, the largest first.
    parts: Vec<(usize, String)>,
}

impl Budget {
    /// What is wrong, if it is exceeded.
    fn fault(&self) -> Option<String> {
        let too_large = self.is > self.most;
        let largest = self.parts.first().map_or_else(String::new, |(size, name)| format!("; {name} has {size}"));
        too_large.then(|| format!("{}: {}, more than {}{largest}", self.what, self.is, self.most))
    }
}

/// `cargo xtask size`: every budget with how much of it is used and by what, and a failure where one is exceeded.
pub(crate) fn print() -> Done {
    let root = crate::root();
    for Budget { what, is, most, parts } in all(&root) {
        process::say(&format!("{is:5} of {most:4}  {what}"));
        let shown = if what == KERNEL { parts.len() } else { SHOWN };
        for (size, name) in parts.iter().take(shown) {
            process::say(&format!("{size:17}  {name}"));
        }
    }
    let mut faults = faults(&root);
    faults.extend(script().err());
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

/// The dashboard's script, compressed: its own build tells and holds its budget.
fn script() -> Done {
    let folder = ui::folder();
    if process::exists("node") && folder.join("dist").is_dir() {
        let told = Command::new("node").arg("scripts/size.mjs").current_dir(&folder).output();
        let told = told.map_err(|error| error.to_string())?;
        let sum = String::from_utf8_lossy(&told.stdout).lines().last().unwrap_or_default().trim().to_owned();
        process::say(&format!("{sum} of the dashboard, of 150 KB"));
        return if told.status.success() {
            Ok(())
        } else {
            Err("the script of the dashboard exceeds its budget".to_owned())
        };
    }
    process::say("the dashboard is not built: the size of its script is not known");
    Ok(())
}

/// Every budget that is exceeded.
pub(crate) fn faults(root: &Path) -> Vec<String> {
    all(root).iter().filter_map(Budget::fault).collect()
}

/// All of them.
fn all(root: &Path) -> Vec<Budget> {
    let sources = measured(root, &[".rs"], |text| rust(text).0, |path| !is_test(path));
    let kernel = measured(&root.join("safety/src/kernel"), &[".rs"], |text| rust(text).1, |_| true);
    let components = measured(&root.join("web/ui/src"), &[".svelte"], |text| text.lines().count(), |_| true);
    let functions = measured(root, &[".rs"], longest_function, |path| !is_test(path));
    let packages = read(&root.join("Cargo.lock")).lines().filter(|line| *line == "[[package]]").count();
    let share = |share: usize| {
        // Counted from the largest.
        let at = sources.len() - (sources.len() * share / 100).min(sources.len().saturating_sub(1)) - 1;
        sources.get(at).map_or(0, |part| part.0)
    };
    vec![
        Budget { what: KERNEL, is: kernel.iter().map(|part| part.0).sum(), most: 1500, parts: kernel },
        Budget { what: "lines of half of the source files", is: share(50), most: 150, parts: Vec::new() },
        Budget { what: "lines of 95 % of the source files", is: share(95), most: 450, parts: Vec::new() },
        largest("lines of a source file", 800, sources),
        largest("lines of code in a function", longest_allowed(root), functions),
        largest("lines of a component of the dashboard", 250, components),
        Budget { what: "packages in the lock file", is: packages, most: 650, parts: Vec::new() },
    ]
}

fn largest(what: &'static str, most: usize, parts: Vec<(usize, String)>) -> Budget {
    Budget { what, is: parts.first().map_or(0, |part| part.0), most, parts }
}

/// Sizes and names of files below a folder, the largest first.
fn measured(
    folder: &Path,
    endings: &[&str],
    size: impl Fn(&str) -> usize,
    counts: impl Fn(&Path) -> bool,
) -> Vec<(usize, String)> {
    let sized = |path: std::path::PathBuf| {
        let name = path.strip_prefix(crate::root()).unwrap_or(&path).display().to_string();
        (size(&read(&path)), name)
    };
    let mut sizes: Vec<_> = files(folder, endings).into_iter().filter(|path| counts(path)).map(sized).collect();
    sizes.sort_by(|one, other| other.cmp(one));
    sizes
}

/// Lines of code in the body of the longest function before the tests. As rustfmt sets it, a body ends with the brace that
/// stands under the function's first line.
fn longest_function(text: &str) -> usize {
    let (product, _) = rust(text);
    let lines: Vec<_> = text.lines().take(product).collect();
    let body = |(head, line): (usize, &&str)| {
        let indent = &line[..line.len() - line.trim_start().len()];
        let begins = lines[head..].iter().position(|line| line.ends_with(['{', '}', ';']))? + head;
        let body = lines[begins].ends_with('{').then(|| &lines[begins + 1..])?;
        let ends = body.iter().position(|line| line.strip_prefix(indent) == Some("}"))?;
        Some(rust(&body[..ends].join("\n")).1)
    };
    lines.iter().enumerate().filter(|(_, line)| is_head(line)).filter_map(body).max().unwrap_or(0)
}

/// Whether a function begins here.
fn is_head(line: &str) -> bool {
    let before = ["pub", "pub(crate)", "pub(super)", "const", "async"];
    line.split_whitespace().find(|word| !before.contains(word)) == Some("fn")
}

/// The bound that clippy holds.
fn longest_allowed(root: &Path) -> usize {
    let bound = read(&root.join("clippy.toml"));
    let bound = bound.lines().find_map(|line| line.strip_prefix("too-many-lines-threshold = "));
    bound.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "benches")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
