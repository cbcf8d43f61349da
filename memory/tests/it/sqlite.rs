//! What is so on SQLite alone: its files, and columns that hold what they were not declared for.

use jarvis_safety::event::EventKind;
use jarvis_safety::port::Conversations as _;

use crate::chain::found_after;
use crate::conversation::{SECRET, talkative};
use crate::world::{World, row};

#[tokio::test]
async fn what_was_erased_stands_in_no_file_any_more() {
    let world = World::new().await;
    let (conversation, _, _) = talkative(&world).await;
    let holding = || {
        let mut holding = Vec::new();
        for entry in std::fs::read_dir(&world.data).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file())
        {
            let bytes = std::fs::read(entry.path()).unwrap();
            if bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()) {
                holding.push(entry.file_name().into_string().unwrap());
            }
        }
        holding
    };
    assert_eq!(holding(), ["jarvis.db-wal"], "it has not been written back yet");
    world.store.delete(&conversation.id, row(EventKind::ConversationDeleted, conversation.id.as_str())).await.unwrap();
    assert_eq!(holding(), [""; 0]);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_a_fault_and_no_end() {
    let faults = found_after("update event set at = 'soon' where seq = 4").await;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].contains("row 4 was altered and cannot be read"), "{faults:?}");
}
