//! Workers: what they take, how much at once, and what becomes of a job when something goes wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use jarvis_memory::{JobStore, LiveHub};
use jarvis_safety::event::{Draft, EventKind};
use jarvis_safety::job::{
    Appended, Beat, Cancel, Cancelled, Claim, Due, Fire, Hold, JobCounts, JobEnd, JobFilter, JobProgress, JobQueue,
    JobRecord, JobState, Jobs, Kinds, NewJob, OutputChunk, Peers, QueueParts, Schedule, Settle, Submission, Submitted,
    WorkerOptions,
};
use jarvis_safety::port::{Clock as _, Feed as _, StoreError, Stored};
use jarvis_safety::secret::Redactor;
use jarvis_safety::{ActorId, ApprovalId, JobId, ScheduleId};
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;

use crate::job_world::{Act, Jobbing, LONG, Once, operator};

#[tokio::test]
async fn an_idle_worker_hears_of_a_submission_and_tells_how_it_ended() {
    let jobbing = Jobbing::new().await;
    let working = jobbing.work(4);
    // The clock stands still: nothing but the submission can wake it.
    let job = jobbing.submit("safe", Act::Give(json!({ "answer": 42 }))).await;
    let ended = jobbing.ended(&job.id).await;
    assert_eq!((ended.state, ended.result, ended.attempt), (JobState::Done, Some(json!({ "answer": 42 })), 1));
    assert_eq!((ended.worker, ended.lease_until, ended.error), (None, None, None));
    assert!(ended.started_at.is_some() && ended.ended_at.is_some());
    let failed = jobbing.submit("safe", Act::Fail).await;
    let failed = jobbing.ended(&failed.id).await;
    assert_eq!((failed.state, failed.error.as_deref()), (JobState::Failed, Some("it makes no sense")));
    assert_eq!(jobbing.told(job.id.as_str()).await, ["job.submitted", "job.done"]);
    assert_eq!(jobbing.told(failed.id.as_str()).await, ["job.submitted", "job.failed"]);
    working.stop().await;
    jobbing.world.whole().await;
}

#[tokio::test]
async fn no_more_run_at_once_than_there_are_places_and_a_free_place_is_filled() {
    let jobbing = Jobbing::new().await;
    let working = jobbing.work(2);
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(jobbing.submit("safe", Act::Hold).await.id);
    }
    for _ in 0..2 {
        jobbing.ears.began().await;
    }
    let other = jobbing.submit("single", Act::Give(Value::Null)).await;
    jobbing.ended(&other.id).await;
    assert_eq!(jobbing.ears.began().await, other.id, "another queue has its own places");
    let counts = jobbing.queue.counts().await.unwrap();
    assert_eq!((counts.running, counts.queued), (2, 3));
    assert_eq!(jobbing.ears.heard().await, None);
    jobbing.stage.go.add_permits(5);
    for id in &ids {
        assert_eq!(jobbing.ended(id).await.state, JobState::Done);
    }
    working.stop().await;
}

#[tokio::test]
async fn what_asks_to_be_tried_again_is_after_its_pause_and_as_often_as_its_kind_allows() {
    let jobbing = Jobbing::new().await;
    let working = jobbing.work(4);
    let job = jobbing.submit("safe", Act::Until(3)).await;
    for (attempt, pause) in [(1, 10_000), (2, 15_000)] {
        let waits = queued_again(&jobbing, &job.id, attempt).await;
        assert_eq!((waits.attempt, waits.run_at), (attempt, Some(jobbing.world.clock.now() + pause)));
        assert_eq!(waits.error.as_deref(), Some("not yet"));
        jobbing.world.clock.turn(pause - 1);
        wake(&jobbing).await;
        assert_eq!(jobbing.job(&job.id).await.state, JobState::Queued, "not a moment too early");
        jobbing.world.clock.turn(1);
        wake(&jobbing).await;
    }
    let ended = jobbing.ended(&job.id).await;
    assert_eq!((ended.state, ended.attempt, ended.result), (JobState::Done, 3, Some(json!({ "attempt": 3 }))));
    let told = jobbing.told(job.id.as_str()).await;
    assert_eq!(told, ["job.submitted", "job.retried", "job.retried", "job.done"]);

    let never = jobbing.submit("safe", Act::Until(99)).await;
    for attempt in 1..=2 {
        queued_again(&jobbing, &never.id, attempt).await;
        jobbing.world.clock.turn(15_000);
        wake(&jobbing).await;
    }
    let ended = jobbing.ended(&never.id).await;
    assert_eq!((ended.state, ended.attempt, ended.error.as_deref()), (JobState::Failed, 3, Some("not yet")));
    working.stop().await;
}

