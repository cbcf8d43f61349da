//! Where jobs are handed in and looked at: what the faces hold.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future;
use serde_json::Value;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::kind::{Dedup, Kinds};
use super::port::{Cancel, Cancelled, JobCounts, JobFilter, Jobs, NewJob, Submitted};
use super::record::{JobRecord, JobState, OutputChunk};
use super::row;
use super::schedule::{MOST, Missed, NewSchedule, Schedule};
use super::timetable::Timetable;
use crate::actor::{Actor, ActorKind};
use crate::call::{Origin, Vouching};
use crate::digest::Digest;
use crate::frame::Frame;
use crate::id::{ActorId, JobId, ScheduleId};
use crate::json;
use crate::plain::{shorten, visible};
use crate::port::{Clock, Feed, Ids, Live, Stored};
use crate::refusal::{Code, Refusal, store_refusal};
use crate::secret::Redactor;

/// Largest payload, in bytes of JSON.
const PAYLOAD: usize = 256 * 1024;

/// Longest idempotency key, in bytes.
const KEY: usize = 200;

/// Most schedules of one actor.
const SCHEDULES: usize = 100;

/// How the keys of scheduled runs begin.
pub(super) const SCHEDULED: &str = "schedule:";

/// What a queue is built from.
pub struct QueueParts {
    /// All kinds of jobs.
    pub kinds: Kinds,
    /// Keeps them.
    pub jobs: Arc<dyn Jobs>,
    /// The audit: by its rows everybody hears of submissions and ends, also of those of other replicas.
    pub feed: Arc<dyn Feed>,
    /// Shows progress.
    pub live: Arc<dyn Live>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Fresh ids.
    pub ids: Arc<dyn Ids>,
    /// Strikes secrets out of what jobs say.
    pub redactor: Redactor,
}

/// Something to do.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Who submits, and on whose behalf it runs.
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
    /// Who chose.
    pub vouching: Vouching,
    /// Kind of job.
    pub kind: String,
    /// What to do, strictly parsed ([`crate::json::parse`]).
    pub payload: Value,
    /// Idempotency key: the same key with the same payload is the same job.
    pub key: Option<String>,
    /// Not before this time.
    pub run_at: Option<i64>,
}

/// What a submission came to.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// The job.
    pub job: Arc<JobRecord>,
    /// Whether this submission made it; if not, it was there for the same key, or it is an open one that is the same.
    pub new: bool,
}

/// A job that is asked for, by somebody or by a schedule.
pub(super) struct Asked {
    pub(super) actor: ActorId,
    pub(super) origin: Origin,
    pub(super) vouching: Vouching,
    pub(super) kind: String,
    pub(super) payload: Value,
    pub(super) key: Option<String>,
    pub(super) schedule: Option<ScheduleId>,
    pub(super) run_at: Option<i64>,
}

pub(super) struct Inner {
    pub(super) kinds: Kinds,
    pub(super) jobs: Arc<dyn Jobs>,
    pub(super) feed: Arc<dyn Feed>,
    pub(super) live: Arc<dyn Live>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn Ids>,
    pub(super) redactor: Redactor,
}

/// The queue. Cheap to clone.
#[derive(Clone)]
pub struct JobQueue(pub(super) Arc<Inner>);

impl JobQueue {
    /// Builds the queue. Jobs run where a [`super::Worker`] runs.
    #[must_use]
    pub fn new(parts: QueueParts) -> Self {
        let QueueParts { kinds, jobs, feed, live, clock, ids, redactor } = parts;
        Self(Arc::new(Inner { kinds, jobs, feed, live, clock, ids, redactor }))
    }

    /// All kinds.
    #[must_use]
    pub fn kinds(&self) -> &Kinds {
        &self.0.kinds
    }

    /// Hands in a job. When this answers, it is durable.
    ///
    /// # Errors
    /// If there is no such kind, the payload is not one of it, or the key belongs to another job; nothing was kept then.
    /// If the store cannot say whether it was kept, ask again with the same key.
    pub async fn submit(&self, submission: Submission) -> Result<Receipt, Refusal> {
        let new = self.0.prepare(submission)?;
        let record = Arc::clone(&new.record);
        receipt(record, self.0.jobs.submit(new).await)
    }

