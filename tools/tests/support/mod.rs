//! A real gate over a real store, for tests that drive tools the only way there is: through the gate.
//!
//! ```ignore
//! let gate = support::gate(jarvis_tools::docker::register(Registry::builder(), docker)).await;
//! let outcome = support::ran(support::call(&gate, &Actor::operator(), "docker_list", json!({})).await);
//! let done = support::approve(&gate, support::call(&gate, &Actor::local(), "docker_stop", json!({…})).await).await;
//! ```

#![allow(dead_code, reason = "every test binary uses its own part of this")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "in tests a panic is the report")]

pub(crate) mod line;

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use jarvis_memory::{LiveHub, Options, SecretVault, Store, VaultOptions};
use jarvis_safety::approval::Approval;
use jarvis_safety::call::{CallRecord, CallState, Origin, Request, Vouching};
use jarvis_safety::event::{Draft, EventKind};
use jarvis_safety::kernel::{Console, GateParts, KillSwitch, Policy, RegistryBuilder, answer_of};
use jarvis_safety::outcome::{Answer, Outcome};
use jarvis_safety::port::{Clock, EventFilter, Feed as _, Identities as _, Ids, Ledger as _};
use jarvis_safety::secret::{Redactor, Secret, SecretChange, SecretStore as _, Secrets, Use};
use jarvis_safety::setting::Settings;
use jarvis_safety::{Actor, Refusal};
use serde_json::Value;
use tempfile::TempDir;

/// A gate, and the store under it.
pub(crate) struct House {
    console: Console,
    store: Store,
    vault: SecretVault,
    /// Removed when the test ends.
    data: Option<TempDir>,
}

impl Deref for House {
    type Target = Console;

    fn deref(&self) -> &Console {
        &self.console
    }
}

/// A gate over these tools, with an operator, default settings, an empty policy and a store of its own.
pub(crate) async fn gate(tools: RegistryBuilder) -> House {
    let data = tempfile::tempdir().unwrap();
    let house = gate_in(data.path(), Arc::default(), tools).await;
    House { data: Some(data), ..house }
}

/// Like [`gate`], with the store in this data directory and a clock that the test keeps a hand on.
pub(crate) async fn gate_in(data: &Path, clock: Arc<ManualClock>, tools: RegistryBuilder) -> House {
    let (ids, redactor) = (Arc::new(Counter::default()), Redactor::default());
    let options = Options {
        data: data.to_owned(),
        clock: Arc::clone(&clock) as _,
        ids: Arc::clone(&ids) as _,
        redactor: redactor.clone(),
    };
    let store = Store::open(options).await.unwrap();
    // Somebody is there who can approve.
    store.set_password("correct horse battery", row(EventKind::OperatorSet, "")).await.unwrap();
    let vault = SecretVault::unlock(&store, VaultOptions::default()).await;
    let console = Console::new(GateParts {
        registry: tools.build().unwrap(),
        ledger: Arc::new(store.clone()),
        identities: Arc::new(store.clone()),
        live: Arc::new(LiveHub::new()),
        clock,
        ids,
        settings: Settings::default(),
        policy: Ok(Policy::default()),
        kill: KillSwitch::Off,
        grants: Vec::new(),
        secrets: Secrets { vault: Arc::new(vault.clone()), redactor },
    });
    House { console, store, vault, data: None }
}

impl House {
    /// Keeps a secret that a tool may hand to a target.
    pub(crate) async fn keep_secret(&self, name: &str, value: &str, tool: &str, target: &str) {
        let uses = vec![Use { tool: tool.to_owned(), target: target.to_owned() }];
        let change = SecretChange { value: Some(Secret::new(value.to_owned())), note: None, uses: Some(uses) };
        self.vault.keep_secret(&name.parse().unwrap(), change, row(EventKind::SecretKept, name)).await.unwrap();
    }

    /// The calls above green so far, oldest first.
    pub(crate) async fn calls(&self) -> Vec<CallRecord> {
        let filter = EventFilter { kinds: vec![EventKind::CallIntent], ..EventFilter::default() };
        let mut calls = Vec::new();
        for event in self.store.after(0, &filter, 500).await.unwrap() {
            calls.extend(self.store.call(&event.subject.parse().unwrap()).await.unwrap());
        }
        calls
    }

