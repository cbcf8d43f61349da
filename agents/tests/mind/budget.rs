//! Everything that is sent fits into what the model can read.

use serde_json::json;

use crate::support::model::{calls, text};
use crate::support::{House, ModelServer, say_after, spoken};

/// Tokens of a request as the server will count them at most, and what it may write.
fn tokens(seen: &crate::support::model::Seen) -> u64 {
    let answer = seen.body["max_tokens"].as_u64().expect("a limit for the answer");
    (seen.bytes as u64 * 2).div_ceil(7) + answer
}

#[tokio::test]
async fn a_long_conversation_with_huge_outputs_fits_4096_tokens() {
    let server = ModelServer::start(|seen, _| match seen.said("tool").len() {
        0 => calls(&[("note_read", json!({}))]),
        1 => calls(&[("lamp_list", json!({})), ("lamp_watch", json!("{\"broken"))]),
        _ => text(&"A long and winding answer. ".repeat(40)),
    })
    .await;
    let house = House::with_model(&server, 4096).await;
    *house.lamps.note.lock().unwrap() = "line \"quoted\" \\ 東京 \n".repeat(3000);
    let mind = house.mind();
    let (first, _) = house.answer(&mind, "qwzx, begin with the visitor").await;
    for round in 0..6 {
        let words = format!("qwzx visitor, round {round}: {}", "tell me more about it all ".repeat(30));
        let next = jarvis_agents::After::Newest;
        let turn = say_after(&mind, &words, Some(&first), next).await.unwrap();
        house.turns.ended(&turn.id).await;
    }
    let seen = server.seen();
    assert_eq!(seen.len(), 21);
    for request in &seen {
        assert!(tokens(request) <= 4096, "{} tokens", tokens(request));
        assert!(!request.tools().is_empty());
        let tools = request.body["tools"].to_string();
        assert!(tools.len() * 2 / 7 <= 901 && request.said("system")[0].len() * 2 / 7 <= 600);
    }
    let last = seen.last().unwrap();
    assert!(last.said("system")[0].contains("left out"), "what was left out is said to be left out");
    assert!(last.said("tool").iter().any(|output| output.contains("[cut here:")), "{:?}", last.said("tool"));
}

#[tokio::test]
async fn a_message_that_cannot_fit_is_refused_in_words() {
    let server = ModelServer::replies(vec![text("never asked")]).await;
    let house = House::with_model(&server, 4096).await;
    let (_, log) = house.answer(&house.mind(), &"vlorp gnarf qwzx ".repeat(1100)).await;
    assert!(spoken(&log).contains("more than the model can read"), "{log:#?}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn the_tools_that_fit_the_words_are_offered_first() {
    let server = ModelServer::replies(vec![text("Yes.")]).await;
    let house = House::with_model(&server, 4096).await;
    house.answer(&house.mind(), "qwzx vlorp: could the visitor have left us some lines?").await;
    assert_eq!(server.seen()[0].tools()[0], "note_read");
}
