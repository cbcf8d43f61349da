//! Death at every boundary: the program is killed at the first call that writes to its database's log, then at the second,
//! and so on, until a script comes to its end alive. There are two: effects, jobs and approvals that a client asks for,
//! and a turn that a model answers. Threads of two kinds write: the writer's, and, once changes come one by one for a while, those
//! that carry the calls. Calls are counted by thread, so each script dies at those of the one, and then, when it has been quiet
//! for a while, at those of whichever thread comes to that number first.
//!
//! Each commit is a row of such calls, so every state that a kill can leave behind lies between two of them. After each
//! death the program is started again, everything that was begun must come to one end, and nothing may happen twice.

mod first;
mod model;
mod turn;
mod work;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use tokio::task::JoinSet;

use self::first::first;
use self::model::Model;
use self::turn::Telling;
use crate::budget::Budget;
use crate::chance::Chance;
use crate::fault::{death, death_of, missing};
use crate::kill::Options;
use crate::kill::sabotage::Sabotage;
use crate::life::Life;
use crate::life::load::{Client, Cut};
use crate::report::{Ended, Verdict, Violation, say};
use crate::wire::Wire;

/// What commits are written to.
const LOG: &str = "jarvis.db-wal";
/// Pause between two looks at something that is to come to its end.
const PAUSE: Duration = Duration::from_millis(15);
/// Deaths between two looks of `jarvis audit verify` at a program that runs.
const VERIFY_EVERY: u64 = 10;

/// What is done until it dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Work,
    Turn,
}

/// Whose call it dies at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hand {
    /// Whichever thread comes to that number first, from its start on: the one that starts, and then the writer.
    Writer,
    /// Whichever thread comes to that number first, once changes have come one by one for a while.
    Carrier,
}

/// Calls one by one after which whoever carries one writes what comes of it.
const QUIET: u32 = 48;

/// More than the calls of any script.
const WORDS: u64 = 100_000;

/// In this order.
const COURSES: [(Script, Hand); 4] = [
    (Script::Work, Hand::Writer),
    (Script::Turn, Hand::Writer),
    (Script::Work, Hand::Carrier),
    (Script::Turn, Hand::Carrier),
];

/// How far a script is.
#[derive(Default)]
struct Progress {
    /// How many calls were chosen to die at.
    chosen: AtomicU64,
    /// Whether the script came to its end alive.
    beyond: AtomicBool,
    deaths: AtomicU64,
}

/// What those who work side by side share.
struct Shared {
    budget: Budget,
    sabotage: Option<Sabotage>,
    work: PathBuf,
    /// Data directories from which all begin, with each way to keep reads.
    first: [Life; 2],
    model: Arc<Model>,
    courses: [Progress; COURSES.len()],
    /// The first call at which one died that had listened.
    listened: AtomicU64,
    acks: AtomicU64,
    doubts: AtomicU64,
    stopped: AtomicU64,
    cuts: AtomicU64,
}

impl Shared {
    /// What to do next, and at which call to die.
    fn next(&self) -> Option<(usize, u64)> {
        if self.budget.is_over() {
            return None;
        }
        if let Some(sabotage) = self.sabotage {
            let script = if turn::sabotage::statements(sabotage).is_empty() { Script::Work } else { Script::Turn };
            // It needs something that was done.
            return Some((COURSES.iter().position(|(each, _)| *each == script)?, u64::MAX));
        }
        let course = self.courses.iter().position(|course| !course.beyond.load(Ordering::Relaxed))?;
        // What dies before it listens dies in the same way whatever comes then.
        let first =
            if COURSES[course] == (Script::Turn, Hand::Writer) { self.listened.load(Ordering::Relaxed) } else { 1 };
        Some((course, first + self.courses[course].chosen.fetch_add(1, Ordering::Relaxed)))
    }

