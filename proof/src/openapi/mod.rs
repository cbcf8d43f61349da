//! The OpenAPI document, held against the live program by schemathesis, which nobody here wrote: requests that fit the
//! document and some that do not, and answers that must be those which it promises.
//!
//! It asks as the operator. Left out is what would end the run (signing out, the kill switch), what waits for ever (event
//! streams), what attempts to sign in are counted for, and the settings, which could name a model out in the world.

use std::process::Stdio;
use std::time::Instant;

use anyhow::Context as _;
use clap::ValueEnum;
use tokio::process::Command;

use crate::Common;
use crate::chance::Chance;
use crate::hostile::{self, Relay, lay_out, sign_in};
use crate::report::{Ended, Kind, Verdict, Violation, say};
use crate::server::House;
use crate::wire::{Ask, Wire};

/// Names the program, where it is installed.
const PROGRAM: &str = "JARVIS_TEST_SCHEMATHESIS";

/// What it is to look for. What a request may hold is said by words in the document, not by its schemas alone, so nothing
/// is asked about requests that are refused although they fit.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,\
                      response_headers_conformance,unsupported_method,allow_header_conformance";

/// Operations that are left out.
const LEFT_OUT: [&str; 7] = ["stop", "sign_out", "sign_in", "set_up", "put_settings", "stream", "job_stream"];

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sabotage {
    /// Refusals become faults of the server's own.
    ServerError,
    /// Refusals become pages.
    PageRefusal,
}

pub(crate) struct Options {
    pub(crate) common: Common,
    /// Requests of each operation, at most.
    pub(crate) examples: u64,
    pub(crate) sabotage: Option<Sabotage>,
}

/// Runs the suite.
pub(crate) async fn run(options: Options) -> anyhow::Result<Verdict> {
    let Some(program) = std::env::var_os(PROGRAM) else {
        say("skipped: needs schemathesis (openapi)");
        return Ok(Verdict::Skipped);
    };
    let (_, seed) = Chance::new(options.common.seed)?;
    let (work, binary) = options.common.prepare()?;
    say(&format!("openapi: seed {seed}, in {}", work.display()));
    let house = House { binary, data: work.join("data"), log: work.join("log"), clock: None };
    lay_out(&house)?;
    let begun = Instant::now();
    let server = house.start().await?;
    let operator = sign_in(&mut Wire::connect(&server.host).await?).await?;
    let relay = match options.sabotage {
        Some(sabotage) => Some(Relay::start(server.host.parse()?, &server.host, &operator, sabotage.between()).await?),
        None => None,
    };
    let host = relay.as_ref().map_or_else(|| server.host.clone(), |relay| relay.at.to_string());
    let mut command = Command::new(program);
    command.args([
        "run",
        &format!("http://{host}/api/openapi.json"),
        "--header",
        &format!("Authorization: Bearer {operator}"),
    ]);
    command.args([
        "--checks",
        CHECKS,
        "--phases",
        "coverage,fuzzing,stateful",
        "--max-examples",
        &options.examples.to_string(),
    ]);
    // One worker: hypothesis below it reads its own source while it runs, and threads of one Python trip over that.
    command.args(["--seed", &seed.to_string(), "--workers", "1", "--request-timeout", "20", "--continue-on-failure"]);
    command.args(["--no-color", "--warnings", "off", "--generation-database", "none", "--no-shrink"]);
    for name in LEFT_OUT {
        command.args(["--exclude-operation-id", name]);
    }
    command.current_dir(&work).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.context("schemathesis cannot be started")?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    std::fs::write(work.join("schemathesis.log"), &told)?;
    let mut found = findings(&told);
    anyhow::ensure!(output.status.success() || !found.is_empty(), "schemathesis ended with {}: {told}", output.status);
    if wire_is_dead(&server.host, &operator).await {
        found.push(Violation::new(Kind::NoService, "it does not serve any more"));
    }
    server.end().await?;
    if !found.is_empty() && options.sabotage.is_none() {
        say(&told);
    }
    options.common.keep(&work, !found.is_empty() && options.sabotage.is_none())?;
    let cycles = cases(&told);
    Ok(Ended { suite: "openapi", cycles, acks: cycles, found, seed, seconds: begun.elapsed().as_secs_f64() }.tell())
}

impl Sabotage {
    const fn between(self) -> hostile::Sabotage {
        match self {
            Self::ServerError => hostile::Sabotage::ServerError,
            Self::PageRefusal => hostile::Sabotage::PageRefusal,
        }
    }
}

async fn wire_is_dead(host: &str, operator: &str) -> bool {
    let Ok(mut wire) = Wire::connect(host).await else { return true };
    !wire.ask(Ask::get("/api/status", operator)).await.is_ok_and(|reply| reply.status == 200)
}

/// The kinds of failure in its summary, with how often each was seen.
fn findings(told: &str) -> Vec<Violation> {
    let summary = told.rsplit_once(" SUMMARY ").map_or("", |(_, summary)| summary);
    let lines =
        summary.lines().map(str::trim).filter_map(|line| line.strip_prefix("❌ ").filter(|it| it.starts_with("ST")));
    lines
        .map(|line| {
            Violation::new(if line.contains("Server error") { Kind::ServerError } else { Kind::WrongAnswer }, line)
        })
        .collect()
}

/// How many requests it made.
fn cases(told: &str) -> u64 {
    let line = told.lines().map(str::trim).find(|line| line.contains(" generated"));
    line.and_then(|line| line.split(' ').next()?.replace(',', "").parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_found_is_read_from_its_summary() {
        let told = "❌ ST999 not here\n=== SUMMARY ===\nTest Phases:\n  ❌ Fuzzing\n\nFailures:\n  ❌ ST101 Server error: 1\n  \
                    ❌ ST203 Undocumented Content-Type: 2\n\nTest cases:\n  2291 generated, 1 found\n";
        let kinds: Vec<_> = findings(told).into_iter().map(|violation| violation.kind).collect();
        assert_eq!(kinds, [Kind::ServerError, Kind::WrongAnswer]);
        assert_eq!(cases(told), 2291);
    }
}
