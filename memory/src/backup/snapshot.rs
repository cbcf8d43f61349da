//! A copy of the database as it is at one moment, made beside a server that goes on.
//!
//! The copy is read in one transaction over a connection that cannot write: the server is not asked, its lock on the
//! directory is not needed, and its writer is not held up. What was erased is not in the copy, not even as a free page.
//! This is SQLite's own way (`vacuum into`); PostgreSQL has its own tools.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection};

use super::error::{BackupError, at};
use crate::chain::{Chain, Head};
use crate::dialect;
use crate::directory::{self, Directory};
use crate::feed::stored_head;
use crate::seal;

/// What a copy holds.
pub(super) struct Snapshot {
    /// The newest row of the audit.
    pub(super) head: Head,
    /// Migrations that were applied.
    pub(super) schema: i64,
}

/// Lays a copy of database, key and seal into `into`, as a data directory of its own. The seal there is one over the
/// copy's own newest row, unless the one of the source contradicts the copy: then that stays, for a person to see.
pub(super) async fn take(data: &Path, into: &Path) -> Result<Snapshot, BackupError> {
    let source = data.join("jarvis.db");
    let copy = Directory::open(into)?;
    for (from, to) in [
        // The seal before the database: whatever it vouches for must be in the copy.
        ("audit.seal", copy.seal()),
        ("audit.seal.refused", copy.refused_seal()),
        ("keys/audit.key", copy.audit_key()),
    ] {
        let from = data.join(from);
        if let Some(bytes) = directory::read_small(&from).map_err(at(&from))? {
            directory::replace(&to, &bytes).map_err(at(&to))?;
        }
    }
    vacuum(&source, &copy.database()).await?;
    let schema = newest_migration(&copy.database()).await?;
    let chain = Chain::open(&copy, false)?;
    let mut connection = dialect::writer(&copy.database()).await?;
    let head = stored_head(&mut connection).await.map_err(broken)?;
    seal::compare(&copy, &chain, &mut connection, dialect::Dialect::Sqlite, head.clone(), false).await?;
    if !copy.refused_seal().exists() {
        seal::write(&copy, &chain, &head).map_err(at(&copy.seal()))?;
    }
    connection.close().await.map_err(broken)?;
    Ok(Snapshot { head, schema })
}

fn broken(error: sqlx::Error) -> BackupError {
    BackupError::Database(error.to_string())
}

async fn connect(database: &Path) -> Result<SqliteConnection, BackupError> {
    SqliteConnectOptions::new()
        .filename(database)
        .read_only(true)
        .busy_timeout(Duration::from_secs(10))
        .disable_statement_logging()
        .connect()
        .await
        .map_err(broken)
}

async fn vacuum(source: &Path, into: &Path) -> Result<(), BackupError> {
    let name = into.to_str().ok_or_else(|| BackupError::file(into, "the path is not UTF-8; choose another"))?;
    let mut connection = connect(source).await?;
    sqlx::query("vacuum into ?1").bind(name).execute(&mut connection).await.map_err(broken)?;
    connection.close().await.map_err(broken)
}

async fn newest_migration(database: &Path) -> Result<i64, BackupError> {
    let mut connection = connect(database).await?;
    let found = sqlx::query("select coalesce(max(version), 0) from migration").fetch_one(&mut connection).await;
    let version = found.and_then(|row| row.try_get(0)).map_err(broken)?;
    connection.close().await.map_err(broken)?;
    Ok(version)
}

/// SQLite's own look at every page of a database: a sentence for each fault, at most 20.
pub(super) async fn check(database: &Path) -> Result<Vec<String>, BackupError> {
    let mut connection = connect(database).await?;
    let found = sqlx::query("pragma integrity_check(20)").fetch_all(&mut connection).await;
    // What can no longer be read as a database at all is a fault like every other.
    let told = match found {
        Ok(rows) => rows.iter().map(|row| row.try_get::<String, _>(0)).collect::<Result<Vec<_>, _>>(),
        Err(error) => Err(error),
    };
    let faults = told.unwrap_or_else(|error| vec![error.to_string()]);
    let _ = connection.close().await;
    Ok(faults.into_iter().filter(|line| line != "ok").collect())
}
