//! Jobs under many hands at once, on several threads.

use std::collections::BTreeSet;

use jarvis_safety::job::{Cancelled, JobFilter, JobState, Jobs as _, Submitted};
use serde_json::json;
use tokio::task::JoinSet;

use crate::job_world::{Act, Jobbing, operator};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_that_comes_many_times_at_once_makes_one_job() {
    let jobbing = Jobbing::new().await;
    let mut tasks = JoinSet::new();
    for index in 0..64 {
        let job = jobbing.new_job_with("safe", |job| {
            job.payload = json!({ "give": index % 2 });
            job.key = Some("k".to_owned());
        });
        let jobs = jobbing.jobs.clone();
        tasks.spawn(async move { (index % 2, job.record.id.clone(), jobs.submit(job).await.unwrap()) });
    }
    let answers = tasks.join_all().await;
    let new: Vec<_> = answers.iter().filter(|(_, _, answer)| matches!(answer, Submitted::New)).collect();
    assert_eq!(new.len(), 1);
    let (side, id, _) = new[0];
    for (other, _, answer) in &answers {
        match answer {
            Submitted::New => {}
            Submitted::Known(job) => assert_eq!((&job.id, other), (id, side)),
            Submitted::KeyReused(job) => assert!(job == id && other != side),
        }
    }
    assert_eq!(jobbing.all(JobFilter::default()).await.len(), 1);
    assert_eq!(jobbing.world.whole().await.head, 1, "and tells of one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_open_job_is_joined_also_by_those_that_come_at_once() {
    let jobbing = Jobbing::new().await;
    let mut tasks = JoinSet::new();
    for _ in 0..48 {
        let (queue, submission) = (jobbing.queue.clone(), jobbing.submission("single", &Act::Fail));
        tasks.spawn(async move { queue.submit(submission).await.unwrap() });
    }
    let receipts = tasks.join_all().await;
    let ids: BTreeSet<_> = receipts.iter().map(|receipt| receipt.job.id.clone()).collect();
    assert_eq!((ids.len(), receipts.iter().filter(|receipt| receipt.new).count()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_job_goes_to_one_of_many_workers() {
    let jobbing = Jobbing::new().await;
    let many = (0..300).map(|_| jobbing.new_job("safe")).collect();
    assert!(jobbing.jobs.submit_all(many).await.iter().all(Result::is_ok));
    let mut tasks = JoinSet::new();
    for worker in 0..8 {
        let (jobs, claim) = (jobbing.jobs.clone(), jobbing.claim("plain", 7, &format!("w{worker}")));
        tasks.spawn(async move {
            let mut taken = Vec::new();
            loop {
                let found = jobs.claim(&claim).await.unwrap();
                if found.is_empty() {
                    return taken;
                }
                assert!(found.iter().all(|job| job.worker.as_ref() == Some(&claim.worker) && job.epoch == 1));
                taken.extend(found.into_iter().map(|job| job.id));
            }
        });
    }
    let taken: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    let each: BTreeSet<_> = taken.iter().collect();
    assert_eq!((taken.len(), each.len()), (300, 300));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_cancelling_and_a_completion_at_once_the_log_tells_one_end() {
    let jobbing = Jobbing::new().await;
    for round in 0..40 {
        let job = jobbing.submit("safe", Act::Fail).await;
        let held = if round % 2 == 0 { jobbing.take("plain", 1, "w").await } else { Vec::new() };
        let (queue, origin, id) = (jobbing.queue.clone(), job.origin.clone(), job.id.clone());
        let cancelling = tokio::spawn(async move { queue.cancel(&operator(), &id, &origin).await.unwrap() });
        let jobs = jobbing.jobs.clone();
        let ending = held.first().map(|job| jobbing.done(job));
        let claim = jobbing.claim("plain", 1, "late");
        let other = tokio::spawn(async move {
            match ending {
                Some(ending) => (jobs.settle(ending).await.unwrap(), Vec::new()),
                None => (false, jobs.claim(&claim).await.unwrap()),
            }
        });
        let (cancelled, (settled, taken)) = (cancelling.await.unwrap(), other.await.unwrap());
        let now = jobbing.job(&job.id).await;
        match cancelled {
            Cancelled::Ended => assert!(!settled && taken.is_empty() && now.state == JobState::Cancelled),
            Cancelled::Stopping => {
                assert_eq!(now.cancelled_by, Some(operator().id));
                assert!(settled || taken.len() == 1);
            }
            Cancelled::Over(state) => assert!(settled && state == JobState::Done),
        }
        for job in taken {
            assert!(jobbing.jobs.settle(jobbing.done(&job)).await.unwrap());
        }
        let told = jobbing.told(job.id.as_str()).await;
        let ends = told.iter().filter(|kind| matches!(**kind, "job.done" | "job.cancelled")).count();
        assert_eq!(ends, 1, "{told:?}");
    }
    jobbing.world.whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_completion_that_comes_many_times_at_once_counts_once() {
    let jobbing = Jobbing::new().await;
    let job = jobbing.submit("safe", Act::Fail).await;
    let held = jobbing.take("plain", 1, "w").await.remove(0);
    let mut tasks = JoinSet::new();
    for _ in 0..32 {
        let (jobs, settle) = (jobbing.jobs.clone(), jobbing.done(&held));
        tasks.spawn(async move { jobs.settle(settle).await.unwrap() });
    }
    assert_eq!(tasks.join_all().await.into_iter().filter(|kept| *kept).count(), 1);
    assert_eq!(jobbing.told(job.id.as_str()).await, ["job.submitted", "job.done"]);
}
