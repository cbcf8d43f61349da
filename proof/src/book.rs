//! The database file, read by queries of our own while the program serves.
//!
//! One snapshot is one read transaction, so what stands in it belongs together. The connection only reads: looking must
//! not repair anything.

use std::collections::HashSet;
use std::path::Path;

use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection};

/// A row of the audit with its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) seq: i64,
    pub(crate) at: i64,
    pub(crate) kind: String,
    pub(crate) actor: String,
    pub(crate) owner: String,
    pub(crate) subject: String,
    pub(crate) correlation: String,
    pub(crate) tool: Option<String>,
    pub(crate) tier: Option<String>,
    pub(crate) summary: String,
    /// Digest that stands for the body in the chain.
    pub(crate) digest: Option<String>,
    /// Salt and JSON.
    pub(crate) body: Option<(String, String)>,
    pub(crate) hash: String,
}

/// A call above green as its own table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) key: Option<String>,
    pub(crate) card: Option<String>,
    pub(crate) settled: bool,
}

/// An approval card as its own table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Card {
    pub(crate) id: String,
    pub(crate) actor: String,
    pub(crate) state: String,
    pub(crate) because: Option<String>,
}

/// A job as its own table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobRow {
    pub(crate) id: String,
    pub(crate) actor: String,
    pub(crate) key: Option<String>,
    pub(crate) state: String,
    pub(crate) attempt: i64,
    pub(crate) card: Option<String>,
    pub(crate) error: Option<String>,
    /// What it echoes, or the path that it writes.
    pub(crate) name: String,
}

/// What the database held at one moment.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// Rows after the one that was asked for.
    pub(crate) rows: Vec<Row>,
    /// Sequence and hash where the program says that the chain ends.
    pub(crate) head: (i64, String),
    pub(crate) calls: Vec<Call>,
    pub(crate) cards: Vec<Card>,
    pub(crate) jobs: Vec<JobRow>,
    /// Bodies that belong to no row.
    pub(crate) orphans: i64,
    /// Hash of the row that the seal vouches for, if there is such a row.
    pub(crate) sealed: Option<String>,
}

/// Opens the database of a data directory for reading.
pub(crate) async fn open(data: &Path) -> Result<SqliteConnection, sqlx::Error> {
    connect(data, true).await
}

/// Opens it to break something on purpose.
pub(crate) async fn open_to_break(data: &Path) -> Result<SqliteConnection, sqlx::Error> {
    connect(data, false).await
}

async fn connect(data: &Path, only_read: bool) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new()
        .filename(data.join("jarvis.db"))
        .read_only(only_read)
        .busy_timeout(std::time::Duration::from_secs(10))
        .disable_statement_logging()
        .connect()
        .await
}

/// Reads everything that is compared with what was acknowledged, the rows after `seq`, and the hash of row `sealed`.
pub(crate) async fn snapshot(data: &Path, seq: i64, sealed: i64) -> Result<Snapshot, sqlx::Error> {
    let mut connection = open(data).await?;
    let mut reading = connection.begin().await?;
    let rows = sqlx::query(
        "select e.seq, e.at, e.kind, e.actor, e.owner, e.subject, e.correlation, e.tool, e.tier, e.summary, e.body, \
         b.salt, b.json, e.hash from event e left join body b on b.seq = e.seq where e.seq > ? order by e.seq",
    )
    .bind(seq)
    .fetch_all(&mut *reading)
    .await?;
    let head = sqlx::query("select seq, hash from head").fetch_one(&mut *reading).await?;
    let calls = sqlx::query("select id, state, idempotency, approval, outcome is not null from call");
    let cards = sqlx::query("select id, actor, state, because from approval");
    let jobs = sqlx::query("select id, actor, idempotency, state, attempt, approval, error, json from job");
    let vouched = sqlx::query("select hash from event where seq = ?").bind(sealed);
    let orphans = sqlx::query("select count(*) from body where seq not in (select seq from event)");
    let found = Snapshot {
        rows: rows.iter().map(row).collect::<Result<_, _>>()?,
        head: (head.try_get(0)?, head.try_get(1)?),
        calls: calls.fetch_all(&mut *reading).await?.iter().map(call).collect::<Result<_, _>>()?,
        cards: cards.fetch_all(&mut *reading).await?.iter().map(card).collect::<Result<_, _>>()?,
        jobs: jobs.fetch_all(&mut *reading).await?.iter().map(job).collect::<Result<_, _>>()?,
        orphans: orphans.fetch_one(&mut *reading).await?.try_get(0)?,
        sealed: vouched.fetch_optional(&mut *reading).await?.map(|row| row.try_get(0)).transpose()?,
    };
    reading.rollback().await?;
    connection.close().await?;
    Ok(found)
}

