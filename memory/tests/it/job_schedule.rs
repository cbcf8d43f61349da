//! Schedules: fired once, over changes of the clocks, and after a time in which nobody was there.

use std::sync::atomic::Ordering;

use jarvis_safety::call::{Origin, Vouching};
use jarvis_safety::event::EventKind;
use jarvis_safety::id::ScheduleId;
use jarvis_safety::job::{Fire, JobFilter, JobRecord, JobState, Jobs as _, Missed, NewJob, NewSchedule, Schedule};
use jarvis_safety::port::{Clock as _, Feed as _};
use jarvis_safety::refusal::Code;
use jarvis_safety::{Actor, ActorId};
use serde_json::{Value, json};

use crate::job_world::{Act, Jobbing, LONG, operator};
use crate::world::{client, row};

const HOUR: i64 = 3_600_000;

fn wanted(cron: &str, zone: &str, missed: Missed) -> NewSchedule {
    NewSchedule {
        id: None,
        actor: client(),
        origin: Origin { words: Some("every night".to_owned()), face: "api".to_owned(), ..Origin::default() },
        vouching: Vouching::Client,
        name: "nightly".to_owned(),
        kind: "safe".to_owned(),
        payload: serde_json::to_value(Act::Give(Value::Null)).unwrap(),
        cron: cron.to_owned(),
        zone: zone.to_owned(),
        missed,
        active: true,
    }
}

impl Jobbing {
    pub(crate) async fn hourly(&self, missed: Missed) -> Schedule {
        self.queue.save_schedule(wanted("0 * * * *", "UTC", missed)).await.unwrap()
    }

    /// Turns the clock to a time.
    pub(crate) fn turn_to(&self, at: i64) {
        self.world.clock.turn(at - self.world.clock.now());
    }

    /// Jobs of a schedule, the oldest first, once its run that was due then has been fired.
    pub(crate) async fn fired(&self, schedule: &Schedule, due: i64) -> Vec<JobRecord> {
        let mut rows = self.world.store.subscribe();
        // A reason to look for whoever rests by a clock that stands still.
        self.submit("single", Act::Give(Value::Null)).await;
        while self.jobs.schedule(&schedule.id).await.unwrap().unwrap().next_at == Some(due) {
            tokio::time::timeout(LONG, rows.recv()).await.unwrap().unwrap();
        }
        let filter = JobFilter { schedule: Some(schedule.id.clone()), ..JobFilter::default() };
        let mut jobs = self.all(filter).await;
        jobs.reverse();
        jobs
    }
}

