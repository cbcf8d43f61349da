//! Turns that a model answers.

use std::time::Duration;

use jarvis_safety::Actor;
use jarvis_safety::conversation::{CallEnd, Entry, TurnState};
use jarvis_safety::refusal::Code;
use serde_json::json;

use crate::support::model::{call_pieces, calls, delta, finish, sse, text};
use crate::support::{House, ModelServer, Reply, say, spoken};

const QUESTION: &str = "qwzx, pray tell me about the lights";

#[tokio::test]
async fn words_are_streamed_and_kept() {
    let server = ModelServer::replies(vec![text("Good evening. Größe 東京 – all is well.")]).await;
    let house = House::with_model(&server, 8192).await;
    let (turn, log) = house.answer(&house.mind(), QUESTION).await;
    assert_eq!(turn.state, TurnState::Done);
    let Entry::Routed { route, model, .. } = &log[0] else { panic!("{log:#?}") };
    assert_eq!((route.as_str(), model.as_deref()), ("model", Some("scripted")));
    let Entry::Model { text, calls, tokens_in, tokens_out } = &log[1] else { panic!("{log:#?}") };
    assert_eq!(text, "Good evening. Größe 東京 – all is well.");
    assert!(calls.is_empty());
    assert_eq!((*tokens_in, *tokens_out), (Some(321), Some(12)));
    let mut shown = String::new();
    let all = house.live.all();
    let mut frames: Vec<_> = all.iter().filter(|frame| frame.kind == "text").collect();
    let last = frames.pop().unwrap();
    assert_eq!((last.offset, &last.data), (0, &json!({ "text": "" })), "what is kept is not shown twice");
    for frame in frames {
        assert_eq!(frame.offset, shown.chars().count() as u64);
        assert_eq!(frame.subject, format!("turn:{}", turn.id));
        shown.push_str(frame.data["text"].as_str().unwrap());
    }
    assert_eq!(shown, *text);
    let phases: Vec<_> = house.live.all().into_iter().filter(|frame| frame.kind == "phase").collect();
    assert_eq!(phases.last().unwrap().data, json!({ "phase": "idle" }));
    assert_eq!(server.seen()[0].said("user"), [QUESTION]);
}

#[tokio::test]
async fn thoughts_that_a_server_passes_on_as_words_are_neither_shown_nor_kept() {
    let answer = "<think>\nThe person wants light.\n</think>\n\nThe hall is lit.";
    let server = ModelServer::replies(vec![text(answer)]).await;
    let house = House::with_model(&server, 8192).await;
    let (turn, log) = house.answer(&house.mind(), QUESTION).await;
    assert_eq!(turn.state, TurnState::Done);
    assert_eq!(spoken(&log), "The hall is lit.");
    let shown = house.live.all().iter().map(|frame| frame.data.to_string()).collect::<String>();
    assert!(!shown.contains("wants light"), "{shown}");
}

