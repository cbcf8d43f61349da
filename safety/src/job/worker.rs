//! The worker: takes jobs that are due and runs them, so many of each queue at once.
//!
//! It does not poll. It looks when a row of the audit tells of a submission (also one of another replica), when a place
//! is free again, and when the next thing is due: a job's time, a lease that lapses, a run of a schedule.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{Notify, broadcast};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::context::Place;
use super::port::{Claim, Due, JobEnd};
use super::queue::{Inner, JobQueue};
use super::record::JobRecord;
use super::run::{Grip, Run, millis};
use crate::event::{Event, EventKind};
use crate::id::{ActorId, JobId};
use crate::port::Feed;

/// Longest rest: a clock that was set is noticed after it.
const REST: Duration = Duration::from_secs(60);

/// How long an answer about what is due is good for.
const GLANCE: Duration = Duration::from_millis(20);

/// Rows that may wait for a worker; if there are more it looks anyway.
const LAG: usize = 1_024;

/// Pause before something is tried again that should have worked.
const AGAIN_MS: i64 = 1_000;

/// How long what was dropped may take to be given back.
const GIVE_BACK: Duration = Duration::from_secs(10);

/// Who else works on the same store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peers {
    /// Nobody: whatever is held at the start was held by a process that is gone.
    None,
    /// Other replicas: what they hold is theirs until its lease lapses.
    Replicas,
}

/// How a worker works.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// How many jobs of a queue run at once, where `queues` does not say.
    pub places: u32,
    /// How many of these queues; 0 takes none of it.
    pub queues: BTreeMap<String, u32>,
    /// How long running jobs may go on when the worker stops.
    pub grace: Duration,
    /// Who else works on the same store.
    pub peers: Peers,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self { places: 8, queues: BTreeMap::new(), grace: Duration::from_secs(10), peers: Peers::None }
    }
}

struct Lane {
    queue: &'static str,
    places: u32,
    used: Arc<AtomicU32>,
    /// The kinds that stand in it, and their leases in milliseconds.
    kinds: Vec<(&'static str, i64)>,
}

impl Lane {
    fn free(&self) -> u32 {
        self.places.saturating_sub(self.used.load(Ordering::Acquire))
    }
}

/// By job and epoch: a run that lost its hold may still be ending when this worker takes the same job again.
type Grips = Arc<Mutex<HashMap<(JobId, u64), Grip>>>;

/// Takes a job out of the list of running ones, whatever happens to it.
struct Listed(Grips, (JobId, u64));

impl Drop for Listed {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

/// One worker of a process.
pub struct Worker {
    inner: Arc<Inner>,
    options: WorkerOptions,
    name: String,
    lanes: Vec<Lane>,
    grips: Grips,
    freed: Arc<Notify>,
    tasks: TaskTracker,
    /// Whether a claim failed: it may have taken jobs all the same.
    in_doubt: bool,
    /// When it was last asked what is due, and what the answer was.
    asked: Option<(Instant, i64)>,
}

impl Worker {
    /// A worker over a queue.
    #[must_use]
    pub fn new(queue: &JobQueue, options: WorkerOptions) -> Self {
        let inner = Arc::clone(&queue.0);
        let mut lanes: Vec<Lane> = Vec::new();
        for spec in inner.kinds.specs() {
            let kind = (spec.kind, millis(spec.lease));
            if let Some(lane) = lanes.iter_mut().find(|lane| lane.queue == spec.queue) {
                lane.kinds.push(kind);
                continue;
            }
            let places = options.queues.get(spec.queue).copied().unwrap_or(options.places);
            lanes.push(Lane { queue: spec.queue, places, used: Arc::default(), kinds: vec![kind] });
        }
        let name = format!("worker_{:x}", inner.ids.next());
        Self {
            inner,
            options,
            name,
            lanes,
            grips: Arc::default(),
            freed: Arc::default(),
            tasks: TaskTracker::new(),
            in_doubt: false,
            asked: None,
        }
    }

    /// Works until it is told to stop; then takes nothing more, waits for what runs as long as its grace, and gives back
    /// the rest.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut rows = Rows::of(&*self.inner.feed);
        if self.options.peers == Peers::None {
            self.take_over().await;
        }
        while !stop.is_cancelled() {
            let next = self.look(&stop).await;
            self.rest(&mut rows, &stop, next).await;
        }
        self.stop().await;
    }

