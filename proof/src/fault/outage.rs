//! The outages, each from the load before it to the start after it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::sleep;

use super::Lane;
use super::injection::{OUTAGES, POINTS, injected};
use crate::life::Life;
use crate::life::kill::kill_among;
use crate::life::ledger::Outage;
use crate::report::{Kind, Violation, say};
use crate::server::Server;
use crate::wire::{Ask, Wire};

/// How often it is tried whether the program goes on, and the pause between.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

impl Lane {
    /// A while in which calls of the program fail or last.
    pub(super) async fn window(&mut self, life: &mut Life, server: Server) -> anyhow::Result<Option<Server>> {
        self.tally.windows += 1;
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
            number: self.outages,
            reads: injection.stops_writes || life.reads == "fsync" || life.believed_strict,
            least: injection.delay.unwrap_or(Duration::MAX),
        });
        sleep(self.chance.time(Duration::from_millis(50), Duration::from_millis(400))).await;
        life.ledger.state().outage = None;
        self.tally.injected += attached.detach().await?;
        self.see_it_go_on(life, &server, injection.name).await?;
        sleep(self.chance.time(Duration::ZERO, Duration::from_millis(50))).await;
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
            Err(error) if format!("{error:#}").contains("ended instead") => self.tally.prevented += 1,
            Err(error) => {
                let what = format!("{}, {first} to {last}: {error:#}", injection.name);
                self.found.push(Violation::new(Kind::NoStart, what));
            }
        }
        self.tally.injected += injected(&log);
        life.ledger.state().may_refuse = false;
        Ok(self.start(life).await)
    }

    /// A disk without a byte left.
    pub(super) async fn full(&mut self, life: &mut Life, server: Server) -> anyhow::Result<Option<Server>> {
        self.tally.full += 1;
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
        let count = self.chance.between(8, 33);
        let mut clients = life.clients(&server, &mut self.chance, count)?;
        sleep(self.chance.time(Duration::from_millis(10), Duration::from_millis(150))).await;
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
                let mut clients = life.clients(&server, &mut self.chance, 8)?;
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
        sleep(self.chance.time(Duration::from_millis(50), Duration::from_millis(300))).await;
        life.ledger.state().outage = None;
    }

    /// A clock that jumps to and fro while the program runs, and before it starts again.
    pub(super) async fn clock(&mut self, life: &mut Life, server: Server) -> anyhow::Result<Option<Server>> {
        self.tally.clocks += 1;
        let count = self.chance.between(8, 33);
        let mut clients = life.clients(&server, &mut self.chance, count)?;
        for _ in 0..self.chance.between(1, 4) {
            sleep(self.chance.time(Duration::from_millis(10), Duration::from_millis(120))).await;
            life.house.clock.as_ref().context("it has no clock of its own")?.jump(&mut self.chance)?;
        }
        sleep(self.chance.time(Duration::from_millis(10), Duration::from_millis(120))).await;
        kill_among(server, &mut clients).await?;
        if self.chance.percent(50) {
            life.house.clock.as_ref().context("it has no clock of its own")?.jump(&mut self.chance)?;
        }
        Ok(self.start(life).await)
    }

    /// After an outage an effect must be possible again, best without a start.
    pub(super) async fn see_it_go_on(&mut self, life: &Life, server: &Server, after: &str) -> anyhow::Result<()> {
        let mut said = String::new();
        for _ in 0..TRIES {
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
            sleep(PAUSE).await;
        }
        self.tally.restarted += 1;
        say(&format!("note: after `{after}` the program needed a start; it said {said}"));
        Ok(())
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
