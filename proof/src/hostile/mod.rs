//! Hostile HTTP and MCP on the live server: names and pages of strangers, no or dead secrets, broken HTTP, bodies and
//! messages that make no sense, to every operation that the program tells of and to both eras of MCP.
//!
//! Every request follows from the seed and its number alone, and bears a mark in everything that it would make. Each
//! answer is judged on its own; at the end files, database and audit are compared with who was allowed what, and the
//! memory with what an idle program holds after some hundred sane requests.

mod family;
mod judge;
mod ledger;
mod memory;
mod raw;
mod relay;
mod request;
mod schema;
mod surface;
mod tally;
mod twist;
mod warm;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::ensure;
use tokio::task::JoinSet;

use self::judge::judge;
use self::ledger::Fixed;
use self::memory::{forget, highest, resident};
use self::raw::Line;
use self::relay::Saboteur;
pub(crate) use self::relay::{Between, Relay, Sabotage};
use self::tally::Tally;
use self::world::World;
pub(crate) use self::world::{lay_out, sign_in};
use crate::Common;
use crate::book::Book;
use crate::budget::Budget;
use crate::chain::Key;
use crate::chance::Chance;
use crate::report::{Ended, Kind, Verdict, Violation, say};
use crate::server::{House, Server};

/// Connections at once, for each program that other suites would run: whoever asks waits most of the time.
const LANES_EACH: u64 = 3;
/// Violations after which it ends: a run that finds thousands tells no more.
const ENOUGH: usize = 40;
/// Requests between two lines for whoever watches.
const TOLD_EVERY: u64 = 100_000;
/// How many times the idle memory may be held, at any moment.
const GROWTH: u64 = 2;

pub(crate) struct Options {
    pub(crate) common: Common,
    pub(crate) requests: u64,
    pub(crate) minutes: Option<f64>,
    /// Number of the first request.
    pub(crate) first: u64,
    pub(crate) sabotage: Option<Sabotage>,
}

/// What the lanes share.
struct Shared {
    world: World,
    seed: u64,
    budget: Budget,
    next: AtomicU64,
    end: u64,
    tally: Mutex<Tally>,
}

/// Runs the suite.
pub(crate) async fn run(options: Options) -> anyhow::Result<Verdict> {
    let (_, seed) = Chance::new(options.common.seed)?;
    let (work, binary) = options.common.prepare()?;
    say(&format!("hostile: seed {seed}, in {}", work.display()));
    let house = House { binary, data: work.join("data"), log: work.join("log"), clock: None };
    lay_out(&house)?;
    let server = house.start().await?;
    let world = World::furnish(&server.host, &house.data).await?;
    let mut found = warm::warm(&world, seed).await?;
    let idle = resident(server.id()?)?;
    forget(server.id()?)?;
    let before = Fixed::read(&Book::of(&house.data)).await?;
    let shared = beset(&options, world, seed).await?;
    let tally = std::mem::take(&mut *shared.tally.lock().unwrap_or_else(PoisonError::into_inner));
    let held = match options.sabotage {
        Some(sabotage) => sabotage.at_the_end(&shared.world, &house).await?,
        None => Vec::new(),
    };
    found.extend(grown(&server, idle)?);
    drop(held);
    found.extend(afterwards(&shared.world, seed).await);
    let book = Book::of(&house.data);
    found.extend(tally.ledger.compare(&book, &house.data).await?);
    found.extend(before.compare(&Fixed::read(&book).await?));
    if found.is_empty() {
        found.extend(warm::last(&shared.world, seed).await?);
    }
    found.extend(end(&house, server, &tally).await?);
    let (cycles, acks) = (tally.requests(), tally.answers());
    tally.tell(shared.budget.seconds());
    found.extend(tally.found);
    options.common.keep(&work, !found.is_empty() && options.sabotage.is_none())?;
    Ok(Ended { suite: "hostile", cycles, acks, found, seed, seconds: shared.budget.seconds() }.tell())
}