    /// Ends what a process held that is gone.
    async fn take_over(&self) {
        loop {
            let held = match self.inner.jobs.held().await {
                Ok(held) if held.is_empty() => return,
                Ok(held) => held,
                Err(error) => {
                    return tracing::error!(%error, "the jobs of the last run cannot be read; their leases lapse");
                }
            };
            for job in &held {
                self.inner.reclaim(job, false).await;
            }
            // A full page may not be all; one that shrinks no more is left to the leases.
            if held.len() < 1000 {
                return;
            }
        }
    }

    /// Takes and fires whatever is due, and answers when the next thing is.
    async fn look(&mut self, stop: &CancellationToken) -> i64 {
        loop {
            let now = self.inner.clock.now();
            if self.in_doubt {
                self.give_back_strays().await;
            }
            let mut open = false;
            for index in 0..self.lanes.len() {
                open |= self.claim(index, stop).await;
            }
            // Under load it looks a thousand times a second; what comes by the clock can wait that moment.
            if let Some((asked, next)) = self.asked
                && asked.elapsed() < GLANCE
            {
                return next.min(now + millis(GLANCE));
            }
            let due = match self.inner.jobs.due().await {
                Ok(due) => due,
                Err(error) => {
                    tracing::error!(%error, "the store cannot say what is due; trying again in a second");
                    return now + AGAIN_MS;
                }
            };
            if stop.is_cancelled() || self.in_doubt {
                return now + AGAIN_MS;
            }
            let came = |at: Option<i64>| at.is_some_and(|at| at <= now);
            let fired = came(due.schedule) && self.inner.fire_due().await;
            let lapsed = came(due.lease) && self.reclaim_lapsed(now).await;
            // Without a free place nothing can be taken, however due it is; a place that is given back wakes.
            let more = open && came(due.job);
            if !(fired || lapsed || more) {
                let next = next(due, open, now);
                self.asked = Some((Instant::now(), next));
                return next;
            }
        }
    }

    /// Fills the free places of a queue; answers whether some are left.
    async fn claim(&mut self, index: usize, stop: &CancellationToken) -> bool {
        let lane = &self.lanes[index];
        let most = lane.free();
        if most == 0 || self.in_doubt || stop.is_cancelled() {
            return false;
        }
        let at = self.inner.clock.now();
        let kinds = lane.kinds.iter().map(|(kind, lease)| ((*kind).to_owned(), at + lease)).collect();
        let claim = Claim { queue: lane.queue.to_owned(), kinds, most, worker: self.name.clone(), at };
        let jobs = match self.inner.jobs.claim(&claim).await {
            Ok(jobs) => jobs,
            Err(error) => {
                tracing::error!(%error, queue = lane.queue, "no jobs could be taken; trying again in a second");
                self.in_doubt = true;
                return false;
            }
        };
        let left = jobs.len() < most as usize;
        for job in jobs {
            if stop.is_cancelled() {
                self.give_back(&job).await;
            } else {
                self.begin(index, job);
            }
        }
        left
    }

    fn begin(&self, index: usize, job: JobRecord) {
        let Some(kind) = self.inner.kinds.find(&job.kind).cloned() else { return };
        let (grip, hold) = (Grip::default(), (job.id.clone(), job.epoch));
        self.grips().insert(hold.clone(), grip.clone());
        let listed = Listed(Arc::clone(&self.grips), hold);
        let place = Place::take(&self.lanes[index].used, &self.freed);
        let run = Run { inner: Arc::clone(&self.inner), kind, job, grip, place };
        self.tasks.spawn(async move {
            let _listed = listed;
            run.go().await;
        });
    }

    fn grips(&self) -> MutexGuard<'_, HashMap<(JobId, u64), Grip>> {
        self.grips.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn runs_here(&self, job: &JobRecord) -> bool {
        self.grips().contains_key(&(job.id.clone(), job.epoch))
    }

    /// Gives back a job that was taken and never begun.
    async fn give_back(&self, job: &JobRecord) {
        let end = JobEnd::Again { run_at: None, error: None, counts: false };
        self.inner.settle(job, end, &job.actor, None, false).await;
    }

    /// Gives back what a claim has taken whose answer never came.
    async fn give_back_strays(&mut self) {
        let Ok(held) = self.inner.jobs.held().await else { return };
        for job in held {
            if job.worker.as_deref() == Some(&*self.name) && !self.runs_here(&job) {
                self.give_back(&job).await;
            }
        }
        self.in_doubt = false;
    }

