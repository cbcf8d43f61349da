//! Jobs as they are kept: submission, keys, taking, holding, ending, listing.

use jarvis_safety::event::EventKind;
use jarvis_safety::job::{
    Appended, Beat, Cancel, Cancelled, Hold, JobCounts, JobEnd, JobFilter, JobProgress, JobState, Jobs as _, Settle,
    Submission, Submitted,
};
use jarvis_safety::port::{Clock as _, StoreError};
use jarvis_safety::refusal::Code;
use jarvis_safety::{Actor, ActorId, JobId};
use serde_json::json;

use crate::job_world::{Act, Jobbing, operator, told_of};
use crate::world::client;

#[tokio::test]
async fn a_submitted_job_is_told_once_and_found_after_a_restart() {
    let jobbing = Jobbing::new().await;
    let job = jobbing.submit("safe", Act::Give(json!({ "a": "b\0c" }))).await;
    assert_eq!(jobbing.told(job.id.as_str()).await, ["job.submitted"]);
    let jobbing = jobbing.restart().await;
    assert_eq!(jobbing.job(&job.id).await, job);
    assert_eq!((job.state, job.attempt, job.epoch), (JobState::Queued, 0, 0));
    jobbing.world.whole().await;
}

#[tokio::test]
async fn what_no_kind_understands_is_refused_with_a_sentence_and_nothing_is_kept() {
    let jobbing = Jobbing::new().await;
    let refused = async |kind: &str, payload, key: Option<&str>| {
        let submission = Submission { payload, key: key.map(str::to_owned), ..jobbing.submission(kind, &Act::Fail) };
        let refusal = jobbing.queue.submit(submission).await.unwrap_err();
        assert_eq!(refusal.code, Code::InvalidArguments);
        refusal.message
    };
    let said = refused("nonsense\u{202e}", json!({}), None).await;
    assert!(said.contains("there is: brief, once, safe, single") && !said.contains('\u{202e}'), "{said}");
    let said = refused("safe", json!({ "dance": 1 }), None).await;
    assert!(said.contains("a job of kind `safe`") && said.contains("dance"), "{said}");
    let said = refused("safe", json!({ "give": "x".repeat(300_000) }), None).await;
    assert!(said.contains("at most 262144"), "{said}");
    assert!(refused("safe", json!("fail"), Some("")).await.contains("1 to 200"));
    assert!(refused("safe", json!("fail"), Some(&"k".repeat(201))).await.contains("1 to 200"));
    let scheduled = refused("safe", json!("fail"), Some("schedule:sched_1:2")).await;
    assert!(scheduled.contains("belong to schedules"), "{scheduled}");
    assert!(jobbing.all(JobFilter::default()).await.is_empty());
}

#[tokio::test]
async fn the_same_key_is_the_same_job_and_never_another() {
    let jobbing = Jobbing::new().await;
    let first = jobbing.keyed("safe", Act::Fail, "k").await;
    let again = jobbing.keyed("safe", Act::Fail, "k").await;
    assert!(first.new && !again.new);
    assert_eq!(first.job.id, again.job.id);
    let other = Submission { key: Some("k".to_owned()), ..jobbing.submission("safe", &Act::Panic) };
    let refusal = jobbing.queue.submit(other.clone()).await.unwrap_err();
    assert_eq!(refusal.code, Code::KeyReused);
    assert!(refusal.message.contains(first.job.id.as_str()));
    let elsewhere = jobbing.queue.submit(Submission { actor: operator(), ..other }).await.unwrap();
    assert!(elsewhere.new, "keys belong to an actor");
    // Also once it has ended.
    let taken = jobbing.take("plain", 9, "w").await;
    for job in &taken {
        assert!(jobbing.jobs.settle(jobbing.done(job)).await.unwrap());
    }
    let later = jobbing.keyed("safe", Act::Fail, "k").await;
    assert_eq!((later.new, later.job.state), (false, JobState::Done));
    assert_eq!(jobbing.told(first.job.id.as_str()).await, ["job.submitted", "job.done"]);
}

