//! Carries a turn on: asks [`step`](super::step) what comes next, keeps it, does it.
//!
//! Intents are durable before they are acted on, and outcomes before the next step. A store that fails does not end a
//! turn: its log is read anew and gone on from, now or at the next start.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use jarvis_safety::Actor;
use jarvis_safety::call::Origin;
use jarvis_safety::conversation::{Entry, Turn, TurnState};
use jarvis_safety::frame::Frame;
use jarvis_safety::port::{StoreError, Stored};
use serde_json::{Value, json};
use tokio::sync::{OnceCell, watch};
use tokio_util::sync::CancellationToken;

use crate::context::{History, branch};
use crate::mind::Inner;
use crate::understand::Meant;

use super::row;
use super::step::{Effect, Facts, step};

/// Pause before a store that failed is asked again; the next one is twice as long.
const STORE_AWAY: Duration = Duration::from_millis(500);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Carries one turn on.
pub(crate) struct Driver {
    pub(crate) mind: Arc<Inner>,
    pub(crate) actor: Actor,
    pub(crate) origin: Origin,
    pub(crate) turn: Turn,
    /// Fires when a person stops the turn.
    pub(crate) cancel: CancellationToken,
    /// Who stopped it.
    pub(crate) stopper: Arc<Mutex<Option<Actor>>>,
    /// Shows its state to whoever waits in this process.
    pub(crate) state: watch::Sender<TurnState>,
    /// Earlier turns of the branch, read once.
    pub(crate) past: OnceCell<History>,
    /// What the person's words order, found once.
    pub(crate) orders: OnceCell<Vec<Meant>>,
}

/// What came of carrying out effects.
pub(crate) struct Came {
    pub(crate) entries: Vec<Entry>,
    pub(crate) then: Then,
}

/// Whether the turn goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    GoOn,
    Stop,
    Fail,
}

impl Came {
    pub(crate) const fn with(entries: Vec<Entry>) -> Self {
        Self { entries, then: Then::GoOn }
    }

    pub(crate) const fn stopped(entries: Vec<Entry>) -> Self {
        Self { entries, then: Then::Stop }
    }

    pub(crate) fn failed(mut entries: Vec<Entry>, note: impl Into<String>) -> Self {
        entries.push(Entry::Note { text: note.into() });
        Self { entries, then: Then::Fail }
    }
}

/// The log in memory, and how much of it is durable.
struct Book {
    log: Vec<Entry>,
    kept: usize,
}

impl Book {
    fn add(&mut self, entries: Vec<Entry>) {
        if entries.is_empty() {
            return;
        }
        // As in the store: what was being said is replaced by what follows.
        if matches!(self.log.last(), Some(Entry::Partial { .. })) {
            self.log.pop();
            self.kept = self.kept.min(self.log.len());
        }
        self.log.extend(entries);
    }

    fn pending(&self) -> &[Entry] {
        &self.log[self.kept..]
    }
}

