//! Retention: what is older than the operator wants to keep goes, a little at a time.
//!
//! Rows of the audit stay for ever; what goes are the texts beside them, and what was only kept for convenience:
//! conversations, settled calls, finished cards, ended jobs. Each transaction takes a page and tells in the audit how
//! much, so the chain stays whole and calls wait for no more than one page. Effects that are in doubt stay until a
//! person has looked, and what was done in a conversation goes after it, because erasing it must still find what is
//! about it.

use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;
use jarvis_safety::event::{Draft, EventKind};
use jarvis_safety::port::{Feed as _, StoreError, Stored};
use jarvis_safety::{Actor, ActorId, ConversationId};
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::any::AnyRow;
use tokio::time::MissedTickBehavior;

use crate::change::{Change, Durability, Tx};
use crate::erase::Delete;
use crate::row::Row;
use crate::store::Store;
use crate::stored::{Halt, from_word, unavailable};

/// Rows in one transaction: about 10 ms on a slow disk.
const PAGE: i64 = 500;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Time between two runs.
const PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// How many days things are kept. What is absent is kept for ever.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Arguments, outputs and texts of events.
    pub event_bodies_days: Option<NonZeroU32>,
    /// Conversations, from the last word in them.
    pub conversations_days: Option<NonZeroU32>,
    /// Settled calls and finished approval cards. Their idempotency keys are forgotten with them, and they can no longer
    /// be taken back.
    pub calls_days: Option<NonZeroU32>,
    /// Jobs that have ended, with what they put out and their idempotency keys.
    pub jobs_days: Option<NonZeroU32>,
}

/// How much went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Bodies of events, without those of conversations.
    pub bodies: u64,
    /// Conversations.
    pub conversations: u64,
    /// Settled calls.
    pub calls: u64,
    /// Finished cards.
    pub cards: u64,
    /// Ended grants.
    pub grants: u64,
    /// Ended jobs.
    pub jobs: u64,
}

