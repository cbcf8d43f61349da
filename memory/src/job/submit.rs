//! Keeping submitted jobs, many in one statement.
//!
//! What conflicts is left out by the database and looked for afterwards: the same key, or an open job that is the same.
//! Only submissions that may join another job are looked up first, because a key that joined is kept apart.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use jarvis_safety::job::{JobRecord, NewJob, Submitted};
use jarvis_safety::port::Stored;
use jarvis_safety::secret::Redactor;
use jarvis_safety::{ConversationId, ScheduleId};
use sqlx::any::AnyArguments;
use sqlx::{Arguments as _, AssertSqlSafe, Row as _};

use super::record::{COLUMNS, by_id, fixed, record};
use crate::change::Tx;
use crate::dialect::{Connection, Dialect};
use crate::row::Row;
use crate::stored::{Halt, clean, conflict};

/// Most rows in one statement.
const CHUNK: usize = 64;

/// What of a job is written when it is submitted. Most have nothing but the first seven: every value that is left out is
/// saved on its way through the driver, and those that cannot conflict need not be asked what was kept.
const COLUMNS_KEPT: [&str; 12] = [
    "id",
    "kind",
    "queue",
    "priority",
    "actor",
    "created_at",
    "json",
    "idempotency",
    "dedup",
    "schedule",
    "conversation",
    "run_at",
];

/// How much of a job is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Bare,
    Full,
}

impl Shape {
    const COUNT: usize = 2;

    const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Bare => COLUMNS_KEPT.split_at(7).0,
            Self::Full => &COLUMNS_KEPT,
        }
    }
}

/// A job with all that can be computed before the writer has it.
pub(super) struct Submitting {
    job: Arc<JobRecord>,
    dedup: Option<String>,
    json: String,
    row: Row,
}

impl Submitting {
    pub(super) fn new(redactor: &Redactor, job: NewJob) -> Stored<Self> {
        let NewJob { record, dedup, draft } = job;
        Ok(Self { json: fixed(&record)?, row: Row::new(redactor, draft)?, job: record, dedup })
    }

    fn shape(&self) -> Shape {
        let job = &self.job;
        let bare = job.key.is_none()
            && self.dedup.is_none()
            && job.schedule.is_none()
            && job.origin.conversation.is_none()
            && job.run_at.is_none();
        if bare { Shape::Bare } else { Shape::Full }
    }

    fn bind(&self, shape: Shape, arguments: &mut AnyArguments) -> Result<(), sqlx::Error> {
        let job = &self.job;
        let put = |arguments: &mut AnyArguments| {
            arguments.add(job.id.as_str())?;
            arguments.add(job.kind.as_str())?;
            arguments.add(job.queue.as_str())?;
            arguments.add(i64::from(job.priority))?;
            arguments.add(clean(job.actor.as_str()).as_ref())?;
            arguments.add(job.created_at)?;
            arguments.add(self.json.as_str())?;
            if shape == Shape::Bare {
                return Ok(());
            }
            arguments.add(job.key.as_deref().map(clean).as_deref())?;
            arguments.add(self.dedup.as_deref())?;
            arguments.add(job.schedule.as_ref().map(ScheduleId::as_str))?;
            arguments.add(job.origin.conversation.as_ref().map(ConversationId::as_str))?;
            arguments.add(job.run_at)
        };
        put(arguments).map_err(sqlx::Error::Encode)
    }

    /// The job that this submission is already, by its key or because an open one is the same.
    async fn known(&self, connection: &mut Connection) -> Result<Option<Submitted>, Halt> {
        if let Some(key) = &self.job.key
            && let Some(job) = keyed(connection, &clean(self.job.actor.as_str()), &clean(key)).await?
        {
            return Ok(Some(self.same(job)));
        }
        let Some(dedup) = &self.dedup else { return Ok(None) };
        let sql = format!(
            "select {COLUMNS} from job where dedup = $1 and dedup is not null and state in ('queued', 'running', 'waiting')"
        );
        let found = sqlx::query(AssertSqlSafe(sql)).bind(dedup.as_str()).fetch_optional(connection).await?;
        let found = found.as_ref().map(record).transpose()?;
        Ok(found.map(|job| Submitted::Known(Box::new(job))))
    }

    fn same(&self, job: JobRecord) -> Submitted {
        if job.kind == self.job.kind && job.payload == self.job.payload {
            Submitted::Known(Box::new(job))
        } else {
            Submitted::KeyReused(job.id)
        }
    }

    /// Remembers that its key stands for a job that it joined.
    async fn remember(&self, connection: &mut Connection, known: &Submitted) -> Result<(), sqlx::Error> {
        let (Some(key), Submitted::Known(job)) = (&self.job.key, known) else { return Ok(()) };
        if job.key.as_ref() == Some(key) {
            return Ok(());
        }
        sqlx::query("insert into job_joined (actor, idempotency, job) values ($1, $2, $3) on conflict do nothing")
            .bind(clean(self.job.actor.as_str()).as_ref())
            .bind(clean(key).as_ref())
            .bind(job.id.as_str())
            .execute(connection)
            .await?;
        Ok(())
    }
}

