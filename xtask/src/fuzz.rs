//! `cargo xtask proof --suite fuzz`: searches for inputs that break the properties of `fuzz/`, with libFuzzer.
//!
//! The coverage that guides the search comes from LLVM's own pass, switched on by flags of the one stable compiler (those
//! that `cargo fuzz --sanitizer none` sets); libFuzzer itself comes with the crate `libfuzzer-sys`. So nothing has to be
//! installed but a C++ compiler. Each target runs as it is and nothing may be found; then each sabotage, which must be.
//! What is found stays below `target/fuzz`, as small as it can be made. Once mended it belongs into `fuzz/seed`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Mutex;
use std::thread;

use crate::{Done, process, root};

/// Why a search ended before its time, by libFuzzer's exit codes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    /// A property does not hold, or the reader ended the process.
    Crash = 77,
    /// One input took longer than [`HANG`].
    Hang = 70,
    /// It holds more than [`MEMORY`].
    Memory = 71,
}

const TARGETS: [&str; 6] = ["rpc", "canonical", "policy", "command", "model", "audit"];

/// How the targets are broken on purpose, and as what that must be found.
const SABOTAGES: [(&str, &str, Found); 8] = [
    ("canonical", "endless", Found::Hang),
    ("canonical", "hoard", Found::Memory),
    ("rpc", "last-wins", Found::Crash),
    ("canonical", "always-quick", Found::Crash),
    ("policy", "first-rule", Found::Crash),
    ("command", "cleaned-text", Found::Crash),
    ("model", "torn-text", Found::Crash),
    ("audit", "blind-column", Found::Crash),
];

/// Seconds for each target, if nothing else is said.
const SECONDS: u64 = 20;
/// Seconds within which a sabotage must be found.
const PATIENCE: u64 = 60;
/// Seconds for making what was found smaller.
const SHRINKING: u64 = 20;
/// Seconds that one input may take. They take microseconds; the machine may be busy.
const HANG: u64 = 10;
/// MiB that a search may hold, its corpus included.
const MEMORY: u64 = 1024;
/// Longest input, in bytes.
const LONGEST: u64 = 4096;

/// Passes of LLVM and their settings; `--cfg` brings libFuzzer in.
const FLAGS: [&str; 8] = [
    "--cfg=jarvis_fuzz",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-sanitizer-coverage-stack-depth",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
];

/// How long, how often and how many at once.
struct Amount {
    seconds: u64,
    /// Executions; 0 is without end.
    runs: u64,
    lanes: usize,
    seed: u64,
}

/// A search, and what it came to.
struct Search {
    name: String,
    found: Option<Found>,
    executions: u64,
    pace: u64,
    coverage: String,
    said: String,
    work: PathBuf,
}

/// Builds the program and searches. `rest` is what was asked for, in pairs.
pub(crate) fn run(rest: &[String]) -> Done {
    let amount = Amount::of(rest)?;
    let program = build()?;
    let honest = side_by_side(&TARGETS, amount.lanes, |target| search(&program, target, None, &amount));
    let honest = honest.into_iter().collect::<Result<Vec<_>, _>>()?;
    table(&honest, "");
    let broken: Vec<_> = honest.iter().filter(|search| search.found.is_some()).map(|it| kept(&program, it)).collect();
    if !broken.is_empty() {
        return Err(broken.join("\n"));
    }
    let patience = Amount { seconds: PATIENCE, runs: 0, ..amount };
    let caught = side_by_side(&SABOTAGES, patience.lanes, |(target, sabotage, expected)| {
        let search = search(&program, target, Some(sabotage), &patience)?;
        if search.found == Some(*expected) {
            return Ok(search);
        }
        Err(format!("THE SABOTAGE `{sabotage}` OF THE TARGET `{target}` WENT UNSEEN:\n{}", end_of(&search.said)))
    });
    table(&caught.into_iter().collect::<Result<Vec<_>, _>>()?, "caught: ");
    Ok(())
}

