//! Disks that fail and clocks that jump: an acknowledgement needs a disk that kept it, and afterwards everything goes on.
//!
//! Five kinds of outage. *Windows*: under load, `strace` makes the program's fsyncs or writes fail, or last, for a
//! while; what is asked and answered within that while cannot have been kept, so nothing that needs to be kept may be
//! acknowledged. *Points*: from its start on, a single call of the program fails, somewhere. *Full*: its disk is filled
//! to the last byte. *Read-only*: its disk takes nothing more, while it runs or from its start on. *Clock*: what it takes
//! for the time jumps to and fro. And before all that, *births*: the program is killed at single calls of its very first
//! start, before and after everything that it puts there. After each the program must go on, is killed, must start again,
//! and everything that was acknowledged must be there.

mod birth;
mod injection;
mod outage;
mod tally;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use clap::ValueEnum;
use tokio::task::JoinSet;

pub(crate) use self::injection::{HELD, death, death_of};
use self::tally::Tally;
use crate::Common;
use crate::budget::Budget;
use crate::chance::Chance;
use crate::life::Life;
use crate::report::{Ended, Verdict, Violation, say};
use crate::server::{Clock, Server};

/// What the suite is told.
pub(crate) struct Options {
    pub(crate) common: Common,
    /// Outages, at most.
    pub(crate) cycles: u64,
    pub(crate) minutes: Option<f64>,
    pub(crate) sabotage: Option<Sabotage>,
    /// Programs at once.
    pub(crate) lanes: u64,
}

/// What is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sabotage {
    /// Reads are not strict although strict reads are promised, so they are acknowledged while no fsync succeeds.
    EarlyAck,
}

/// Outages that a data directory lives through.
const LIFE: u64 = 12;
/// MiB of a disk that is filled, and of how many it needs when it is not: with less a life on it ends.
const SMALL: u64 = 24;
const ROOM: u64 = 10;

/// What a data directory lives on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ground {
    /// The disk of this machine, on which calls fail.
    Plain,
    /// A small disk of its own.
    Small,
    /// The same as plain, and a clock of its own.
    Clock,
}

/// One of those who make outages side by side, each its own program.
struct Lane {
    options: Arc<Options>,
    budget: Arc<Budget>,
    /// What was seen by all.
    shared: Arc<Mutex<Tally>>,
    work: PathBuf,
    binary: PathBuf,
    chance: Chance,
    /// The library that makes a clock of its own, where there is one.
    clock: Option<PathBuf>,
    /// What was seen here since it was told to all.
    tally: Tally,
    /// Tells this lane's outages apart.
    outages: u64,
    lives: u64,
    found: Vec<Violation>,
}

/// Runs the suite.
pub(crate) async fn run(options: Options) -> anyhow::Result<Verdict> {
    if let Some(needed) = missing() {
        say(&format!("skipped: needs {needed} (faults)"));
        return Ok(Verdict::Skipped);
    }
    let (mut chance, seed) = Chance::new(options.common.seed)?;
    let (work, binary) = options.common.prepare()?;
    say(&format!("faults: seed {seed}, in {}", work.display()));
    let clock = Clock::library();
    if clock.is_none() {
        // In CI everything is there, so a skip would hide something.
        anyhow::ensure!(std::env::var_os("JARVIS_CI").is_none(), "needs libfaketime (clock jumps)");
        say("skipped: needs libfaketime (clock jumps)");
    }
    let options = Arc::new(options);
    let budget = Arc::new(Budget::new(options.cycles, options.minutes));
    let shared = Arc::new(Mutex::new(Tally::default()));
    let mut lanes = JoinSet::new();
    for number in 0..if options.sabotage.is_some() { 1 } else { options.lanes.max(1) } {
        let lane = Lane {
            options: Arc::clone(&options),
            budget: Arc::clone(&budget),
            shared: Arc::clone(&shared),
            work: work.join(format!("lane-{number}")),
            binary: binary.clone(),
            chance: chance.fork(),
            clock: clock.clone(),
            tally: Tally::default(),
            outages: 0,
            // They begin with different grounds.
            lives: number,
            found: Vec::new(),
        };
        std::fs::create_dir(&lane.work)?;
        lanes.spawn(lane.run(number == 0));
    }
    let mut found = Vec::new();
    while let Some(lane) = lanes.join_next().await {
        found.append(&mut lane??);
    }
    let tally = shared.lock().unwrap_or_else(PoisonError::into_inner);
    tally.tell("faults", budget.seconds());
    let (acks, cycles) = (tally.count.acks(), tally.outages());
    let ended = Ended { suite: "faults", cycles, acks, found, seed, seconds: budget.seconds() };
    let verdict = ended.tell();
    options.common.keep(&work, verdict == Verdict::Broken && options.sabotage.is_none())?;
    Ok(verdict)
}

