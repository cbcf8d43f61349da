//! What is written of secrets.

use std::sync::Arc;

use async_trait::async_trait;
use jarvis_safety::port::StoreError;
use jarvis_safety::secret::{Secret, SecretChange, SecretName, SecretRecord};
use sqlx::Row as _;

use crate::change::{Change, Tx};
use crate::dialect::Connection;
use crate::row::Row;
use crate::stored::{Halt, clean, conflict, to_json};

use super::cipher::{Envelope, Master};
use super::kept::{COLUMNS, Sealed, bound};

/// How long a value that was replaced or removed is still struck out, in milliseconds: 30 days.
const STRUCK: i64 = 30 * 24 * 60 * 60 * 1000;

/// Most secrets.
const MOST: i64 = 500;

async fn current(connection: &mut Connection, name: &SecretName) -> Result<Option<Sealed>, Halt> {
    let sql = format!("select {COLUMNS} from secret where name = $1 and retired_at is null");
    let found = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(name.as_str()).fetch_optional(connection).await?;
    found.as_ref().map(Sealed::read).transpose()
}

async fn number(connection: &mut Connection, sql: &'static str, value: &str) -> Result<i64, Halt> {
    Ok(sqlx::query(sql).bind(value).fetch_one(connection).await?.try_get(0)?)
}

/// Keeps a secret, or changes one.
pub(super) struct Keep {
    pub(super) master: Arc<Master>,
    pub(super) name: SecretName,
    pub(super) change: SecretChange,
    pub(super) at: i64,
    pub(super) row: Row,
}

impl Keep {
    /// What it becomes, and its value. Nothing is written.
    async fn judged(&self, connection: &mut Connection) -> Result<(SecretRecord, Secret, bool), Halt> {
        let name = self.name.as_str();
        // Another replica with another key would keep what nobody could open any more.
        let foreign = number(
            connection,
            "select count(*) from secret where key_id <> $1 and retired_at is null",
            self.master.id(),
        )
        .await?;
        if foreign > 0 {
            return Err(conflict("other secrets are sealed under another key; nothing was kept"));
        }
        let before = current(connection, &self.name).await?;
        let highest = number(connection, "select coalesce(max(version), 0) from secret where name = $1", name).await?;
        let Some(before) = before else {
            let Some(value) = self.change.value.clone() else {
                return Err(conflict(format!("there is no secret {name}; a new one needs a value")));
            };
            let count = sqlx::query("select count(*) from secret where retired_at is null");
            if count.fetch_one(connection).await?.try_get::<i64, _>(0)? >= MOST {
                return Err(conflict(format!("there are {MOST} secrets already; remove one first")));
            }
            let record = SecretRecord {
                name: self.name.clone(),
                note: self.change.note.clone().unwrap_or_default(),
                uses: self.change.uses.clone().unwrap_or_default(),
                version: highest.cast_unsigned() + 1,
                created_at: self.at,
                changed_at: self.at,
            };
            return Ok((record, value, false));
        };
        let closed = || StoreError::Unavailable(format!("the secret {name} cannot be opened; nothing was changed"));
        let value = before.open(&self.master).ok_or_else(closed)?;
        let same = self.change.value.as_ref().is_none_or(|new| new.expose() == value.expose());
        let narrower = self.change.uses.as_ref().is_some_and(|uses| *uses != before.record.uses);
        let record = SecretRecord {
            name: self.name.clone(),
            note: self.change.note.clone().unwrap_or(before.record.note),
            uses: self.change.uses.clone().unwrap_or(before.record.uses),
            // Also when the uses change: an older row must not open in its place.
            version: if same && !narrower { before.record.version } else { highest.cast_unsigned() + 1 },
            created_at: before.record.created_at,
            changed_at: if same { before.record.changed_at } else { self.at },
        };
        Ok((record, self.change.value.clone().unwrap_or(value), same))
    }
}

