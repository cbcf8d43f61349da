//! The audit as a stream that can be resumed from any sequence.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use jarvis_safety::event::Event;
use jarvis_safety::port::{EventFilter, Feed, Observer, Stored, Verification};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Row as _};
use tokio::sync::broadcast;

use crate::chain::Head;
use crate::dialect::Connection;
use crate::row::{self, COLUMNS};
use crate::store::Store;
use crate::stored::{from_json, unavailable, unreadable};

/// Most rows in one answer.
const PAGE: u32 = 10_000;

#[derive(Clone, Copy)]
enum Direction {
    After,
    Before,
}

#[async_trait]
impl Feed for Store {
    fn head(&self) -> u64 {
        self.0.seq.load(Ordering::Acquire)
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.0.events.subscribe()
    }

    fn observe(&self, observer: Observer) {
        self.0.observers.write().unwrap_or_else(PoisonError::into_inner).push(observer);
    }

    async fn after(&self, seq: u64, filter: &EventFilter, limit: u32) -> Stored<Vec<Event>> {
        self.events(Direction::After, seq, filter, limit).await
    }

    async fn before(&self, seq: u64, filter: &EventFilter, limit: u32) -> Stored<Vec<Event>> {
        self.events(Direction::Before, seq, filter, limit).await
    }

    async fn event(&self, seq: u64) -> Stored<Option<(Event, Option<Value>)>> {
        let sql = format!("select {COLUMNS}, b.json from event e left join body b on b.seq = e.seq where e.seq = $1");
        let Some(seq) = i64::try_from(seq).ok() else { return Ok(None) };
        let found = sqlx::query(AssertSqlSafe(sql)).bind(seq).fetch_optional(&self.0.readers).await;
        let Some(found) = found.map_err(|error| unavailable(&error))? else { return Ok(None) };
        let json: Option<&str> = found.try_get(11).map_err(|error| unreadable("body", &error.to_string()))?;
        let body = json.map(|json| from_json(&format!("body {seq}"), json)).transpose()?;
        Ok(Some((row::event(&found)?, body)))
    }

    async fn verify(&self) -> Stored<Verification> {
        crate::verify::verify(self).await
    }
}

impl Store {
    async fn events(&self, direction: Direction, seq: u64, filter: &EventFilter, limit: u32) -> Stored<Vec<Event>> {
        let mut sql = format!("select {COLUMNS} from event e where ");
        sql.push_str(match direction {
            Direction::After => "e.seq > $1",
            Direction::Before => "e.seq < $1",
        });
        let mut texts: Vec<&str> = Vec::new();
        let mut parameter = |text| {
            texts.push(text);
            format!("${}", texts.len() + 1)
        };
        if let Some(audience) = &filter.audience {
            let place = parameter(audience.as_str());
            sql.push_str(&format!(" and (e.owner = {place} or e.actor = {place})"));
        }
        if let Some(actor) = &filter.actor {
            sql.push_str(&format!(" and e.actor = {}", parameter(actor.as_str())));
        }
        if let Some(subject) = &filter.subject {
            sql.push_str(&format!(" and e.subject = {}", parameter(subject)));
        }
        if !filter.kinds.is_empty() {
            let places: Vec<_> = filter.kinds.iter().map(|kind| parameter(kind.as_str())).collect();
            sql.push_str(&format!(" and e.kind in ({})", places.join(", ")));
        }
        let limit = limit.min(PAGE);
        sql.push_str(&match direction {
            Direction::After => format!(" order by e.seq limit {limit}"),
            Direction::Before => format!(" order by e.seq desc limit {limit}"),
        });
        // A cursor beyond what a column holds is simply beyond every row.
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(i64::try_from(seq).unwrap_or(i64::MAX));
        for text in texts {
            query = query.bind(text);
        }
        let rows = query.fetch_all(&self.0.readers).await.map_err(|error| unavailable(&error))?;
        rows.iter().map(row::event).collect()
    }
}

/// Rows that follow a sequence, up to and with another one; no more than a page. What cannot be read is left out, and
/// told in the log of this process: the stream goes on.
pub(crate) async fn between(
    connection: &mut Connection,
    after: u64,
    until: u64,
    limit: usize,
) -> Result<(Vec<Event>, Option<u64>), sqlx::Error> {
    let sql = format!("select {COLUMNS} from event e where e.seq > $1 and e.seq <= $2 order by e.seq limit {limit}");
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(after.cast_signed())
        .bind(until.cast_signed())
        .fetch_all(connection)
        .await?;
    let last = rows.last().map(|row| row.try_get::<i64, _>(0)).transpose()?.map(i64::cast_unsigned);
    let events = rows.iter().filter_map(|row| {
        row::event(row).inspect_err(|error| tracing::error!(%error, "a row of the audit is not shown")).ok()
    });
    Ok((events.collect(), last))
}

/// The end of the chain as the database has it: the row that says so, or the last event if that is further.
pub(crate) async fn stored_head(connection: &mut Connection) -> Result<Head, sqlx::Error> {
    let read = |row: sqlx::any::AnyRow| -> Result<Head, sqlx::Error> {
        let seq: i64 = row.try_get(0)?;
        Ok(Head { seq: seq.cast_unsigned(), at: row.try_get(1)?, hash: row.try_get(2)? })
    };
    let said = sqlx::query("select seq, at, hash from head where id = 1").fetch_optional(&mut *connection).await?;
    let last = sqlx::query("select seq, at, hash from event order by seq desc limit 1")
        .fetch_optional(&mut *connection)
        .await?;
    let said = said.map_or_else(|| Ok(Head::genesis()), read)?;
    let last = last.map_or_else(|| Ok(Head::genesis()), read)?;
    Ok(if last.seq > said.seq { last } else { said })
}
