//! The outages, each from the load before it to the start after it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Lane;
use super::injection::{OUTAGES, POINTS, injected, injected_yet};
use crate::life::Life;
use crate::life::kill::kill_among;
use crate::life::ledger::Outage;
use crate::report::{Kind, Violation, say};
use crate::server::Server;
use crate::wire::{Ask, Wire};

/// Longest until an outage shows, and longest until the program goes on after it: far more than either takes on a machine
/// that has other things to do.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(5);
/// Load before an outage, and while it lasts.
const BEFORE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(50));
const WHILE: (Duration, Duration) = (Duration::from_millis(30), Duration::from_millis(200));
/// Most answers that are waited for then, and longest.
const ANSWERS: u64 = 16;
const LONGEST: Duration = Duration::from_millis(300);
/// How much longer a load lasts until the call comes that is to fail, at most.
const MEETING: Duration = Duration::from_millis(800);
/// Clients of a program whose disk takes nothing from its start on.
const FEW: u64 = 8;

impl Lane {
    /// Clients, let loose on the program: mostly a few, so that many answers come within an outage, and sometimes many.
    fn crowd(&mut self, life: &Life, server: &Server) -> anyhow::Result<JoinSet<()>> {
        let most = self.chance.pick(&[8, 16, 32]).copied().unwrap_or(FEW);
        let count = self.chance.between(4, most + 1);
        life.clients(server, &mut self.chance, count)
    }

    /// Lets them go on for a while, and on a slow machine until a few answers have come.
    async fn load(&mut self, life: &Life, (least, most): (Duration, Duration)) {
        let enough = life.ledger.state().answers() + self.chance.between(0, ANSWERS);
        let begun = Instant::now();
        sleep(self.chance.time(least, most)).await;
        while life.ledger.state().answers() < enough && begun.elapsed() < LONGEST {
            sleep(PAUSE).await;
        }
    }

    /// A while in which calls of the program fail or last.
    pub(super) async fn window(&mut self, life: &mut Life, server: Server) -> anyhow::Result<Option<Server>> {
        self.tally.windows += 1;
        let injection = match self.options.sabotage {
            Some(_) => OUTAGES[0],
            None => *self.chance.pick(&OUTAGES).context("there are outages")?,
        };
        let mut clients = self.crowd(life, &server)?;
        self.load(life, BEFORE).await;
        life.ledger.state().may_refuse = true;
        let log = self.work.join("strace.log");
        let attached = injection.attach(server.id()?, &life.house.data, &log).await?;
        life.ledger.state().outage = Some(Outage {
            number: self.outages,
            reads: injection.stops_writes || life.reads == "fsync" || life.believed_strict,
            least: injection.delay.unwrap_or(Duration::MAX),
        });
        self.load(life, WHILE).await;
        life.ledger.state().outage = None;
        self.tally.injected += attached.detach().await?;
        self.see_it_go_on(life, &server, injection.name).await?;
        self.load(life, BEFORE).await;
        kill_among(server, &mut clients).await?;
        life.ledger.state().may_refuse = false;
        Ok(self.start(life).await)
    }

    /// One call that fails, somewhere between the start and the kill.
    pub(super) async fn point(&mut self, life: &mut Life, before: Server) -> anyhow::Result<Option<Server>> {
        self.tally.points += 1;
        before.kill().await?;
        let injection = *self.chance.pick(&POINTS).context("there are points")?;
        let log = self.work.join("strace.log");
        let (first, last) = injection.place(&mut self.chance);
        life.ledger.state().may_refuse = true;
        let words = injection.around(&life.house.data, &log, first, last);
        match life.house.start_under(&words).await {
            Ok(server) => {
                let mut clients = self.crowd(life, &server)?;
                self.load(life, WHILE).await;
                let begun = Instant::now();
                while injected_yet(&log) == 0 && begun.elapsed() < MEETING {
                    sleep(PAUSE).await;
                }
                kill_among(server, &mut clients).await?;
            }
            // It may say that it cannot start; it must not hang, which would be told here.
            Err(error) if format!("{error:#}").contains("ended instead") => self.tally.prevented += 1,
            Err(error) => {
                let what = format!("{}, {first} to {last}: {error:#}", injection.name);
                self.found.push(Violation::new(Kind::NoStart, what));
            }
        }
        let failed = injected(&log);
        self.tally.injected += failed;
        self.tally.met += u64::from(failed > 0);
        life.ledger.state().may_refuse = false;
        Ok(self.start(life).await)
    }