impl Amount {
    fn of(rest: &[String]) -> Result<Self, String> {
        let of = |name: &str| {
            let pair = rest.chunks(2).find(|pair| pair[0] == name);
            let wrong = |value: &String| format!("{name} {value} is no number");
            pair.map(|pair| pair[1].parse::<u64>().map_err(|_| wrong(&pair[1]))).transpose()
        };
        let runs = of("--cycles")?;
        // So many executions take as long as they take.
        let usual = if runs.is_some() { 0 } else { SECONDS };
        Ok(Self {
            seconds: of("--minutes")?.map_or(usual, |minutes| minutes * 60),
            runs: runs.unwrap_or(0),
            lanes: usize::try_from(of("--lanes")?.unwrap_or(2)).unwrap_or(2).max(1),
            seed: of("--seed")?.unwrap_or(0),
        })
    }
}

/// Builds apart from everything else: the flags would have all of it built anew. With a target named they are not used
/// for build scripts and macros, which run without libFuzzer.
fn build() -> Result<PathBuf, String> {
    let told =
        Command::new("rustc").arg("-vV").output().map_err(|error| format!("rustc could not be started: {error}"))?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let host = told.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc does not tell its host")?;
    let folder = folder().join("build");
    let status = process::cargo()
        .args(["build", "--locked", "--package", "jarvis-fuzz", "--bin", "jarvis-fuzz", "--profile", "fuzz"])
        .args(["--target", host, "--target-dir"])
        .arg(&folder)
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"))
        .current_dir(root())
        .status()
        .map_err(|error| format!("cargo could not be started: {error}"))?;
    let program = folder.join(host).join("fuzz/jarvis-fuzz");
    if status.success() {
        Ok(program)
    } else {
        Err("the fuzzer could not be built; it needs a C++ compiler".to_owned())
    }
}

fn folder() -> PathBuf {
    crate::proof::target().join("fuzz")
}

/// One target, until its time is over or something is found.
fn search(program: &Path, target: &str, sabotage: Option<&str>, amount: &Amount) -> Result<Search, String> {
    let name = sabotage.map_or_else(|| target.to_owned(), |sabotage| format!("{target} / {sabotage}"));
    let work = folder().join(name.replace(" / ", "-"));
    let failed = |error: std::io::Error| format!("{}: {error}", work.display());
    if sabotage.is_some() {
        // What was found the last time would be found at once.
        let _ = fs::remove_dir_all(&work);
    }
    let _ = fs::remove_dir_all(work.join("found"));
    fs::create_dir_all(work.join("corpus")).and_then(|()| fs::create_dir_all(work.join("found"))).map_err(failed)?;
    let seed = root().join("fuzz/seed");
    let mut command = Command::new(program);
    command.env("JARVIS_FUZZ_TARGET", target).env_remove("JARVIS_FUZZ_SABOTAGE");
    if let Some(sabotage) = sabotage {
        command.env("JARVIS_FUZZ_SABOTAGE", sabotage);
    }
    command.arg(work.join("corpus")).arg(seed.join(target));
    command.arg(format!("-dict={}", seed.join(target).with_extension("dict").display()));
    command.arg(format!("-artifact_prefix={}/", work.join("found").display()));
    command.arg(format!("-max_total_time={}", amount.seconds)).arg(format!("-seed={}", amount.seed));
    if amount.runs > 0 {
        command.arg(format!("-runs={}", amount.runs));
    }
    command.args([format!("-timeout={HANG}"), format!("-rss_limit_mb={MEMORY}"), format!("-max_len={LONGEST}")]);
    command.arg("-print_final_stats=1");
    let output = command.output().map_err(failed)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let found = ended(output.status).map_err(|why| format!("the search `{name}` {why}:\n{}", end_of(&said)))?;
    let figure = |of: &str| said.lines().rev().find_map(|line| line.strip_prefix(of)?.trim().parse().ok());
    let coverage = said.lines().rev().find_map(|line| line.split_once(" cov: ")?.1.split(' ').next());
    Ok(Search {
        found,
        executions: figure("stat::number_of_executed_units:").unwrap_or(0),
        pace: figure("stat::average_exec_per_sec:").unwrap_or(0),
        coverage: coverage.unwrap_or("-").to_owned(),
        name,
        said,
        work,
    })
}

