//! Killed at every boundary between two steps, a turn goes on to the same end, and no effect happens twice.

use std::time::Duration;

use jarvis_safety::conversation::{CallEnd, Entry, Turn, TurnState};
use jarvis_safety::port::Ledger as _;
use jarvis_safety::{Actor, TurnId};
use serde_json::json;

use crate::support::model::{calls, text};
use crate::support::{House, ModelServer, say, spoken};

/// How long a card may take to be carried out.
const SOON: Duration = Duration::from_secs(10);

/// What a script of a model and a person comes to: the words, and what ran.
type End = (TurnState, String, Vec<String>);

async fn scripted() -> ModelServer {
    ModelServer::start(|seen, _| match seen.said("tool").len() {
        0 => calls(&[
            ("lamp_list", json!({})),
            ("lamp_restart", json!({ "name": "hall" })),
            ("lamp_restart", json!({ "name": "porch" })),
        ]),
        3 => calls(&[("lamp_remove", json!({ "name": "attic" }))]),
        _ => text("The house is in order."),
    })
    .await
}

fn end(house: &House, turn: &Turn, log: &[Entry]) -> End {
    let effects = house.lamps.runs().into_iter().filter(|run| run != "list").collect();
    (turn.state, spoken(log), effects)
}

/// Approves whatever card the turn waits for, and waits for the end.
async fn to_the_end(house: &House, id: &TurnId) -> (Turn, Vec<Entry>) {
    let rests = |turn: &Turn, _: &[Entry]| turn.state != TurnState::Running;
    let (turn, _) = house.turns.wait_for(id, rests).await;
    if turn.state == TurnState::Waiting {
        for card in house.cards().await {
            house.approve(&card.id).await;
        }
    }
    house.turns.ended(id).await
}

/// Says a sentence and kills the mind after so many steps.
async fn killed_after(house: &House, kept: usize, sentence: &str) -> Turn {
    house.turns.set_fuse(Some(kept));
    let mind = house.mind();
    let turn = say(&mind, sentence).await;
    house.turns.blown_or_rested(&turn.id).await;
    if house.turns.get(&turn.id).await.0.state == TurnState::Waiting {
        for card in house.cards().await {
            house.approve(&card.id).await;
        }
        house.turns.blown_or_ended(&turn.id).await;
    }
    drop(mind);
    house.turns.set_fuse(None);
    turn
}

/// Runs a sentence with a kill after each number of steps, up to the number that a whole run takes.
async fn killed_everywhere(house: impl AsyncFn() -> House, sentence: &str) -> usize {
    let whole = house().await;
    let mind = whole.mind();
    let turn = say(&mind, sentence).await;
    let (turn, log) = to_the_end(&whole, &turn.id).await;
    assert_eq!(turn.state, TurnState::Done, "{log:#?}");
    assert!(log.iter().any(|entry| matches!(entry, Entry::Called { .. })), "{log:#?}");
    let expected = end(&whole, &turn, &log);
    let steps = whole.turns.steps();
    for kept in 0..steps {
        let house = house().await;
        let turn = killed_after(&house, kept, sentence).await;
        let mind = house.mind();
        mind.resume().await.unwrap();
        let (turn, log) = to_the_end(&house, &turn.id).await;
        assert_eq!(end(&house, &turn, &log), expected, "killed after {kept} steps: {log:#?}");
        assert_eq!(mind.resume().await.unwrap(), 0, "nothing is left open");
    }
    steps
}

#[tokio::test]
async fn a_turn_by_the_model_survives_a_kill_at_every_boundary() {
    let server = scripted().await;
    let steps =
        killed_everywhere(async || House::with_model(&server, 16_384).await, "qwzx, put the house in order").await;
    assert!(steps >= 6, "{steps}");
}

#[tokio::test]
async fn a_plan_by_rule_survives_a_kill_at_every_boundary() {
    let steps = killed_everywhere(House::new, "restart the lamp hall and restart the lamp porch").await;
    assert!(steps >= 2, "{steps}");
}

#[tokio::test]
async fn an_approved_call_by_rule_survives_a_kill_at_every_boundary() {
    let steps = killed_everywhere(House::new, "remove the lamp hall").await;
    assert!(steps >= 3, "{steps}");
}

