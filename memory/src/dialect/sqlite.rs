//! SQLite: how to connect, the pragmas, which version can be trusted, and what is erased.

use std::path::Path;
use std::str::FromStr as _;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, ConnectOptions as _, Row as _};

use super::run;
use crate::change::Durability;
use crate::error::OpenError;

/// First SQLite without the WAL-reset bug (2026-03-03), which can corrupt a database with two connections.
const OLDEST: (u32, u32, u32) = (3, 51, 3);

/// Another process that writes is waited for so long.
const PATIENCE: &str = "pragma busy_timeout = 10000";

/// What every connection that writes is told.
pub(super) const WRITING: [&str; 6] = [
    PATIENCE,
    durability(Durability::Fsync),
    "pragma foreign_keys = on",
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

/// Whether the statement before this one has written something.
pub(crate) const WRITTEN: &str = "changes() > 0";

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

/// The first connection of this process.
///
/// One that could not be made ready is left open until the process ends. SQLite (seen with 3.51.3) may lose everything when it
/// closes the only connection of a database whose shared memory could not be opened at first and can be by then: it
/// removes the log without having written it back, and answers that all is well.
pub(crate) async fn writer(database: &Path) -> Result<AnyConnection, OpenError> {
    let mut connection = options(database)?.connect().await?;
    match make_ready(&mut connection, database).await {
        Ok(()) => Ok(connection),
        Err(error) => {
            std::mem::forget(connection);
            Err(error)
        }
    }
}

/// One beside others, which keep the shared memory open.
pub(super) async fn another_writer(database: &Path) -> Result<AnyConnection, OpenError> {
    let mut connection = options(database)?.connect().await?;
    make_ready(&mut connection, database).await?;
    Ok(connection)
}

async fn make_ready(connection: &mut AnyConnection, database: &Path) -> Result<(), OpenError> {
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

pub(super) async fn readers(database: &Path) -> Result<AnyPool, OpenError> {
    let pool = AnyPoolOptions::new()
        .max_connections(READERS)
        .test_before_acquire(false)
        .acquire_timeout(std::time::Duration::from_secs(10))
        .after_connect(|connection, _| {
            Box::pin(async move {
                run(
                    connection,
                    &[PATIENCE, "pragma query_only = on", "pragma wal_autocheckpoint = 0", "pragma mmap_size = 0"],
                )
                .await
            })
        })
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

pub(super) async fn set_durability(connection: &mut AnyConnection, wanted: Durability) -> Result<(), sqlx::Error> {
    run(connection, &[durability(wanted)]).await
}

/// Writes the log back and empties its file. Somebody who reads holds it up, and is waited for only shortly.
pub(super) async fn purge(connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    run(connection, &["pragma busy_timeout = 500"]).await?;
    let busy: Result<i32, _> =
        async { sqlx::query("pragma wal_checkpoint(truncate)").fetch_one(&mut *connection).await?.try_get(0) }.await;
    run(connection, &[PATIENCE]).await?;
    busy.map(|busy| busy == 0)
}

pub(super) async fn checkpoint(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    run(connection, &["pragma synchronous = full", "pragma wal_checkpoint(truncate)"]).await
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