/// Gives a worker a reason to look, and waits until it has.
async fn wake(jobbing: &Jobbing) {
    let job = jobbing.submit("single", Act::Give(Value::Null)).await;
    jobbing.ended(&job.id).await;
}

/// The job once it stands in its queue again, after so many attempts.
async fn queued_again(jobbing: &Jobbing, id: &JobId, attempt: u32) -> JobRecord {
    let mut rows = jobbing.world.store.subscribe();
    loop {
        let job = jobbing.job(id).await;
        if job.state == JobState::Queued && job.attempt >= attempt {
            return job;
        }
        tokio::time::timeout(LONG, rows.recv()).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_panic_is_tried_again_where_that_repeats_nothing_and_is_in_doubt_elsewhere() {
    let jobbing = Jobbing::new().await;
    let working = jobbing.work(4);
    let safe = jobbing.submit("safe", Act::Panic).await;
    assert!(queued_again(&jobbing, &safe.id, 1).await.error.unwrap().contains("defect"));
    let once = jobbing.submit("once", Act::Panic).await;
    let ended = jobbing.ended(&once.id).await;
    assert_eq!(ended.state, JobState::Unknown);
    assert!(ended.error.unwrap().contains("look what of it was done"));
    // And the worker works on.
    let next = jobbing.submit("safe", Act::Give(Value::Null)).await;
    assert_eq!(jobbing.ended(&next.id).await.state, JobState::Done);
    working.stop().await;
}

#[tokio::test]
async fn a_running_job_stops_at_once_when_somebody_wants_it() {
    let jobbing = Jobbing::new().await;
    let working = jobbing.work(4);
    let job = jobbing.submit("safe", Act::Hold).await;
    jobbing.ears.began().await;
    let cancelled = jobbing.queue.cancel(&operator(), &job.id, &job.origin).await.unwrap();
    assert_eq!(cancelled, Cancelled::Stopping);
    let ended = jobbing.ended(&job.id).await;
    assert_eq!((ended.state, ended.cancelled_by), (JobState::Cancelled, Some(operator().id)));
    assert_eq!(jobbing.told(job.id.as_str()).await, ["job.submitted", "job.stopping", "job.cancelled"]);
    working.stop().await;
}

#[tokio::test]
async fn what_takes_longer_than_its_kind_allows_is_cancelled() {
    let jobbing = Jobbing::new().await;
    let working = jobbing.work(4);
    let job = jobbing.submit("brief", Act::Hold).await;
    let ended = jobbing.ended(&job.id).await;
    assert_eq!((ended.state, ended.cancelled_by), (JobState::Cancelled, None), "it heard of it and stopped");
    working.stop().await;
}

#[tokio::test]
async fn a_run_whose_hold_was_lost_is_dropped_and_says_nothing() {
    let jobbing = Jobbing::new().await;
    let working = jobbing.peer(1);
    let job = jobbing.submit("safe", Act::HoldDeaf).await;
    jobbing.ears.began().await;
    // Another replica finds the lease lapsed and takes the job.
    let held = jobbing.job(&job.id).await;
    let again = JobEnd::Again { run_at: None, error: Some("lost".to_owned()), counts: true };
    assert!(jobbing.jobs.settle(jobbing.end(&held, again, EventKind::JobRetried)).await.unwrap());
    let other = jobbing.take("plain", 1, "other").await.remove(0);
    assert_eq!((other.epoch, other.id.clone()), (2, job.id.clone()));
    assert_eq!(jobbing.ears.dropped().await, job.id, "the next heartbeat hears of it");
    jobbing.stage.go.add_permits(1);
    assert!(jobbing.jobs.settle(jobbing.done(&other)).await.unwrap());
    let next = jobbing.submit("safe", Act::Give(Value::Null)).await;
    jobbing.ended(&next.id).await;
    assert_eq!(jobbing.job(&job.id).await.result, Some(json!("by hand")));
    assert_eq!(jobbing.told(job.id.as_str()).await, ["job.submitted", "job.retried", "job.done"]);
    working.stop().await;
}

#[tokio::test]
async fn a_heartbeat_keeps_a_long_run() {
    let jobbing = Jobbing::new().await;
    let working = jobbing.peer(1);
    let job = jobbing.submit("safe", Act::Hold).await;
    jobbing.ears.began().await;
    let first = jobbing.job(&job.id).await.lease_until;
    jobbing.world.clock.turn(2_000);
    // The row of a hold tells nobody; what a heartbeat has done is seen by looking.
    let renewed = async {
        while jobbing.job(&job.id).await.lease_until == first {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, renewed).await.unwrap();
    assert_eq!(jobbing.job(&job.id).await.lease_until, Some(jobbing.world.clock.now() + 3_000));
    jobbing.stage.go.add_permits(1);
    assert_eq!(jobbing.ended(&job.id).await.state, JobState::Done);
    working.stop().await;
}

#[tokio::test]
async fn stopping_gives_back_what_may_be_run_again_and_says_so_of_the_rest() {
    let jobbing = Jobbing::new().await;
    let working = jobbing.work(1);
    let running = jobbing.submit("safe", Act::HoldDeaf).await;
    jobbing.ears.began().await;
    let unstarted = jobbing.submit("safe", Act::Give(Value::Null)).await;
    working.stop().await;
    let back = jobbing.job(&running.id).await;
    assert_eq!((back.state, back.attempt, back.lease_until), (JobState::Queued, 0, None), "it was not its fault");
    assert_eq!(jobbing.job(&unstarted.id).await.state, JobState::Queued);

    let once = jobbing.submit("once", Act::HoldDeaf).await;
    let working = jobbing.work(1);
    assert_eq!(jobbing.ears.began().await, once.id);
    working.stop().await;
    let doubt = jobbing.job(&once.id).await;
    assert_eq!(doubt.state, JobState::Unknown);
    assert!(doubt.error.unwrap().contains("Jarvis was stopped"));

    jobbing.stage.go.add_permits(1);
    let working = jobbing.work(2);
    for id in [&running.id, &unstarted.id] {
        assert_eq!(jobbing.ended(id).await.state, JobState::Done);
    }
    working.stop().await;
}

#[tokio::test]
async fn a_worker_that_stops_waits_for_what_ends_in_time() {
    let jobbing = Jobbing::new().await;
    let working = jobbing.work_as(WorkerOptions { places: 1, grace: LONG, ..WorkerOptions::default() });
    let job = jobbing.submit("once", Act::HoldDeaf).await;
    jobbing.ears.began().await;
    jobbing.stage.go.add_permits(1);
    working.stop().await;
    assert_eq!(jobbing.job(&job.id).await.state, JobState::Done);
}

#[tokio::test]
async fn what_a_dead_worker_held_is_run_again_or_in_doubt_and_never_silently_repeated() {
    let jobbing = Jobbing::new().await;
    let safe = jobbing.submit("safe", Act::Give(Value::Null)).await;
    let once = jobbing.submit("once", Act::Give(Value::Null)).await;
    assert_eq!(jobbing.take("plain", 9, "dead").await.len(), 2);
    // The process is the only one, so whatever is held was held by one that is gone.
    let working = jobbing.work(4);
    assert_eq!(jobbing.ended(&safe.id).await.state, JobState::Done);
    let doubt = jobbing.ended(&once.id).await;
    assert_eq!((doubt.state, doubt.attempt), (JobState::Unknown, 1));
    assert!(doubt.error.unwrap().contains("its worker was lost"));
    assert_eq!(jobbing.stage.runs.load(Ordering::SeqCst), 1, "the other was not run");
    assert_eq!(jobbing.told(safe.id.as_str()).await, ["job.submitted", "job.retried", "job.done"]);
    assert_eq!(jobbing.told(once.id.as_str()).await, ["job.submitted", "job.unknown"]);
    working.stop().await;
}

#[tokio::test]
async fn a_peer_leaves_what_others_hold_until_their_lease_lapses() {
    let jobbing = Jobbing::new().await;
    let job = jobbing.submit("safe", Act::Give(Value::Null)).await;
    assert_eq!(jobbing.take("plain", 9, "other").await.len(), 1);
    let working = jobbing.peer(4);
    wake(&jobbing).await;
    assert_eq!(jobbing.job(&job.id).await.state, JobState::Running);
    jobbing.world.clock.turn(3_000);
    wake(&jobbing).await;
    assert_eq!(jobbing.ended(&job.id).await.state, JobState::Done);
    working.stop().await;
}

#[tokio::test]
async fn a_job_that_kills_its_workers_is_not_run_for_ever() {
    let jobbing = Jobbing::new().await;
    let job = jobbing.submit("safe", Act::Give(Value::Null)).await;
    for attempt in 1..=3 {
        let held = jobbing.take("plain", 1, "dead").await.remove(0);
        assert_eq!(held.attempt, attempt);
        if attempt < 3 {
            let again = JobEnd::Again { run_at: None, error: Some("lost".to_owned()), counts: true };
            assert!(jobbing.jobs.settle(jobbing.end(&held, again, EventKind::JobRetried)).await.unwrap());
        }
    }
    let working = jobbing.work(4);
    let ended = jobbing.ended(&job.id).await;
    assert_eq!(ended.state, JobState::Unknown);
    assert!(ended.error.unwrap().contains("again and again"));
    assert_eq!(jobbing.stage.runs.load(Ordering::SeqCst), 0);
    working.stop().await;
}

#[tokio::test]
async fn a_job_whose_stop_was_asked_for_before_its_worker_died_hears_of_it_from_the_start() {
    let jobbing = Jobbing::new().await;
    let job = jobbing.submit("safe", Act::Hold).await;
    let held = jobbing.take("plain", 1, "dead").await.remove(0);
    assert_eq!(jobbing.queue.cancel(&operator(), &job.id, &job.origin).await.unwrap(), Cancelled::Stopping);
    assert_eq!(jobbing.jobs.due().await.unwrap().lease, held.lease_until);
    let working = jobbing.work(1);
    let ended = jobbing.ended(&job.id).await;
    assert_eq!((ended.state, ended.cancelled_by), (JobState::Cancelled, Some(operator().id)));
    working.stop().await;
}

#[tokio::test]
async fn output_and_progress_are_kept_and_shown() {
    let jobbing = Jobbing::new().await;
    let working = jobbing.work(1);
    let said = vec!["line one\n".to_owned(), "é".repeat(10_000), String::new(), "end\n".to_owned()];
    let job = jobbing.submit("safe", Act::Say(said.clone())).await;
    let ended = jobbing.ended(&job.id).await;
    assert_eq!(ended.state, JobState::Done, "{:?}", ended.error);
    let progress = ended.progress.unwrap();
    assert_eq!((progress.done, progress.total, progress.text.as_str()), (4.0, Some(4.0), "saying"));
    let pieces = jobbing.jobs.output(&job.id, 0, 100).await.unwrap();
    assert_eq!(pieces.len(), 4, "20,000 bytes are two pieces");
    assert_eq!(pieces.iter().map(|piece| piece.text.as_str()).collect::<String>(), said.concat());
    working.stop().await;
}

#[tokio::test]
async fn a_job_for_later_runs_when_its_time_has_come() {
    let jobbing = Jobbing::new().await;
    let at = jobbing.world.clock.now() + 60_000;
    let submission = jobbing.submission("safe", &Act::Give(Value::Null));
    let later = Submission { run_at: Some(at), ..submission };
    let job = jobbing.queue.submit(later).await.unwrap().job;
    let working = jobbing.work(1);
    wake(&jobbing).await;
    assert_eq!(jobbing.job(&job.id).await.state, JobState::Queued);
    jobbing.world.clock.turn(60_000);
    wake(&jobbing).await;
    assert_eq!(jobbing.ended(&job.id).await.started_at, Some(at));
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_workers_share_a_queue_and_each_job_runs_once() {
    let jobbing = Jobbing::new().await;
    let (one, other) = (jobbing.peer(16), jobbing.peer(16));
    let mut ids = Vec::new();
    for index in 0..200 {
        ids.push(jobbing.submit("once", Act::Give(json!(index))).await.id);
    }
    for (index, id) in ids.iter().enumerate() {
        let ended = jobbing.ended(id).await;
        assert_eq!((ended.state, ended.epoch, ended.result), (JobState::Done, 1, Some(json!(index))));
    }
    assert_eq!(jobbing.stage.runs.load(Ordering::SeqCst), 200);
    one.stop().await;
    other.stop().await;
    jobbing.world.whole().await;
}

#[tokio::test]
async fn a_claim_whose_answer_never_came_is_given_back() {
    let jobbing = Jobbing::new().await;
    let job = jobbing.submit("once", Act::Give(Value::Null)).await;
    let held = jobbing.take("plain", 1, "gone").await.remove(0);
    // Never begun, so not even a kind that must not be repeated is in doubt.
    let back = JobEnd::Again { run_at: None, error: None, counts: false };
    let settle = Settle { draft: None, ..jobbing.end(&held, back, EventKind::JobRetried) };
    assert!(jobbing.jobs.settle(settle).await.unwrap());
    let again = jobbing.job(&job.id).await;
    assert_eq!((again.state, again.attempt, again.epoch), (JobState::Queued, 0, 1));
    assert_eq!(jobbing.told(job.id.as_str()).await, ["job.submitted"]);
    assert_eq!(jobbing.jobs.beat(&Hold::of(&held), 1).await.unwrap(), Beat::Lost);
    let options = WorkerOptions { places: 1, peers: Peers::Replicas, ..WorkerOptions::default() };
    let working = jobbing.work_as(options);
    assert_eq!(jobbing.ended(&job.id).await.state, JobState::Done);
    working.stop().await;
    assert!(jobbing.all(JobFilter { states: vec![JobState::Running], ..JobFilter::default() }).await.is_empty());
}

/// The real store behind a line that loses the answer to the first claim that takes something.
struct Unheard {
    jobs: Arc<JobStore>,
    lost: AtomicBool,
}

macro_rules! passed_on {
    ($($method:ident($($arg:ident: $kind:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl Jobs for Unheard {
            async fn claim(&self, claim: &Claim) -> Stored<Vec<JobRecord>> {
                let taken = self.jobs.claim(claim).await?;
                if taken.is_empty() || self.lost.swap(true, Ordering::SeqCst) {
                    return Ok(taken);
                }
                Err(StoreError::Unknown("the disk went away".to_owned()))
            }

            fn moved(&self) -> Receiver<Option<JobId>> {
                self.jobs.moved()
            }

            async fn submit_all(&self, jobs: Vec<NewJob>) -> Vec<Stored<Submitted>> {
                self.jobs.submit_all(jobs).await
            }

            $(async fn $method(&self, $($arg: $kind),*) -> Stored<$answer> {
                self.jobs.$method($($arg),*).await
            })*
        }
    };
}

passed_on! {
    submit(job: NewJob) -> Submitted;
    beat(hold: &Hold, until: i64) -> Beat;
    progress(hold: &Hold, progress: &JobProgress) -> bool;
    put_out(hold: &Hold, text: &str, at: i64) -> Appended;
    wait_for(hold: &Hold, approval: Option<&ApprovalId>) -> bool;
    settle(settle: Settle) -> bool;
    cancel(cancel: Cancel) -> Cancelled;
    held() -> Vec<JobRecord>;
    due() -> Due;
    job(id: &JobId) -> Option<JobRecord>;
    jobs(filter: &JobFilter, before: Option<&JobId>, limit: u32) -> Vec<JobRecord>;
    counts() -> JobCounts;
    output(id: &JobId, after: u64, limit: u32) -> Vec<OutputChunk>;
    save_schedule(schedule: &Schedule, draft: Draft) -> ();
    remove_schedule(id: &ScheduleId, draft: Draft) -> bool;
    schedule(id: &ScheduleId) -> Option<Schedule>;
    schedules(actor: Option<&ActorId>) -> Vec<Schedule>;
    due_schedules(now: i64) -> Vec<Schedule>;
    fire(fire: Fire) -> bool;
}

#[tokio::test]
async fn a_worker_gives_back_what_it_took_without_hearing_of_it_and_then_runs_it_once() {
    let mut jobbing = Jobbing::new().await;
    let line = Arc::new(Unheard { jobs: Arc::clone(&jobbing.jobs), lost: AtomicBool::new(false) });
    jobbing.queue = JobQueue::new(QueueParts {
        kinds: Kinds::builder().with(Once(Arc::clone(&jobbing.stage))).build().unwrap(),
        jobs: Arc::clone(&line) as _,
        feed: Arc::new(jobbing.world.store.clone()),
        live: Arc::new(LiveHub::new()),
        clock: Arc::clone(&jobbing.world.clock) as _,
        ids: Arc::clone(&jobbing.world.ids) as _,
        redactor: Redactor::default(),
    });
    // One that must not be repeated: it never began, so it is not in doubt.
    let job = jobbing.submit("once", Act::Give(json!("ran"))).await;
    let working = jobbing.peer(1);
    let ended = jobbing.ended(&job.id).await;
    assert!(line.lost.load(Ordering::SeqCst));
    assert_eq!((ended.state, ended.epoch, ended.attempt), (JobState::Done, 2, 1), "taken twice, begun once");
    assert_eq!(jobbing.stage.runs.load(Ordering::SeqCst), 1);
    assert_eq!(jobbing.told(job.id.as_str()).await, ["job.submitted", "job.done"]);
    working.stop().await;
    jobbing.world.whole().await;
}
