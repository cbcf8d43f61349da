//! Moving everything from SQLite in the data directory to PostgreSQL.
//!
//! The data directory is held meanwhile, so nothing changes at the source. The target must be empty; a mark in it says
//! that a move was begun, and goes with the last commit. A target that still has the mark is refused by every Jarvis and
//! can be moved to again: what lies there is thrown away then. In the end each row of each table was read back and
//! compared, and the audit of the target says what the audit of the source says, under the same key and seal.

use std::path::PathBuf;

use jarvis_safety::port::{Feed as _, StoreError, Verification};
use sqlx::{AnyPool, AssertSqlSafe, Row as _};

use crate::dialect::{Connection, Database, Engine};
use crate::error::OpenError;
use crate::mark::Mark;
use crate::migration;
use crate::seal;
use crate::store::{Options, Store};
use crate::table::{Digester, Table, Value, page, tables};
use crate::verify::audit;

/// Rows in one statement.
const CHUNK: usize = 64;

/// How far a move is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    /// So many rows of a table are copied.
    Copied {
        /// The table.
        table: &'a str,
        /// Rows so far.
        rows: u64,
    },
    /// A table was read back and is the same on both sides.
    Compared {
        /// The table.
        table: &'a str,
        /// Its rows.
        rows: u64,
    },
}

/// Everything was moved and compared.
#[derive(Debug)]
pub struct Transferred {
    /// Each table with its rows, in the order of the move.
    pub tables: Vec<Moved>,
    /// What the audit of the target says; the same as that of the source.
    pub verification: Verification,
}

/// One table that was moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Its name.
    pub table: String,
    /// Rows in it.
    pub rows: u64,
    /// SHA-256 over all of them in the order of their keys; of source and target alike.
    pub digest: String,
}

/// Why not everything was moved. The source is as it was.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// Source or target cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The target is no PostgreSQL.
    #[error("a move goes to PostgreSQL; name it as `postgres://user:password@host:5432/database`")]
    Target,
    /// Something is there already.
    #[error(
        "the database holds {what} already, and a move never mixes two histories; make an empty database, or drop this \
         one if nothing in it is needed"
    )]
    NotEmpty {
        /// What was found.
        what: String,
    },
    /// Somebody else moves there.
    #[error("another move to this database is under way; wait for it, or stop it and begin again")]
    Busy,
    /// Reading or writing failed.
    #[error("the table {table} could not be moved: {why}; nothing was changed here, begin again")]
    Table {
        /// Its name.
        table: String,
        /// What the database said.
        why: String,
    },
    /// What was read back is not what was written.
    #[error("the table {table} is not the same on both sides at {key}; do not use the target, and begin again")]
    Differs {
        /// Its name.
        table: String,
        /// Key of the first row that differs.
        key: String,
    },
    /// The audits of source and target say different things.
    #[error("the audit of the target does not say what the audit here says: {why}; do not use the target")]
    Audit {
        /// What differs.
        why: String,
    },
}

impl TransferError {
    /// Stable code, for logs and exit messages.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Open(error) => error.code(),
            Self::Target => "transfer_target",
            Self::NotEmpty { .. } => "transfer_not_empty",
            Self::Busy => "transfer_busy",
            Self::Table { .. } => "transfer_table",
            Self::Differs { .. } => "transfer_differs",
            Self::Audit { .. } => "transfer_audit",
        }
    }
}

impl From<StoreError> for TransferError {
    fn from(error: StoreError) -> Self {
        Self::Open(OpenError::Database(error.to_string()))
    }
}

impl From<sqlx::Error> for TransferError {
    fn from(error: sqlx::Error) -> Self {
        Self::Open(error.into())
    }
}