#[tokio::test]
async fn an_open_job_that_is_the_same_is_joined_and_the_key_that_joined_stays_with_it() {
    let jobbing = Jobbing::new().await;
    let first = jobbing.submit("single", Act::Fail).await;
    let joined = jobbing.keyed("single", Act::Fail, "k").await;
    assert_eq!((joined.new, &joined.job.id), (false, &first.id));
    let other = jobbing.submit("single", Act::Panic).await;
    assert_ne!(other.id, first.id);
    let mine = Submission { actor: operator(), ..jobbing.submission("single", &Act::Fail) };
    assert!(jobbing.queue.submit(mine).await.unwrap().new, "jobs of different actors never merge");
    for job in jobbing.take("apart", 9, "w").await {
        assert!(jobbing.jobs.settle(jobbing.done(&job)).await.unwrap());
    }
    assert!(!jobbing.keyed("single", Act::Fail, "k").await.new, "the key was used");
    let reused = Submission { key: Some("k".to_owned()), ..jobbing.submission("single", &Act::Panic) };
    assert_eq!(jobbing.queue.submit(reused).await.unwrap_err().code, Code::KeyReused);
    assert_ne!(jobbing.submit("single", Act::Fail).await.id, first.id, "without a key it is a new one");
}

#[tokio::test]
async fn many_are_kept_each_on_its_own() {
    let jobbing = Jobbing::new().await;
    let there = jobbing.new_job("safe");
    assert!(matches!(jobbing.jobs.submit(there.clone()).await, Ok(Submitted::New)));
    let mut many: Vec<_> = (0..150).map(|_| jobbing.new_job("safe")).collect();
    // An id that is there is a defect of whoever made it, and not of the others.
    many[70] = there.clone();
    many[90] = jobbing.new_job_with("safe", |job| job.key = Some("k".to_owned()));
    let ids: Vec<_> = many.iter().map(|job| job.record.id.clone()).collect();
    let kept = jobbing.jobs.submit_all(many).await;
    for (index, kept) in kept.iter().enumerate() {
        assert_eq!(matches!(kept, Ok(Submitted::New)), index != 70, "{index}: {kept:?}");
        assert_eq!(jobbing.told(ids[index].as_str()).await.len(), 1);
    }
    assert!(matches!(&kept[70], Err(StoreError::Unavailable(_))), "{:?}", kept[70]);
    assert_eq!(jobbing.all(JobFilter::default()).await.len(), 150);
    jobbing.world.whole().await;
}

#[tokio::test]
async fn jobs_are_taken_by_priority_and_then_age_from_their_queue_and_when_their_time_has_come() {
    let jobbing = Jobbing::new().await;
    let now = jobbing.world.clock.now();
    let old = jobbing.submit("safe", Act::Fail).await;
    let young = jobbing.submit("safe", Act::Fail).await;
    let later = Submission { run_at: Some(now + 5_000), ..jobbing.submission("once", &Act::Fail) };
    let later = jobbing.queue.submit(later).await.unwrap().job;
    let urgent = jobbing.submit("once", Act::Fail).await;
    let apart = jobbing.submit("single", Act::Fail).await;
    assert_eq!(jobbing.jobs.due().await.unwrap().job, Some(now + 5_000));
    let ids = |taken: &[jarvis_safety::job::JobRecord]| taken.iter().map(|job| job.id.clone()).collect::<Vec<_>>();
    let first = jobbing.take("plain", 2, "w").await;
    assert_eq!(ids(&first), [urgent.id.clone(), old.id.clone()]);
    assert_eq!((first[0].state, first[0].attempt, first[0].epoch), (JobState::Running, 1, 1));
    assert_eq!((first[0].worker.as_deref(), first[0].lease_until), (Some("w"), Some(now + 3_000)));
    assert_eq!(ids(&jobbing.take("plain", 9, "w").await), [young.id]);
    jobbing.world.clock.turn(5_000);
    assert_eq!(ids(&jobbing.take("plain", 9, "w").await), std::slice::from_ref(&later.id));
    let mut strange = jobbing.claim("apart", 9, "w");
    strange.kinds = vec![("other".to_owned(), now)];
    assert!(jobbing.jobs.claim(&strange).await.unwrap().is_empty(), "a kind that a worker does not know stays");
    assert_eq!(ids(&jobbing.take("apart", 9, "w").await), [apart.id]);
}

