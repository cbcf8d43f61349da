//! Grants: kept, counted down with the intents that they let through, and taken back.

use async_trait::async_trait;
use jarvis_safety::GrantId;
use jarvis_safety::grant::Grant;
use jarvis_safety::port::Stored;
use sqlx::any::AnyRow;
use sqlx::{AnyPool, AssertSqlSafe, Row as _};

use crate::change::{Change, Tx};
use crate::dialect::Connection;
use crate::row::Row;
use crate::stored::{Halt, clean, conflict, from_json, from_word, to_json, unavailable};

const COLUMNS: &str = "id, terms, most, used, created_at, expires_at, created_by, revoked_at";

/// Lets a call through: neither used up, nor over, nor taken back.
const LIVE: &str = "used < most and revoked_at is null and expires_at >";

fn grant(row: &AnyRow) -> Result<Grant, Halt> {
    let count = |index| -> Result<u32, sqlx::Error> {
        let count: i64 = row.try_get(index)?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    };
    Ok(Grant {
        id: from_word("grant", row.try_get(0)?)?,
        terms: from_json("grant", row.try_get(1)?)?,
        most: count(2)?,
        used: count(3)?,
        created_at: row.try_get(4)?,
        expires_at: row.try_get(5)?,
        by: from_word("grant", row.try_get(6)?)?,
        revoked_at: row.try_get(7)?,
    })
}

/// Grants, newest first: those that are live at a time, or all.
pub(crate) async fn list(readers: &AnyPool, live_at: Option<i64>) -> Stored<Vec<Grant>> {
    let sql = match live_at {
        Some(_) => format!("select {COLUMNS} from granted where {LIVE} $1 order by created_at desc, id desc"),
        None => format!("select {COLUMNS} from granted where created_at > $1 order by created_at desc, id desc"),
    };
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(live_at.unwrap_or(i64::MIN)).fetch_all(readers).await;
    let rows = rows.map_err(|error| unavailable(&error))?;
    rows.iter().map(|row| grant(row).map_err(Into::into)).collect()
}

/// Whether one lets a call through at a time. Called by the intent of that call.
pub(crate) async fn is_live(connection: &mut Connection, id: &str, at: i64) -> Result<bool, Halt> {
    let sql = format!("select count(*) from granted where id = $1 and {LIVE} $2");
    let found = sqlx::query(AssertSqlSafe(sql)).bind(id).bind(at).fetch_one(connection).await?;
    Ok(found.try_get::<i64, _>(0)? == 1)
}

/// Counts a call that it let through.
pub(crate) async fn count(connection: &mut Connection, id: &str) -> Result<(), Halt> {
    sqlx::query("update granted set used = used + 1 where id = $1").bind(id).execute(connection).await?;
    Ok(())
}

/// Takes all back, those too that are over by this clock: what was taken back or used up since a backup is live in it.
pub(crate) async fn revoke_all(connection: &mut Connection, at: i64) -> Result<u64, Halt> {
    let revoked = sqlx::query("update granted set revoked_at = $1 where revoked_at is null").bind(at);
    Ok(revoked.execute(connection).await?.rows_affected())
}

/// Keeps a grant.
pub(crate) struct Give {
    pub(crate) grant: Grant,
    pub(crate) row: Row,
}

#[async_trait]
impl Change for Give {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        let Grant { id, terms, most, created_at, expires_at, by, .. } = &self.grant;
        let inserted = sqlx::query(
            "insert into granted (id, terms, most, created_at, expires_at, created_by) values ($1, $2, $3, $4, $5, $6) \
             on conflict do nothing returning id",
        )
        .bind(id.as_str())
        .bind(to_json("grant", terms)?)
        .bind(i64::from(*most))
        .bind(*created_at)
        .bind(*expires_at)
        .bind(clean(by.as_str()).as_ref())
        .fetch_optional(&mut *tx.connection)
        .await?;
        if inserted.is_none() {
            return Err(conflict(format!("{id} is there already")));
        }
        tx.tell(self.row.clone());
        Ok(())
    }
}

/// Takes a grant back. Answers whether it was there and not taken back before.
pub(crate) struct Revoke {
    pub(crate) id: GrantId,
    pub(crate) at: i64,
    pub(crate) row: Row,
}

#[async_trait]
impl Change for Revoke {
    type Answer = bool;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool, Halt> {
        let revoked = sqlx::query("update granted set revoked_at = $2 where id = $1 and revoked_at is null")
            .bind(self.id.as_str())
            .bind(self.at)
            .execute(&mut *tx.connection)
            .await?;
        if revoked.rows_affected() == 0 {
            return Ok(false);
        }
        tx.tell(self.row.clone());
        Ok(true)
    }
}
