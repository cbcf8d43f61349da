//! How it dies: while it starts, under load, or because its disk has no power any more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::load::Client;
use super::{Life, TOKENS};
use crate::chance::Chance;
use crate::server::Server;

/// Longest that clients may take to see that the program is gone.
const PARTING: Duration = Duration::from_secs(20);
/// How long there is load before a kill, at most, and how much longer it lasts until enough was acknowledged.
const LOAD: Duration = Duration::from_millis(400);
const LONGEST_LOAD: Duration = Duration::from_secs(2);
const LOAD_LOOK: Duration = Duration::from_millis(2);

impl Life {
    /// Kills the program while it starts.
    pub(crate) async fn kill_at_start(&self, chance: &mut Chance) -> anyhow::Result<()> {
        let usual = self.starts.last().copied().unwrap_or(300);
        let mut child = self.house.spawn(&[])?;
        sleep(chance.time(Duration::ZERO, Duration::from_millis(usual))).await;
        if let Some(disk) = &self.disk {
            disk.cut().await?;
        }
        child.kill().await?;
        if let Some(disk) = &self.disk {
            disk.restore().await?;
        }
        Ok(())
    }

    /// Lets clients loose on the program and kills it among them.
    pub(crate) async fn kill_under_load(
        &mut self,
        server: Server,
        chance: &mut Chance,
        least: Duration,
    ) -> anyhow::Result<()> {
        let count = chance.between(8, 65);
        let mut clients = self.clients(&server, chance, count)?;
        sleep(chance.time(least, LOAD)).await;
        self.reach(chance).await;
        if chance.percent(8) {
            self.ledger.state().may_refuse = true;
            server.ask_to_end().await?;
            sleep(chance.time(Duration::ZERO, Duration::from_millis(150))).await;
        }
        if self.disk.is_some() {
            self.cut().await?;
            // The program does not know yet, and goes on for a moment.
            sleep(chance.time(Duration::ZERO, Duration::from_millis(30))).await;
        }
        kill_among(server, &mut clients).await?;
        self.restore().await
    }

    /// Most kills come only after so many acknowledgements, on a slow machine as on a fast one.
    pub(crate) async fn reach(&self, chance: &mut Chance) {
        let before = self.ledger.state().count.acks();
        let enough = if chance.percent(30) { 0 } else { before + chance.between(150, 500) };
        let begun = Instant::now();
        while self.ledger.state().count.acks() < enough && begun.elapsed() < LONGEST_LOAD {
            sleep(LOAD_LOOK).await;
        }
    }

    /// Cuts the power of its disk.
    pub(crate) async fn cut(&mut self) -> anyhow::Result<()> {
        let disk = self.disk.as_ref().context("it has no disk of its own")?;
        {
            let mut state = self.ledger.state();
            (state.may_refuse, state.dead) = (true, true);
        }
        self.cut = Some(Instant::now());
        disk.cut().await
    }

    /// It comes back, if it was cut; from now on the program may say no to nothing.
    pub(crate) async fn restore(&self) -> anyhow::Result<()> {
        {
            let mut state = self.ledger.state();
            (state.may_refuse, state.dead) = (false, false);
        }
        match &self.disk {
            Some(disk) => disk.restore().await,
            None => Ok(()),
        }
    }

    /// So many clients, let loose on the program.
    pub(crate) fn clients(&self, server: &Server, chance: &mut Chance, count: u64) -> anyhow::Result<JoinSet<()>> {
        let mut clients = JoinSet::new();
        for number in 0..count {
            let client = Client {
                host: server.host.clone(),
                ledger: Arc::clone(&self.ledger),
                people: Arc::clone(&self.people),
                actor: usize::try_from(number)? % TOKENS,
                // Writes would bring reads to the disk with them.
                reader: number.is_multiple_of(3) || self.believed_strict,
                chance: chance.fork(),
            };
            clients.spawn(client.run());
        }
        Ok(clients)
    }
}

/// Kills the program, and waits until every client has seen that.
pub(crate) async fn kill_among(server: Server, clients: &mut JoinSet<()>) -> anyhow::Result<()> {
    server.kill().await?;
    let gone = timeout(PARTING, async { while clients.join_next().await.is_some() {} }).await;
    gone.context("clients still wait for a program that was killed")
}
