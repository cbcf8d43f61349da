//! Tables as a move sees them: columns, a key, and rows of plain values.

use jarvis_safety::digest::hex;
use sha2::{Digest as _, Sha256};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{AnyPool, Arguments as _, AssertSqlSafe, Row as _};

use crate::dialect::{Connection, Dialect};

/// Rows that are read at once: of the largest texts that are kept still no more than some dozen megabytes.
const PAGE: usize = 256;

/// One table.
pub(crate) struct Table {
    pub(crate) name: String,
    columns: Vec<Column>,
    /// Places of the key's columns, in the order of the key.
    key: Vec<usize>,
}

struct Column {
    name: String,
    kind: Kind,
}

/// What a column holds. Others are not used, because the two databases do not agree on them.
#[derive(Clone, Copy)]
enum Kind {
    Integer,
    Real,
    Text,
    Blob,
}

/// What stands in one column of one row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Integer(Option<i64>),
    Real(Option<f64>),
    Text(Option<String>),
    Blob(Option<Vec<u8>>),
}

impl std::fmt::Display for Value {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer(Some(number)) => write!(to, "{number}"),
            Self::Real(Some(number)) => write!(to, "{number}"),
            Self::Text(Some(text)) => to.write_str(text),
            Self::Blob(Some(bytes)) => write!(to, "{} bytes", bytes.len()),
            Self::Integer(None) | Self::Real(None) | Self::Text(None) | Self::Blob(None) => to.write_str("nothing"),
        }
    }
}

/// All tables of SQLite, each after those that it refers to: a migration cannot make them otherwise.
pub(crate) async fn tables(source: &AnyPool) -> Result<Vec<Table>, sqlx::Error> {
    let names = sqlx::query(
        "select name from sqlite_master where type = 'table' and name not like 'sqlite!_%' escape '!' \
         and name <> 'migration' order by rowid",
    )
    .fetch_all(source)
    .await?;
    let mut tables = Vec::with_capacity(names.len());
    for name in names {
        let name: String = name.try_get(0)?;
        let columns = sqlx::query("select name, lower(type), pk from pragma_table_info($1) order by cid")
            .bind(name.as_str())
            .fetch_all(source)
            .await?;
        tables.push(table(name, &columns)?);
    }
    Ok(tables)
}

fn table(name: String, rows: &[AnyRow]) -> Result<Table, sqlx::Error> {
    let mut columns = Vec::with_capacity(rows.len());
    let mut key: Vec<(i64, usize)> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let (column, kind, place): (String, &str, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let kind = match kind {
            "integer" | "bigint" => Kind::Integer,
            "real" | "double precision" => Kind::Real,
            "text" => Kind::Text,
            "blob" | "bytea" => Kind::Blob,
            other => return Err(unknown(format!("{name}.{column} is of the type {other}"))),
        };
        if place > 0 {
            key.push((place, index));
        }
        columns.push(Column { name: column, kind });
    }
    if key.is_empty() {
        return Err(unknown(format!("{name} has no key")));
    }
    key.sort_unstable();
    Ok(Table { name, columns, key: key.into_iter().map(|(_, index)| index).collect() })
}

fn unknown(what: String) -> sqlx::Error {
    sqlx::Error::Configuration(format!("{what}, which no move knows").into())
}

impl Table {
    /// The key of a row.
    pub(crate) fn key(&self, row: &[Value]) -> Vec<Value> {
        self.key.iter().map(|index| row[*index].clone()).collect()
    }

