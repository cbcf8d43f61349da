//! Conversations: trees that belong to somebody.

use jarvis_agents::{After, Said};
use jarvis_safety::Actor;
use jarvis_safety::conversation::TurnState;
use jarvis_safety::refusal::Code;

use crate::support::{House, origin, say, say_after};

#[tokio::test]
async fn a_conversation_is_seen_by_its_owner_and_the_operator_only() {
    let house = House::new();
    let mind = house.mind();
    let said = Said { text: "list the lamps".to_owned(), ..Said::default() };
    let turn = mind.say(&Actor::local(), origin(), said).await.unwrap();
    house.conversations.ended(&turn.id).await;
    let stranger = Actor::mcp_stdio();
    assert_eq!(mind.turn(&stranger, &turn.id).await.unwrap_err().code, Code::NotFound);
    assert_eq!(mind.conversation(&stranger, &turn.conversation).await.unwrap_err().code, Code::NotFound);
    assert_eq!(mind.stop(&stranger, &turn.id).await.unwrap_err().code, Code::NotFound);
    assert_eq!(mind.retry(&stranger, origin(), &turn.id).await.unwrap_err().code, Code::NotFound);
    assert_eq!(mind.rename(&stranger, &turn.conversation, "x").await.unwrap_err().code, Code::NotFound);
    assert_eq!(mind.delete(&stranger, &turn.conversation).await.unwrap_err().code, Code::NotFound);
    let into = Said { text: "hello".to_owned(), conversation: Some(turn.conversation.clone()), after: After::Newest };
    assert_eq!(mind.say(&stranger, origin(), into).await.unwrap_err().code, Code::NotFound);
    assert!(mind.conversations(&stranger, "", 10).await.unwrap().is_empty());
    assert!(mind.turn(&Actor::operator(), &turn.id).await.is_ok());
    assert_eq!(mind.conversations(&Actor::operator(), "lamps", 10).await.unwrap().len(), 1);
    assert_eq!(mind.conversations(&Actor::local(), "lamps", 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_conversation_is_a_tree() {
    let house = House::new();
    let mind = house.mind();
    let first = say(&mind, "list the lamps").await;
    house.conversations.ended(&first.id).await;
    let second = say_after(&mind, "restart the lamp hall", Some(&first), After::Newest).await.unwrap();
    house.conversations.ended(&second.id).await;
    assert_eq!(second.parent, Some(first.id.clone()));
    let branch = say_after(&mind, "list the lamps", Some(&first), After::Turn(first.id.clone())).await.unwrap();
    assert_eq!(branch.parent, Some(first.id.clone()));
    let root = say_after(&mind, "list the lamps", Some(&first), After::Root).await.unwrap();
    assert_eq!(root.parent, None);
    let again = mind.retry(&Actor::operator(), origin(), &second.id).await.unwrap();
    assert_eq!((again.parent, again.asked.as_str()), (Some(first.id.clone()), "restart the lamp hall"));
    house.conversations.ended(&again.id).await;
    assert_eq!(house.lamps.count("restart hall"), 2, "asking again is a new call");
    let elsewhere = say(&mind, "list the lamps").await;
    let wrong = say_after(&mind, "hello", Some(&first), After::Turn(elsewhere.id)).await.unwrap_err();
    assert_eq!(wrong.code, Code::NotFound);
}

#[tokio::test]
async fn renaming_and_erasing() {
    let house = House::new();
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
async fn settled_waits_until_there_is_something_to_see() {
    let house = House::new();
    let mind = house.mind();
    let turn = say(&mind, "remove the lamp hall").await;
    let long = std::time::Duration::from_secs(20);
    let (seen, _) = mind.settled(&Actor::operator(), &turn.id, long).await.unwrap();
    assert_eq!(seen.state, TurnState::Waiting);
}
