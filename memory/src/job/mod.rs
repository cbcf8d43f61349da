//! Jobs and schedules, as they are kept.
//!
//! Submissions and ends are what there are most of. They are gathered on their way to the writer, so that many of them
//! are a few statements of many rows each and share one transaction ([`gather`]).

mod cancel;
mod claim;
mod end;
mod gather;
mod hold;
mod list;
#[cfg(test)]
mod plan;
mod record;
mod schedule;
mod submit;

use std::sync::Arc;

use async_trait::async_trait;
use jarvis_safety::event::Draft;
use jarvis_safety::job::{
    Appended, Beat, Cancel, Cancelled, Claim, Due, Fire, Hold, JobCounts, JobFilter, JobProgress, JobRecord, Jobs,
    NewJob, OutputChunk, Schedule, Settle, Submitted,
};
use jarvis_safety::port::Stored;
use jarvis_safety::{ActorId, ApprovalId, JobId, ScheduleId};
use sqlx::AnyPool;
use tokio::sync::{broadcast, mpsc};

use crate::row::Row;
use crate::space;
use crate::store::Store;

use end::Ending;
use gather::Op;
use hold::{Beating, KeepProgress, Parking, PutOut};
use schedule::{Firing, RemoveSchedule, SaveSchedule};
use submit::Submitting;

/// Jobs of which nobody can tell what came of them and that nobody has acknowledged, newest first.
pub(crate) async fn doubts(readers: &AnyPool, actor: Option<&ActorId>, limit: u32) -> Stored<Vec<JobRecord>> {
    list::doubts(readers, actor, limit).await
}

/// Everything about jobs that is kept. Clones share it.
#[derive(Clone)]
pub struct JobStore {
    store: Store,
    gather: Arc<mpsc::Sender<Op>>,
}

impl JobStore {
    /// Over a store.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        Self { store: store.clone(), gather: Arc::new(gather::start(store.0.writer.clone())) }
    }
}

impl JobStore {
    /// Whether there is no room for new work.
    fn is_full(&self) -> bool {
        space::room(&self.store.0.directory).is_err()
    }
}

#[async_trait]
impl Jobs for JobStore {
    async fn submit(&self, job: NewJob) -> Stored<Submitted> {
        space::room(&self.store.0.directory)?;
        gather::submit(&self.gather, Submitting::new(&self.store.0.redactor, job)?).await
    }

    async fn submit_all(&self, jobs: Vec<NewJob>) -> Vec<Stored<Submitted>> {
        let mut kept = Vec::with_capacity(jobs.len());
        let mut waiting = Vec::with_capacity(jobs.len());
        for job in jobs {
            let handed_in = match space::room(&self.store.0.directory)
                .and_then(|()| Submitting::new(&self.store.0.redactor, job))
            {
                Ok(submitting) => gather::hand_in(&self.gather, submitting).await,
                Err(error) => Err(error),
            };
            waiting.push(handed_in);
        }
        for answer in waiting {
            kept.push(match answer {
                Ok(answer) => gather::answer(answer).await,
                Err(error) => Err(error),
            });
        }
        kept
    }

    fn moved(&self) -> broadcast::Receiver<Option<JobId>> {
        self.store.0.moved.subscribe()
    }

    async fn claim(&self, claim: &Claim) -> Stored<Vec<JobRecord>> {
        // What they do could not be recorded, and would use up the room for what has begun.
        if self.is_full() {
            return Ok(Vec::new());
        }
        self.store.0.writer.submit(claim::Claiming::new(claim)).await
    }

    async fn beat(&self, hold: &Hold, until: i64) -> Stored<Beat> {
        self.store.0.writer.submit(Beating { hold: hold.clone(), until }).await
    }

    async fn progress(&self, hold: &Hold, progress: &JobProgress) -> Stored<bool> {
        self.store.0.writer.submit(KeepProgress::new(hold, progress)?).await
    }

    async fn put_out(&self, hold: &Hold, text: &str, at: i64) -> Stored<Appended> {
        self.store.0.writer.submit(PutOut::new(hold, text, at)?).await
    }

    async fn wait_for(&self, hold: &Hold, approval: Option<&ApprovalId>) -> Stored<bool> {
        self.store.0.writer.submit(Parking { hold: hold.clone(), approval: approval.cloned() }).await
    }

    async fn settle(&self, settle: Settle) -> Stored<bool> {
        gather::settle(&self.gather, Ending::new(&self.store.0.redactor, settle)?).await
    }

    async fn cancel(&self, cancel: Cancel) -> Stored<Cancelled> {
        self.store.0.writer.submit(cancel::Cancelling::new(&self.store.0.redactor, cancel)?).await
    }

    async fn held(&self) -> Stored<Vec<JobRecord>> {
        list::held(&self.store.0.readers).await
    }

    async fn due(&self) -> Stored<Due> {
        let due = list::due(&self.store.0.readers).await?;
        // A worker looks again after a while.
        Ok(if self.is_full() { Due { job: None, schedule: None, ..due } } else { due })
    }

    async fn job(&self, id: &JobId) -> Stored<Option<JobRecord>> {
        list::find(&self.store.0.lookup, id).await
    }

    async fn jobs(&self, filter: &JobFilter, before: Option<&JobId>, limit: u32) -> Stored<Vec<JobRecord>> {
        list::jobs(&self.store.0.readers, filter, before, limit).await
    }

    async fn counts(&self) -> Stored<JobCounts> {
        list::counts(&self.store.0.readers).await
    }

    async fn output(&self, id: &JobId, after: u64, limit: u32) -> Stored<Vec<OutputChunk>> {
        list::output(&self.store.0.readers, id, after, limit).await
    }

    async fn save_schedule(&self, schedule: &Schedule, draft: Draft) -> Stored<()> {
        self.store.0.writer.submit(SaveSchedule::new(&self.store.0.redactor, schedule, draft)?).await
    }

    async fn remove_schedule(&self, id: &ScheduleId, draft: Draft) -> Stored<bool> {
        self.store
            .0
            .writer
            .submit(RemoveSchedule { id: id.clone(), row: Row::new(&self.store.0.redactor, draft)? })
            .await
    }

    async fn schedule(&self, id: &ScheduleId) -> Stored<Option<Schedule>> {
        schedule::find(&self.store.0.readers, id).await
    }

    async fn schedules(&self, actor: Option<&ActorId>) -> Stored<Vec<Schedule>> {
        schedule::list(&self.store.0.readers, actor).await
    }

    async fn due_schedules(&self, now: i64) -> Stored<Vec<Schedule>> {
        schedule::due(&self.store.0.readers, now).await
    }

    async fn fire(&self, fire: Fire) -> Stored<bool> {
        self.store.0.writer.submit(Firing::new(&self.store.0.redactor, fire)?).await
    }
}
