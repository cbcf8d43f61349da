//! `cargo xtask mutants`: changes the kernel's meaning in one place after the other, and a test must notice each time.
//!
//! The whole kernel takes hours, so it is done before a release and what it came to is committed
//! (`safety/mutation.toml`). Between two of these only what was touched since is mutated, all of it by whoever touched it,
//! who keeps that as well. What was touched is told by git's own ids of the folders: they are the same in every clone,
//! whatever becomes of a commit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use crate::{Done, process, root};

/// What is mutated.
const KERNEL: &str = "safety/src/kernel";
/// What must notice: when lines of it go, a part of all mutants is tried again.
const TESTS: [&str; 2] = ["memory/tests/gate", "safety/tests"];
/// The last full run.
const RECORD: &str = "safety/mutation.toml";
/// So many mutants are tried where not all need be, and in CI: about as many as there is time for.
const MOST: usize = 10;

/// Leaves out what an earlier run in the same folder has caught.
const AGAIN: &str = "--iterate";

/// `--all` mutates the whole kernel and records it, `--again` after it only what the last run did not catch; `--keep`
/// mutates all that was touched since the record and moves it on;
/// `--in-place` does it in this very folder, which saves CI a second build and is no good where somebody is at work.
pub(crate) fn run(arguments: &[String]) -> Done {
    let root = root();
    let (mut all, mut again, mut keep, mut in_place) = (false, false, false, false);
    for argument in arguments {
        match argument.as_str() {
            "--all" => all = true,
            "--again" => (all, again) = (true, true),
            "--keep" => keep = true,
            "--in-place" => in_place = true,
            other => {
                return Err(format!("`{other}` is not understood; there are --all, --again, --keep and --in-place"));
            }
        }
    }
    let now = Sources::now(&root)?;
    let run = Run { root: &root, in_place, draw: &now.tests[0] };
    if all {
        let figures = run.mutate(if again { &[AGAIN] } else { &[] }, usize::MAX)?;
        return record(&root, &now, &figures);
    }
    let Ok(last) = fs::read_to_string(root.join(RECORD)) else {
        process::say(&format!("mutants: there was no full run yet ({RECORD} is missing), so {MOST} of all are tried"));
        return run.mutate(&[], MOST).map(|_| ());
    };
    let before = Figures::of(&last)?;
    let last = Sources { kernel: field(&last, "kernel")?, tests: [field(&last, "gate")?, field(&last, "safety")?] };
    let mut figures = Figures { mutants: 0, timeouts: 0 };
    let touched = difference(&root, &last.kernel, &now.kernel, KERNEL)?;
    if touched.is_empty() {
        process::say("mutants: nothing of the kernel was touched since the last full run");
    } else {
        let diff = folder(&root)?.join("touched.diff");
        fs::write(&diff, touched).map_err(|error| error.to_string())?;
        let most = if std::env::var_os("JARVIS_CI").is_some() { MOST } else { usize::MAX };
        figures = run.mutate(&["--in-diff", &diff.display().to_string()], most)?;
    }
    let mut lost = 0;
    for ((before, now), path) in last.tests.iter().zip(&now.tests).zip(TESTS) {
        let diff = difference(&root, before, now, path)?;
        lost += diff.lines().filter(|line| line.starts_with('-') && !line.starts_with("---")).count();
    }
    if lost > 0 {
        process::say(&format!(
            "mutants: {lost} lines of what holds the kernel went or changed since the last full run, so {MOST} of all \
             mutants are tried; make a full run before the next release"
        ));
        run.mutate(&[], MOST)?;
    }
    if !keep {
        return Ok(());
    }
    let mutants = before.mutants + figures.mutants;
    record(&root, &now, &Figures { mutants, timeouts: before.timeouts + figures.timeouts })
}

/// Git's ids of what is there now, committed or not.
struct Sources {
    kernel: String,
    tests: [String; 2],
}

