//! What the database holds of turns, read by queries of our own.

use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Connection as _, Row as _};

use crate::book::Book;

/// A turn and its log.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    pub(super) id: String,
    pub(super) conversation: String,
    pub(super) actor: String,
    pub(super) asked: String,
    pub(super) state: String,
    pub(super) log: Vec<Entry>,
}

/// An entry of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) index: i64,
    pub(super) kind: String,
    pub(super) json: Value,
}

/// A call whose outcome is not recorded.
#[derive(Debug, Clone)]
pub(super) struct Doubt {
    pub(super) call: String,
    pub(super) path: String,
}

/// Everything about turns at one moment.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) turns: Vec<Turn>,
    pub(super) conversations: Vec<String>,
    /// Kind and turn of the rows of the audit about turns, in order.
    pub(super) rows: Vec<(String, String)>,
    pub(super) doubts: Vec<Doubt>,
}

impl Entry {
    /// A text of it; empty where there is none.
    pub(super) fn text(&self, pointer: &str) -> &str {
        self.json.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// It in a few words, for whoever reads the report.
    pub(super) fn brief(&self) -> String {
        let parts = ["/index", "/text", "/tool", "/approval", "/answer/outcome/state", "/answer/outcome/call"];
        let parts: Vec<_> = parts.iter().filter_map(|part| self.json.pointer(part)).map(ToString::to_string).collect();
        format!("{} {}", self.kind, parts.join(" "))
    }

    /// Which call it is about.
    pub(super) fn call(&self) -> Option<usize> {
        self.json.get("index").and_then(Value::as_u64).and_then(|index| usize::try_from(index).ok())
    }
}

/// What is there, whoever else reads or writes.
pub(super) async fn held(data: &Path) -> anyhow::Result<Held> {
    let connection = Book::of(data).open().await?;
    read(connection).await
}

/// What a program that is dead has left. It is looked at in a copy, because opening it would repair it.
pub(super) async fn left(data: &Path) -> anyhow::Result<Held> {
    let copy = data.with_extension("left");
    std::fs::create_dir(&copy)?;
    for file in ["jarvis.db", "jarvis.db-wal"] {
        std::fs::copy(data.join(file), copy.join(file)).with_context(|| format!("{file} cannot be copied"))?;
    }
    let found = read(Book::of(&copy).open_to_break().await?).await;
    std::fs::remove_dir_all(&copy)?;
    found
}

async fn read(mut connection: AnyConnection) -> anyhow::Result<Held> {
    let mut reading = connection.begin().await?;
    let turns = sqlx::query("select id, conversation, actor, asked, state from turn order by created_at, id");
    let entries = sqlx::query("select turn, idx, kind, json from turn_entry order by turn, idx");
    let conversations = sqlx::query("select id from conversation order by id");
    let rows = sqlx::query("select kind, subject from event where kind like 'turn.%' order by seq");
    let doubts = sqlx::query("select id, json from call where outcome is null order by id");
    let mut found = Held {
        turns: turns.fetch_all(&mut *reading).await?.iter().map(turn).collect::<Result<_, _>>()?,
        conversations: conversations
            .fetch_all(&mut *reading)
            .await?
            .iter()
            .map(|row| row.try_get(0))
            .collect::<Result<_, _>>()?,
        rows: rows
            .fetch_all(&mut *reading)
            .await?
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect::<Result<_, sqlx::Error>>()?,
        doubts: doubts.fetch_all(&mut *reading).await?.iter().map(doubt).collect::<anyhow::Result<_>>()?,
    };
    for row in entries.fetch_all(&mut *reading).await? {
        let of: &str = row.try_get(0)?;
        let turn = found.turns.iter_mut().find(|turn| turn.id == of).context("an entry belongs to no turn")?;
        let json = serde_json::from_str(row.try_get(3)?)?;
        turn.log.push(Entry { index: row.try_get(1)?, kind: row.try_get(2)?, json });
    }
    reading.rollback().await?;
    connection.close().await?;
    Ok(found)
}

fn turn(row: &AnyRow) -> Result<Turn, sqlx::Error> {
    Ok(Turn {
        id: row.try_get(0)?,
        conversation: row.try_get(1)?,
        actor: row.try_get(2)?,
        asked: row.try_get(3)?,
        state: row.try_get(4)?,
        log: Vec::new(),
    })
}

fn doubt(row: &AnyRow) -> anyhow::Result<Doubt> {
    let kept: Value = serde_json::from_str(row.try_get(1)?)?;
    let path = kept.pointer("/args/path").and_then(Value::as_str).context("a call has no path")?;
    Ok(Doubt { call: row.try_get(0)?, path: path.to_owned() })
}
