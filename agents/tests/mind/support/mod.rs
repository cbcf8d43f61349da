//! A house with lamps: a real gate over a real store, a mind, and a scripted model if a test wants one.

mod lamps;
pub(crate) mod model;
mod turn;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jarvis_agents::{After, Mind, MindParts, Patience, Prompts, Said};
use jarvis_memory::{Options, Store, ToolIndex};
use jarvis_safety::approval::{Approval, ApprovalState};
use jarvis_safety::call::Origin;
use jarvis_safety::conversation::{Entry, Turn};
use jarvis_safety::event::{Draft, Event, EventKind};
use jarvis_safety::frame::Frame;
use jarvis_safety::heard::Heard;
use jarvis_safety::kernel::{Console, Described, GateParts, KillSwitch, Policy};
use jarvis_safety::port::{Clock, Document, EventFilter, Feed as _, Identities as _, Ids, Index, Ledger as _, Live};
use jarvis_safety::secret::{Redactor, Secret, Secrets, Vault};
use jarvis_safety::setting::{ModelSetting, Settings};
use jarvis_safety::{Actor, ApprovalId, Refusal, TurnId};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::broadcast;

pub(crate) use lamps::Lamps;
pub(crate) use model::{ModelServer, Reply};
pub(crate) use turn::Turns;

/// The key that must never be seen anywhere but at the model server.
pub(crate) const KEY: &str = "sk-very-secret-key-4711";

/// Everything that outlives a restart of the mind.
pub(crate) struct House {
    pub(crate) lamps: Arc<Lamps>,
    pub(crate) store: Store,
    pub(crate) turns: Arc<Turns>,
    pub(crate) live: Arc<Frames>,
    pub(crate) gate: Console,
    /// How long a silent model server is put up with.
    pub(crate) idle: Duration,
    index: Arc<dyn Index>,
    clock: Arc<ManualClock>,
    ids: Arc<Counter>,
    data: TempDir,
}

impl House {
    /// A house without a model.
    pub(crate) async fn new() -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let (clock, ids) = (Arc::new(ManualClock::default()), Arc::new(Counter::default()));
        let options = Options {
            data: data.path().to_owned(),
            clock: Arc::clone(&clock) as _,
            ids: Arc::clone(&ids) as _,
            redactor: Redactor::default(),
        };
        let store = Store::open(options).await.expect("the store opens");
        // Somebody is there who can approve.
        store.set_password("correct horse battery", password_set()).await.expect("the password is set");
        let (lamps, live) = (Arc::new(Lamps::default()), Arc::new(Frames::default()));
        let registry = lamps::registry(&lamps);
        let index =
            ToolIndex::new(registry.described().map(|tool| document(&tool)).collect()).expect("the index is built");
        let gate = Console::new(GateParts {
            registry,
            ledger: Arc::new(store.clone()),
            identities: Arc::new(store.clone()),
            live: Arc::clone(&live) as _,
            clock: Arc::clone(&clock) as _,
            ids: Arc::clone(&ids) as _,
            settings: Settings::default(),
            policy: Ok(Policy::default()),
            kill: KillSwitch::Off,
            grants: Vec::new(),
            secrets: Secrets::default(),
        });
        let turns = Arc::new(Turns::new(store.clone()));
        let idle = Duration::from_millis(400);
        Self { lamps, store, turns, live, gate, idle, index: Arc::new(index), clock, ids, data }
    }

    /// A house with a model that reads so many tokens.
    pub(crate) async fn with_model(server: &ModelServer, context: u32) -> Self {
        let house = Self::new().await;
        house.set_model(Some(ModelSetting {
            url: server.url.clone(),
            name: "scripted".to_owned(),
            key: Some("env:MODEL_KEY".to_owned()),
            context,
            cloud_accepted: false,
        }));
        house
    }

    pub(crate) fn set_model(&self, model: Option<ModelSetting>) {
        self.gate.apply_settings(Settings { model, ..self.gate.settings() });
    }

    /// What the models behind clients have heard.
    pub(crate) fn heard(&self) -> Arc<Heard> {
        Arc::new(Heard::new(Arc::new(self.store.clone()), Arc::clone(&self.clock) as _))
    }

    /// A mind in this house; a test drops it to crash it.
    pub(crate) fn mind(&self) -> Mind {
        let parts = MindParts {
            gate: self.gate.gate(),
            heard: self.heard(),
            conversations: Arc::clone(&self.turns) as _,
            identities: Arc::new(self.store.clone()),
            live: Arc::clone(&self.live) as _,
            index: Arc::clone(&self.index),
            secrets: Secrets { vault: Arc::new(OneKey), redactor: Redactor::default() },
            clock: Arc::clone(&self.clock) as _,
            ids: Arc::clone(&self.ids) as _,
            prompts: Prompts::load(None).expect("the prompts are whole"),
        };
        let patience = Patience {
            first: Duration::from_secs(5),
            idle: self.idle,
            backoff: Duration::from_millis(1),
            ..Patience::default()
        };
        Mind::patient(parts, patience)
    }

    /// Says something new and waits until the turn has ended.
    pub(crate) async fn answer(&self, mind: &Mind, text: &str) -> (Turn, Vec<Entry>) {
        let turn = say(mind, text).await;
        self.turns.ended(&turn.id).await
    }

    /// Turns the clock.
    pub(crate) fn pass(&self, time: Duration) {
        self.clock.0.fetch_add(i64::try_from(time.as_millis()).expect("a short while"), Ordering::SeqCst);
    }

    /// The cards that are open.
    pub(crate) async fn cards(&self) -> Vec<Approval> {
        self.store.approvals(&[ApprovalState::Pending], 100).await.expect("the store answers")
    }

    /// All events so far about this, or about anything, with the bodies that are kept; the oldest first.
    pub(crate) async fn events(&self, subject: Option<&str>) -> Vec<(Event, Option<Value>)> {
        let filter = EventFilter { subject: subject.map(str::to_owned), ..EventFilter::default() };
        let rows = self.store.after(0, &filter, 10_000).await.expect("the store answers");
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            events.extend(self.store.event(row.seq).await.expect("the store answers"));
        }
        events
    }

    /// Every byte in the data directory, read as text.
    pub(crate) fn kept(&self) -> String {
        let files = std::fs::read_dir(self.data.path()).expect("the directory is there");
        let files = files.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file());
        files.map(|path| String::from_utf8_lossy(&std::fs::read(path).expect("a file")).into_owned()).collect()
    }

    /// Waits until a turn waits for a card, and answers its id.
    pub(crate) async fn card_of(&self, turn: &TurnId) -> ApprovalId {
        let waits = |entry: &Entry| matches!(entry, Entry::Waiting { .. });
        let (_, log) = self.turns.wait_for(turn, |_, log| log.iter().any(waits)).await;
        let id = log.iter().find_map(|entry| match entry {
            Entry::Waiting { approval, .. } => Some(approval.clone()),
            _ => None,
        });
        id.expect("a card")
    }

    pub(crate) async fn approve(&self, card: &ApprovalId) {
        self.gate.approve(&Actor::operator(), card, &Origin::default()).await.expect("approved");
    }

    pub(crate) async fn deny(&self, card: &ApprovalId, because: &str) {
        self.gate.deny(&Actor::operator(), card, because, &Origin::default()).await.expect("denied");
    }
}

