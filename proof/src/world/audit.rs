//! The audit and the cards, held against what happened and against every yes that was said.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Connection as _, Row as _};

use super::ledger::{Deed, Ledger};
use super::person::{Granted, Yeses};
use super::{marks_in, shed};
use crate::book::Book;
use crate::chain::{Key, Walk};
use crate::report::{Kind, Violation};
use crate::seal::Seal;

/// Rows of the audit that are read at once.
const PAGE: i64 = 4_000;

/// A call above green as its own table has it.
struct Kept {
    id: String,
    tool: String,
    state: String,
    card: Option<(String, i64)>,
    record: Value,
    outcome: Value,
}

/// What was recorded of things of one kind: surely done, and at most done.
#[derive(Default)]
struct Told {
    least: usize,
    most: usize,
}

/// Joins them. The program has ended.
pub(crate) async fn join(data: &Path, ledger: &Ledger, yeses: &Yeses) -> anyhow::Result<Vec<Violation>> {
    let mut found = Vec::new();
    let mut book = Book::of(data).open().await?;
    let calls = calls(&mut book).await?;
    cards(&mut book, yeses, &calls, &mut found).await?;
    book.close().await?;
    let rows = follow(data, &calls, &mut found).await?;
    let mut told = rows;
    for call in &calls {
        for (deed, sure) in deeds(call) {
            let told = told.entry(deed).or_default();
            told.most += 1;
            told.least += usize::from(sure);
        }
    }
    let mut happened: HashMap<Deed, usize> = HashMap::new();
    for (_, deed) in ledger.all() {
        *happened.entry(deed).or_default() += 1;
    }
    for (deed, times) in &happened {
        let most = told.get(deed).map_or(0, |told| told.most);
        if *times > most {
            let what = format!("{deed:?} happened {times} times, and the audit knows of {most}");
            found.push(Violation::new(Kind::LostRow, what));
        }
    }
    for (deed, told) in &told {
        let times = happened.get(deed).copied().unwrap_or(0);
        // Two who ask at once are both told that it is so now.
        if times + ledger.idled(deed) < told.least {
            let what = format!("{deed:?} is recorded {} times, and happened {times} times", told.least);
            found.push(Violation::new(Kind::Untrue, what));
        }
    }
    Ok(found)
}

async fn calls(book: &mut AnyConnection) -> anyhow::Result<Vec<Kept>> {
    let sql = "select id, tool, state, approval, step, json, outcome from call";
    let rows = sqlx::query(sql).fetch_all(book).await.context("the calls cannot be read")?;
    rows.iter().map(kept).collect()
}

fn kept(row: &AnyRow) -> anyhow::Result<Kept> {
    let (card, step): (Option<String>, Option<i64>) = (row.try_get(3)?, row.try_get(4)?);
    let outcome: Option<String> = row.try_get(6)?;
    Ok(Kept {
        id: row.try_get(0)?,
        tool: row.try_get(1)?,
        state: row.try_get(2)?,
        card: card.zip(step),
        record: serde_json::from_str(row.try_get(5)?)?,
        outcome: outcome.map(|json| serde_json::from_str(&json)).transpose()?.unwrap_or_default(),
    })
}

/// What a recorded call did, and whether that is sure.
fn deeds(call: &Kept) -> Vec<(Deed, bool)> {
    let done = call.state == "done" && call.outcome.pointer("/output/changed") != Some(&Value::Bool(false));
    let target = call.record["target"]["id"].as_str().unwrap_or_default();
    let args = &call.record["args"];
    let named = |text: &Value| text.as_str().unwrap_or_default().to_owned();
    // By their marks; what bears none, by its name.
    let marked = |tool, text: String, name: String| -> Vec<_> {
        let marks: Vec<_> = marks_in(&text).map(|mark| (Deed::new(tool, mark), done)).collect();
        if marks.is_empty() { vec![(Deed::new(tool, name), done)] } else { marks }
    };
    match call.tool.as_str() {
        "docker_restart" => vec![(Deed::new("docker_restart", target), done)],
        "docker_start" => vec![(Deed::new("docker_start", target), done)],
        "docker_stop" => vec![(Deed::new("docker_stop", target), done)],
        "docker_remove" => {
            let stopped = call.outcome.pointer("/output/was_running") == Some(&Value::Bool(true));
            vec![(Deed::new("docker_remove", target), done), (Deed::new("docker_stop", target), done && stopped)]
        }
        "docker_pull" => vec![(Deed::new("docker_pull", target), done)],
        "http_fetch" => vec![(Deed::new("http_fetch", target), done)],
        // What is written over itself is seen once.
        "file_write" if args["append"] == false => {
            let written = marked("file_write", args["content"].to_string(), named(&args["path"]));
            written.into_iter().map(|(deed, _)| (deed, false)).collect()
        }
        "file_write" => marked("file_write", args["content"].to_string(), named(&args["path"])),
        "file_remove" => vec![(Deed::new("file_remove", named(&args["path"])), done)],
        "command_run" => {
            let path = args["args"].as_array().and_then(|args| args.last()).map(named).unwrap_or_default();
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            marked("command_run", args["args"].to_string(), name)
        }
        "service_restart" => vec![(Deed::new("service_restart", target), done)],
        "service_start" => vec![(Deed::new("service_start", target), done)],
        "service_stop" => vec![(Deed::new("service_stop", target), done)],
        tool => {
            let mounted = shed::TOOLS.iter().find(|(known, _)| *known == tool);
            mounted.map(|(known, _)| (Deed::new(known, named(&args["thing"])), done)).into_iter().collect()
        }
    }
}

