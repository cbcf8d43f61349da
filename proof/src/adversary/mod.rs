//! An adversary owns the model, everything that tools read, and clients with tokens. Every turn is something that he
//! does, or something that a person wants while he does it.
//!
//! Containers, sites, files, the program to run and a mounted MCP server keep their own books (`world`). What is in them must have been covered
//! before, each thing once: by the person's own words, by his yes to exactly that, or by the operator's level where
//! nobody who chose it had strangers in sight. Then books, cards and audit are joined. What a person wants must still be
//! done.
//!
//! A program carries some hundred turns at one level of autonomy; the next one has the next level.

mod bay;
mod brake;
mod client;
mod grant;
mod late;
mod sabotage;
mod tally;
mod turn;
mod twist;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use self::bay::Bay;
pub(crate) use self::sabotage::Sabotage;
use self::tally::{Sort, Tally};
use crate::Common;
use crate::budget::Budget;
use crate::chance::Chance;
use crate::report::{Ended, Kind, Verdict, Violation, say};
use crate::server::House;
use crate::wire::Wire;
use crate::world::shed::Shed;
use crate::world::{World, audit};

/// Turns of one program.
const BATCH: u64 = 1_000;
/// Bays of a program. In the first one nobody attacks.
const BAYS: u64 = 4;
/// Turns in a hundred that are its.
const PEACEFUL: u64 = 5;
/// Levels of autonomy, one after the other.
const LEVELS: [u8; 5] = [2, 3, 1, 4, 0];
/// Turns of a bay after which the cards of jobs are decided.
const REFUSED_EVERY: u64 = 20;
/// Turns between two lines for whoever watches.
const TOLD_EVERY: u64 = 5_000;

pub(crate) struct Options {
    pub(crate) common: Common,
    pub(crate) turns: u64,
    pub(crate) minutes: Option<f64>,
    pub(crate) sabotage: Option<Sabotage>,
}

struct Shared {
    budget: Budget,
    binary: PathBuf,
    work: PathBuf,
    seed: u64,
    /// Turns of a program.
    batch: u64,
    sabotage: Option<Sabotage>,
    batches: AtomicU64,
    tally: Mutex<Tally>,
}

/// Runs the suite.
pub(crate) async fn run(options: Options) -> anyhow::Result<Verdict> {
    let (_, seed) = Chance::new(options.common.seed)?;
    let (work, binary) = options.common.prepare_in_memory()?;
    say(&format!("adversary: seed {seed}, in {}", work.display()));
    let batch = BATCH.min(options.turns);
    let shared = Arc::new(Shared {
        budget: Budget::new(options.turns.div_ceil(batch.max(1)), options.minutes),
        binary,
        work: work.clone(),
        seed,
        batch,
        sabotage: options.sabotage,
        batches: AtomicU64::new(0),
        tally: Mutex::default(),
    });
    let mut lanes = JoinSet::new();
    for _ in 0..if options.sabotage.is_some() { 1 } else { options.common.lanes.max(1) } {
        lanes.spawn(lane(Arc::clone(&shared)));
    }
    let mut found = Vec::new();
    while let Some(lane) = lanes.join_next().await {
        found.append(&mut lane??);
    }
    if options.sabotage.is_none() {
        let (cards, broken) = late::late(&shared, &work.join("late")).await?;
        say(&format!("adversary: of {cards} cards every second one was answered too late"));
        found.extend(broken);
    }
    let tally = shared.tally.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let seconds = shared.budget.seconds();
    tally.tell(seconds);
    if options.sabotage.is_none() {
        found.extend(tally.shortfall());
    }
    options.common.keep(&work, !found.is_empty() && options.sabotage.is_none())?;
    Ok(Ended { suite: "adversary", cycles: tally.count(), acks: tally.happened(), found, seed, seconds }.tell())
}

async fn lane(shared: Arc<Shared>) -> anyhow::Result<Vec<Violation>> {
    let mut found = Vec::new();
    while found.is_empty() && !shared.budget.is_over() {
        shared.budget.spend();
        let number = shared.batches.fetch_add(1, Ordering::Relaxed);
        let place = shared.work.join(format!("b{number}"));
        let tally;
        (tally, found) = batch(&shared, &place, number).await?;
        if found.is_empty() {
            std::fs::remove_dir_all(&place)?;
        } else {
            shared.budget.stop();
        }
        let mut all = shared.tally.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.count() / TOLD_EVERY;
        all.merge(tally);
        if all.count() / TOLD_EVERY > before {
            say(&format!("adversary: {} turns in {:.0} s", all.count(), shared.budget.seconds()));
        }
    }
    Ok(found)
}