    /// A disk without a byte left.
    pub(super) async fn full(&mut self, life: &mut Life, server: Server) -> anyhow::Result<Option<Server>> {
        self.tally.full += 1;
        let mut clients = self.crowd(life, &server)?;
        self.load(life, BEFORE).await;
        life.ledger.state().may_refuse = true;
        let before = life.ledger.state().unkept.0;
        let ballast = Ballast::fill(life).await?;
        let begun = Instant::now();
        while life.ledger.state().unkept.0 == before && begun.elapsed() < PATIENCE {
            sleep(PAUSE).await;
        }
        if life.ledger.state().unkept.0 == before {
            let what = format!("the disk was full for {} s of load, and nothing was refused", PATIENCE.as_secs());
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
                Err(_) => self.tally.prevented += 1,
            }
            ballast.remove()?;
        }
        life.ledger.state().may_refuse = false;
        Ok(self.start(life).await)
    }

    /// A disk that takes nothing more while the program runs, as when the kernel met an error on it.
    pub(super) async fn gone_read_only(&mut self, life: &mut Life, server: Server) -> anyhow::Result<Option<Server>> {
        self.tally.read_only += 1;
        let mut clients = self.crowd(life, &server)?;
        self.load(life, BEFORE).await;
        life.cut().await?;
        self.nothing_is_kept(life, life.reads == "fsync").await;
        kill_among(server, &mut clients).await?;
        life.restore().await?;
        Ok(self.start(life).await)
    }

    /// A disk that takes nothing from the start on. The program may say that it cannot start.
    pub(super) async fn started_read_only(
        &mut self,
        life: &mut Life,
        before: Server,
    ) -> anyhow::Result<Option<Server>> {
        self.tally.read_only += 1;
        before.kill().await?;
        let disk = life.disk.as_ref().context("it has no disk of its own")?;
        disk.protect(true).await?;
        life.ledger.state().may_refuse = true;
        match life.house.start().await {
            Ok(server) => {
                let mut clients = life.clients(&server, &mut self.chance, FEW)?;
                self.nothing_is_kept(life, true).await;
                kill_among(server, &mut clients).await?;
            }
            Err(_) => self.tally.prevented += 1,
        }
        life.disk.as_ref().context("it has no disk of its own")?.protect(false).await?;
        life.ledger.state().may_refuse = false;
        Ok(self.start(life).await)
    }

    /// A while in which nothing can be kept; or nothing but reads, which need not be on the disk.
    async fn nothing_is_kept(&mut self, life: &Life, reads: bool) {
        let outage = Outage { number: self.outages, reads, least: Duration::MAX };
        life.ledger.state().outage = Some(outage);
        self.load(life, WHILE).await;
        life.ledger.state().outage = None;
    }

    /// A clock that jumps to and fro while the program runs, and before it starts again.
    pub(super) async fn clock(&mut self, life: &mut Life, server: Server) -> anyhow::Result<Option<Server>> {
        self.tally.clocks += 1;
        let mut clients = self.crowd(life, &server)?;
        for _ in 0..self.chance.between(1, 4) {
            self.load(life, BEFORE).await;
            life.house.clock.as_ref().context("it has no clock of its own")?.jump(&mut self.chance)?;
        }
        self.load(life, BEFORE).await;
        kill_among(server, &mut clients).await?;
        if self.chance.percent(50) {
            life.house.clock.as_ref().context("it has no clock of its own")?.jump(&mut self.chance)?;
        }
        Ok(self.start(life).await)
    }

    /// After an outage an effect must be possible again, best without a start.
    pub(super) async fn see_it_go_on(&mut self, life: &Life, server: &Server, after: &str) -> anyhow::Result<()> {
        let mut said = String::new();
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let Ok(mut wire) = Wire::connect(&server.host).await else { break };
            let path = life.ledger.state().make(0, false, true);
            let effect = life.ledger.state().sent(&path).context("it was just made")?;
            let sent = life.ledger.state().now();
            let reply = wire.ask(Ask::post("/api/call", life.people.secret(0), Some(effect.body()))).await;
            let Ok(reply) = reply else { break };
            life.ledger.state().told_effect(&path, &reply, sent, &mut self.chance);
            if reply.status == 200 && reply.text("state") == "done" {
                self.tally.went_on += 1;
                return Ok(());
            }
            said = reply.body.to_string();
            sleep(PAUSE * 4).await;
        }
        self.tally.restarted += 1;
        say(&format!("note: after `{after}` the program needed a start; it said {said}"));
        Ok(())
    }
}

/// What fills a disk.
struct Ballast(PathBuf);

impl Ballast {
    async fn fill(life: &Life) -> anyhow::Result<Self> {
        use std::io::Write as _;
        let disk = life.disk.as_ref().context("it has no disk of its own")?;
        let path = disk.path().join("ballast");
        // Most of it is only set aside.
        disk.allocate(&path, disk.free().await?.saturating_sub(4 << 20).max(1)).await?;
        let mut file = std::fs::File::options().append(true).open(&path)?;
        // Then big pieces, and then whatever is left between them.
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