#[tokio::test]
async fn a_worker_that_lost_its_hold_can_say_nothing_any_more() {
    let jobbing = Jobbing::new().await;
    let job = jobbing.submit("safe", Act::Fail).await;
    let stale = jobbing.take("plain", 1, "first").await.remove(0);
    jobbing.world.clock.turn(3_000);
    let again = JobEnd::Again { run_at: None, error: Some("lost".to_owned()), counts: true };
    let reclaim = Settle { only_lapsed: true, ..jobbing.end(&stale, again, EventKind::JobRetried) };
    assert!(jobbing.jobs.settle(reclaim).await.unwrap());
    let refused = async |when: &str| {
        assert!(!jobbing.jobs.settle(jobbing.done(&stale)).await.unwrap(), "{when}");
        assert_eq!(jobbing.jobs.beat(&Hold::of(&stale), i64::MAX).await.unwrap(), Beat::Lost, "{when}");
        assert_eq!(jobbing.jobs.put_out(&Hold::of(&stale), "x", 1).await.unwrap(), Appended::Lost, "{when}");
        let progress = JobProgress { done: 1.0, total: None, text: String::new() };
        assert!(!jobbing.jobs.progress(&Hold::of(&stale), &progress).await.unwrap(), "{when}");
        assert!(!jobbing.jobs.wait_for(&Hold::of(&stale), None).await.unwrap(), "{when}");
    };
    refused("queued again").await;
    let fresh = jobbing.take("plain", 1, "second").await.remove(0);
    assert_eq!((fresh.epoch, fresh.attempt), (2, 2));
    refused("held by another").await;
    assert!(jobbing.jobs.settle(jobbing.done(&fresh)).await.unwrap());
    refused("ended").await;
    assert!(!jobbing.jobs.settle(jobbing.done(&fresh)).await.unwrap(), "it ends once");
    assert_eq!(jobbing.told(job.id.as_str()).await, ["job.submitted", "job.retried", "job.done"]);
    let kept = jobbing.job(&job.id).await;
    assert_eq!((kept.state, kept.result, kept.chunks), (JobState::Done, Some(json!("by hand")), 0));
}

#[tokio::test]
async fn a_heartbeat_holds_a_job_and_only_what_has_lapsed_is_taken_away() {
    let jobbing = Jobbing::new().await;
    jobbing.submit("safe", Act::Fail).await;
    let job = jobbing.take("plain", 1, "w").await.remove(0);
    let lapsed = || Settle { only_lapsed: true, ..jobbing.done(&job) };
    assert!(!jobbing.jobs.settle(lapsed()).await.unwrap(), "its lease has just begun");
    jobbing.world.clock.turn(2_999);
    let now = jobbing.world.clock.now();
    assert_eq!(jobbing.jobs.beat(&Hold::of(&job), now + 3_000).await.unwrap(), Beat::Held);
    assert_eq!(jobbing.jobs.due().await.unwrap().lease, Some(now + 3_000));
    jobbing.world.clock.turn(2_999);
    assert!(!jobbing.jobs.settle(lapsed()).await.unwrap());
    jobbing.world.clock.turn(1);
    assert!(jobbing.jobs.settle(lapsed()).await.unwrap());
    assert_eq!(jobbing.jobs.due().await.unwrap().lease, None);
}

