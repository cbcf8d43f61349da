//! What happens between Jarvis and a model server that is not at its best, and what never leaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jarvis_safety::conversation::{Entry, TurnState};
use jarvis_safety::setting::ModelSetting;
use serde_json::{Value, json};

use crate::support::model::{calls, delta, finish, text};
use crate::support::{House, KEY, ModelServer, Reply, spoken};

const QUESTION: &str = "qwzx, pray tell me about the lights";

fn status(code: u16, headers: &[(&'static str, &str)], body: &str) -> Reply {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Reply::Status(code, headers, body.to_owned())
}

#[tokio::test]
async fn an_overrun_server_is_asked_again() {
    let server = ModelServer::replies(vec![
        status(429, &[("retry-after", "0")], "{\"error\":{\"message\":\"slow down\"}}"),
        status(503, &[], "loading the model"),
        text("Here I am."),
    ])
    .await;
    let house = House::with_model(&server, 8192).await;
    let (turn, log) = house.answer(&house.mind(), QUESTION).await;
    assert_eq!((turn.state, spoken(&log).as_str()), (TurnState::Done, "Here I am."));
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_broken_server_is_asked_three_times_and_named() {
    let server = ModelServer::replies(vec![status(500, &[], "{\"error\":{\"message\":\"kaput\"}}")]).await;
    let house = House::with_model(&server, 8192).await;
    let (turn, log) = house.answer(&house.mind(), QUESTION).await;
    assert_eq!(turn.state, TurnState::Failed);
    assert_eq!(server.seen().len(), 3);
    assert!(spoken(&log).contains("kaput"), "{log:#?}");
}

#[tokio::test]
async fn a_server_that_asks_for_an_hour_is_not_waited_for() {
    let server = ModelServer::replies(vec![status(429, &[("retry-after", "3600")], "")]).await;
    let house = House::with_model(&server, 8192).await;
    let (turn, log) = house.answer(&house.mind(), QUESTION).await;
    assert_eq!(turn.state, TurnState::Failed);
    assert_eq!(server.seen().len(), 1);
    assert!(spoken(&log).contains("3600 s"), "{log:#?}");
}

#[tokio::test]
async fn a_refusal_is_not_repeated() {
    let server = ModelServer::replies(vec![status(
        400,
        &[],
        "{\"error\":{\"type\":\"exceed_context_size_error\",\"message\":\"the request exceeds the context size\"}}",
    )])
    .await;
    let house = House::with_model(&server, 8192).await;
    let (turn, log) = house.answer(&house.mind(), QUESTION).await;
    assert_eq!((turn.state, server.seen().len()), (TurnState::Failed, 1));
    assert!(spoken(&log).contains("exceeds the context size"), "{log:#?}");
}

#[tokio::test]
async fn a_server_that_falls_silent_is_left() {
    let server = ModelServer::replies(vec![Reply::Stalled(vec![delta(json!({ "content": "Well" }))])]).await;
    let house = House::with_model(&server, 8192).await;
    let (turn, log) = house.answer(&house.mind(), QUESTION).await;
    assert_eq!(turn.state, TurnState::Failed);
    assert_eq!(log.iter().filter(|entry| matches!(entry, Entry::Cut { .. })).count(), 3);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_to_be_not_there() {
    let house = House::new().await;
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    house.set_model(Some(ModelSetting {
        url: format!("http://{gone}/v1"),
        name: String::new(),
        key: None,
        context: 8192,
        cloud_accepted: false,
    }));
    let (turn, log) = house.answer(&house.mind(), QUESTION).await;
    assert_eq!(turn.state, TurnState::Failed);
    assert!(spoken(&log).contains("cannot be reached"), "{log:#?}");
}

#[tokio::test]
async fn without_a_name_the_first_listed_model_is_asked() {
    let server = ModelServer::replies(vec![text("Yes.")]).await;
    let house = House::new().await;
    house.set_model(Some(ModelSetting {
        url: format!("{}/", server.url),
        name: String::new(),
        key: None,
        context: 8192,
        cloud_accepted: false,
    }));
    let (_, log) = house.answer(&house.mind(), QUESTION).await;
    assert!(matches!(&log[0], Entry::Routed { model: Some(name), .. } if name == "first-model"), "{log:#?}");
    assert_eq!(server.seen()[0].body["model"], "first-model");
    assert_eq!(server.seen()[0].authorization, None);
}

#[tokio::test]
async fn a_cloud_that_was_not_accepted_gets_nothing() {
    let house = House::new().await;
    let cloud = |accepted| ModelSetting {
        url: "https://api.example.com/v1".to_owned(),
        name: "m".to_owned(),
        key: Some("env:NOT_SET".to_owned()),
        context: 8192,
        cloud_accepted: accepted,
    };
    house.set_model(Some(cloud(false)));
    let (turn, log) = house.answer(&house.mind(), QUESTION).await;
    assert_eq!(turn.state, TurnState::Failed);
    let said = spoken(&log);
    assert!(said.contains("outside this house") && said.contains("Nothing was sent"), "{said}");
    house.set_model(Some(cloud(true)));
    let (_, log) = house.answer(&house.mind(), QUESTION).await;
    assert!(spoken(&log).contains("env:NOT_SET is not set"), "{log:#?}");
}

#[tokio::test]
async fn the_key_reaches_the_server_and_nothing_else() {
    let logs = crate::support::captured_logs();
    let echo = format!("{{\"error\":{{\"message\":\"bad key {KEY}\"}}}}");
    let fault = format!("data: {{\"error\":\"who is {KEY}?\"}}\n\n").into_bytes();
    let server = ModelServer::replies(vec![
        calls(&[("lamp_list", json!({}))]),
        status(503, &[("retry-after", "0")], &echo),
        Reply::Stream(vec![delta(json!({ "content": "Hm" })), fault]),
        status(401, &[], &echo),
    ])
    .await;
    let house = House::with_model(&server, 8192).await;
    let mind = house.mind();
    let (_, first) = house.answer(&mind, QUESTION).await;
    let (_, second) = house.answer(&mind, QUESTION).await;
    assert!(spoken(&first).contains("who is [secret env:MODEL_KEY]?"), "{first:#?}");
    assert!(spoken(&second).contains("does not accept the key"), "{second:#?}");
    assert_eq!(server.seen()[0].authorization.as_deref(), Some(format!("Bearer {KEY}").as_str()));
    let everything = format!("{}{:?}", house.kept(), house.live.all());
    assert!(everything.contains("who is [secret env:MODEL_KEY]?") && !everything.contains(KEY));
    let logs = logs.text();
    assert!(logs.contains("asking again"), "the log was captured: {logs}");
    assert!(!logs.contains(KEY));
}

/// An answer in words and one call, both with the key in them, which is split at this byte.
fn indiscreet(at: usize) -> Reply {
    let (head, tail) = KEY.split_at(at);
    let words = |words: String| delta(json!({ "content": words }));
    let call = |function: Value| delta(json!({ "tool_calls": [{ "index": 0, "id": KEY, "function": function }] }));
    let mut pieces = vec![
        words(format!("It is {head}")),
        call(json!({ "name": "lamp_restart", "arguments": format!("{{\"name\":\"{head}") })),
        words(format!("{tail}.")),
        call(json!({ "arguments": format!("{tail}\"}}") })),
    ];
    pieces.extend(finish("tool_calls"));
    Reply::Stream(pieces)
}

#[tokio::test]
async fn a_key_that_is_streamed_back_is_struck_out_wherever_it_is_split_or_breaks_off() {
    let logs = crate::support::captured_logs();
    let split = Arc::new(AtomicUsize::new(0));
    let served = Arc::clone(&split);
    let server = ModelServer::start(move |seen, number| {
        let at = served.load(Ordering::SeqCst);
        match (seen.said("tool").len(), number % 3) {
            (0, 0) => Reply::Torn(vec![delta(json!({ "content": format!("It is {}", &KEY[..at]) }))]),
            (0, _) => indiscreet(at),
            _ => text("Done."),
        }
    })
    .await;
    let house = House::with_model(&server, 8192).await;
    let mind = house.mind();
    for at in 0..=KEY.len() {
        split.store(at, Ordering::SeqCst);
        let (turn, log) = house.answer(&mind, QUESTION).await;
        assert_eq!(
            (turn.state, spoken(&log).as_str()),
            (TurnState::Done, "It is [secret env:MODEL_KEY].\nDone."),
            "split at {at}"
        );
        let half = &KEY[..KEY.len() / 2 + 1];
        let cut = log.iter().find_map(|entry| if let Entry::Cut { text } = entry { Some(text) } else { None });
        assert!(cut.unwrap().starts_with("It is ") && !cut.unwrap().contains(half), "split at {at}: {cut:?}");
        let told = format!("{log:?}");
        assert!(told.contains("{\\\"name\\\":\\\"[secret env:MODEL_KEY]\\\"}"), "split at {at}: {told}");
        let frames = house.live.all().into_iter().filter(|frame| frame.subject == format!("turn:{}", turn.id));
        let shown: String = frames.filter_map(|frame| frame.data["text"].as_str().map(str::to_owned)).collect();
        assert!(shown.contains("It is [secret env:MODEL_KEY].") && !shown.contains(half), "split at {at}: {shown}");
    }
    let sent: Vec<_> = server.seen().into_iter().map(|seen| seen.body.to_string()).collect();
    for everything in [house.kept(), sent.concat()] {
        assert!(everything.contains("[secret env:MODEL_KEY]") && !everything.contains(KEY));
    }
    assert!(!logs.text().is_empty() && !logs.text().contains(KEY));
}

#[tokio::test]
async fn time_spent_waiting_for_a_person_is_not_counted() {
    let house = House::new().await;
    let mind = house.mind();
    let turn = crate::support::say(&mind, "remove the lamp hall").await;
    let card = house.card_of(&turn.id).await;
    house.pass(Duration::from_secs(60));
    house.approve(&card).await;
    let (_, log) = house.turns.ended(&turn.id).await;
    assert!(matches!(log.last(), Some(Entry::Ended { millis: 0, .. })), "{:?}", log.last());
}
