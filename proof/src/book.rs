//! The database, read by queries of our own while the program serves: SQLite's file, or PostgreSQL.
//!
//! One snapshot is one read transaction, so what stands in it belongs together. The connection only reads: looking must
//! not repair anything.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use serde_json::Value;
use sqlx::any::{AnyConnectOptions, AnyRow};
use sqlx::{AnyConnection, ConnectOptions as _, Connection as _, Row as _};

/// Where the database is.
#[derive(Clone)]
pub(crate) enum Book {
    /// SQLite's file.
    File(PathBuf),
    /// The address of a database of PostgreSQL.
    Server(String),
}

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
    /// Which replica carries it, where there are several.
    pub(crate) carrier: Option<String>,
}

/// An approval card as its own table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Card {
    pub(crate) id: String,
    pub(crate) actor: String,
    pub(crate) state: String,
    pub(crate) because: Option<String>,
    /// Which replica carries it, where there are several.
    pub(crate) carrier: Option<String>,
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
    /// Hashes of the rows that the seals vouch for, where there are such rows.
    pub(crate) sealed: Vec<Option<String>>,
}

/// What is read of calls, cards and jobs. What was carried to its end says so as a number: the databases have different
/// types for yes and no.
const ROWS: &str = "select e.seq, e.at, e.kind, e.actor, e.owner, e.subject, e.correlation, e.tool, e.tier, e.summary, \
                    e.body, b.salt, b.json, e.hash from event e left join body b on b.seq = e.seq \
                    where e.seq > $1 order by e.seq limit $2";
const CALL: &str =
    "select id, state, idempotency, approval, case when outcome is null then 0 else 1 end, replica from call";
const CARD: &str = "select id, actor, state, because, replica from approval";
const UNDER_WAY: &str =
    "select id, actor, state, because, replica from approval where state in ('approved', 'running')";
const JOB: &str = "select id, actor, idempotency, state, attempt, approval, error, json from job";
const OPEN_JOB: &str = "select id, actor, idempotency, state, attempt, approval, error, json from job \
                        where state in ('queued', 'running', 'waiting')";

impl Call {
    pub(crate) const fn is_open(&self) -> bool {
        !self.settled
    }
}

impl Card {
    /// Whether it was approved, and its call has not come to its end.
    pub(crate) fn is_under_way(&self) -> bool {
        matches!(self.state.as_str(), "approved" | "running")
    }
}

impl Snapshot {
    /// Whether one of these replicas carries a call or a card.
    pub(crate) fn is_carried(&self, by: &[String]) -> bool {
        let by = |carrier: &Option<String>| carrier.as_ref().is_some_and(|carrier| by.contains(carrier));
        self.calls.iter().any(|call| call.is_open() && by(&call.carrier))
            || self.cards.iter().any(|card| card.is_under_way() && by(&card.carrier))
    }
}

impl Book {
    /// The one in a data directory.
    pub(crate) fn of(data: &Path) -> Self {
        Self::File(data.join("jarvis.db"))
    }

    /// Opens it to look.
    pub(crate) async fn open(&self) -> Result<AnyConnection, sqlx::Error> {
        self.connect(true).await
    }

    /// Opens it to break something on purpose.
    pub(crate) async fn open_to_break(&self) -> Result<AnyConnection, sqlx::Error> {
        self.connect(false).await
    }

    async fn connect(&self, only_read: bool) -> Result<AnyConnection, sqlx::Error> {
        sqlx::any::install_default_drivers();
        let url = match self {
            Self::File(file) => file_url(file, if only_read { "ro" } else { "rw" })?,
            Self::Server(url) => url.clone(),
        };
        let mut connection = AnyConnectOptions::from_str(&url)?.disable_statement_logging().connect().await?;
        let manners = match (self, only_read) {
            (Self::File(_), _) => "pragma busy_timeout = 10000",
            (Self::Server(_), true) => "set default_transaction_read_only = on",
            (Self::Server(_), false) => "set lock_timeout = '10s'",
        };
        sqlx::raw_sql(manners).execute(&mut connection).await?;
        Ok(connection)
    }

