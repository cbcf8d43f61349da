//! Rows that are written to SQLite on the very thread that asks for it.
//!
//! The driver of both databases keeps a thread for each connection to SQLite. To wake it and be woken by it costs a lone
//! client more than a row does that need not be fsynced, which is copied into memory of the kernel. So such rows have a
//! connection of their own, without a thread. What cannot be written here, for example because another process holds the
//! database, goes the usual way, which waits and tells what is wrong. Nothing here waits, and nothing here fsyncs: the
//! log is written back over the other connection.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::sqlite;
use crate::chain::Head;
use crate::error::OpenError;
use crate::row::{self, Linked};

/// Pages of the log after which it is written back; as many as SQLite itself waits for.
const PAGES: usize = 1000;

/// Pages that a transaction writes whatever its rows are: the ends of two tables and of an index, and the head.
const PAGES_EACH: usize = 4;

/// The connection.
pub(crate) struct Inline {
    connection: Connection,
    /// About how many pages it added to the log since that was last written back.
    pages: usize,
}

impl Inline {
    pub(super) fn open(database: &Path) -> Result<Self, OpenError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || {
            let connection = Connection::open_with_flags(database, flags)?;
            connection.busy_timeout(Duration::ZERO)?;
            // Only the ends of tables are needed in memory. Pages that are split leave nothing behind, as elsewhere.
            connection.execute_batch(
                "pragma synchronous = normal; pragma wal_autocheckpoint = 0; pragma mmap_size = 0; \
                 pragma foreign_keys = on; pragma secure_delete = on; pragma cache_size = -512",
            )?;
            connection.execute_batch(sqlite::LOG_LIMIT)?;
            Ok(Self { connection, pages: 0 })
        };
        open().map_err(|error: rusqlite::Error| OpenError::Database(error.to_string()))
    }

    /// Appends rows and moves the head. Answers whether it did; if not, nothing was written.
    ///
    /// # Errors
    /// If the commit failed, so that nobody knows.
    pub(crate) fn append(&mut self, rows: &[Linked], head: &Head) -> Result<bool, sqlx::Error> {
        let begun = self.run(sqlite::BEGIN).and_then(|()| row::insert_inline(&self.connection, rows, head));
        if let Err(error) = begun {
            tracing::debug!(%error, "rows are not written at once");
            self.roll_back();
            return Ok(false);
        }
        if let Err(error) = self.run("commit") {
            self.roll_back();
            return Err(sqlx::Error::AnyDriverError(Box::new(error)));
        }
        self.pages += PAGES_EACH + rows.len() / 2;
        Ok(true)
    }

    /// Whether no transaction was left open, which would keep everybody else from writing.
    pub(crate) fn is_sound(&self) -> bool {
        self.connection.is_autocommit()
    }

    /// Whether the log should be written back. Asks for it once.
    pub(crate) const fn is_behind(&mut self) -> bool {
        let behind = self.pages >= PAGES;
        if behind {
            self.pages = 0;
        }
        behind
    }

    fn run(&self, statement: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(statement)?.execute([]).map(|_| ())
    }

    fn roll_back(&self) {
        if !self.is_sound()
            && let Err(error) = self.run("rollback")
        {
            tracing::warn!(%error, "a transaction could not be rolled back");
        }
    }
}
