//! Taking jobs. All writing is one after the other on both databases (see `dialect`), so no row needs a lock of its own.

use async_trait::async_trait;
use jarvis_safety::job::{Claim, JobRecord};
use sqlx::AssertSqlSafe;

use super::record::{COLUMNS, record};
use crate::change::{Change, Tx};
use crate::stored::{Halt, clean};

/// Most jobs whose time has come that are made ready at once.
const RIPE: u32 = 1000;

/// Takes jobs of a queue.
pub(super) struct Claiming {
    claim: Claim,
    sql: String,
}

impl Claiming {
    pub(super) fn new(claim: &Claim) -> Self {
        // $1 worker, $2 now, $3 queue, $4 how many; then each kind and its lease.
        let place = |kind: usize| (kind * 2 + 5, kind * 2 + 6);
        let kinds = 0..claim.kinds.len();
        let leases: Vec<_> =
            kinds.clone().map(place).map(|(kind, until)| format!("when ${kind} then ${until}")).collect();
        let names: Vec<_> = kinds.map(place).map(|(kind, _)| format!("${kind}")).collect();
        let sql = format!(
            "update job set state = 'running', epoch = epoch + 1, attempt = attempt + 1, worker = $1, \
             started_at = coalesce(started_at, $2), lease_until = case kind {} end \
             where id in (select id from job where state = 'queued' and run_at is null and queue = $3 and kind in ({}) \
             order by priority desc, id limit $4) returning {COLUMNS}",
            leases.join(" "),
            names.join(", ")
        );
        Self { claim: claim.clone(), sql }
    }

    #[cfg(test)]
    pub(super) fn sql(&self) -> &str {
        &self.sql
    }
}

/// Makes ready what has become due.
pub(super) fn ripening() -> String {
    format!(
        "update job set run_at = null where id in (select id from job where state = 'queued' and run_at is not null \
         and run_at <= $1 order by run_at limit {RIPE})"
    )
}

#[async_trait]
impl Change for Claiming {
    type Answer = Vec<JobRecord>;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<JobRecord>, Halt> {
        let claim = &self.claim;
        if claim.kinds.is_empty() {
            return Ok(Vec::new());
        }
        sqlx::query(AssertSqlSafe(ripening())).bind(claim.at).execute(&mut *tx.connection).await?;
        let mut query = sqlx::query(AssertSqlSafe(self.sql.clone()))
            .bind(clean(&claim.worker).into_owned())
            .bind(claim.at)
            .bind(claim.queue.as_str())
            .bind(i64::from(claim.most));
        for (kind, until) in &claim.kinds {
            query = query.bind(kind.as_str()).bind(*until);
        }
        let rows = query.fetch_all(&mut *tx.connection).await?;
        // What cannot be read is not taken: nothing of this claim is.
        let taken: Result<Vec<_>, _> = rows.iter().map(record).collect();
        let mut taken = taken.map_err(Halt::after_writing)?;
        taken.iter().for_each(|job| tx.moved(&job.id));
        taken.sort_by(|a, b| b.priority.cmp(&a.priority).then_with(|| a.id.cmp(&b.id)));
        Ok(taken)
    }
}
