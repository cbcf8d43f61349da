//! What differs between the two databases. Everything else is one SQL text for both.
//!
//! [`Database`] is where an operator says it is, [`Engine`] connects there, and [`Dialect`] says what is said otherwise
//! to one and to the other. The greatest difference is who else writes: SQLite has one process and one writer,
//! PostgreSQL is shared by replicas. There a transaction begins with the lock on the head of the chain, so that all
//! writing is one after the other on both, and a change may look first and write afterwards.

mod connection;
mod local;
mod postgres;
mod sqlite;

use std::path::PathBuf;
use std::sync::Arc;

use jarvis_safety::JobId;
use sqlx::{Any, AnyPool, AssertSqlSafe, Executor};
use tokio::sync::broadcast;

use crate::chain::Head;
use crate::change::Durability;
use crate::error::OpenError;
use crate::writer::Look;

pub(crate) use connection::{Connection, Lookup};
pub(crate) use local::Unappended;
pub(crate) use postgres::Listening;
use postgres::{Moved, Postgres};
pub(crate) use sqlite::LONG_LOG;
/// Opens a file of SQLite to write, wherever it lies: a backup, or the source of a move.
pub(crate) use sqlite::writer;

/// Where the database is.
#[derive(Clone, Default)]
pub enum Database {
    /// SQLite, in the data directory.
    #[default]
    Directory,
    /// PostgreSQL, which several replicas may share.
    Postgres(Url),
}

impl std::fmt::Debug for Database {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(match self {
            Self::Directory => "the data directory",
            Self::Postgres(_) => "PostgreSQL",
        })
    }
}

/// The address of a PostgreSQL database. It holds a password, so it cannot be printed.
#[derive(Clone)]
pub struct Url(String);

impl std::str::FromStr for Database {
    type Err = OpenError;

    /// `sqlite`, or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
    fn from_str(text: &str) -> Result<Self, OpenError> {
        let text = text.trim();
        if text.is_empty() || text == "sqlite" {
            return Ok(Self::Directory);
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return postgres::checked(text).map(|()| Self::Postgres(Url(text.to_owned())));
        }
        Err(OpenError::Database(
            "`database` takes `sqlite` or an address like `postgres://user:password@host:5432/jarvis`".to_owned(),
        ))
    }
}

/// How to connect to the database.
#[derive(Clone)]
pub(crate) enum Engine {
    Sqlite(PathBuf),
    Postgres(Postgres),
}

impl Engine {
    /// The database; `file` is where SQLite keeps it.
    pub(crate) fn new(database: Database, file: PathBuf) -> Self {
        match database {
            Database::Directory => Self::Sqlite(file),
            Database::Postgres(Url(url)) => Self::Postgres(Postgres::new(url)),
        }
    }

    pub(crate) const fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Whether the database can be used at all, before anything is asked of it.
    pub(crate) async fn check(&self) -> Result<(), OpenError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(server) => server.check().await,
        }
    }

    /// The one connection that writes and makes the checkpoints, beside or instead of others of this process.
    pub(crate) async fn another_writer(&self) -> Result<Connection, OpenError> {
        match self {
            Self::Sqlite(file) => sqlite::another_writer(file).await,
            Self::Postgres(server) => server.writer().await,
        }
    }

    /// The first connection of this process: the one that writes and makes the checkpoints.
    pub(crate) async fn writer(&self) -> Result<Connection, OpenError> {
        match self {
            Self::Sqlite(file) => writer(file).await,
            Self::Postgres(server) => server.writer().await,
        }
    }

    /// The connections that read.
    pub(crate) async fn readers(&self) -> Result<AnyPool, OpenError> {
        match self {
            Self::Sqlite(file) => sqlite::readers(file).await,
            Self::Postgres(server) => server.readers().await,
        }
    }

    /// Where something is looked up, beside the connections that read.
    pub(crate) async fn lookup(&self, readers: &AnyPool) -> Result<Lookup, OpenError> {
        let local = match self {
            Self::Sqlite(file) => Some(sqlite::lookup(file).await?),
            Self::Postgres(_) => None,
        };
        Ok(Lookup::new(local, readers.clone()))
    }

    /// Hears of what others write, for as long as the answer is held. Nobody else writes to SQLite.
    pub(crate) fn listen(
        &self,
        look: Look,
        own: Option<&Arc<str>>,
        jobs: &broadcast::Sender<Option<JobId>>,
    ) -> Option<Listening> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(server) => {
                own.map(|own| server.listen(look, Moved { own: Arc::clone(own), jobs: jobs.clone() }))
            }
        }
    }
}

