//! Cards: asked once, decided once, spent once, handed over once.

use jarvis_safety::ActorId;
use jarvis_safety::approval::{Approval, ApprovalState, StepState};
use jarvis_safety::call::{CallRecord, CallState};
use jarvis_safety::event::EventKind;
use jarvis_safety::port::{Asked, Decision, Feed as _, Intended, Ledger as _, StoreError};

use crate::world::{World, client, outcome, row};

async fn ask(world: &World, card: &Approval) -> Asked {
    world.store.ask(card, 100, row(EventKind::ApprovalAsked, card.id.as_str())).await.unwrap()
}

async fn decide(world: &World, card: &Approval, state: ApprovalState) -> bool {
    let decision = Decision {
        approval: card.id.clone(),
        state,
        by: ActorId::new("operator"),
        because: Some("so be it".to_owned()),
        without: Vec::new(),
        withdrawn: false,
        at: crate::world::START + 7,
    };
    world.store.decide(&decision, row(EventKind::ApprovalApproved, card.id.as_str())).await.unwrap()
}

fn spender(world: &World, card: &Approval, step: u32) -> CallRecord {
    let mut record = world.record(None);
    record.id = card.steps[step as usize].call.clone();
    record.approval = Some((card.id.clone(), step));
    record
}

async fn spend(world: &World, card: &Approval, step: u32) -> Intended {
    let record = spender(world, card, step);
    world.store.intend(&record, None, row(EventKind::CallIntent, record.id.as_str())).await.unwrap()
}

async fn settle(world: &World, card: &Approval, step: u32, state: CallState) {
    let outcome = outcome(&spender(world, card, step), state);
    let row = row(EventKind::CallDone, outcome.call.as_str());
    world.store.settle(&outcome, None, None, crate::world::START + 9, row).await.unwrap();
}

async fn now(world: &World, card: &Approval) -> Approval {
    world.store.approval(&card.id).await.unwrap().unwrap()
}

fn step_states(card: &Approval) -> Vec<StepState> {
    card.steps.iter().map(|step| step.state).collect()
}

/// A card that is approved.
async fn approved(world: &World, steps: usize) -> Approval {
    let card = world.card("q", steps);
    ask(world, &card).await;
    assert!(decide(world, &card, ApprovalState::Approved).await);
    card
}

#[tokio::test]
async fn a_card_is_kept_as_it_was_shown() {
    let world = World::new().await;
    let card = world.card("q", 3);
    assert!(matches!(ask(&world, &card).await, Asked::New));
    let world = world.restart().await;
    assert_eq!(now(&world, &card).await, card);
    assert!(world.store.approval(&world.card("x", 1).id).await.unwrap().is_none());
}

#[tokio::test]
async fn the_same_pending_question_joins() {
    let world = World::new().await;
    let card = world.card("q", 1);
    ask(&world, &card).await;
    match ask(&world, &world.card("q", 1)).await {
        Asked::Joined(joined) => assert_eq!(*joined, card),
        other @ (Asked::New | Asked::Full) => panic!("a second card for the same question: {other:?}"),
    }
    assert_eq!(world.store.head(), 1);
    let mut other = world.card("q", 1);
    other.actor.id = ActorId::new("local");
    assert!(matches!(ask(&world, &other).await, Asked::New));
    assert!(matches!(ask(&world, &world.card("another", 1)).await, Asked::New));
    // Once it is decided the question can be asked anew.
    decide(&world, &card, ApprovalState::Denied).await;
    assert!(matches!(ask(&world, &world.card("q", 1)).await, Asked::New));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_who_ask_the_same_one_puts_up_the_card() {
    let world = World::new().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (store, card) = (world.store.clone(), world.card("q", 1));
        tasks.spawn(async move { store.ask(&card, 100, row(EventKind::ApprovalAsked, "a")).await.unwrap() });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Asked::New)).count(), 1);
    assert_eq!(world.store.approvals(&[], 100).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_card_that_is_there_already_is_a_conflict() {
    let world = World::new().await;
    let card = world.card("q", 1);
    ask(&world, &card).await;
    decide(&world, &card, ApprovalState::Denied).await;
    let again = world.store.ask(&card, 100, row(EventKind::ApprovalAsked, "a")).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))));
}

