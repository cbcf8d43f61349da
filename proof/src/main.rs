//! `proof`: holds the real program to its word, from outside.
//!
//! Each suite starts the binary that people run, does to it what the world does (kills it, fills its disk, lets its disk
//! fail, sends it what no client would), writes down every answer that was read to its end, and then looks for what was promised: in the database by
//! queries of its own, in the files, and along the hash chain by an implementation of its own. It depends on no crate
//! of ours.
//!
//! A checker that never complains proves nothing, so each suite has sabotages: it breaks a promise on purpose, and must
//! then end like any run that finds one broken.
//!
//! Exit codes: 0 every promise was kept, 3 one was broken (a line `VIOLATION <kind>: …` for each), 1 the proof itself
//! could not be carried out, 2 wrong words, 4 it was skipped (a line `skipped: needs …`; in CI that is a 1).

mod adversary;
mod book;
mod boundary;
mod budget;
mod chain;
mod chance;
mod disk;
mod dojo;
mod fault;
mod hostile;
mod kill;
mod life;
mod openapi;
mod postgres;
mod questions;
mod report;
mod seal;
mod secret;
mod server;
mod speech;
mod wire;
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

use crate::kill::sabotage::Sabotage;
use crate::report::Verdict;
use crate::world::apart::Place;

/// Holds the real program to its word, from outside.
#[derive(Debug, Parser)]
#[command(name = "proof", version)]
struct Arguments {
    #[command(subcommand)]
    suite: Suite,
}

#[derive(Debug, Subcommand)]
enum Suite {
    /// Kill -9 at a random moment under load, start again, and look for everything that was acknowledged.
    Kill(KillArguments),
    /// The same with a disk whose power is cut: only what was fsynced is left. Needs root and loop devices.
    Power(KillArguments),
    /// Disks that fail: writes and fsyncs that end in errors or last, and a disk that is full. Needs root and strace.
    Faults(FaultArguments),
    /// Kill -9 at each call that writes to the database's log, one after the other. Needs root and strace.
    Boundary(KillArguments),
    /// Two replicas on one PostgreSQL: its processes killed, its server restarted, connections cut, replicas killed. Needs
    /// root and the programs of PostgreSQL.
    Postgres(KillArguments),
    /// Secrets of the vault, planted in every form and looked for on every way out.
    Secrets(SecretArguments),
    /// Hostile HTTP and MCP: strangers, broken messages, nonsense, on everything that the program offers.
    Hostile(HostileArguments),
    /// An adversary who owns the model, what tools read, and clients, in a world that keeps its own books. Needs `unshare`
    /// and `ip`.
    Adversary(AdversaryArguments),
    /// `HomelabDojo`: what strangers write where a model reads it, a case each. Needs what `adversary` needs.
    Dojo(DojoArguments),
    /// A routine day of an operator: what was done, and how often he was asked. Needs what `adversary` needs, and a host with
    /// systemd.
    Questions(QuestionArguments),
    /// The OpenAPI document, held against the live program by schemathesis. Needs that.
    Openapi(OpenapiArguments),
}

/// What every suite is told.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// The binary that is held to its word.
    #[arg(long)]
    binary: PathBuf,
    /// Folder for data directories and logs; what broke a promise stays there.
    #[arg(long)]
    work: PathBuf,
    /// Where chance begins; printed, and different each time unless it is given.
    #[arg(long)]
    seed: Option<u64>,
    /// Programs at once. They wait for the disk and for each other most of the time.
    #[arg(long, default_value_t = 4)]
    lanes: u64,
}

impl Common {
    /// A folder of this run alone, and in it a copy of the binary: a build in the meantime must not change what is
    /// looked at.
    pub(crate) fn prepare(&self) -> anyhow::Result<(PathBuf, PathBuf)> {
        let work = self.work.join(format!("run-{}", std::process::id()));
        std::fs::create_dir_all(&work).with_context(|| format!("{} cannot be made", work.display()))?;
        // Whole, because other programs are told of it.
        let work = work.canonicalize()?;
        let binary = work.join("jarvis");
        std::fs::copy(&self.binary, &binary)
            .with_context(|| format!("{} cannot be copied; build it first", self.binary.display()))?;
        Ok((work, binary))
    }