#[tokio::test]
async fn small_talk_is_answered_by_rule_even_with_a_model() {
    let server = ModelServer::replies(vec![text("never asked")]).await;
    let house = House::with_model(&server, 8192).await;
    let (_, log) = house.answer(&house.mind(), "Good evening, Jarvis!").await;
    assert!(spoken(&log).starts_with("Good evening. "), "{log:#?}");
    assert!(!spoken(&log).contains("connect a model"), "{log:#?}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_rule_that_fits_answers_even_with_a_model() {
    let server = ModelServer::replies(vec![text("never asked")]).await;
    let house = House::with_model(&server, 8192).await;
    let (_, log) = house.answer(&house.mind(), "list the lamps").await;
    assert!(matches!(&log[0], Entry::Routed { route, .. } if route == "rule"));
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_call_runs_and_its_outcome_returns_to_the_model() {
    let server = ModelServer::replies(vec![
        calls(&[("lamp_list", json!({})), ("lamp_restart", json!({ "name": "hall" }))]),
        text("The hall is lit."),
    ])
    .await;
    let house = House::with_model(&server, 8192).await;
    let (turn, log) = house.answer(&house.mind(), QUESTION).await;
    assert_eq!(turn.state, TurnState::Done);
    assert_eq!(spoken(&log), "The hall is lit.");
    assert_eq!(house.lamps.count("restart hall"), 1);
    let second = &server.seen()[1];
    let outputs = second.said("tool");
    assert_eq!(outputs.len(), 2);
    assert!(outputs[0].contains("\"attic\"") && outputs[0].starts_with("<output tool=\"lamp_list\""), "{outputs:?}");
    let messages = second.body["messages"].as_array().unwrap();
    let asked = &messages[messages.len() - 3]["tool_calls"];
    assert_eq!(asked[1]["function"]["arguments"], json!("{\"name\":\"hall\"}"));
    assert_eq!(messages[messages.len() - 1]["tool_call_id"], asked[1]["id"]);
}

#[tokio::test]
async fn bad_calls_come_back_as_errors_that_help() {
    let server = ModelServer::replies(vec![
        calls(&[
            ("lamp_restrat", json!({ "name": "hall" })),
            ("lamp_restart", json!("{\"name\": ")),
            ("lamp_restart", json!({ "name": "hall", "colour": "red" })),
            ("lamp_restart", json!({ "name": "garage" })),
        ]),
        text("I see."),
    ])
    .await;
    let house = House::with_model(&server, 16_384).await;
    let (_, log) = house.answer(&house.mind(), QUESTION).await;
    let outputs = server.seen()[1].said("tool");
    assert!(outputs[0].contains("did you mean lamp_restart"), "{outputs:?}");
    assert!(outputs[1].contains("not one valid JSON object"), "{outputs:?}");
    assert!(outputs[2].contains("not made") || outputs[2].contains("colour"), "{outputs:?}");
    assert!(outputs.iter().all(|output| output.contains("state=\"refused\"")), "{outputs:?}");
    assert!(house.lamps.runs().iter().all(|run| run == "list"));
    assert_eq!(spoken(&log), "I see.");
}

#[tokio::test]
async fn approval_is_waited_for_and_a_denial_with_its_word_reaches_the_model() {
    let server =
        ModelServer::replies(vec![calls(&[("lamp_remove", json!({ "name": "hall" }))]), text("As you wish.")]).await;
    let house = House::with_model(&server, 8192).await;
    let mind = house.mind();
    let turn = say(&mind, QUESTION).await;
    let card = house.card_of(&turn.id).await;
    house.deny(&card, "it is listed").await;
    let (_, log) = house.turns.ended(&turn.id).await;
    assert_eq!(spoken(&log), "As you wish.");
    let outputs = server.seen()[1].said("tool");
    assert!(outputs[0].contains("it is listed"), "{outputs:?}");
    assert_eq!(house.lamps.count("remove hall"), 0);
}

#[tokio::test]
async fn a_waiting_approval_survives_a_new_mind() {
    let server =
        ModelServer::replies(vec![calls(&[("lamp_remove", json!({ "name": "hall" }))]), text("It is gone.")]).await;
    let house = House::with_model(&server, 8192).await;
    let mind = house.mind();
    let turn = say(&mind, QUESTION).await;
    let card = house.card_of(&turn.id).await;
    drop(mind);
    house.approve(&card).await;
    let card = house.gate.wait(&card, Duration::from_secs(10)).await.unwrap();
    assert!(card.state.is_final(), "approving executes although nobody waits");
    let mind = house.mind();
    assert_eq!(mind.resume().await.unwrap(), 1);
    let (turn, log) = house.turns.ended(&turn.id).await;
    assert_eq!((turn.state, spoken(&log).as_str()), (TurnState::Done, "It is gone."));
    assert_eq!(house.lamps.count("remove hall"), 1);
}

#[tokio::test]
async fn after_twelve_steps_it_stops_and_says_so() {
    let server =
        ModelServer::start(|_, number| calls(&[("lamp_restart", json!({ "name": format!("lamp{number}") }))])).await;
    let house = House::with_model(&server, 32_768).await;
    let (turn, log) = house.answer(&house.mind(), QUESTION).await;
    assert_eq!(turn.state, TurnState::Failed);
    assert_eq!(server.seen().len(), 12);
    assert!(spoken(&log).contains("after 12 steps"), "{log:#?}");
}

#[tokio::test]
async fn the_same_call_three_times_stops_the_turn() {
    let server = ModelServer::replies(vec![calls(&[("lamp_list", json!({}))])]).await;
    let house = House::with_model(&server, 8192).await;
    let (turn, log) = house.answer(&house.mind(), QUESTION).await;
    assert_eq!(turn.state, TurnState::Failed);
    assert!(spoken(&log).contains("in circles"), "{log:#?}");
    let called = log.iter().filter(|entry| matches!(entry, Entry::Called { .. })).count();
    assert_eq!(called, 2);
}

#[tokio::test]
async fn after_a_call_that_failed_the_rest_of_the_step_is_not_made() {
    let server = ModelServer::replies(vec![
        calls(&[("lamp_restart", json!({ "name": "cellar" })), ("lamp_restart", json!({ "name": "hall" }))]),
        text("The cellar is flooded."),
    ])
    .await;
    let house = House::with_model(&server, 8192).await;
    let (_, log) = house.answer(&house.mind(), QUESTION).await;
    assert_eq!(house.lamps.count("restart hall"), 0);
    let refused = log.iter().any(|entry| {
        matches!(entry, Entry::Answered { index: 1, answer: CallEnd::Refused { refusal } } if refusal.code == Code::Unavailable)
    });
    assert!(refused, "{log:#?}");
}

#[tokio::test]
async fn a_stream_cut_at_every_byte_never_runs_a_half_call_and_ends_honestly() {
    let pieces: Vec<Vec<u8>> = [
        vec![delta(json!({ "content": "Very well, " })), delta(json!({ "content": "at once – 東." }))],
        call_pieces(&[("lamp_restart", json!({ "name": "hall" }))]),
        finish("tool_calls"),
    ]
    .concat();
    let bytes = pieces.concat();
    let told = b"\"finish_reason\":\"tool_calls\"";
    // From here on the server has said that the answer is whole.
    let whole = bytes.windows(told.len()).position(|window| window == told).unwrap() + told.len();
    let script = bytes.clone();
    let server = ModelServer::start(move |seen, _| {
        // The question says where its answer is cut.
        let at: usize = seen.said("user")[0].rsplit(' ').next().unwrap().parse().unwrap();
        let head = vec![script[..at].to_vec()];
        match (seen.said("tool").is_empty(), at % 2) {
            (true, 0) => Reply::Torn(head),
            (true, _) => Reply::Stream(head),
            (false, _) => text("Done."),
        }
    })
    .await;
    let house = House::with_model(&server, 8192).await;
    let mind = house.mind();
    let places: Vec<usize> = (0..bytes.len()).collect();
    // Where calls may run, one by one and far enough apart not to count as the same call again and again.
    let (half, rest) = places.split_at(whole);
    for some in half.chunks(16).chain(rest.chunks(1)) {
        house.pass(Duration::from_secs(3600));
        let before = house.lamps.count("restart hall");
        let (house, mind) = (&house, &mind);
        let answers = some.iter().map(|&at| async move {
            let question = format!("{QUESTION} {at}");
            (at, house.answer(mind, &question).await)
        });
        let mut ran = 0;
        for (at, (turn, log)) in futures_util::future::join_all(answers).await {
            let called = log.iter().any(|entry| matches!(entry, Entry::Called { .. }));
            if at < whole {
                assert_eq!((called, turn.state), (false, TurnState::Failed), "cut at {at}: {log:#?}");
                let honest = ["broke off", "silent", "connection closed"];
                assert!(honest.iter().any(|word| spoken(&log).contains(word)), "cut at {at}: {log:#?}");
            } else {
                let done = [(true, TurnState::Done), (false, TurnState::Failed)].contains(&(called, turn.state));
                assert!(done, "cut at {at}: {log:#?}");
            }
            ran += usize::from(called);
        }
        assert_eq!(house.lamps.count("restart hall") - before, ran, "cut within {some:?}");
    }
}

#[tokio::test]
async fn words_that_broke_off_are_kept_as_cut_and_asked_for_again() {
    let server = ModelServer::replies(vec![
        Reply::Torn(vec![delta(json!({ "content": "The lights are" }))]),
        text("The lights are lit."),
    ])
    .await;
    let house = House::with_model(&server, 8192).await;
    let (turn, log) = house.answer(&house.mind(), QUESTION).await;
    assert_eq!((turn.state, spoken(&log).as_str()), (TurnState::Done, "The lights are lit."));
    assert!(log.contains(&Entry::Cut { text: "The lights are".to_owned() }), "{log:#?}");
    assert_eq!(server.seen()[1].said("assistant"), Vec::<String>::new(), "the cut words are not sent back");
}

#[tokio::test]
async fn what_is_being_said_is_kept_each_second_and_is_cut_after_a_crash() {
    let server = ModelServer::start(|_, number| {
        if number == 0 {
            Reply::Stalled(vec![delta(json!({ "content": "Once upon" }))])
        } else {
            text("Once upon a time.")
        }
    })
    .await;
    let mut house = House::with_model(&server, 8192).await;
    house.idle = Duration::from_secs(30);
    let mind = house.mind();
    let turn = say(&mind, QUESTION).await;
    let partial = Entry::Partial { text: "Once upon".to_owned() };
    house.turns.wait_for(&turn.id, |_, log| log.last() == Some(&partial)).await;
    drop(mind);
    let mind = house.mind();
    mind.resume().await.unwrap();
    let (_, log) = house.turns.ended(&turn.id).await;
    assert!(!log.contains(&partial) && log.contains(&Entry::Cut { text: "Once upon".to_owned() }), "{log:#?}");
    assert_eq!(spoken(&log), "Once upon a time.");
}

#[tokio::test]
async fn stopping_a_streamed_answer_ends_it_within_a_moment() {
    let server = ModelServer::replies(vec![Reply::Stalled(vec![delta(json!({ "content": "Let me" }))])]).await;
    let mut house = House::with_model(&server, 8192).await;
    house.idle = Duration::from_secs(30);
    let mind = house.mind();
    let mut frames = jarvis_safety::port::Live::subscribe(&*house.live);
    let turn = say(&mind, QUESTION).await;
    while frames.recv().await.unwrap().kind != "text" {}
    let begun = tokio::time::Instant::now();
    let stopped = mind.stop(&Actor::operator(), &turn.id).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(stopped.state, TurnState::Stopped);
    let (_, log) = house.turns.get(&turn.id).await;
    assert!(log.contains(&Entry::Cut { text: "Let me".to_owned() }), "{log:#?}");
}

#[tokio::test]
async fn a_fault_after_the_first_words_ends_the_turn_with_the_servers_reason() {
    let fault = sse(&json!({ "error": { "message": "the GPU is on fire" } }));
    let server = ModelServer::replies(vec![Reply::Stream(vec![delta(json!({ "content": "I" })), fault])]).await;
    let house = House::with_model(&server, 8192).await;
    let (turn, log) = house.answer(&house.mind(), QUESTION).await;
    assert_eq!(turn.state, TurnState::Failed);
    assert!(spoken(&log).contains("the GPU is on fire"), "{log:#?}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn what_was_said_before_is_sent_along_its_branch() {
    let server = ModelServer::replies(vec![text("First answer."), text("Second answer.")]).await;
    let house = House::with_model(&server, 8192).await;
    let mind = house.mind();
    let (first, _) = house.answer(&mind, QUESTION).await;
    let next = jarvis_agents::After::Newest;
    let second = crate::support::say_after(&mind, "vlorp, and then?", Some(&first), next).await.unwrap();
    house.turns.ended(&second.id).await;
    let seen = &server.seen()[1];
    assert_eq!(seen.said("user"), [QUESTION, "vlorp, and then?"]);
    assert_eq!(seen.said("assistant"), ["First answer."]);
}

#[tokio::test]
async fn a_plan_by_the_model_runs_nothing() {
    let server = ModelServer::replies(vec![calls(&[("lamp_remove", json!({ "name": "hall" }))])]).await;
    let house = House::with_model(&server, 8192).await;
    let plan = house.mind().plan(&Actor::operator(), crate::support::origin(), QUESTION).await.unwrap();
    assert_eq!(plan.calls.len(), 1);
    assert_eq!((plan.calls[0].tool.as_str(), plan.calls[0].tier.as_str()), ("lamp_remove", "red"));
    assert!(house.cards().await.is_empty());
    assert_eq!(house.lamps.count("remove hall"), 0);
}