impl Store {
    /// Prunes now and then once a day, for as long as it is polled.
    pub async fn keep_pruning(&self, rules: &Retention) {
        let mut tick = tokio::time::interval(PAUSE);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            match self.prune(rules).await {
                Ok(pruned) if pruned == Pruned::default() => {}
                Ok(pruned) => tracing::info!(?pruned, "what was older than the retention allows is gone"),
                Err(error) => tracing::error!(%error, "retention broke off; it goes on tomorrow or at the next start"),
            }
        }
    }

    /// Prunes what is older than the rules allow.
    ///
    /// # Errors
    /// If the store fails; what was pruned until then stays pruned.
    pub async fn prune(&self, rules: &Retention) -> Stored<Pruned> {
        let now = self.0.clock.now();
        let before = |days: NonZeroU32| now.saturating_sub(i64::from(days.get()) * DAY_MS);
        let mut pruned = Pruned::default();
        if let Some(days) = rules.conversations_days {
            pruned.conversations = self.prune_conversations(before(days), days).await?;
        }
        if let Some(days) = rules.calls_days {
            pruned.calls = self.prune_table(&CALLS, before(days), days).await?;
            pruned.cards = self.prune_table(&CARDS, before(days), days).await?;
            pruned.grants = self.prune_table(&GRANTS, before(days), days).await?;
        }
        if let Some(days) = rules.jobs_days {
            pruned.jobs = self.prune_table(&JOBS, before(days), days).await?;
        }
        if let Some(days) = rules.event_bodies_days {
            let first_kept = self.first_since(before(days)).await?;
            loop {
                let erased = self.0.writer.submit(EraseBodies { first_kept, days }).await?;
                pruned.bodies += erased;
                if erased < PAGE.cast_unsigned() {
                    break;
                }
            }
        }
        if pruned != Pruned::default() {
            self.0.writer.submit(Swept).await?;
        }
        Ok(pruned)
    }

    /// Sequence of the first row since a time. Times grow with the sequence, so twenty rows out of a million tell.
    async fn first_since(&self, time: i64) -> Stored<i64> {
        let (mut low, mut high) = (1, self.head().cast_signed() + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            // Where a row is missing the next one stands for it.
            let found = sqlx::query("select seq, at from event where seq >= $1 order by seq limit 1")
                .bind(middle)
                .fetch_optional(&self.0.readers)
                .await
                .map_err(|error| unavailable(&error))?;
            let read = |row: AnyRow| Ok((row.try_get(0)?, row.try_get(1)?));
            let found: Option<(i64, i64)> = found.map(read).transpose().map_err(|error| unavailable(&error))?;
            match found {
                Some((seq, at)) if at < time => low = seq + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    async fn prune_conversations(&self, before: i64, days: NonZeroU32) -> Stored<u64> {
        let (mut count, mut after) = (0, (i64::MIN, String::new()));
        loop {
            let rows = sqlx::query(OLD_CONVERSATIONS)
                .bind(before)
                .bind(after.0)
                .bind(after.1.as_str())
                .fetch_all(&self.0.readers)
                .await
                .map_err(|error| unavailable(&error))?;
            for row in &rows {
                let read = || Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
                let (id, owner, at): (String, String, i64) = read().map_err(|error| unavailable(&error))?;
                count += self.drop_conversation(&id, owner, before, days).await?;
                after = (at, id);
            }
            if rows.is_empty() {
                return Ok(count);
            }
        }
    }

    async fn drop_conversation(&self, id: &str, owner: String, before: i64, days: NonZeroU32) -> Stored<u64> {
        let id: ConversationId = from_word("conversation", id)?;
        let summary = format!("a conversation was erased: nothing was said in it for {days} days");
        let draft = row(EventKind::ConversationDeleted, ActorId::new(owner), id.as_str(), summary);
        let inner = Delete::new(&self.0.redactor, &id, draft, self.0.clock.now())?;
        match self.0.writer.submit(DropConversation { id, before, inner }).await {
            Ok(()) => Ok(1),
            // Somebody spoke in it or erased it a moment ago.
            Err(StoreError::NotFound(_)) => Ok(0),
            Err(error) => Err(error),
        }
    }

    async fn prune_table(&self, table: &'static Table, before: i64, days: NonZeroU32) -> Stored<u64> {
        let (mut after, mut count) = (String::new(), 0);
        loop {
            let page = self.0.writer.submit(PrunePage { table, after, before, days }).await?;
            count += page.pruned;
            match page.last {
                Some(last) => after = last,
                None => return Ok(count),
            }
        }
    }
}

/// Conversations in which nothing was said since a time and nothing goes on, a page behind the last one.
const OLD_CONVERSATIONS: &str = "select c.id, c.owner, c.updated_at from conversation c \
     where c.updated_at < $1 and (c.updated_at > $2 or (c.updated_at = $2 and c.id > $3)) \
     order by c.updated_at, c.id limit 50";

fn row(kind: EventKind, owner: ActorId, subject: &str, summary: String) -> Draft {
    Draft {
        kind,
        actor: Actor::system().id,
        owner,
        subject: subject.to_owned(),
        correlation: "retention".to_owned(),
        tool: None,
        tier: None,
        summary,
        body: None,
    }
}

/// Tells how much went, in the transaction in which it goes.
fn tell(tx: &mut Tx<'_>, summary: String) -> Result<(), Halt> {
    let told = row(EventKind::BodyErased, Actor::system().id, "retention", summary);
    tx.tell(Row::own(told).map_err(|error| Halt::from(error).after_writing())?);
    Ok(())
}

/// Erases a page of bodies. Durable a moment later: what a power cut brings back goes at the next start.
struct EraseBodies {
    first_kept: i64,
    days: NonZeroU32,
}

const ERASE_BODIES: &str = "delete from body where seq in (select seq from body where seq < $1 order by seq limit $2)";

#[async_trait]
impl Change for EraseBodies {
    type Answer = u64;

    fn durability(&self) -> Durability {
        Durability::Wal
    }

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<u64, Halt> {
        let done = sqlx::query(ERASE_BODIES).bind(self.first_kept).bind(PAGE).execute(&mut *tx.connection).await?;
        let erased = done.rows_affected();
        if erased > 0 {
            // Verification reads the number that stands first.
            tell(tx, format!("{erased} bodies erased: older than {} days", self.days))?;
        }
        Ok(erased)
    }
}

/// A table whose old rows go. Ids grow with time, so a page is a range of them.
struct Table {
    what: &'static str,
    page: &'static str,
    prune: &'static str,
}

const CALLS: Table = Table {
    what: "settled calls",
    page: "select id, created_at from call where id > $1 order by id limit $2",
    prune: "delete from call where id > $1 and id <= $2 and settled_at < $3 \
            and (state in ('done', 'failed', 'cancelled') or (state = 'unknown' and acknowledged_at < $3)) \
            and not exists (select 1 from conversation c where c.id = call.conversation)",
};

const CARDS: Table = Table {
    what: "finished approvals",
    page: "select id, created_at from approval where id > $1 order by id limit $2",
    prune: "delete from approval where id > $1 and id <= $2 and coalesce(finished_at, decided_at, created_at) < $3 \
            and state in ('done', 'failed', 'denied', 'expired', 'stale') \
            and not exists (select 1 from approval_step s where s.approval = approval.id and s.state = 'running') \
            and not exists (select 1 from conversation c where c.id = approval.conversation)",
};

const GRANTS: Table = Table {
    what: "ended grants",
    page: "select id, created_at from granted where id > $1 order by id limit $2",
    prune: "delete from granted where id > $1 and id <= $2 and coalesce(revoked_at, expires_at) < $3",
};

const JOBS: Table = Table {
    what: "ended jobs",
    page: "select id, created_at from job where id > $1 order by id limit $2",
    prune: "delete from job where id > $1 and id <= $2 and ended_at < $3 \
            and (state in ('done', 'failed', 'cancelled') or (state = 'unknown' and acknowledged_at < $3)) \
            and not exists (select 1 from conversation c where c.id = job.conversation)",
};

struct PrunePage {
    table: &'static Table,
    after: String,
    before: i64,
    days: NonZeroU32,
}

struct Page {
    pruned: u64,
    /// Where the next page begins; `None` behind the last one.
    last: Option<String>,
}

#[async_trait]
impl Change for PrunePage {
    type Answer = Page;

    fn durability(&self) -> Durability {
        Durability::Wal
    }

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Page, Halt> {
        let Table { what, page, prune } = self.table;
        let rows = sqlx::query(*page).bind(self.after.as_str()).bind(PAGE).fetch_all(&mut *tx.connection).await?;
        let Some(newest) = rows.last() else { return Ok(Page { pruned: 0, last: None }) };
        let (last, created_at): (String, i64) = (newest.try_get(0)?, newest.try_get(1)?);
        let done = sqlx::query(*prune)
            .bind(self.after.as_str())
            .bind(last.as_str())
            .bind(self.before)
            .execute(&mut *tx.connection)
            .await?;
        let pruned = done.rows_affected();
        if pruned > 0 {
            tell(tx, format!("pruned {pruned} {what}: older than {} days", self.days))?;
        }
        let more = rows.len() as i64 == PAGE && created_at < self.before;
        Ok(Page { pruned, last: more.then_some(last) })
    }
}

/// Erases a conversation unless something was said in it, or goes on, since it was found.
struct DropConversation {
    id: ConversationId,
    before: i64,
    inner: Delete,
}

#[async_trait]
impl Change for DropConversation {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        let old = sqlx::query(
            "select c.id from conversation c where c.id = $1 and c.updated_at < $2 and not exists \
             (select 1 from turn t where t.conversation = c.id and t.state in ('running', 'waiting'))",
        )
        .bind(self.id.as_str())
        .bind(self.before)
        .fetch_optional(&mut *tx.connection)
        .await?;
        match old {
            Some(_) => self.inner.apply(tx).await,
            None => Err(Halt::Refused(StoreError::NotFound(format!("an old conversation {}", self.id)))),
        }
    }
}

/// Takes what went out of the database's log too.
struct Swept;

#[async_trait]
impl Change for Swept {
    type Answer = ();

    fn erases(&self) -> bool {
        true
    }

    async fn apply(&self, _: &mut Tx<'_>) -> Result<(), Halt> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

    use super::*;

    #[tokio::test]
    async fn no_page_reads_more_of_a_table_than_itself() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let migrations = [
            include_str!("../../migrations/0001_first.sql"),
            include_str!("../../migrations/0003_job.sql"),
            include_str!("../../migrations/0006_doubt.sql"),
            include_str!("../../migrations/0007_grant.sql"),
        ];
        for text in migrations {
            let schema = text.replace("{{sequence}}", "integer");
            sqlx::raw_sql(AssertSqlSafe(schema)).execute(&mut connection).await.unwrap();
        }
        let tables = [CALLS, CARDS, GRANTS, JOBS].into_iter().flat_map(|table| [table.page, table.prune]);
        // Sorting rows of the same moment among themselves is no reading of others.
        let slow =
            |step: &str| step.contains("SCAN") || (step.contains("TEMP B-TREE") && !step.contains("FOR LAST TERM"));
        for sql in [ERASE_BODIES, OLD_CONVERSATIONS].into_iter().chain(tables) {
            let explain = AssertSqlSafe(format!("explain query plan {sql}"));
            let rows = sqlx::query(explain).fetch_all(&mut connection).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
            let slow = plan.iter().find(|step| slow(step));
            assert!(slow.is_none() && plan.iter().any(|step| step.starts_with("SEARCH")), "{sql}: {plan:?}");
        }
    }
}
