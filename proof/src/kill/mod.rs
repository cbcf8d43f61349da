//! Kill -9 of the real program, over and over, and a look at what is left each time; or the power of its disk is cut.
//!
//! 8 to 64 clients read, write files, hand in jobs, ask, decide, and send keys again, in default and in strict reads.
//! At a random moment (among them, while it starts, while it ends) the program is killed. After the next start
//! everything that any client was told must be there, everything once, every job at its one end, and along a whole
//! chain. A data directory lives for one kill or for dozens, and ends with a look at all of it and an end in good order.
//!
//! A killed program loses nothing that it handed to the system; a power cut takes whatever was not fsynced. So the second
//! suite (`power`) is the one that finds acknowledgements which were given too early.

mod held;
pub(crate) mod sabotage;
mod tally;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use self::sabotage::Sabotage;
use self::tally::Tally;
use crate::Common;
use crate::budget::Budget;
use crate::chance::Chance;
use crate::disk;
use crate::fault;
use crate::life::Life;
use crate::report::{Ended, Verdict, Violation, say};
use crate::server::Server;

/// What the suite is told.
pub(crate) struct Options {
    pub(crate) common: Common,
    /// Kills, at most.
    pub(crate) cycles: u64,
    pub(crate) minutes: Option<f64>,
    pub(crate) sabotage: Option<Sabotage>,
    /// Whether the power is cut instead of only killing the program.
    pub(crate) power: bool,
    /// Programs at once.
    pub(crate) lanes: u64,
}

impl Options {
    const fn name(&self) -> &'static str {
        if self.power { "power" } else { "kill" }
    }
}

/// MiB of a disk whose power is cut.
const DISK: u64 = 256;
/// Kills between two looks of `jarvis audit verify`.
const VERIFY_EVERY: u64 = 10;
/// Kills that a data directory lives through.
const LIVES: [u64; 6] = [1, 3, 10, 20, 30, 40];

/// One of those who kill side by side, each its own program.
struct Lane {
    options: Arc<Options>,
    budget: Arc<Budget>,
    /// What was seen by all.
    shared: Arc<Mutex<Tally>>,
    work: PathBuf,
    binary: PathBuf,
    chance: Chance,
    /// What was seen here since it was told to all.
    tally: Tally,
    lives: u64,
    /// Whether what is to be broken was.
    broken: bool,
    found: Vec<Violation>,
}

/// Runs the suite.
pub(crate) async fn run(options: Options) -> anyhow::Result<Verdict> {
    let missing = if options.sabotage == Some(Sabotage::EarlyAck) { fault::missing } else { disk::missing };
    if let Some(needed) = options.power.then(missing).flatten() {
        say(&format!("skipped: needs {needed} (power)"));
        return Ok(Verdict::Skipped);
    }
    let (mut chance, seed) = Chance::new(options.common.seed)?;
    let (work, binary) = options.common.prepare()?;
    say(&format!("{}: seed {seed}, in {}", options.name(), work.display()));
    let options = Arc::new(options);
    let budget = Arc::new(Budget::new(options.cycles, options.minutes));
    let shared = Arc::new(Mutex::new(Tally::new(options.power)));
    let mut lanes = JoinSet::new();
    for number in 0..if options.sabotage.is_some() { 1 } else { options.lanes.max(1) } {
        let lane = Lane {
            options: Arc::clone(&options),
            budget: Arc::clone(&budget),
            shared: Arc::clone(&shared),
            work: work.join(format!("lane-{number}")),
            binary: binary.clone(),
            chance: chance.fork(),
            tally: Tally::new(options.power),
            lives: 0,
            broken: false,
            found: Vec::new(),
        };
        std::fs::create_dir(&lane.work)?;
        lanes.spawn(lane.run());
    }
    let mut found = Vec::new();
    while let Some(lane) = lanes.join_next().await {
        found.append(&mut lane??);
    }
    let tally = shared.lock().unwrap_or_else(PoisonError::into_inner);
    say(&tally.told(options.name(), budget.seconds()));
    let ended = Ended {
        suite: options.name(),
        cycles: tally.cycles,
        acks: tally.count.acks(),
        found,
        seed,
        seconds: budget.seconds(),
    };
    let verdict = ended.tell();
    options.common.keep(&work, verdict == Verdict::Broken && options.sabotage.is_none())?;
    Ok(verdict)
}