fn password_set() -> Draft {
    Draft {
        kind: EventKind::OperatorSet,
        actor: Actor::local().id,
        owner: Actor::local().id,
        subject: "operator".to_owned(),
        correlation: String::new(),
        tool: None,
        tier: None,
        summary: "password set".to_owned(),
        body: None,
    }
}

fn document(tool: &Described) -> Document {
    Document {
        key: tool.spec.name.to_owned(),
        name: tool.spec.name.replace('_', " "),
        examples: tool.spec.examples.join(". "),
        text: tool.description.clone(),
    }
}

/// Says something in a new conversation.
pub(crate) async fn say(mind: &Mind, text: &str) -> Turn {
    say_after(mind, text, None, After::Newest).await.expect("it is said")
}

/// Says something as the operator.
pub(crate) async fn say_after(
    mind: &Mind,
    text: &str,
    conversation: Option<&Turn>,
    after: After,
) -> Result<Turn, Refusal> {
    let conversation = conversation.map(|turn| turn.conversation.clone());
    mind.say(&Actor::operator(), origin(), Said { text: text.to_owned(), conversation, after, key: None }).await
}

pub(crate) fn origin() -> Origin {
    Origin { face: "test".to_owned(), correlation: "corr".to_owned(), ..Origin::default() }
}

/// Everything that was said to the person, in order.
pub(crate) fn spoken(log: &[Entry]) -> String {
    let words = log.iter().filter_map(|entry| match entry {
        Entry::Model { text, .. } | Entry::Said { text } | Entry::Asked { text, .. } | Entry::Note { text } => {
            Some(text.as_str())
        }
        _ => None,
    });
    words.filter(|words| !words.is_empty()).collect::<Vec<_>>().join("\n")
}

/// Everything that is logged from now on by this thread, down to traces.
pub(crate) fn captured_logs() -> Logs {
    let text = Arc::new(Mutex::new(Vec::new()));
    let writer = LogWriter(Arc::clone(&text));
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    // With a single dispatcher, a log line that another thread comes by first would be switched off for all of them.
    let second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    Logs { text, _guard: tracing::subscriber::set_default(subscriber), _second: second }
}

/// Captured logs; capturing ends when this is dropped.
pub(crate) struct Logs {
    text: Arc<Mutex<Vec<u8>>>,
    _guard: tracing::subscriber::DefaultGuard,
    _second: tracing::Dispatch,
}

impl Logs {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

#[derive(Clone)]
struct LogWriter(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
pub(crate) struct ManualClock(AtomicI64);

impl Default for ManualClock {
    fn default() -> Self {
        Self(AtomicI64::new(1_795_000_000_000))
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

struct OneKey;

impl Vault for OneKey {
    fn open(&self, reference: &str) -> Result<Secret, String> {
        match reference {
            "env:MODEL_KEY" => Ok(Secret::new(KEY.to_owned())),
            other => Err(format!("{other} is not set")),
        }
    }

    fn open_for(&self, reference: &str, _: &str, _: &str) -> Result<Secret, String> {
        self.open(reference)
    }
}

/// All frames, kept.
pub(crate) struct Frames {
    sent: broadcast::Sender<Arc<Frame>>,
    all: Mutex<Vec<Frame>>,
}

impl Default for Frames {
    fn default() -> Self {
        Self { sent: broadcast::channel(1024).0, all: Mutex::default() }
    }
}

impl Frames {
    pub(crate) fn all(&self) -> Vec<Frame> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Live for Frames {
    fn publish(&self, frame: Frame) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).push(frame.clone());
        // Nobody may be looking.
        let _ = self.sent.send(Arc::new(frame));
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<Frame>> {
        self.sent.subscribe()
    }

    fn snapshot(&self) -> Vec<Arc<Frame>> {
        Vec::new()
    }

    fn end(&self, _: &str) {}

    fn watched(&self) -> bool {
        true
    }
}