/// One program with everything around it, from its start to the judgement.
async fn batch(shared: &Arc<Shared>, place: &Path, number: u64) -> anyhow::Result<(Tally, Vec<Violation>)> {
    let level = LEVELS[usize::try_from(number % LEVELS.len() as u64)?];
    std::fs::create_dir_all(place)?;
    let house = House { binary: shared.binary.clone(), data: place.join("data"), log: place.join("log"), clock: None };
    let world = Arc::new(World::build(&house, place, level, |_| None).await?);
    let server = house.start().await?;
    let secret = world.furnish(&server).await?;
    let shed = Shed::start(world.ledger.clone()).await?;
    shed.mount(&mut Wire::connect(&server.host).await?, &secret).await?;
    let mut chance = Chance::of(shared.seed, number);
    let mut bays = JoinSet::new();
    for number in 0..BAYS {
        let mut bay = Bay::open(&world, &server.host, &secret, format!("bay{number}"), chance.fork()).await?;
        bay.person.careless = shared.sabotage == Some(Sabotage::CarelessPerson);
        bay.generous = shared.sabotage == Some(Sabotage::WideGrant);
        let peaceful = shared.batch * PEACEFUL / 100;
        let turns = if number == 0 { peaceful } else { (shared.batch - peaceful).div_ceil(BAYS - 1) };
        bays.spawn(work(Arc::clone(&world), bay, turns, number == 0));
    }
    let (mut tally, mut found, mut rested) = (Tally::default(), Vec::new(), Vec::new());
    while let Some(bay) = bays.join_next().await {
        let (bay, more, mut broken) = bay??;
        rested.push(bay);
        tally.merge(more);
        found.append(&mut broken);
    }
    let (stop, broken) =
        brake::stop(&world, &mut rested, &mut tally, shared.sabotage == Some(Sabotage::NoBrake)).await?;
    found.extend(broken);
    if let Some(sabotage) = shared.sabotage {
        sabotage.among_the_living(&world, &server, &secret).await?;
    }
    let status = server.end().await?;
    if !status.success() {
        found.push(Violation::new(Kind::NoService, format!("it ended with {status}")));
    }
    if let Some(sabotage) = shared.sabotage {
        sabotage.among_the_books(&house.data).await?;
    }
    world.look()?;
    found.extend(world.covers.judge(&world.ledger));
    found.extend(stop.judge(&world.ledger));
    tally.covered = world.covers.used();
    found.extend(audit::join(&house.data, &world.ledger, &world.yeses).await?);
    found.extend(panics(&house)?);
    let told =
        |violation: Violation| Violation { what: format!("b{number}, level {level}: {}", violation.what), ..violation };
    tally.count_deeds(&world.ledger);
    tally.yeses = world.yeses.lock().len() as u64;
    Ok((tally, found.into_iter().map(told).collect()))
}

/// What the program's log tells of panics.
fn panics(house: &House) -> anyhow::Result<Vec<Violation>> {
    let log = std::fs::read_to_string(&house.log)?;
    let lines = log.lines().filter(|line| line.contains("panicked"));
    Ok(lines.map(|line| Violation::new(Kind::Panic, line)).collect())
}

/// The turns of one bay.
async fn work(
    world: Arc<World>,
    mut bay: Bay,
    turns: u64,
    peaceful: bool,
) -> anyhow::Result<(Bay, Tally, Vec<Violation>)> {
    let (mut tally, mut found) = (Tally::default(), Vec::new());
    // At level 0 nothing is done, whoever wants it.
    let counts = world.level > 0;
    for _ in 0..turns {
        bay.tidy(&world);
        let mut done = match bay.chance.between(0, 100) {
            _ if peaceful => bay.served(&world).await?,
            0..=4 => bay.torn(&world).await?,
            5..=13 => bay.besieged(&world).await?,
            _ => bay.client(&world, &mut found).await?,
        };
        // Cards of jobs come later than the turn that began them.
        if bay.number.is_multiple_of(REFUSED_EVERY) {
            done.cards += bay.person.refuse_rest(&world).await?;
        }
        if counts && done.done < done.wanted {
            let sort = if done.sort == Sort::Torn { "under attack" } else { "benign" };
            *tally.missed.entry(format!("{sort}: {}", bay.last)).or_default() += 1;
        }
        tally.add(&done, counts);
    }
    Ok((bay, tally, found))
}
