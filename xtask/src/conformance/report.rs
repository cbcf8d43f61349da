//! What came of a set: read from the suite's own summary, and the reasons from its checks.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::process;

/// The scenarios of a server in a set.
pub(super) struct Requirements {
    pub(super) scored: BTreeSet<String>,
    /// What it runs without scoring.
    pub(super) beside: BTreeSet<String>,
}

impl Requirements {
    /// From the suite's file of the set: the list under `server`, and what `not_scored` says of that leg.
    pub(super) fn read(text: &str) -> Self {
        let after = |key: &'static str| text.lines().skip_while(move |line| *line != key).skip(1);
        let scored = after("server:").map_while(|line| line.strip_prefix("  - ")).map(str::to_owned).collect();
        let beside = after("not_scored:").collect::<Vec<_>>();
        let beside = beside.windows(2).filter(|pair| pair[1] == "    leg: server");
        let beside = beside.filter_map(|pair| pair[0].strip_prefix("  - scenario: ")).map(str::to_owned).collect();
        Self { scored, beside }
    }
}

/// One scenario.
struct Scenario {
    name: String,
    passed: u32,
    failed: u32,
    scored: bool,
    /// What was wrong, a line each.
    reasons: Vec<String>,
}

/// A set that was played.
pub(super) struct Report {
    set: String,
    scenarios: Vec<Scenario>,
    /// Scenarios that were to be played: scored, and others.
    wanted: (usize, usize),
    took: Duration,
}

impl Report {
    /// Reads the folder that a set was played into.
    pub(super) fn read(
        set: &str,
        required: Requirements,
        results: &Path,
        only: Option<&str>,
        took: Duration,
    ) -> Result<Self, String> {
        let told = fs::read_to_string(results.join("told.txt")).map_err(|error| error.to_string())?;
        let summary = told.lines().skip_while(|line| *line != "=== SUMMARY ===" && only.is_none());
        let mut scenarios: Vec<Scenario> = match only {
            Some(name) => alone(name, &told).into_iter().collect(),
            None => summary.filter_map(counted).collect(),
        };
        for scenario in &mut scenarios {
            scenario.scored = required.scored.contains(&scenario.name);
            scenario.reasons = reasons(&results.join("checks"), &scenario.name);
        }
        if scenarios.is_empty() {
            return Err(format!("the suite came to no summary of {set}:\n{told}"));
        }
        let wanted = match only {
            None => (required.scored.len(), required.beside.len()),
            Some(_) => played(&scenarios),
        };
        Ok(Self { set: set.to_owned(), scenarios, wanted, took })
    }

    /// Scenarios that did not pass whole, or were not played.
    pub(super) fn faults(&self) -> Vec<String> {
        let failed = self.scenarios.iter().filter(|it| it.failed > 0);
        let mut faults: Vec<_> = failed.map(|it| it.fault(&self.set)).collect();
        let (played, wanted) = (played(&self.scenarios), self.wanted);
        if played != wanted {
            let (scored, beside) = played;
            faults.push(format!(
                "{}: {scored} of {} scored scenarios were played, and {beside} of {} others",
                self.set, wanted.0, wanted.1
            ));
        }
        faults
    }
}

/// How many are scored, and how many are not.
fn played(scenarios: &[Scenario]) -> (usize, usize) {
    let scored = scenarios.iter().filter(|it| it.scored).count();
    (scored, scenarios.len() - scored)
}

impl Scenario {
    fn fault(&self, set: &str) -> String {
        format!("{set} {}: {} checks failed\n    {}", self.name, self.failed, self.reasons.join("\n    "))
    }
}

/// `✓ name: 3 passed, 0 failed`.
fn counted(line: &str) -> Option<Scenario> {
    let (name, counts) = line.strip_prefix("✓ ").or_else(|| line.strip_prefix("✗ "))?.split_once(": ")?;
    let (passed, failed) = counts.split_once(" passed, ")?;
    let failed = failed.split_once(" failed")?.0;
    let (passed, failed) = (passed.parse().ok()?, failed.parse().ok()?);
    Some(Scenario { name: name.to_owned(), passed, failed, scored: false, reasons: Vec::new() })
}

