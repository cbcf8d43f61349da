//! The real store's conversations, with a fuse: after so many steps the next one never returns, as if the process had
//! been killed there. What becomes of a turn is seen in the store's stream of events, and looked at only once the mind
//! itself knows that it is kept.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jarvis_memory::Store;
use jarvis_safety::conversation::{Conversation, Entry, Turn, TurnState, Uttered};
use jarvis_safety::event::Draft;
use jarvis_safety::port::{Conversations, Feed as _, Stored};
use jarvis_safety::{ActorId, ConversationId, TurnId};
use tokio::sync::{RwLock, watch};

pub(crate) struct Turns {
    store: Store,
    /// Read while something is being kept: what is committed is not looked at before the mind was told, which then goes
    /// on up to where it waits next, because tests run on one thread.
    keeping: RwLock<()>,
    fuse: Mutex<Fuse>,
    blown: watch::Sender<bool>,
    /// Counts the words that were kept while they were being said: no event tells of them.
    partials: watch::Sender<usize>,
}

#[derive(Default)]
struct Fuse {
    /// Steps that are still let through; partial words do not count.
    left: Option<usize>,
    passed: usize,
}

impl Turns {
    pub(crate) fn new(store: Store) -> Self {
        let (blown, partials) = (watch::channel(false).0, watch::channel(0).0);
        Self { store, keeping: RwLock::default(), fuse: Mutex::default(), blown, partials }
    }

    fn fuse(&self) -> MutexGuard<'_, Fuse> {
        self.fuse.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets so many steps through and then none; `None` takes the fuse out.
    pub(crate) fn set_fuse(&self, steps: Option<usize>) {
        self.fuse().left = steps;
        self.blown.send_replace(false);
    }

    /// Waits until a step was held back by the fuse, or the turn has come to rest before that.
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
        self.fuse().passed
    }

    pub(crate) async fn get(&self, id: &TurnId) -> (Turn, Vec<Entry>) {
        let _settled = self.keeping.write().await;
        self.store.turn(id).await.expect("the store answers").expect("the turn exists")
    }

    /// Waits until the log of a turn looks like this.
    pub(crate) async fn wait_for(&self, id: &TurnId, looks: impl Fn(&Turn, &[Entry]) -> bool) -> (Turn, Vec<Entry>) {
        let (mut events, mut partials) = (self.store.subscribe(), self.partials.subscribe());
        let found = tokio::time::timeout(Duration::from_secs(30), async {
            loop {
                let (turn, log) = self.get(id).await;
                if looks(&turn, &log) {
                    return (turn, log);
                }
                loop {
                    tokio::select! {
                        event = events.recv() => if event.is_err() || event.is_ok_and(|event| event.subject == id.as_str()) {
                            break;
                        },
                        _ = partials.changed() => break,
                    }
                }
            }
        });
        match found.await {
            Ok(found) => found,
            Err(_) => panic!("the turn never got there: {:#?}", self.get(id).await),
        }
    }

    /// Waits until a turn has ended.
    pub(crate) async fn ended(&self, id: &TurnId) -> (Turn, Vec<Entry>) {
        self.wait_for(id, |turn, _| !matches!(turn.state, TurnState::Running | TurnState::Waiting)).await
    }
}

#[async_trait]
impl Conversations for Turns {
    async fn begin(&self, conversation: &Conversation, first: &Turn, draft: Draft) -> Stored<Uttered> {
        self.store.begin(conversation, first, draft).await
    }

    async fn conversation(&self, id: &ConversationId) -> Stored<Option<Conversation>> {
        self.store.conversation(id).await
    }

    async fn conversations(&self, owner: Option<&ActorId>, search: &str, limit: u32) -> Stored<Vec<Conversation>> {
        self.store.conversations(owner, search, limit).await
    }

    async fn rename(&self, id: &ConversationId, title: &str, draft: Draft) -> Stored<()> {
        self.store.rename(id, title, draft).await
    }

    async fn delete(&self, id: &ConversationId, draft: Draft) -> Stored<()> {
        self.store.delete(id, draft).await
    }

    async fn add_turn(&self, turn: &Turn, draft: Draft) -> Stored<Uttered> {
        self.store.add_turn(turn, draft).await
    }

    async fn turn(&self, id: &TurnId) -> Stored<Option<(Turn, Vec<Entry>)>> {
        self.store.turn(id).await
    }

    async fn turns(&self, id: &ConversationId) -> Stored<Vec<(Turn, Vec<Entry>)>> {
        self.store.turns(id).await
    }

    async fn step(&self, id: &TurnId, entries: &[Entry], state: TurnState, draft: Option<Draft>) -> Stored<()> {
        let partial = draft.is_none();
        if !partial && self.fuse().left == Some(0) {
            self.blown.send_replace(true);
            return std::future::pending().await;
        }
        let _keeping = self.keeping.read().await;
        self.store.step(id, entries, state, draft).await?;
        if partial {
            self.partials.send_modify(|count| *count += 1);
        } else {
            let mut fuse = self.fuse();
            fuse.passed += 1;
            fuse.left = fuse.left.map(|left| left - 1);
        }
        Ok(())
    }

    async fn open_turns(&self) -> Stored<Vec<Turn>> {
        self.store.open_turns().await
    }

    async fn abandoned_turns(&self) -> Stored<Vec<Turn>> {
        self.store.abandoned_turns().await
    }
}
