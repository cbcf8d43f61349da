//! What a process carries, and what is abandoned because the process that carried it is gone.
//!
//! Where one process owns the database, everything that is open at its start was carried by one that is gone. Replicas
//! that share a database each hold a lease, which they renew three times while it lasts. Whoever's lease has lapsed is
//! gone, or cut off from the database: then nothing of it can be recorded any more, and another looks what became of it.
//! Leases go by the clocks of the machines, so these must agree within a few seconds. When the database was away, the
//! leases of the living lapse too: so a lease that lapsed is believed only by who has renewed its own for as long as one
//! lasts.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use jarvis_safety::port::{Clock, Feed as _, Stored};
use sqlx::{AssertSqlSafe, Row as _};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use crate::change::{Change, Job, Tx};
use crate::store::{Inner, Store};
use crate::stored::Halt;

/// How long a lease lasts.
const LEASE_MS: i64 = 30_000;
/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(10);

/// Longest wait for what others have committed.
const HEARING: Duration = Duration::from_secs(2);

/// What can be carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carried {
    Calls,
    Cards,
    Turns,
}

impl Carried {
    /// Its table, which of its rows are open, and which of them come first.
    const fn open(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Calls => ("call", "state = 'running'", "id"),
            Self::Cards => ("approval", "state in ('approved', 'running')", "id"),
            Self::Turns => ("turn", "state in ('running', 'waiting')", "created_at, id"),
        }
    }
}

/// Takes over what is abandoned, and answers the ids, with those that are this process's already: one whose taking over
/// was not answered is not lost.
struct TakeOver {
    what: Carried,
    /// Leases that had lapsed by then have ended; before all of them if none is believed to have lapsed.
    lapsed: i64,
}

#[async_trait]
impl Change for TakeOver {
    type Answer = Vec<String>;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<String>, Halt> {
        let (table, open, order) = self.what.open();
        let sql = format!(
            "select id from {table} where {open} and (replica is null or replica = $2 or not exists \
             (select 1 from replica r where r.id = {table}.replica and r.lapses_at > $1)) order by {order}"
        );
        let found = sqlx::query(AssertSqlSafe(sql)).bind(self.lapsed).bind(tx.context.replica.unwrap_or_default());
        let found = found.fetch_all(&mut *tx.connection).await?;
        let ids: Vec<String> = found.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        if let Some(own) = tx.context.replica {
            let sql = format!("update {table} set replica = $2 where id = $1 and replica is distinct from $2");
            for id in &ids {
                let taken = sqlx::query(AssertSqlSafe(sql.clone())).bind(id.as_str()).bind(own);
                taken.execute(&mut *tx.connection).await?;
            }
        }
        Ok(ids)
    }
}

/// Says that this process is there.
struct Renew {
    until: i64,
    /// Leases that lapsed before this are forgotten, which frees what they carried.
    forget: i64,
}

#[async_trait]
impl Change for Renew {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        let Some(own) = tx.context.replica else { return Ok(()) };
        sqlx::query(
            "insert into replica (id, lapses_at) values ($1, $2) \
             on conflict (id) do update set lapses_at = excluded.lapses_at",
        )
        .bind(own)
        .bind(self.until)
        .execute(&mut *tx.connection)
        .await?;
        sqlx::query("delete from replica where lapses_at < $1").bind(self.forget).execute(&mut *tx.connection).await?;
        Ok(())
    }
}

/// Says that this process is gone: what it still carries is abandoned at once.
struct Leave;

#[async_trait]
impl Change for Leave {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        let Some(own) = tx.context.replica else { return Ok(()) };
        sqlx::query("delete from replica where id = $1").bind(own).execute(&mut *tx.connection).await?;
        Ok(())
    }
}

impl Store {
    /// Whether other replicas may use the same database.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.0.replica.is_some()
    }

    /// Ids of what is abandoned or this process's; all of it is this process's from now on.
    pub(crate) async fn take_over(&self, what: Carried) -> Stored<Vec<String>> {
        let now = self.0.clock.now();
        let lapsed = if self.0.believes(now) { now } else { i64::MIN };
        self.0.writer.submit(TakeOver { what, lapsed }).await
    }

    /// Waits until what other replicas have committed so far is known here too, for whoever signs in at one and asks the
    /// next.
    pub(crate) async fn hear_all(&self) {
        let mut rows = self.subscribe();
        let Ok(found) = sqlx::query("select seq from head where id = 1").fetch_one(&self.0.readers).await else {
            return;
        };
        let head = found.try_get::<i64, _>(0).unwrap_or(0).cast_unsigned();
        if head <= self.head() {
            return;
        }
        // With a full queue a batch is about to begin, and that looks too.
        let _ = self.0.writer.queue.try_send(Job::Look);
        let heard = async { while self.head() < head && !matches!(rows.recv().await, Err(RecvError::Closed)) {} };
        if tokio::time::timeout(HEARING, heard).await.is_err() {
            tracing::warn!("what other replicas have committed was not heard in time");
        }
    }

    /// Begins to say that this process is there, if anybody else could want to know.
    pub(crate) async fn appear(&self) -> Stored<()> {
        if !self.is_shared() {
            return Ok(());
        }
        let until = lease(&self.0.clock);
        self.0.writer.submit(Renew { until, forget: i64::MIN }).await?;
        self.0.lease.since.store(self.0.clock.now(), Ordering::Release);
        let renewing = tokio::spawn(keep(Arc::downgrade(&self.0), until));
        *self.0.lease.renewing.lock().unwrap_or_else(PoisonError::into_inner) = Some(renewing);
        Ok(())
    }

    pub(crate) async fn leave(&self) {
        let renewing = self.0.lease.renewing.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(renewing) = renewing {
            // A renewal after the end would keep the others waiting.
            renewing.abort();
            let _ = renewing.await;
        }
        if self.is_shared()
            && let Err(error) = self.0.writer.submit(Leave).await
        {
            tracing::warn!(%error, "the lease could not be given back; other replicas wait until it lapses");
        }
    }
}

impl Inner {
    /// Whether a lease that lapsed is believed to have ended.
    fn believes(&self, now: i64) -> bool {
        now.saturating_sub(self.lease.since.load(Ordering::Acquire)) >= LEASE_MS
    }
}

fn lease(clock: &Arc<dyn Clock>) -> i64 {
    clock.now().saturating_add(LEASE_MS)
}

/// Renews the lease, which lasts until then, for as long as the store is there.
async fn keep(store: Weak<Inner>, mut until: i64) {
    let mut tick = tokio::time::interval_at(Instant::now() + RENEWAL, RENEWAL);
    loop {
        tick.tick().await;
        let Some(inner) = store.upgrade() else { return };
        let next = lease(&inner.clock);
        let begun = inner.clock.now();
        let forget = if inner.believes(begun) { begun - 100 * LEASE_MS } else { i64::MIN };
        match inner.writer.submit(Renew { until: next, forget }).await {
            Ok(()) => {
                // Others may have taken it for lapsed while this waited for the database.
                let now = inner.clock.now();
                if until < now {
                    inner.lease.since.store(now, Ordering::Release);
                }
                until = next;
            }
            Err(_) if inner.readers.is_closed() => return,
            Err(error) => {
                tracing::warn!(%error, "the lease could not be renewed; when it lapses other replicas take over");
            }
        }
    }
}