#[tokio::test]
async fn a_card_is_decided_once_and_only_while_it_is_pending() {
    use ApprovalState::{Approved, Denied, Expired, Stale};
    for state in [Approved, Denied, Expired] {
        let world = World::new().await;
        let card = world.card("q", 1);
        ask(&world, &card).await;
        assert!(!decide(&world, &card, Stale).await);
        assert!(decide(&world, &card, state).await);
        for late in [Approved, Denied, Expired] {
            assert!(!decide(&world, &card, late).await);
        }
        let card = now(&world, &card).await;
        assert_eq!((card.state, card.because.as_deref()), (state, Some("so be it")));
        assert_eq!(card.decided_by, Some(ActorId::new("operator")));
        // What was refused left no row.
        assert_eq!(world.store.head(), 2);
    }
}

#[tokio::test]
async fn nobody_decides_a_card_to_be_done() {
    let world = World::new().await;
    let card = world.card("q", 1);
    ask(&world, &card).await;
    let decision = Decision {
        approval: card.id.clone(),
        state: ApprovalState::Done,
        by: client().id,
        because: None,
        without: Vec::new(),
        withdrawn: false,
        at: 1,
    };
    let answer = world.store.decide(&decision, row(EventKind::ApprovalApproved, "a")).await;
    assert!(matches!(answer, Err(StoreError::Conflict(_))));
}

#[tokio::test]
async fn stale_keeps_who_approved_and_skips_what_waits() {
    let world = World::new().await;
    let card = approved(&world, 3).await;
    spend(&world, &card, 0).await;
    settle(&world, &card, 0, CallState::Done).await;
    assert!(decide(&world, &card, ApprovalState::Stale).await);
    let card = now(&world, &card).await;
    assert_eq!(card.state, ApprovalState::Stale);
    assert_eq!(step_states(&card), [StepState::Done, StepState::Skipped, StepState::Skipped]);
    assert_eq!(card.decided_by, Some(ActorId::new("operator")));
    assert!(matches!(spend(&world, &card, 1).await, Intended::AlreadySpent));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_spent_once_under_fifty_concurrent_intents() {
    let world = World::new().await;
    let card = approved(&world, 1).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let record = CallRecord { id: world.call_id(), ..spender(&world, &card, 0) };
        let store = world.store.clone();
        tasks.spawn(async move { store.intend(&record, None, row(EventKind::CallIntent, "a")).await.unwrap() });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Intended::Recorded)).count(), 1);
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Intended::AlreadySpent)).count(), 49);
    assert_eq!(world.store.unsettled_calls().await.unwrap().len(), 1);
    assert_eq!(now(&world, &card).await.state, ApprovalState::Running);
    assert_eq!(world.whole().await.rows, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_intent_that_is_handed_in_fifty_times_at_once_is_one_call() {
    let world = World::new().await;
    let card = approved(&world, 1).await;
    let record = spender(&world, &card, 0);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (store, record) = (world.store.clone(), record.clone());
        tasks.spawn(async move { store.intend(&record, None, row(EventKind::CallIntent, "a")).await.unwrap() });
    }
    let answers = tasks.join_all().await;
    assert!(answers.iter().all(|answer| matches!(answer, Intended::Recorded)), "{answers:?}");
    assert_eq!(world.store.unsettled_calls().await.unwrap().len(), 1);
    assert_eq!(world.whole().await.rows, 3);
}