async fn keyed(connection: &mut Connection, actor: &str, key: &str) -> Result<Option<JobRecord>, Halt> {
    let sql = format!("select {COLUMNS} from job where actor = $1 and idempotency = $2 and idempotency is not null");
    let found = sqlx::query(AssertSqlSafe(sql)).bind(actor).bind(key).fetch_optional(&mut *connection).await?;
    if let Some(found) = &found {
        return record(found).map(Some);
    }
    let joined = sqlx::query("select job from job_joined where actor = $1 and idempotency = $2")
        .bind(actor)
        .bind(key)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(joined) = joined else { return Ok(None) };
    let id: String = joined.try_get(0)?;
    by_id(connection, &id).await
}

/// Keeps jobs and says what became of each.
pub(super) async fn submit(tx: &mut Tx<'_>, jobs: &[&Submitting]) -> Result<Vec<Submitted>, Halt> {
    let mut answers: Vec<Option<Submitted>> = Vec::with_capacity(jobs.len());
    let mut plain = Vec::with_capacity(jobs.len());
    for job in jobs {
        // It may join another, also one of this batch: one after the other.
        let answer = if job.dedup.is_some() { Some(submit_joining(tx, job).await?) } else { None };
        if answer.is_none() {
            plain.push(*job);
        }
        answers.push(answer);
    }
    let kept = insert(tx, &plain).await?;
    let mut plain = plain.into_iter().zip(kept);
    for answer in &mut answers {
        if answer.is_some() {
            continue;
        }
        let Some((job, kept)) = plain.next() else { break };
        *answer = Some(if kept {
            tx.tell(job.row.clone());
            Submitted::New
        } else {
            // What conflicts without a key has an id that is there, and is no new job.
            let known = job.known(tx.connection).await.map_err(Halt::after_writing)?;
            known.ok_or_else(|| conflict(format!("{} is there already", job.job.id)).after_writing())?
        });
    }
    Ok(answers.into_iter().flatten().collect())
}

async fn submit_joining(tx: &mut Tx<'_>, job: &Submitting) -> Result<Submitted, Halt> {
    if let Some(known) = job.known(tx.connection).await.map_err(Halt::after_writing)? {
        job.remember(tx.connection, &known).await?;
        return Ok(known);
    }
    if insert(tx, &[job]).await?.contains(&true) {
        tx.tell(job.row.clone());
        return Ok(Submitted::New);
    }
    Err(conflict(format!("{} is there already", job.job.id)).after_writing())
}

/// Inserts rows, and answers for each whether it was.
async fn insert(tx: &mut Tx<'_>, jobs: &[&Submitting]) -> Result<Vec<bool>, sqlx::Error> {
    let mut kept = Vec::with_capacity(jobs.len());
    let mut rest = jobs;
    while let Some(first) = rest.first() {
        let shape = first.shape();
        let alike = rest.iter().take_while(|job| job.shape() == shape).count();
        let (size, sql) = largest(tx.context.dialect, shape, alike);
        let (chunk, after) = rest.split_at(size);
        let mut arguments = AnyArguments::default();
        arguments.reserve(size * shape.columns().len(), 0);
        for job in chunk {
            job.bind(shape, &mut arguments)?;
        }
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments);
        if shape == Shape::Bare {
            query.execute(&mut *tx.connection).await?;
            kept.extend(std::iter::repeat_n(true, size));
        } else {
            let rows = query.fetch_all(&mut *tx.connection).await?;
            let new: Result<HashSet<&str>, _> = rows.iter().map(|row| row.try_get(0)).collect();
            let new = new?;
            kept.extend(chunk.iter().map(|job| new.contains(job.job.id.as_str())));
        }
        rest = after;
    }
    Ok(kept)
}

/// The statement for the largest power of two that is no more than so many rows.
fn largest(dialect: Dialect, shape: Shape, rows: usize) -> (usize, Arc<str>) {
    static SQL: [[[OnceLock<Arc<str>>; 7]; Shape::COUNT]; Dialect::COUNT] =
        [const { [const { [const { OnceLock::new() }; 7] }; Shape::COUNT] }; Dialect::COUNT];
    let power = rows.min(CHUNK).ilog2() as usize;
    let sql = SQL[dialect as usize][shape as usize][power].get_or_init(|| statement(dialect, shape, 1 << power).into());
    (1 << power, Arc::clone(sql))
}

fn statement(dialect: Dialect, shape: Shape, rows: usize) -> String {
    let columns = shape.columns();
    let mut sql = format!("insert into job ({}, state) values ", columns.join(", "));
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for value in 0..columns.len() {
            dialect.place(&mut sql, row * columns.len() + value + 1);
            sql.push_str(", ");
        }
        sql.push_str("'queued')");
    }
    if shape == Shape::Full {
        sql.push_str(" on conflict do nothing returning id");
    }
    sql
}
