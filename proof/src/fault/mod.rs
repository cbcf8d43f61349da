//! Disks that fail: an acknowledgement needs a disk that kept it, and afterwards everything goes on.
//!
//! Three kinds of outage. *Windows*: under load, `strace` makes the program's fsyncs or writes fail, or last, for a
//! while; what is asked and answered within that while cannot have been kept, so nothing that needs to be kept may be
//! acknowledged. *Points*: from its start on, a single call of the program fails, somewhere. *Full*: its disk is filled
//! to the last byte. And before all that, *births*: the program is killed at single calls of its very first start, before
//! and after everything that it puts there. After each the program must go on, is killed, must start again, and everything that was
//! acknowledged must be there.

mod birth;
mod injection;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::ValueEnum;
use serde_json::json;
use tokio::time::sleep;

use self::injection::{OUTAGES, POINTS, injected};
use crate::Common;
use crate::chance::Chance;
use crate::life::ledger::{Count, Outage};
use crate::life::{Life, kill_among};
use crate::report::{Kind, Verdict, Violation, say, tell};
use crate::server::Server;
use crate::wire::{Ask, Wire};

/// What the suite is told.
pub(crate) struct Options {
    pub(crate) common: Common,
    /// Outages, at most.
    pub(crate) cycles: u64,
    pub(crate) minutes: Option<f64>,
    pub(crate) sabotage: Option<Sabotage>,
}

/// What is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sabotage {
    /// Reads are not strict although strict reads are promised, so they are acknowledged while no fsync succeeds.
    EarlyAck,
}

/// Outages that a data directory lives through.
const LIFE: u64 = 12;
/// Outages between two lines for whoever watches.
const TELL_EVERY: u64 = 20;
/// How often it is tried whether the program goes on, and the pause between.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);
/// MiB of a disk that is filled.
const SMALL: u64 = 24;

struct Run {
    options: Options,
    work: PathBuf,
    binary: PathBuf,
    chance: Chance,
    begun: Instant,
    cycles: u64,
    lives: u64,
    windows: u64,
    points: u64,
    births: u64,
    full: u64,
    /// Calls that failed or lasted.
    injected: u64,
    /// Starts that a fault prevented.
    prevented: u64,
    /// Outages after which the program went on without a start.
    went_on: u64,
    /// Outages after which it needed one.
    restarted: u64,
    /// Approvals that were voided because the disk failed.
    voided: u64,
    /// Answers that said no because of the disk, and what the last one said.
    unkept: (u64, String),
    count: Count,
    found: Vec<Violation>,
}

/// Runs the suite.
pub(crate) async fn run(options: Options) -> anyhow::Result<Verdict> {
    if let Some(needed) = missing() {
        say(&format!("skipped: needs {needed} (faults)"));
        return Ok(Verdict::Skipped);
    }
    let (chance, seed) = Chance::new(options.common.seed)?;
    let (work, binary) = options.common.prepare()?;
    say(&format!("faults: seed {seed}, in {}", work.display()));
    let mut run = Run {
        options,
        work,
        binary,
        chance,
        begun: Instant::now(),
        cycles: 0,
        lives: 0,
        windows: 0,
        points: 0,
        births: 0,
        full: 0,
        injected: 0,
        prevented: 0,
        went_on: 0,
        restarted: 0,
        voided: 0,
        unkept: (0, String::new()),
        count: Count::default(),
        found: Vec::new(),
    };
    if run.options.sabotage.is_none() {
        run.births().await?;
    }
    while !run.is_over() {
        if run.found.is_empty() {
            run.live().await?;
        }
        if !run.found.is_empty() {
            tell(&run.found);
            say(&format!("faults: broken after {} outages", run.cycles));
            run.options.common.keep(&run.work, run.options.sabotage.is_none())?;
            return Ok(Verdict::Broken);
        }
    }
    run.tell("faults");
    run.options.common.keep(&run.work, false)?;
    Ok(Verdict::Kept)
}

/// What is not here, if anything is not.
fn missing() -> Option<&'static str> {
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

impl Run {
    fn is_over(&self) -> bool {
        let late = self.options.minutes.is_some_and(|minutes| self.begun.elapsed().as_secs_f64() > minutes * 60.0);
        late || self.cycles >= self.options.cycles
    }

