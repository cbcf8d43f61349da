//! One attempt at a job: run it, hold it, and say what became of it.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::context::{JobContext, Place};
use super::kind::{Erased, JobError, JobErrorKind, JobSpec, MESSAGE, Repeat};
use super::port::{Beat, Hold, JobEnd, Settle};
use super::queue::Inner;
use super::record::{JobProgress, JobRecord, JobState};
use super::row;
use crate::actor::Actor;
use crate::id::ActorId;
use crate::json;
use crate::plain::shorten;
use crate::port::StoreError;

/// How long a job that shall stop may take for it before it is dropped. A cancelled effect is probed for up to 10 s.
const GRACE: Duration = Duration::from_secs(20);

/// How often progress is kept.
const KEEP: Duration = Duration::from_secs(1);

/// Largest result, in bytes of JSON.
const RESULT: usize = 512 * 1024;

/// The worker's hand on a running job.
#[derive(Clone, Default)]
pub(super) struct Grip {
    /// Asks it to stop.
    pub(super) cancel: CancellationToken,
    /// Who asked.
    pub(super) by: Arc<OnceLock<ActorId>>,
    /// Drops it: the worker stops and has waited long enough.
    pub(super) drop: CancellationToken,
    /// Whether it waits for a person.
    pub(super) waits: Arc<AtomicBool>,
}

impl Grip {
    pub(super) fn stop(&self, by: ActorId) {
        let _ = self.by.set(by);
        self.cancel.cancel();
    }
}

/// What a run came to.
enum Came {
    Ended(Result<Value, JobError>),
    Panicked,
    /// It did not stop when it should have, and was dropped.
    Dropped,
    /// The worker is stopping.
    Abandoned,
    /// Somebody else holds it now, or nobody: nothing may be said about it.
    Lost,
}

type Work = thread::Result<Result<Value, JobError>>;

pub(super) struct Run {
    pub(super) inner: Arc<Inner>,
    pub(super) kind: Arc<dyn Erased>,
    pub(super) job: JobRecord,
    pub(super) grip: Grip,
    pub(super) place: Place,
}

impl Run {
    /// Runs it to its end and says what became of it.
    pub(super) async fn go(self) {
        let Self { inner, kind, job, grip, place } = self;
        let spec = kind.spec();
        if let Some(by) = &job.cancelled_by {
            // Asked to stop in an earlier life: it may only find out what that one has done.
            grip.stop(by.clone());
        }
        let (progress, shown) = watch::channel(None);
        let cx = Arc::new(JobContext {
            job,
            grip: grip.clone(),
            progress,
            place: Mutex::new(Some(place)),
            jobs: Arc::clone(&inner.jobs),
            live: Arc::clone(&inner.live),
            clock: Arc::clone(&inner.clock),
            strike: tokio::sync::Mutex::new(inner.redactor.stream()),
            redactor: inner.redactor.clone(),
        });
        let hold = Holding { inner: &inner, cx: &cx, spec, grip: &grip, shown };
        let came = hold.run(kind).await;
        let latest = cx.progress.borrow().clone();
        if matches!(came, Came::Lost) {
            tracing::warn!(job = %cx.job.id, "the hold on a job was lost; this run of it was dropped");
        } else {
            cx.flush().await;
            inner.conclude(&cx.job, &grip, came, latest, spec).await;
        }
        inner.live.end(&format!("job:{}", cx.job.id));
        cx.leave();
    }
}

struct Holding<'a> {
    inner: &'a Inner,
    cx: &'a Arc<JobContext>,
    spec: JobSpec,
    grip: &'a Grip,
    shown: watch::Receiver<Option<JobProgress>>,
}

