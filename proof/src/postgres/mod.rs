//! PostgreSQL under two replicas: what breaks between them and the database, or of them, loses and doubles nothing.
//!
//! 8 to 64 clients call both replicas, as in the suite `kill`. At a random moment one thing breaks: processes of the
//! database are ended or killed, its server is restarted, connections are cut, or replicas are killed. While it is broken
//! clients may be told that nobody knows, and send the same key again to whichever replica. Then both replicas must serve
//! again (those that were not killed without a start), and everything that either of them acknowledged must be in the one
//! database, everything once, along one whole chain that both seals fit. What a killed replica carried is gone on with by
//! the other once its lease has lapsed; at the end of a database's life that must have happened, now and then without any
//! help of a new start.

mod cluster;
mod early;
mod gate;
mod outage;
mod pair;
mod tally;
mod wait;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::task::JoinSet;
use tokio::time::sleep;

use self::cluster::{Cluster, missing};
use self::outage::{OUTAGES, Outage};
use self::pair::Pair;
use self::tally::Tally;
use crate::budget::Budget;
use crate::chance::Chance;
use crate::kill::Options;
use crate::kill::sabotage::Sabotage;
use crate::report::{Ended, Verdict, Violation, say};

/// Outages that a database lives through.
const LIVES: [u64; 4] = [4, 8, 15, 25];
/// Outages between two looks of `jarvis audit verify`.
const VERIFY_EVERY: u64 = 10;
/// How long there is load before an outage.
const LOAD: (Duration, Duration) = (Duration::from_millis(15), Duration::from_millis(300));
/// How long it goes on when everything is there again, at most.
const AFTER: Duration = Duration::from_millis(200);
/// How long it may take until both serve again without being told by itself.
const LONG: Duration = Duration::from_secs(15);
/// How long there is load after that, in which everything must be as if nothing had been.
const CALM: Duration = Duration::from_millis(150);
const CALM_CLIENTS: u64 = 8;

