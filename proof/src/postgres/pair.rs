//! Two replicas on one database, and those who call them.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::cluster::Cluster;
use super::gate::Gate;
use crate::chance::Chance;
use crate::life::{Life, ended};
use crate::report::{Kind, Violation};
use crate::server::Server;
use crate::wire::{Ask, Wire};

/// How many there are.
const REPLICAS: usize = 2;
/// Longest that clients may take to hear what they last asked; those who wait for an effect wait for 20 s.
const PARTING: Duration = Duration::from_secs(60);
/// The two, with all that they stand on.
pub(super) struct Pair {
    pub(super) life: Life,
    /// Between each of them and the database.
    pub(super) gates: Vec<Gate>,
    replicas: Vec<Option<Replica>>,
    /// The database.
    pub(super) name: String,
}

/// One that lives.
struct Replica {
    server: Server,
    /// What the database calls it.
    id: String,
}

impl Pair {
    /// An empty database, and the data directories of two replicas.
    pub(super) async fn new(
        cluster: &Cluster,
        binary: &Path,
        work: &Path,
        name: &str,
        chance: &mut Chance,
    ) -> anyhow::Result<Self> {
        cluster.say("postgres", &format!("create database {name} encoding 'UTF8' template template0")).await?;
        // So that a server that recovers has nothing to write but what was written since.
        cluster.say("postgres", "checkpoint").await?;
        let mut gates = Vec::new();
        for _ in 0..REPLICAS {
            gates.push(Gate::open(cluster.port, chance).await?);
        }
        let addresses: Vec<_> = gates.iter().map(|gate| cluster.address(gate.port, name)).collect();
        let life = Life::begin_shared(binary, work, name, cluster.book(name), &addresses)?;
        let mut replicas = Vec::new();
        replicas.resize_with(REPLICAS, || None);
        Ok(Self { life, gates, replicas, name: name.to_owned() })
    }

    /// Starts both for the first time, and says who the clients are. So many first starts in a hundred are killed; answers
    /// how many were.
    pub(super) async fn begin(
        &mut self,
        kills: u64,
        chance: &mut Chance,
        found: &mut Vec<Violation>,
    ) -> anyhow::Result<u64> {
        let mut killed = self.kill_at_starts(0, kills, chance).await?;
        // There may be no tables yet.
        let before = self.life.book.replicas().await.unwrap_or_default();
        let first = self.start_named(0, before).await?;
        let Some(host) = self.take(0, first, found) else { return Ok(killed) };
        self.furnish(&host, chance).await?;
        for number in 1..REPLICAS {
            killed += self.kill_at_starts(number, kills, chance).await?;
            if !self.start(number, found).await? {
                return Ok(killed);
            }
        }
        self.settings_follow(found).await?;
        Ok(killed)
    }

    /// What the first one is told, and what it gives the others: the key that it has made.
    async fn furnish(&mut self, host: &str, chance: &mut Chance) -> anyhow::Result<()> {
        self.life.furnish(host, chance).await?;
        let mut wire = Wire::connect(host).await?;
        let secret = &self.life.people.operator;
        let mut settings = wire.ask(Ask::get("/api/settings", secret)).await?.body;
        let folder = self.life.ledger.state().folder.clone();
        settings["roots"] = json!([{ "path": folder.trim_end_matches('/'), "write": true }]);
        let reply = wire.ask(Ask::put("/api/settings", secret, settings)).await?;
        ensure!(reply.status == 200, "the settings were answered with {} {}", reply.status, reply.body);
        let key = self.life.house.data.join("keys/audit.key");
        for house in &self.life.beside {
            std::fs::create_dir(house.data.join("keys"))?;
            std::fs::copy(&key, house.data.join("keys/audit.key"))?;
        }
        Ok(())
    }

    /// Starts one that does not live; answers whether it serves.
    pub(super) async fn start(&mut self, number: usize, found: &mut Vec<Violation>) -> anyhow::Result<bool> {
        let before = self.life.book.replicas().await?;
        let started = self.start_named(number, before).await?;
        Ok(self.take(number, started, found).is_some())
    }

    /// Starts one, and looks under which name it has said that it serves.
    async fn start_named(
        &mut self,
        number: usize,
        before: HashSet<String>,
    ) -> anyhow::Result<Result<Replica, Violation>> {
        let house = self.life.houses().nth(number).context("there is no such replica")?.clone();
        let server = match self.life.start_in(&house).await {
            Ok(server) => server,
            Err(violation) => return Ok(Err(violation)),
        };
        let now = self.life.book.replicas().await?;
        let id = now.difference(&before).next().context("it serves, and the database does not name it")?.clone();
        Ok(Ok(Replica { server, id }))
    }

