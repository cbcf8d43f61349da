//! Turns that are answered by rule, without any model.

use jarvis_safety::Actor;
use jarvis_safety::conversation::{CallEnd, Entry, TurnState};
use jarvis_safety::event::EventKind;
use jarvis_safety::refusal::Code;

use crate::support::{House, Lamps, say, spoken};

fn set_note(lamps: &Lamps, text: &str) {
    *lamps.note.lock().unwrap() = text.to_owned();
}

#[tokio::test]
async fn a_question_is_answered_by_rule_and_audited() {
    let house = House::new().await;
    let mind = house.mind();
    let (turn, log) = house.answer(&mind, "list the lamps").await;
    assert_eq!(turn.state, TurnState::Done);
    assert!(matches!(&log[0], Entry::Routed { route, model: None, .. } if route == "rule"), "{log:#?}");
    assert!(spoken(&log).contains("3 lamps are lit."), "{log:#?}");
    assert!(matches!(log.last(), Some(Entry::Ended { state: TurnState::Done, .. })));
    let rows = house.events(Some(turn.id.as_str())).await;
    let kinds: Vec<_> = rows.iter().map(|(row, _)| row.kind).collect();
    assert_eq!(kinds, [EventKind::TurnAsked, EventKind::TurnStep, EventKind::TurnDone]);
    assert_eq!(rows[0].0.summary, "said 3 words (test)");
    assert_eq!(rows[0].1.as_ref().unwrap()["words"], "list the lamps");
    assert_eq!(rows[1].0.summary, "answered by rule; calls lamp_list");
    assert!(rows.iter().all(|(row, _)| row.correlation == "corr"));
}

#[tokio::test]
async fn words_by_strangers_are_quoted_so_that_nothing_in_them_formats_or_closes() {
    let house = House::new().await;
    set_note(&house.lamps, "# Hello\n```\n[click](http://evil)\u{202e}");
    let (_, log) = house.answer(&house.mind(), "read the note on the door").await;
    let said = spoken(&log);
    assert!(said.starts_with("house, in words that are not mine:\n\n````text\n"), "{said}");
    assert!(said.contains("````text\n# Hello\n```\n[click](http://evil)\\u{202e}\n````"), "{said}");
}

#[tokio::test]
async fn a_plan_names_calls_and_tiers_and_does_nothing() {
    let house = House::new().await;
    let mind = house.mind();
    let plan = mind.plan(&Actor::operator(), crate::support::origin(), "restart the lamp hall").await.unwrap();
    assert_eq!(plan.calls.len(), 1);
    assert_eq!((plan.calls[0].tool.as_str(), plan.calls[0].tier.as_str()), ("lamp_restart", "yellow"));
    assert!(house.lamps.runs().iter().all(|run| run == "list"), "a plan runs nothing but look-ups");
    assert!(mind.conversations(&Actor::operator(), "", 10).await.unwrap().is_empty(), "a plan keeps nothing");
}

#[tokio::test]
async fn what_needs_approval_waits_and_goes_on_when_it_is_decided() {
    let house = House::new().await;
    let mind = house.mind();
    let turn = say(&mind, "remove the lamp hall").await;
    let card = house.card_of(&turn.id).await;
    let (waiting, log) = house.turns.get(&turn.id).await;
    assert_eq!(waiting.state, TurnState::Waiting);
    assert!(spoken(&log).contains("needs your approval: `Remove the lamp hall for good.`"), "{log:#?}");
    assert_eq!(house.lamps.count("remove hall"), 0);
    house.approve(&card).await;
    let (turn, log) = house.turns.ended(&turn.id).await;
    assert_eq!(turn.state, TurnState::Done);
    assert!(spoken(&log).contains("The lamp hall is gone."), "{log:#?}");
    assert_eq!(house.lamps.count("remove hall"), 1);
    let rows = house.events(Some(turn.id.as_str())).await;
    assert!(rows.iter().any(|(row, _)| row.kind == EventKind::TurnWaiting));
}

