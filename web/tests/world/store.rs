//! The real store, in a folder that goes with the test.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use futures_util::future::join_all;
use jarvis_memory::{Options, Store};
use jarvis_safety::event::{Draft, Event, EventKind};
use jarvis_safety::port::{Clock, EventFilter, Feed as _, Ids, Ledger as _};
use jarvis_safety::secret::Redactor;
use jarvis_safety::setting::AuditReads;
use jarvis_safety::{ActorId, Tier};

/// A clock that the test turns by hand.
pub struct Hand(AtomicI64);

impl Default for Hand {
    fn default() -> Self {
        Self(AtomicI64::new(1_795_000_000_000))
    }
}

impl Clock for Hand {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Hand {
    pub fn turn(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

/// Ids in the order in which they are asked for. Small numbers are left to those that a test chooses.
pub struct Count(AtomicU64);

impl Default for Count {
    fn default() -> Self {
        Self(AtomicU64::new(1_000))
    }
}

impl Ids for Count {
    fn next(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::SeqCst))
    }
}

/// A store, and everything in it that is not asked for through a port.
pub struct Kept {
    pub store: Store,
    pub clock: Arc<Hand>,
    pub ids: Arc<Count>,
    pub redactor: Redactor,
    pub data: tempfile::TempDir,
}

impl Deref for Kept {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Kept {
    pub async fn new() -> Self {
        let (clock, ids) = (Arc::new(Hand::default()), Arc::new(Count::default()));
        let (data, redactor) = (tempfile::tempdir().unwrap(), Redactor::default());
        let options = Options {
            data: data.path().to_owned(),
            clock: clock.clone(),
            ids: ids.clone(),
            redactor: redactor.clone(),
        };
        Self { store: Store::open(options).await.unwrap(), clock, ids, redactor, data }
    }

    /// A row of an actor's own.
    pub async fn commit(&self, actor: &str) {
        self.store.append(row(EventKind::CallRead, actor), AuditReads::Wal).await.unwrap();
    }

    pub async fn commit_many(&self, actor: &str, count: usize) {
        join_all((0..count).map(|_| self.commit(actor))).await;
    }

    /// All rows, oldest first.
    pub async fn rows(&self) -> Vec<Event> {
        self.store.after(0, &EventFilter::default(), 10_000).await.unwrap()
    }
}

/// A row of an actor about nothing in particular.
pub fn row(kind: EventKind, actor: &str) -> Draft {
    let actor = ActorId::new(actor);
    Draft {
        kind,
        owner: actor.clone(),
        actor,
        subject: String::new(),
        correlation: String::new(),
        tool: None,
        tier: None::<Tier>,
        summary: String::new(),
        body: None,
    }
}
