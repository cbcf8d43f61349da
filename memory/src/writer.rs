//! The writer: one task, one connection, group commit.
//!
//! Whatever has queued up while the last batch was committed becomes the next one, so a lone client waits for one
//! commit and many clients share one. A batch is one transaction: the changes in their order, then the rows that they
//! told, then the head. Only after the commit is anyone told anything: first what is held in memory, then the
//! subscribers, then the callers.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jarvis_safety::event::{Draft, Event};
use jarvis_safety::port::{Clock, StoreError, Stored};
use sqlx::{AnyConnection, Connection as _};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::chain::{Chain, Head};
use crate::change::{Append, Change, Durability, End, Job, Tx};
use crate::dialect;
use crate::feed::stored_head;
use crate::row::{self, Linked, Row};

/// Most changes in one transaction: bounds how long the last of them waits.
const BATCH: usize = 512;

/// Changes that may queue up; beyond it callers wait to hand theirs in.
pub(crate) const QUEUE: usize = 4096;

/// Where changes are handed in.
#[derive(Clone)]
pub(crate) struct Handle(pub(crate) mpsc::Sender<Job>);

impl Handle {
    pub(crate) async fn append(&self, draft: Draft, durability: Durability) -> Stored<u64> {
        let row = Some(Row::new(draft)?);
        let (reply, answer) = oneshot::channel();
        self.hand_in(Job::Append(Box::new(Append { row, seq: 0, durability, reply }))).await?;
        answer.await.map_err(|_| stopped())?
    }

    pub(crate) async fn submit<C: Change>(&self, change: C) -> Stored<C::Answer> {
        let (job, answer) = Job::change(change);
        self.hand_in(job).await?;
        answer.await.map_err(|_| stopped())?
    }

    /// Hands in a change that nobody waits for and that may be dropped under load.
    pub(crate) fn submit_lazily<C: Change>(&self, change: C) {
        let (job, _) = Job::change(change);
        let _ = self.0.try_send(job);
    }

    async fn hand_in(&self, job: Job) -> Stored<()> {
        self.0.send(job).await.map_err(|_| StoreError::Unavailable("the store is closed".to_owned()))
    }
}

fn stopped() -> StoreError {
    StoreError::Unknown("the store was stopped meanwhile".to_owned())
}

/// What the writer tells others.
pub(crate) struct Outlets {
    /// Newly committed rows.
    pub(crate) events: broadcast::Sender<Arc<Event>>,
    /// Sequence of the newest row.
    pub(crate) seq: Arc<AtomicU64>,
    /// Head that is in the log file.
    pub(crate) written: watch::Sender<Head>,
    /// Head that is fsynced.
    pub(crate) durable: Arc<watch::Sender<Head>>,
}

pub(crate) struct Writer {
    pub(crate) database: PathBuf,
    pub(crate) connection: AnyConnection,
    pub(crate) chain: Arc<Chain>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) head: Head,
    pub(crate) durability: Durability,
    /// Whether the head in memory is the one in the database.
    pub(crate) certain: bool,
    /// Whether erased texts still stand in the log file.
    pub(crate) purging: bool,
    pub(crate) queue: mpsc::Receiver<Job>,
    pub(crate) outlets: Outlets,
}

enum Failure {
    /// Nothing was tried.
    NotBegun(sqlx::Error),
    /// A statement failed; all was rolled back.
    Broken(sqlx::Error),
    /// The commit failed; nobody knows.
    Unknown(sqlx::Error),
}

impl Writer {
    /// Runs until it is closed or nobody is left who could hand anything in.
    pub(crate) async fn run(mut self) {
        let mut jobs = Vec::with_capacity(BATCH);
        let mut closers = Vec::new();
        while self.queue.recv_many(&mut jobs, BATCH).await > 0 {
            if jobs.iter().any(|job| matches!(job, Job::Close(_))) {
                self.queue.close();
                closers.extend(jobs.extract_if(.., |job| matches!(job, Job::Close(_))));
            }
            self.carry_out(&mut jobs).await;
        }
        self.stop().await;
        for closer in closers {
            closer.answer(End::Kept);
        }
    }

    async fn stop(self) {
        let Self { mut connection, head, outlets, certain, .. } = self;
        match dialect::checkpoint(&mut connection).await {
            Ok(()) if certain => {
                outlets.durable.send_replace(head);
            }
            Ok(()) => {}
            Err(error) => tracing::error!(%error, "the database's log could not be written back; the next start does"),
        }
        if let Err(error) = connection.close().await {
            tracing::warn!(%error, "the database was not closed in order");
        }
    }

    async fn carry_out(&mut self, jobs: &mut Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        let Some(error) = self.batch(jobs).await else { return };
        if jobs.len() == 1 {
            return fail_all(jobs, &StoreError::Unavailable(error.to_string()));
        }
        tracing::warn!(%error, changes = jobs.len(), "a batch failed; trying each change alone");
        for job in std::mem::take(jobs) {
            let mut alone = vec![job];
            if let Some(error) = self.batch(&mut alone).await {
                fail_all(&mut alone, &StoreError::Unavailable(error.to_string()));
            }
        }
    }

