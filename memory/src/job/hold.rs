//! What a worker says of a job while it holds it. None of this is fsynced: whoever held it is gone with the power.

use async_trait::async_trait;
use jarvis_safety::job::{Appended, Beat, Hold, JobProgress};
use jarvis_safety::port::{StoreError, Stored};
use jarvis_safety::{ActorId, ApprovalId};
use sqlx::{AssertSqlSafe, Row as _};

use super::record::HELD;
use crate::change::{Change, Durability, Tx};
use crate::stored::{Halt, clean, to_json};

/// Longest piece of output, in bytes.
const PIECE: usize = 16 * 1024;
/// Most output that is kept of a job, in bytes.
const OUTPUT: i64 = 1024 * 1024;
/// Most pieces that are kept of a job.
const PIECES: i64 = 4096;

/// The statement that renews a hold.
pub(super) fn beating() -> String {
    format!("update job set lease_until = $3 where id = $1 and epoch = $2 and {HELD} returning cancelled_by")
}

/// Renews a hold.
pub(super) struct Beating {
    pub(super) hold: Hold,
    pub(super) until: i64,
}

#[async_trait]
impl Change for Beating {
    type Answer = Beat;

    fn durability(&self) -> Durability {
        Durability::Wal
    }

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Beat, Halt> {
        let held = sqlx::query(AssertSqlSafe(beating()))
            .bind(self.hold.job.as_str())
            .bind(self.hold.epoch.cast_signed())
            .bind(self.until)
            .fetch_optional(&mut *tx.connection)
            .await?;
        let Some(held) = held else { return Ok(Beat::Lost) };
        let stop: Option<String> = held.try_get(0)?;
        Ok(stop.map_or(Beat::Held, |by| Beat::Stop(ActorId::new(by))))
    }
}

/// Keeps how far a job is.
pub(super) struct KeepProgress {
    hold: Hold,
    json: String,
}

impl KeepProgress {
    pub(super) fn new(hold: &Hold, progress: &JobProgress) -> Stored<Self> {
        Ok(Self { hold: hold.clone(), json: to_json("progress", progress)? })
    }
}

#[async_trait]
impl Change for KeepProgress {
    type Answer = bool;

    fn durability(&self) -> Durability {
        Durability::Wal
    }

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool, Halt> {
        let sql = format!("update job set progress = $3 where id = $1 and epoch = $2 and {HELD}");
        let kept = sqlx::query(AssertSqlSafe(sql))
            .bind(self.hold.job.as_str())
            .bind(self.hold.epoch.cast_signed())
            .bind(self.json.as_str())
            .execute(&mut *tx.connection)
            .await?;
        tx.moved(&self.hold.job);
        Ok(kept.rows_affected() > 0)
    }
}

/// Marks a job as waiting for an approval, or as running.
pub(super) struct Parking {
    pub(super) hold: Hold,
    pub(super) approval: Option<ApprovalId>,
}

#[async_trait]
impl Change for Parking {
    type Answer = bool;

    fn durability(&self) -> Durability {
        Durability::Wal
    }

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool, Halt> {
        let sql = format!(
            "update job set state = $3, approval = coalesce($4, approval) where id = $1 and epoch = $2 and {HELD}"
        );
        let state = if self.approval.is_some() { "waiting" } else { "running" };
        let held = sqlx::query(AssertSqlSafe(sql))
            .bind(self.hold.job.as_str())
            .bind(self.hold.epoch.cast_signed())
            .bind(state)
            .bind(self.approval.as_ref().map(ApprovalId::as_str))
            .execute(&mut *tx.connection)
            .await?;
        tx.moved(&self.hold.job);
        Ok(held.rows_affected() > 0)
    }
}

/// Keeps a piece of output.
pub(super) struct PutOut {
    hold: Hold,
    text: String,
    at: i64,
}

impl PutOut {
    pub(super) fn new(hold: &Hold, text: &str, at: i64) -> Stored<Self> {
        if text.len() > PIECE {
            let size = text.len();
            return Err(StoreError::Conflict(format!(
                "a piece of output has {size} bytes, and at most {PIECE} are kept"
            )));
        }
        Ok(Self { hold: hold.clone(), text: clean(text).into_owned(), at })
    }
}

#[async_trait]
impl Change for PutOut {
    type Answer = Appended;

    fn durability(&self) -> Durability {
        Durability::Wal
    }

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Appended, Halt> {
        let (id, epoch) = (self.hold.job.as_str(), self.hold.epoch.cast_signed());
        let sql = format!(
            "update job set chunks = chunks + 1, put_out = put_out + $3 where id = $1 and epoch = $2 and {HELD} \
             and chunks < {PIECES} and put_out + $3 <= {OUTPUT} returning chunks"
        );
        let counted = sqlx::query(AssertSqlSafe(sql))
            .bind(id)
            .bind(epoch)
            .bind(self.text.len() as i64)
            .fetch_optional(&mut *tx.connection)
            .await?;
        let Some(counted) = counted else {
            let sql = format!("select id from job where id = $1 and epoch = $2 and {HELD}");
            let held = sqlx::query(AssertSqlSafe(sql)).bind(id).bind(epoch).fetch_optional(&mut *tx.connection).await?;
            return Ok(if held.is_some() { Appended::Full } else { Appended::Lost });
        };
        let number: i64 = counted.try_get(0)?;
        sqlx::query("insert into job_output (job, number, at, text) values ($1, $2, $3, $4)")
            .bind(id)
            .bind(number)
            .bind(self.at)
            .bind(self.text.as_str())
            .execute(&mut *tx.connection)
            .await?;
        tx.moved(&self.hold.job);
        Ok(Appended::Kept(number.cast_unsigned()))
    }
}
