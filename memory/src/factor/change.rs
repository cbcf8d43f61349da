//! What is written of the second factor.

use async_trait::async_trait;
use jarvis_safety::port::Stored;
use sqlx::{AnyPool, Row as _};

use crate::change::{Change, Tx};
use crate::dialect::Connection;
use crate::row::Row;
use crate::stored::{Halt, conflict, unavailable};

/// When it was turned on, and how many recovery codes are left; nothing while it is off.
pub(super) async fn state(readers: &AnyPool) -> Stored<Option<(i64, u32)>> {
    let sql = "select set_at, (select count(*) from recovery_code where spent_at is null) from second_factor";
    let found = sqlx::query(sql).fetch_optional(readers).await.map_err(|error| unavailable(&error))?;
    let read = |row: sqlx::any::AnyRow| Ok((row.try_get(0)?, u32::try_from(row.try_get::<i64, _>(1)?).unwrap_or(0)));
    found.map(read).transpose().map_err(|error: sqlx::Error| unavailable(&error))
}

/// Turns it on; the code of `step` is spent by that.
pub(super) struct TurnOn {
    pub(super) step: i64,
    /// Digests of the recovery codes.
    pub(super) codes: Vec<String>,
    pub(super) at: i64,
    pub(super) row: Row,
}

#[async_trait]
impl Change for TurnOn {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        let made = sqlx::query(
            "insert into second_factor (id, step, set_at) values (1, $1, $2) on conflict do nothing returning id",
        )
        .bind(self.step)
        .bind(self.at)
        .fetch_optional(&mut *tx.connection)
        .await?;
        if made.is_none() {
            return Err(conflict("the second factor is on already; turn it off first"));
        }
        sqlx::query("delete from recovery_code").execute(&mut *tx.connection).await?;
        for code in &self.codes {
            sqlx::query("insert into recovery_code (digest) values ($1)")
                .bind(code.as_str())
                .execute(&mut *tx.connection)
                .await?;
        }
        tx.tell(self.row.clone());
        Ok(())
    }
}

/// Turns it off. Answers whether it was on.
pub(super) struct TurnOff {
    pub(super) row: Row,
}

#[async_trait]
impl Change for TurnOff {
    type Answer = bool;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool, Halt> {
        let was_on = sqlx::query("select id from second_factor").fetch_optional(&mut *tx.connection).await?.is_some();
        forget(tx.connection).await?;
        if was_on {
            tx.tell(self.row.clone());
        }
        Ok(was_on)
    }
}

/// Takes it away with its key and its recovery codes: whoever resets the password has neither.
pub(crate) async fn forget(connection: &mut Connection) -> Result<(), Halt> {
    sqlx::query("delete from second_factor").execute(&mut *connection).await?;
    sqlx::query("delete from recovery_code").execute(&mut *connection).await?;
    sqlx::query("delete from secret where name = $1").bind(super::NAME).execute(&mut *connection).await?;
    Ok(())
}

/// Spends the code of a step: none at or before the last one that was spent.
pub(super) struct SpendStep(pub(super) i64);

#[async_trait]
impl Change for SpendStep {
    type Answer = bool;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool, Halt> {
        let spent = sqlx::query("update second_factor set step = $1 where step < $1")
            .bind(self.0)
            .execute(&mut *tx.connection)
            .await?;
        Ok(spent.rows_affected() == 1)
    }
}

/// Spends a recovery code, by its digest.
pub(super) struct SpendRecovery {
    pub(super) digest: String,
    pub(super) at: i64,
}

#[async_trait]
impl Change for SpendRecovery {
    type Answer = bool;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool, Halt> {
        let spent = sqlx::query("update recovery_code set spent_at = $2 where digest = $1 and spent_at is null")
            .bind(self.digest.as_str())
            .bind(self.at)
            .execute(&mut *tx.connection)
            .await?;
        Ok(spent.rows_affected() == 1)
    }
}