/// One of those who break things side by side, each with its own server.
struct Lane {
    options: Arc<Options>,
    budget: Arc<Budget>,
    /// What was seen by all.
    shared: Arc<Mutex<Tally>>,
    /// Outages that none of them had yet.
    unseen: Arc<Mutex<Vec<Outage>>>,
    cluster: Cluster,
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
    if let Some(needed) = missing() {
        say(&format!("skipped: needs {needed} (postgres)"));
        return Ok(Verdict::Skipped);
    }
    let (mut chance, seed) = Chance::new(options.common.seed)?;
    let (work, binary) = options.common.prepare()?;
    say(&format!("postgres: seed {seed}, in {}", work.display()));
    let options = Arc::new(options);
    let budget = Arc::new(Budget::new(options.cycles, options.minutes));
    let shared = Arc::new(Mutex::new(Tally::default()));
    let unseen = Arc::new(Mutex::new(OUTAGES.map(|(outage, ..)| outage).to_vec()));
    let mut lanes = JoinSet::new();
    for number in 0..if options.sabotage.is_some() { 1 } else { options.lanes.max(1) } {
        let mut chance = chance.fork();
        let lane = Lane {
            options: Arc::clone(&options),
            budget: Arc::clone(&budget),
            shared: Arc::clone(&shared),
            unseen: Arc::clone(&unseen),
            cluster: Cluster::new(&mut chance).await?,
            work: work.join(format!("lane-{number}")),
            binary: binary.clone(),
            chance,
            tally: Tally::default(),
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
    say(&tally.told("postgres", budget.seconds()));
    if let Some(said) = tally.said() {
        say(&format!("postgres: what it says while the store is away: {said}"));
    }
    let (acks, cycles) = (tally.count.acks(), tally.cycles());
    let ended = Ended { suite: "postgres", cycles, acks, found, seed, seconds: budget.seconds() };
    let verdict = ended.tell();
    options.common.keep(&work, verdict == Verdict::Broken && options.sabotage.is_none())?;
    Ok(verdict)
}

impl Lane {
    /// Lives one after the other, and what was found.
    async fn run(mut self) -> anyhow::Result<Vec<Violation>> {
        while self.found.is_empty() && !self.budget.is_over() {
            self.live().await?;
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            shared.add(&mut self.tally);
            if self.options.sabotage.is_none() {
                say(&shared.told("so far", self.budget.seconds()));
            }
        }
        if !self.found.is_empty() {
            self.budget.stop();
        }
        Ok(self.found)
    }

    /// One database, from its first start to its end.
    async fn live(&mut self) -> anyhow::Result<()> {
        self.lives += 1;
        self.tally.lives += 1;
        let name = format!("life_{}", self.lives);
        let mut pair = Pair::new(&self.cluster, &self.binary, &self.work, &name, &mut self.chance).await?;
        // A sabotage needs its few outages for something else.
        let kills = if self.options.sabotage.is_some() { 0 } else { 40 };
        self.tally.starts_killed += pair.begin(kills, &mut self.chance, &mut self.found).await?;
        if !self.found.is_empty() {
            return Ok(());
        }
        self.live_through(&mut pair).await?;
        self.tally.starts.append(&mut pair.life.starts);
        self.tally.count.add(pair.life.ledger.state().count);
        self.tally.note_unkept(&mut pair.life.ledger.state().unkept);
        self.tally.snipped += pair.gates.iter().map(gate::Gate::snipped).sum::<u64>();
        if self.found.is_empty() {
            return pair.remove(&self.cluster).await;
        }
        if self.options.sabotage.is_none() {
            self.cluster.dump(&name, &self.work.join(format!("{name}.sql"))).await?;
        }
        Ok(())
    }

    async fn live_through(&mut self, pair: &mut Pair) -> anyhow::Result<()> {
        let cycles = match self.options.sabotage {
            Some(_) => self.options.cycles,
            None => self.chance.pick(&LIVES).copied().unwrap_or(4),
        };
        for cycle in 1..=cycles {
            self.budget.spend();
            let last = cycle == cycles || self.budget.is_over();
            // The first outage is only one; then it is tried until there is something that can be broken. A server that
            // acknowledges early goes on to, until that loses something.
            let again = |sabotage: &Sabotage| !self.broken || *sabotage == Sabotage::EarlyAck;
            let sabotage = self.options.sabotage.filter(|sabotage| cycle >= 2 && again(sabotage));
            self.cycle(pair, sabotage, last).await?;
            if !self.found.is_empty() {
                return Ok(());
            }
            if last {
                break;
            }
        }
        self.end(pair).await
    }

    /// Each outage once, and then as they come.
    fn drawn(&mut self) -> Outage {
        let first = self.chance.take(&mut self.unseen.lock().unwrap_or_else(PoisonError::into_inner));
        first.unwrap_or_else(|| Outage::pick(&mut self.chance))
    }

    /// Load, an outage in the midst of it, and a look at what is left.
    async fn cycle(&mut self, pair: &mut Pair, sabotage: Option<Sabotage>, last: bool) -> anyhow::Result<()> {
        let outage = match (self.options.sabotage, sabotage) {
            (_, Some(Sabotage::EarlyAck)) => Outage::Recovered,
            (_, Some(_)) => Outage::BothKilled,
            (Some(_), None) => Outage::Terminated,
            // At the end often one that the other can be left alone with.
            (None, None) if last && self.chance.percent(50) => Outage::OneKilled,
            (None, None) => self.drawn(),
        };
        self.tally.count_one(outage);
        if self.chance.percent(10) && self.options.sabotage.is_none() {
            let host = pair.hosts().into_iter().next().context("none lives")?;
            pair.life.change_reads(&host).await?;
            pair.settings_follow(&mut self.found).await?;
        }
        if sabotage == Some(Sabotage::EarlyAck) && !self.broken {
            early::acknowledge_early(&self.cluster, &pair.name).await?;
            self.broken = true;
        }
        let count = self.chance.between(8, 65);
        let mut clients = pair.clients(count, &mut self.chance)?;
        sleep(self.chance.time(LOAD.0, LOAD.1)).await;
        pair.life.reach(&mut self.chance).await;
        pair.life.ledger.state().may_refuse = true;
        outage.happen(&self.cluster, pair, &mut self.chance).await?;
        if let Some(breaking) = sabotage.filter(|_| outage == Outage::BothKilled) {
            match breaking.break_dead(&pair.life).await {
                Ok(()) => self.broken = true,
                Err(error) if last => return Err(error),
                Err(_) => {}
            }
        }
        let alone = last && outage == Outage::OneKilled && self.chance.percent(60);
        if !alone && !self.start_dead(pair, &mut clients).await? {
            return Ok(());
        }
        self.come_back(pair, outage, clients).await?;
        pair.life.ledger.state().may_refuse = false;
        if let Some(sabotage) = sabotage.filter(|_| self.broken) {
            let host = pair.hosts().into_iter().next().context("none lives")?;
            sabotage.break_alive(&pair.life, &host).await?;
        }
        self.look(pair).await
    }

    /// Lets the clients come to their end, and sees both serve again.
    async fn come_back(&mut self, pair: &Pair, outage: Outage, clients: Vec<JoinSet<()>>) -> anyhow::Result<()> {
        let back = Instant::now();
        sleep(self.chance.time(Duration::ZERO, AFTER)).await;
        pair.rest(clients, &mut self.found).await;
        let answered = back.elapsed();
        pair.serve_again(outage.name(), &mut self.chance, &mut self.found).await;
        let back = back.elapsed();
        self.tally.back.push(u64::try_from(back.as_millis())?);
        if back > LONG {
            let (answered, back) = (answered.as_secs(), back.as_secs());
            let name = outage.name();
            say(&format!(
                "note: after `{name}` every client had its answer within {answered} s, and both served within {back} s"
            ));
        }
        Ok(())
    }

    /// Starts those that were killed, and lets clients loose on them; answers whether they serve.
    async fn start_dead(&mut self, pair: &mut Pair, clients: &mut Vec<JoinSet<()>>) -> anyhow::Result<bool> {
        for number in pair.dead() {
            if self.options.sabotage.is_none() {
                self.tally.starts_killed += pair.kill_at_starts(number, 20, &mut self.chance).await?;
            }
            if !pair.start(number, &mut self.found).await? {
                return Ok(false);
            }
            let count = self.chance.between(4, 17);
            clients.extend(pair.clients_of(number, count, &mut self.chance)?);
        }
        Ok(true)
    }

    /// A while in which nothing is broken, and a look at what changed.
    async fn look(&mut self, pair: &mut Pair) -> anyhow::Result<()> {
        if self.options.sabotage.is_none() {
            let clients = pair.clients(CALM_CLIENTS, &mut self.chance)?;
            sleep(CALM).await;
            pair.rest(clients, &mut self.found).await;
        }
        let host = pair.hosts().into_iter().next().context("none lives")?;
        pair.life.compare(&host, false, &mut self.found).await?;
        pair.compare_settings(&mut self.found).await?;
        if self.tally.cycles().is_multiple_of(VERIFY_EVERY) {
            pair.life.verify(&mut self.found).await?;
        }
        Ok(())
    }

    /// Everything comes to its end, and is looked at once more.
    async fn end(&mut self, pair: &mut Pair) -> anyhow::Result<()> {
        let taken_over = pair.take_over(&mut self.found).await?;
        self.tally.taken_over.push(u64::try_from(taken_over.as_millis())?);
        let host = pair.hosts().into_iter().next().context("none lives")?;
        let counted = pair.life.compare(&host, true, &mut self.found).await?;
        self.tally.counted.add(counted);
        for number in pair.dead() {
            self.tally.left_dead += 1;
            if !pair.start(number, &mut self.found).await? {
                return Ok(());
            }
        }
        pair.compare_settings(&mut self.found).await?;
        pair.life.verify(&mut self.found).await?;
        pair.end(&mut self.found).await
    }
}