    /// What begins a transaction in which everything that is read belongs together.
    const fn begin(&self) -> &'static str {
        match self {
            Self::File(_) => "begin",
            Self::Server(_) => "begin isolation level repeatable read read only",
        }
    }

    /// Reads everything that is compared with what was acknowledged, the rows after `seq`, and the hashes of the rows
    /// `sealed`.
    pub(crate) async fn snapshot(&self, seq: i64, sealed: &[i64]) -> Result<Snapshot, sqlx::Error> {
        let mut reading = self.connect(true).await?;
        sqlx::raw_sql(self.begin()).execute(&mut reading).await?;
        let rows = sqlx::query(ROWS).bind(seq).bind(i64::MAX).fetch_all(&mut reading).await?;
        let head = sqlx::query("select seq, hash from head").fetch_one(&mut reading).await?;
        let orphans = sqlx::query("select count(*) from body where seq not in (select seq from event)");
        let mut found = Snapshot {
            rows: rows.iter().map(row).collect::<Result<_, _>>()?,
            head: (head.try_get(0)?, head.try_get(1)?),
            calls: all(&mut reading, CALL, call).await?,
            cards: all(&mut reading, CARD, card).await?,
            jobs: all(&mut reading, JOB, job).await?,
            orphans: orphans.fetch_one(&mut reading).await?.try_get(0)?,
            sealed: Vec::new(),
        };
        for seq in sealed {
            let vouched = sqlx::query("select hash from event where seq = $1").bind(seq).fetch_optional(&mut reading);
            found.sealed.push(vouched.await?.map(|row| row.try_get(0)).transpose()?);
        }
        sqlx::raw_sql("rollback").execute(&mut reading).await?;
        reading.close().await?;
        Ok(found)
    }

    /// At most so many rows of the audit after one.
    pub(crate) async fn rows(&self, seq: i64, most: i64) -> Result<Vec<Row>, sqlx::Error> {
        let mut reading = self.connect(true).await?;
        let rows = sqlx::query(ROWS).bind(seq).bind(most).fetch_all(&mut reading).await?;
        reading.close().await?;
        rows.iter().map(row).collect()
    }

    /// Cards whose approved call has not come to its end.
    pub(crate) async fn under_way(&self) -> Result<Vec<Card>, sqlx::Error> {
        self.read(UNDER_WAY, card).await
    }

    /// Jobs that have not ended.
    pub(crate) async fn open_jobs(&self) -> Result<Vec<JobRow>, sqlx::Error> {
        self.read(OPEN_JOB, job).await
    }

    /// Ids of jobs that are done.
    pub(crate) async fn done_jobs(&self) -> Result<HashSet<String>, sqlx::Error> {
        Ok(self.read("select id from job where state = 'done'", |row| row.try_get(0)).await?.into_iter().collect())
    }

    /// Whoever has ever said that it serves.
    pub(crate) async fn replicas(&self) -> Result<HashSet<String>, sqlx::Error> {
        Ok(self.read("select id from replica", |row| row.try_get(0)).await?.into_iter().collect())
    }

    /// Calls that have no outcome.
    pub(crate) async fn open_calls(&self) -> Result<Vec<Call>, sqlx::Error> {
        let calls = self.read(CALL, call).await?;
        Ok(calls.into_iter().filter(Call::is_open).collect())
    }

    async fn read<T>(
        &self,
        sql: &'static str,
        what: fn(&AnyRow) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, sqlx::Error> {
        let mut reading = self.connect(true).await?;
        let found = all(&mut reading, sql, what).await?;
        reading.close().await?;
        Ok(found)
    }
}

/// How the driver wants a file to be named.
fn file_url(file: &Path, mode: &str) -> Result<String, sqlx::Error> {
    let path = file.to_str().ok_or_else(|| sqlx::Error::Configuration("the work folder is not UTF-8".into()))?;
    let mut url = String::from("sqlite://");
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(format!("{url}?mode={mode}"))
}

async fn all<T>(
    connection: &mut AnyConnection,
    sql: &'static str,
    what: fn(&AnyRow) -> Result<T, sqlx::Error>,
) -> Result<Vec<T>, sqlx::Error> {
    sqlx::query(sql).fetch_all(connection).await?.iter().map(what).collect()
}

fn row(row: &AnyRow) -> Result<Row, sqlx::Error> {
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

fn call(row: &AnyRow) -> Result<Call, sqlx::Error> {
    Ok(Call {
        id: row.try_get(0)?,
        state: row.try_get(1)?,
        key: row.try_get(2)?,
        card: row.try_get(3)?,
        settled: row.try_get::<i64, _>(4)? != 0,
        carrier: row.try_get(5)?,
    })
}

fn card(row: &AnyRow) -> Result<Card, sqlx::Error> {
    Ok(Card {
        id: row.try_get(0)?,
        actor: row.try_get(1)?,
        state: row.try_get(2)?,
        because: row.try_get(3)?,
        carrier: row.try_get(4)?,
    })
}

fn job(row: &AnyRow) -> Result<JobRow, sqlx::Error> {
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
