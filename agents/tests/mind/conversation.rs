//! Conversations: trees that belong to somebody.

use jarvis_agents::{After, Said};
use jarvis_safety::Actor;
use jarvis_safety::conversation::TurnState;
use jarvis_safety::refusal::Code;
use serde_json::json;

use crate::support::model::{calls, text};
use crate::support::{House, ModelServer, origin, say, say_after};

#[tokio::test]
async fn a_conversation_is_seen_by_its_owner_and_the_operator_only() {
    let house = House::new().await;
    let mind = house.mind();
    let said = Said { text: "list the lamps".to_owned(), ..Said::default() };
    let turn = mind.say(&Actor::local(), origin(), said).await.unwrap();
    house.turns.ended(&turn.id).await;
    let stranger = Actor::mcp_stdio();
    assert_eq!(mind.turn(&stranger, &turn.id).await.unwrap_err().code, Code::NotFound);
    assert_eq!(mind.conversation(&stranger, &turn.conversation).await.unwrap_err().code, Code::NotFound);
    assert_eq!(mind.stop(&stranger, &turn.id).await.unwrap_err().code, Code::NotFound);
    assert_eq!(mind.retry(&stranger, origin(), &turn.id, None).await.unwrap_err().code, Code::NotFound);
    assert_eq!(mind.rename(&stranger, &turn.conversation, "x").await.unwrap_err().code, Code::NotFound);
    assert_eq!(mind.delete(&stranger, &turn.conversation).await.unwrap_err().code, Code::NotFound);
    let into = Said { text: "hello".to_owned(), conversation: Some(turn.conversation.clone()), ..Said::default() };
    assert_eq!(mind.say(&stranger, origin(), into).await.unwrap_err().code, Code::NotFound);
    assert!(mind.conversations(&stranger, "", 10).await.unwrap().is_empty());
    assert!(mind.turn(&Actor::operator(), &turn.id).await.is_ok());
    assert_eq!(mind.conversations(&Actor::operator(), "lamps", 10).await.unwrap().len(), 1);
    assert_eq!(mind.conversations(&Actor::local(), "lamps", 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_conversation_is_a_tree() {
    let house = House::new().await;
    let mind = house.mind();
    let first = say(&mind, "list the lamps").await;
    house.turns.ended(&first.id).await;
    let second = say_after(&mind, "restart the lamp hall", Some(&first), After::Newest).await.unwrap();
    house.turns.ended(&second.id).await;
    assert_eq!(second.parent, Some(first.id.clone()));
    let branch = say_after(&mind, "list the lamps", Some(&first), After::Turn(first.id.clone())).await.unwrap();
    assert_eq!(branch.parent, Some(first.id.clone()));
    let root = say_after(&mind, "list the lamps", Some(&first), After::Root).await.unwrap();
    assert_eq!(root.parent, None);
    let again = mind.retry(&Actor::operator(), origin(), &second.id, None).await.unwrap();
    assert_eq!((again.parent, again.asked.as_str()), (Some(first.id.clone()), "restart the lamp hall"));
    house.turns.ended(&again.id).await;
    assert_eq!(house.lamps.count("restart hall"), 2, "asking again is a new call");
    let elsewhere = say(&mind, "list the lamps").await;
    let wrong = say_after(&mind, "hello", Some(&first), After::Turn(elsewhere.id)).await.unwrap_err();
    assert_eq!(wrong.code, Code::NotFound);
}

#[tokio::test]
async fn renaming_and_erasing() {
    let house = House::new().await;
    let mind = house.mind();
    let turn = say(&mind, "remove the lamp hall").await;
    house.card_of(&turn.id).await;
    let operator = Actor::operator();
    let (conversation, _) = mind.conversation(&operator, &turn.conversation).await.unwrap();
    assert_eq!(conversation.title, "remove the lamp hall");
    assert!(mind.rename(&operator, &turn.conversation, " ").await.is_err());
    assert_eq!(mind.rename(&operator, &turn.conversation, " Lamps ").await.unwrap().title, "Lamps");
    mind.delete(&operator, &turn.conversation).await.unwrap();
    assert_eq!(mind.conversation(&operator, &turn.conversation).await.unwrap_err().code, Code::NotFound);
    assert!(house.cards().await.is_empty(), "a turn that waited was stopped first");
}

#[tokio::test]
async fn no_word_of_a_person_or_of_a_model_outlives_the_conversation() {
    let wild = calls(&[("vlorp_tool", json!({})), ("lamp_list", json!({}))]);
    let server = ModelServer::replies(vec![wild, text("Vlorp is well.")]).await;
    let house = House::with_model(&server, 8192).await;
    let mind = house.mind();
    let (turn, _) = house.answer(&mind, "qwzx, how is vlorp?").await;
    let operator = Actor::operator();
    mind.rename(&operator, &turn.conversation, "About vlorp").await.unwrap();
    let about = |id: &str| id == turn.id.as_str() || id == turn.conversation.as_str();
    let rows = house.events(None).await;
    let rows: Vec<_> = rows.into_iter().filter(|(row, _)| about(&row.subject)).collect();
    let summaries: Vec<_> = rows.iter().map(|(row, _)| row.summary.as_str()).collect();
    assert_eq!(summaries[0], "said 4 words (test)");
    assert!(summaries.contains(&"the model asks for a tool that does not exist, lamp_list; calls a tool that does not exist; calls lamp_list"), "{summaries:?}");
    assert_eq!(summaries.last(), Some(&"renamed"));
    assert!(summaries.iter().all(|told| !told.to_lowercase().contains("vlorp")), "{summaries:?}");
    let bodies: Vec<_> = rows.iter().filter_map(|(_, body)| body.as_ref()).map(ToString::to_string).collect();
    for words in ["qwzx, how is vlorp?", "Vlorp is well.", "About vlorp"] {
        assert!(bodies.iter().any(|body| body.contains(words)), "{words}: {bodies:?}");
    }
    mind.delete(&operator, &turn.conversation).await.unwrap();
    let rows = house.events(None).await;
    assert!(rows.iter().filter(|(row, _)| about(&row.subject)).all(|(_, body)| body.is_none()), "{rows:#?}");
}

#[tokio::test]
async fn settled_waits_until_there_is_something_to_see() {
    let house = House::new().await;
    let mind = house.mind();
    let turn = say(&mind, "remove the lamp hall").await;
    let long = std::time::Duration::from_secs(20);
    let (seen, _) = mind.settled(&Actor::operator(), &turn.id, long).await.unwrap();
    assert_eq!(seen.state, TurnState::Waiting);
}
