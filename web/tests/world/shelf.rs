//! Conversations and settings.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jarvis_safety::conversation::{Conversation, Entry, Turn, TurnState};
use jarvis_safety::event::Draft;
use jarvis_safety::port::{Conversations, SettingStore, StoreError, Stored};
use jarvis_safety::setting::Settings;
use jarvis_safety::{ActorId, ConversationId, TurnId};

use super::journal::Journal;

pub struct Shelf {
    pub journal: Arc<Journal>,
    conversations: Mutex<Vec<Conversation>>,
    turns: Mutex<Vec<(Turn, Vec<Entry>)>>,
    settings: Mutex<Settings>,
}

impl Shelf {
    pub fn new(journal: Arc<Journal>) -> Arc<Self> {
        Arc::new(Self { journal, conversations: Mutex::default(), turns: Mutex::default(), settings: Mutex::default() })
    }
}

#[async_trait]
impl SettingStore for Shelf {
    async fn settings(&self) -> Stored<Settings> {
        Ok(self.settings.lock().unwrap().clone())
    }

    async fn save(&self, settings: &Settings, draft: Draft) -> Stored<()> {
        *self.settings.lock().unwrap() = settings.clone();
        self.journal.write(draft);
        Ok(())
    }
}

#[async_trait]
impl Conversations for Shelf {
    async fn begin(&self, conversation: &Conversation) -> Stored<()> {
        self.conversations.lock().unwrap().push(conversation.clone());
        Ok(())
    }

    async fn conversation(&self, id: &ConversationId) -> Stored<Option<Conversation>> {
        Ok(self.conversations.lock().unwrap().iter().find(|known| known.id == *id).cloned())
    }

    async fn conversations(&self, owner: Option<&ActorId>, search: &str, _: u32) -> Stored<Vec<Conversation>> {
        let known = self.conversations.lock().unwrap();
        let wanted =
            |known: &&Conversation| owner.is_none_or(|owner| known.owner == *owner) && known.title.contains(search);
        Ok(known.iter().filter(wanted).cloned().collect())
    }

    async fn rename(&self, id: &ConversationId, title: &str, draft: Draft) -> Stored<()> {
        for known in self.conversations.lock().unwrap().iter_mut().filter(|known| known.id == *id) {
            title.clone_into(&mut known.title);
        }
        self.journal.write(draft);
        Ok(())
    }

    async fn delete(&self, id: &ConversationId, draft: Draft) -> Stored<()> {
        self.conversations.lock().unwrap().retain(|known| known.id != *id);
        self.turns.lock().unwrap().retain(|(turn, _)| turn.conversation != *id);
        self.journal.write(draft);
        Ok(())
    }

    async fn add_turn(&self, turn: &Turn, draft: Draft) -> Stored<()> {
        self.turns.lock().unwrap().push((turn.clone(), Vec::new()));
        self.journal.write(draft);
        Ok(())
    }

    async fn turn(&self, id: &TurnId) -> Stored<Option<(Turn, Vec<Entry>)>> {
        Ok(self.turns.lock().unwrap().iter().find(|(turn, _)| turn.id == *id).cloned())
    }

    async fn turns(&self, id: &ConversationId) -> Stored<Vec<(Turn, Vec<Entry>)>> {
        let turns = self.turns.lock().unwrap();
        Ok(turns.iter().filter(|(turn, _)| turn.conversation == *id).cloned().collect())
    }

    async fn step(&self, id: &TurnId, entries: &[Entry], state: TurnState, draft: Option<Draft>) -> Stored<()> {
        let mut turns = self.turns.lock().unwrap();
        let (turn, log) = turns.iter_mut().find(|(turn, _)| turn.id == *id).unwrap();
        if !matches!(turn.state, TurnState::Running | TurnState::Waiting) {
            return Err(StoreError::Conflict("the turn has ended".to_owned()));
        }
        turn.state = state;
        log.retain(|entry| !matches!(entry, Entry::Partial { .. }));
        log.extend_from_slice(entries);
        if let Some(draft) = draft {
            self.journal.write(draft);
        }
        Ok(())
    }

    async fn open_turns(&self) -> Stored<Vec<Turn>> {
        Ok(Vec::new())
    }
}
