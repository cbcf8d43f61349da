//! SQLite: how to connect, the pragmas, which version can be trusted, and what is erased.

use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyPool, ConnectOptions as _, Row as _};

use super::local::Local;
use super::{Connection, run};
use crate::change::Durability;
use crate::error::OpenError;

/// First SQLite without the WAL-reset bug (2026-03-03), which can corrupt a database with two connections.
const OLDEST: (u32, u32, u32) = (3, 51, 3);

/// Another process that writes is waited for so long.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
const PATIENTLY: &str = "pragma busy_timeout = 10000";

/// What every connection that writes is told.
const WRITING: [&str; 7] = [
    PATIENTLY,
    durability(Durability::Fsync),
    "pragma foreign_keys = on",
    // SQLite's own checkpoint keeps to itself that it failed; see `checkpoint`.
    "pragma wal_autocheckpoint = 0",
    // What is erased is overwritten, and not only unlinked.
    "pragma secure_delete = on",
    "pragma mmap_size = 0",
    // After a burst the log file shrinks again.
    "pragma journal_size_limit = 16777216",
];

/// Connections that only read.
const READERS: u32 = 4;

/// Begins a transaction that will write.
pub(super) const BEGIN: &str = "begin immediate";

/// Pages of the log from which on it is brought into the database.
pub(crate) const LONG_LOG: i64 = 1000;

/// A migration: only `integer` is SQLite's own row number.
pub(super) fn schema(text: &str) -> String {
    text.replace("{{sequence}}", "integer")
}

fn options(database: &Path) -> Result<AnyConnectOptions, OpenError> {
    sqlx::any::install_default_drivers();
    let path = database.to_str().ok_or_else(|| OpenError::Directory {
        path: database.to_owned(),
        why: "its name is not UTF-8; choose another with --data".to_owned(),
    })?;
    let mut url = String::from("sqlite://");
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url.push_str("?mode=rw");
    Ok(AnyConnectOptions::from_str(&url)?.disable_statement_logging())
}

/// The first connection of this process to a file: one that works on the thread that asks.
///
/// One that could not be made ready is left open until the process ends. SQLite (seen with 3.51.3) may lose everything when it
/// closes the only connection of a database whose shared memory could not be opened at first and can be by then: it
/// removes the log without having written it back, and answers that all is well.
pub(crate) async fn writer(database: &Path) -> Result<Connection, OpenError> {
    let mut connection = Connection::Local(Local::open(database)?);
    match make_ready(&mut connection, database).await {
        Ok(()) => Ok(connection),
        Err(error) => {
            std::mem::forget(connection);
            Err(error)
        }
    }
}

/// One beside others, which keep the shared memory open.
pub(super) async fn another_writer(database: &Path) -> Result<Connection, OpenError> {
    let mut connection = Connection::Local(Local::open(database)?);
    make_ready(&mut connection, database).await?;
    Ok(connection)
}

async fn make_ready(connection: &mut Connection, database: &Path) -> Result<(), OpenError> {
    let found: String = sqlx::query("select sqlite_version()").fetch_one(&mut *connection).await?.try_get(0)?;
    if version(&found) < OLDEST {
        let (major, minor, patch) = OLDEST;
        return Err(OpenError::Engine {
            found: format!("SQLite {found}"),
            why: format!("before {major}.{minor}.{patch} it can corrupt a database; build with the bundled one"),
        });
    }
    run(connection, &WRITING).await?;
    run(connection, &["pragma journal_mode = wal"]).await?;
    let mode: String = sqlx::query("pragma journal_mode").fetch_one(&mut *connection).await?.try_get(0)?;
    if mode != "wal" {
        return Err(OpenError::Database(format!(
            "the file system under {} cannot hold SQLite's log (journal mode is {mode}); use a local disk",
            database.display()
        )));
    }
    Ok(())
}

fn version(text: &str) -> (u32, u32, u32) {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}

/// What every connection that reads is told.
const READING: [&str; 4] =
    [PATIENTLY, "pragma query_only = on", "pragma wal_autocheckpoint = 0", "pragma mmap_size = 0"];

/// A connection that reads on the thread that asks.
pub(super) async fn lookup(database: &Path) -> Result<Local, OpenError> {
    let mut connection = Connection::Local(Local::open(database)?);
    run(&mut connection, &READING).await?;
    run(&mut connection, &["pragma cache_size = -1024"]).await?;
    match connection {
        Connection::Local(local) => Ok(local),
        _ => Err(OpenError::Database("a connection to a file is one to a server".to_owned())),
    }
}

pub(super) async fn readers(database: &Path) -> Result<AnyPool, OpenError> {
    let pool = AnyPoolOptions::new()
        .max_connections(READERS)
        .test_before_acquire(false)
        .acquire_timeout(PATIENCE)
        .after_connect(|connection, _| Box::pin(async move { run(connection, &READING).await }))
        .connect_with(options(database)?)
        .await?;
    Ok(pool)
}

/// How a connection is told what its commits must survive.
pub(super) const fn durability(durability: Durability) -> &'static str {
    match durability {
        Durability::Wal => "pragma synchronous = normal",
        Durability::Fsync => "pragma synchronous = full",
    }
}

pub(super) async fn set_durability(connection: &mut Connection, wanted: Durability) -> Result<(), sqlx::Error> {
    run(connection, &[durability(wanted)]).await
}

/// Writes the log back and empties its file. Somebody who reads holds it up, and is waited for only shortly.
pub(super) async fn purge(connection: &mut Connection) -> Result<bool, sqlx::Error> {
    run(connection, &["pragma busy_timeout = 500"]).await?;
    let emptied = empty(connection).await;
    run(connection, &[PATIENTLY]).await?;
    emptied
}

/// Brings what can be brought of the log into the database, without waiting for anybody who reads. Answers whether that
/// was all; if not, what was brought is not fsynced.
pub(super) async fn checkpoint(connection: &mut Connection) -> Result<bool, sqlx::Error> {
    let row = sqlx::query("pragma wal_checkpoint(passive)").fetch_one(connection).await?;
    let (busy, log, brought): (i64, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    Ok(busy == 0 && brought >= log)
}

/// Brings all of the log into the database and empties it. Answers whether that could be done.
pub(super) async fn finish(connection: &mut Connection) -> Result<bool, sqlx::Error> {
    run(connection, &["pragma synchronous = full"]).await?;
    empty(connection).await
}

async fn empty(connection: &mut Connection) -> Result<bool, sqlx::Error> {
    let busy: i64 = sqlx::query("pragma wal_checkpoint(truncate)").fetch_one(connection).await?.try_get(0)?;
    Ok(busy == 0)
}

/// Whether a file could not be fsynced.
pub(super) fn unsynced(error: &sqlx::Error) -> bool {
    const IOERR_FSYNC: &str = "1034";
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == IOERR_FSYNC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert!(version("3.9.0") < OLDEST);
        assert!(version("3.51.2") < OLDEST);
        assert!(version("3.51.3") >= OLDEST);
        assert!(version("3.100.0") > OLDEST);
        assert!(version("rubbish") < OLDEST);
    }
}