#[tokio::test]
async fn a_schedule_submits_its_job_at_its_time_on_behalf_of_whoever_made_it() {
    let jobbing = Jobbing::new().await;
    let schedule = jobbing.hourly(Missed::Skip).await;
    let due = schedule.next_at.unwrap();
    assert!(due > jobbing.world.clock.now() && due % HOUR == 0);
    assert_eq!(schedule.origin.words, None, "the words were said for that moment alone");
    assert_eq!(jobbing.jobs.due().await.unwrap().schedule, Some(due));
    let working = jobbing.work(4);
    jobbing.turn_to(due);
    let jobs = jobbing.fired(&schedule, due).await;
    assert_eq!(jobs.len(), 1);
    let job = jobbing.ended(&jobs[0].id).await;
    assert_eq!((job.state, &job.actor, &job.schedule), (JobState::Done, &client().id, &Some(schedule.id.clone())));
    assert_eq!((job.origin.face.as_str(), job.key), ("schedule", Some(format!("schedule:{}:{due}", schedule.id))));
    let now = jobbing.queue.schedule(&client(), &schedule.id).await.unwrap();
    assert_eq!((now.next_at, now.last_at), (Some(due + HOUR), Some(due)));
    assert_eq!(jobbing.told(schedule.id.as_str()).await, ["schedule.saved"]);
    working.stop().await;
    jobbing.world.whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_run_is_submitted_once_however_many_fire_it() {
    let jobbing = Jobbing::new().await;
    let schedule = jobbing.hourly(Missed::Skip).await;
    let mut due = schedule.next_at.unwrap();
    let workers = [jobbing.peer(4), jobbing.peer(4), jobbing.peer(4)];
    for round in 1..=5 {
        jobbing.turn_to(due);
        assert_eq!(jobbing.fired(&schedule, due).await.len(), round);
        due += HOUR;
    }
    for working in workers {
        working.stop().await;
    }
}

#[tokio::test]
async fn firing_moves_the_schedule_and_submits_in_one_transaction_or_not_at_all() {
    let jobbing = Jobbing::new().await;
    let schedule = jobbing.hourly(Missed::Skip).await;
    let due = schedule.next_at.unwrap();
    let fire = |jobs: Vec<NewJob>| Fire {
        schedule: schedule.id.clone(),
        due,
        next: Some(due + HOUR),
        at: due,
        jobs,
        missed: Some(row(EventKind::ScheduleMissed, schedule.id.as_str())),
    };
    let there = jobbing.new_job("safe");
    jobbing.jobs.submit(there.clone()).await.unwrap();
    let broken = vec![jobbing.new_job("safe"), there];
    assert!(jobbing.jobs.fire(fire(broken)).await.is_err());
    let kept = jobbing.jobs.schedule(&schedule.id).await.unwrap().unwrap();
    assert_eq!((kept.next_at, jobbing.all(JobFilter::default()).await.len()), (Some(due), 1), "nothing of it");
    assert!(jobbing.jobs.fire(fire(vec![jobbing.new_job("safe")])).await.unwrap());
    assert!(!jobbing.jobs.fire(fire(vec![jobbing.new_job("safe")])).await.unwrap(), "it was fired");
    assert_eq!(jobbing.all(JobFilter::default()).await.len(), 2);
    assert_eq!(jobbing.told(schedule.id.as_str()).await, ["schedule.saved", "schedule.missed"]);
}

#[tokio::test]
async fn missed_runs_are_skipped_or_caught_up_as_the_schedule_says() {
    for (missed, jobs, told) in [
        (Missed::Skip, 0, vec!["schedule.saved", "schedule.missed"]),
        (Missed::CatchUp(1), 1, vec!["schedule.saved", "schedule.missed"]),
        (Missed::CatchUp(3), 3, vec!["schedule.saved", "schedule.missed"]),
        (Missed::CatchUp(9), 5, vec!["schedule.saved"]),
    ] {
        let jobbing = Jobbing::new().await;
        let schedule = jobbing.hourly(missed).await;
        let due = schedule.next_at.unwrap();
        // Nobody was there for five runs.
        let jobbing = jobbing.restart().await;
        jobbing.turn_to(due + 4 * HOUR + HOUR / 2);
        let working = jobbing.work(8);
        let found = jobbing.fired(&schedule, due).await;
        let runs: Vec<_> = found.iter().map(|job| job.key.clone().unwrap()).collect();
        let last: Vec<_> = (5 - jobs..5).map(|run| format!("schedule:{}:{}", schedule.id, due + run * HOUR)).collect();
        assert_eq!(runs, last, "{missed:?}");
        assert_eq!(jobbing.told(schedule.id.as_str()).await, told, "{missed:?}");
        let now = jobbing.jobs.schedule(&schedule.id).await.unwrap().unwrap();
        assert_eq!(now.next_at, Some(due + 5 * HOUR));
        working.stop().await;
    }
}

#[tokio::test]
async fn a_nightly_run_keeps_its_hour_over_both_changes_of_the_clocks() {
    // 2026-03-28 00:00 UTC and 2026-10-24 12:00 UTC.
    for (from, runs) in [
        (1_774_656_000_000, [1_774_661_400_000, 1_774_746_000_000, 1_774_830_600_000]),
        (1_792_843_200_000, [1_792_888_200_000, 1_792_978_200_000, 1_793_064_600_000]),
    ] {
        let jobbing = Jobbing::new().await;
        jobbing.turn_to(from);
        let nightly = wanted("30 2 * * *", "Europe/Berlin", Missed::CatchUp(1));
        let schedule = jobbing.queue.save_schedule(nightly).await.unwrap();
        let working = jobbing.work(4);
        for (index, run) in runs.into_iter().enumerate() {
            let next = jobbing.jobs.schedule(&schedule.id).await.unwrap().unwrap().next_at;
            assert_eq!(next, Some(run));
            jobbing.turn_to(run);
            let jobs = jobbing.fired(&schedule, run).await;
            assert_eq!(jobs.len(), index + 1, "one a night");
        }
        working.stop().await;
    }
}

#[tokio::test]
async fn a_paused_or_removed_schedule_does_not_fire() {
    let jobbing = Jobbing::new().await;
    let schedule = jobbing.hourly(Missed::CatchUp(5)).await;
    let due = schedule.next_at.unwrap();
    let change = |active| NewSchedule {
        id: Some(schedule.id.clone()),
        active,
        ..wanted("0 * * * *", "UTC", Missed::CatchUp(5))
    };
    let paused = jobbing.queue.save_schedule(change(false)).await.unwrap();
    assert_eq!((paused.next_at, paused.created_at), (None, schedule.created_at));
    let working = jobbing.work(4);
    jobbing.turn_to(due + 2 * HOUR);
    let wake = jobbing.submit("safe", Act::Give(Value::Null)).await;
    jobbing.ended(&wake.id).await;
    assert_eq!(jobbing.stage.runs.load(Ordering::SeqCst), 1);
    let resumed = jobbing.queue.save_schedule(change(true)).await.unwrap();
    assert_eq!(resumed.next_at, Some(due + 3 * HOUR), "what was paused is not caught up");
    jobbing.queue.remove_schedule(&client(), &schedule.id, &Origin::default()).await.unwrap();
    jobbing.turn_to(due + 9 * HOUR);
    let wake = jobbing.submit("safe", Act::Give(Value::Null)).await;
    jobbing.ended(&wake.id).await;
    let filter = JobFilter { schedule: Some(schedule.id.clone()), ..JobFilter::default() };
    assert!(jobbing.all(filter).await.is_empty());
    let told = jobbing.told(schedule.id.as_str()).await;
    assert_eq!(told, ["schedule.saved", "schedule.saved", "schedule.saved", "schedule.removed"]);
    working.stop().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_when_it_is_made() {
    let jobbing = Jobbing::new().await;
    let refused = async |new: NewSchedule| {
        let refusal = jobbing.queue.save_schedule(new).await.unwrap_err();
        assert_eq!(refusal.code, Code::InvalidArguments);
        refusal.message
    };
    let base = || wanted("0 4 * * *", "UTC", Missed::Skip);
    assert!(refused(NewSchedule { cron: "every day".to_owned(), ..base() }).await.contains("five fields"));
    assert!(refused(NewSchedule { zone: "Berlin".to_owned(), ..base() }).await.contains("no time zone"));
    assert!(refused(NewSchedule { name: " ".to_owned(), ..base() }).await.contains("needs a name"));
    assert!(refused(NewSchedule { kind: "x".to_owned(), ..base() }).await.contains("no kind of job"));
    assert!(refused(NewSchedule { payload: json!(7), ..base() }).await.contains("a job of kind `safe`"));
    assert!(refused(NewSchedule { missed: Missed::CatchUp(0), ..base() }).await.contains("1 to 100"));
    assert!(jobbing.queue.schedules(&operator()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_schedule_belongs_to_whoever_made_it_and_the_operator_changes_it_without_taking_it() {
    let jobbing = Jobbing::new().await;
    let schedule = jobbing.hourly(Missed::Skip).await;
    let stranger = Actor { id: ActorId::new("token:tok_y"), ..client() };
    assert!(jobbing.queue.schedules(&stranger).await.unwrap().is_empty());
    let theirs = NewSchedule {
        id: Some(schedule.id.clone()),
        actor: stranger.clone(),
        ..wanted("0 5 * * *", "UTC", Missed::Skip)
    };
    assert_eq!(jobbing.queue.save_schedule(theirs).await.unwrap_err().code, Code::NotFound);
    let gone = jobbing.queue.remove_schedule(&stranger, &schedule.id, &Origin::default()).await;
    assert_eq!(gone.unwrap_err().code, Code::NotFound);
    let operators =
        NewSchedule { id: Some(schedule.id.clone()), actor: operator(), ..wanted("0 5 * * *", "UTC", Missed::Skip) };
    let changed = jobbing.queue.save_schedule(operators).await.unwrap();
    assert_eq!((&changed.actor, changed.timetable.cron()), (&client().id, "0 5 * * *"));
    assert_eq!(jobbing.queue.schedules(&client()).await.unwrap(), [changed]);
    assert!(jobbing.queue.schedule(&operator(), &ScheduleId::new(1_000_000)).await.is_err());
}

#[tokio::test]
async fn a_run_that_makes_no_sense_any_more_is_told_and_the_next_one_comes() {
    let jobbing = Jobbing::new().await;
    let mut schedule = jobbing.hourly(Missed::Skip).await;
    // As after an update that no longer knows the kind.
    schedule.kind = "gone".to_owned();
    jobbing.jobs.save_schedule(&schedule, row(EventKind::ScheduleSaved, schedule.id.as_str())).await.unwrap();
    let due = schedule.next_at.unwrap();
    jobbing.turn_to(due);
    let working = jobbing.work(4);
    assert!(jobbing.fired(&schedule, due).await.is_empty());
    let told = jobbing.told(schedule.id.as_str()).await;
    assert_eq!(told, ["schedule.saved", "schedule.saved", "schedule.missed"]);
    working.stop().await;
}