    /// The same in memory, where there is such a place: for suites that ask nothing of a disk.
    pub(crate) fn prepare_in_memory(&self) -> anyhow::Result<(PathBuf, PathBuf)> {
        let memory = Path::new("/dev/shm");
        let work = if memory.is_dir() { memory.join("jarvis-proof") } else { self.work.clone() };
        Self { work, ..self.clone() }.prepare()
    }

    /// Ends with that folder: what broke a promise stays, to be looked at.
    pub(crate) fn keep(&self, work: &Path, stays: bool) -> anyhow::Result<()> {
        if stays {
            report::say(&format!("data directory and log stay in {}", work.display()));
            return Ok(());
        }
        std::fs::remove_dir_all(work).with_context(|| format!("{} cannot be removed", work.display()))
    }
}

#[derive(Debug, Args)]
struct KillArguments {
    #[command(flatten)]
    common: Common,
    /// Kills; with --minutes the most.
    #[arg(long)]
    cycles: Option<u64>,
    /// Goes on for so long instead of for a number of kills.
    #[arg(long)]
    minutes: Option<f64>,
    /// Breaks one promise on purpose, to see that this is found.
    #[arg(long)]
    sabotage: Option<Sabotage>,
}

#[derive(Debug, Args)]
struct FaultArguments {
    #[command(flatten)]
    common: Common,
    /// Outages; with --minutes the most.
    #[arg(long)]
    cycles: Option<u64>,
    /// Goes on for so long instead of for a number of outages.
    #[arg(long)]
    minutes: Option<f64>,
    /// Breaks one promise on purpose, to see that this is found.
    #[arg(long)]
    sabotage: Option<fault::Sabotage>,
}

#[derive(Debug, Args)]
struct SecretArguments {
    #[command(flatten)]
    common: Common,
    /// Secrets that are planted; with --minutes the most.
    #[arg(long)]
    cycles: Option<u64>,
    /// Goes on for so long instead of for a number of secrets.
    #[arg(long)]
    minutes: Option<f64>,
    /// Breaks the promise on purpose, to see that this is found.
    #[arg(long)]
    sabotage: Option<secret::Sabotage>,
}

/// Secrets when nothing else is said.
const SECRETS: u64 = 1000;

impl SecretArguments {
    fn options(self) -> secret::Options {
        let unlimited = if self.minutes.is_some() { u64::MAX } else { SECRETS };
        secret::Options {
            common: self.common,
            secrets: self.cycles.unwrap_or(unlimited),
            minutes: self.minutes,
            sabotage: self.sabotage,
        }
    }
}

#[derive(Debug, Args)]
struct HostileArguments {
    #[command(flatten)]
    common: Common,
    /// Requests; with --minutes the most.
    #[arg(long)]
    cycles: Option<u64>,
    /// Goes on for so long instead of for a number of requests.
    #[arg(long)]
    minutes: Option<f64>,
    /// Number of the first request: with --seed and --cycles 1, one that was told of.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Breaks one promise on purpose, to see that this is found.
    #[arg(long)]
    sabotage: Option<hostile::Sabotage>,
}

#[derive(Debug, Args)]
struct OpenapiArguments {
    #[command(flatten)]
    common: Common,
    /// Requests of each operation, at most.
    #[arg(long, default_value_t = 20)]
    cycles: u64,
    /// Breaks one promise on purpose, to see that this is found.
    #[arg(long)]
    sabotage: Option<openapi::Sabotage>,
}

/// Hostile requests when nothing else is said.
const HOSTILE: u64 = 20_000;

impl HostileArguments {
    fn options(self) -> hostile::Options {
        let unlimited = if self.minutes.is_some() { u64::MAX } else { HOSTILE };
        hostile::Options {
            common: self.common,
            requests: self.cycles.unwrap_or(unlimited),
            minutes: self.minutes,
            first: self.first,
            sabotage: self.sabotage,
        }
    }
}

#[derive(Debug, Args)]
struct AdversaryArguments {
    #[command(flatten)]
    common: Common,
    /// Turns; with --minutes the most.
    #[arg(long)]
    cycles: Option<u64>,
    /// Goes on for so long instead of for a number of turns.
    #[arg(long)]
    minutes: Option<f64>,
    /// Breaks one promise on purpose, to see that this is found.
    #[arg(long)]
    sabotage: Option<adversary::Sabotage>,
}