#[tokio::test]
async fn only_an_approved_card_can_be_spent() {
    let world = World::new().await;
    let card = world.card("q", 1);
    ask(&world, &card).await;
    assert!(matches!(spend(&world, &card, 0).await, Intended::AlreadySpent));
    decide(&world, &card, ApprovalState::Denied).await;
    assert!(matches!(spend(&world, &card, 0).await, Intended::AlreadySpent));
    let nowhere = world.card("x", 1);
    let record = spender(&world, &nowhere, 0);
    let answer = world.store.intend(&record, None, row(EventKind::CallIntent, "a")).await;
    assert!(matches!(answer, Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn steps_are_spent_in_order_and_the_last_one_finishes_the_card() {
    let world = World::new().await;
    let card = approved(&world, 2).await;
    assert!(matches!(spend(&world, &card, 1).await, Intended::AlreadySpent));
    assert!(matches!(spend(&world, &card, 0).await, Intended::Recorded));
    assert!(matches!(spend(&world, &card, 1).await, Intended::AlreadySpent));
    settle(&world, &card, 0, CallState::Done).await;
    assert_eq!(now(&world, &card).await.state, ApprovalState::Running);
    assert!(matches!(spend(&world, &card, 1).await, Intended::Recorded));
    settle(&world, &card, 1, CallState::Done).await;
    let card = now(&world, &card).await;
    assert_eq!((card.state, card.finished_at), (ApprovalState::Done, Some(crate::world::START + 9)));
    assert!(card.steps.iter().all(|step| step.outcome.is_some()));
}

#[tokio::test]
async fn a_step_that_does_not_succeed_ends_the_card_and_skips_the_rest() {
    let ends = [
        (CallState::Failed, ApprovalState::Failed, StepState::Failed),
        (CallState::Cancelled, ApprovalState::Failed, StepState::Cancelled),
        (CallState::Unknown, ApprovalState::Unknown, StepState::Unknown),
    ];
    for (end, state, step) in ends {
        let world = World::new().await;
        let card = approved(&world, 3).await;
        spend(&world, &card, 0).await;
        settle(&world, &card, 0, end).await;
        let card = now(&world, &card).await;
        assert_eq!(card.state, state);
        assert_eq!(step_states(&card), [step, StepState::Skipped, StepState::Skipped]);
        assert!(matches!(spend(&world, &card, 1).await, Intended::AlreadySpent));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outcome_is_handed_over_once() {
    let world = World::new().await;
    let card = approved(&world, 1).await;
    let (actor, digest) = (client().id, card.digest.clone());
    let since = crate::world::START;
    assert!(world.store.hand_over(&actor, &digest, since).await.unwrap().is_none());
    spend(&world, &card, 0).await;
    settle(&world, &card, 0, CallState::Done).await;
    assert!(world.store.hand_over(&actor, &digest, since + 10).await.unwrap().is_none());
    assert!(world.store.hand_over(&ActorId::new("local"), &digest, since).await.unwrap().is_none());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (store, actor, digest) = (world.store.clone(), actor.clone(), digest.clone());
        tasks.spawn(async move { store.hand_over(&actor, &digest, since).await.unwrap() });
    }
    let handed: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(handed, [now(&world, &card).await]);
}

#[tokio::test]
async fn every_final_card_is_handed_over_also_one_that_was_denied() {
    let world = World::new().await;
    for state in [ApprovalState::Denied, ApprovalState::Expired] {
        let card = world.card("q", 1);
        ask(&world, &card).await;
        decide(&world, &card, state).await;
        let handed = world.store.hand_over(&client().id, &card.digest, crate::world::START).await.unwrap();
        assert_eq!(handed.map(|card| card.state), Some(state));
    }
    let card = approved(&world, 1).await;
    decide(&world, &card, ApprovalState::Stale).await;
    let handed = world.store.hand_over(&client().id, &card.digest, crate::world::START).await.unwrap();
    assert_eq!(handed.map(|card| card.state), Some(ApprovalState::Stale));
}

#[tokio::test]
async fn what_a_waiting_caller_received_is_not_handed_over_again() {
    let world = World::new().await;
    let card = world.card("q", 1);
    ask(&world, &card).await;
    // Not final yet: there is nothing that could have been received.
    world.store.handed(&card.id).await.unwrap();
    decide(&world, &card, ApprovalState::Denied).await;
    world.store.handed(&card.id).await.unwrap();
    world.store.handed(&card.id).await.unwrap();
    let handed = world.store.hand_over(&client().id, &card.digest, crate::world::START).await.unwrap();
    assert_eq!(handed, None);
}

#[tokio::test]
async fn cards_are_listed_by_state_newest_first() {
    let world = World::new().await;
    let mut cards = Vec::new();
    for index in 0..4 {
        let card = world.card(&format!("q{index}"), 2);
        ask(&world, &card).await;
        world.clock.turn(10);
        cards.push(card);
    }
    decide(&world, &cards[1], ApprovalState::Denied).await;
    decide(&world, &cards[2], ApprovalState::Approved).await;
    let list = |states: Vec<ApprovalState>, limit| {
        let store = world.store.clone();
        async move {
            let cards = store.approvals(&states, limit).await.unwrap();
            assert!(cards.iter().all(|card| card.steps.len() == 2));
            cards.into_iter().map(|card| card.id).collect::<Vec<_>>()
        }
    };
    let ids: Vec<_> = cards.iter().map(|card| card.id.clone()).collect();
    assert_eq!(list(vec![], 10).await, [&ids[3], &ids[2], &ids[1], &ids[0]].map(Clone::clone));
    assert_eq!(list(vec![ApprovalState::Pending], 10).await, [&ids[3], &ids[0]].map(Clone::clone));
    assert_eq!(list(vec![ApprovalState::Pending], 1).await, [ids[3].clone()]);
    let both = vec![ApprovalState::Denied, ApprovalState::Approved];
    assert_eq!(list(both, 10).await, [&ids[2], &ids[1]].map(Clone::clone));
}

#[tokio::test]
async fn what_has_lapsed_is_found_and_when_the_next_does() {
    let world = World::new().await;
    assert_eq!(world.store.due(i64::MAX).await.unwrap().next, None);
    let mut cards = Vec::new();
    for after in [30, 10, 20] {
        let card = Approval { expires_at: crate::world::START + after, ..world.card(&format!("q{after}"), 1) };
        assert!(matches!(ask(&world, &card).await, Asked::New));
        cards.push(card);
    }
    let due = world.store.due(crate::world::START + 20).await.unwrap();
    let ids: Vec<_> = due.cards.iter().map(|card| &card.id).collect();
    assert_eq!(ids, [&cards[1].id, &cards[2].id], "the oldest first");
    assert_eq!(due.next, Some(crate::world::START + 30));
    assert!(decide(&world, &cards[1], ApprovalState::Expired).await);
    assert_eq!(world.store.due(crate::world::START + 20).await.unwrap().cards.len(), 1);
}

#[tokio::test]
async fn an_actor_has_at_most_so_many_open_cards_and_the_same_question_still_joins() {
    let world = World::new().await;
    let told = |card: &Approval| row(EventKind::ApprovalAsked, card.id.as_str());
    let (first, second, third) = (world.card("1", 1), world.card("2", 1), world.card("3", 1));
    assert!(matches!(world.store.ask(&first, 2, told(&first)).await.unwrap(), Asked::New));
    assert!(matches!(world.store.ask(&second, 2, told(&second)).await.unwrap(), Asked::New));
    let head = world.store.head();
    assert!(matches!(world.store.ask(&third, 2, told(&third)).await.unwrap(), Asked::Full));
    assert_eq!(world.store.head(), head, "nothing was kept");
    let same = Approval { id: third.id.clone(), ..first.clone() };
    assert!(
        matches!(world.store.ask(&same, 2, told(&same)).await.unwrap(), Asked::Joined(card) if card.id == first.id)
    );
    assert!(decide(&world, &first, ApprovalState::Denied).await);
    assert!(matches!(world.store.ask(&third, 2, told(&third)).await.unwrap(), Asked::New));
}