/// Sends everything, over many connections at once.
async fn beset(options: &Options, mut world: World, seed: u64) -> anyhow::Result<Arc<Shared>> {
    let relay = match options.sabotage.filter(|it| it.is_between()) {
        Some(sabotage) => {
            Some(Relay::start(world.to, Saboteur::new(sabotage, &world.host, &world.people.operator)).await?)
        }
        None => None,
    };
    let to = world.to;
    if let Some(relay) = &relay {
        world.to = relay.at;
    }
    let shared = Arc::new(Shared {
        world,
        seed,
        budget: Budget::new(u64::MAX, options.minutes),
        next: AtomicU64::new(options.first),
        end: options.first.saturating_add(options.requests),
        tally: Mutex::default(),
    });
    let mut lanes = JoinSet::new();
    for _ in 0..options.common.lanes.max(1) * LANES_EACH {
        lanes.spawn(lane(Arc::clone(&shared)));
    }
    while let Some(lane) = lanes.join_next().await {
        lane??;
    }
    drop(lanes);
    let mut shared = Arc::into_inner(shared).ok_or_else(|| anyhow::anyhow!("a lane has not ended"))?;
    shared.world.to = to;
    Ok(Arc::new(shared))
}

/// One of those who ask, each over a connection of its own for as long as that can be kept.
async fn lane(shared: Arc<Shared>) -> anyhow::Result<()> {
    let mut kept: Option<Line> = None;
    while !shared.budget.is_over() {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        if number >= shared.end {
            break;
        }
        let deed = family::deed(&shared.world, shared.seed, number);
        let (mut line, used) = match kept.take() {
            Some(line) if deed.whole => (line, true),
            _ => (Line::open(shared.world.to, number).await?, false),
        };
        let (mut heard, mut keep) = line.carry_out(&deed).await;
        if used && heard.cut && heard.answers.is_empty() {
            // Either side may end a connection between two requests; then it is asked again, as clients do.
            line = Line::open(shared.world.to, number).await?;
            (heard, keep) = line.carry_out(&deed).await;
        }
        kept = keep.then_some(line);
        let found = judge(&deed, &heard);
        let mut tally = shared.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.add(&deed, &heard, found);
        if tally.found.len() >= ENOUGH {
            shared.budget.stop();
        }
        if tally.requests().is_multiple_of(TOLD_EVERY) {
            say(&format!("hostile: {} requests in {:.0} s", tally.requests(), shared.budget.seconds()));
        }
    }
    Ok(())
}

/// Whether it ever held more than it may.
fn grown(server: &Server, idle: u64) -> anyhow::Result<Option<Violation>> {
    let (most, after) = (highest(server.id()?)?, resident(server.id()?)?);
    say(&format!(
        "hostile: {} MiB after some hundred sane requests, {} MiB at most since, {} MiB at the end",
        idle >> 10,
        most >> 10,
        after >> 10
    ));
    let what = format!("{most} KiB were held at once, and {idle} KiB when it was idle");
    Ok((most > GROWTH * idle).then(|| Violation::new(Kind::Memory, what)))
}

/// Whether it still serves, by both faces.
async fn afterwards(world: &World, seed: u64) -> Vec<Violation> {
    match warm::warm(world, seed.wrapping_add(1)).await {
        Ok(found) => found,
        Err(error) => vec![Violation::new(Kind::NoService, format!("it does not serve any more: {error:#}"))],
    }
}

/// Ends the program, and follows what it has kept.
async fn end(house: &House, server: Server, tally: &Tally) -> anyhow::Result<Vec<Violation>> {
    let mut found = Vec::new();
    let status = server.end().await?;
    if !status.success() {
        found.push(Violation::new(Kind::NoService, format!("it ended with {status}")));
    }
    let key = Key::new(&std::fs::read(house.data.join("keys/audit.key"))?)?;
    let (rows, chain) = tally.ledger.follow(&Book::of(&house.data), &key).await?;
    say(&format!("hostile: {rows} rows of the audit follow from each other"));
    found.extend(chain);
    let (whole, report) = house.verify().await?;
    if !whole {
        found.push(Violation::new(Kind::Verify, report.to_string()));
    }
    let log = std::fs::read_to_string(&house.log)?;
    let panics = log.lines().filter(|line| line.contains("panicked"));
    found.extend(panics.map(|line| Violation::new(Kind::Panic, line)));
    found.extend(log.lines().filter(|line| !is_own(line)).map(|line| Violation::new(Kind::Unsafe, line)));
    ensure!(rows > 0, "the audit is empty");
    Ok(found)
}

/// Whether a line of the log is whole: it begins with its time, and nothing in it steers a terminal.
fn is_own(line: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    line.get(..4).is_some_and(digits) && line.get(4..5) == Some("-") && !line.chars().any(char::is_control)
}