    /// Records the intent of a call as if Jarvis had been stopped before its outcome was, and answers what he finds out
    /// about it when he starts again.
    pub(crate) async fn found_after_crash(&self, mut record: CallRecord) -> CallState {
        record.state = CallState::Running;
        record.outcome = None;
        record.approval = None;
        let intent = row(EventKind::CallIntent, record.id.as_str());
        self.store.intend(&record, None, intent).await.unwrap();
        self.recover().await.unwrap();
        self.store.call(&record.id).await.unwrap().unwrap().state
    }
}

fn row(kind: EventKind, subject: &str) -> Draft {
    let operator = Actor::operator().id;
    Draft {
        kind,
        actor: operator.clone(),
        owner: operator,
        subject: subject.to_owned(),
        correlation: "test".to_owned(),
        tool: None,
        tier: None,
        summary: "test".to_owned(),
        body: None,
    }
}

/// A request of a person's own choosing.
pub(crate) fn request(actor: &Actor, tool: &str, args: Value) -> Request {
    Request {
        actor: actor.clone(),
        origin: Origin { face: "test".to_owned(), correlation: "test".to_owned(), ..Origin::default() },
        tool: tool.to_owned(),
        args,
        key: None,
        vouching: Vouching::Person,
    }
}

/// Makes a call.
pub(crate) async fn call(gate: &House, actor: &Actor, tool: &str, args: Value) -> Answer {
    gate.call(request(actor, tool, args)).await
}

/// Approves the card that an answer holds, as the operator, and answers what came of it.
pub(crate) async fn approve(gate: &House, answer: Answer) -> Answer {
    let card = waiting(answer);
    gate.approve(&Actor::operator(), &card.id, &Origin::default()).await.unwrap();
    let card = gate.wait(&card.id, Duration::from_secs(120)).await.unwrap();
    assert!(card.state.is_final(), "the approved call did not end: {card:?}");
    answer_of(&card)
}

/// The outcome of a call that ran and did it.
#[track_caller]
pub(crate) fn ran(answer: Answer) -> Outcome {
    match answer {
        Answer::Ran(outcome) if outcome.state == CallState::Done => *outcome,
        other => panic!("expected a call that is done, got {other:?}"),
    }
}

/// The outcome of a call that ran and failed.
#[track_caller]
pub(crate) fn failed(answer: Answer) -> Outcome {
    match answer {
        Answer::Ran(outcome) if outcome.state == CallState::Failed => *outcome,
        other => panic!("expected a call that failed, got {other:?}"),
    }
}

/// The outcome of a call above green whose line broke and of which the gate cannot tell whether it happened.
#[track_caller]
pub(crate) fn unknown(answer: Answer) -> Outcome {
    match answer {
        Answer::Ran(outcome) if outcome.state == CallState::Unknown => *outcome,
        other => panic!("expected a call of which nobody knows, got {other:?}"),
    }
}

/// The refusal.
#[track_caller]
pub(crate) fn refused(answer: Answer) -> Refusal {
    match answer {
        Answer::Refused(refusal) => refusal,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// The card of a call that waits for a person.
#[track_caller]
pub(crate) fn waiting(answer: Answer) -> Approval {
    match answer {
        Answer::Waiting(card) => *card,
        other => panic!("expected a card, got {other:?}"),
    }
}

/// Address of a real part, such as `JARVIS_TEST_DOCKER`. Without it the test says so and is skipped; in CI it fails.
pub(crate) fn part(variable: &str) -> Option<String> {
    let found = std::env::var(variable).ok().filter(|value| !value.is_empty());
    if found.is_none() {
        assert!(std::env::var("JARVIS_CI").as_deref() != Ok("1"), "{variable} must be set in CI");
        eprintln!("skipped: needs {variable}");
    }
    found
}

/// A clock that the test turns by hand.
#[derive(Debug)]
pub(crate) struct ManualClock(AtomicI64);

impl Default for ManualClock {
    fn default() -> Self {
        Self(AtomicI64::new(1_795_000_000_000))
    }
}

impl ManualClock {
    /// Turns it to a time.
    pub(crate) fn set(&self, now: i64) {
        self.0.store(now, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Ids in the order in which they are asked for.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Ids for Counter {
    fn next(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::SeqCst) + 1)
    }
}