    /// Hands in many; each is kept or refused on its own.
    pub async fn submit_all(&self, submissions: Vec<Submission>) -> Vec<Result<Receipt, Refusal>> {
        future::join_all(submissions.into_iter().map(|submission| self.submit(submission))).await
    }

    /// One job of this actor (the operator sees all).
    ///
    /// # Errors
    /// If there is none, or the store cannot be read.
    pub async fn job(&self, actor: &Actor, id: &JobId) -> Result<JobRecord, Refusal> {
        let found = self.0.jobs.job(id).await.map_err(|error| store_refusal(&error))?;
        found.filter(|job| sees(actor, &job.actor)).ok_or_else(|| {
            Refusal::new(Code::NotFound, "jobs", format!("there is no job {id}; `jarvis jobs` lists them"))
        })
    }

    /// Jobs, newest first, older than `before`; at most 500. Whoever is not the operator sees only their own.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn jobs(
        &self,
        actor: &Actor,
        mut filter: JobFilter,
        before: Option<&JobId>,
        limit: u32,
    ) -> Result<Vec<JobRecord>, Refusal> {
        if actor.kind != ActorKind::Operator {
            filter.actor = Some(actor.id.clone());
        }
        self.0.jobs.jobs(&filter, before, limit).await.map_err(|error| store_refusal(&error))
    }

    /// How many jobs are open or in doubt, of all actors.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn counts(&self) -> Result<JobCounts, Refusal> {
        self.0.jobs.counts().await.map_err(|error| store_refusal(&error))
    }

    /// What a job has put out after a piece; at most 500 pieces.
    ///
    /// # Errors
    /// As [`JobQueue::job`].
    pub async fn output(&self, actor: &Actor, id: &JobId, after: u64, limit: u32) -> Result<Vec<OutputChunk>, Refusal> {
        self.job(actor, id).await?;
        self.0.jobs.output(id, after, limit).await.map_err(|error| store_refusal(&error))
    }

    /// Looks on until nothing more will happen to a job, for at most so long, and answers the job as it then stands.
    ///
    /// # Errors
    /// As [`JobQueue::job`].
    pub async fn follow(&self, actor: &Actor, id: &JobId, longest: Duration) -> Result<JobRecord, Refusal> {
        let mut rows = self.0.feed.subscribe();
        let until = tokio::time::Instant::now() + longest;
        loop {
            let job = self.job(actor, id).await?;
            if job.state.is_final() {
                return Ok(job);
            }
            loop {
                match tokio::time::timeout_at(until, rows.recv()).await {
                    Err(_) | Ok(Err(RecvError::Closed)) => return Ok(job),
                    Ok(Ok(row)) if row.subject != id.as_str() => {}
                    // A row about it, or a gap in which there may have been one.
                    Ok(Ok(_) | Err(RecvError::Lagged(_))) => break,
                }
            }
        }
    }

    /// What is happening to jobs right now; each frame says whose it is.
    #[must_use]
    pub fn frames(&self) -> Receiver<Arc<Frame>> {
        self.0.live.subscribe()
    }

    /// Jobs that go on at another replica; `None` if some may have been missed. Whose they are is looked up.
    #[must_use]
    pub fn moved(&self) -> Receiver<Option<JobId>> {
        self.0.jobs.moved()
    }

    /// Wants a job of this actor to stop (the operator may stop any).
    ///
    /// # Errors
    /// As [`JobQueue::job`].
    pub async fn cancel(&self, actor: &Actor, id: &JobId, origin: &Origin) -> Result<Cancelled, Refusal> {
        let job = self.job(actor, id).await?;
        if job.state.is_final() {
            return Ok(Cancelled::Over(job.state));
        }
        let cancel = Cancel {
            job: id.clone(),
            by: actor.id.clone(),
            at: self.0.clock.now(),
            ended: row::withdrawn(&job, &actor.id, origin),
            stopping: row::stopping(&job, &actor.id, origin),
        };
        self.0.jobs.cancel(cancel).await.map_err(|error| store_refusal(&error))
    }

    /// Makes a schedule, or changes the one of this id, if it is this actor's (the operator may change any; it keeps its
    /// owner).
    ///
    /// # Errors
    /// If the timetable or the payload makes no sense, the actor has as many as one may, or the store cannot keep it.
    pub async fn save_schedule(&self, new: NewSchedule) -> Result<Schedule, Refusal> {
        let old = match &new.id {
            Some(id) => Some(self.schedule(&new.actor, id).await?),
            None => {
                let there = self.0.jobs.schedules(Some(&new.actor.id)).await.map_err(|error| store_refusal(&error))?;
                if there.len() >= SCHEDULES {
                    return Err(Refusal::new(
                        Code::RateLimited,
                        "schedules",
                        format!("you have {SCHEDULES} schedules, as many as one may have; remove one first"),
                    ));
                }
                None
            }
        };
        let schedule = self.0.planned(new.clone(), old)?;
        let draft = row::saved(&schedule, &new.actor.id);
        self.0.jobs.save_schedule(&schedule, draft).await.map_err(|error| store_refusal(&error))?;
        Ok(schedule)
    }

    /// Removes a schedule of this actor (the operator may remove any). Its jobs stay.
    ///
    /// # Errors
    /// If there is none, or the store cannot say.
    pub async fn remove_schedule(&self, actor: &Actor, id: &ScheduleId, origin: &Origin) -> Result<(), Refusal> {
        let schedule = self.schedule(actor, id).await?;
        let draft = row::removed(&schedule, &actor.id, origin);
        self.0.jobs.remove_schedule(id, draft).await.map(|_| ()).map_err(|error| store_refusal(&error))
    }

    /// One schedule of this actor (the operator sees all).
    ///
    /// # Errors
    /// If there is none, or the store cannot be read.
    pub async fn schedule(&self, actor: &Actor, id: &ScheduleId) -> Result<Schedule, Refusal> {
        let found = self.0.jobs.schedule(id).await.map_err(|error| store_refusal(&error))?;
        found.filter(|schedule| sees(actor, &schedule.actor)).ok_or_else(|| {
            Refusal::new(
                Code::NotFound,
                "schedules",
                format!("there is no schedule {id}; `jarvis schedules` lists them"),
            )
        })
    }

    /// Schedules of this actor, or all for the operator.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn schedules(&self, actor: &Actor) -> Result<Vec<Schedule>, Refusal> {
        let own = (actor.kind != ActorKind::Operator).then_some(&actor.id);
        self.0.jobs.schedules(own).await.map_err(|error| store_refusal(&error))
    }
}