    /// One data directory. Every fourth lies on a small disk that is filled.
    async fn live(&mut self) -> anyhow::Result<()> {
        self.lives += 1;
        let small = self.lives.is_multiple_of(4);
        let name = format!("life-{}", self.lives);
        let disk = small.then_some(SMALL);
        let mut life = Life::begin(self.binary.clone(), &self.work, &name, disk).await?;
        let Some(mut server) = self.start(&mut life).await else { return Ok(()) };
        life.believed_strict = self.options.sabotage == Some(Sabotage::EarlyAck);
        life.furnish(&server.host, &mut self.chance).await?;
        for outage in 1..=LIFE {
            self.cycles += 1;
            let ended = if small {
                self.full(&mut life, server).await?
            } else if self.options.sabotage.is_some() || self.chance.percent(40) {
                self.window(&mut life, server).await?
            } else {
                self.point(&mut life, server).await?
            };
            self.unkept.0 += std::mem::take(&mut life.ledger.state().unkept.0);
            self.unkept.1 = life.ledger.state().unkept.1.clone();
            server = match ended {
                Some(server) => server,
                None => return Ok(()),
            };
            let last = outage == LIFE || self.is_over();
            life.compare(&server.host, false, &mut self.found).await?;
            if last {
                self.voided += life.compare(&server.host, true, &mut self.found).await?.voided;
                life.verify(&mut self.found).await?;
            }
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
        life.end(server, &mut self.found).await?;
        if self.found.is_empty() {
            self.count.add(life.ledger.state().count);
            life.remove().await?;
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

    /// A while in which calls of the program fail or last.
    async fn window(&mut self, life: &mut Life, server: Server) -> anyhow::Result<Option<Server>> {
        self.windows += 1;
        let injection = match self.options.sabotage {
            Some(_) => OUTAGES[0],
            None => *self.chance.pick(&OUTAGES).context("there are outages")?,
        };
        let count = self.chance.between(8, 33);
        let mut clients = life.clients(&server, &mut self.chance, count)?;
        sleep(self.chance.time(Duration::from_millis(10), Duration::from_millis(80))).await;
        life.ledger.state().may_refuse = true;
        let log = self.work.join("strace.log");
        let attached = injection.attach(server.id()?, &life.house.data, &log).await?;
        life.ledger.state().outage = Some(Outage {
            number: self.cycles,
            reads: injection.stops_writes || life.reads == "fsync" || life.believed_strict,
            least: injection.delay.unwrap_or(Duration::MAX),
        });
        sleep(self.chance.time(Duration::from_millis(50), Duration::from_millis(400))).await;
        life.ledger.state().outage = None;
        self.injected += attached.detach().await?;
        self.see_it_go_on(life, &server, injection.name).await?;
        sleep(self.chance.time(Duration::ZERO, Duration::from_millis(50))).await;
        kill_among(server, &mut clients).await?;
        life.ledger.state().may_refuse = false;
        Ok(self.start(life).await)
    }

    /// One call that fails, somewhere between the start and the kill.
    async fn point(&mut self, life: &mut Life, before: Server) -> anyhow::Result<Option<Server>> {
        self.points += 1;
        before.kill().await?;
        let injection = *self.chance.pick(&POINTS).context("there are points")?;
        let log = self.work.join("strace.log");
        let first = self.chance.between(1, 120);
        let last = first + self.chance.between(0, 4);
        life.ledger.state().may_refuse = true;
        let words = injection.around(&life.house.data, &log, first, last);
        match life.house.start_under(&words).await {
            Ok(server) => {
                let count = self.chance.between(8, 33);
                let mut clients = life.clients(&server, &mut self.chance, count)?;
                sleep(self.chance.time(Duration::from_millis(50), Duration::from_millis(400))).await;
                kill_among(server, &mut clients).await?;
            }
            // It may say that it cannot start; it must not hang, which would be told here.
            Err(error) if format!("{error:#}").contains("ended instead") => self.prevented += 1,
            Err(error) => {
                let what = format!("{}, {first} to {last}: {error:#}", injection.name);
                self.found.push(Violation::new(Kind::NoStart, what));
            }
        }
        self.injected += injected(&log);
        life.ledger.state().may_refuse = false;
        Ok(self.start(life).await)
    }

    /// A disk without a byte left.
    async fn full(&mut self, life: &mut Life, server: Server) -> anyhow::Result<Option<Server>> {
        self.full += 1;
        let count = self.chance.between(8, 33);
        let mut clients = life.clients(&server, &mut self.chance, count)?;
        sleep(self.chance.time(Duration::from_millis(10), Duration::from_millis(80))).await;
        life.ledger.state().may_refuse = true;
        let before = life.ledger.state().unkept.0;
        let ballast = Ballast::fill(life)?;
        let mut tries = 0;
        while life.ledger.state().unkept.0 == before && tries < TRIES {
            tries += 1;
            sleep(PAUSE).await;
        }
        if life.ledger.state().unkept.0 == before {
            let what = "the disk was full for two seconds of load, and nothing was refused";
            self.found.push(Violation::new(Kind::EarlyAck, what));
        }
        if self.chance.percent(50) {
            ballast.remove()?;
            self.see_it_go_on(life, &server, "full disk").await?;
            kill_among(server, &mut clients).await?;
        } else {
            // Killed while full; it need not start then, but must when there is space.
            kill_among(server, &mut clients).await?;
            match life.house.start().await {
                Ok(server) => server.kill().await?,
                Err(_) => self.prevented += 1,
            }
            ballast.remove()?;
        }
        life.ledger.state().may_refuse = false;
        Ok(self.start(life).await)
    }

    /// After an outage an effect must be possible again, best without a start.
    async fn see_it_go_on(&mut self, life: &Life, server: &Server, after: &str) -> anyhow::Result<()> {
        let mut said = String::new();
        for _ in 0..TRIES {
            let Ok(mut wire) = Wire::connect(&server.host).await else { break };
            let path = life.ledger.state().make(0, false, true);
            let effect = life.ledger.state().sent(&path).context("it was just made")?;
            let args = json!({ "path": effect.path, "content": effect.content, "append": true });
            let body = json!({ "tool": "file_write", "args": args, "key": effect.key });
            let sent = life.ledger.state().now();
            let reply = wire.ask(Ask::post("/api/call", life.people.secret(0), Some(body))).await;
            let Ok(reply) = reply else { break };
            life.ledger.state().told_effect(&path, &reply, sent, &mut self.chance);
            if reply.status == 200 && reply.text("state") == "done" {
                self.went_on += 1;
                return Ok(());
            }
            said = reply.body.to_string();
            sleep(PAUSE).await;
        }
        self.restarted += 1;
        say(&format!("note: after `{after}` the program needed a start; it said {said}"));
        Ok(())
    }

    fn tell(&self, what: &str) {
        let Count { greens, effects, cards, decisions, cut, .. } = self.count;
        say(&format!(
            "{what}: {} outages ({} windows, {} points, {} full disks) and {} deaths at birth of {} data directories in {:.0} s, {} calls failed \
             or lasted, {} answers said that nothing was kept; {} acknowledgements found ({greens} reads, {effects} \
             effects, {cards} cards, {decisions} decisions), {cut} cut off or unknown, 0 lost, 0 doubled, 0 too early; \
             {} times it went on by itself, {} times it needed a start, {} starts were prevented, {} approvals \
             were voided by a failing disk",
            self.cycles,
            self.windows,
            self.points,
            self.full,
            self.births,
            self.lives,
            self.begun.elapsed().as_secs_f64(),
            self.injected,
            self.unkept.0,
            self.count.acks(),
            self.went_on,
            self.restarted,
            self.prevented,
            self.voided,
        ));
        if !self.unkept.1.is_empty() {
            say(&format!("{what}: what it says then: {}", self.unkept.1));
        }
    }
}

/// What fills a disk.
struct Ballast(PathBuf);

impl Ballast {
    fn fill(life: &Life) -> anyhow::Result<Self> {
        use std::io::Write as _;
        let path = life.disk.as_ref().context("it has no disk of its own")?.path().join("ballast");
        let mut file = std::fs::File::create(&path)?;
        // Big pieces first, then whatever is left between them.
        for size in [1 << 20, 1 << 12, 1] {
            let piece = vec![0_u8; size];
            while file.write_all(&piece).is_ok() {}
        }
        Ok(Self(path))
    }

    fn remove(self) -> anyhow::Result<()> {
        Ok(std::fs::remove_file(self.0)?)
    }
}
