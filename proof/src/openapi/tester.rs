//! Schemathesis: how it is told what to ask and as whom, and what it wrote down.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::process::Command;

use super::known::Known;
use super::reach::Reach;
use crate::report::{Kind, Violation};
use crate::server::PASSWORD;

/// What it is to look for. What a request may hold is said by words in the document, not by its schemas alone, so nothing
/// is asked about requests that are refused although they fit.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,\
                      response_headers_conformance,unsupported_method,allow_header_conformance";

/// Operations that may end the session that asks. It signs in again then, but not between the steps of a sequence.
const ENDING: [&str; 2] = ["sign_out", "revoke_session"];

/// The program, and where it writes.
pub(super) struct Tester {
    pub(super) program: OsString,
    pub(super) work: PathBuf,
    /// Where it asks, `host:port`.
    pub(super) host: String,
    pub(super) seed: u64,
    /// Requests of each operation and phase, at most.
    pub(super) examples: u64,
}

/// What it is to ask.
pub(super) enum Part<'a> {
    /// Everything but these operations, in a session that is opened anew whenever it has ended.
    Without(Vec<&'a str>),
    /// These alone, in one session.
    Only(Vec<&'a str>, &'a str),
}

/// What it found in one run.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) found: Vec<Violation>,
    pub(super) requests: u64,
    /// Its own words.
    pub(super) said: String,
}

impl Tester {
    /// Writes its configuration: it signs in as a browser does, and again whenever a request ended its session.
    pub(super) fn configure(&self, known: &Known) -> anyhow::Result<()> {
        let head = format!(
            "[headers]\nOrigin = \"http://{}\"\n[generation]\nwith-security-parameters = false\n[auth]\n\
             auto-signup = false\n",
            self.host
        );
        // Always the right password: wrong ones are counted, and too many of them shut the door. What is made for coverage
        // takes no word from here.
        let signing_in = format!(
            "[[operations]]\ninclude-operation-id = \"sign_in\"\nphases.coverage.enabled = false\n\
             parameters = {{ \"body.password\" = \"{PASSWORD}\" }}\n"
        );
        let ending =
            format!("[[operations]]\ninclude-operation-id = {}\nphases.stateful.enabled = false\n", json!(ENDING));
        let known = known.told() + &signing_in + &ending;
        let auth = format!(
            "[auth.dynamic.openapi.session]\npath = \"/api/session\"\npayload = {{ password = \"{PASSWORD}\" }}\n\
             extract_from = \"cookie\"\nextract_selector = \"jarvis_session\"\n"
        );
        std::fs::write(self.config("again"), format!("{head}{auth}{known}"))?;
        Ok(std::fs::write(self.config("once"), format!("{head}{known}"))?)
    }

    /// Runs it, and counts into `reach` what was answered.
    pub(super) async fn run(&self, part: &Part<'_>, reach: &mut Reach) -> anyhow::Result<Told> {
        let name = part.name();
        let report = |kind: &str| self.work.join(format!("{name}.{kind}"));
        let mut command = Command::new(&self.program);
        command.arg("--config-file").arg(self.config(name)).arg("run").arg(self.document());
        command.args(["--url", &format!("http://{}", self.host), "--checks", CHECKS]);
        command.args(["--max-examples", &self.examples.to_string(), "--seed", &self.seed.to_string()]);
        // One worker: hypothesis below it reads its own source while it runs, and threads of one Python trip over that.
        command.args(["--workers", "1", "--request-timeout", "20", "--continue-on-failure", "--no-color"]);
        command.args(["--warnings", "off", "--generation-database", "none", "--no-shrink"]);
        command.arg("--report-json-path").arg(report("json")).arg("--report-ndjson-path").arg(report("ndjson"));
        match part {
            Part::Without(names) => {
                command.args(["--phases", "coverage,fuzzing,stateful"]);
                command.args(names.iter().flat_map(|name| ["--exclude-operation-id", name]));
            }
            Part::Only(names, session) => {
                command.args(["--phases", "coverage,fuzzing"]);
                command.args(["--header", &format!("Authorization: Bearer {session}")]);
                command.args(names.iter().flat_map(|name| ["--include-operation-id", name]));
            }
        }
        command.current_dir(&self.work).stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.context("schemathesis cannot be started")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        std::fs::write(report("log"), &said)?;
        let summary = std::fs::read(report("json")).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let summary: Value = summary.with_context(|| format!("schemathesis ended with {}: {said}", output.status))?;
        for line in std::fs::read_to_string(report("ndjson"))?.lines() {
            reach.count(&serde_json::from_str(line)?);
        }
        let told = told(&summary);
        ensure!(output.status.success() || !told.found.is_empty(), "schemathesis ended with {}: {said}", output.status);
        Ok(Told { said, ..told })
    }

    /// The document, as a file: what is read over the wire is not asked any more.
    pub(super) fn document(&self) -> PathBuf {
        self.work.join("openapi.json")
    }

    fn config(&self, name: &str) -> PathBuf {
        self.work.join(format!("{name}.toml"))
    }
}

impl Part<'_> {
    const fn name(&self) -> &'static str {
        match self {
            Self::Without(_) => "again",
            Self::Only(..) => "once",
        }
    }
}

/// What its summary tells.
fn told(summary: &Value) -> Told {
    let list = |name: &str| summary.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |value: &Value, name: &str| value.get(name).map(ToString::to_string).unwrap_or_default();
    let mut found = Vec::new();
    for failure in list("failures") {
        let (title, operations) = (text(&failure, "title"), text(&failure, "operations"));
        let kind = if title.contains("Server error") { Kind::ServerError } else { Kind::WrongAnswer };
        found.push(Violation::new(kind, format!("{title}: {operations}")));
    }
    for error in list("errors") {
        found.push(Violation::new(Kind::Untried, format!("{} × {}", text(&error, "count"), text(&error, "title"))));
    }
    let requests = summary.pointer("/test_cases/generated").and_then(Value::as_u64).unwrap_or(0);
    if summary.get("complete") != Some(&Value::Bool(true)) {
        found.push(Violation::new(Kind::Untried, "schemathesis did not come to its end"));
    }
    Told { found, requests, said: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_found_is_read_from_its_summary() {
        let failure = |title: &str| json!({ "title": title, "operations": ["GET /x"], "count": 1 });
        let summary = json!({
            "complete": true, "test_cases": { "generated": 2291 }, "errors": [{ "title": "Network Error", "count": 3 }],
            "failures": [failure("Server error"), failure("Undocumented Content-Type")],
        });
        let told = told(&summary);
        let kinds: Vec<_> = told.found.iter().map(|violation| violation.kind).collect();
        assert_eq!((kinds, told.requests), (vec![Kind::ServerError, Kind::WrongAnswer, Kind::Untried], 2291));
        let cut_off = super::told(&json!({ "complete": false }));
        assert_eq!(cut_off.found.len(), 1);
    }
}
