//! A job out of the database.

use std::borrow::Cow;

use jarvis_safety::call::{Origin, Vouching};
use jarvis_safety::job::JobRecord;
use jarvis_safety::port::Stored;
use jarvis_safety::{ActorId, ScheduleId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use crate::dialect::Connection;
use crate::stored::{Halt, from_json, from_word, to_json};

/// The columns of a job in the order that [`record`] reads them.
pub(super) const COLUMNS: &str = "id, kind, queue, priority, actor, idempotency, state, run_at, attempt, epoch, worker, \
     lease_until, approval, cancelled_by, chunks, created_at, started_at, ended_at, json, progress, result, error";

/// The states in which a worker holds a job.
pub(super) const HELD: &str = "state in ('running', 'waiting')";

/// What of a job never changes and nobody looks for.
#[derive(Serialize, Deserialize)]
struct Fixed<'a> {
    title: Cow<'a, str>,
    origin: Cow<'a, Origin>,
    vouching: Vouching,
    payload: Cow<'a, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schedule: Option<Cow<'a, ScheduleId>>,
}

/// The fixed part, as it is kept.
pub(super) fn fixed(job: &JobRecord) -> Stored<String> {
    let fixed = Fixed {
        title: Cow::Borrowed(&job.title),
        origin: Cow::Borrowed(&job.origin),
        vouching: job.vouching,
        payload: Cow::Borrowed(&job.payload),
        schedule: job.schedule.as_ref().map(Cow::Borrowed),
    };
    to_json("job", &fixed)
}

pub(super) fn record(row: &AnyRow) -> Result<JobRecord, Halt> {
    let id: &str = row.try_get(0)?;
    let fixed: Fixed<'_> = from_json(id, row.try_get(18)?)?;
    let number = |index: usize| row.try_get::<i64, _>(index);
    let approval: Option<&str> = row.try_get(12)?;
    let cancelled_by: Option<String> = row.try_get(13)?;
    let progress: Option<&str> = row.try_get(19)?;
    let result: Option<&str> = row.try_get(20)?;
    Ok(JobRecord {
        id: from_word("job", id)?,
        kind: row.try_get(1)?,
        title: fixed.title.into_owned(),
        queue: row.try_get(2)?,
        priority: i32::try_from(number(3)?).unwrap_or_default(),
        actor: ActorId::new(row.try_get::<String, _>(4)?),
        origin: fixed.origin.into_owned(),
        vouching: fixed.vouching,
        payload: fixed.payload.into_owned(),
        key: row.try_get(5)?,
        schedule: fixed.schedule.map(Cow::into_owned),
        state: from_word(id, row.try_get(6)?)?,
        run_at: row.try_get(7)?,
        attempt: u32::try_from(number(8)?).unwrap_or_default(),
        epoch: number(9)?.cast_unsigned(),
        worker: row.try_get(10)?,
        lease_until: row.try_get(11)?,
        approval: approval.map(|word| from_word(id, word)).transpose()?,
        progress: progress.map(|json| from_json(id, json)).transpose()?,
        chunks: number(14)?.cast_unsigned(),
        result: result.map(|json| from_json(id, json)).transpose()?,
        error: row.try_get(21)?,
        cancelled_by: cancelled_by.map(ActorId::new),
        created_at: row.try_get(15)?,
        started_at: row.try_get(16)?,
        ended_at: row.try_get(17)?,
    })
}

pub(super) async fn by_id(connection: &mut Connection, id: &str) -> Result<Option<JobRecord>, Halt> {
    let sql = format!("select {COLUMNS} from job where id = $1");
    let found = sqlx::query(AssertSqlSafe(sql)).bind(id).fetch_optional(connection).await?;
    found.as_ref().map(record).transpose()
}
