//! `cargo xtask proof`: the real program, held to its word by `proof/` from outside.
//!
//! Each suite runs honestly and must find nothing. Then each of its sabotages breaks a promise on purpose and must be
//! found: the prover ends with its exit code for broken promises and names the kind that was broken. A proof whose
//! sabotage goes unseen is worth nothing, so that fails too. At the end one table tells what was seen.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Instant;

use crate::{Done, fuzz, process, root};

/// Exit code of the prover when a promise was broken.
const BROKEN: i32 = 3;
/// Exit code of the prover when something is missing here that the suite needs.
const SKIPPED: i32 = 4;
/// Sabotages at once: each waits for its program most of the time.
const AT_ONCE: usize = 3;

/// A sabotage, and the kinds of violation by which it must be found.
type Sabotage = (&'static str, &'static [&'static str]);

/// What the prover offers.
struct Suite {
    name: &'static str,
    sabotages: &'static [Sabotage],
    /// How a sabotage is given enough room, and no more.
    room: &'static [&'static str],
}

const SUITES: [Suite; 11] = [
    Suite {
        name: "kill",
        sabotages: &[
            ("lost-ack", &["lost-row"]),
            ("double-effect", &["double-effect"]),
            ("forged-row", &["chain", "verify"]),
            ("lost-effect", &["lost-effect"]),
            ("lost-decision", &["lost-decision"]),
            ("forgotten-key", &["double-effect"]),
            ("lost-job", &["lost-job"]),
            ("double-job", &["double-effect"]),
            ("forgotten-job", &["double-effect"]),
        ],
        room: &["--cycles", "8"],
    },
    Suite { name: "power", sabotages: &[("early-ack", &["lost-row"])], room: &["--cycles", "5"] },
    Suite {
        name: "boundary",
        sabotages: &[
            ("lost-job", &["lost-job"]),
            ("double-job", &["double-effect"]),
            ("lost-turn", &["lost-turn"]),
            ("double-turn", &["double-effect"]),
            ("double-step", &["double-effect"]),
        ],
        room: &["--cycles", "1"],
    },
    Suite {
        name: "secrets",
        sabotages: &[("forgotten-secret", &["leak"]), ("plain-row", &["leak"])],
        room: &["--cycles", "40"],
    },
    Suite { name: "faults", sabotages: &[("early-ack", &["early-ack"])], room: &["--cycles", "10"] },
    Suite {
        name: "postgres",
        // The longest first.
        sabotages: &[
            ("early-ack", &["lost-row"]),
            ("lost-ack", &["lost-row"]),
            ("double-effect", &["double-effect"]),
            ("lost-job", &["lost-job"]),
            ("lost-decision", &["lost-decision"]),
        ],
        room: &["--cycles", "8"],
    },
    Suite {
        name: "hostile",
        // The longest first.
        sabotages: &[
            ("swallowed", &["hang"]),
            ("growth", &["memory"]),
            // What comes in may end the session first, so that nothing else can be done: `stray-file` shows that effects are seen.
            ("open-door", &["opened"]),
            ("server-error", &["server-error"]),
            ("page-refusal", &["wrong-answer"]),
            ("stray-file", &["stray-effect"]),
            ("told-panic", &["panic"]),
            ("forged-line", &["unsafe"]),
            ("forged-row", &["chain", "verify"]),
        ],
        room: &["--cycles", "500"],
    },
    Suite {
        name: "adversary",
        sabotages: &[
            ("stray-effect", &["stray-effect", "lost-row"]),
            ("double-effect", &["double-effect", "lost-row"]),
            ("careless-person", &["stray-effect"]),
            ("forged-card", &["opened"]),
            ("lost-row", &["lost-row", "chain"]),
            ("phantom-call", &["untrue", "lost-row"]),
            ("wide-grant", &["double-effect"]),
            ("no-brake", &["opened", "stray-effect"]),
        ],
        room: &["--cycles", "240"],
    },
    Suite {
        name: "dojo",
        sabotages: &[
            ("careless-person", &["stray-effect"]),
            ("empty-carrier", &["untried"]),
            ("careless-review", &["leak"]),
        ],
        room: &["--cycles", "84"],
    },
    Suite {
        name: "questions",
        sabotages: &[
            ("loose-grant", &["stray-effect", "opened"]),
            ("timid-level", &["asked"]),
            ("deaf-engine", &["unserved", "untrue"]),
        ],
        room: &["--cycles", "1"],
    },
    Suite {
        name: "openapi",
        sabotages: &[
            ("server-error", &["server-error"]),
            ("missing-field", &["wrong-answer"]),
            ("strange-status", &["wrong-answer"]),
            ("dead-session", &["untried"]),
        ],
        room: &["--cycles", "5"],
    },
];

/// Suites of a fixed set of cases: all of them, however long that takes.
const WHOLE: [&str; 3] = ["dojo", "questions", "openapi"];

/// Searches for inputs instead of minding a program: `fuzz.rs`.
const FUZZ: &str = "fuzz";

/// What was asked for.
#[derive(Default)]
struct Wanted {
    suite: Option<String>,
    release: bool,
    /// Handed to the prover: how long, how often, how many at once, where chance begins.
    rest: Vec<String>,
}

/// A line of the table.
struct Line {
    suite: String,
    cycles: String,
    acks: String,
    violations: String,
    seed: String,
    seconds: String,
}

/// Builds program and prover and runs the suites.
pub(crate) fn run(arguments: &[String]) -> Done {
    let wanted = read(arguments)?;
    if wanted.suite.as_deref() == Some(FUZZ) {
        return fuzz::run(&wanted.rest);
    }
    let chosen: Vec<_> =
        SUITES.iter().filter(|suite| wanted.suite.as_deref().is_none_or(|name| name == suite.name)).collect();
    if chosen.is_empty() {
        let names: Vec<_> = SUITES.iter().map(|suite| suite.name).chain([FUZZ]).collect();
        return Err(format!("there is no such suite; there is {}", names.join(", ")));
    }
    build(wanted.release)?;
    let mut lines = Vec::new();
    let done = chosen.into_iter().try_for_each(|suite| hold(suite, &wanted, &mut lines));
    table(&lines);
    done?;
    if wanted.suite.is_none() { fuzz::run(&wanted.rest) } else { Ok(()) }
}

/// A suite and its sabotages.
fn hold(suite: &Suite, wanted: &Wanted, lines: &mut Vec<Line>) -> Done {
    if !honest(suite, wanted, lines)? {
        return Ok(());
    }
    for some in suite.sabotages.chunks(AT_ONCE) {
        let told: Vec<_> = thread::scope(|scope| {
            let running: Vec<_> = some.iter().map(|sabotage| scope.spawn(|| caught(suite, sabotage, wanted))).collect();
            running.into_iter().map(|it| it.join().unwrap_or_else(|_| Err("a sabotage panicked".to_owned()))).collect()
        });
        for line in told {
            lines.push(line?);
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
            "--minutes" | "--cycles" | "--seed" | "--lanes" | "--first" => {
                wanted.rest.extend([word.to_owned(), value()?]);
            }
            _ => {
                return Err(format!(
                    "`{word}` is unknown; use --suite NAME, --minutes N (of each suite that has no fixed set of cases) or --cycles N (of each suite, or target of `fuzz`), --seed N, \
                     --lanes N (programs at once), --first N (number of the first request of `hostile`), --release"
                ));
            }
        }
    }
    Ok(wanted)
}

/// The prover, and the program as people run it. Apart, so that the prover changes none of the program's features.
fn build(release: bool) -> Done {
    // CI has built the whole workspace before; alone the prover would need other features, and its dependencies anew.
    let in_ci = std::env::var_os("JARVIS_CI").is_some();
    let prover: &[&str] = if in_ci { &["--workspace", "--all-targets"] } else { &["--package", "jarvis-proof"] };
    let profile: &[&str] = if release { &["--release"] } else { &[] };
    process::run_cargo(&[&["build", "--locked"], prover, profile].concat())?;
    // The last one to be built is the one that lies in the folder.
    process::run_cargo(&[&["build", "--locked", "--package", "jarvis-mcp-server"], profile].concat())
}

/// Runs a suite as it is; whatever it finds is a defect. Answers whether it could be tried here.
fn honest(suite: &Suite, wanted: &Wanted, lines: &mut Vec<Line>) -> Result<bool, String> {
    let unstarted = |error: std::io::Error| format!("the prover could not be started: {error}");
    let minutes = wanted.rest.iter().position(|word| word == "--minutes").filter(|_| WHOLE.contains(&suite.name));
    let mut rest = wanted.rest.clone();
    if let Some(place) = minutes {
        rest.drain(place..place + 2);
    }
    let mut child = prover(suite, wanted).args(rest).stdout(Stdio::piped()).spawn().map_err(unstarted)?;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            match figures(&line) {
                Some(figures) => lines.push(figures),
                None => process::say(&line),
            }
        }
    }
    let status = child.wait().map_err(unstarted)?;
    match status.code() {
        Some(0) => Ok(true),
        Some(SKIPPED) => {
            let none = || "-".to_owned();
            let suite = format!("{} (skipped)", suite.name);
            lines.push(Line { suite, cycles: none(), acks: none(), violations: none(), seed: none(), seconds: none() });
            Ok(false)
        }
        _ => Err(format!("the suite `{}` failed ({status})", suite.name)),
    }
}