#[tokio::test]
async fn a_denial_ends_the_turn_with_the_word_that_came_back() {
    let house = House::new().await;
    let mind = house.mind();
    let turn = say(&mind, "remove the lamp hall").await;
    let card = house.card_of(&turn.id).await;
    house.deny(&card, "we still need it").await;
    let (_, log) = house.turns.ended(&turn.id).await;
    let said = spoken(&log);
    assert!(said.contains("we still need it") && said.contains("nothing was done"), "{said}");
    assert!(house.lamps.runs().iter().all(|run| run == "list"));
}

#[tokio::test]
async fn several_calls_are_one_plan_with_one_card() {
    let house = House::new().await;
    let mind = house.mind();
    let turn = say(&mind, "remove the lamp hall and remove the lamp porch").await;
    let card = house.card_of(&turn.id).await;
    let cards = house.cards().await;
    assert_eq!((cards.len(), cards[0].steps.len()), (1, 2));
    let (_, log) = house.turns.get(&turn.id).await;
    let said = spoken(&log);
    assert!(
        said.contains("as one plan of 2 steps:") && said.contains("\n2. `Remove the lamp porch for good.`"),
        "{said}"
    );
    house.approve(&card).await;
    let (_, log) = house.turns.ended(&turn.id).await;
    let closing = "Both steps are done:\n\n- The lamp hall is gone.\n- The lamp porch is gone.";
    assert!(spoken(&log).ends_with(closing), "{}", spoken(&log));
    let ran = log.iter().filter(|entry| matches!(entry, Entry::Answered { answer: CallEnd::Ran { .. }, .. }));
    assert_eq!(ran.count(), 2);
    assert_eq!((house.lamps.count("remove hall"), house.lamps.count("remove porch")), (1, 1));
}

#[tokio::test]
async fn a_plan_that_stops_half_way_tells_what_was_done_and_what_was_not() {
    let house = House::new().await;
    let sentence = "restart the lamp hall and restart the lamp attic and remove the lamp porch";
    *house.lamps.broken.lock().unwrap() = Some("attic".to_owned());
    let mind = house.mind();
    let turn = say(&mind, sentence).await;
    let card = house.card_of(&turn.id).await;
    house.approve(&card).await;
    let (_, log) = house.turns.ended(&turn.id).await;
    let said = spoken(&log);
    assert!(said.contains("1 of 3 steps is done:\n\n- The lamp hall is lit again.\n"), "{said}");
    assert!(said.contains("- restart attic: That did not work: the bulb is broken; change it first."), "{said}");
    assert!(said.contains("- remove porch: not done. Not made, because an earlier call"), "{said}");
}

#[tokio::test]
async fn a_denied_plan_is_answered_once_for_all_its_steps() {
    let house = House::new().await;
    let mind = house.mind();
    let turn = say(&mind, "remove the lamp hall and remove the lamp porch").await;
    let card = house.card_of(&turn.id).await;
    house.deny(&card, "it is dark enough").await;
    let (_, log) = house.turns.ended(&turn.id).await;
    assert_eq!(spoken(&log).matches("it is dark enough").count(), 1, "{}", spoken(&log));
}

#[tokio::test]
async fn without_a_model_what_no_rule_understands_gets_an_honest_answer() {
    let house = House::new().await;
    let (turn, log) = house.answer(&house.mind(), "qwzx vlorp gnarf").await;
    assert_eq!(turn.state, TurnState::Done);
    let said = spoken(&log);
    assert!(said.contains("outside what I understand") && said.contains("connect a model"), "{said}");
    assert!(!said.contains("lamp_") && !said.contains('{'), "no tool and no slot is shown: {said}");
    assert!(house.lamps.runs().iter().all(|run| run == "list"));
}

#[tokio::test]
async fn help_tells_what_there_is_and_what_can_be_said() {
    let house = House::new().await;
    let (turn, log) = house.answer(&house.mind(), "What can you do?").await;
    assert_eq!(turn.state, TurnState::Done);
    let said = spoken(&log);
    assert!(said.contains("lamp matters") && said.contains("\n- list the lamps\n"), "{said}");
    assert!(said.contains("\n- restart the lamp hall\n"), "a real name stands in the slot: {said}");
    assert!(!said.contains('{'), "{said}");
    let plan = house.mind().plan(&Actor::operator(), crate::support::origin(), "help").await.unwrap();
    assert_eq!(plan.question, Some(said));
}

