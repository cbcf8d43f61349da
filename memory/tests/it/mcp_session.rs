//! Sessions of MCP clients, which outlive the process.

use jarvis_memory::{McpSession, McpSessions};
use jarvis_safety::ActorId;

use crate::world::World;

fn session(id: &str, actor: &str) -> McpSession {
    McpSession {
        id: id.to_owned(),
        actor: ActorId::new(actor),
        path: "/mcp".to_owned(),
        opening: r#"{"clientInfo":{}}"#.to_owned(),
    }
}

#[tokio::test]
async fn a_session_is_found_until_it_is_ended_or_newer_ones_take_its_place() {
    let world = World::new().await;
    let sessions = McpSessions::new(&world.store);
    assert_eq!(sessions.find("a").await.unwrap(), None);
    sessions.keep(session("a", "token:ide"), 2).await.unwrap();
    assert_eq!(sessions.find("a").await.unwrap(), Some(session("a", "token:ide")));
    // Nobody takes over an id that is there.
    sessions.keep(session("a", "token:thief"), 2).await.unwrap();
    assert_eq!(sessions.find("a").await.unwrap(), Some(session("a", "token:ide")));
    sessions.keep(session("b", "token:ide"), 2).await.unwrap();
    sessions.keep(session("other", "token:bot"), 2).await.unwrap();
    sessions.keep(session("c", "token:ide"), 2).await.unwrap();
    assert_eq!(sessions.find("a").await.unwrap(), None, "the oldest has made room");
    assert!(sessions.find("other").await.unwrap().is_some(), "only its owner's count");
    sessions.end("b").await.unwrap();
    assert_eq!(sessions.find("b").await.unwrap(), None);
}
