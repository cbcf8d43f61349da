//! Limits for guessing.

use jarvis_safety::identity::{Admission, Source};
use jarvis_safety::port::Identities as _;

use crate::world::World;

fn far(name: &str) -> Source {
    Source { name: name.to_owned(), far: true }
}

fn near(name: &str) -> Source {
    Source { name: name.to_owned(), far: false }
}

async fn admit(world: &World, source: &Source) -> Admission {
    world.store.admit(source).await.unwrap()
}

#[tokio::test]
async fn the_sixth_attempt_within_a_minute_waits_until_the_first_is_a_minute_old() {
    let world = World::new().await;
    for before in 0..5 {
        assert_eq!(admit(&world, &far("192.0.2.1")).await, Admission::Admitted { before });
        world.clock.turn(1_000);
    }
    assert_eq!(admit(&world, &far("192.0.2.1")).await, Admission::TooMany { wait_ms: 55_000 });
    assert_eq!(admit(&world, &far("192.0.2.2")).await, Admission::Admitted { before: 0 });
    world.clock.turn(55_000);
    assert_eq!(admit(&world, &far("192.0.2.1")).await, Admission::Admitted { before: 4 });
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_attempts_at_once_five_are_admitted() {
    let world = World::new().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let store = world.store.clone();
        tasks.spawn(async move { store.admit(&far("192.0.2.1")).await.unwrap() });
    }
    let admitted = tasks.join_all().await.into_iter().filter(|it| matches!(it, Admission::Admitted { .. })).count();
    assert_eq!(admitted, 5);
}

#[tokio::test]
async fn a_right_attempt_starts_anew() {
    let world = World::new().await;
    for before in 0..5 {
        assert_eq!(admit(&world, &near("loopback")).await, Admission::Admitted { before });
    }
    assert!(matches!(admit(&world, &near("loopback")).await, Admission::TooMany { .. }));
    assert_eq!(admit(&world, &near("socket")).await, Admission::Admitted { before: 0 });
    world.store.forgive(&near("loopback")).await.unwrap();
    assert_eq!(admit(&world, &near("loopback")).await, Admission::Admitted { before: 0 });
}

#[tokio::test]
async fn many_addresses_together_are_limited_and_cannot_lock_out_this_machine() {
    let world = World::new().await;
    for last in 0..60 {
        assert_eq!(admit(&world, &far(&format!("192.0.2.{last}"))).await, Admission::Admitted { before: 0 });
    }
    assert_eq!(admit(&world, &far("198.51.100.1")).await, Admission::TooMany { wait_ms: 60_000 });
    assert_eq!(admit(&world, &near("loopback")).await, Admission::Admitted { before: 0 });
    // A minute later nothing of it is left.
    world.clock.turn(60_000);
    assert_eq!(admit(&world, &far("198.51.100.1")).await, Admission::Admitted { before: 0 });
}

#[tokio::test]
async fn a_clock_that_was_set_back_locks_nobody_out() {
    let world = World::new().await;
    for _ in 0..5 {
        admit(&world, &far("192.0.2.1")).await;
    }
    world.clock.turn(-3_600_000);
    assert_eq!(admit(&world, &far("192.0.2.1")).await, Admission::Admitted { before: 0 });
}

#[tokio::test]
async fn who_goes_on_from_afar_is_locked_out_for_a_quarter_of_an_hour_and_this_machine_never_is() {
    let world = World::new().await;
    for minute in 0..3 {
        for before in 0..5 {
            let both = [far("192.0.2.1"), near("loopback")].map(|source| (source, before));
            for (source, before) in both {
                assert_eq!(admit(&world, &source).await, Admission::Admitted { before }, "minute {minute}");
            }
        }
        world.clock.turn(60_000);
    }
    assert_eq!(admit(&world, &far("192.0.2.1")).await, Admission::TooMany { wait_ms: 14 * 60_000 });
    assert_eq!(admit(&world, &near("loopback")).await, Admission::Admitted { before: 0 });
    assert_eq!(admit(&world, &far("192.0.2.2")).await, Admission::Admitted { before: 0 });
    world.clock.turn(14 * 60_000 - 1);
    assert_eq!(admit(&world, &far("192.0.2.1")).await, Admission::TooMany { wait_ms: 1 });
    world.clock.turn(1);
    assert_eq!(admit(&world, &far("192.0.2.1")).await, Admission::Admitted { before: 0 });
}
