//! A real gate over things kept in memory, for tests that drive tools the only way there is: through the gate.
//!
//! ```ignore
//! let gate = support::gate(jarvis_tools::docker::register(Registry::builder(), docker).build().unwrap());
//! let outcome = support::ran(support::call(&gate, &Actor::operator(), "docker_list", json!({})).await);
//! let done = support::approve(&gate, support::call(&gate, &Actor::local(), "docker_stop", json!({…})).await).await;
//! ```

#![allow(dead_code, reason = "every test binary uses its own part of this")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "in tests a panic is the report")]

mod ledger;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jarvis_safety::approval::Approval;
use jarvis_safety::call::{CallState, Origin, Request, Vouching};
use jarvis_safety::event::Draft;
use jarvis_safety::frame::Frame;
use jarvis_safety::id::{SessionId, TokenId};
use jarvis_safety::identity::{Session, Token, TokenGrant};
use jarvis_safety::kernel::{Approver, Gate, GateParts, KillSwitch, Policy, Registry, answer_of};
use jarvis_safety::outcome::{Answer, Outcome};
use jarvis_safety::port::{Clock, Identities, Ids, Live, StoreError, Stored};
use jarvis_safety::setting::Settings;
use jarvis_safety::{Actor, ActorId, Refusal};
use serde_json::Value;
use tokio::sync::broadcast;

pub(crate) use ledger::MemoryLedger;

/// A gate over this registry, with an operator, default settings, an empty policy and a ledger in memory.
pub(crate) fn gate(registry: Registry) -> Gate {
    gate_over(registry, Arc::new(MemoryLedger::default()))
}

/// Like [`gate`], with a ledger that the test keeps a hand on.
pub(crate) fn gate_over(registry: Registry, ledger: Arc<MemoryLedger>) -> Gate {
    Gate::new(GateParts {
        registry,
        ledger,
        identities: Arc::new(Everybody),
        live: Arc::new(Watched(broadcast::channel(256).0)),
        clock: Arc::new(ManualClock::default()),
        ids: Arc::new(Counter::default()),
        settings: Settings::default(),
        policy: Ok(Policy::default()),
        kill: KillSwitch::Off,
    })
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
pub(crate) async fn call(gate: &Gate, actor: &Actor, tool: &str, args: Value) -> Answer {
    gate.call(request(actor, tool, args)).await
}

/// Approves the card that an answer holds, as the operator, and answers what came of it.
pub(crate) async fn approve(gate: &Gate, answer: Answer) -> Answer {
    let card = waiting(answer);
    let approver = Approver::of(&Actor::operator()).unwrap();
    gate.approve(&approver, &card.id, &Origin::default()).await.unwrap();
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

#[derive(Default)]
struct Counter(AtomicU64);

impl Ids for Counter {
    fn next(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

struct Watched(broadcast::Sender<Arc<Frame>>);

impl Live for Watched {
    fn publish(&self, frame: Frame) {
        // Nobody may be looking.
        let _ = self.0.send(Arc::new(frame));
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<Frame>> {
        self.0.subscribe()
    }

    fn snapshot(&self) -> Vec<Arc<Frame>> {
        Vec::new()
    }

    fn end(&self, _: &str) {}

    fn watched(&self) -> bool {
        self.0.receiver_count() > 0
    }
}

/// The operator exists; the built-in actors stand. There are no tokens and no sessions.
struct Everybody;

fn none<T>() -> Stored<T> {
    Err(StoreError::NotFound("tokens and sessions in this test world".to_owned()))
}

#[async_trait]
impl Identities for Everybody {
    async fn operator_exists(&self) -> Stored<bool> {
        Ok(true)
    }
    async fn setup_code(&self) -> Stored<Option<String>> {
        Ok(None)
    }
    async fn set_password(&self, _: &str, _: Draft) -> Stored<()> {
        none()
    }
    async fn check_password(&self, _: &str) -> Stored<bool> {
        Ok(false)
    }
    async fn open_session(&self, _: Draft) -> Stored<(Session, String)> {
        none()
    }
    async fn session(&self, _: &str) -> Stored<Option<Session>> {
        Ok(None)
    }
    async fn close_session(&self, _: &SessionId, _: Draft) -> Stored<()> {
        none()
    }
    async fn create_token(&self, _: TokenId, _: TokenGrant, _: Draft) -> Stored<(Token, String)> {
        none()
    }
    async fn token(&self, _: &str) -> Stored<Option<Token>> {
        Ok(None)
    }
    async fn tokens(&self) -> Stored<Vec<Token>> {
        Ok(Vec::new())
    }
    async fn revoke_token(&self, _: &TokenId, _: Draft) -> Stored<bool> {
        Ok(false)
    }
    async fn standing(&self, id: &ActorId) -> Stored<Option<Actor>> {
        let known = [Actor::operator(), Actor::local(), Actor::mcp_stdio()];
        Ok(known.into_iter().find(|actor| actor.id == *id))
    }
    fn ended(&self) -> broadcast::Receiver<String> {
        broadcast::channel(1).1
    }
}
