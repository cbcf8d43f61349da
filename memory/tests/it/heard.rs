//! Who was handed what strangers may have written.

use jarvis_safety::ActorId;
use jarvis_safety::port::Identities as _;

use crate::world::World;

#[tokio::test]
async fn the_newest_time_is_kept_for_each_actor() {
    let world = World::new().await;
    let (ide, bot) = (ActorId::new("token:ide"), ActorId::new("token:bot"));
    assert_eq!(world.store.heard(&ide).await.unwrap(), None);
    world.store.hear(&ide, 2_000).await.unwrap();
    // A server whose clock is behind takes nothing back.
    world.store.hear(&ide, 1_000).await.unwrap();
    world.store.hear(&bot, 3_000).await.unwrap();
    assert_eq!(world.store.heard(&ide).await.unwrap(), Some(2_000));
    assert_eq!(world.store.heard(&bot).await.unwrap(), Some(3_000));
}
