//! Schedules. Firing one moves it to its next run and submits its jobs in the same transaction: a run submits once.

use async_trait::async_trait;
use jarvis_safety::event::Draft;
use jarvis_safety::job::{Fire, Schedule};
use jarvis_safety::port::Stored;
use jarvis_safety::secret::Redactor;
use jarvis_safety::{ActorId, ScheduleId};
use sqlx::any::AnyRow;
use sqlx::{AnyPool, AssertSqlSafe, Row as _};

use super::submit::{self, Submitting};
use crate::change::{Change, Tx};
use crate::row::Row;
use crate::stored::{Halt, clean, from_json, to_json, unavailable};

const COLUMNS: &str = "id, json, next_at, last_at";

/// Most schedules in one answer.
const MOST: u32 = 1000;

/// Most that are fired at once.
const MOST_DUE: u32 = 100;

fn schedule(row: &AnyRow) -> Result<Schedule, Halt> {
    let mut schedule: Schedule = from_json(row.try_get(0)?, row.try_get(1)?)?;
    schedule.next_at = row.try_get(2)?;
    schedule.last_at = row.try_get(3)?;
    Ok(schedule)
}

fn all(rows: &[AnyRow]) -> Stored<Vec<Schedule>> {
    rows.iter().map(|row| schedule(row).map_err(Into::into)).collect()
}

pub(super) async fn find(readers: &AnyPool, id: &ScheduleId) -> Stored<Option<Schedule>> {
    let sql = format!("select {COLUMNS} from schedule where id = $1");
    let found = sqlx::query(AssertSqlSafe(sql)).bind(id.as_str()).fetch_optional(readers).await;
    let found = found.map_err(|error| unavailable(&error))?;
    Ok(found.as_ref().map(schedule).transpose()?)
}

pub(super) async fn list(readers: &AnyPool, actor: Option<&ActorId>) -> Stored<Vec<Schedule>> {
    let which = if actor.is_some() { "where actor = $1" } else { "" };
    let sql = format!("select {COLUMNS} from schedule {which} order by created_at, id limit {MOST}");
    let mut query = sqlx::query(AssertSqlSafe(sql));
    if let Some(actor) = actor {
        query = query.bind(clean(actor.as_str()).into_owned());
    }
    all(&query.fetch_all(readers).await.map_err(|error| unavailable(&error))?)
}

pub(super) async fn due(readers: &AnyPool, now: i64) -> Stored<Vec<Schedule>> {
    let sql = format!(
        "select {COLUMNS} from schedule where next_at is not null and next_at <= $1 order by next_at limit {MOST_DUE}"
    );
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(now).fetch_all(readers).await;
    all(&rows.map_err(|error| unavailable(&error))?)
}

/// Makes a schedule, or replaces it.
pub(super) struct SaveSchedule {
    id: String,
    actor: String,
    next_at: Option<i64>,
    last_at: Option<i64>,
    created_at: i64,
    json: String,
    row: Row,
}

impl SaveSchedule {
    pub(super) fn new(redactor: &Redactor, schedule: &Schedule, draft: Draft) -> Stored<Self> {
        Ok(Self {
            id: schedule.id.to_string(),
            actor: clean(schedule.actor.as_str()).into_owned(),
            next_at: schedule.next_at,
            last_at: schedule.last_at,
            created_at: schedule.created_at,
            json: to_json("schedule", schedule)?,
            row: Row::new(redactor, draft)?,
        })
    }
}

#[async_trait]
impl Change for SaveSchedule {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        sqlx::query(
            "insert into schedule (id, actor, next_at, last_at, created_at, json) values ($1, $2, $3, $4, $5, $6) \
             on conflict (id) do update set next_at = excluded.next_at, json = excluded.json",
        )
        .bind(self.id.as_str())
        .bind(self.actor.as_str())
        .bind(self.next_at)
        .bind(self.last_at)
        .bind(self.created_at)
        .bind(self.json.as_str())
        .execute(&mut *tx.connection)
        .await?;
        tx.tell(self.row.clone());
        Ok(())
    }
}

/// Removes a schedule.
pub(super) struct RemoveSchedule {
    pub(super) id: ScheduleId,
    pub(super) row: Row,
}

#[async_trait]
impl Change for RemoveSchedule {
    type Answer = bool;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool, Halt> {
        let removed = sqlx::query("delete from schedule where id = $1")
            .bind(self.id.as_str())
            .execute(&mut *tx.connection)
            .await?;
        let was = removed.rows_affected() > 0;
        if was {
            tx.tell(self.row.clone());
        }
        Ok(was)
    }
}

/// Fires a schedule.
pub(super) struct Firing {
    id: String,
    due: i64,
    next: Option<i64>,
    at: i64,
    jobs: Vec<Submitting>,
    missed: Option<Row>,
}

impl Firing {
    pub(super) fn new(redactor: &Redactor, fire: Fire) -> Stored<Self> {
        Ok(Self {
            id: fire.schedule.to_string(),
            due: fire.due,
            next: fire.next,
            at: fire.at,
            jobs: fire.jobs.into_iter().map(|job| Submitting::new(redactor, job)).collect::<Stored<_>>()?,
            missed: fire.missed.map(|row| Row::new(redactor, row)).transpose()?,
        })
    }
}

#[async_trait]
impl Change for Firing {
    type Answer = bool;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool, Halt> {
        let moved = sqlx::query("update schedule set next_at = $3, last_at = $4 where id = $1 and next_at = $2")
            .bind(self.id.as_str())
            .bind(self.due)
            .bind(self.next)
            .bind(self.at)
            .execute(&mut *tx.connection)
            .await?;
        if moved.rows_affected() == 0 {
            return Ok(false);
        }
        let jobs: Vec<_> = self.jobs.iter().collect();
        submit::submit(tx, &jobs).await.map_err(Halt::after_writing)?;
        if let Some(missed) = &self.missed {
            tx.tell(missed.clone());
        }
        Ok(true)
    }
}