/// Moves everything that the data directory keeps in SQLite to an empty PostgreSQL, and compares it there. Tells how
/// far it is. The SQLite file stays where it is, as it was.
///
/// # Errors
/// Each says what to do. After an error the target is refused until a move to it was carried through.
pub async fn transfer(
    options: Options,
    target: Database,
    progress: impl Fn(Progress<'_>) + Send + Sync,
) -> Result<Transferred, TransferError> {
    let now = options.clock.now();
    let engine = Engine::new(target, PathBuf::new());
    if !engine.dialect().is_shared() {
        return Err(TransferError::Target);
    }
    let source = Store::open(options).await?;
    let moved = move_all(&source, &engine, now, &progress).await;
    source.close().await;
    moved
}

async fn move_all(
    source: &Store,
    engine: &Engine,
    now: i64,
    progress: &(impl Fn(Progress<'_>) + Send + Sync),
) -> Result<Transferred, TransferError> {
    let (readers, chain) = (&source.0.readers, &source.0.chain);
    let sealed = seal::read(&source.0.directory, chain)
        .map_err(|error| OpenError::Directory { path: source.0.directory.seal(), why: error.to_string() })?;
    let expected = audit(readers, chain, &sealed, source.head()).await?;
    let tables = tables(readers).await?;
    engine.check().await?;
    let mut connection = engine.writer().await?;
    migration::migrate(&mut connection, engine.dialect(), now).await?;
    if !engine.dialect().claim_transfer(&mut connection).await? {
        return Err(TransferError::Busy);
    }
    begin(&mut connection, engine, &tables).await?;
    for table in &tables {
        copy(readers, &mut connection, engine, table, progress).await.map_err(|error| failed(table, &error))?;
    }
    let target = engine.readers().await?;
    let mut moved = Vec::new();
    for table in &tables {
        let same = compare(readers, &target, table).await?;
        progress(Progress::Compared { table: &same.table, rows: same.rows });
        moved.push(same);
    }
    let found = audit(&target, chain, &sealed, expected.head).await?;
    target.close().await;
    let verification = Verification { at: now, ..same(expected, found)? };
    // With this commit, and not before, the target can be used.
    Mark::Moving.clear(&mut connection).await?;
    Ok(Transferred { tables: moved, verification })
}

fn failed(table: &Table, error: &sqlx::Error) -> TransferError {
    TransferError::Table { table: table.name.clone(), why: error.to_string() }
}

/// Sets the mark, if there is nothing in the way.
async fn begin(connection: &mut Connection, engine: &Engine, tables: &[Table]) -> Result<(), TransferError> {
    engine.dialect().begin(connection).await?;
    if !Mark::Moving.is_set(connection).await? {
        for table in tables {
            // The head is there from the first migration on.
            let filter = if table.name == "head" { "where seq > 0" } else { "" };
            let sql = format!("select count(*) from (select 1 from {} {filter} limit 1) found", table.name);
            let rows: i64 = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut *connection).await?.try_get(0)?;
            if rows > 0 {
                return Err(TransferError::NotEmpty { what: format!("rows in `{}`", table.name) });
            }
        }
        Mark::Moving.set(connection).await?;
    }
    engine.dialect().commit(connection, None, &[]).await?;
    Ok(())
}

async fn copy(
    source: &AnyPool,
    target: &mut Connection,
    engine: &Engine,
    table: &Table,
    progress: &(impl Fn(Progress<'_>) + Send + Sync),
) -> Result<(), sqlx::Error> {
    // What an unfinished move, or the migration itself, left there.
    let leftover = format!("delete from {} {}", table.name, kept(table));
    sqlx::query(AssertSqlSafe(leftover)).execute(&mut *target).await?;
    let (mut last, mut rows) = (None, 0);
    loop {
        let page = page(source, table, last.as_ref(), "").await?;
        let Some(end) = page.last() else { return Ok(()) };
        last = Some(table.key(end));
        sqlx::raw_sql(engine.dialect().begin_schema()).execute(&mut *target).await?;
        for chunk in page.chunks(CHUNK) {
            table.insert(target, engine.dialect(), chunk).await?;
        }
        engine.dialect().commit(target, None, &[]).await?;
        rows += page.len() as u64;
        progress(Progress::Copied { table: &table.name, rows });
    }
}

/// What of a table on the target does not come from the source.
fn kept(table: &Table) -> &'static str {
    if table.name == "setting" { "where name <> 'transfer'" } else { "" }
}

/// Reads a table on both sides and compares row by row.
async fn compare(source: &AnyPool, target: &AnyPool, table: &Table) -> Result<Moved, TransferError> {
    let differs = |row: &Vec<Value>| TransferError::Differs {
        table: table.name.clone(),
        key: table.key(row).iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let mut digest = Digester::new();
    let mut last = None;
    loop {
        let here = page(source, table, last.as_ref(), "").await.map_err(|error| failed(table, &error))?;
        let there = page(target, table, last.as_ref(), kept(table)).await.map_err(|error| failed(table, &error))?;
        for (index, row) in here.iter().enumerate() {
            if there.get(index) != Some(row) {
                return Err(differs(row));
            }
            digest.add(row);
        }
        if let Some(more) = there.get(here.len()) {
            return Err(differs(more));
        }
        let Some(end) = here.last() else { break };
        last = Some(table.key(end));
    }
    let (rows, digest) = digest.finish();
    Ok(Moved { table: table.name.clone(), rows, digest })
}

/// The verification, if it is the same on both sides.
fn same(here: Verification, there: Verification) -> Result<Verification, TransferError> {
    if here == there {
        return Ok(here);
    }
    let why = format!("{} rows, head {} here; {} rows, head {} there", here.rows, here.head, there.rows, there.head);
    let new = there.faults.iter().find(|fault| !here.faults.contains(fault));
    Err(TransferError::Audit { why: new.cloned().unwrap_or(why) })
}
