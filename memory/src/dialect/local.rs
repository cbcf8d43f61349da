//! SQLite on the thread that asks.
//!
//! sqlx keeps a thread for each of its connections to SQLite. To wake it and be woken by it takes longer than most
//! statements do, and the writer has a thread of its own anyway. So the writer, and whoever looks something up along an
//! index, asks here; the statements are the same, and so are the rows. What waits for the disk or reads much is not for a
//! thread of the runtime, except at a start.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Batch, OpenFlags, Statement, ToSql};
use sqlx::any::{AnyArguments, AnyQueryResult, AnyRow, AnyTypeInfo, AnyTypeInfoKind, AnyValue};
use sqlx::error::{DatabaseError, ErrorKind};
use sqlx_core::any::{AnyColumn, AnyValueKind};

use super::sqlite;
use crate::chain::Head;
use crate::row::{self, Linked};

/// Statements that stay prepared.
const PREPARED: usize = 128;

/// A connection.
#[derive(Debug)]
pub(crate) struct Local(rusqlite::Connection);

/// Rows, and how many others were changed.
pub(super) type Answer = (Vec<AnyRow>, AnyQueryResult);

/// Why rows were not appended.
pub(crate) enum Unappended {
    /// The database could not be had at once; nothing was tried.
    NotBegun,
    /// A statement failed; all was rolled back.
    Broken,
    /// The commit failed; nobody knows.
    Unknown(sqlx::Error),
}

impl Local {
    pub(super) fn open(database: &Path) -> Result<Self, sqlx::Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = rusqlite::Connection::open_with_flags(database, flags).map_err(told)?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        Ok(Self(connection))
    }

    /// Carries out one statement with arguments, or a script without any. Answers so many rows at most.
    pub(super) fn run(
        &mut self,
        sql: &str,
        arguments: Option<&AnyArguments>,
        most: usize,
    ) -> Result<Answer, sqlx::Error> {
        let mut rows = Vec::new();
        let ran = match arguments {
            Some(arguments) => self.0.prepare_cached(sql).and_then(|mut statement| {
                bind(&mut statement, arguments).and_then(|()| take(&mut statement, most, &mut rows))
            }),
            None => script(&self.0, sql, most, &mut rows),
        };
        ran.map_err(told)?;
        Ok((rows, AnyQueryResult { rows_affected: self.0.changes(), last_insert_id: None }))
    }

    /// Inserts rows and their bodies, in a transaction that has begun.
    pub(crate) fn insert(&self, rows: &[Linked]) -> Result<(), sqlx::Error> {
        row::insert_here(&self.0, rows).map_err(told)
    }

    /// Appends rows and moves the head, in a transaction, unless somebody else holds the database: then nobody waits.
    pub(crate) fn append(&self, rows: &[Linked], head: &Head) -> Result<(), Unappended> {
        let begun = self.0.busy_timeout(Duration::ZERO).and_then(|()| self.step(sqlite::BEGIN));
        let patient = self.0.busy_timeout(sqlite::PATIENCE);
        if begun.and(patient).is_err() {
            self.roll_back();
            return Err(Unappended::NotBegun);
        }
        if row::insert_here(&self.0, rows).and_then(|()| row::move_head_here(&self.0, head)).is_err() {
            self.roll_back();
            return Err(Unappended::Broken);
        }
        self.step("commit").map_err(|error| {
            self.roll_back();
            Unappended::Unknown(told(error))
        })
    }

    /// Pages in the log that are not in the database yet.
    pub(crate) fn log(&self) -> Result<i64, sqlx::Error> {
        let looked = self
            .0
            .prepare_cached("pragma wal_checkpoint(noop)")
            .and_then(|mut statement| statement.query_row([], |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?)));
        looked.map_err(told)
    }

    pub(super) fn close(self) -> Result<(), sqlx::Error> {
        self.0.close().map_err(|(_, error)| told(error))
    }

    fn step(&self, statement: &str) -> rusqlite::Result<()> {
        self.0.prepare_cached(statement)?.execute([]).map(|_| ())
    }

    fn roll_back(&self) {
        // A commit that failed may have rolled back by itself.
        if !self.0.is_autocommit()
            && let Err(error) = self.step("rollback")
        {
            tracing::warn!(%error, "a transaction could not be rolled back");
        }
    }
}

fn script(connection: &rusqlite::Connection, sql: &str, most: usize, rows: &mut Vec<AnyRow>) -> rusqlite::Result<()> {
    let mut statements = Batch::new(connection, sql);
    while let Some(mut statement) = statements.next()? {
        take(&mut statement, most, rows)?;
    }
    Ok(())
}

