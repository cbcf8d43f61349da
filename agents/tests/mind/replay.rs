//! What a log holds is what its own steps lead to, wherever it is cut; and one that was tampered with is found.

mod case;

use std::time::Duration;

use jarvis_agents::{Divergence, Prompts, Replay, replay};
use jarvis_safety::conversation::{Entry, Turn, TurnState};
use jarvis_safety::refusal::Code;
use jarvis_safety::{Actor, ActorId};
use serde_json::json;

use crate::support::model::{delta, text};
use crate::support::{House, ModelServer, Reply, origin, say};
use case::{BY_MODEL, BY_RULE, Case, STOPPED, record, recorded};

/// The tools and prompts of the lamps.
struct Now {
    house: House,
    prompts: Prompts,
}

impl Now {
    async fn new() -> Self {
        Self { house: House::new().await, prompts: Prompts::load(None).unwrap() }
    }

    fn replay(&self, turn: &Turn, log: &[Entry]) -> Replay {
        replay(turn, log, self.house.gate.gate().registry(), &self.prompts)
    }

    fn diverges(&self, turn: &Turn, log: &[Entry]) -> Divergence {
        self.replay(turn, log).divergence.unwrap_or_else(|| panic!("it is whole: {log:#?}"))
    }

    /// That a log is whole, and that its beginning up to each step names that step as the next one.
    fn whole(&self, what: &str, turn: &Turn, log: &[Entry]) -> Replay {
        let whole = self.replay(turn, log);
        assert_eq!((&whole.divergence, &whole.next), (&None, &None), "{what}: {log:#?}");
        let open = Turn { state: TurnState::Running, ..turn.clone() };
        for (place, step) in whole.steps.iter().enumerate() {
            let before = self.replay(&open, &log[..step.at]);
            assert_eq!(before.divergence, None, "{what}, {step:?}");
            assert_eq!((&before.steps[..], &before.next), (&whole.steps[..place], &Some(step.does.clone())), "{what}");
        }
        whole
    }
}

/// Runs these turns and replays them.
async fn run_and_replay(cases: &[Case]) {
    let now = Now::new().await;
    for case in cases {
        let mut house = case.house().await;
        let (turn, log) = case.run(&mut house).await;
        assert_eq!(turn.state, case.ends, "{}: {log:#?}", case.name);
        now.whole(case.name, &turn, &log);
        record(case.name, &turn, &log);
    }
}

#[tokio::test]
async fn every_kind_of_turn_by_rule_replays_whole() {
    run_and_replay(BY_RULE).await;
}

#[tokio::test]
async fn every_kind_of_turn_by_the_model_replays_whole() {
    run_and_replay(BY_MODEL).await;
}

#[tokio::test]
async fn every_kind_of_stopped_turn_replays_whole() {
    run_and_replay(STOPPED).await;
}

/// Says it and kills the mind after so many steps. Answers what the store then holds.
async fn killed_after(case: &Case, house: &House, kept: usize) -> (Turn, Vec<Entry>) {
    house.turns.set_fuse(Some(kept));
    let mind = house.mind();
    let turn = say(&mind, case.sentence).await;
    house.turns.blown_or_rested(&turn.id).await;
    if house.turns.get(&turn.id).await.0.state == TurnState::Waiting {
        case.decide_open(house).await;
        house.turns.blown_or_ended(&turn.id).await;
    }
    drop(mind);
    house.turns.set_fuse(None);
    house.turns.get(&turn.id).await
}

/// Kills the mind after each number of steps: what the store holds then replays whole, and names as the next step the one
/// that is taken after the restart.
async fn cut_everywhere(cases: &[Case]) {
    let now = Now::new().await;
    for case in cases {
        let mut whole = case.house().await;
        case.run(&mut whole).await;
        for kept in 0..whole.turns.steps() {
            let what = format!("{} killed after {kept} steps", case.name);
            let house = case.house().await;
            let (open, begun) = killed_after(case, &house, kept).await;
            let cut = now.replay(&open, &begun);
            assert!(cut.divergence.is_none() && cut.next.is_some(), "{what}: {cut:#?} {begun:#?}");
            let mind = house.mind();
            assert_eq!(mind.resume().await.unwrap(), 1, "{what}");
            let (turn, log) = case.decide(&house, &open).await;
            assert!(log.starts_with(&begun), "{what}: {log:#?}");
            let resumed = now.whole(&what, &turn, &log);
            let taken = resumed.steps.iter().find(|step| step.at == begun.len());
            assert_eq!(taken.map(|step| &step.does), cut.next.as_ref(), "{what}: {resumed:#?}");
            assert_eq!(resumed.steps[..cut.steps.len()], cut.steps[..], "{what}");
        }
    }
}

#[tokio::test]
async fn cut_at_every_boundary_a_turn_by_rule_names_the_step_that_it_then_takes() {
    cut_everywhere(BY_RULE).await;
}