#[tokio::test]
async fn a_queued_job_is_cancelled_at_once_and_a_running_one_is_told() {
    let jobbing = Jobbing::new().await;
    let queued = jobbing.submit("safe", Act::Fail).await;
    let cancel = async |id: &JobId| jobbing.queue.cancel(&operator(), id, &queued.origin).await.unwrap();
    assert_eq!(cancel(&queued.id).await, Cancelled::Ended);
    assert_eq!(cancel(&queued.id).await, Cancelled::Over(JobState::Cancelled));
    assert_eq!(jobbing.job(&queued.id).await.cancelled_by, Some(operator().id));
    assert_eq!(jobbing.told(queued.id.as_str()).await, ["job.submitted", "job.cancelled"]);
    assert!(jobbing.take("plain", 9, "w").await.is_empty());

    jobbing.submit("safe", Act::Fail).await;
    let running = jobbing.take("plain", 1, "w").await.remove(0);
    assert_eq!(cancel(&running.id).await, Cancelled::Stopping);
    assert_eq!(cancel(&running.id).await, Cancelled::Stopping);
    assert_eq!(jobbing.told(running.id.as_str()).await, ["job.submitted", "job.stopping"], "told once");
    let beat = jobbing.jobs.beat(&Hold::of(&running), 1).await.unwrap();
    assert_eq!(beat, Beat::Stop(operator().id));
    // It was done before it could stop: that is what is true.
    assert!(jobbing.jobs.settle(jobbing.done(&running)).await.unwrap());
    assert_eq!(cancel(&running.id).await, Cancelled::Over(JobState::Done));
    let nobody = Cancel {
        job: JobId::new(77),
        by: client().id,
        at: 1,
        ended: told_of(EventKind::JobCancelled, &running),
        stopping: told_of(EventKind::JobStopping, &running),
    };
    assert!(matches!(jobbing.jobs.cancel(nobody).await, Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn output_is_numbered_without_gaps_and_bounded() {
    let jobbing = Jobbing::new().await;
    jobbing.submit("safe", Act::Fail).await;
    let job = jobbing.take("plain", 1, "w").await.remove(0);
    let hold = Hold::of(&job);
    for (index, text) in ["one", "two", "thr\0ee"].into_iter().enumerate() {
        let kept = jobbing.jobs.put_out(&hold, text, 7).await.unwrap();
        assert_eq!(kept, Appended::Kept(index as u64 + 1));
    }
    let pieces = jobbing.queue.output(&client(), &job.id, 1, 10).await.unwrap();
    let read: Vec<_> = pieces.iter().map(|piece| (piece.number, piece.at, piece.text.as_str())).collect();
    assert_eq!(read, [(2, 7, "two"), (3, 7, "thr\u{fffd}ee")]);
    assert!(jobbing.queue.output(&client(), &job.id, 3, 10).await.unwrap().is_empty());
    let piece = "x".repeat(16 * 1024);
    assert!(matches!(jobbing.jobs.put_out(&hold, &format!("{piece}x"), 7).await, Err(StoreError::Conflict(_))));
    let mut kept = 3;
    while jobbing.jobs.put_out(&hold, &piece, 7).await.unwrap() != Appended::Full {
        kept += 1;
    }
    assert_eq!(kept, 3 + 63, "1 MiB in all");
    assert_eq!(jobbing.jobs.put_out(&hold, "a little", 7).await.unwrap(), Appended::Kept(kept + 1));
    assert_eq!(jobbing.job(&job.id).await.chunks, kept + 1);
}

#[tokio::test]
async fn jobs_are_listed_newest_first_page_by_page_and_by_what_they_are() {
    let jobbing = Jobbing::new().await;
    let mut all = Vec::new();
    for index in 0..25 {
        let kind = if index % 5 == 0 { "once" } else { "safe" };
        all.push(jobbing.submit(kind, Act::Fail).await.id);
    }
    let taken = jobbing.take("plain", 10, "w").await;
    for (index, job) in taken.iter().enumerate() {
        let settle = match index % 3 {
            0 => jobbing.done(job),
            1 => {
                let end = JobEnd::Final { state: JobState::Failed, result: None, error: Some("no".to_owned()) };
                jobbing.end(job, end, EventKind::JobFailed)
            }
            _ => continue,
        };
        assert!(jobbing.jobs.settle(settle).await.unwrap());
    }
    all.reverse();
    let mut paged = Vec::new();
    loop {
        let page = jobbing.jobs.jobs(&JobFilter::default(), paged.last(), 7).await.unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page.into_iter().map(|job| job.id));
    }
    assert_eq!(paged, all);
    let count = async |states: &[JobState], kind: Option<&str>, actor: Option<&str>| {
        let filter = JobFilter {
            states: states.to_vec(),
            kind: kind.map(str::to_owned),
            actor: actor.map(ActorId::new),
            schedule: None,
        };
        let found = jobbing.all(filter).await;
        assert!(found.is_sorted_by(|a, b| a.id > b.id));
        found.len()
    };
    assert_eq!(count(&[JobState::Queued], None, None).await, 15);
    assert_eq!(count(&[JobState::Failed, JobState::Done], None, None).await, 7);
    assert_eq!(count(&[JobState::Running], None, Some("token:tok_x")).await, 3);
    assert_eq!(count(&[], Some("once"), None).await, 5);
    assert_eq!(count(&[], None, Some("somebody")).await, 0);
    let counts = JobCounts { queued: 15, running: 3, waiting: 0, unknown: 0 };
    assert_eq!(jobbing.queue.counts().await.unwrap(), counts);
}

#[tokio::test]
async fn an_actor_sees_its_own_jobs_and_the_operator_all() {
    let jobbing = Jobbing::new().await;
    let job = jobbing.submit("safe", Act::Fail).await;
    let stranger = Actor { id: ActorId::new("token:tok_y"), ..client() };
    assert_eq!(jobbing.queue.job(&stranger, &job.id).await.unwrap_err().code, Code::NotFound);
    assert_eq!(jobbing.queue.cancel(&stranger, &job.id, &job.origin).await.unwrap_err().code, Code::NotFound);
    assert_eq!(jobbing.queue.output(&stranger, &job.id, 0, 9).await.unwrap_err().code, Code::NotFound);
    let filter = JobFilter { actor: Some(client().id), ..JobFilter::default() };
    assert!(jobbing.queue.jobs(&stranger, filter, None, 9).await.unwrap().is_empty());
    for actor in [client(), operator()] {
        assert_eq!(jobbing.queue.job(&actor, &job.id).await.unwrap(), job);
        assert_eq!(jobbing.queue.jobs(&actor, JobFilter::default(), None, 9).await.unwrap().len(), 1);
    }
}
