//! Outcomes that nobody can tell stay until a person has looked.

use jarvis_safety::ActorId;
use jarvis_safety::call::CallState;
use jarvis_safety::event::EventKind;
use jarvis_safety::port::{Feed as _, Ledger as _};

use crate::world::{World, client, outcome, row};

/// A call that ended so; its id.
async fn ended(world: &World, state: CallState) -> String {
    let record = world.record(None);
    world.store.intend(&record, None, row(EventKind::CallIntent, record.id.as_str())).await.unwrap();
    world.store.settle(&outcome(&record, state), None, None, 5, row(EventKind::CallUnknown, "x")).await.unwrap();
    world.clock.turn(1000);
    record.id.to_string()
}

async fn open(world: &World) -> Vec<String> {
    world.store.doubts(None, 200).await.unwrap().into_iter().map(|doubt| doubt.subject).collect()
}

async fn acknowledge(world: &World, subject: &str) -> bool {
    world.store.acknowledge(subject, 9, row(EventKind::DoubtAcknowledged, subject)).await.unwrap()
}

#[tokio::test]
async fn a_call_in_doubt_is_listed_until_somebody_has_looked_and_stays_unknown() {
    let world = World::new().await;
    ended(&world, CallState::Done).await;
    let first = ended(&world, CallState::Unknown).await;
    let second = ended(&world, CallState::Unknown).await;
    assert_eq!(open(&world).await, [second.clone(), first.clone()]);
    let doubt = world.store.doubts(None, 1).await.unwrap().remove(0);
    // However many others have, one's own are among one's own.
    let own = |actor: ActorId| {
        let store = world.store.clone();
        async move { store.doubts(Some(&actor), 1).await.unwrap().len() }
    };
    assert_eq!((own(client().id).await, own(ActorId::new("operator")).await), (1, 0));
    assert_eq!((doubt.what.as_str(), doubt.target.as_deref()), ("docker_restart", Some("web")));
    let head = world.store.head();
    assert!(acknowledge(&world, &second).await);
    assert_eq!(world.store.head(), head + 1);
    assert!(!acknowledge(&world, &second).await && !acknowledge(&world, "call_nobody").await);
    assert_eq!(world.store.head(), head + 1, "nothing is told of what did not happen");
    let world = world.restart().await;
    assert_eq!(open(&world).await, [first]);
    assert_eq!(world.store.call(&second.parse().unwrap()).await.unwrap().unwrap().state, CallState::Unknown);
    world.whole().await;
}