    fn told(&self, course: usize) -> String {
        let Progress { beyond, deaths, .. } = &self.courses[course];
        let all = if beyond.load(Ordering::Relaxed) { "all there are" } else { "not all there are" };
        format!("{} ({all})", deaths.load(Ordering::Relaxed))
    }
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
    let model = Model::start().await?;
    let first = first(&binary, &work, &model, &mut chance).await?;
    let shared = Arc::new(Shared {
        budget: Budget::new(options.cycles, options.minutes),
        sabotage: options.sabotage,
        work: work.clone(),
        first,
        model: Arc::new(model),
        courses: Default::default(),
        listened: AtomicU64::new(u64::MAX),
        acks: AtomicU64::new(0),
        doubts: AtomicU64::new(0),
        stopped: AtomicU64::new(0),
        cuts: AtomicU64::new(0),
    });
    let mut lanes = JoinSet::new();
    for _ in 0..if options.sabotage.is_some() { 1 } else { options.lanes.max(1) } {
        lanes.spawn(lane(Arc::clone(&shared), chance.fork()));
    }
    let mut found = Vec::new();
    while let Some(lane) = lanes.join_next().await {
        found.append(&mut lane??);
    }
    let of = |number: &AtomicU64| number.load(Ordering::Relaxed);
    let (deaths, acks) = (shared.courses.iter().map(|course| of(&course.deaths)).sum(), of(&shared.acks));
    say(&format!(
        "boundary: deaths in the writer: {} of effects, jobs and approvals, {} of a turn; in whoever carries a call: {} and {}; {acks} \
         acknowledgements, {} effects seen not to have begun, {} in doubt, {} answers broken off",
        shared.told(0),
        shared.told(1),
        shared.told(2),
        shared.told(3),
        of(&shared.stopped),
        of(&shared.doubts),
        of(&shared.cuts),
    ));
    let through = shared.courses.iter().all(|course| course.beyond.load(Ordering::Relaxed));
    let all = through && shared.sabotage.is_none() && found.is_empty();
    ensure!(!all || of(&shared.doubts) > 0, "no effect was ever left in doubt, so nothing was seen of that");
    ensure!(!all || of(&shared.cuts) > 0, "no answer of the model ever broke off, so nothing was seen of that");
    let ended = Ended { suite: "boundary", cycles: deaths, acks, found, seed, seconds: shared.budget.seconds() };
    let verdict = ended.tell();
    options.common.keep(&work, verdict == Verdict::Broken && options.sabotage.is_none())?;
    Ok(verdict)
}

