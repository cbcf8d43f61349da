//! The numbers of the kernel, each at its edge: a millisecond or a byte to one side a rule holds, to the other not.

use jarvis_safety::call::{CallState, Origin};
use jarvis_safety::outcome::Answer;
use jarvis_safety::refusal::Code;
use jarvis_safety::{Actor, Tier};
use serde_json::json;

use crate::lamp::{House, ran, refused};

const MINUTE: i64 = 60_000;
const WEEK: i64 = 7 * 24 * 60 * MINUTE;

/// K-22.
#[tokio::test]
async fn an_outcome_waits_five_minutes_and_not_a_millisecond_longer() {
    for (later, handed) in [(5 * MINUTE, true), (5 * MINUTE + 1, false)] {
        let house = House::new().await;
        let card = house.ask(&Actor::local(), "lamp_stop", "hall").await;
        house.gate.approve(&Actor::operator(), &card.id, &Origin::default()).await.unwrap();
        house.gate.follow(&card.id, std::time::Duration::from_secs(10)).await.unwrap();
        house.clock.turn(later);
        let again = house.call_local("lamp_stop", json!({ "lamp": "hall" })).await;
        assert_eq!(matches!(again, Answer::Ran(_)), handed, "{later}: {again:?}");
    }
}

/// K-19.
#[tokio::test]
async fn identical_calls_count_for_ten_minutes_and_not_a_millisecond_longer() {
    for (later, asks) in [(10 * MINUTE, true), (10 * MINUTE + 1, false)] {
        let house = House::new().await;
        let dim = || house.call_local("lamp_dim", json!({ "lamp": "hall" }));
        for _ in 0..2 {
            assert_eq!(ran(dim().await).state, CallState::Done);
        }
        house.clock.turn(later);
        let third = dim().await;
        assert_eq!(matches!(third, Answer::Waiting(_)), asks, "{later}: {third:?}");
    }
}

/// K-21.
#[tokio::test]
async fn two_noes_hold_for_an_hour_and_not_a_millisecond_longer() {
    for (later, holds) in [(60 * MINUTE, true), (60 * MINUTE + 1, false)] {
        let house = House::new().await;
        for _ in 0..2 {
            let card = house.ask(&Actor::local(), "lamp_stop", "hall").await;
            house.gate.deny(&Actor::operator(), &card.id, "", &Origin::default()).await.unwrap();
            // The denial is handed to whoever asks next.
            assert_eq!(refused(house.call_local("lamp_stop", json!({ "lamp": "hall" })).await).code, Code::Denied);
        }
        house.clock.turn(later);
        let third = house.call_local("lamp_stop", json!({ "lamp": "hall" })).await;
        match third {
            Answer::Refused(refusal) if holds => assert_eq!(refusal.rule, "asked twice"),
            Answer::Waiting(card) if !holds => assert_eq!(card.tier, Tier::Orange),
            other => panic!("{later}: {other:?}"),
        }
    }
}

/// K-21.
#[tokio::test]
async fn two_yeses_count_for_a_week_and_not_a_millisecond_longer() {
    for (later, proposes) in [(WEEK, true), (WEEK + 1, false)] {
        let house = House::new().await;
        for _ in 0..2 {
            let card = house.ask(&Actor::local(), "lamp_stop", "hall").await;
            assert!(!card.proposes_grant);
            house.approve(&card.id).await.unwrap();
        }
        house.clock.turn(later);
        assert_eq!(house.ask(&Actor::local(), "lamp_stop", "hall").await.proposes_grant, proposes, "{later}");
    }
}

#[tokio::test]
async fn arguments_are_taken_up_to_a_size_and_not_a_byte_above() {
    let house = House::new().await;
    let frame = json!({ "lamp": "" }).to_string().len();
    for (size, code) in [(1_500_000, Code::UnknownTarget), (1_500_001, Code::InvalidArguments)] {
        let lamp = "x".repeat(size - frame);
        assert_eq!(refused(house.call_local("lamp_dim", json!({ "lamp": lamp })).await).code, code, "{size}");
    }
}