/// A scenario that was played alone: `Passed: 1/2, 1 failed, 0 warnings`.
fn alone(name: &str, told: &str) -> Option<Scenario> {
    let line = told.lines().find_map(|line| line.strip_prefix("Passed: "))?;
    let (passed, rest) = line.split_once('/')?;
    let failed = rest.split_once(", ")?.1.split_once(" failed")?.0;
    let (passed, failed) = (passed.parse().ok()?, failed.parse().ok()?);
    Some(Scenario { name: name.to_owned(), passed, failed, scored: false, reasons: Vec::new() })
}

/// What the checks of a scenario say that went wrong. They are written with two blanks a level, and each check's own
/// fields stand on the second.
fn reasons(checks: &Path, scenario: &str) -> Vec<String> {
    let begins = format!("server-{scenario}-20");
    let folders = fs::read_dir(checks).into_iter().flatten().filter_map(Result::ok);
    let own = folders.filter(|folder| folder.file_name().to_string_lossy().starts_with(&begins));
    let texts = own.filter_map(|folder| fs::read_to_string(folder.path().join("checks.json")).ok());
    let said = |text: String| {
        let lines = text.lines().filter_map(|line| line.strip_prefix("    \"errorMessage\": "));
        lines.map(|line| line.trim_end_matches(',').trim_matches('"').to_owned()).collect::<Vec<_>>()
    };
    texts.flat_map(said).collect()
}

/// One table of all sets, and what is run beside them without counting.
pub(super) fn table(reports: &[Report]) {
    for report in reports {
        let (scored, beside): (Vec<_>, Vec<_>) = report.scenarios.iter().partition(|it| it.scored);
        process::say(&format!("\n{:<52} {:>6} {:>6}", format!("server, {}", report.set), "passed", "failed"));
        for scenario in &scored {
            process::say(&format!("  {:<50} {:>6} {:>6}", scenario.name, scenario.passed, scenario.failed));
        }
        for scenario in &beside {
            let name = format!("{} (not scored)", scenario.name);
            process::say(&format!("  {name:<50} {:>6} {:>6}", scenario.passed, scenario.failed));
        }
    }
    for report in reports {
        let whole = |scored: bool| report.scenarios.iter().filter(move |it| it.scored == scored);
        let passed = |scored: bool| whole(scored).filter(|it| it.failed == 0).count();
        process::say(&format!(
            "conformance {}: {}/{} scored scenarios pass, {}/{} of the others, in {:.1} s",
            report.set,
            passed(true),
            report.wanted.0,
            passed(false),
            report.wanted.1,
            report.took.as_secs_f32()
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_a_set_ends_where_the_next_begins() {
        let text = "# a set\nserver:\n  - one\n  - two\n\nclient:\n  - three\n\nnot_scored:\n  - scenario: four\n    \
                    leg: client\n  - scenario: five\n    leg: server\n    reason: extension\n";
        let read = Requirements::read(text);
        assert_eq!(read.scored.into_iter().collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(read.beside.into_iter().collect::<Vec<_>>(), ["five"]);
    }

    #[test]
    fn a_line_of_the_summary_is_read_and_no_other() {
        let read = |line| counted(line).map(|it| (it.name, it.passed, it.failed));
        assert_eq!(read("✗ ping: 1 passed, 2 failed"), Some(("ping".to_owned(), 1, 2)));
        assert_eq!(read("✓ ping: 2 passed, 0 failed"), Some(("ping".to_owned(), 2, 0)));
        assert_eq!(read("  ✗ ping (extension)"), None);
        assert_eq!(read("Total: 46 passed, 23 failed"), None);
    }
}