impl Sources {
    fn now(root: &Path) -> Result<Self, String> {
        let index = folder(root)?.join("index").display().to_string();
        // An index of its own: what somebody has staged stays as it is.
        let index = |command: &[&str]| git(root, command, &[("GIT_INDEX_FILE", &index)]);
        index(&["read-tree", "HEAD"])?;
        index(&["add", "--all", "--", KERNEL, TESTS[0], TESTS[1]])?;
        let tree = |path: &str| index(&["write-tree", &format!("--prefix={path}/")]);
        Ok(Self { kernel: tree(KERNEL)?, tests: [tree(TESTS[0])?, tree(TESTS[1])?] })
    }
}

/// What changed of a folder.
fn difference(root: &Path, before: &str, now: &str, path: &str) -> Result<String, String> {
    if git(root, &["cat-file", "-e", before], &[]).is_err() {
        return Err(format!(
            "{path} as it was at the last full run ({before}) is not in this clone; if it is a shallow one: `git fetch \
             --unshallow`. Else make a full run: `cargo xtask mutants --all`"
        ));
    }
    let (ours, theirs) = (format!("--src-prefix=a/{path}/"), format!("--dst-prefix=b/{path}/"));
    git(root, &["diff", "--no-ext-diff", "--no-renames", &ours, &theirs, before, now], &[])
}

fn git(root: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Result<String, String> {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(root).envs(variables.iter().copied());
    let done = command.output().map_err(|error| format!("git could not be started: {error}"))?;
    if !done.status.success() {
        return Err(format!("`git {}`: {}", arguments.join(" "), String::from_utf8_lossy(&done.stderr)));
    }
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    // An id stands alone on its line; a diff keeps its last one.
    Ok(if arguments[0] == "write-tree" { said.trim().to_owned() } else { said })
}

/// Where this works.
fn folder(root: &Path) -> Result<PathBuf, String> {
    let folder = root.join("target/mutants");
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    Ok(folder)
}

/// What a run came to.
struct Figures {
    /// How many were tried, by this run or the ones that it goes on with.
    mutants: usize,
    /// How many of these hung, which a test notices too.
    timeouts: usize,
}

/// How mutants are tried.
struct Run<'a> {
    root: &'a Path,
    in_place: bool,
    /// What decides which ones are drawn where not all are tried: it changes with the tests, and not from run to run.
    draw: &'a str,
}

impl Run<'_> {
    fn command(&self, which: &[&str]) -> Command {
        let mut command = process::cargo();
        command.args(["mutants", "--workspace"]).args(which).current_dir(self.root).stdin(Stdio::null());
        command
    }

    /// Tries these mutants, or so many of them, and fails if one survives.
    fn mutate(&self, which: &[&str], most: usize) -> Result<Figures, String> {
        needs_tool()?;
        let folder = folder(self.root)?;
        let listed: Vec<&str> = which.iter().copied().filter(|word| *word != AGAIN).collect();
        let list = self.command(&listed).arg("--list").output().map_err(|error| error.to_string())?;
        if !list.status.success() {
            return Err(String::from_utf8_lossy(&list.stderr).into_owned());
        }
        let all = String::from_utf8_lossy(&list.stdout).lines().count();
        if all == 0 {
            process::say("mutants: what was touched has no meaning to change");
            return Ok(Figures { mutants: 0, timeouts: 0 });
        }
        let mut command = self.command(which);
        command.arg("--output").arg(&folder);
        if all > most {
            let parts = all.div_ceil(most);
            let drawn = usize::from_str_radix(self.draw.get(..8).unwrap_or_default(), 16).unwrap_or(0) % parts;
            process::say(&format!("mutants: one of {parts} of {all} is tried"));
            command.args(["--sharding", "round-robin", "--shard", &format!("{drawn}/{parts}")]);
        }
        if self.in_place {
            command.arg("--in-place");
        } else {
            // The copy is built beside what the folder itself has built: the two would take each other for the same.
            command.env("CARGO_TARGET_DIR", folder.join("target"));
        }
        // What is held here is no disk: a store in memory answers at once.
        let memory = Path::new("/dev/shm");
        if memory.is_dir() {
            command.env("TMPDIR", memory);
        }
        // Tests and their tools panic on purpose; where, nobody reads.
        command.env("RUST_BACKTRACE", "0");
        let found = folder.join("mutants.out");
        if !which.contains(&AGAIN) {
            let _ = fs::remove_dir_all(&found);
        }
        let status = command.status().map_err(|error| error.to_string())?;
        Figures::read(&found, status, all.min(most))
    }
}

