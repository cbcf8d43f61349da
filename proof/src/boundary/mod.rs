//! Death at every boundary: the program is killed at the first call that writes to its database's log, then at the second,
//! and so on, until a script of effects, jobs and approvals comes to its end alive.
//!
//! Each commit is a row of such calls, so every state that a kill can leave behind lies between two of them. After each
//! death the program is started again, everything that was begun must come to one end, and nothing may happen twice.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::budget::Budget;
use crate::chance::Chance;
use crate::fault::{death, missing};
use crate::kill::Options;
use crate::kill::sabotage::Sabotage;
use crate::life::Life;
use crate::life::job::{Work, is_end};
use crate::life::load::{Client, Cut};
use crate::report::{Ended, Verdict, Violation, say};
use crate::wire::Wire;

/// What commits are written to.
const LOG: &str = "jarvis.db-wal";
/// How often a job is looked at until it is where it should be, and the pause between.
const LOOKS: u32 = 400;
const PAUSE: Duration = Duration::from_millis(15);

/// What those who work side by side share.
struct Shared {
    budget: Budget,
    sabotage: Option<Sabotage>,
    work: PathBuf,
    binary: PathBuf,
    /// The next call at which to die.
    next: AtomicU64,
    /// Whether the script came to its end alive.
    beyond: AtomicBool,
    deaths: AtomicU64,
    acks: AtomicU64,
    doubts: AtomicU64,
    stopped: AtomicU64,
}

/// Runs the suite.
pub(crate) async fn run(options: Options) -> anyhow::Result<Verdict> {
    if let Some(needed) = missing() {
        say(&format!("skipped: needs {needed} (boundary)"));
        return Ok(Verdict::Skipped);
    }
    let (mut chance, seed) = Chance::new(options.common.seed)?;
    let (work, binary) = options.common.prepare()?;
    say(&format!("boundary: seed {seed}, in {}", work.display()));
    let shared = Arc::new(Shared {
        budget: Budget::new(options.cycles, options.minutes),
        sabotage: options.sabotage,
        work: work.clone(),
        binary,
        next: AtomicU64::new(1),
        beyond: AtomicBool::new(false),
        deaths: AtomicU64::new(0),
        acks: AtomicU64::new(0),
        doubts: AtomicU64::new(0),
        stopped: AtomicU64::new(0),
    });
    let mut lanes = JoinSet::new();
    for _ in 0..if options.sabotage.is_some() { 1 } else { options.lanes.max(1) } {
        lanes.spawn(lane(Arc::clone(&shared), chance.fork()));
    }
    let mut found = Vec::new();
    while let Some(lane) = lanes.join_next().await {
        found.append(&mut lane??);
    }
    let (deaths, acks) = (shared.deaths.load(Ordering::Relaxed), shared.acks.load(Ordering::Relaxed));
    let (doubts, stopped) = (shared.doubts.load(Ordering::Relaxed), shared.stopped.load(Ordering::Relaxed));
    let all = if shared.beyond.load(Ordering::Relaxed) { "all there are" } else { "not all there are" };
    say(&format!(
        "boundary: {deaths} deaths at a boundary ({all}), {acks} acknowledgements, {stopped} effects seen not to have \
         begun, {doubts} in doubt"
    ));
    let ended = Ended { suite: "boundary", cycles: deaths, acks, found, seed, seconds: shared.budget.seconds() };
    let verdict = ended.tell();
    options.common.keep(&work, verdict == Verdict::Broken && options.sabotage.is_none())?;
    Ok(verdict)
}

