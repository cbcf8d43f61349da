//! Saying something, stopping, asking again, and going on after a restart.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jarvis_safety::call::Origin;
use jarvis_safety::conversation::{Conversation, Entry, Turn, TurnState, Uttered};
use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::port::{StoreError, Stored};
use jarvis_safety::refusal::Code;
use jarvis_safety::{Actor, ConversationId, Refusal, TurnId};
use tokio::sync::{OnceCell, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::turn::driver::Driver;
use crate::turn::row;

use super::{Inner, Mind, Running, not_found, store};

/// Longest message, in characters.
const MAX_WORDS: usize = 20_000;
/// Most turns that are carried on at a time.
const MAX_RUNNING: usize = 64;
/// How long a stop waits for the turn to end.
const STOP: Duration = Duration::from_secs(10);

/// Something said.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// The words, 1 to 20,000 characters.
    pub text: String,
    /// Conversation to go on with; a new one is begun without it.
    pub conversation: Option<ConversationId>,
    /// Where in the conversation it is said.
    pub after: After,
    /// Idempotency key, 1 to 200 characters: the same actor's same key and words are the same turn.
    pub key: Option<String>,
}

/// Where in the tree of a conversation something is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum After {
    /// After the newest turn.
    #[default]
    Newest,
    /// After this turn; makes a branch if others follow it already.
    Turn(TurnId),
    /// At the beginning.
    Root,
}

impl Mind {
    /// Says something. The turn is durable when this answers, and is carried on by a task of its own. What was said
    /// before with the same key is that turn, however far it has come.
    ///
    /// # Errors
    /// If the words are none or too many, the conversation or the turn does not exist for this actor, the key is that of
    /// other words, too much is going on, or the store cannot keep it.
    pub async fn say(&self, actor: &Actor, origin: Origin, said: Said) -> Result<Turn, Refusal> {
        let inner = self.inner();
        // What is said is kept, and a secret need not be.
        let text = inner.redactor.text(words(&said.text)?);
        inner.room()?;
        let Some(id) = &said.conversation else {
            let conversation = inner.new_conversation(actor, &text);
            let turn = inner.new_turn(actor, conversation.id.clone(), None, text.into_owned(), said.key);
            let draft = row::asked(&turn, &origin);
            let asked = inner.conversations.begin(&conversation, &turn, draft).await;
            return self.asked(actor, origin, turn, asked);
        };
        let parent = self.place(actor, id, &said.after).await?;
        let turn = inner.new_turn(actor, id.clone(), parent, text.into_owned(), said.key);
        self.add(actor, origin, turn).await
    }

    /// Asks the words of a turn again, beside it: the same parent, a new answer.
    ///
    /// # Errors
    /// As [`Mind::say`], and if the words are a program's: asked by a person they would become that person's own.
    pub async fn retry(
        &self,
        actor: &Actor,
        origin: Origin,
        turn: &TurnId,
        key: Option<String>,
    ) -> Result<Turn, Refusal> {
        let (turn, _) = self.turn(actor, turn).await?;
        let inner = self.inner();
        if turn.actor != actor.id {
            let author = inner.identities.standing(&turn.actor).await.map_err(|error| store(&error))?;
            if !author.is_some_and(|author| author.is_person()) {
                return Err(Refusal::new(
                    Code::Forbidden,
                    "words of a program",
                    format!(
                        "{} said that, and only it can say it again; if you want it done, say it yourself",
                        turn.actor
                    ),
                ));
            }
        }
        inner.room()?;
        let asked = inner.redactor.text(&turn.asked).into_owned();
        let again = inner.new_turn(actor, turn.conversation, turn.parent, asked, key);
        self.add(actor, origin, again).await
    }

    /// Stops a turn and waits until it has ended, which takes a moment. A turn that has ended is left as it is.
    ///
    /// # Errors
    /// If the turn does not exist for this actor or the store fails.
    pub async fn stop(&self, actor: &Actor, turn: &TurnId) -> Result<Turn, Refusal> {
        let (found, log) = self.turn(actor, turn).await?;
        let inner = self.inner();
        let mut state = {
            let running = inner.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.get(turn).map(|running| {
                *running.stopper.lock().unwrap_or_else(PoisonError::into_inner) = Some(actor.clone());
                running.cancel.cancel();
                running.state.clone()
            })
        };
        if let Some(state) = &mut state {
            // A closed channel means that its task has ended, which is as good.
            let _ = tokio::time::timeout(STOP, state.wait_for(|state| ended(*state))).await;
        } else if !ended(found.state) {
            inner.end_unattended(&found, &log).await?;
        }
        self.turn(actor, turn).await.map(|(turn, _)| turn)
    }