/// CI brings the tool when it is first needed; everybody else is told.
fn needs_tool() -> Done {
    let version = process::cargo().args(["mutants", "--version"]).output();
    if version.is_ok_and(|version| version.status.success()) {
        return Ok(());
    }
    if std::env::var_os("JARVIS_CI").is_some() {
        return process::run_cargo(&["install", "--quiet", "--locked", "cargo-mutants@27.1.0"]);
    }
    Err("cargo-mutants is missing: `cargo install --locked cargo-mutants`".to_owned())
}

impl Figures {
    /// What a record tells.
    fn of(record: &str) -> Result<Self, String> {
        let number = |name| field(record, name)?.parse().map_err(|_| format!("{RECORD}: `{name}` is no number"));
        Ok(Self { mutants: number("mutants")?, timeouts: number("timeouts")? })
    }

    /// Reads what a run came to, and fails if a mutant survived.
    fn read(found: &Path, status: ExitStatus, of: usize) -> Result<Self, String> {
        let [caught, unviable, timeouts] =
            ["caught", "unviable", "timeout"].map(|name| lines(&found.join(format!("{name}.txt"))).len());
        let survivors = lines(&found.join("missed.txt"));
        process::say(&format!(
            "mutants: {of}; of those that this run tried {caught} were caught, {timeouts} hung, {unviable} did not compile \
             and {} survived",
            survivors.len()
        ));
        if !survivors.is_empty() {
            return Err(format!("no test noticed:\n{}", survivors.join("\n")));
        }
        // 3: some hung, which a test notices too.
        if status.success() || status.code() == Some(3) {
            return Ok(Self { mutants: of, timeouts });
        }
        Err(format!("cargo-mutants ended with {status}"))
    }
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Keeps what a full run came to.
fn record(root: &Path, sources: &Sources, figures: &Figures) -> Done {
    let date = Command::new("date").args(["--utc", "+%Y-%m-%d"]).output().map_err(|error| error.to_string())?;
    let date = String::from_utf8_lossy(&date.stdout).trim().to_owned();
    let Sources { kernel, tests: [gate, safety] } = sources;
    let Figures { mutants, timeouts } = figures;
    let text = format!(
        "# Written by `cargo xtask mutants --all` or `--keep`: the last run over the whole kernel, and those over what was\n\
         # touched since, which no mutant survived. The ids are git's, of {KERNEL}, {} and {} as they were.\n\
         kernel = \"{kernel}\"\ngate = \"{gate}\"\nsafety = \"{safety}\"\ndate = \"{date}\"\n\
         mutants = {mutants}\ntimeouts = {timeouts}\n",
        TESTS[0], TESTS[1]
    );
    fs::write(root.join(RECORD), text).map_err(|error| error.to_string())?;
    process::say(&format!("{RECORD} says so now; commit it with what it speaks of"));
    Ok(())
}

/// A field of the record.
fn field(record: &str, name: &str) -> Result<String, String> {
    let found = record.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='));
    let found = found.map(|value| value.trim().trim_matches('"').to_owned());
    found.ok_or_else(|| format!("{RECORD} has no `{name}`; make a full run with `cargo xtask mutants --all`"))
}
