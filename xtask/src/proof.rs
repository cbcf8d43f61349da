//! `cargo xtask proof`: the real program, held to its word by `proof/` from outside.
//!
//! Each suite runs honestly and must find nothing. Then each of its sabotages breaks a promise on purpose and must be
//! found: the prover ends with its exit code for broken promises and names the kind that was broken. A proof whose
//! sabotage goes unseen is worth nothing, so that fails too.

use std::process::{Command, Output, Stdio};

use crate::{Done, process, root};

/// Exit code of the prover when a promise was broken.
const BROKEN: i32 = 3;
/// Exit code of the prover when something is missing here that the suite needs.
const SKIPPED: i32 = 4;

/// What the prover offers.
struct Suite {
    name: &'static str,
    /// Each sabotage, and the kinds of violation by which it must be found.
    sabotages: &'static [(&'static str, &'static [&'static str])],
    /// How a sabotage is given enough room, and no more.
    room: &'static [&'static str],
}

const SUITES: [Suite; 3] = [
    Suite {
        name: "kill",
        sabotages: &[
            ("lost-ack", &["lost-row"]),
            ("double-effect", &["double-effect"]),
            ("forged-row", &["chain", "verify"]),
            ("lost-effect", &["lost-effect"]),
            ("lost-decision", &["lost-decision"]),
            ("forgotten-key", &["double-effect"]),
        ],
        room: &["--cycles", "4"],
    },
    Suite { name: "power", sabotages: &[("early-ack", &["lost-row"])], room: &["--cycles", "30"] },
    Suite { name: "faults", sabotages: &[("early-ack", &["early-ack"])], room: &["--cycles", "10"] },
];

/// What was asked for.
#[derive(Default)]
struct Wanted {
    suite: Option<String>,
    release: bool,
    /// Handed to the prover: how long, how often, where chance begins.
    rest: Vec<String>,
}

/// Builds program and prover and runs the suites.
pub(crate) fn run(arguments: &[String]) -> Done {
    let wanted = read(arguments)?;
    let chosen: Vec<_> =
        SUITES.iter().filter(|suite| wanted.suite.as_deref().is_none_or(|name| name == suite.name)).collect();
    if chosen.is_empty() {
        let names: Vec<_> = SUITES.iter().map(|suite| suite.name).collect();
        return Err(format!("there is no such suite; there is {}", names.join(", ")));
    }
    build(wanted.release)?;
    for suite in chosen {
        if !honest(suite, &wanted)? {
            continue;
        }
        for (sabotage, kinds) in suite.sabotages {
            caught(suite, sabotage, kinds, &wanted)?;
        }
    }
    Ok(())
}

fn read(arguments: &[String]) -> Result<Wanted, String> {
    let mut wanted = Wanted::default();
    let mut words = arguments.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let mut value = || words.next().map(str::to_owned).ok_or_else(|| format!("{word} needs a value"));
        match word {
            "--release" => wanted.release = true,
            "--suite" => wanted.suite = Some(value()?),
            "--minutes" | "--cycles" | "--seed" => wanted.rest.extend([word.to_owned(), value()?]),
            _ => {
                return Err(format!(
                    "`{word}` is unknown; use --suite NAME, --minutes N, --cycles N, --seed N, --release"
                ));
            }
        }
    }
    Ok(wanted)
}

/// The program as people run it, and the prover. Apart, so that neither changes the features of the other.
fn build(release: bool) -> Done {
    let profile: &[&str] = if release { &["--release"] } else { &[] };
    process::run(
        &root(),
        env!("CARGO"),
        &[&["build", "--locked", "--package", "jarvis-mcp-server"], profile].concat(),
    )?;
    process::run(&root(), env!("CARGO"), &["build", "--locked", "--package", "jarvis-proof"])
}

/// Runs a suite as it is; whatever it finds is a defect. Answers whether it could be tried here.
fn honest(suite: &Suite, wanted: &Wanted) -> Result<bool, String> {
    let mut command = prover(suite, wanted);
    command.args(&wanted.rest);
    let status = command.status().map_err(|error| format!("the prover could not be started: {error}"))?;
    match status.code() {
        Some(0) => Ok(true),
        Some(SKIPPED) => Ok(false),
        _ => Err(format!("the suite `{}` failed ({status})", suite.name)),
    }
}

/// Runs a sabotage; it must be found, and as what it is.
fn caught(suite: &Suite, sabotage: &str, kinds: &[&str], wanted: &Wanted) -> Done {
    let mut command = prover(suite, wanted);
    command.args(["--sabotage", sabotage]).args(suite.room).stdout(Stdio::piped());
    let output = command.output().map_err(|error| format!("the prover could not be started: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let told = |kind: &&str| said.lines().any(|line| line.starts_with(&format!("VIOLATION {kind}:")));
    if output.status.code() != Some(BROKEN) || !kinds.iter().all(told) {
        return Err(format!(
            "THE SABOTAGE `{sabotage}` OF THE SUITE `{}` WENT UNSEEN ({}; expected exit code {BROKEN} and {}):\n{}",
            suite.name,
            output.status,
            kinds.join(", "),
            words(&output)
        ));
    }
    process::say(&format!("{}: the sabotage `{sabotage}` was found, as {}", suite.name, kinds.join(" and ")));
    Ok(())
}

fn prover(suite: &Suite, wanted: &Wanted) -> Command {
    let program = if wanted.release { "target/release/jarvis" } else { "target/debug/jarvis" };
    let mut command = Command::new(root().join("target/debug/proof"));
    let work = root().join("target/proof").join(suite.name);
    command.arg(suite.name).arg("--binary").arg(root().join(program)).arg("--work").arg(work);
    command
}

fn words(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}
