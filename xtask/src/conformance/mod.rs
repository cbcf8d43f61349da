//! `cargo xtask conformance`: the protocol's own conformance suite against the real program.
//!
//! The suite is fetched as locked in `xtask/conformance` (it needs Node 22, which npm brings along) and plays its
//! scenarios against `jarvis serve --fixtures` on a data directory of its own. Both dated sets of requirements must pass
//! whole, with what they run and do not score: there is no list of expected failures.

mod door;
mod report;
mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use self::door::Door;
use self::report::{Report, Requirements};
use self::server::Server;
use crate::{Done, process, root};

/// The sets, each with the number of scenarios of a server that it scores and runs beside: a suite that knows fewer tests
/// less.
const SETS: [(&str, (usize, usize)); 2] = [("2026-07-28", (37, 13)), ("2025-11-25", (30, 3))];
/// Longest time for one request of a scenario, in milliseconds.
const TIMEOUT: &str = "30000";

/// What was asked for.
#[derive(Default)]
struct Wanted {
    scenario: Option<String>,
    set: Option<String>,
}

/// Builds the program, brings the suite, runs the sets and prints one table.
pub(crate) fn run(arguments: &[String]) -> Done {
    let wanted = read(arguments)?;
    let suite = Suite::bring()?;
    process::run_cargo(&["build", "--locked", "--package", "jarvis-mcp-server"])?;
    let work = target().join("conformance-run");
    let _ = fs::remove_dir_all(&work);
    fs::create_dir_all(&work).map_err(|error| error.to_string())?;
    let server = Server::start(&target().join("debug/jarvis"), &work.join("data"))?;
    let token = server.token()?;
    let door = Door::open(server.address(), &token).map_err(|error| format!("no door could be opened: {error}"))?;
    let mut reports = Vec::new();
    for (set, expected) in SETS.iter().filter(|(set, _)| wanted.set.as_deref().is_none_or(|name| name == *set)) {
        let begun = Instant::now();
        let results = work.join(set);
        suite.play(set, &door, &results, wanted.scenario.as_deref())?;
        let required = suite.requirements(set)?;
        let known = (required.scored.len(), required.beside.len());
        if known != *expected {
            return Err(format!("the set {set} has {known:?} scenarios, scored and beside, not {expected:?}"));
        }
        reports.push(Report::read(set, required, &results, wanted.scenario.as_deref(), begun.elapsed())?);
    }
    drop(server);
    report::table(&reports);
    let faults: Vec<_> = reports.iter().flat_map(Report::faults).collect();
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

fn read(arguments: &[String]) -> Result<Wanted, String> {
    let mut wanted = Wanted::default();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().cloned().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--scenario" => wanted.scenario = Some(value()?),
            "--set" => wanted.set = Some(value()?),
            _ => return Err(format!("`{word}` is unknown; use --set 2026-07-28|2025-11-25, --scenario NAME")),
        }
    }
    Ok(wanted)
}

/// The suite, installed.
struct Suite {
    folder: PathBuf,
}

impl Suite {
    /// Installs it exactly as locked, if it is not there. CI keeps the folder between runs.
    fn bring() -> Result<Self, String> {
        let kept = std::env::var_os("JARVIS_TEST_CONFORMANCE");
        let folder = kept.map_or_else(|| target().join("conformance"), PathBuf::from);
        let locked = root().join("xtask/conformance");
        let same = |name: &str| {
            let installed = fs::read(folder.join(name)).ok();
            installed.is_some() && installed == fs::read(locked.join(name)).ok()
        };
        if same("package-lock.json") && folder.join("installed").exists() {
            return Ok(Self { folder });
        }
        if !process::exists("npm") {
            return Err("the conformance suite comes from npm, and Node with npm is missing".to_owned());
        }
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let _ = fs::remove_file(folder.join("installed"));
        for name in ["package.json", "package-lock.json"] {
            fs::copy(locked.join(name), folder.join(name)).map_err(|error| error.to_string())?;
        }
        process::run(&folder, "npm", &["ci", "--no-audit", "--no-fund", "--loglevel=error"])?;
        fs::write(folder.join("installed"), "").map_err(|error| error.to_string())?;
        Ok(Self { folder })
    }

    /// The folder of the suite's package.
    fn package(&self) -> PathBuf {
        self.folder.join("node_modules/@modelcontextprotocol/conformance")
    }

    fn requirements(&self, set: &str) -> Result<Requirements, String> {
        let path = self.package().join("requirements").join(format!("{set}.yaml"));
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Requirements::read(&text))
    }

    /// Plays a set, or one scenario of it. How it ended is read from its results.
    fn play(&self, set: &str, door: &Door, results: &Path, scenario: Option<&str>) -> Done {
        fs::create_dir_all(results).map_err(|error| error.to_string())?;
        let told = fs::File::create(results.join("told.txt")).map_err(|error| error.to_string())?;
        let also = told.try_clone().map_err(|error| error.to_string())?;
        let mut command = Command::new(self.folder.join("node_modules/node/bin/node"));
        command.arg(self.package().join("dist/index.js")).args(["server", "--url", &format!("{}/mcp", door.url())]);
        match scenario {
            Some(name) => command.args(["--scenario", name, "--spec-version", set]),
            None => command.args(["--requirements", set]),
        };
        command.arg("-o").arg(results.join("checks")).args(["--timeout", TIMEOUT]);
        command.current_dir(results).stdin(Stdio::null()).stdout(told).stderr(also);
        command.status().map(|_| ()).map_err(|error| format!("the suite could not be started: {error}"))
    }
}

/// Where cargo builds.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