#[tokio::test]
async fn cut_at_every_boundary_a_turn_by_the_model_names_the_step_that_it_then_takes() {
    // With two cards one after the other, the person would have to come twice between two kills.
    let cases: Vec<_> = BY_MODEL.iter().filter(|case| case.name != "model_denied_twice").copied().collect();
    cut_everywhere(&cases).await;
}

#[tokio::test]
async fn words_that_were_being_said_replay_before_and_after_the_crash() {
    let server = ModelServer::start(|_, number| match number {
        0 => Reply::Stalled(vec![delta(json!({ "content": "Once upon" }))]),
        _ => text("Once upon a time."),
    })
    .await;
    let mut house = House::with_model(&server, 8192).await;
    house.idle = Duration::from_secs(30);
    let (now, mind) = (Now::new().await, house.mind());
    let turn = say(&mind, "qwzx, tell me a story").await;
    let speaking = |_: &Turn, log: &[Entry]| matches!(log.last(), Some(Entry::Partial { .. }));
    let (open, begun) = house.turns.wait_for(&turn.id, speaking).await;
    drop(mind);
    let cut = now.replay(&open, &begun);
    assert_eq!(cut.divergence, None);
    assert_eq!(cut.next.as_deref(), Some("keep the words that broke off"));
    let mind = house.mind();
    mind.resume().await.unwrap();
    let (turn, log) = house.turns.ended(&turn.id).await;
    let came: Vec<_> = now.whole("crash", &turn, &log).steps.into_iter().map(|step| step.came).collect();
    assert_eq!(came[1..3], ["an answer broke off after “Once upon”", "the model says “Once upon a time.”"]);
    record("crash_resumed", &turn, &log);
    let gone = [&log[..1], &begun[1..], &log[2..]].concat();
    assert_eq!(now.diverges(&turn, &gone).at, 1, "what was being said is replaced by what follows");
}

#[tokio::test]
async fn a_turn_that_nobody_carries_on_replays_to_its_end() {
    let (house, now) = (House::new().await, Now::new().await);
    for kept in [0, 1] {
        house.turns.set_fuse(Some(kept));
        let mind = house.mind();
        let left = say(&mind, "list the lamps").await;
        house.turns.blown_or_rested(&left.id).await;
        let said = jarvis_agents::Said { text: "list the lamps".to_owned(), ..Default::default() };
        let gone = Actor { id: ActorId::new("token:tok_gone"), ..Actor::local() };
        house.turns.set_fuse(Some(kept));
        let orphan = mind.say(&gone, origin(), said).await.unwrap();
        house.turns.blown_or_rested(&orphan.id).await;
        drop(mind);
        house.turns.set_fuse(None);
        let mind = house.mind();
        mind.stop(&Actor::operator(), &left.id).await.unwrap();
        mind.resume().await.unwrap();
        for (id, ends) in [(left.id, TurnState::Stopped), (orphan.id, TurnState::Failed)] {
            let (turn, log) = house.turns.ended(&id).await;
            assert_eq!(turn.state, ends);
            now.whole(ends.as_str(), &turn, &log);
        }
    }
}

#[tokio::test]
async fn every_recorded_log_replays_whole() {
    let (now, recorded) = (Now::new().await, recorded());
    let wanted = [
        "rule_answer",
        "plan",
        "denied",
        "words_by_strangers",
        "model_side_by_side",
        "model_broken_off",
        "model_in_circles",
        "stopped_words",
        "stopped_call",
        "crash_resumed",
    ];
    for name in wanted {
        assert!(recorded.iter().any(|(found, _)| found == name), "{name} was recorded");
    }
    for (name, log) in recorded {
        now.whole(&name, &log.turn, &log.log);
    }
}

#[tokio::test]
async fn a_recorded_log_without_one_of_its_entries_diverges_there() {
    let (now, mut tried) = (Now::new().await, 0);
    for (name, recorded) in recorded() {
        for gone in 0..recorded.log.len() {
            let mut log = recorded.log.clone();
            let entry = log.remove(gone);
            let stopped = recorded.turn.state == TurnState::Stopped && gone + 1 < recorded.log.len();
            // A turn can be stopped before as after these, an answer need not have broken off, not every call that a
            // model asks for needs a card, and a model may fail instead of answering, or be whole without a note.
            let possible = match entry {
                Entry::Answered { .. } => stopped,
                Entry::Waiting { .. } => name.starts_with("model"),
                Entry::Cut { .. } => true,
                Entry::Note { .. } => recorded.turn.state == TurnState::Done,
                Entry::Model { .. } => {
                    recorded.turn.state == TurnState::Failed && matches!(log[gone], Entry::Note { .. })
                }
                _ => false,
            };
            if !possible {
                let found = now.diverges(&recorded.turn, &log);
                // Rules may understand fewer calls; then what came of the call that is gone is not explained.
                let later = matches!(entry, Entry::Called { .. }) && !name.starts_with("model");
                let there = found.at + 1 >= gone && (found.at <= gone || later);
                assert!(there, "{name} without {gone}: {found:?}");
                tried += 1;
            }
        }
    }
    assert!(tried > 40, "{tried}");
}