fn sees(actor: &Actor, owner: &ActorId) -> bool {
    actor.kind == ActorKind::Operator || actor.id == *owner
}

fn receipt(record: Arc<JobRecord>, kept: Stored<Submitted>) -> Result<Receipt, Refusal> {
    match kept.map_err(|error| store_refusal(&error))? {
        Submitted::New => Ok(Receipt { job: record, new: true }),
        Submitted::Known(job) => Ok(Receipt { job: Arc::from(job), new: false }),
        Submitted::KeyReused(id) => Err(Refusal::new(
            Code::KeyReused,
            "idempotency key",
            format!("this key belongs to another job ({id}); use a new key. Nothing was kept"),
        )),
    }
}

impl Inner {
    pub(super) fn prepare(&self, submission: Submission) -> Result<NewJob, Refusal> {
        let Submission { actor, origin, vouching, kind, payload, key, run_at } = submission;
        if key.as_ref().is_some_and(|key| key.is_empty() || key.len() > KEY) {
            return Err(Refusal::invalid(format!("an idempotency key has 1 to {KEY} bytes")));
        }
        // A run of a schedule must find its key free.
        if key.as_ref().is_some_and(|key| key.starts_with(SCHEDULED)) {
            return Err(Refusal::invalid(format!(
                "keys that begin with `{SCHEDULED}` belong to schedules; use another"
            )));
        }
        let asked = Asked { actor: actor.id, origin, vouching, kind, payload, key, schedule: None, run_at };
        self.new_job(asked)
    }

