//! The stream: complete, in order, resumable, and filtered by who may see it.

use jarvis_safety::ActorId;
use jarvis_safety::event::{Event, EventKind};
use jarvis_safety::port::{EventFilter, Feed as _, Ledger as _};
use jarvis_safety::setting::AuditReads;

use crate::world::{World, read, row};

fn seqs(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.seq).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_sees_every_row_in_order_as_it_is_stored() {
    let world = World::new().await;
    let mut events = world.store.subscribe();
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..200 {
        let store = world.store.clone();
        tasks.spawn(async move { store.append(read(&format!("s{index}")), AuditReads::Wal).await.unwrap() });
    }
    tasks.join_all().await;
    let mut seen = Vec::new();
    for _ in 0..200 {
        seen.push(events.recv().await.unwrap().as_ref().clone());
    }
    assert_eq!(seen, world.store.after(0, &EventFilter::default(), 1000).await.unwrap());
    assert_eq!(world.store.head(), 200);
}

#[tokio::test]
async fn pages_run_forward_and_backward_from_any_row() {
    let world = World::new().await;
    for index in 0..10 {
        world.append(read(&format!("s{index}"))).await;
    }
    let all = EventFilter::default();
    assert_eq!(seqs(&world.store.after(3, &all, 4).await.unwrap()), [4, 5, 6, 7]);
    assert_eq!(seqs(&world.store.before(3, &all, 4).await.unwrap()), [2, 1]);
    assert_eq!(seqs(&world.store.before(u64::MAX, &all, 2).await.unwrap()), [10, 9]);
    assert_eq!(seqs(&world.store.after(10, &all, 4).await.unwrap()), [0; 0]);
}

#[tokio::test]
async fn an_audience_sees_what_it_owns_or_did_and_nothing_else() {
    let world = World::new().await;
    let (mine, other) = (ActorId::new("token:tok_mine"), ActorId::new("token:tok_other"));
    for (actor, owner) in [(&mine, &mine), (&other, &other), (&other, &mine), (&mine, &other)] {
        let mut draft = read("x");
        draft.actor = actor.clone();
        draft.owner = owner.clone();
        world.append(draft).await;
    }
    let filter = EventFilter { audience: Some(mine.clone()), ..EventFilter::default() };
    assert_eq!(seqs(&world.store.after(0, &filter, 10).await.unwrap()), [1, 3, 4]);
    let filter = EventFilter { audience: Some(mine), actor: Some(other), ..EventFilter::default() };
    assert_eq!(seqs(&world.store.after(0, &filter, 10).await.unwrap()), [3]);
}

#[tokio::test]
async fn kinds_and_subjects_filter() {
    let world = World::new().await;
    world.append(row(EventKind::CallRead, "a")).await;
    world.append(row(EventKind::CallRefused, "a")).await;
    world.append(row(EventKind::CallRefused, "b' or 1=1 --")).await;
    let kinds = vec![EventKind::CallRefused, EventKind::CallDone];
    let filter = EventFilter { kinds, ..EventFilter::default() };
    assert_eq!(seqs(&world.store.after(0, &filter, 10).await.unwrap()), [2, 3]);
    let subject = Some("b' or 1=1 --".to_owned());
    let filter = EventFilter { subject, ..filter };
    assert_eq!(seqs(&world.store.before(9, &filter, 10).await.unwrap()), [3]);
}

#[tokio::test]
async fn one_event_comes_with_its_body() {
    let world = World::new().await;
    let draft = read("a");
    let body = draft.body.clone();
    let seq = world.append(draft).await;
    let (event, kept) = world.store.event(seq).await.unwrap().unwrap();
    assert_eq!((event.kind, kept), (EventKind::CallRead, body));
    let mut bare = read("b");
    bare.body = None;
    let seq = world.append(bare).await;
    assert_eq!(world.store.event(seq).await.unwrap().unwrap().1, None);
    assert!(world.store.event(99).await.unwrap().is_none());
}

#[tokio::test]
async fn a_summary_has_at_most_three_hundred_characters() {
    let world = World::new().await;
    let mut draft = read("a");
    draft.summary = "ö".repeat(1000);
    let seq = world.append(draft).await;
    let (event, _) = world.store.event(seq).await.unwrap().unwrap();
    assert_eq!(event.summary.chars().count(), 300);
}