#[tokio::test]
async fn a_thing_that_came_to_be_a_moment_ago_is_looked_for_once_before_it_is_said_not_to_be_there() {
    let house = House::new().await;
    let mind = house.mind();
    house.answer(&mind, "restart the lamp hall").await;
    house.answer(&mind, "restart the lamp porch").await;
    assert_eq!(house.lamps.count("list"), 1, "a name that is known is not looked for again");
    house.lamps.hang("veranda");
    house.answer(&mind, "restart the lamp veranda").await;
    assert_eq!((house.lamps.count("restart veranda"), house.lamps.count("list")), (1, 2));
    house.lamps.hang("porch2");
    house.answer(&mind, "restart the lamp porch2").await;
    assert_eq!((house.lamps.count("restart porch2"), house.lamps.count("list")), (1, 3), "nearly is not known");
    house.lamps.hang("porch3");
    let plan = mind.plan(&Actor::operator(), crate::support::origin(), "restart all lamps named porch*").await.unwrap();
    assert_eq!((plan.calls.len(), house.lamps.count("list")), (3, 4), "a group is looked at as it is now");
    let (_, log) = house.answer(&mind, "restart the lamp garage").await;
    assert!(log.iter().any(|entry| matches!(entry, Entry::Asked { .. })), "{log:#?}");
    assert_eq!(house.lamps.count("list"), 5, "once, and then it is asked");
}

#[tokio::test]
async fn an_order_that_no_tool_can_carry_out_is_named() {
    let house = House::new().await;
    let (_, log) = house.answer(&house.mind(), "Please restart this machine!").await;
    assert!(spoken(&log).starts_with("I have no tool for “Please restart this machine”"), "{log:#?}");
}

#[tokio::test]
async fn stopping_a_running_call_ends_the_turn_at_once() {
    let house = House::new().await;
    let mind = house.mind();
    let turn = say(&mind, "watch the lamps forever").await;
    house.lamps.begun.notified().await;
    let begun = tokio::time::Instant::now();
    let stopped = mind.stop(&Actor::operator(), &turn.id).await.unwrap();
    assert_eq!(stopped.state, TurnState::Stopped);
    assert!(begun.elapsed() < std::time::Duration::from_secs(2), "{:?}", begun.elapsed());
    let (_, log) = house.turns.get(&turn.id).await;
    let off = log.iter().any(|entry| matches!(entry, Entry::Answered { answer: CallEnd::Ran { .. }, .. }));
    assert!(off, "the call was called off, too: {log:#?}");
    let again = mind.stop(&Actor::operator(), &turn.id).await.unwrap();
    assert_eq!(again.state, TurnState::Stopped);
}

#[tokio::test]
async fn stopping_a_waiting_turn_takes_its_card_back_if_the_stopper_may_decide() {
    let house = House::new().await;
    let mind = house.mind();
    let turn = say(&mind, "remove the lamp hall").await;
    house.card_of(&turn.id).await;
    mind.stop(&Actor::operator(), &turn.id).await.unwrap();
    assert!(house.cards().await.is_empty());
    assert!(house.lamps.runs().iter().all(|run| run == "list"));
}

#[tokio::test]
async fn nothing_and_too_much_are_refused_before_anything_is_kept() {
    let house = House::new().await;
    let mind = house.mind();
    for text in [String::new(), " \n".to_owned(), "x".repeat(20_001)] {
        let refusal = crate::support::say_after(&mind, &text, None, jarvis_agents::After::Newest).await.unwrap_err();
        assert_eq!(refusal.code, Code::InvalidArguments);
    }
    assert!(house.events(None).await.iter().all(|(row, _)| row.kind == EventKind::OperatorSet));
    assert!(mind.conversations(&Actor::operator(), "", 10).await.unwrap().is_empty());
}