#[tokio::test]
async fn a_recorded_log_with_two_entries_swapped_diverges_there() {
    let now = Now::new().await;
    for (name, recorded) in recorded() {
        for place in 1..recorded.log.len() {
            let mut log = recorded.log.clone();
            if log[place - 1] == log[place] {
                continue;
            }
            log.swap(place - 1, place);
            let found = now.diverges(&recorded.turn, &log);
            // A card is two entries, which are looked for together.
            let there = (place.saturating_sub(2)..=place).contains(&found.at);
            assert!(there, "{name} with {place} swapped: {found:?}");
        }
    }
}

/// A recorded log.
fn log_of(name: &str) -> (Turn, Vec<Entry>) {
    let found = recorded().into_iter().find(|(found, _)| found == name).unwrap().1;
    (found.turn, found.log)
}

#[tokio::test]
async fn a_divergence_says_where_it_is_and_what_both_sides_hold() {
    let (now, (turn, log)) = (Now::new().await, log_of("model_side_by_side"));
    let called = log.iter().position(|entry| matches!(entry, Entry::Called { index: 2, .. })).unwrap();
    let mut other = log.clone();
    let Entry::Called { args, .. } = &mut other[called] else { panic!("{other:#?}") };
    *args = json!({ "name": "porch" });
    let found = now.diverges(&turn, &other);
    assert_eq!(
        found,
        Divergence {
            at: called,
            step: "call 2 is lamp_remove {\"name\":\"hall\"}".to_owned(),
            log: "call 2 is lamp_remove {\"name\":\"porch\"}".to_owned(),
        }
    );
    assert_eq!(now.replay(&turn, &other).steps.len(), 2, "the steps before it are told");

    let answered = log.iter().position(|entry| matches!(entry, Entry::Answered { index: 1, .. })).unwrap();
    let mut other = log.clone();
    other.remove(answered);
    let found = now.diverges(&turn, &other);
    assert_eq!((found.at, found.step.as_str()), (answered, "make the calls 0 (lamp_list), 1 (note_read) side by side"));

    let (turn, log) = log_of("rule_answer");
    let mut other = log.clone();
    let said = log.iter().position(|entry| matches!(entry, Entry::Said { .. })).unwrap();
    other[said] = Entry::Said { text: "9 lamps are lit.".to_owned() };
    let found = now.diverges(&turn, &other);
    assert_eq!(
        (found.at, found.step.as_str(), found.log.as_str()),
        (said, "says “3 lamps are lit.”", "says “9 lamps are lit.”")
    );
}

#[tokio::test]
async fn a_log_that_ends_otherwise_than_its_turn_diverges_at_its_end() {
    let (now, (turn, log)) = (Now::new().await, log_of("rule_answer"));
    let found = now.diverges(&turn, &log[..log.len() - 1]);
    assert_eq!(found.at, log.len() - 1);
    assert_eq!(
        (found.step.as_str(), found.log.as_str()),
        ("end the turn as done", "nothing more, although the turn is done")
    );
    let open = Turn { state: TurnState::Running, ..turn.clone() };
    assert_eq!(now.diverges(&open, &log).at, log.len() - 1);
    let more = [&log[..], &[Entry::Said { text: "And then".to_owned() }]].concat();
    let found = now.diverges(&turn, &more);
    assert_eq!((found.at, found.step.as_str()), (log.len(), "nothing: the turn has ended"));
}

#[tokio::test]
async fn a_conversation_is_replayed_for_its_owner_and_the_operator_only() {
    let house = House::new().await;
    let mind = house.mind();
    let said = jarvis_agents::Said { text: "remove the lamp hall".to_owned(), ..Default::default() };
    let turn = mind.say(&Actor::local(), origin(), said).await.unwrap();
    let card = house.card_of(&turn.id).await;
    let (events, runs) = (house.events(None).await.len(), house.lamps.runs());
    let stranger = mind.replay(&Actor::mcp_stdio(), &turn.conversation).await.unwrap_err();
    assert_eq!(stranger.code, Code::NotFound);
    for actor in [Actor::local(), Actor::operator()] {
        let [(found, replay)] = mind.replay(&actor, &turn.conversation).await.unwrap().try_into().unwrap();
        assert_eq!((found.id, found.state, &replay.divergence), (turn.id.clone(), TurnState::Waiting, &None));
        assert_eq!(replay.next, Some(format!("wait until {card} is decided")));
    }
    assert_eq!((house.events(None).await.len(), house.lamps.runs()), (events, runs), "nothing was run or written");
}
