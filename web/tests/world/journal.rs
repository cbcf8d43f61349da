//! The audit as a list: rows in commit order, told to whoever listens.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jarvis_safety::ActorId;
use jarvis_safety::event::{Draft, Event, EventKind};
use jarvis_safety::port::{EventFilter, Feed, Stored, Verification};
use tokio::sync::broadcast;

pub struct Journal {
    rows: Mutex<Vec<Event>>,
    sender: broadcast::Sender<Arc<Event>>,
    around: AtomicU64,
}

impl Journal {
    pub fn new(backlog: usize) -> Arc<Self> {
        Arc::new(Self { rows: Mutex::default(), sender: broadcast::channel(backlog).0, around: AtomicU64::new(0) })
    }

    pub fn write(&self, draft: Draft) -> u64 {
        let mut rows = self.rows.lock().unwrap();
        let event = Event {
            seq: rows.len() as u64 + 1,
            at: 0,
            kind: draft.kind,
            actor: draft.actor,
            owner: draft.owner,
            subject: draft.subject,
            correlation: draft.correlation,
            tool: draft.tool,
            tier: draft.tier,
            summary: draft.summary,
            hash: String::new(),
        };
        rows.push(event.clone());
        let _ = self.sender.send(Arc::new(event));
        rows.len() as u64
    }

    pub fn commit(&self, actor: &str) {
        let actor = ActorId::new(actor);
        self.write(Draft {
            kind: EventKind::CallRead,
            owner: actor.clone(),
            actor,
            subject: String::new(),
            correlation: String::new(),
            tool: None,
            tier: None,
            summary: String::new(),
            body: None,
        });
    }

    pub fn commit_many(&self, actor: &str, count: usize) {
        (0..count).for_each(|_| self.commit(actor));
    }

    /// Lets the next reading commit so many rows before it looks and as many after.
    pub fn commit_around_next_read(&self, count: u64) {
        self.around.store(count, Ordering::SeqCst);
    }

    pub fn rows(&self) -> Vec<Event> {
        self.rows.lock().unwrap().clone()
    }
}

fn fits(event: &Event, filter: &EventFilter) -> bool {
    filter.audience.as_ref().is_none_or(|own| event.owner == *own || event.actor == *own)
        && (filter.kinds.is_empty() || filter.kinds.contains(&event.kind))
        && filter.actor.as_ref().is_none_or(|actor| event.actor == *actor)
        && filter.subject.as_ref().is_none_or(|subject| event.subject == *subject)
}

#[async_trait]
impl Feed for Journal {
    fn head(&self) -> u64 {
        self.rows.lock().unwrap().len() as u64
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.sender.subscribe()
    }

    async fn after(&self, seq: u64, filter: &EventFilter, limit: u32) -> Stored<Vec<Event>> {
        let around = self.around.swap(0, Ordering::SeqCst);
        (0..around).for_each(|_| self.commit("operator"));
        let found = self.rows().into_iter().filter(|event| event.seq > seq && fits(event, filter));
        let found = found.take(limit as usize).collect();
        (0..around).for_each(|_| self.commit("operator"));
        Ok(found)
    }

    async fn before(&self, seq: u64, filter: &EventFilter, limit: u32) -> Stored<Vec<Event>> {
        let found = self.rows().into_iter().rev().filter(|event| event.seq < seq && fits(event, filter));
        Ok(found.take(limit as usize).collect())
    }

    async fn event(&self, seq: u64) -> Stored<Option<(Event, Option<serde_json::Value>)>> {
        Ok(self.rows().into_iter().find(|event| event.seq == seq).map(|event| (event, None)))
    }

    async fn verify(&self) -> Stored<Verification> {
        Ok(Verification { rows: self.head(), head: self.head(), ..Verification::default() })
    }
}