    /// Waits until a turn has ended or waits for a person, for at most so long, and answers it as it then stands.
    ///
    /// # Errors
    /// If the turn does not exist for this actor or the store fails.
    pub async fn settled(
        &self,
        actor: &Actor,
        turn: &TurnId,
        longest: Duration,
    ) -> Result<(Turn, Vec<Entry>), Refusal> {
        self.turn(actor, turn).await?;
        let state = {
            let running = self.inner().running.lock().unwrap_or_else(PoisonError::into_inner);
            running.get(turn).map(|running| running.state.clone())
        };
        if let Some(mut state) = state {
            let resting = state.wait_for(|state| *state != TurnState::Running);
            let _ = tokio::time::timeout(longest, resting).await;
        }
        self.turn(actor, turn).await
    }

    /// Goes on with every turn that was open when the program ended. Answers how many.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn resume(&self) -> Result<usize, StoreError> {
        let inner = self.inner();
        let mut resumed = 0;
        for turn in inner.conversations.abandoned_turns().await? {
            if inner.carries(&turn.id) {
                continue;
            }
            let origin = Origin { face: "chat".to_owned(), correlation: turn.id.to_string(), ..Origin::default() };
            match inner.identities.standing(&turn.actor).await? {
                Some(actor) => resumed += usize::from(self.carry(actor, origin, turn)),
                None => inner.end_orphan(&turn, &origin).await?,
            }
        }
        Ok(resumed)
    }

    async fn add(&self, actor: &Actor, origin: Origin, turn: Turn) -> Result<Turn, Refusal> {
        let draft = row::asked(&turn, &origin);
        let asked = self.inner().conversations.add_turn(&turn, draft).await;
        self.asked(actor, origin, turn, asked)
    }

    /// Carries on what is new; whoever said it before has the turn that there is.
    fn asked(&self, actor: &Actor, origin: Origin, turn: Turn, asked: Stored<Uttered>) -> Result<Turn, Refusal> {
        match asked.map_err(|error| store(&error))? {
            Uttered::New => {
                self.carry(actor.clone(), origin, turn.clone());
                Ok(turn)
            }
            Uttered::Known(known) => Ok(*known),
            Uttered::KeyReused(id) => Err(Refusal::new(
                Code::KeyReused,
                "idempotency key",
                format!("this key belongs to other words ({id}); use a new key. Nothing was kept"),
            )),
        }
    }

    /// The turn after which something is said.
    async fn place(&self, actor: &Actor, id: &ConversationId, after: &After) -> Result<Option<TurnId>, Refusal> {
        let (_, turns) = self.conversation(actor, id).await?;
        match after {
            After::Root => Ok(None),
            After::Newest => Ok(turns.last().map(|(turn, _)| turn.id.clone())),
            After::Turn(parent) => turns
                .iter()
                .find(|(turn, _)| turn.id == *parent)
                .map(|(turn, _)| Some(turn.id.clone()))
                .ok_or_else(|| not_found("turn in this conversation")),
        }
    }

    /// Starts the task that carries a turn on; answers whether none did before.
    fn carry(&self, actor: Actor, origin: Origin, turn: Turn) -> bool {
        let inner = self.inner();
        let (cancel, stopper) = (CancellationToken::new(), Arc::new(Mutex::new(None)));
        let (state, seen) = watch::channel(TurnState::Running);
        let id = turn.id.clone();
        let driver = Driver {
            mind: Arc::clone(inner),
            actor,
            origin,
            turn,
            cancel: cancel.clone(),
            stopper: Arc::clone(&stopper),
            state,
            past: OnceCell::new(),
            orders: OnceCell::new(),
        };
        // The task begins only once it is listed, so that it cannot end before that.
        let (listed, go) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            if go.await.is_ok() {
                driver.run().await;
            }
        });
        let running = Running { cancel, stopper, state: seen, task: task.abort_handle() };
        let mut all = inner.running.lock().unwrap_or_else(PoisonError::into_inner);
        if all.get(&id).is_some_and(|running| !running.task.is_finished()) {
            return false;
        }
        all.insert(id, running);
        // Unless it was sent the task ends at once.
        listed.send(()).is_ok()
    }
}