    fn names(&self, columns: impl Iterator<Item = usize>) -> String {
        columns.map(|index| self.columns[index].name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn read(&self, row: &AnyRow) -> Result<Vec<Value>, sqlx::Error> {
        let read = |(index, column): (usize, &Column)| {
            Ok(match column.kind {
                Kind::Integer => Value::Integer(row.try_get(index)?),
                Kind::Real => Value::Real(row.try_get(index)?),
                Kind::Text => Value::Text(row.try_get(index)?),
                Kind::Blob => Value::Blob(row.try_get(index)?),
            })
        };
        self.columns.iter().enumerate().map(read).collect()
    }

    /// Inserts rows with one statement.
    pub(crate) async fn insert(
        &self,
        connection: &mut Connection,
        dialect: Dialect,
        rows: &[Vec<Value>],
    ) -> Result<(), sqlx::Error> {
        let mut sql = format!("insert into {} ({}) values ", self.name, self.names(0..self.columns.len()));
        let mut arguments = AnyArguments::default();
        let mut place = 0;
        for (index, row) in rows.iter().enumerate() {
            sql.push_str(if index == 0 { "(" } else { ", (" });
            for (column, value) in row.iter().enumerate() {
                sql.push_str(if column == 0 { "" } else { ", " });
                place += 1;
                dialect.place(&mut sql, place);
                bind(&mut arguments, value)?;
            }
            sql.push(')');
        }
        sqlx::query_with(AssertSqlSafe(sql), arguments).execute(connection).await?;
        Ok(())
    }
}

fn bind(arguments: &mut AnyArguments, value: &Value) -> Result<(), sqlx::Error> {
    match value.clone() {
        Value::Integer(value) => arguments.add(value),
        Value::Real(value) => arguments.add(value),
        Value::Text(value) => arguments.add(value),
        Value::Blob(value) => arguments.add(value),
    }
    .map_err(sqlx::Error::Encode)
}

/// The rows that follow a key, in the order of their keys, which is the order of bytes on both databases.
pub(crate) async fn page(
    pool: &AnyPool,
    table: &Table,
    after: Option<&Vec<Value>>,
    filter: &str,
) -> Result<Vec<Vec<Value>>, sqlx::Error> {
    let (all, key) = (table.names(0..table.columns.len()), table.names(table.key.iter().copied()));
    let mut sql = format!("select {all} from {}", table.name);
    let mut arguments = AnyArguments::default();
    let mut and = " where";
    if !filter.is_empty() {
        sql.push(' ');
        sql.push_str(filter);
        and = " and";
    }
    if let Some(after) = after {
        let places: Vec<_> = (1..=after.len()).map(|place| format!("${place}")).collect();
        sql.push_str(&format!("{and} ({key}) > ({})", places.join(", ")));
        for value in after {
            bind(&mut arguments, value)?;
        }
    }
    sql.push_str(&format!(" order by {key} limit {PAGE}"));
    let rows = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_all(pool).await?;
    rows.iter().map(|row| table.read(row)).collect()
}

/// Digest over rows.
pub(crate) struct Digester {
    rows: u64,
    hasher: Sha256,
}

impl Digester {
    pub(crate) fn new() -> Self {
        Self { rows: 0, hasher: Sha256::new() }
    }

    /// Adds a row: each value with its kind and length in front, so that none can pass for two.
    pub(crate) fn add(&mut self, row: &[Value]) {
        self.rows += 1;
        for value in row {
            match value {
                Value::Integer(Some(number)) => self.put(b'i', &number.to_le_bytes()),
                Value::Real(Some(number)) => self.put(b'r', &number.to_le_bytes()),
                Value::Text(Some(text)) => self.put(b't', text.as_bytes()),
                Value::Blob(Some(bytes)) => self.put(b'b', bytes),
                Value::Integer(None) | Value::Real(None) | Value::Text(None) | Value::Blob(None) => self.put(b'n', &[]),
            }
        }
    }

    fn put(&mut self, kind: u8, bytes: &[u8]) {
        self.hasher.update([kind]);
        self.hasher.update((bytes.len() as u64).to_le_bytes());
        self.hasher.update(bytes);
    }

    pub(crate) fn finish(self) -> (u64, String) {
        (self.rows, hex(&self.hasher.finalize()))
    }
}