#[tokio::test]
async fn a_call_that_ran_before_the_kill_answers_what_came_of_it() {
    let house = House::new().await;
    let mind = house.mind();
    // Made anew after the kill, the second call would be the third of its kind, and ask.
    house.answer(&mind, "restart the lamp hall").await;
    // The choice of the way is kept, the outcome is not.
    house.turns.set_fuse(Some(1));
    let turn = say(&mind, "restart the lamp hall").await;
    house.turns.blown_or_rested(&turn.id).await;
    assert_eq!(house.lamps.count("restart hall"), 2);
    drop(mind);
    house.turns.set_fuse(None);
    let mind = house.mind();
    mind.resume().await.unwrap();
    let (_, log) = house.turns.ended(&turn.id).await;
    assert_eq!(house.lamps.count("restart hall"), 2);
    let key = format!("turn:{}:0", turn.id);
    assert!(house.store.keyed(&Actor::operator().id, &key).await.unwrap().is_some());
    let ran = log.iter().any(|entry| matches!(entry, Entry::Answered { answer: CallEnd::Ran { .. }, .. }));
    assert!(ran, "{log:#?}");
}

#[tokio::test]
async fn a_turn_whose_actor_is_gone_ends_with_a_word() {
    let house = House::new().await;
    house.turns.set_fuse(Some(0));
    let mind = house.mind();
    let gone = Actor { id: jarvis_safety::ActorId::new("token:tok_gone"), ..Actor::local() };
    let said = jarvis_agents::Said { text: "list the lamps".to_owned(), ..Default::default() };
    let turn = mind.say(&gone, crate::support::origin(), said).await.unwrap();
    house.turns.blown_or_rested(&turn.id).await;
    drop(mind);
    house.turns.set_fuse(None);
    house.mind().resume().await.unwrap();
    let (turn, log) = house.turns.ended(&turn.id).await;
    assert_eq!(turn.state, TurnState::Failed);
    assert!(spoken(&log).contains("not allowed in any more"), "{log:#?}");
}

#[tokio::test]
async fn a_plan_that_was_approved_and_done_while_nobody_looked_is_not_made_again() {
    let house = House::new().await;
    // The card is up, but that the turn waits for it is not kept.
    house.turns.set_fuse(Some(1));
    let mind = house.mind();
    let turn = say(&mind, "remove the lamp hall and remove the lamp porch").await;
    house.turns.blown_or_rested(&turn.id).await;
    drop(mind);
    let card = house.cards().await.remove(0);
    house.approve(&card.id).await;
    // Looking on does not count as having been told.
    let done = house.gate.follow(&card.id, SOON).await.unwrap();
    assert_eq!(done.steps.len(), 2);
    house.turns.set_fuse(None);
    let mind = house.mind();
    mind.resume().await.unwrap();
    let (turn, log) = house.turns.ended(&turn.id).await;
    assert_eq!(turn.state, TurnState::Done);
    assert_eq!((house.lamps.count("remove hall"), house.lamps.count("remove porch")), (1, 1));
    let said = spoken(&log);
    assert!(said.contains("The lamp porch is gone.") && !said.contains("did not succeed"), "{said}");
    let all = "Both steps are done:\n\n- The lamp hall is gone.\n- The lamp porch is gone.";
    assert!(said == all, "what is decided is not asked for: {said}");
    assert!(house.cards().await.is_empty());
}

#[tokio::test]
async fn a_plan_that_failed_while_nobody_looked_names_the_step_that_failed() {
    let house = House::new().await;
    *house.lamps.broken.lock().unwrap() = Some("attic".to_owned());
    house.turns.set_fuse(Some(1));
    let mind = house.mind();
    let turn = say(&mind, "remove the lamp hall and restart the lamp attic and remove the lamp porch").await;
    house.turns.blown_or_rested(&turn.id).await;
    drop(mind);
    let card = house.cards().await.remove(0);
    house.approve(&card.id).await;
    house.gate.follow(&card.id, SOON).await.unwrap();
    house.turns.set_fuse(None);
    let mind = house.mind();
    mind.resume().await.unwrap();
    let (_, log) = house.turns.ended(&turn.id).await;
    let said = spoken(&log);
    assert!(said.starts_with("1 of 3 steps is done:\n\n- The lamp hall is gone.\n"), "{said}");
    assert!(said.contains("- restart attic: That did not work") && said.contains("- remove porch: not done"), "{said}");
    assert_eq!(house.lamps.count("remove hall"), 1);
}