    /// Carries out a batch and answers it; or answers the error of a statement, with the jobs as they were.
    async fn batch(&mut self, jobs: &mut Vec<Job>) -> Option<sqlx::Error> {
        if let Err(error) = self.become_certain().await {
            fail_all(jobs, &error);
            return None;
        }
        match self.attempt(jobs).await {
            Ok(rows) => {
                self.purging |= jobs.iter().any(Job::erases);
                if self.purging {
                    self.purge().await;
                }
                self.publish(jobs, rows);
                None
            }
            Err(Failure::NotBegun(error)) => {
                self.certain = false;
                fail_all(jobs, &StoreError::Unavailable(error.to_string()));
                None
            }
            Err(Failure::Unknown(error)) => {
                tracing::error!(%error, "a commit failed");
                self.certain = false;
                fail_all(jobs, &StoreError::Unknown(error.to_string()));
                None
            }
            Err(Failure::Broken(error)) => Some(error),
        }
    }

    async fn attempt(&mut self, jobs: &mut [Job]) -> Result<Vec<Linked>, Failure> {
        let durability = jobs.iter().map(Job::durability).max().unwrap_or(Durability::Wal);
        if durability != self.durability {
            // Outside a transaction: inside one it has no effect.
            dialect::set_durability(&mut self.connection, durability).await.map_err(Failure::NotBegun)?;
            self.durability = durability;
        }
        if let [Job::Append(append)] = jobs {
            return self.append_alone(append).await.map_err(Failure::Unknown);
        }
        sqlx::query(dialect::BEGIN).execute(&mut self.connection).await.map_err(Failure::NotBegun)?;
        let mut tx = Tx::new(&mut self.connection, &self.chain, self.head.clone(), self.clock.now());
        let applied = apply(jobs, &mut tx).await;
        let (rows, head) = tx.into_rows();
        if let Err(error) = applied {
            give_back(jobs, rows);
            // If even this fails the connection is in doubt and is looked at before the next batch.
            self.certain = sqlx::query("rollback").execute(&mut self.connection).await.is_ok();
            return Err(Failure::Broken(error));
        }
        sqlx::query("commit").execute(&mut self.connection).await.map_err(Failure::Unknown)?;
        self.head = head;
        Ok(rows)
    }

    /// Takes what was erased out of the log file too; if a reader holds that up, after the next batch.
    async fn purge(&mut self) {
        match dialect::purge(&mut self.connection).await {
            Ok(done) => self.purging = !done,
            Err(error) => tracing::warn!(%error, "erased texts still stand in the database's log; trying again"),
        }
    }

    async fn append_alone(&mut self, append: &mut Append) -> Result<Vec<Linked>, sqlx::Error> {
        let Some(row) = append.row.take() else { return Ok(Vec::new()) };
        let mut head = self.head.clone();
        let linked = Linked::next(row, &mut head, self.clock.now(), &self.chain, &mut Vec::with_capacity(512));
        append.seq = linked.seq();
        row::insert_alone(&mut self.connection, &linked, &head).await?;
        self.head = head;
        Ok(vec![linked])
    }

    fn publish(&self, jobs: &mut Vec<Job>, rows: Vec<Linked>) {
        for job in jobs.iter() {
            if let Job::Change(operation) = job {
                operation.committed();
            }
        }
        if !rows.is_empty() {
            self.outlets.seq.store(self.head.seq, Ordering::Release);
            match self.durability {
                Durability::Fsync => self.outlets.durable.send_replace(self.head.clone()),
                Durability::Wal => self.outlets.written.send_replace(self.head.clone()),
            };
        }
        for row in rows {
            // Nobody may be listening; that is no fault.
            let _ = self.outlets.events.send(Arc::new(row.event()));
        }
        for job in jobs.drain(..) {
            job.answer(End::Kept);
        }
    }

    /// After a failed commit: ends whatever is open and reads the head anew, over a new connection if need be.
    async fn become_certain(&mut self) -> Stored<()> {
        if self.certain {
            return Ok(());
        }
        let _ = sqlx::query("rollback").execute(&mut self.connection).await;
        let head = match stored_head(&mut self.connection).await {
            Ok(head) => head,
            Err(_) => {
                let unavailable = |why: String| StoreError::Unavailable(why);
                self.connection =
                    dialect::writer(&self.database).await.map_err(|error| unavailable(error.to_string()))?;
                self.durability = Durability::Fsync;
                stored_head(&mut self.connection).await.map_err(|error| unavailable(error.to_string()))?
            }
        };
        // The one that is further: the head of an audit whose end was cut off does not move back (see `seal`).
        if head.seq >= self.head.seq {
            self.head = head;
            self.outlets.seq.store(self.head.seq, Ordering::Release);
        }
        self.certain = true;
        Ok(())
    }
}

async fn apply(jobs: &mut [Job], tx: &mut Tx<'_>) -> Result<(), sqlx::Error> {
    for job in jobs {
        match job {
            Job::Append(append) => {
                if let Some(row) = append.row.take() {
                    append.seq = tx.tell(row);
                }
            }
            Job::Change(operation) => operation.apply(tx).await?,
            Job::Close(_) => {}
        }
    }
    tx.finish().await
}

/// Hands rows that found no place back to the appends that they came from.
fn give_back(jobs: &mut [Job], rows: Vec<Linked>) {
    let mut rows = rows.into_iter();
    for job in jobs {
        if let Job::Append(append) = job
            && append.row.is_none()
        {
            append.row = rows.find(|row| row.seq() == append.seq).map(Linked::unlink);
        }
    }
}

fn fail_all(jobs: &mut Vec<Job>, error: &StoreError) {
    for job in jobs.drain(..) {
        job.answer(End::Failed(error.clone()));
    }
}
