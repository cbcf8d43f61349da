//! What must not come back with a backup.

use jarvis_memory::JobStore;
use jarvis_safety::approval::{Approval, ApprovalState, StepState};
use jarvis_safety::call::{CallRecord, CallState};
use jarvis_safety::event::EventKind;
use jarvis_safety::id::TokenId;
use jarvis_safety::identity::{TokenGrant, Whence};
use jarvis_safety::job::{JobState, Jobs as _, Missed};
use jarvis_safety::port::{Decision, Identities as _, Intended, Ledger as _};
use jarvis_safety::{ActorId, Tier};

use crate::job_world::Jobbing;
use crate::world::{START, World, outcome, row};

async fn ask(world: &World, question: &str, steps: usize, state: ApprovalState) -> Approval {
    let card = world.card(question, steps);
    world.store.ask(&card, 100, row(EventKind::ApprovalAsked, card.id.as_str())).await.unwrap();
    if state != ApprovalState::Pending {
        let by = ActorId::new("operator");
        let decision = Decision {
            approval: card.id.clone(),
            state,
            by,
            because: None,
            without: Vec::new(),
            withdrawn: false,
            at: START + 1,
        };
        assert!(world.store.decide(&decision, row(EventKind::ApprovalApproved, card.id.as_str())).await.unwrap());
    }
    card
}

fn spender(world: &World, card: &Approval, step: u32) -> CallRecord {
    let call = card.steps[step as usize].call.clone();
    CallRecord { id: call, approval: Some((card.id.clone(), step)), ..world.record(None) }
}

async fn spend(world: &World, card: &Approval, step: u32) -> (CallRecord, Intended) {
    let record = spender(world, card, step);
    let intended = world.store.intend(&record, None, row(EventKind::CallIntent, record.id.as_str())).await.unwrap();
    (record, intended)
}

#[tokio::test]
async fn a_restored_job_is_never_run_again_and_a_restored_schedule_makes_up_for_nothing() {
    let (world, dir) = super::world().await;
    let jobbing = Jobbing::over(world);
    let job = jobbing.new_job("safe");
    jobbing.jobs.submit(job.clone()).await.unwrap();
    let schedule = jobbing.hourly(Missed::CatchUp(100)).await;
    let (file, data) = (dir.path().join("file"), dir.path().join("data"));
    super::backup(&jobbing.world, &file).await;
    let later = schedule.next_at.unwrap() + 50 * 3_600_000;
    jobbing.turn_to(later);
    assert_eq!(super::restore(&jobbing.world, &file, &data).await.jobs, 1);
    let again = World::at(data, 1_000_000).await.unwrap();
    let jobs = JobStore::new(&again.store);
    let there = jobs.job(&job.record.id).await.unwrap().unwrap();
    assert_eq!(there.state, JobState::Unknown);
    assert!(there.error.unwrap().contains("restored"));
    let next = jobs.schedule(&schedule.id).await.unwrap().unwrap().next_at.unwrap();
    assert!(next > later, "what was due in between may have run");
    again.whole().await;
    again.store.close().await;
}

#[tokio::test]
async fn a_restored_yes_is_never_replayed_and_what_ran_is_left_to_be_probed() {
    let (world, dir) = super::world().await;
    let pending = ask(&world, "pending", 1, ApprovalState::Pending).await;
    let approved = ask(&world, "approved", 1, ApprovalState::Approved).await;
    let plan = ask(&world, "plan", 3, ApprovalState::Approved).await;
    let denied = ask(&world, "denied", 1, ApprovalState::Denied).await;
    let (first, _) = spend(&world, &plan, 0).await;
    let done = row(EventKind::CallDone, first.id.as_str());
    world.store.settle(&outcome(&first, CallState::Done), None, None, START + 2, done).await.unwrap();
    let (second, intended) = spend(&world, &plan, 1).await;
    assert!(matches!(intended, Intended::Recorded));
    let (session, secret) =
        world.store.open_session(Whence::default(), row(EventKind::SessionOpened, "")).await.unwrap();
    let grant = TokenGrant::client("ide", Tier::Yellow);
    let draft = row(EventKind::TokenCreated, "token");
    let (token, key) = world.store.create_token(TokenId::new(world.id()), grant, draft).await.unwrap();

    let given = crate::grant::give(&world, 5).await;

    let (file, data) = (dir.path().join("file"), dir.path().join("data"));
    super::backup(&world, &file).await;
    let restored = super::restore(&world, &file, &data).await;
    assert_eq!(restored.grants, 1);
    assert_eq!((restored.lapsed, restored.sessions, restored.running, restored.tokens), (3, 1, 1, 1));
    let again = World::at(data, 1_000_000).await.unwrap();
    let state = async |card: &Approval| again.store.approval(&card.id).await.unwrap().unwrap();
    assert_eq!(state(&pending).await.state, ApprovalState::Expired);
    assert_eq!(state(&approved).await.state, ApprovalState::Stale);
    assert_eq!(state(&denied).await.state, ApprovalState::Denied);
    let stopped = state(&plan).await;
    assert_eq!(stopped.state, ApprovalState::Stale);
    assert!(stopped.because.unwrap().contains("restored"), "the card says why");
    let steps: Vec<_> = stopped.steps.iter().map(|step| step.state).collect();
    assert_eq!(steps, [StepState::Done, StepState::Running, StepState::Skipped]);
    for (card, step) in [(&pending, 0), (&approved, 0), (&plan, 2)] {
        let (_, intended) = spend(&again, card, step).await;
        assert!(matches!(intended, Intended::AlreadySpent), "{intended:?}");
    }
    let unsettled = again.store.unsettled_calls().await.unwrap();
    assert_eq!(unsettled.iter().map(|call| &call.id).collect::<Vec<_>>(), [&second.id]);
    // As the next start does it after a probe.
    let settled = row(EventKind::CallDone, second.id.as_str());
    again.store.settle(&outcome(&second, CallState::Done), None, None, START + 3, settled).await.unwrap();
    let (_, intended) = spend(&again, &plan, 2).await;
    assert!(matches!(intended, Intended::AlreadySpent), "nothing comes after it: {intended:?}");
    assert!(again.store.session(&secret).await.unwrap().is_none(), "{session:?}");
    assert_eq!(again.store.grants(Some(START)).await.unwrap(), [], "{given:?}");
    assert_eq!(again.store.token(&key).await.unwrap().unwrap().id, token.id);
    again.whole().await;
    again.store.close().await;
}