#[async_trait]
impl Change for Keep {
    type Answer = SecretRecord;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<SecretRecord, Halt> {
        let (record, value, same) = self.judged(tx.connection).await?;
        let unsealed = |why: String| Halt::from(StoreError::Unavailable(format!("it cannot be sealed: {why}")));
        let Envelope { wrapped, sealed } = self.master.seal(value.expose(), &bound(&record)?).map_err(unsealed)?;
        let uses = to_json("secret", &record.uses)?;
        let name = self.name.as_str();
        prune(tx.connection, self.at).await?;
        if same {
            sqlx::query("delete from secret where name = $1 and retired_at is null")
        } else {
            sqlx::query("update secret set retired_at = $2 where name = $1 and retired_at is null")
        }
        .bind(name)
        .bind(self.at)
        .execute(&mut *tx.connection)
        .await?;
        sqlx::query(
            "insert into secret (name, version, note, uses, key_id, wrapped, sealed, created_at, changed_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(name)
        .bind(record.version.cast_signed())
        .bind(clean(&record.note).as_ref())
        .bind(uses)
        .bind(self.master.id())
        .bind(wrapped)
        .bind(sealed)
        .bind(record.created_at)
        .bind(record.changed_at)
        .execute(&mut *tx.connection)
        .await?;
        tx.tell(self.row.clone());
        Ok(record)
    }
}

/// What was replaced long ago is forgotten.
async fn prune(connection: &mut Connection, now: i64) -> Result<(), Halt> {
    sqlx::query("delete from secret where retired_at < $1").bind(now - STRUCK).execute(connection).await?;
    Ok(())
}

/// Takes a secret out of use. Answers whether it was there.
pub(super) struct Remove {
    pub(super) name: SecretName,
    pub(super) at: i64,
    pub(super) row: Row,
}

#[async_trait]
impl Change for Remove {
    type Answer = bool;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool, Halt> {
        let removed = sqlx::query("update secret set retired_at = $2 where name = $1 and retired_at is null")
            .bind(self.name.as_str())
            .bind(self.at)
            .execute(&mut *tx.connection)
            .await?;
        if removed.rows_affected() == 0 {
            return Ok(false);
        }
        prune(tx.connection, self.at).await.map_err(Halt::after_writing)?;
        tx.tell(self.row.clone());
        Ok(true)
    }
}

/// Seals everything anew under another key of the vault.
pub(super) struct Rekey {
    pub(super) from: Arc<Master>,
    pub(super) to: Arc<Master>,
    pub(super) row: Row,
}

#[async_trait]
impl Change for Rekey {
    type Answer = u64;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<u64, Halt> {
        let sql = format!("select {COLUMNS} from secret where key_id = $1");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(self.from.id()).fetch_all(&mut *tx.connection).await?;
        let mut anew = Vec::with_capacity(rows.len());
        for row in &rows {
            let sealed = Sealed::read(row)?;
            let name = sealed.record.name.clone();
            let wrong = |why: &str| Halt::from(StoreError::Unavailable(format!("the secret {name}: {why}")));
            let value = sealed.open(&self.from).ok_or_else(|| wrong("the previous key does not open it"))?;
            let envelope = self.to.seal(value.expose(), &bound(&sealed.record)?).map_err(|why| wrong(&why))?;
            anew.push((sealed.record, envelope));
        }
        for (record, Envelope { wrapped, sealed }) in &anew {
            sqlx::query("update secret set key_id = $3, wrapped = $4, sealed = $5 where name = $1 and version = $2")
                .bind(record.name.as_str())
                .bind(record.version.cast_signed())
                .bind(self.to.id())
                .bind(wrapped.as_str())
                .bind(sealed.as_str())
                .execute(&mut *tx.connection)
                .await?;
        }
        if !anew.is_empty() {
            tx.tell(self.row.clone());
        }
        Ok(anew.len() as u64)
    }
}
