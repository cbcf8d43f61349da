//! The OpenAPI document, held against the live program by schemathesis, which nobody here wrote: requests that fit the
//! document and some that do not, and answers that must be those which it promises.
//!
//! It asks as the operator's browser does, and signs in again whenever a request ended its session (signing out, or revoking
//! a session that turns out to be its own). What would shut the door or the program for everything after it is asked last,
//! in a run of its own.

mod known;
mod reach;
mod sabotage;
mod tester;

use std::time::Instant;

use self::known::Known;
use self::reach::Reach;
pub(crate) use self::sabotage::Sabotage;
use self::tester::{Part, Tester};
use crate::Common;
use crate::chance::Chance;
use crate::hostile::{Relay, lay_out, sign_in};
use crate::report::{Ended, Kind, Verdict, Violation, say};
use crate::server::House;
use crate::wire::{Ask, Wire};

/// Names the program, where it is installed.
const PROGRAM: &str = "JARVIS_TEST_SCHEMATHESIS";

/// Operations that are left out, and why.
const LEFT_OUT: [(&str, &str); 3] = [
    ("stream", "its answer has no end"),
    ("job_stream", "its answer ends with its job, and some wait for ever"),
    ("put_settings", "it could open folders of this machine to the file tools, or name a model out in the world"),
];

/// Operations that are asked last, and why.
const LAST: [(&str, &str); 4] = [
    ("set_up", COUNTED),
    ("turn_on_factor", COUNTED),
    ("turn_off_factor", COUNTED),
    ("stop", "the kill switch: calls are refused until it is released"),
];

/// Why nobody who asked this often gets in for a while.
const COUNTED: &str = "attempts to sign in are counted, and too many shut the door";

/// How many operations must have been carried out at least once.
const CARRIED_OUT: usize = 55;

pub(crate) struct Options {
    pub(crate) common: Common,
    /// Requests of each operation and phase, at most.
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
    let mut wire = Wire::connect(&server.host).await?;
    let operator = sign_in(&mut wire).await?;
    let known = Known::make(&mut wire, &operator).await?;
    let document = wire.ask(Ask::get("/api/openapi.json", "")).await?.body;
    let relay = match options.sabotage {
        Some(sabotage) => Some(Relay::start(server.host.parse()?, sabotage).await?),
        None => None,
    };
    let host = relay.as_ref().map_or_else(|| server.host.clone(), |relay| relay.at.to_string());
    let tester = Tester { program, work: work.clone(), host, seed, examples: options.examples };
    tester.configure(&known)?;
    std::fs::write(tester.document(), document.to_string())?;

    let (left_out, last) = (LEFT_OUT.map(|(name, _)| name), LAST.map(|(name, _)| name));
    let counted: Vec<_> = LAST.iter().filter(|(_, why)| *why == COUNTED).map(|(name, _)| *name).collect();
    let mut reach = Reach::of(&document);
    let (mut found, mut requests) = (Vec::new(), 0);
    let first = Part::Without([&left_out[..], &last[..]].concat());
    let told = tester.run(&first, &mut reach).await?;
    // Not before: all other sessions were ended meanwhile.
    let operator = sign_in(&mut Wire::connect(&server.host).await?).await?;
    let then = tester.run(&Part::Only(last.to_vec(), &operator), &mut reach).await?;
    for told in [told, then] {
        if !told.found.is_empty() && options.sabotage.is_none() {
            say(&told.said);
        }
        found.extend(told.found);
        requests += told.requests;
    }
    for (name, why) in LEFT_OUT {
        say(&format!("openapi: left out is `{name}`: {why}"));
    }
    found.extend(reach.judge(&left_out, &counted, CARRIED_OUT));
    if !serves(&server.host).await {
        found.push(Violation::new(Kind::NoService, "it does not serve any more"));
    }
    let status = server.end().await?;
    if !status.success() {
        found.push(Violation::new(Kind::NoService, format!("it ended with {status}")));
    }
    let log = std::fs::read_to_string(&house.log)?;
    found.extend(log.lines().filter(|line| line.contains("panicked")).map(|line| Violation::new(Kind::Panic, line)));
    options.common.keep(&work, !found.is_empty() && options.sabotage.is_none())?;
    let seconds = begun.elapsed().as_secs_f64();
    Ok(Ended { suite: "openapi", cycles: requests, acks: requests, found, seed, seconds }.tell())
}

/// Whether it is still there, for somebody who needs no session.
async fn serves(host: &str) -> bool {
    let Ok(mut wire) = Wire::connect(host).await else { return false };
    wire.ask(Ask::get("/healthz", "")).await.is_ok_and(|reply| reply.status == 200)
}
