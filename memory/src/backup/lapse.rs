//! What must not outlive a restore: open approvals, because a yes must not be replayed; open jobs, because nobody knows
//! which of them ran after the backup was taken; open turns and runs of schedules in between, for the same reason; grants,
//! because what was used up or taken back since is live in a backup; and sessions.
//!
//! Tokens stay: they belong to programs that cannot sign in again. Calls that ran stay as they are; the next start
//! probes them like after every crash.

use async_trait::async_trait;
use jarvis_safety::approval::{Approval, ApprovalState};
use jarvis_safety::event::{Draft, EventKind};
use jarvis_safety::job::Jobs as _;
use jarvis_safety::port::{Ledger as _, Stored};
use jarvis_safety::{Actor, ActorId};
use sqlx::Row as _;

use crate::change::{Change, Tx};
use crate::grant;
use crate::job::JobStore;
use crate::mark::Mark;
use crate::row::Row;
use crate::store::Store;
use crate::stored::Halt;

/// Cards that lapse in one transaction.
const PAGE: u32 = 200;

/// Why, on each card.
const BECAUSE: &str = "the store was restored from a backup; ask again";

/// Why, on each job.
const JOB_BECAUSE: &str = "the store was restored from a backup, and nobody knows whether this ran after it was taken; \
                           look at the target, and hand it in again if it did not";

/// How many there were.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lapsed {
    pub(super) cards: u64,
    pub(super) jobs: u64,
    pub(super) grants: u64,
    pub(super) sessions: u64,
}

impl Store {
    /// Voids what was open when a backup was taken, and tells that the store was restored from it.
    pub(super) async fn lapse(&self, head: u64) -> Stored<Lapsed> {
        let open = [ApprovalState::Pending, ApprovalState::Approved, ApprovalState::Running];
        let mut lapsed = Lapsed::default();
        loop {
            let cards = self.approvals(&open, PAGE).await?;
            if cards.is_empty() {
                break;
            }
            lapsed.cards += cards.len() as u64;
            self.0.writer.submit(LapseCards { cards, at: self.0.clock.now() }).await?;
        }
        loop {
            let ended = self.0.writer.submit(LapseJobs { at: self.0.clock.now() }).await?;
            if ended == 0 {
                break;
            }
            lapsed.jobs += ended;
        }
        self.skip_runs().await?;
        lapsed.grants = self.0.writer.submit(RevokeGrants { at: self.0.clock.now() }).await?;
        lapsed.sessions = self.0.writer.submit(EndSessions { head, lapsed }).await?;
        self.0.sessions.end_all();
        Ok(lapsed)
    }
}

impl Store {
    /// Lets every schedule go on with its next run from now.
    async fn skip_runs(&self) -> Stored<()> {
        let now = self.0.clock.now();
        let due = JobStore::new(self).schedules(None).await?;
        let moved = due.iter().filter(|schedule| schedule.active).map(|schedule| {
            let next = schedule.timetable.after(now);
            (schedule.id.to_string(), next)
        });
        self.0.writer.submit(MoveSchedules(moved.collect())).await
    }
}

struct MoveSchedules(Vec<(String, Option<i64>)>);

#[async_trait]
impl Change for MoveSchedules {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        for (id, next) in &self.0 {
            let moved = sqlx::query("update schedule set next_at = $2 where id = $1").bind(id.as_str()).bind(*next);
            moved.execute(&mut *tx.connection).await?;
        }
        Ok(())
    }
}

/// Ends a page of open jobs as *unknown*, and answers how many.
struct LapseJobs {
    at: i64,
}

#[async_trait]
impl Change for LapseJobs {
    type Answer = u64;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<u64, Halt> {
        let open = sqlx::query(
            "select id, actor from job where state in ('queued', 'running', 'waiting') order by id limit $1",
        )
        .bind(i64::from(PAGE))
        .fetch_all(&mut *tx.connection)
        .await?;
        for found in &open {
            let (id, actor): (&str, &str) = (found.try_get(0)?, found.try_get(1)?);
            sqlx::query(
                "update job set state = 'unknown', error = $2, ended_at = $3, worker = null, lease_until = null, \
                 run_at = null where id = $1",
            )
            .bind(id)
            .bind(JOB_BECAUSE)
            .bind(self.at)
            .execute(&mut *tx.connection)
            .await?;
            let told = row(EventKind::JobUnknown, ActorId::new(actor), id, format!("void: {JOB_BECAUSE}"));
            tx.tell(Row::own(told).map_err(|error| Halt::from(error).after_writing())?);
        }
        Ok(open.len() as u64)
    }
}

fn row(kind: EventKind, owner: ActorId, subject: &str, summary: String) -> Draft {
    Draft {
        kind,
        actor: Actor::system().id,
        owner,
        subject: subject.to_owned(),
        correlation: "restore".to_owned(),
        tool: None,
        tier: None,
        summary,
        body: None,
    }
}

struct LapseCards {
    cards: Vec<Approval>,
    at: i64,
}

#[async_trait]
impl Change for LapseCards {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        for card in &self.cards {
            let id = card.id.as_str();
            let pending = card.state == ApprovalState::Pending;
            // A step that ran when the backup was taken is settled by the next start; none comes after it.
            let (state, kind, skip) = match pending {
                true => (ApprovalState::Expired, EventKind::ApprovalExpired, false),
                false => (ApprovalState::Stale, EventKind::ApprovalStale, true),
            };
            sqlx::query(
                "update approval set state = $2, because = $3, decided_at = coalesce(decided_at, $4), \
                 decided_by = coalesce(decided_by, $5), finished_at = coalesce(finished_at, $4) where id = $1",
            )
            .bind(id)
            .bind(state.as_str())
            .bind(BECAUSE)
            .bind(self.at)
            .bind(Actor::system().id.as_str())
            .execute(&mut *tx.connection)
            .await?;
            if skip {
                sqlx::query("update approval_step set state = 'skipped' where approval = $1 and state = 'waiting'")
                    .bind(id)
                    .execute(&mut *tx.connection)
                    .await?;
            }
            let told = row(kind, card.actor.id.clone(), id, format!("void: {BECAUSE}"));
            let told = Draft { tier: Some(card.tier), tool: card.steps.first().map(|step| step.tool.clone()), ..told };
            tx.tell(Row::own(told).map_err(|error| Halt::from(error).after_writing())?);
        }
        Ok(())
    }
}

struct RevokeGrants {
    at: i64,
}

#[async_trait]
impl Change for RevokeGrants {
    type Answer = u64;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<u64, Halt> {
        grant::revoke_all(tx.connection, self.at).await
    }
}

struct EndSessions {
    head: u64,
    lapsed: Lapsed,
}

#[async_trait]
impl Change for EndSessions {
    type Answer = u64;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<u64, Halt> {
        // Nobody knows how far it came: a person asks again.
        sqlx::query("update turn set state = 'stopped' where state in ('running', 'waiting')")
            .execute(&mut *tx.connection)
            .await?;
        let ended = sqlx::query("delete from session").execute(&mut *tx.connection).await?.rows_affected();
        let Lapsed { cards, jobs, grants, .. } = self.lapsed;
        let summary = format!(
            "restored from a backup that ends with row {}; made void: {cards} open approvals, {jobs} open jobs, {grants} \
             grants; sessions ended: {ended}",
            self.head
        );
        let told = row(EventKind::ServerStarted, Actor::system().id, "restore", summary);
        // All of it is void with this commit, and not before.
        Mark::Voiding.clear(tx.connection).await?;
        tx.tell(Row::own(told).map_err(|error| Halt::from(error).after_writing())?);
        Ok(ended)
    }
}