impl Holding<'_> {
    async fn run(self, kind: Arc<dyn Erased>) -> Came {
        let cx = Arc::clone(self.cx);
        let payload = cx.job.payload.clone();
        let mut work = AssertUnwindSafe(async move { kind.run(payload, &cx).await }).catch_unwind().boxed();
        // What ends at once needs no task of its own.
        if let Poll::Ready(done) = futures_util::poll!(&mut work) {
            return came(Ok(done));
        }
        self.cx.show("state", json!({ "state": JobState::Running, "attempt": self.cx.attempt() }));
        let mut task = tokio::spawn(work);
        let came = self.watch(&mut task).await;
        if !matches!(came, Came::Ended(_) | Came::Panicked) {
            task.abort();
            // Waits for the abort, so that nothing of it runs once somebody else may hold it.
            let _ = task.await;
        }
        came
    }

    async fn watch(mut self, task: &mut JoinHandle<Work>) -> Came {
        let begun = Instant::now();
        let mut held_until = self.cx.job.lease_until.unwrap_or(i64::MAX);
        let mut next_beat = begun + self.spec.lease / 3;
        let mut next_keep = begun;
        let mut dirty = false;
        // The deadline first; once it shall stop, the end of its grace.
        let mut last = begun + self.spec.deadline;
        let mut stopping = false;
        loop {
            tokio::select! {
                biased;
                joined = &mut *task => return came(joined),
                () = self.grip.drop.cancelled() => return Came::Abandoned,
                () = self.grip.cancel.cancelled(), if !stopping => {
                    stopping = true;
                    last = Instant::now() + GRACE;
                }
                () = sleep_until(last) => {
                    if stopping {
                        return Came::Dropped;
                    }
                    self.grip.cancel.cancel();
                }
                () = sleep_until(next_beat) => {
                    next_beat = Instant::now() + self.spec.lease / 3;
                    if !self.beat(&mut held_until).await {
                        return Came::Lost;
                    }
                }
                Ok(()) = self.shown.changed() => {
                    self.cx.show("progress", json!(*self.shown.borrow_and_update()));
                    dirty = true;
                }
                () = sleep_until(next_keep), if dirty => {
                    dirty = false;
                    next_keep = Instant::now() + KEEP;
                    self.keep().await;
                }
            }
        }
    }

    /// Renews the hold; answers whether it may still be relied on.
    async fn beat(&self, held_until: &mut i64) -> bool {
        let until = self.inner.clock.now() + millis(self.spec.lease);
        let beat = timeout(self.spec.lease / 3, self.inner.jobs.beat(&Hold::of(&self.cx.job), until)).await;
        match beat.unwrap_or_else(|_| Err(StoreError::Unavailable("no answer in time".to_owned()))) {
            Ok(Beat::Held) => *held_until = until,
            Ok(Beat::Stop(by)) => {
                *held_until = until;
                self.grip.stop(by);
            }
            Ok(Beat::Lost) => return false,
            // As long as the last hold lasts nobody else can have it.
            Err(error) => tracing::warn!(job = %self.cx.job.id, %error, "the hold on a job was not renewed"),
        }
        *held_until > self.inner.clock.now()
    }

    async fn keep(&self) {
        let latest = self.shown.borrow().clone();
        if let Some(latest) = latest
            && let Err(error) = self.inner.jobs.progress(&Hold::of(&self.cx.job), &latest).await
        {
            tracing::debug!(job = %self.cx.job.id, %error, "progress was not kept");
        }
    }
}

