//! What a running job knows of itself, and how it tells how far it is.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::port::{Appended, Hold, Jobs};
use super::record::{JobProgress, JobRecord, JobState};
use super::run::Grip;
use crate::frame::Frame;
use crate::id::{ApprovalId, JobId};
use crate::plain::{shorten, visible};
use crate::port::{Clock, Live, Stored};
use crate::secret::{Redactor, Strike};

/// Largest piece of output, in bytes.
const PIECE: usize = 16 * 1024;

/// One of the places of a queue; given back when it is dropped.
pub(super) struct Place {
    used: Arc<AtomicU32>,
    freed: Arc<Notify>,
}

impl Place {
    /// Takes a place; `freed` hears when it is given back.
    pub(super) fn take(used: &Arc<AtomicU32>, freed: &Arc<Notify>) -> Self {
        used.fetch_add(1, Ordering::AcqRel);
        Self { used: Arc::clone(used), freed: Arc::clone(freed) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.used.fetch_sub(1, Ordering::AcqRel);
        self.freed.notify_one();
    }
}

/// A running job's view of itself.
pub struct JobContext {
    pub(super) job: JobRecord,
    pub(super) grip: Grip,
    pub(super) progress: watch::Sender<Option<JobProgress>>,
    /// Its place in the queue, until it waits for a person.
    pub(super) place: Mutex<Option<Place>>,
    pub(super) jobs: Arc<dyn Jobs>,
    pub(super) live: Arc<dyn Live>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) redactor: Redactor,
    /// What it puts out, up to where no secret may have begun.
    pub(super) strike: tokio::sync::Mutex<Strike>,
}

impl JobContext {
    /// Its id; kinds use it where the target takes an idempotency key.
    #[must_use]
    pub const fn id(&self) -> &JobId {
        &self.job.id
    }

    /// The whole of it, as it was when it was claimed.
    #[must_use]
    pub const fn job(&self) -> &JobRecord {
        &self.job
    }

    /// The number of this attempt, from 1.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.job.attempt
    }

    /// Fires when somebody wants it to stop or its time is over. Some seconds later it is dropped.
    #[must_use]
    pub fn cancelled(&self) -> &CancellationToken {
        &self.grip.cancel
    }

    /// Whether a person or client wants it to stop, and not the deadline.
    #[must_use]
    pub fn is_unwanted(&self) -> bool {
        self.grip.by.get().is_some()
    }

    /// Tells how far it is. Shown at once, kept at most once a second, the latest only.
    pub fn progress(&self, done: f64, total: Option<f64>, text: impl AsRef<str>) {
        let text = shorten(&visible(&self.redactor.text(text.as_ref())), 300);
        self.progress.send_replace(Some(JobProgress { done, total, text }));
    }

    /// Keeps text that it puts out, in numbered pieces, without the secrets that Jarvis knows, also where one is cut in
    /// two by the pieces: what may be the beginning of one waits for what follows. What is beyond 1 MiB or 4,096 pieces
    /// is not kept, and the answer says so.
    ///
    /// # Errors
    /// If the store cannot keep it.
    pub async fn output(&self, text: &str) -> Stored<Appended> {
        let mut strike = self.strike.lock().await;
        let told = strike.take(text);
        self.put_out(&told).await
    }

    /// What was held back of its output, now that it has ended.
    pub(super) async fn flush(&self) {
        let told = self.strike.lock().await.finish();
        if let Err(error) = self.put_out(&told).await {
            tracing::warn!(job = %self.job.id, %error, "the end of a job's output was not kept");
        }
    }

    async fn put_out(&self, text: &str) -> Stored<Appended> {
        let mut rest = text;
        let mut last = Appended::Held;
        while !rest.is_empty() {
            let mut end = rest.len().min(PIECE);
            while !rest.is_char_boundary(end) {
                end -= 1;
            }
            let (piece, after) = rest.split_at(end);
            last = self.jobs.put_out(&Hold::of(&self.job), piece, self.clock.now()).await?;
            match last {
                Appended::Kept(number) => self.show("output", json!({ "chunks": number })),
                Appended::Held | Appended::Full | Appended::Lost => return Ok(last),
            }
            rest = after;
        }
        Ok(last)
    }

    /// Says that it waits for a person to decide. It gives up its place in the queue meanwhile and for the rest of its
    /// run, so that what waits does not keep others from running.
    ///
    /// # Errors
    /// If the store cannot keep it.
    pub async fn waiting(&self, approval: &ApprovalId) -> Stored<()> {
        self.jobs.wait_for(&Hold::of(&self.job), Some(approval)).await?;
        self.grip.waits.store(true, Ordering::Release);
        self.leave();
        self.show("state", json!({ "state": JobState::Waiting, "approval": approval }));
        Ok(())
    }

    /// Gives up its place in the queue.
    pub(super) fn leave(&self) {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    pub(super) fn show(&self, kind: &str, data: Value) {
        self.live.publish(Frame {
            subject: format!("job:{}", self.job.id),
            kind: kind.to_owned(),
            offset: 0,
            data,
            owner: self.job.actor.clone(),
        });
    }
}
