//! What came of a set: read from the suite's own summary, and the reasons from its checks.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::process;

/// What a set scores, by scenario.
pub(super) struct Requirements {
    pub(super) scored: BTreeSet<String>,
}

impl Requirements {
    /// From the suite's file of the set: the list under `server`.
    pub(super) fn read(text: &str) -> Self {
        let lines = text.lines().skip_while(|line| *line != "server:").skip(1);
        let listed = lines.map_while(|line| line.strip_prefix("  - "));
        Self { scored: listed.map(str::to_owned).collect() }
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
    /// Scored scenarios that were to be played.
    wanted: usize,
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
        let wanted = only.map_or(required.scored.len(), |_| scenarios.iter().filter(|it| it.scored).count());
        Ok(Self { set: set.to_owned(), scenarios, wanted, took })
    }

    /// Scored scenarios that did not pass whole.
    pub(super) fn faults(&self) -> Vec<String> {
        let scored: Vec<_> = self.scenarios.iter().filter(|it| it.scored).collect();
        let mut faults: Vec<_> = scored.iter().filter(|it| it.failed > 0).map(|it| it.fault(&self.set)).collect();
        if scored.len() != self.wanted {
            faults.push(format!("{}: {} of {} scored scenarios were played", self.set, scored.len(), self.wanted));
        }
        faults
    }
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
            for reason in scenario.reasons.iter().filter(|_| scenario.failed > 0) {
                process::say(&format!("      {}", reason.chars().take(160).collect::<String>()));
            }
        }
    }
    for report in reports {
        let whole = |scored: bool| report.scenarios.iter().filter(move |it| it.scored == scored);
        let passed = |scored: bool| whole(scored).filter(|it| it.failed == 0).count();
        process::say(&format!(
            "conformance {}: {}/{} scored scenarios pass, {}/{} of the others, in {:.1} s",
            report.set,
            passed(true),
            report.wanted,
            passed(false),
            whole(false).count(),
            report.took.as_secs_f32()
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_a_set_ends_where_the_next_begins() {
        let text = "# a set\nserver:\n  - one\n  - two\n\nclient:\n  - three\n";
        let scored: Vec<_> = Requirements::read(text).scored.into_iter().collect();
        assert_eq!(scored, ["one", "two"]);
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
