//! Kill -9 of the real program, over and over, and a look at what is left each time; or the power of its disk is cut.
//!
//! 8 to 64 clients read, write files, ask, decide, and send keys again, in default and in strict reads. At a random
//! moment (among them, while it starts, while it ends) the program is killed. After the next start everything that any
//! client was told must be there, everything once, and along a whole chain. A data directory lives for one kill or for
//! dozens, and ends with a look at all of it and an end in good order.
//!
//! A killed program loses nothing that it handed to the system; a power cut takes whatever was not fsynced. So the second
//! suite (`power`) is the one that finds acknowledgements which were given too early.

pub(crate) mod sabotage;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use self::sabotage::Sabotage;
use crate::Common;
use crate::chance::Chance;
use crate::life::ledger::Count;
use crate::life::{Counted, Life};
use crate::report::{Verdict, Violation, say, tell};
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
/// Kills between two lines for whoever watches.
const TELL_EVERY: u64 = 25;
/// Kills that a data directory lives through.
const LIVES: [u64; 6] = [1, 3, 10, 20, 30, 40];

/// Where the suite is.
struct Run {
    options: Options,
    work: PathBuf,
    binary: PathBuf,
    chance: Chance,
    begun: Instant,
    cycles: u64,
    lives: u64,
    count: Count,
    counted: Counted,
    drafts: usize,
    starts: Vec<u64>,
    found: Vec<Violation>,
}

/// Runs the suite.
pub(crate) async fn run(options: Options) -> anyhow::Result<Verdict> {
    if let Some(needed) = options.power.then(crate::disk::missing).flatten() {
        say(&format!("skipped: needs {needed} (power)"));
        return Ok(Verdict::Skipped);
    }
    let (chance, seed) = Chance::new(options.common.seed)?;
    let (work, binary) = options.common.prepare()?;
    say(&format!("{}: seed {seed}, in {}", options.name(), work.display()));
    let mut run = Run {
        options,
        work: work.clone(),
        binary,
        chance,
        begun: Instant::now(),
        cycles: 0,
        lives: 0,
        count: Count::default(),
        counted: Counted::default(),
        drafts: 0,
        starts: Vec::new(),
        found: Vec::new(),
    };
    while !run.is_over() {
        run.live().await?;
        if !run.found.is_empty() {
            tell(&run.found);
            say(&format!("{}: broken after {} times", run.options.name(), run.cycles));
            run.options.common.keep(&work, run.options.sabotage.is_none())?;
            return Ok(Verdict::Broken);
        }
    }
    run.tell(run.options.name());
    run.options.common.keep(&work, false)?;
    Ok(Verdict::Kept)
}

impl Run {
    fn is_over(&self) -> bool {
        let late = self.options.minutes.is_some_and(|minutes| self.begun.elapsed().as_secs_f64() > minutes * 60.0);
        late || self.cycles >= self.options.cycles
    }

    /// One data directory, from its first start to its end.
    async fn live(&mut self) -> anyhow::Result<()> {
        self.lives += 1;
        let name = format!("life-{}", self.lives);
        let disk = self.options.power.then_some(DISK);
        let mut life = Life::begin(self.binary.clone(), &self.work, &name, disk).await?;
        let kills = match self.options.sabotage {
            Some(_) => self.options.cycles,
            None => self.chance.pick(&LIVES).copied().unwrap_or(1),
        };
        self.live_through(&mut life, kills).await?;
        self.starts.append(&mut life.starts);
        if !self.found.is_empty() {
            return Ok(());
        }
        self.drafts += life.drafts();
        self.count.add(life.ledger.state().count);
        life.remove().await
    }

    async fn live_through(&mut self, life: &mut Life, kills: u64) -> anyhow::Result<()> {
        self.kill_at_starts(life, 50).await?;
        let Some(mut server) = self.start(life).await else { return Ok(()) };
        life.believed_strict = self.options.sabotage == Some(Sabotage::EarlyAck);
        life.furnish(&server.host, &mut self.chance).await?;
        for kill in 1..=kills {
            let sabotage = self.options.sabotage.filter(|_| kill == 2);
            server = match self.die(life, server, sabotage).await? {
                Some(server) => server,
                None => return Ok(()),
            };
            let last = kill == kills || self.is_over();
            self.look(life, &server.host, last).await?;
            if !self.found.is_empty() {
                return Ok(());
            }
            if self.cycles.is_multiple_of(TELL_EVERY) {
                self.tell("so far");
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
        sabotage: Option<Sabotage>,
    ) -> anyhow::Result<Option<Server>> {
        if self.chance.percent(10) && self.options.sabotage.is_none() {
            life.change_reads(&server.host).await?;
        }
        // Where something is to be broken there must be something.
        let least = if self.options.sabotage.is_some() { 300 } else { 15 };
        life.kill_under_load(server, &mut self.chance, Duration::from_millis(least)).await?;
        self.cycles += 1;
        if let Some(sabotage) = sabotage {
            sabotage.break_dead(life).await?;
        }
        self.kill_at_starts(life, 15).await?;
        let server = self.start(life).await;
        if let (Some(sabotage), Some(server)) = (sabotage, &server) {
            sabotage.break_alive(life, &server.host).await?;
        }
        Ok(server)
    }

    /// A look at what changed, and at the end at everything.
    async fn look(&mut self, life: &mut Life, host: &str, last: bool) -> anyhow::Result<()> {
        let counted = life.compare(host, false, &mut self.found).await?;
        self.counted.late = (self.counted.late.0 + counted.late.0, self.counted.late.1.max(counted.late.1));
        if last || self.cycles.is_multiple_of(VERIFY_EVERY) || self.options.sabotage.is_some() {
            life.verify(&mut self.found).await?;
        }
        if last && self.found.is_empty() {
            let counted = life.compare(host, true, &mut self.found).await?;
            self.counted.doubts += counted.doubts;
            self.counted.stopped += counted.stopped;
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
            self.cycles += 1;
        }
        Ok(())
    }

    fn tell(&mut self, what: &str) {
        self.starts.sort_unstable();
        let seconds = self.begun.elapsed().as_secs_f64();
        let middle = self.starts.get(self.starts.len() / 2).copied().unwrap_or(0);
        let Count { greens, effects, cards, decisions, refusals, again, cut } = self.count;
        let times = if self.options.power { "power cuts" } else { "kills" };
        let late = match self.counted.late {
            (0, _) => String::new(),
            (reads, age) => {
                format!("; {reads} reads in default mode were told up to {} ms before a cut and lost", age.as_millis())
            }
        };
        say(&format!(
            "{what}: {} {times} of {} data directories in {seconds:.0} s ({:.2}/s), {} acknowledgements found: {greens} \
             reads, {effects} effects, {cards} cards, {decisions} decisions, {refusals} refusals, {again} by key again; \
             {cut} cut off, {} seen not to have begun, {} in doubt, 0 lost, 0 doubled; start {middle} ms (median), {} ms \
             (longest); {} drafts left behind{late}",
            self.cycles,
            self.lives,
            self.cycles as f64 / seconds,
            self.count.acks(),
            self.counted.stopped,
            self.counted.doubts,
            self.starts.last().copied().unwrap_or(0),
            self.drafts,
        ));
    }
}