impl Inner {
    fn carries(&self, turn: &TurnId) -> bool {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        // One that broke off is carried by nobody.
        running.get(turn).is_some_and(|running| !running.task.is_finished())
    }

    fn room(&self) -> Result<(), Refusal> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).len();
        if running < MAX_RUNNING {
            return Ok(());
        }
        Err(Refusal::new(
            Code::RateLimited,
            "turns at a time",
            format!("{MAX_RUNNING} questions are being answered already; wait for one of them or stop it"),
        ))
    }

    fn new_turn(
        &self,
        actor: &Actor,
        conversation: ConversationId,
        parent: Option<TurnId>,
        asked: String,
        key: Option<String>,
    ) -> Turn {
        Turn {
            id: TurnId::new(self.ids.next()),
            conversation,
            parent,
            actor: actor.id.clone(),
            asked,
            state: TurnState::Running,
            created_at: self.clock.now(),
            key,
        }
    }

    fn new_conversation(&self, actor: &Actor, text: &str) -> Conversation {
        let now = self.clock.now();
        Conversation {
            id: ConversationId::new(self.ids.next()),
            owner: actor.id.clone(),
            title: title(text),
            created_at: now,
            updated_at: now,
            turns: 0,
        }
    }

    /// Ends an open turn that nobody carries on.
    async fn end_unattended(&self, turn: &Turn, log: &[Entry]) -> Result<(), Refusal> {
        let mut entries = Vec::new();
        if let Some(Entry::Partial { text }) = log.last() {
            entries.push(Entry::Cut { text: text.clone() });
        }
        let origin = Origin { correlation: turn.id.to_string(), ..Origin::default() };
        match self.close(turn, &origin, entries, TurnState::Stopped).await {
            Ok(()) | Err(StoreError::Conflict(_)) => Ok(()),
            Err(error) => Err(store(&error)),
        }
    }

    /// Ends an open turn whose actor is not allowed in any more.
    async fn end_orphan(&self, turn: &Turn, origin: &Origin) -> Result<(), StoreError> {
        let text = "Whoever asked this is not allowed in any more, so it was not gone on with.".to_owned();
        self.close(turn, origin, vec![Entry::Note { text }], TurnState::Failed).await
    }

    async fn close(
        &self,
        turn: &Turn,
        origin: &Origin,
        mut entries: Vec<Entry>,
        state: TurnState,
    ) -> Result<(), StoreError> {
        let millis = u64::try_from(self.clock.now() - turn.created_at).unwrap_or(0);
        entries.push(Entry::Ended { state, millis });
        let draft = row::step(self.gate.registry(), turn, origin, &entries, state);
        self.conversations.step(&turn.id, &entries, state, Some(draft)).await
    }
}

const fn ended(state: TurnState) -> bool {
    matches!(state, TurnState::Done | TurnState::Stopped | TurnState::Failed)
}

/// The words, if they are words.
pub(super) fn words(text: &str) -> Result<&str, Refusal> {
    let count = text.chars().count();
    if text.trim().is_empty() {
        return Err(Refusal::invalid("nothing was said; send 1 to 20,000 characters of text"));
    }
    if count > MAX_WORDS {
        return Err(Refusal::invalid(format!(
            "{count} characters are more than the {MAX_WORDS} that one message may have; put long text into a file and \
             name it"
        )));
    }
    Ok(text)
}

/// The first words, as a title.
fn title(text: &str) -> String {
    let line = text.split_whitespace().take(20).collect::<Vec<_>>().join(" ");
    let line = visible(&line);
    if line.chars().count() <= 60 {
        return line;
    }
    let head: String = line.chars().take(60).collect();
    let end = head.rfind(' ').filter(|end| *end > 20).unwrap_or(head.len());
    shorten(&line, head[..end].chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_made_of_whole_first_words() {
        assert_eq!(title("  How is\nthis machine? "), "How is this machine?");
        let long = title("Please look at every single container and tell me which of them is unhealthy");
        assert_eq!(long, "Please look at every single container and tell me which of…");
        assert_eq!(title(&"x".repeat(100)).chars().count(), 61);
    }

    #[test]
    fn words_are_one_to_twenty_thousand_characters() {
        assert!(words(" \n\t").is_err() && words("").is_err());
        assert!(words(&"ä".repeat(20_000)).is_ok());
        assert!(words(&"ä".repeat(20_001)).is_err());
    }
}
