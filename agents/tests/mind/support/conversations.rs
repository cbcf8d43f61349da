//! The conversations port in memory, with a fuse: after so many writes the next one never returns, as if the process
//! had been killed there.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jarvis_safety::conversation::{Conversation, Entry, Turn, TurnState};
use jarvis_safety::event::Draft;
use jarvis_safety::port::{Conversations, StoreError, Stored};
use jarvis_safety::{ActorId, ConversationId, TurnId};
use tokio::sync::watch;

pub(crate) struct MemoryConversations {
    book: Mutex<Book>,
    /// Counts every change.
    changes: watch::Sender<u64>,
    blown: watch::Sender<bool>,
}

#[derive(Default)]
struct Book {
    conversations: Vec<Conversation>,
    turns: Vec<(Turn, Vec<Entry>)>,
    rows: Vec<Draft>,
    /// Writes of steps that are still let through; partial words do not count.
    fuse: Option<usize>,
    steps: usize,
}

impl Default for MemoryConversations {
    fn default() -> Self {
        Self { book: Mutex::default(), changes: watch::channel(0).0, blown: watch::channel(false).0 }
    }
}

impl MemoryConversations {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Lets so many steps through and then none; `None` takes the fuse out.
    pub(crate) fn set_fuse(&self, steps: Option<usize>) {
        self.book().fuse = steps;
        self.blown.send_replace(false);
    }

    /// Waits until a write was held back by the fuse, or the turn has come to rest before that.
    pub(crate) async fn blown_or_rested(&self, turn: &TurnId) {
        let mut blown = self.blown.subscribe();
        tokio::select! {
            _ = blown.wait_for(|blown| *blown) => {}
            _ = self.wait_for(turn, |turn, _| turn.state != TurnState::Running) => {}
        }
    }

    /// Like [`Self::blown_or_rested`], but a turn that waits is not at rest.
    pub(crate) async fn blown_or_ended(&self, turn: &TurnId) {
        let mut blown = self.blown.subscribe();
        tokio::select! {
            _ = blown.wait_for(|blown| *blown) => {}
            _ = self.ended(turn) => {}
        }
    }

    /// Steps that were kept so far.
    pub(crate) fn steps(&self) -> usize {
        self.book().steps
    }

    pub(crate) fn rows(&self) -> Vec<Draft> {
        self.book().rows.clone()
    }

    pub(crate) fn get(&self, id: &TurnId) -> (Turn, Vec<Entry>) {
        self.book().turns.iter().find(|(turn, _)| turn.id == *id).cloned().expect("the turn exists")
    }

    /// Everything that is kept, as text.
    pub(crate) fn dump(&self) -> String {
        let book = self.book();
        format!("{:?}{:?}{:?}", book.conversations, book.turns, book.rows)
    }

    /// Waits until the log of a turn looks like this.
    pub(crate) async fn wait_for(&self, id: &TurnId, looks: impl Fn(&Turn, &[Entry]) -> bool) -> (Turn, Vec<Entry>) {
        let mut changes = self.changes.subscribe();
        let found = tokio::time::timeout(Duration::from_secs(30), async {
            loop {
                changes.borrow_and_update();
                let (turn, log) = self.get(id);
                if looks(&turn, &log) {
                    return (turn, log);
                }
                changes.changed().await.expect("the store lives");
            }
        });
        found.await.unwrap_or_else(|_| panic!("the turn never got there: {:#?}", self.get(id)))
    }

    /// Waits until a turn has ended.
    pub(crate) async fn ended(&self, id: &TurnId) -> (Turn, Vec<Entry>) {
        self.wait_for(id, |turn, _| !matches!(turn.state, TurnState::Running | TurnState::Waiting)).await
    }
}

#[async_trait]
impl Conversations for MemoryConversations {
    async fn begin(&self, conversation: &Conversation) -> Stored<()> {
        self.book().conversations.push(conversation.clone());
        Ok(())
    }

    async fn conversation(&self, id: &ConversationId) -> Stored<Option<Conversation>> {
        Ok(self.book().conversations.iter().find(|known| known.id == *id).cloned())
    }

    async fn conversations(&self, owner: Option<&ActorId>, search: &str, limit: u32) -> Stored<Vec<Conversation>> {
        let book = self.book();
        let fits = |known: &&Conversation| {
            let said = |(turn, _): &(Turn, Vec<Entry>)| turn.conversation == known.id && turn.asked.contains(search);
            owner.is_none_or(|owner| *owner == known.owner)
                && (known.title.contains(search) || book.turns.iter().any(said))
        };
        Ok(book.conversations.iter().rev().filter(fits).take(limit as usize).cloned().collect())
    }

    async fn rename(&self, id: &ConversationId, title: &str, draft: Draft) -> Stored<()> {
        let mut book = self.book();
        let known = book.conversations.iter_mut().find(|known| known.id == *id);
        let Some(known) = known else { return Err(StoreError::NotFound(id.to_string())) };
        known.title = title.to_owned();
        book.rows.push(draft);
        Ok(())
    }

    async fn delete(&self, id: &ConversationId, draft: Draft) -> Stored<()> {
        let mut book = self.book();
        book.conversations.retain(|known| known.id != *id);
        book.turns.retain(|(turn, _)| turn.conversation != *id);
        book.rows.push(draft);
        Ok(())
    }

    async fn add_turn(&self, turn: &Turn, draft: Draft) -> Stored<()> {
        let mut book = self.book();
        book.turns.push((turn.clone(), Vec::new()));
        book.rows.push(draft);
        Ok(())
    }

    async fn turn(&self, id: &TurnId) -> Stored<Option<(Turn, Vec<Entry>)>> {
        Ok(self.book().turns.iter().find(|(turn, _)| turn.id == *id).cloned())
    }

    async fn turns(&self, id: &ConversationId) -> Stored<Vec<(Turn, Vec<Entry>)>> {
        Ok(self.book().turns.iter().filter(|(turn, _)| turn.conversation == *id).cloned().collect())
    }

    async fn step(&self, id: &TurnId, entries: &[Entry], state: TurnState, draft: Option<Draft>) -> Stored<()> {
        let held = draft.is_some() && self.book().fuse == Some(0);
        if held {
            self.blown.send_replace(true);
            return std::future::pending().await;
        }
        {
            let mut book = self.book();
            if draft.is_some() {
                book.steps += 1;
                book.fuse = book.fuse.map(|left| left - 1);
            }
            let Some((turn, log)) = book.turns.iter_mut().find(|(turn, _)| turn.id == *id) else {
                return Err(StoreError::NotFound(id.to_string()));
            };
            if !matches!(turn.state, TurnState::Running | TurnState::Waiting) {
                return Err(StoreError::Conflict("the turn has ended".to_owned()));
            }
            if matches!(log.last(), Some(Entry::Partial { .. })) {
                log.pop();
            }
            log.extend_from_slice(entries);
            turn.state = state;
            book.rows.extend(draft);
        }
        self.changed();
        Ok(())
    }

    async fn open_turns(&self) -> Stored<Vec<Turn>> {
        let book = self.book();
        let open = |turn: &&Turn| matches!(turn.state, TurnState::Running | TurnState::Waiting);
        Ok(book.turns.iter().map(|(turn, _)| turn).filter(open).cloned().collect())
    }
}