async fn lane(shared: Arc<Shared>, mut chance: Chance) -> anyhow::Result<Vec<Violation>> {
    while let Some((course, number)) = shared.next() {
        shared.budget.spend();
        let found = die_at(&shared, &mut chance, course, number).await?;
        if !found.is_empty() {
            shared.budget.stop();
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// One data directory whose program dies at the call with this number.
async fn die_at(shared: &Shared, chance: &mut Chance, course: usize, number: u64) -> anyhow::Result<Vec<Violation>> {
    let (script, hand) = COURSES[course];
    let first = chance.pick(&shared.first).context("there is nothing to begin with")?;
    let name = format!("{script:?}-{hand:?}-{number}").to_lowercase();
    let mut life = first.copy(&shared.work, &name).await?;
    let mut telling = match script {
        Script::Work => None,
        // The model knows a turn by its words, and the two courses of turns come by the same numbers.
        Script::Turn => {
            Some(Telling::new(&life, Arc::clone(&shared.model), number + WORDS * u64::from(hand == Hand::Carrier)))
        }
    };
    live(shared, &life, chance, course, number, &mut telling).await?;
    if let Some(telling) = &mut telling {
        telling.bury(&life, number.is_multiple_of(2)).await?;
    }
    match shared.sabotage {
        Some(sabotage) if script == Script::Turn => turn::sabotage::break_dead(sabotage, &life).await?,
        Some(sabotage) => sabotage.break_dead(&life).await?,
        None => {}
    }
    let mut found = look(shared, &mut life, chance, &mut telling, number).await?;
    if found.is_empty() {
        life.remove().await?;
    }
    let when =
        if shared.sabotage.is_some() { "after its end".to_owned() } else { format!("at call {number} on its log") };
    for violation in &mut found {
        violation.what = format!("{script:?} by {hand:?}, killed {when}: {}", violation.what);
    }
    Ok(found)
}

/// Starts it, and plays the script until it dies at that call.
async fn live(
    shared: &Shared,
    life: &Life,
    chance: &mut Chance,
    course: usize,
    number: u64,
    telling: &mut Option<Telling>,
) -> anyhow::Result<()> {
    let (_, hand) = COURSES[course];
    let before = hand == Hand::Writer && shared.sabotage.is_none();
    let words = if before { death(&life.house.data, LOG, number) } else { Vec::new() };
    let progress = &shared.courses[course];
    let Ok(server) = life.house.start_under(&words).await else {
        ensure!(before, "it does not start although nothing was done to it");
        // One that dies before it listens is as good.
        progress.deaths.fetch_add(1, Ordering::Relaxed);
        return Ok(());
    };
    let _attached = match hand {
        Hand::Writer => {
            shared.listened.fetch_min(number, Ordering::Relaxed);
            None
        }
        Hand::Carrier => {
            calm(life, &server.host, chance).await?;
            Some(death_of(server.id()?, &life.house.data, LOG, number).await?)
        }
    };
    let died = play(life, &server.host, chance, telling).await.is_err();
    server.kill().await?;
    progress.beyond.fetch_or(!died, Ordering::Relaxed);
    progress.deaths.fetch_add(u64::from(died), Ordering::Relaxed);
    Ok(())
}

/// Starts it again, and looks at everything.
async fn look(
    shared: &Shared,
    life: &mut Life,
    chance: &mut Chance,
    telling: &mut Option<Telling>,
    number: u64,
) -> anyhow::Result<Vec<Violation>> {
    let server = match life.start().await {
        Ok(server) => server,
        Err(violation) => return Ok(vec![violation]),
    };
    let mut found = Vec::new();
    if let Some(telling) = telling {
        let mut client = client(life, &server.host, chance);
        telling.resume(life, &mut client, &mut Wire::connect(&server.host).await?).await?;
    }
    let counted = life.compare(&server.host, true, &mut found).await?;
    if let Some(telling) = telling {
        telling.check(life, &server.host, &mut found).await?;
        shared.acks.fetch_add(telling.acks, Ordering::Relaxed);
        shared.cuts.fetch_add(u64::from(telling.broke_off()), Ordering::Relaxed);
    }
    // Once it has ended it is looked at again, and that each time.
    if number.is_multiple_of(VERIFY_EVERY) || shared.sabotage.is_some() {
        life.verify(&mut found).await?;
    }
    life.end(server, &mut found).await?;
    shared.acks.fetch_add(life.ledger.state().count.acks(), Ordering::Relaxed);
    shared.doubts.fetch_add(counted.doubts, Ordering::Relaxed);
    shared.stopped.fetch_add(counted.stopped, Ordering::Relaxed);
    Ok(found)
}

/// Looks, one after the other.
async fn calm(life: &Life, host: &str, chance: &mut Chance) -> anyhow::Result<()> {
    let mut client = client(life, host, chance);
    let mut wire = Wire::connect(host).await?;
    for _ in 0..QUIET {
        client.green(&mut wire).await.map_err(|_| anyhow!("a look broke off although nothing was done to it"))?;
    }
    Ok(())
}

/// The script, until it ends or the program is dead.
async fn play(life: &Life, host: &str, chance: &mut Chance, telling: &mut Option<Telling>) -> Result<(), Cut> {
    let mut client = client(life, host, chance);
    let mut wire = Wire::connect(host).await.map_err(|_| Cut)?;
    match telling {
        Some(telling) => telling.script(life, &mut client, &mut wire).await,
        None => work::script(life, &mut client, &mut wire).await,
    }
}

fn client(life: &Life, host: &str, chance: &mut Chance) -> Client {
    Client {
        host: host.to_owned(),
        ledger: Arc::clone(&life.ledger),
        people: Arc::clone(&life.people),
        actor: 0,
        reader: false,
        chance: chance.fork(),
    }
}

/// Says yes to whatever waits.
async fn decide(life: &Life, client: &mut Client, wire: &mut Wire) -> Result<(), Cut> {
    let open = life.ledger.state().open.pop();
    match open {
        Some(open) => client.decide(wire, open).await,
        None => Ok(()),
    }
}