fn ended(status: ExitStatus) -> Result<Option<Found>, String> {
    match status.code() {
        Some(0) => Ok(None),
        Some(77) => Ok(Some(Found::Crash)),
        Some(70) => Ok(Some(Found::Hang)),
        Some(71) => Ok(Some(Found::Memory)),
        _ => Err(format!("ended with {status}")),
    }
}

/// Makes what was found smaller, and says where it lies and how it is tried again.
fn kept(program: &Path, search: &Search) -> String {
    let found =
        fs::read_dir(search.work.join("found")).into_iter().flatten().flatten().map(|entry| entry.path()).next();
    let Some(mut input) = found else { return format!("`{}` fails:\n{}", search.name, end_of(&search.said)) };
    if search.found == Some(Found::Crash) {
        let smallest = search.work.join("found/smallest");
        let mut command = Command::new(program);
        command.arg(&input).args(["-minimize_crash=1".to_owned(), format!("-max_total_time={SHRINKING}")]);
        command.arg(format!("-exact_artifact_path={}", smallest.display())).env("JARVIS_FUZZ_TARGET", &search.name);
        if command.output().is_ok() && smallest.exists() {
            input = smallest;
        }
    }
    format!(
        "`{}` DOES NOT HOLD:\n{}\nthe input: {}\nagain: JARVIS_FUZZ_TARGET={} {} {}\nonce mended, it is a seed: copy it to \
         fuzz/seed/{}",
        search.name,
        end_of(&search.said),
        input.display(),
        search.name,
        program.display(),
        input.display(),
        search.name
    )
}

/// What broke, or else the last words.
fn end_of(said: &str) -> String {
    let lines: Vec<_> = said.lines().filter(|line| !line.starts_with('#')).collect();
    let broke = lines.iter().position(|line| line.contains("panicked at") || line.contains("ERROR: libFuzzer"));
    lines[broke.unwrap_or(lines.len().saturating_sub(10))..].iter().take(12).copied().collect::<Vec<_>>().join("\n")
}

fn table(searches: &[Search], caught: &str) {
    let row = |[name, executions, pace, coverage, crashes, hangs, memory]: [&str; 7]| {
        process::say(&format!(
            "{name:<26} {executions:>12} {pace:>13} {coverage:>9} {crashes:>10} {hangs:>10} {memory:>12}"
        ));
    };
    row(["target", "executions", "executions/s", "coverage", "crashes", "hangs", "over memory"]);
    for search in searches {
        let of = |kind| if search.found == Some(kind) { format!("{caught}1") } else { "0".to_owned() };
        let (executions, pace) = (search.executions.to_string(), search.pace.to_string());
        let [crashes, hangs, memory] = [Found::Crash, Found::Hang, Found::Memory].map(of);
        row([&search.name, &executions, &pace, &search.coverage, &crashes, &hangs, &memory]);
    }
    let all: u64 = searches.iter().map(|search| search.executions).sum();
    process::say(&format!("{all} executions"));
}

/// Does all of them, so many at once, and answers in their order.
fn side_by_side<T: Sync, R: Send>(jobs: &[T], lanes: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = Mutex::new(jobs.iter().enumerate());
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..lanes.min(jobs.len()) {
            scope.spawn(|| {
                while let Some((at, job)) = next.lock().ok().and_then(|mut next| next.next()) {
                    let result = work(job);
                    if let Ok(mut done) = done.lock() {
                        done.push((at, result));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}