async fn lane(shared: Arc<Shared>, mut chance: Chance) -> anyhow::Result<Vec<Violation>> {
    while !shared.budget.is_over() && !shared.beyond.load(Ordering::Relaxed) {
        let number = match shared.sabotage {
            // It needs something that was done.
            Some(_) => u64::MAX,
            None => shared.next.fetch_add(1, Ordering::Relaxed),
        };
        shared.budget.spend();
        let found = die_at(&shared, &mut chance, number).await?;
        if !found.is_empty() {
            shared.budget.stop();
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// One data directory whose program dies at the call with this number.
async fn die_at(shared: &Shared, chance: &mut Chance, number: u64) -> anyhow::Result<Vec<Violation>> {
    let mut life = Life::begin(shared.binary.clone(), &shared.work, &format!("death-{number}"), None).await?;
    match life.start().await {
        Ok(server) => {
            life.furnish(&server.host, chance).await?;
            server.kill().await?;
        }
        Err(violation) => return Ok(vec![violation]),
    }
    let words = if shared.sabotage.is_some() { Vec::new() } else { death(&life.house.data, LOG, number) };
    // One that dies before it listens is as good.
    if let Ok(server) = life.house.start_under(&words).await {
        let died = script(&life, &server.host, chance).await.is_err();
        server.kill().await?;
        shared.beyond.fetch_or(!died, Ordering::Relaxed);
        shared.deaths.fetch_add(u64::from(died), Ordering::Relaxed);
    } else {
        shared.deaths.fetch_add(1, Ordering::Relaxed);
    }
    if let Some(sabotage) = shared.sabotage {
        sabotage.break_dead(&life).await?;
    }
    let mut found = look(shared, &mut life).await?;
    if found.is_empty() {
        life.remove().await?;
    }
    for violation in &mut found {
        violation.what = format!("killed at call {number} on its log: {}", violation.what);
    }
    Ok(found)
}

/// Starts it again, and looks at everything.
async fn look(shared: &Shared, life: &mut Life) -> anyhow::Result<Vec<Violation>> {
    let server = match life.start().await {
        Ok(server) => server,
        Err(violation) => return Ok(vec![violation]),
    };
    let mut found = Vec::new();
    let counted = life.compare(&server.host, true, &mut found).await?;
    life.verify(&mut found).await?;
    life.end(server, &mut found).await?;
    shared.acks.fetch_add(life.ledger.state().count.acks(), Ordering::Relaxed);
    shared.doubts.fetch_add(counted.doubts, Ordering::Relaxed);
    shared.stopped.fetch_add(counted.stopped, Ordering::Relaxed);
    Ok(found)
}

/// Effects and jobs, with and without a question, one after the other.
async fn script(life: &Life, host: &str, chance: &mut Chance) -> Result<(), Cut> {
    let mut client = Client {
        host: host.to_owned(),
        ledger: Arc::clone(&life.ledger),
        people: Arc::clone(&life.people),
        actor: 0,
        reader: false,
        chance: chance.fork(),
    };
    let mut wire = Wire::connect(host).await.map_err(|_| Cut)?;
    client.green(&mut wire).await?;
    let path = life.ledger.state().make(0, false, true);
    client.effect(&mut wire, &path).await?;
    let path = life.ledger.state().make(0, true, true);
    client.effect(&mut wire, &path).await?;
    decide(life, &mut client, &mut wire).await?;
    for work in [Work::Echo, Work::Write, Work::Ask] {
        let name = life.ledger.state().make_job(0, work, true);
        client.submit(&mut wire, &name).await?;
        follow(life, &mut client, &mut wire, &name).await?;
        client.submit(&mut wire, &name).await?;
    }
    Ok(())
}

/// Looks at a job until it has ended, and decides what it waits for.
async fn follow(life: &Life, client: &mut Client, wire: &mut Wire, name: &str) -> Result<(), Cut> {
    for _ in 0..LOOKS {
        let job = life.ledger.state().jobs.get(name).cloned().ok_or(Cut)?;
        if job.end.as_deref().is_some_and(is_end) {
            return Ok(());
        }
        client.look(wire, &job).await?;
        decide(life, client, wire).await?;
        sleep(PAUSE).await;
    }
    let what = format!("{name} has not ended in {} s", (PAUSE * LOOKS).as_secs());
    life.ledger.state().complain(what);
    Ok(())
}

/// Says yes to whatever waits.
async fn decide(life: &Life, client: &mut Client, wire: &mut Wire) -> Result<(), Cut> {
    let open = life.ledger.state().open.pop();
    match open {
        Some(open) => client.decide(wire, open).await,
        None => Ok(()),
    }
}