impl Lane {
    /// Lives one after the other, and what was found.
    async fn run(mut self) -> anyhow::Result<Vec<Violation>> {
        while !self.budget.is_over() {
            self.live().await?;
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            shared.add(&mut self.tally);
            if !self.found.is_empty() {
                self.budget.stop();
            } else if self.options.sabotage.is_none() {
                say(&shared.told("so far", self.budget.seconds()));
            }
        }
        Ok(self.found)
    }

    /// One data directory, from its first start to its end.
    async fn live(&mut self) -> anyhow::Result<()> {
        self.lives += 1;
        self.tally.lives += 1;
        let name = format!("life-{}", self.lives);
        let disk = self.options.power.then_some(DISK);
        let mut life = Life::begin(self.binary.clone(), &self.work, &name, disk).await?;
        life.disk_fails = self.options.power;
        let kills = match self.options.sabotage {
            Some(_) => self.options.cycles,
            None => self.chance.pick(&LIVES).copied().unwrap_or(1),
        };
        self.live_through(&mut life, kills).await?;
        self.tally.starts.append(&mut life.starts);
        self.tally.count.add(life.ledger.state().count);
        if !self.found.is_empty() {
            return Ok(());
        }
        self.tally.drafts += life.drafts();
        life.remove().await
    }

    async fn live_through(&mut self, life: &mut Life, kills: u64) -> anyhow::Result<()> {
        self.kill_at_starts(life, 50).await?;
        let Some(mut server) = self.start(life).await else { return Ok(()) };
        life.believed_strict = self.options.sabotage == Some(Sabotage::EarlyAck);
        life.furnish(&server.host, &mut self.chance).await?;
        for kill in 1..=kills {
            // The first kill is only a kill; then it is tried until there is something that can be broken.
            let sabotage = self.options.sabotage.filter(|_| kill >= 2 && !self.broken);
            server = match self.die(life, server, sabotage, kill == kills).await? {
                Some(server) => server,
                None => return Ok(()),
            };
            let last = kill == kills || self.budget.is_over();
            self.look(life, &server.host, last).await?;
            if !self.found.is_empty() {
                return Ok(());
            }
            if last {
                break;
            }
        }
        life.end(server, &mut self.found).await
    }

    /// A kill under load, and the start after it.
    async fn die(
        &mut self,
        life: &mut Life,
        server: Server,
        mut sabotage: Option<Sabotage>,
        last: bool,
    ) -> anyhow::Result<Option<Server>> {
        if self.chance.percent(10) && self.options.sabotage.is_none() {
            life.change_reads(&server.host).await?;
        }
        // Where something is to be broken there must be something.
        let least = if self.options.sabotage.is_some() { 300 } else { 15 };
        if self.options.sabotage == Some(Sabotage::EarlyAck) {
            self.cut_while_held(life, server).await?;
        } else {
            life.kill_under_load(server, &mut self.chance, Duration::from_millis(least)).await?;
        }
        self.count_one(life.reads);
        if let Some(breaking) = sabotage {
            match breaking.break_dead(life).await {
                Ok(()) => {}
                Err(error) if last => return Err(error),
                Err(_) => sabotage = None,
            }
        }
        self.kill_at_starts(life, 15).await?;
        let server = self.start(life).await;
        if let (Some(sabotage), Some(server)) = (sabotage, &server) {
            sabotage.break_alive(life, &server.host).await?;
            self.broken = true;
        }
        Ok(server)
    }

    /// A look at what changed, and at the end at everything.
    async fn look(&mut self, life: &mut Life, host: &str, last: bool) -> anyhow::Result<()> {
        let counted = life.compare(host, false, &mut self.found).await?;
        self.tally.counted.late(counted.late);
        if last || self.tally.cycles.is_multiple_of(VERIFY_EVERY) || self.options.sabotage.is_some() {
            life.verify(&mut self.found).await?;
        }
        if last && self.found.is_empty() {
            let counted = life.compare(host, true, &mut self.found).await?;
            self.tally.counted.add(counted);
        }
        Ok(())
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

    /// Sometimes kills the program while it starts, a few times over.
    async fn kill_at_starts(&mut self, life: &Life, percent: u64) -> anyhow::Result<()> {
        // A sabotage needs its few kills for something else.
        while self.options.sabotage.is_none() && self.chance.percent(percent) {
            life.kill_at_start(&mut self.chance).await?;
            self.count_one(life.reads);
        }
        Ok(())
    }

    fn count_one(&mut self, reads: &str) {
        self.budget.spend();
        self.tally.cycles += 1;
        self.tally.strict += u64::from(reads == "fsync");
    }
}