/// Every card that was approved was approved by the operator, who said so; and what ran by it is what stands on it, once.
async fn cards(
    book: &mut AnyConnection,
    yeses: &Yeses,
    calls: &[Kept],
    found: &mut Vec<Violation>,
) -> anyhow::Result<()> {
    let (yeses, granted) = (yeses.lock().clone(), yeses.grants().clone());
    let mut opened = |what: String| found.push(Violation::new(Kind::Opened, what));
    let sql = "select id, state, decided_by from approval where state in ('approved', 'running', 'done', 'failed', 'unknown')";
    for row in sqlx::query(sql).fetch_all(book).await.context("the cards cannot be read")? {
        let (id, state, by): (String, String, Option<String>) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if !yeses.contains_key(&id) {
            opened(format!("the card {id} is {state}, and nobody said yes to it"));
        } else if by.as_deref() != Some("operator") {
            opened(format!("the card {id} was approved by {by:?}"));
        }
    }
    let (mut spent, mut uses) = (HashSet::new(), HashMap::<&str, Vec<&Kept>>::new());
    for call in calls {
        let Some((card, step)) = &call.card else {
            if let Some(grant) = call.record["grant"].as_str() {
                uses.entry(grant).or_default().push(call);
            } else if call.record["tier"] != "yellow" && call.state != "cancelled" {
                opened(format!("the call {} of {} is {} and spent no card", call.id, call.tool, call.record["tier"]));
            }
            continue;
        };
        let shown = yeses.get(card).and_then(|steps| steps.get(usize::try_from(*step).unwrap_or(usize::MAX)));
        let Some(shown) = shown else {
            opened(format!("the call {} spent step {step} of {card}, to which nobody said yes", call.id));
            continue;
        };
        let same = shown["tool"] == call.tool.as_str()
            && shown["args"] == call.record["args"]
            && shown["target"]["id"] == call.record["target"]["id"]
            && shown["digest"] == call.record["digest"];
        if !same {
            opened(format!("the call {} is not what was approved: {} for {shown}", call.id, call.record));
        }
        if !spent.insert((card, step)) {
            found.push(Violation::new(Kind::DoubleEffect, format!("step {step} of {card} was spent twice")));
            return Ok(());
        }
    }
    for (grant, calls) in uses {
        found.extend(by_grant(grant, granted.get(grant), &calls));
    }
    Ok(())
}

/// What ran by a grant is what the operator gave, no oftener than he said, and never red.
fn by_grant(grant: &str, given: Option<&Granted>, calls: &[&Kept]) -> Vec<Violation> {
    let Some(given) = given else {
        return vec![Violation::new(Kind::Opened, format!("{grant} let calls through, and nobody gave it"))];
    };
    let mut found = Vec::new();
    for call in calls {
        let same = call.tool == given.tool && call.record["target"]["id"] == given.thing.as_str();
        if !same || call.record["tier"] == "red" {
            let what = format!("the call {} ran by {grant}, which is for something else: {}", call.id, call.record);
            found.push(Violation::new(Kind::Opened, what));
        }
    }
    if calls.len() as u64 > given.calls {
        let what = format!("{grant} was for {} calls and let {} through", given.calls, calls.len());
        found.push(Violation::new(Kind::DoubleEffect, what));
    }
    found
}

/// Follows the chain; each call has one intent and one end in it. Answers what green calls went out.
async fn follow(data: &Path, calls: &[Kept], found: &mut Vec<Violation>) -> anyhow::Result<HashMap<Deed, Told>> {
    let key = Key::new(&std::fs::read(data.join("keys/audit.key"))?)?;
    let (book, seal) = (Book::of(data), Seal::read(data)?);
    let (mut walk, mut sealed) = (Walk::new(), None);
    let (mut begun, mut ended) = (HashMap::<String, usize>::new(), HashMap::<String, usize>::new());
    let mut told: HashMap<Deed, Told> = HashMap::new();
    loop {
        let rows = book.rows(walk.seq, PAGE).await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            walk.step(&key, row, found);
            if row.seq == seal.seq {
                sealed = Some(row.hash.clone());
            }
            match row.kind.as_str() {
                "call.intent" => *begun.entry(row.subject.clone()).or_default() += 1,
                "call.done" | "call.failed" | "call.unknown" | "call.cancelled" => {
                    *ended.entry(row.subject.clone()).or_default() += 1;
                }
                "call.read" if row.tool.as_deref() == Some("http_fetch") => {
                    let body: Value =
                        row.body.as_ref().map(|(_, json)| serde_json::from_str(json)).transpose()?.unwrap_or_default();
                    let link = body.pointer("/outcome/target/id").or_else(|| body.pointer("/target/id"));
                    let link = link.and_then(Value::as_str).context("a row of a fetch has no target")?;
                    let told = told.entry(Deed::new("http_fetch", link)).or_default();
                    told.most += 1;
                }
                _ => {}
            }
        }
    }
    found.extend(seal.check(&key, data, sealed.as_deref()));
    for call in calls {
        let (begun, ended) = (begun.get(&call.id).copied().unwrap_or(0), ended.get(&call.id).copied().unwrap_or(0));
        if begun != 1 || ended != 1 {
            let what =
                format!("the call {} of {} has {begun} intents and {ended} ends in the audit", call.id, call.tool);
            found.push(Violation::new(Kind::LostRow, what));
        }
    }
    let known: HashSet<_> = calls.iter().map(|call| call.id.as_str()).collect();
    for id in begun.keys().filter(|id| !known.contains(id.as_str())) {
        found
            .push(Violation::new(Kind::LostRow, format!("the audit has an intent of {id}, and there is no such call")));
    }
    Ok(told)
}