/// What is said otherwise to one database and to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// Both, by their number.
    pub(crate) const COUNT: usize = 2;

    /// Whether other processes write to the same database.
    pub(crate) const fn is_shared(self) -> bool {
        matches!(self, Self::Postgres)
    }

    /// Appends the place of a parameter; its number is its position. SQLite finds a numbered one by its name, which it
    /// looks for among all others: in a statement with hundreds of them that costs more than the insert.
    pub(crate) fn place(self, sql: &mut String, number: usize) {
        match self {
            Self::Sqlite => sql.push('?'),
            Self::Postgres => {
                sql.push('$');
                sql.push_str(&number.to_string());
            }
        }
    }

    /// A migration as this database takes it.
    pub(crate) fn schema(self, text: &str) -> String {
        match self {
            Self::Sqlite => sqlite::schema(text),
            Self::Postgres => postgres::schema(text),
        }
    }

    /// Begins a transaction in which there may be no head yet.
    pub(crate) const fn begin_schema(self) -> &'static str {
        match self {
            Self::Sqlite => sqlite::BEGIN,
            Self::Postgres => postgres::BEGIN,
        }
    }

    /// Begins a transaction that will write, so that it cannot fail for that later; and nobody else writes until it
    /// ends. Answers the stored head where others may have moved it.
    pub(crate) async fn begin(self, connection: &mut Connection) -> Result<Option<Head>, sqlx::Error> {
        match self {
            Self::Sqlite => sqlx::query(sqlite::BEGIN).execute(connection).await.map(|_| None),
            Self::Postgres => postgres::begin(connection).await.map(Some),
        }
    }

    /// Commits, and tells the others how far the rows go if any were added, and which jobs have moved without one.
    pub(crate) async fn commit(
        self,
        connection: &mut Connection,
        told: Option<u64>,
        moved: &[String],
    ) -> Result<(), sqlx::Error> {
        match self {
            // Not raw: this one stays prepared.
            Self::Sqlite => sqlx::query("commit").execute(connection).await.map(|_| ()),
            Self::Postgres => {
                sqlx::raw_sql(AssertSqlSafe(postgres::commit(told, moved))).execute(connection).await.map(|_| ())
            }
        }
    }

    /// How durable a commit is that need be no more durable than this.
    pub(crate) const fn durability(self, asked: Durability) -> Durability {
        match self {
            Self::Sqlite => asked,
            // What it holds back from the disk is lost with the server's process, and not only with the power.
            Self::Postgres => Durability::Fsync,
        }
    }

    /// Says for the transactions that follow how durable they are before their commit returns.
    pub(crate) async fn set_durability(
        self,
        connection: &mut Connection,
        durability: Durability,
    ) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite => sqlite::set_durability(connection, durability).await,
            Self::Postgres => Ok(()),
        }
    }

    /// Waits for an answer, but not for ever where it comes over a network. A connection that was given up on is lost.
    pub(crate) async fn patiently<T>(
        self,
        answer: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        match self {
            Self::Sqlite => answer.await,
            Self::Postgres => {
                tokio::time::timeout(postgres::PATIENCE, answer).await.unwrap_or_else(|_| Err(postgres::silent()))
            }
        }
    }

    /// Whether an error means that the connection is of no use any more.
    pub(crate) fn lost(self, error: &sqlx::Error) -> bool {
        match self {
            Self::Sqlite => false,
            Self::Postgres => postgres::lost(error),
        }
    }

    /// Waits until nobody else brings the database to the newest version.
    pub(crate) async fn lock_schema(self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite => Ok(()),
            Self::Postgres => postgres::lock_schema(connection).await,
        }
    }

    pub(crate) async fn unlock_schema(self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite => Ok(()),
            Self::Postgres => postgres::unlock_schema(connection).await,
        }
    }

    /// Whether this connection alone moves everything to this database, for as long as it lives.
    pub(crate) async fn claim_transfer(self, connection: &mut Connection) -> Result<bool, sqlx::Error> {
        match self {
            Self::Sqlite => Ok(false),
            Self::Postgres => postgres::claim_transfer(connection).await,
        }
    }

    /// Sees that nothing that was erased is left in the database's log. Answers whether that could be done. The log of
    /// PostgreSQL is its administrator's.
    pub(crate) async fn purge(self, connection: &mut Connection) -> Result<bool, sqlx::Error> {
        match self {
            Self::Sqlite => sqlite::purge(connection).await,
            Self::Postgres => Ok(true),
        }
    }

    /// Writes what can be written of the log back into the database, if that is ours to do. Answers whether that was all;
    /// if not, what was written is not fsynced.
    pub(crate) async fn checkpoint(self, connection: &mut Connection) -> Result<bool, sqlx::Error> {
        match self {
            Self::Sqlite => sqlite::checkpoint(connection).await,
            Self::Postgres => Ok(true),
        }
    }

    /// Writes all of the log back into the database and fsyncs both, if that is ours to do. Answers whether that could be
    /// done.
    pub(crate) async fn finish(self, connection: &mut Connection) -> Result<bool, sqlx::Error> {
        match self {
            Self::Sqlite => sqlite::finish(connection).await,
            Self::Postgres => Ok(true),
        }
    }

    /// Whether an error of these says that the database could not be fsynced.
    pub(crate) fn unsynced(self, error: &sqlx::Error) -> bool {
        matches!(self, Self::Sqlite) && sqlite::unsynced(error)
    }
}

/// Carries out statements that have neither parameters nor an answer.
async fn run<C>(connection: &mut C, statements: &[&'static str]) -> Result<(), sqlx::Error>
where
    for<'c> &'c mut C: Executor<'c, Database = Any>,
{
    for statement in statements {
        sqlx::raw_sql(*statement).execute(&mut *connection).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_checked_and_its_password_never_shown() {
        assert!(matches!("sqlite".parse(), Ok(Database::Directory)));
        let found: Database = "postgres://jarvis:hunter2@db.lan:5432/jarvis".parse().unwrap();
        assert!(matches!(found, Database::Postgres(_)));
        assert!(!format!("{found:?}").contains("hunter2"));
        for wrong in ["mysql://jarvis:hunter2@db/jarvis", "postgres://jarvis:hunter2@:port/x", "jarvis.db"] {
            let error = wrong.parse::<Database>().unwrap_err().to_string();
            assert!(error.contains("postgres://") && !error.contains("hunter2"), "{error}");
        }
    }
}