impl Driver {
    /// Carries the turn to its end. A store that is away is waited for; a process that ends leaves it to the next start.
    pub(crate) async fn run(self) {
        let mut pause = STORE_AWAY;
        while let Err(error) = self.go_on().await {
            tracing::warn!(turn = %self.turn.id, %error, "the store failed; the turn is read anew in a moment");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        self.phase("idle");
        self.mind.live.end(&self.subject());
        self.mind.forget(&self.turn.id);
    }

    async fn go_on(&self) -> Stored<()> {
        let Some((_, log)) = self.mind.conversations.turn(&self.turn.id).await? else { return Ok(()) };
        let mut book = Book { kept: log.len(), log };
        loop {
            let effects = self.follow(&mut book);
            let Some(first) = effects.first() else { return Ok(()) };
            if let Effect::End(state) = first {
                return self.end(&mut book, *state).await;
            }
            let waits = matches!(first, Effect::Await { .. });
            let state = if waits { TurnState::Waiting } else { TurnState::Running };
            if self.keep(&mut book, state).await? == Kept::Ended {
                return Ok(());
            }
            self.state.send_replace(state);
            let came = Box::pin(self.carry_out(&book.log, &effects)).await?;
            book.add(came.entries);
            match came.then {
                Then::GoOn => {}
                Then::Stop => return self.end(&mut book, TurnState::Stopped).await,
                Then::Fail => return self.end(&mut book, TurnState::Failed).await,
            }
        }
    }

    /// Adds what follows from the log alone, and answers what must be done beside that.
    fn follow(&self, book: &mut Book) -> Vec<Effect> {
        let facts = Facts { registry: self.mind.gate.registry(), prompts: &self.mind.prompts };
        loop {
            let mut effects = step(&book.log, &facts).into_iter();
            match effects.next() {
                Some(Effect::Keep(entries)) => book.add(entries),
                first => return first.into_iter().chain(effects).collect(),
            }
            let rest: Vec<_> = effects.collect();
            if !rest.is_empty() {
                return rest;
            }
        }
    }

    async fn carry_out(&self, log: &[Entry], effects: &[Effect]) -> Stored<Came> {
        if self.cancel.is_cancelled() {
            return Ok(Came::stopped(Vec::new()));
        }
        match &effects[0] {
            Effect::AskRules => {
                self.phase("thinking");
                Ok(self.ask_rules().await)
            }
            Effect::AskModel => {
                self.phase("thinking");
                self.ask_model(log).await
            }
            Effect::Plan => {
                self.phase("acting");
                Ok(self.make_plan(log).await)
            }
            Effect::Await { index, approval, whole } => {
                self.phase("waiting");
                Ok(self.wait(log, *index, approval, *whole).await)
            }
            Effect::Call(_) => {
                self.phase("acting");
                let strangers = self.strangers_before().await?;
                let calls = effects.iter().filter_map(|effect| match effect {
                    Effect::Call(index) => Some(self.make_call(log, *index, strangers)),
                    _ => None,
                });
                let entries = join_all(calls).await.into_iter().flatten().collect();
                let stopped = self.cancel.is_cancelled();
                Ok(if stopped { Came::stopped(entries) } else { Came::with(entries) })
            }
            Effect::Keep(_) | Effect::End(_) => Ok(Came::with(Vec::new())),
        }
    }

    /// Whether an answer in sight from earlier turns may rest on text by strangers.
    async fn strangers_before(&self) -> Stored<bool> {
        Ok(self.past().await?.strangers)
    }

    /// Earlier turns of the branch.
    pub(super) async fn past(&self) -> Stored<&History> {
        let past = self.past.get_or_try_init(|| async {
            if self.turn.parent.is_none() {
                return Ok::<_, StoreError>(History::default());
            }
            let turns = self.mind.conversations.turns(&self.turn.conversation).await?;
            Ok(branch(self.mind.gate.registry(), &self.mind.prompts, &turns, &self.turn))
        });
        past.await
    }

    /// Makes what was added durable.
    async fn keep(&self, book: &mut Book, state: TurnState) -> Stored<Kept> {
        if book.pending().is_empty() {
            return Ok(Kept::Open);
        }
        let draft = row::step(self.mind.gate.registry(), &self.turn, &self.origin, book.pending(), state);
        match self.mind.conversations.step(&self.turn.id, book.pending(), state, Some(draft)).await {
            Ok(()) => {
                // What was shown live stands in the log now.
                if book.pending().iter().any(|entry| matches!(entry, Entry::Model { .. } | Entry::Cut { .. })) {
                    self.frame("text", 0, json!({ "text": "" }));
                }
                book.kept = book.log.len();
                Ok(Kept::Open)
            }
            // Somebody else ended or erased the turn; there is nothing left to do.
            Err(StoreError::Conflict(_) | StoreError::NotFound(_)) => Ok(Kept::Ended),
            Err(error) => Err(error),
        }
    }

    async fn end(&self, book: &mut Book, state: TurnState) -> Stored<()> {
        let millis = self.millis(&book.log).await;
        book.add(vec![Entry::Ended { state, millis }]);
        self.keep(book, state).await?;
        self.state.send_replace(state);
        Ok(())
    }

    /// Time since the question, without the time that cards were open.
    async fn millis(&self, log: &[Entry]) -> u64 {
        let now = self.mind.clock.now();
        let mut spent = now - self.turn.created_at;
        for entry in log {
            let Entry::Waiting { approval, .. } = entry else { continue };
            let Ok(card) = self.mind.gate.approval(approval).await else { continue };
            let from = card.created_at.max(self.turn.created_at);
            spent -= card.decided_at.unwrap_or(now).min(now) - from;
        }
        u64::try_from(spent).unwrap_or(0)
    }

    fn subject(&self) -> String {
        format!("turn:{}", self.turn.id)
    }

    fn phase(&self, phase: &str) {
        self.frame("phase", 0, json!({ "phase": phase }));
    }

    /// Shows something live.
    pub(super) fn frame(&self, kind: &str, offset: u64, data: Value) {
        self.mind.live.publish(Frame {
            subject: self.subject(),
            kind: kind.to_owned(),
            offset,
            data,
            owner: self.actor.id.clone(),
        });
    }

    /// Who stopped the turn, if somebody did.
    pub(super) fn stopped_by(&self) -> Option<Actor> {
        self.stopper.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Kept {
    Open,
    Ended,
}
