//! Wanting a job to stop: what is queued ends at once, what is held is told.

use async_trait::async_trait;
use jarvis_safety::job::{Cancel, Cancelled, JobState};
use jarvis_safety::port::Stored;
use jarvis_safety::secret::Redactor;
use sqlx::{AssertSqlSafe, Row as _};

use super::record::HELD;
use crate::change::{Change, Tx};
use crate::row::Row;
use crate::stored::{Halt, clean, from_word, not_found};

/// Wants a job to stop.
pub(super) struct Cancelling {
    id: String,
    by: String,
    at: i64,
    ended: Row,
    stopping: Row,
}

impl Cancelling {
    pub(super) fn new(redactor: &Redactor, cancel: Cancel) -> Stored<Self> {
        Ok(Self {
            id: cancel.job.to_string(),
            by: clean(cancel.by.as_str()).into_owned(),
            at: cancel.at,
            ended: Row::new(redactor, cancel.ended)?,
            stopping: Row::new(redactor, cancel.stopping)?,
        })
    }
}

#[async_trait]
impl Change for Cancelling {
    type Answer = Cancelled;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Cancelled, Halt> {
        let id = self.id.as_str();
        let ended = sqlx::query(
            "update job set state = 'cancelled', cancelled_by = $2, ended_at = $3, run_at = null \
             where id = $1 and state = 'queued'",
        )
        .bind(id)
        .bind(self.by.as_str())
        .bind(self.at)
        .execute(&mut *tx.connection)
        .await?;
        if ended.rows_affected() > 0 {
            tx.tell(self.ended.clone());
            return Ok(Cancelled::Ended);
        }
        // Who wanted it first stays.
        let sql = format!("update job set cancelled_by = $2 where id = $1 and {HELD} and cancelled_by is null");
        let told = sqlx::query(AssertSqlSafe(sql)).bind(id).bind(self.by.as_str()).execute(&mut *tx.connection).await?;
        if told.rows_affected() > 0 {
            tx.tell(self.stopping.clone());
            return Ok(Cancelled::Stopping);
        }
        let found = sqlx::query("select state from job where id = $1").bind(id).fetch_optional(&mut *tx.connection);
        let found = found.await?.ok_or_else(|| not_found("job", id))?;
        let state: JobState = from_word(id, found.try_get(0)?)?;
        Ok(if state.is_final() { Cancelled::Over(state) } else { Cancelled::Stopping })
    }
}