fn came(joined: Result<Work, JoinError>) -> Came {
    match joined {
        Ok(Ok(result)) => Came::Ended(result),
        Ok(Err(_)) | Err(_) => Came::Panicked,
    }
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

impl Inner {
    /// Ends the hold of a run.
    async fn conclude(&self, job: &JobRecord, grip: &Grip, came: Came, progress: Option<JobProgress>, spec: JobSpec) {
        let unwanted = grip.by.get();
        let end = match came {
            Came::Ended(result) => self.end_of(job, bounded(self.struck(result)), unwanted.is_some(), &spec),
            Came::Panicked if spec.repeat == Repeat::Safe => {
                let error = JobError::new(JobErrorKind::Retry, "a defect broke it off; the log has the details");
                self.end_of(job, Err(error), unwanted.is_some(), &spec)
            }
            Came::Panicked => doubt("a defect broke it off; look what of it was done before you submit it again"),
            Came::Dropped => dropped(unwanted.is_some(), &spec),
            Came::Abandoned if spec.repeat == Repeat::Safe => {
                JobEnd::Again { run_at: None, error: Some("Jarvis was stopped".to_owned()), counts: false }
            }
            Came::Abandoned | Came::Lost => {
                doubt("Jarvis was stopped while it ran; look what of it was done before you submit it again")
            }
        };
        let by = unwanted.filter(|_| is_cancelled(&end)).unwrap_or(&job.actor).clone();
        self.settle(job, end, &by, progress, false).await;
    }

    fn struck(&self, result: Result<Value, JobError>) -> Result<Value, JobError> {
        let clean = |mut value: Value| {
            self.redactor.value(&mut value);
            value
        };
        let told = |error: JobError| JobError {
            // Cut only now: half a secret would not be known for one.
            message: shorten(&self.redactor.text(&error.message), MESSAGE),
            result: error.result.map(clean),
            ..error
        };
        result.map(clean).map_err(told)
    }

    fn end_of(&self, job: &JobRecord, result: Result<Value, JobError>, unwanted: bool, spec: &JobSpec) -> JobEnd {
        let error = match result {
            Ok(result) => return JobEnd::Final { state: JobState::Done, result: Some(result), error: None },
            Err(error) => error,
        };
        let now = self.clock.now();
        let state = match error.kind {
            JobErrorKind::Retry | JobErrorKind::Later(_) if unwanted => JobState::Cancelled,
            JobErrorKind::Later(pause) => {
                let run_at = Some(now + millis(pause));
                return JobEnd::Again { run_at, error: Some(error.message), counts: false };
            }
            JobErrorKind::Retry if job.attempt < spec.retry.attempts => {
                let run_at = Some(now + millis(spec.retry.pause(job.attempt)));
                return JobEnd::Again { run_at, error: Some(error.message), counts: true };
            }
            JobErrorKind::Retry | JobErrorKind::Failed => JobState::Failed,
            JobErrorKind::Cancelled => JobState::Cancelled,
            JobErrorKind::Unknown => JobState::Unknown,
        };
        JobEnd::Final { state, result: error.result, error: Some(error.message) }
    }

    /// What becomes of a job whose worker is gone.
    pub(super) async fn reclaim(&self, job: &JobRecord, only_lapsed: bool) {
        let end = match self.kinds.find(&job.kind).map(|kind| kind.spec()) {
            None => doubt("its worker was lost, and this Jarvis knows no such kind of job"),
            Some(spec) if spec.repeat == Repeat::Never => {
                doubt("its worker was lost while it ran; look what of it was done before you submit it again")
            }
            // It only waits for a person, and what was asked runs once, whoever asks for it: that its worker was lost is
            // no fault of its own, and a card may outlast many starts.
            Some(_) if job.approval.is_some() => {
                JobEnd::Again { run_at: None, error: Some("its worker was lost".to_owned()), counts: false }
            }
            Some(spec) if job.attempt >= spec.retry.attempts => doubt(
                "its worker was lost again and again while it ran; look what of it was done and why, before you submit \
                 it again",
            ),
            Some(_) => JobEnd::Again { run_at: None, error: Some("its worker was lost".to_owned()), counts: true },
        };
        self.settle(job, end, &Actor::system().id, None, only_lapsed).await;
    }

    /// Says what became of a job, for as long as five seconds. If the store fails longer its lease lapses, and it is
    /// treated like one whose worker is gone.
    pub(super) async fn settle(
        &self,
        job: &JobRecord,
        end: JobEnd,
        by: &ActorId,
        progress: Option<JobProgress>,
        only_lapsed: bool,
    ) {
        let draft = match &end {
            JobEnd::Final { state, result, error } => {
                Some(row::ended(job, by, *state, error.as_deref(), result.as_ref()))
            }
            JobEnd::Again { run_at, error: Some(error), .. } => Some(row::retried(job, by, error, *run_at)),
            JobEnd::Again { error: None, .. } => None,
        };
        let settle = Settle { hold: Hold::of(job), end, progress, at: self.clock.now(), only_lapsed, draft };
        let mut pause = Duration::from_millis(50);
        let error = loop {
            match self.jobs.settle(settle.clone()).await {
                // Of an attempt in doubt nobody knows whether it was this one that was kept: either way it has ended.
                Ok(_) => return,
                Err(error) if pause > Duration::from_secs(2) => break error,
                Err(_) => tokio::time::sleep(pause).await,
            }
            pause *= 2;
        };
        tracing::error!(job = %job.id, %error, "the end of a job could not be kept; its lease will lapse");
    }
}

const fn is_cancelled(end: &JobEnd) -> bool {
    matches!(end, JobEnd::Final { state: JobState::Cancelled, .. })
}

fn doubt(why: &str) -> JobEnd {
    JobEnd::Final { state: JobState::Unknown, result: None, error: Some(why.to_owned()) }
}

fn dropped(unwanted: bool, spec: &JobSpec) -> JobEnd {
    let why = if unwanted {
        "it was cancelled, did not stop by itself and was cut off".to_owned()
    } else {
        format!("it took longer than {} s and was cut off", spec.deadline.as_secs())
    };
    let state = match (spec.repeat, unwanted) {
        (Repeat::Never, _) => return doubt(&format!("{why}; look what of it was done before you submit it again")),
        (Repeat::Safe, true) => JobState::Cancelled,
        (Repeat::Safe, false) => JobState::Failed,
    };
    JobEnd::Final { state, result: None, error: Some(why) }
}

/// A result that is larger than what is kept is left out, and the job is done all the same.
fn bounded(result: Result<Value, JobError>) -> Result<Value, JobError> {
    let fit = |value: Value| {
        let size = json::size(&value);
        if size <= RESULT { value } else { json!({ "left_out": format!("a result of {size} bytes") }) }
    };
    match result {
        Ok(value) => Ok(fit(value)),
        Err(mut error) => {
            error.result = error.result.map(fit);
            Err(error)
        }
    }
}