/// Gives a statement its values: `$3` is the third, and a `?` the next one.
fn bind(statement: &mut Statement<'_>, arguments: &AnyArguments) -> rusqlite::Result<()> {
    let values = &arguments.values.0;
    let mut next = 0;
    for place in 1..=statement.parameter_count() {
        let number = statement.parameter_name(place).and_then(|name| name.get(1..)?.parse::<usize>().ok());
        let number = number.unwrap_or_else(|| {
            next += 1;
            next
        });
        let value = number.checked_sub(1).and_then(|index| values.get(index));
        let value = value.ok_or(rusqlite::Error::InvalidParameterCount(values.len(), number))?;
        statement.raw_bind_parameter(place, Bound(value))?;
    }
    Ok(())
}

/// Carries a statement out to its end, unless it only reads and nobody wants more.
fn take(statement: &mut Statement<'_>, most: usize, rows: &mut Vec<AnyRow>) -> rusqlite::Result<()> {
    let (columns, reads) = (statement.column_count(), statement.readonly());
    let mut found = statement.raw_query();
    while let Some(row) = found.next()? {
        if rows.len() < most {
            rows.push(any(row, columns)?);
        }
        if reads && rows.len() == most {
            break;
        }
    }
    Ok(())
}

/// A row as the other driver answers it.
fn any(row: &rusqlite::Row<'_>, columns: usize) -> rusqlite::Result<AnyRow> {
    let mut found = AnyRow {
        column_names: Arc::default(),
        columns: Vec::with_capacity(columns),
        values: Vec::with_capacity(columns),
    };
    for ordinal in 0..columns {
        let (kind, type_of) = match row.get_ref(ordinal)? {
            ValueRef::Null => (AnyValueKind::Null(AnyTypeInfoKind::Null), AnyTypeInfoKind::Null),
            ValueRef::Integer(number) => (AnyValueKind::BigInt(number), AnyTypeInfoKind::BigInt),
            ValueRef::Real(number) => (AnyValueKind::Double(number), AnyTypeInfoKind::Double),
            ValueRef::Text(text) => {
                let text = std::str::from_utf8(text).map_err(|error| rusqlite::Error::Utf8Error(ordinal, error))?;
                (AnyValueKind::Text(Arc::new(text.to_owned())), AnyTypeInfoKind::Text)
            }
            ValueRef::Blob(bytes) => (AnyValueKind::Blob(Arc::new(bytes.to_vec())), AnyTypeInfoKind::Blob),
        };
        // Columns are found by their position alone.
        found.columns.push(AnyColumn { ordinal, name: "".into(), type_info: AnyTypeInfo { kind: type_of } });
        found.values.push(AnyValue { kind });
    }
    Ok(found)
}

/// A value on its way into a statement.
struct Bound<'v>(&'v AnyValueKind);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self.0 {
            AnyValueKind::Null(_) => ValueRef::Null,
            AnyValueKind::Bool(value) => ValueRef::Integer(i64::from(*value)),
            AnyValueKind::SmallInt(value) => ValueRef::Integer(i64::from(*value)),
            AnyValueKind::Integer(value) => ValueRef::Integer(i64::from(*value)),
            AnyValueKind::BigInt(value) => ValueRef::Integer(*value),
            AnyValueKind::Real(value) => ValueRef::Real(f64::from(*value)),
            AnyValueKind::Double(value) => ValueRef::Real(*value),
            AnyValueKind::Text(text) => ValueRef::Text(text.as_bytes()),
            AnyValueKind::TextSlice(text) => ValueRef::Text(text.as_bytes()),
            AnyValueKind::Blob(bytes) => ValueRef::Blob(bytes),
            other => return Err(rusqlite::Error::ToSqlConversionFailure(format!("{other:?}").into())),
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

/// An error with the number by which SQLite's documentation explains it.
#[derive(Debug)]
struct Told {
    code: Option<i32>,
    error: rusqlite::Error,
}

pub(super) fn told(error: rusqlite::Error) -> sqlx::Error {
    let code = error.sqlite_error().map(|failure| failure.extended_code);
    sqlx::Error::Database(Box::new(Told { code, error }))
}

impl fmt::Display for Told {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(code) = self.code {
            write!(to, "(code: {code}) ")?;
        }
        write!(to, "{}", self.error)
    }
}

impl Error for Told {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

impl DatabaseError for Told {
    fn message(&self) -> &str {
        "see its text"
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        self.code.map(|code| Cow::Owned(code.to_string()))
    }

    fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}
