//! Questions asked: a routine day of an operator (`tasks.toml`), replayed at each level of autonomy.
//!
//! At level 3 what he orders in plain words is done without a question, and only what is orange or red is asked, once.
//! What was done is what the things of the world wrote into their books; what was asked is what stands in the table of
//! the cards; what was read stands in the audit.

mod replay;
mod task;

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, ensure};
use clap::ValueEnum;
use sqlx::Row as _;

use self::replay::Replay;
use self::task::{Day, Task, day};
use crate::Common;
use crate::book::{Book, Row};
use crate::budget::Budget;
use crate::chance::Chance;
use crate::report::{Ended, Kind, Verdict, Violation, say};
use crate::server::House;
use crate::world::call::Tier;
use crate::world::site::Sites;
use crate::world::unit::Units;
use crate::world::{World, audit};

/// The level that is held to its word, and the others to compare.
const LEVEL: u8 = 3;
const OTHERS: [u8; 2] = [2, 1];
/// So many tasks may be asked about one question.
const TASKS_A_QUESTION: usize = 10;

/// Least share of the tasks that must be done, in a hundred.
const SERVED: usize = 90;

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sabotage {
    /// A grant lets everything through that a grant can.
    LooseGrant,
    /// The program asks about each change.
    TimidLevel,
    /// The engine says yes and does nothing.
    DeafEngine,
}

pub(crate) struct Options {
    pub(crate) common: Common,
    /// The first so many levels.
    pub(crate) levels: usize,
    pub(crate) sabotage: Option<Sabotage>,
}

/// What came of a day.
struct Told {
    level: u8,
    questions: usize,
    done: usize,
    deeds: usize,
    found: Vec<Violation>,
}

/// Runs the suite.
pub(crate) async fn run(options: Options) -> anyhow::Result<Verdict> {
    let (_, seed) = Chance::new(options.common.seed)?;
    let day = day()?;
    let Some(mut units) = Units::here()? else {
        say("skipped: needs a host with systemd (JARVIS_TEST_DBUS, JARVIS_TEST_HOST_EXEC, JARVIS_TEST_HOST_ROOT)");
        return Ok(Verdict::Skipped);
    };
    let (work, binary) = options.common.prepare_in_memory()?;
    let budget = Budget::new(u64::MAX, None);
    for service in &day.service {
        units.make(&service.name, &service.description)?;
    }
    let (mut found, mut tasks, mut deeds) = (Vec::new(), 0, 0);
    for level in std::iter::once(LEVEL).chain(OTHERS).take(options.levels) {
        let place = work.join(format!("level{level}"));
        let house = House { binary: binary.clone(), data: place.join("data"), log: place.join("log"), clock: None };
        let told = replay(&day, &house, &place, &mut units, level, options.sabotage).await?;
        let share = told.questions as f64 / day.task.len() as f64;
        say(&format!(
            "questions: level {}: {} questions in {} tasks ({share:.2} a task), {} tasks done",
            told.level,
            told.questions,
            day.task.len(),
            told.done
        ));
        tasks += day.task.len() as u64;
        deeds += told.deeds as u64;
        found.extend(told.found);
    }
    options.common.keep(&work, !found.is_empty() && options.sabotage.is_none())?;
    Ok(Ended { suite: "questions", cycles: tasks, acks: deeds, found, seed, seconds: budget.seconds() }.tell())
}