#[derive(Debug, Args)]
struct DojoArguments {
    #[command(flatten)]
    common: Common,
    /// The first so many cases; all of them without it.
    #[arg(long)]
    cycles: Option<usize>,
    /// Breaks one promise on purpose, to see that this is found.
    #[arg(long)]
    sabotage: Option<dojo::Sabotage>,
}

#[derive(Debug, Args)]
struct QuestionArguments {
    #[command(flatten)]
    common: Common,
    /// The first so many levels of autonomy; all of them without it.
    #[arg(long)]
    cycles: Option<usize>,
    /// Breaks one promise on purpose, to see that this is found.
    #[arg(long)]
    sabotage: Option<questions::Sabotage>,
}

/// Turns of an adversary when nothing else is said.
const TURNS: u64 = 20_000;

impl AdversaryArguments {
    fn options(self) -> adversary::Options {
        let unlimited = if self.minutes.is_some() { u64::MAX } else { TURNS };
        adversary::Options {
            common: self.common,
            turns: self.cycles.unwrap_or(unlimited),
            minutes: self.minutes,
            sabotage: self.sabotage,
        }
    }
}

/// Outages when nothing else is said.
const OUTAGES: u64 = 500;

impl FaultArguments {
    fn options(self) -> fault::Options {
        let unlimited = if self.minutes.is_some() { u64::MAX } else { OUTAGES };
        fault::Options {
            lanes: self.common.lanes,
            common: self.common,
            cycles: self.cycles.unwrap_or(unlimited),
            minutes: self.minutes,
            sabotage: self.sabotage,
        }
    }
}

/// Kills and power cuts when nothing else is said.
const KILLS: u64 = 300;
const CUTS: u64 = 50;
/// Outages of PostgreSQL; some of them are waited for until a lease has lapsed.
const AWAY: u64 = 20;

impl KillArguments {
    /// `usual`: how often when nothing is said.
    fn options(self, usual: u64, power: bool) -> kill::Options {
        let unlimited = if self.minutes.is_some() { u64::MAX } else { usual };
        kill::Options {
            lanes: self.common.lanes,
            common: self.common,
            cycles: self.cycles.unwrap_or(unlimited),
            minutes: self.minutes,
            sabotage: self.sabotage,
            power,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    ended(match Arguments::parse().suite {
        Suite::Kill(given) => kill::run(given.options(KILLS, false)).await,
        Suite::Faults(given) => fault::run(given.options()).await,
        // As many as there are.
        Suite::Boundary(given) => boundary::run(given.options(u64::MAX, false)).await,
        Suite::Postgres(given) => postgres::run(given.options(AWAY, false)).await,
        Suite::Secrets(given) => secret::run(given.options()).await,
        Suite::Openapi(OpenapiArguments { common, cycles: examples, sabotage }) => {
            openapi::run(openapi::Options { common, examples, sabotage }).await
        }
        Suite::Hostile(given) => hostile::run(given.options()).await,
        Suite::Adversary(given) => match world::apart::go() {
            Ok(Place::Here) => adversary::run(given.options()).await,
            elsewhere => elsewhere.and_then(Place::verdict),
        },
        Suite::Dojo(DojoArguments { common, cycles, sabotage }) => match world::apart::go() {
            Ok(Place::Here) => dojo::run(dojo::Options { common, cases: cycles.unwrap_or(usize::MAX), sabotage }).await,
            elsewhere => elsewhere.and_then(Place::verdict),
        },
        Suite::Questions(QuestionArguments { common, cycles, sabotage }) => match world::apart::go() {
            Ok(Place::Here) => {
                questions::run(questions::Options { common, levels: cycles.unwrap_or(usize::MAX), sabotage }).await
            }
            elsewhere => elsewhere.and_then(Place::verdict),
        },
        Suite::Power(given) => kill::run(given.options(CUTS, true)).await,
    })
}

/// The exit code that tells how a suite ended.
fn ended(how: anyhow::Result<Verdict>) -> ExitCode {
    match how {
        Ok(Verdict::Kept) => ExitCode::SUCCESS,
        Ok(Verdict::Broken) => ExitCode::from(3),
        // In CI everything is there, so a skip would hide something.
        Ok(Verdict::Skipped) if std::env::var_os("JARVIS_CI").is_some() => ExitCode::FAILURE,
        Ok(Verdict::Skipped) => ExitCode::from(4),
        Err(error) => {
            report::say(&format!("the proof could not be carried out: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