/// What is not here, if anything is not.
pub(crate) fn missing() -> Option<&'static str> {
    let works = |program: &str, words: &[&str]| {
        std::process::Command::new(program).args(words).output().is_ok_and(|done| done.status.success())
    };
    if !works("sh", &["-c", "test \"$(id -u)\" = 0"]) {
        return Some("root");
    }
    if !works("strace", &["--version"]) {
        return Some("strace");
    }
    crate::disk::missing()
}

/// Whether a small disk is about to be full of what was kept there.
async fn is_tight(life: &Life) -> anyhow::Result<bool> {
    match &life.disk {
        Some(disk) => Ok(disk.free().await? < ROOM << 20),
        None => Ok(false),
    }
}

impl Lane {
    /// Lives one after the other, and what was found. One lane begins with births.
    async fn run(mut self, births: bool) -> anyhow::Result<Vec<Violation>> {
        if births && self.options.sabotage.is_none() {
            self.births().await?;
            self.share();
        }
        while self.found.is_empty() && !self.budget.is_over() {
            self.live().await?;
            self.share();
        }
        if !self.found.is_empty() {
            self.budget.stop();
        }
        Ok(self.found)
    }

    /// Adds what was seen here to what was seen by all, and tells it.
    fn share(&mut self) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.add(&mut self.tally);
        if self.options.sabotage.is_none() {
            shared.tell("so far", self.budget.seconds());
        }
    }

    /// One data directory.
    async fn live(&mut self) -> anyhow::Result<()> {
        self.lives += 1;
        self.tally.lives += 1;
        let ground = match self.lives % 4 {
            _ if self.options.sabotage.is_some() => Ground::Plain,
            0 => Ground::Small,
            2 if self.clock.is_some() => Ground::Clock,
            _ => Ground::Plain,
        };
        let name = format!("life-{}", self.lives);
        let disk = (ground == Ground::Small).then_some(SMALL);
        let mut life = Life::begin(self.binary.clone(), &self.work, &name, disk).await?;
        life.disk_fails = true;
        if ground == Ground::Clock {
            let library = self.clock.clone().context("there is no clock to set")?;
            life.house.clock = Some(Clock::new(library, self.work.join(format!("{name}.clock")))?);
        }
        let Some(server) = self.start(&mut life).await else { return Ok(()) };
        life.believed_strict = self.options.sabotage == Some(Sabotage::EarlyAck);
        life.furnish(&server.host, &mut self.chance).await?;
        let Some(server) = self.live_through(&mut life, server, ground).await? else { return Ok(()) };
        life.end(server, &mut self.found).await?;
        self.tally.count.add(life.ledger.state().count);
        if self.found.is_empty() {
            life.remove().await?;
        }
        Ok(())
    }

    /// Outages, and a look after each; answers the program if nothing was found.
    async fn live_through(
        &mut self,
        life: &mut Life,
        mut server: Server,
        ground: Ground,
    ) -> anyhow::Result<Option<Server>> {
        for outage in 1..=LIFE {
            self.budget.spend();
            self.outages += 1;
            let ended = self.outage(life, server, ground).await?;
            self.tally.note_unkept(&mut life.ledger.state().unkept);
            server = match ended {
                Some(server) => server,
                None => return Ok(None),
            };
            let last = outage == LIFE || self.budget.is_over() || is_tight(life).await?;
            if last && let Some(clock) = &life.house.clock {
                // Whatever waits for its time has its time, and the last row tells whether it was set at all.
                clock.set(Clock::LATEST)?;
                self.see_it_go_on(life, &server, "clock").await?;
            }
            life.compare(&server.host, false, &mut self.found).await?;
            if last {
                anyhow::ensure!(ground != Ground::Clock || life.is_ahead()?, "the clock of the program was never set");
                let counted = life.compare(&server.host, true, &mut self.found).await?;
                self.tally.counted.add(counted);
                life.verify(&mut self.found).await?;
            }
            if !self.found.is_empty() {
                return Ok(None);
            }
            if last {
                break;
            }
        }
        Ok(Some(server))
    }

    async fn outage(&mut self, life: &mut Life, server: Server, ground: Ground) -> anyhow::Result<Option<Server>> {
        let kind = self.chance.between(0, 100);
        match ground {
            _ if self.options.sabotage.is_some() => self.window(life, server).await,
            Ground::Small if kind < 60 => self.full(life, server).await,
            Ground::Small if kind < 80 => self.gone_read_only(life, server).await,
            Ground::Small => self.started_read_only(life, server).await,
            Ground::Clock => self.clock(life, server).await,
            Ground::Plain if kind < 40 => self.window(life, server).await,
            Ground::Plain => self.point(life, server).await,
        }
    }

    async fn start(&mut self, life: &mut Life) -> Option<Server> {
        match life.start().await {
            Ok(server) => Some(server),
            Err(violation) => {
                self.found.push(violation);
                None
            }
        }
    }
}