/// Runs a sabotage; it must be found, and as what it is.
fn caught(suite: &Suite, (sabotage, kinds): &Sabotage, wanted: &Wanted) -> Result<Line, String> {
    let begun = Instant::now();
    let mut command = prover(suite, wanted);
    command.args(["--sabotage", sabotage]).args(suite.room).stdout(Stdio::piped()).stderr(Stdio::piped());
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
    let found = said.lines().find_map(figures);
    let mut line = found.ok_or_else(|| format!("the prover told no figures of the sabotage `{sabotage}`"))?;
    line.suite = format!("{} / {sabotage}", suite.name);
    line.violations = format!("caught: {}", kinds.join(", "));
    line.seconds = begun.elapsed().as_secs().to_string();
    Ok(line)
}

/// The figures of a suite, from the prover's last line.
fn figures(line: &str) -> Option<Line> {
    let said = line.strip_prefix("RESULT ")?;
    let of = |name: &str| {
        let mut words = said.split(' ').filter_map(|word| word.split_once('='));
        words.find(|(field, _)| *field == name).map(|(_, value)| value.to_owned())
    };
    Some(Line {
        suite: of("suite")?,
        cycles: of("cycles")?,
        acks: of("acks")?,
        violations: of("violations")?,
        seed: of("seed")?,
        seconds: of("seconds")?,
    })
}

fn table(lines: &[Line]) {
    let row = |[suite, cycles, acks, violations, seed, seconds]: [&str; 6]| {
        process::say(&format!("{suite:<24} {cycles:>8} {acks:>9}  {violations:<24} {seed:>20} {seconds:>8}"));
    };
    row(["suite", "cycles", "acks", "violations", "seed", "seconds"]);
    for Line { suite, cycles, acks, violations, seed, seconds } in lines {
        row([suite, cycles, acks, violations, seed, seconds]);
    }
}

fn prover(suite: &Suite, wanted: &Wanted) -> Command {
    let (target, profile) = (target(), if wanted.release { "release" } else { "debug" });
    let built = target.join(profile);
    let mut command = Command::new(built.join("proof"));
    command.arg(suite.name).arg("--binary").arg(built.join("jarvis"));
    command.arg("--work").arg(target.join("proof").join(suite.name));
    command
}

/// Where cargo builds.
pub(crate) fn target() -> std::path::PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), std::path::PathBuf::from)
}

fn words(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}