    fn take(
        &mut self,
        number: usize,
        started: Result<Replica, Violation>,
        found: &mut Vec<Violation>,
    ) -> Option<String> {
        match started {
            Ok(replica) => {
                let host = replica.server.host.clone();
                self.life.alive.push(replica.id.clone());
                *self.replicas.get_mut(number)? = Some(replica);
                Some(host)
            }
            Err(violation) => {
                found.push(violation);
                None
            }
        }
    }

    /// Starts one and kills it while it does, so often in a hundred, and then perhaps again; answers how often.
    pub(super) async fn kill_at_starts(&self, number: usize, percent: u64, chance: &mut Chance) -> anyhow::Result<u64> {
        let usual = self.life.starts.last().copied().unwrap_or(300);
        let house = self.life.houses().nth(number).context("there is no such replica")?;
        let mut killed = 0;
        while chance.percent(percent) {
            let mut child = house.spawn(&[])?;
            sleep(chance.time(Duration::ZERO, Duration::from_millis(usual))).await;
            child.kill().await?;
            killed += 1;
        }
        Ok(killed)
    }

    /// Kills one.
    pub(super) async fn kill(&mut self, number: usize) -> anyhow::Result<()> {
        let killed = self.replicas.get_mut(number).and_then(Option::take).context("it does not live")?;
        self.life.alive.retain(|id| *id != killed.id);
        killed.server.kill().await
    }

    /// Numbers of those that do not live.
    pub(super) fn dead(&self) -> Vec<usize> {
        let dead = self.replicas.iter().enumerate().filter(|(_, replica)| replica.is_none());
        dead.map(|(number, _)| number).collect()
    }

    /// One of those that live.
    pub(super) fn one(&self, chance: &mut Chance) -> anyhow::Result<usize> {
        let living = self.replicas.iter().enumerate().filter(|(_, replica)| replica.is_some());
        let living: Vec<_> = living.map(|(number, _)| number).collect();
        chance.pick(&living).copied().context("none lives")
    }

    /// Where those listen that live.
    pub(super) fn hosts(&self) -> Vec<String> {
        self.replicas.iter().flatten().map(|replica| replica.server.host.clone()).collect()
    }

    /// So many clients, spread over those that live.
    pub(super) fn clients(&self, count: u64, chance: &mut Chance) -> anyhow::Result<Vec<JoinSet<()>>> {
        let living: Vec<_> = self.replicas.iter().flatten().collect();
        let share = count.div_ceil((living.len() as u64).max(1));
        living.iter().map(|replica| self.life.clients(&replica.server, chance, share)).collect()
    }

    /// So many clients of one that has just started.
    pub(super) fn clients_of(
        &self,
        number: usize,
        count: u64,
        chance: &mut Chance,
    ) -> anyhow::Result<Option<JoinSet<()>>> {
        let replica = self.replicas.get(number).and_then(Option::as_ref);
        replica.map(|replica| self.life.clients(&replica.server, chance, count)).transpose()
    }

    /// Lets the clients hear what they last asked, and end.
    pub(super) async fn rest(&self, clients: Vec<JoinSet<()>>, found: &mut Vec<Violation>) {
        self.life.ledger.state().resting = true;
        let all = async {
            for mut some in clients {
                while some.join_next().await.is_some() {}
            }
        };
        if timeout(PARTING, all).await.is_err() {
            let what = format!("clients have waited for an answer for {} s", PARTING.as_secs());
            found.push(Violation::new(Kind::NoService, what));
        }
        self.life.ledger.state().resting = false;
    }

    /// Ends both in good order.
    pub(super) async fn end(&mut self, found: &mut Vec<Violation>) -> anyhow::Result<()> {
        self.life.alive.clear();
        for replica in self.replicas.drain(..).flatten() {
            ended(replica.server, found).await;
        }
        self.life.verify(found).await
    }

    /// Ends with database and data directories.
    pub(super) async fn remove(self, cluster: &Cluster) -> anyhow::Result<()> {
        cluster.say("postgres", &format!("drop database {} with (force)", self.name)).await?;
        self.life.remove().await
    }
}
