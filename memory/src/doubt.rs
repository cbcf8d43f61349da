//! Outcomes that nobody can tell, of calls and of jobs, until a person has looked.

use std::collections::HashSet;

use async_trait::async_trait;
use jarvis_safety::ActorId;
use jarvis_safety::call::CallRecord;
use jarvis_safety::doubt::Doubt;
use jarvis_safety::job::JobRecord;
use jarvis_safety::port::Stored;
use sqlx::AnyPool;

use crate::change::{Change, Tx};
use crate::row::Row;
use crate::stored::{Halt, clean};
use crate::{call, job};

/// The newest of them. A job in doubt stands for the call that its actor made with its key.
pub(crate) async fn list(readers: &AnyPool, actor: Option<&ActorId>, limit: u32) -> Stored<Vec<Doubt>> {
    let jobs = job::doubts(readers, actor, limit).await?;
    let made: HashSet<_> = jobs.iter().map(|job| (job.actor.clone(), Some(job.call_key()))).collect();
    let calls = call::doubts(readers, actor, limit).await?;
    let alone = |call: &CallRecord| !made.contains(&(call.actor.clone(), call.key.clone()));
    let mut doubts: Vec<Doubt> =
        calls.into_iter().filter(alone).map(of_call).chain(jobs.into_iter().map(of_job)).collect();
    doubts.sort_by_key(|doubt| std::cmp::Reverse(doubt.at));
    doubts.truncate(limit as usize);
    Ok(doubts)
}

fn of_call(call: CallRecord) -> Doubt {
    Doubt {
        subject: call.id.to_string(),
        actor: call.actor,
        what: call.tool,
        target: Some(call.target.name),
        words: call.outcome.map(|outcome| outcome.words).unwrap_or_default(),
        at: call.created_at,
    }
}

fn of_job(job: JobRecord) -> Doubt {
    Doubt {
        subject: job.id.to_string(),
        actor: job.actor,
        what: job.title,
        target: None,
        words: job.error.unwrap_or_default(),
        at: job.created_at,
    }
}

/// A person has looked. Answers whether it was in doubt and nobody had.
pub(crate) struct Acknowledge {
    pub(crate) subject: String,
    pub(crate) at: i64,
    pub(crate) row: Row,
}

#[async_trait]
impl Change for Acknowledge {
    type Answer = bool;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool, Halt> {
        let mut found = 0;
        for sql in [
            "update call set acknowledged_at = $2 where state = 'unknown' and acknowledged_at is null \
             and (id = $1 or (idempotency = 'job:' || $1 and actor = (select actor from job where id = $1)))",
            "update job set acknowledged_at = $2 where state = 'unknown' and acknowledged_at is null and id = $1",
        ] {
            let done = sqlx::query(sql).bind(clean(&self.subject).as_ref()).bind(self.at);
            found += done.execute(&mut *tx.connection).await?.rows_affected();
        }
        if found > 0 {
            tx.tell(self.row.clone());
        }
        Ok(found > 0)
    }
}
