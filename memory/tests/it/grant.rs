//! Grants: kept, counted within the intents that they let through, and taken back.

use std::collections::BTreeMap;

use jarvis_safety::GrantId;
use jarvis_safety::call::CallRecord;
use jarvis_safety::event::EventKind;
use jarvis_safety::grant::{Grant, Terms, Wanted};
use jarvis_safety::port::{Clock as _, Intended, Ledger as _, StoreError};
use serde_json::json;

use crate::world::{World, row};

const HOUR: i64 = 3_600_000;

pub(crate) async fn give(world: &World, most: u32) -> Grant {
    let now = world.clock.now();
    let grant = Grant {
        id: GrantId::new(world.id()),
        terms: Terms {
            tool: "docker_*".to_owned(),
            target: Some("web\0".to_owned()),
            target_id: None,
            actor: None,
            when: BTreeMap::from([
                ("container".to_owned(), Wanted::Is(json!({ "deep": ["web", 1.5, null] }))),
                ("like".to_owned(), Wanted::Like { like: "w*".to_owned() }),
            ]),
            only: true,
        },
        most,
        used: 0,
        created_at: now,
        expires_at: now + HOUR,
        by: jarvis_safety::ActorId::new("operator"),
        revoked_at: None,
    };
    world.store.grant(&grant, row(EventKind::GrantGiven, grant.id.as_str())).await.unwrap();
    grant
}

fn by(world: &World, grant: &Grant) -> CallRecord {
    CallRecord { grant: Some(grant.id.clone()), ..world.record(None) }
}

async fn intend(world: &World, record: &CallRecord) -> Intended {
    world.store.intend(record, None, row(EventKind::CallIntent, record.id.as_str())).await.unwrap()
}

#[tokio::test]
async fn a_grant_is_kept_as_it_was_given_and_only_once() {
    let world = World::new().await;
    let grant = give(&world, 3).await;
    assert_eq!(world.store.grants(None).await.unwrap(), std::slice::from_ref(&grant));
    let again = world.store.grant(&grant, row(EventKind::GrantGiven, "again")).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    assert_eq!(world.whole().await.rows, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_calls_at_once_as_many_begin_as_were_granted() {
    let world = World::new().await;
    let grant = give(&world, 5).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (store, record) = (world.store.clone(), by(&world, &grant));
        tasks.spawn(async move { store.intend(&record, None, row(EventKind::CallIntent, "a")).await.unwrap() });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Intended::Recorded)).count(), 5);
    let over = |answer: &&Intended| matches!(answer, Intended::Ungranted(id) if *id == grant.id);
    assert_eq!(answers.iter().filter(over).count(), 45);
    assert_eq!(world.store.unsettled_calls().await.unwrap().len(), 5);
    assert_eq!(world.store.grants(None).await.unwrap()[0].used, 5);
    assert_eq!(world.whole().await.rows, 6);
}

#[tokio::test]
async fn a_call_that_was_kept_before_counts_once() {
    let world = World::new().await;
    let grant = give(&world, 5).await;
    let record = CallRecord { key: Some("k".to_owned()), ..by(&world, &grant) };
    assert!(matches!(intend(&world, &record).await, Intended::Recorded));
    assert!(matches!(intend(&world, &record).await, Intended::Known(_)));
    assert!(matches!(intend(&world, &CallRecord { key: None, ..record }).await, Intended::Known(_)));
    assert_eq!(world.store.grants(None).await.unwrap()[0].used, 1);
}

#[tokio::test]
async fn a_grant_that_is_over_or_taken_back_or_unknown_lets_nothing_begin() {
    let world = World::new().await;
    let grant = give(&world, 5).await;
    assert_eq!(world.store.grants(Some(grant.expires_at - 1)).await.unwrap().len(), 1);
    assert_eq!(world.store.grants(Some(grant.expires_at)).await.unwrap(), []);
    let late = CallRecord { created_at: grant.expires_at, ..by(&world, &grant) };
    assert!(matches!(intend(&world, &late).await, Intended::Ungranted(_)));

    let revoke = || world.store.revoke_grant(&grant.id, 7, row(EventKind::GrantRevoked, grant.id.as_str()));
    assert!(revoke().await.unwrap());
    assert!(!revoke().await.unwrap(), "only once");
    assert!(matches!(intend(&world, &by(&world, &grant)).await, Intended::Ungranted(_)));
    assert_eq!(world.store.grants(None).await.unwrap()[0].revoked_at, Some(7));
    assert_eq!(world.store.grants(Some(0)).await.unwrap(), []);

    let nowhere = CallRecord { grant: Some(GrantId::new(world.id())), ..world.record(None) };
    assert!(matches!(intend(&world, &nowhere).await, Intended::Ungranted(_)));
    assert!(world.store.unsettled_calls().await.unwrap().is_empty());
    assert_eq!(world.whole().await.rows, 2);
}

#[tokio::test]
async fn a_forgotten_password_takes_all_grants_back() {
    let world = World::new().await;
    give(&world, 5).await;
    world.store.reset_operator().await.unwrap();
    assert!(world.store.grants(None).await.unwrap()[0].revoked_at.is_some());
}