/// One day against one program.
async fn replay(
    day: &Day,
    house: &House,
    place: &Path,
    units: &mut Units,
    level: u8,
    sabotage: Option<Sabotage>,
) -> anyhow::Result<Told> {
    std::fs::create_dir_all(place)?;
    for service in &day.service {
        units.put(&service.name, !service.down)?;
    }
    let pages: HashMap<_, _> = day.page.iter().map(|page| (format!("/{}", page.path), page.text.clone())).collect();
    let set = if sabotage == Some(Sabotage::TimidLevel) { 1 } else { level };
    let world = World::build(house, place, set, move |target| pages.get(target).cloned().map(Sites::page)).await?;
    replay::furnish(day, house, &world, units)?;
    let server = house.start().await?;
    let secret = world.furnish(&server).await?;
    let mut replay = Replay::begin(&world, units, &server.host, &secret, sabotage).await?;
    let mut played = Vec::new();
    for task in &day.task {
        played.push(replay.play(task).await.with_context(|| format!("`{}`", task.say))?);
    }
    let status = server.end().await?;
    ensure!(status.success(), "it ended with {status}");
    let mut found = world.covers.judge(&world.ledger);
    found.extend(audit::join(&house.data, &world.ledger, &world.yeses).await?);
    let cards = cards(&house.data).await?;
    let rows = Book::of(&house.data).rows(0, i64::MAX).await?;
    let mut done = 0;
    for one in &played {
        let asked = cards.get(&one.conversation).copied().unwrap_or(0);
        let amiss = one.amiss.clone().or_else(|| unread(&one.task, &one.correlation, &rows));
        done += usize::from(amiss.is_none());
        if level == LEVEL {
            found.extend(misjudged(&one.task, asked, amiss.is_none()));
            if let Some(why) = amiss {
                say(&format!("questions: not done: `{}`: {why}", one.task.say));
            }
        }
    }
    if level == LEVEL && done * 100 < day.task.len() * SERVED {
        found.push(Violation::new(Kind::Unserved, format!("{done} of {} tasks were done", day.task.len())));
    }
    let questions = cards.values().sum();
    if level == LEVEL && questions * TASKS_A_QUESTION > day.task.len() {
        found.push(Violation::new(Kind::Asked, format!("{questions} questions in {} tasks", day.task.len())));
    }
    let found = found.into_iter().map(|it| Violation { what: format!("level {level}: {}", it.what), ..it }).collect();
    Ok(Told { level, questions, done, deeds: world.ledger.all().len(), found })
}

/// How often a person was asked, by conversation; what jobs asked stands under none.
async fn cards(data: &Path) -> anyhow::Result<HashMap<String, usize>> {
    let mut book = Book::of(data).open().await?;
    let sql = "select coalesce(conversation, ''), count(*) from approval group by 1";
    let rows = sqlx::query(sql).fetch_all(&mut book).await.context("the cards cannot be read")?;
    let cards = rows.iter().map(|row| Ok((row.try_get(0)?, usize::try_from(row.try_get::<i64, _>(1)?)?)));
    cards.collect()
}

/// What the audit lacks of what was to be read for a task.
fn unread(task: &Task, correlation: &str, rows: &[Row]) -> Option<String> {
    let bodies = rows.iter().filter(|row| row.correlation == correlation && row.kind == "call.read").map(|row| {
        let body = row.body.as_ref().and_then(|(_, json)| serde_json::from_str(json).ok());
        (row.tool.as_deref().unwrap_or_default(), body.unwrap_or(serde_json::Value::Null))
    });
    let read: Vec<_> = bodies.filter(|(_, body)| body["state"] == "done").collect();
    let missing = task.looks().find(|look| {
        let fits = |body: &serde_json::Value| look.args.iter().all(|(name, value)| body["args"][name] == *value);
        !read.iter().any(|(tool, body)| *tool == look.tool && fits(body))
    });
    // What went out after a yes is no read.
    if let Some(look) = missing.filter(|_| task.tier <= Tier::Yellow) {
        let tools: Vec<_> = read.iter().map(|(tool, _)| tool).collect();
        let args = serde_json::Value::from(look.args.clone());
        return Some(format!("{} was not read with {args}, but {tools:?}", look.tool));
    }
    let tells = task.tells.as_ref().filter(|_| task.tier <= Tier::Yellow)?;
    let told = read.iter().any(|(_, body)| body.to_string().contains(tells.as_str()));
    (!told).then(|| format!("`{tells}` does not stand in what was read"))
}

/// Whether a person was asked about a task too often, or not at all where he must be.
fn misjudged(task: &Task, asked: usize, done: bool) -> Option<Violation> {
    let Task { say, tier, .. } = task;
    let due = usize::from(*tier >= Tier::Orange);
    if asked > due {
        return Some(Violation::new(Kind::Asked, format!("`{say}` is {tier:?} and was asked {asked} times")));
    }
    let unasked = || Violation::new(Kind::StrayEffect, format!("`{say}` is {tier:?}, and nobody was asked"));
    (asked < due && done).then(unasked)
}