/// Cards whose approved call has not come to its end.
pub(crate) async fn under_way(data: &Path) -> Result<Vec<Card>, sqlx::Error> {
    let mut connection = open(data).await?;
    let found = sqlx::query("select id, actor, state, because from approval where state in ('approved', 'running')")
        .fetch_all(&mut connection)
        .await?;
    connection.close().await?;
    found.iter().map(card).collect()
}

/// Jobs that have not ended.
pub(crate) async fn open_jobs(data: &Path) -> Result<Vec<JobRow>, sqlx::Error> {
    let mut connection = open(data).await?;
    let found = sqlx::query(
        "select id, actor, idempotency, state, attempt, approval, error, json from job \
         where state in ('queued', 'running', 'waiting')",
    )
    .fetch_all(&mut connection)
    .await?;
    connection.close().await?;
    found.iter().map(job).collect()
}

/// Ids of jobs that are done.
pub(crate) async fn done_jobs(data: &Path) -> Result<HashSet<String>, sqlx::Error> {
    let mut connection = open(data).await?;
    let found = sqlx::query("select id from job where state = 'done'").fetch_all(&mut connection).await?;
    connection.close().await?;
    found.iter().map(|row| row.try_get(0)).collect()
}

fn row(row: &SqliteRow) -> Result<Row, sqlx::Error> {
    let (salt, json): (Option<String>, Option<String>) = (row.try_get(11)?, row.try_get(12)?);
    Ok(Row {
        seq: row.try_get(0)?,
        at: row.try_get(1)?,
        kind: row.try_get(2)?,
        actor: row.try_get(3)?,
        owner: row.try_get(4)?,
        subject: row.try_get(5)?,
        correlation: row.try_get(6)?,
        tool: row.try_get(7)?,
        tier: row.try_get(8)?,
        summary: row.try_get(9)?,
        digest: row.try_get(10)?,
        body: salt.zip(json),
        hash: row.try_get(13)?,
    })
}

fn call(row: &SqliteRow) -> Result<Call, sqlx::Error> {
    Ok(Call {
        id: row.try_get(0)?,
        state: row.try_get(1)?,
        key: row.try_get(2)?,
        card: row.try_get(3)?,
        settled: row.try_get(4)?,
    })
}

fn card(row: &SqliteRow) -> Result<Card, sqlx::Error> {
    Ok(Card { id: row.try_get(0)?, actor: row.try_get(1)?, state: row.try_get(2)?, because: row.try_get(3)? })
}

fn job(row: &SqliteRow) -> Result<JobRow, sqlx::Error> {
    let kept: Value = serde_json::from_str(row.try_get(7)?).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let arg = |name: &str| kept.pointer(&format!("/payload/args/{name}")).and_then(Value::as_str);
    Ok(JobRow {
        id: row.try_get(0)?,
        actor: row.try_get(1)?,
        key: row.try_get(2)?,
        state: row.try_get(3)?,
        attempt: row.try_get(4)?,
        card: row.try_get(5)?,
        error: row.try_get(6)?,
        name: arg("text").or_else(|| arg("path")).unwrap_or_default().to_owned(),
    })
}