    pub(super) fn new_job(&self, asked: Asked) -> Result<NewJob, Refusal> {
        let found = self.kinds.known(&asked.kind).map_err(Refusal::invalid)?;
        let size = json::size(&asked.payload);
        if size > PAYLOAD {
            return Err(Refusal::invalid(format!("the payload has {size} bytes; at most {PAYLOAD} are taken")));
        }
        let spec = found.spec();
        let accepted = found.accept(asked.payload);
        let (payload, title) =
            accepted.map_err(|why| Refusal::invalid(format!("a job of kind `{}`: {why}", asked.kind)))?;
        self.spells_none(&payload)?;
        let dedup = match spec.dedup {
            Dedup::None => None,
            Dedup::ByPayload => {
                let text = serde_json::json!([asked.actor, spec.kind, payload]).to_string();
                Some(Digest::of(text.as_bytes()).as_str().to_owned())
            }
        };
        let record = JobRecord {
            id: JobId::new(self.ids.next()),
            kind: asked.kind,
            title,
            queue: spec.queue.to_owned(),
            priority: spec.priority,
            actor: asked.actor,
            origin: asked.origin,
            vouching: asked.vouching,
            payload,
            key: asked.key,
            schedule: asked.schedule,
            state: JobState::Queued,
            run_at: asked.run_at,
            attempt: 0,
            epoch: 0,
            worker: None,
            lease_until: None,
            approval: None,
            progress: None,
            chunks: 0,
            result: None,
            error: None,
            cancelled_by: None,
            created_at: self.clock.now(),
            started_at: None,
            ended_at: None,
        };
        let draft = row::submitted(&record);
        Ok(NewJob { record: Arc::new(record), dedup, draft })
    }

    /// A payload is kept and shown: it names secrets, and spells none out.
    fn spells_none(&self, payload: &Value) -> Result<(), Refusal> {
        let Some(name) = self.redactor.found(payload) else { return Ok(()) };
        Err(Refusal::invalid(format!(
            "the payload holds the value of the secret `{name}`, or the mark that stands in its place; where a tool takes a \
             secret, write secret://{name}. Nothing was kept"
        )))
    }

    /// The schedule that somebody wants, checked.
    fn planned(&self, new: NewSchedule, old: Option<Schedule>) -> Result<Schedule, Refusal> {
        let name = shorten(&visible(&self.redactor.text(new.name.trim())), 100);
        if name.is_empty() {
            return Err(Refusal::invalid("a schedule needs a name, by which people know it"));
        }
        if matches!(new.missed, Missed::CatchUp(most) if most == 0 || most > MOST) {
            return Err(Refusal::invalid(format!(
                "1 to {MOST} missed runs can be caught up; to leave them out, skip them"
            )));
        }
        let timetable = Timetable::new(&new.cron, &new.zone).map_err(|error| Refusal::invalid(error.to_string()))?;
        let kind = self.kinds.known(&new.kind).map_err(Refusal::invalid)?;
        let accepted = kind.accept(new.payload);
        let (payload, _) = accepted.map_err(|why| Refusal::invalid(format!("a job of kind `{}`: {why}", new.kind)))?;
        self.spells_none(&payload)?;
        let now = self.clock.now();
        let id = old.as_ref().map_or_else(|| ScheduleId::new(self.ids.next()), |old| old.id.clone());
        Ok(Schedule {
            id,
            name,
            actor: old.as_ref().map_or(new.actor.id, |old| old.actor.clone()),
            // The words were said for the moment in which it was made.
            origin: Origin { words: None, turn: None, undoes: None, ..new.origin },
            vouching: new.vouching,
            kind: new.kind,
            payload,
            next_at: timetable.after(now).filter(|_| new.active),
            timetable,
            missed: new.missed,
            active: new.active,
            last_at: old.as_ref().and_then(|old| old.last_at),
            created_at: old.as_ref().map_or(now, |old| old.created_at),
        })
    }
}