    /// Ends what is held by workers that are silent for too long; answers whether there was any.
    async fn reclaim_lapsed(&self, now: i64) -> bool {
        let held = match self.inner.jobs.held().await {
            Ok(held) => held,
            Err(error) => {
                tracing::error!(%error, "lapsed leases cannot be read; trying again in a second");
                return false;
            }
        };
        let mut any = false;
        for job in held.iter().filter(|job| job.lease_until.is_some_and(|until| until <= now)) {
            // What runs here is alive, whatever the clock says; its next heartbeat renews it.
            if self.runs_here(job) {
                continue;
            }
            self.inner.reclaim(job, true).await;
            any = true;
        }
        any
    }

    /// Rests until there is a reason to look.
    async fn rest(&self, rows: &mut Rows, stop: &CancellationToken, next: i64) {
        let pause = u64::try_from(next - self.inner.clock.now()).map_or(Duration::ZERO, Duration::from_millis);
        let rested = tokio::time::sleep(pause.min(REST));
        tokio::pin!(rested);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                row = rows.next() => {
                    if self.hears(row.as_deref()) {
                        // All that has been told meanwhile is one reason.
                        while let Some(row) = rows.now() {
                            self.hears(row.as_deref());
                        }
                        return;
                    }
                }
                () = self.freed.notified() => return,
                () = &mut rested => return,
            }
        }
    }

    /// Takes in a row, or a gap in which there may have been some; answers whether it is a reason to look.
    fn hears(&self, row: Option<&Event>) -> bool {
        let Some(row) = row else { return true };
        match row.kind {
            EventKind::JobSubmitted | EventKind::JobRetried | EventKind::ScheduleSaved => true,
            EventKind::JobStopping => {
                self.stop_job(&row.subject, &row.actor);
                false
            }
            _ => false,
        }
    }

    fn stop_job(&self, subject: &str, by: &ActorId) {
        let Ok(id) = subject.parse::<JobId>() else { return };
        for grip in self.grips().iter().filter(|(hold, _)| hold.0 == id).map(|(_, grip)| grip) {
            grip.stop(by.clone());
        }
    }

    async fn stop(self) {
        self.tasks.close();
        // What waits for a person would wait longer than any grace.
        for grip in self.grips().values().filter(|grip| grip.waits.load(Ordering::Acquire)) {
            grip.drop.cancel();
        }
        if tokio::time::timeout(self.options.grace, self.tasks.wait()).await.is_ok() {
            return;
        }
        for grip in self.grips().values() {
            grip.drop.cancel();
        }
        if tokio::time::timeout(GIVE_BACK, self.tasks.wait()).await.is_err() {
            tracing::error!("some jobs could not be given back; the next start looks what came of them");
        }
    }
}

/// When the next thing is due. What is past and could not be done now is tried again in a moment.
fn next(due: Due, open: bool, now: i64) -> i64 {
    let job = due.job.filter(|_| open);
    let soon = |at: i64| at.max(now + AGAIN_MS);
    let all = [job, due.lease.map(soon), due.schedule.map(soon)];
    all.into_iter().flatten().min().unwrap_or(i64::MAX)
}

/// Whether a row of this kind is a reason to look, or to stop something.
const fn concerns(kind: EventKind) -> bool {
    matches!(kind, EventKind::JobSubmitted | EventKind::JobRetried | EventKind::ScheduleSaved | EventKind::JobStopping)
}

/// The rows of the audit that concern a worker, as they come; `None` for a gap.
struct Rows {
    rows: Receiver<Arc<Event>>,
    open: bool,
}

impl Rows {
    /// Most rows are no reason to wake up.
    fn of(feed: &dyn Feed) -> Self {
        let (tell, rows) = broadcast::channel(LAG);
        feed.observe(Box::new(move |row| {
            if concerns(row.kind) {
                // A worker that has ended hears nothing any more.
                let _ = tell.send(Arc::clone(row));
            }
        }));
        Self { rows, open: true }
    }

    async fn next(&mut self) -> Option<Arc<Event>> {
        if !self.open {
            // The store is closed: nothing more will be told.
            return std::future::pending().await;
        }
        match self.rows.recv().await {
            Ok(row) => Some(row),
            Err(RecvError::Lagged(_)) => None,
            Err(RecvError::Closed) => {
                self.open = false;
                None
            }
        }
    }

    /// What is there already.
    fn now(&mut self) -> Option<Option<Arc<Event>>> {
        match self.rows.try_recv() {
            Ok(row) => Some(Some(row)),
            Err(TryRecvError::Lagged(_)) => Some(None),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }
}
