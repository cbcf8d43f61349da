//! Rows that are appended to SQLite on the writer's own thread.
//!
//! The driver of both databases keeps a thread for each connection to SQLite; to wake it and be woken by it costs a lone
//! client more than a row does. Most batches are nothing but rows, so the writer has a second connection for them, which
//! works on the thread that calls it. That waits for the disk: it must not be one of the runtime's.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::sqlite;
use crate::chain::Head;
use crate::change::Durability;
use crate::error::OpenError;
use crate::row::{self, Linked};

/// The connection.
pub(crate) struct Appender {
    connection: Connection,
    /// What the connection was told last.
    durability: Durability,
}

/// Why rows were not appended.
pub(crate) enum Unappended {
    /// The database could not be had; nothing was tried.
    NotBegun(sqlx::Error),
    /// A statement failed; all was rolled back.
    Broken(sqlx::Error),
    /// The commit failed; nobody knows.
    Unknown(sqlx::Error),
}

impl Appender {
    pub(super) fn open(database: &Path) -> Result<Self, OpenError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || {
            let connection = Connection::open_with_flags(database, flags)?;
            // Only the ends of tables are needed in memory.
            for pragma in sqlite::WRITING.iter().chain(&["pragma cache_size = -512"]) {
                connection.execute_batch(pragma)?;
            }
            Ok(Self { connection, durability: Durability::Fsync })
        };
        open().map_err(|error: rusqlite::Error| OpenError::Database(told(&error).to_string()))
    }

    /// Appends rows and moves the head, in a transaction.
    pub(crate) fn append(&mut self, rows: &[Linked], head: &Head, durability: Durability) -> Result<(), Unappended> {
        self.begin(durability).map_err(|error| Unappended::NotBegun(told(&error)))?;
        if let Err(error) = row::append(&self.connection, rows, head) {
            self.roll_back();
            return Err(Unappended::Broken(told(&error)));
        }
        self.run("commit").map_err(|error| {
            self.roll_back();
            Unappended::Unknown(told(&error))
        })
    }

    fn begin(&mut self, durability: Durability) -> rusqlite::Result<()> {
        if durability != self.durability {
            // Outside a transaction: inside one it has no effect.
            self.connection.execute_batch(sqlite::durability(durability))?;
            self.durability = durability;
        }
        self.run(sqlite::BEGIN)
    }

    fn run(&self, statement: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(statement)?.execute([]).map(|_| ())
    }

    fn roll_back(&self) {
        // A commit that failed may have rolled back by itself.
        if !self.connection.is_autocommit()
            && let Err(error) = self.run("rollback")
        {
            tracing::warn!(%error, "a transaction could not be rolled back");
        }
    }
}

/// The error with the number by which SQLite's documentation explains it.
fn told(error: &rusqlite::Error) -> sqlx::Error {
    let words = match error.sqlite_error() {
        Some(failure) => format!("(code: {}) {error}", failure.extended_code),
        None => error.to_string(),
    };
    sqlx::Error::Io(std::io::Error::other(words))
}
