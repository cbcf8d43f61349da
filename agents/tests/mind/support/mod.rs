//! A house with lamps: a real gate over a ledger in memory, a mind, and a scripted model if a test wants one.

mod conversations;
mod lamps;
mod ledger;
pub(crate) mod model;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jarvis_agents::{After, Mind, MindParts, Patience, Prompts, Said};
use jarvis_safety::approval::{Approval, ApprovalState};
use jarvis_safety::call::Origin;
use jarvis_safety::conversation::{Entry, Turn};
use jarvis_safety::event::Draft;
use jarvis_safety::frame::Frame;
use jarvis_safety::id::{SessionId, TokenId};
use jarvis_safety::identity::{Session, Token, TokenGrant};
use jarvis_safety::kernel::{Approver, Gate, GateParts, KillSwitch, Policy};
use jarvis_safety::port::{Clock, Identities, Ids, Index, Ledger as _, Live, Secret, StoreError, Stored, Vault};
use jarvis_safety::setting::{ModelSetting, Settings};
use jarvis_safety::{Actor, ActorId, ApprovalId, Refusal, TurnId};
use tokio::sync::broadcast;

pub(crate) use conversations::MemoryConversations;
pub(crate) use lamps::Lamps;
pub(crate) use ledger::MemoryLedger;
pub(crate) use model::{ModelServer, Reply};

/// The key that must never be seen anywhere but at the model server.
pub(crate) const KEY: &str = "sk-very-secret-key-4711";

/// Everything that outlives a restart, and the gate.
pub(crate) struct House {
    pub(crate) lamps: Arc<Lamps>,
    pub(crate) ledger: Arc<MemoryLedger>,
    pub(crate) conversations: Arc<MemoryConversations>,
    pub(crate) live: Arc<Frames>,
    pub(crate) gate: Gate,
    /// How long a silent model server is put up with.
    pub(crate) idle: Duration,
    clock: Arc<ManualClock>,
    ids: Arc<Counter>,
}

impl House {
    /// A house without a model.
    pub(crate) fn new() -> Self {
        let lamps = Arc::new(Lamps::default());
        let ledger = Arc::new(MemoryLedger::default());
        let live = Arc::new(Frames::default());
        let (clock, ids) = (Arc::new(ManualClock::default()), Arc::new(Counter::default()));
        let gate = Gate::new(GateParts {
            registry: lamps::registry(&lamps),
            ledger: Arc::clone(&ledger) as _,
            identities: Arc::new(Everybody),
            live: Arc::clone(&live) as _,
            clock: Arc::clone(&clock) as _,
            ids: Arc::clone(&ids) as _,
            settings: Settings::default(),
            policy: Ok(Policy::default()),
            kill: KillSwitch::Off,
        });
        let conversations = Arc::new(MemoryConversations::default());
        let idle = Duration::from_millis(400);
        Self { lamps, ledger, conversations, live, gate, idle, clock, ids }
    }

    /// A house with a model that reads so many tokens.
    pub(crate) fn with_model(server: &ModelServer, context: u32) -> Self {
        let house = Self::new();
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

    /// A mind in this house; a test drops it to crash it.
    pub(crate) fn mind(&self) -> Mind {
        let parts = MindParts {
            gate: self.gate.clone(),
            conversations: Arc::clone(&self.conversations) as _,
            identities: Arc::new(Everybody),
            live: Arc::clone(&self.live) as _,
            index: Arc::new(WordIndex::over(&self.gate)),
            vault: Arc::new(OneKey),
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
        self.conversations.ended(&turn.id).await
    }

    /// Turns the clock.
    pub(crate) fn pass(&self, time: Duration) {
        self.clock.0.fetch_add(i64::try_from(time.as_millis()).expect("a short while"), Ordering::SeqCst);
    }

    /// The cards that are open.
    pub(crate) async fn cards(&self) -> Vec<Approval> {
        self.ledger.approvals(&[ApprovalState::Pending], 100).await.expect("the ledger")
    }

    /// Waits until a turn waits for a card, and answers its id.
    pub(crate) async fn card_of(&self, turn: &TurnId) -> ApprovalId {
        let waits = |entry: &Entry| matches!(entry, Entry::Waiting { .. });
        let (_, log) = self.conversations.wait_for(turn, |_, log| log.iter().any(waits)).await;
        let id = log.iter().find_map(|entry| match entry {
            Entry::Waiting { approval, .. } => Some(approval.clone()),
            _ => None,
        });
        id.expect("a card")
    }

    pub(crate) async fn approve(&self, card: &ApprovalId) {
        let approver = Approver::of(&Actor::operator()).expect("the operator may");
        self.gate.approve(&approver, card, &Origin::default()).await.expect("approved");
    }

    pub(crate) async fn deny(&self, card: &ApprovalId, because: &str) {
        let approver = Approver::of(&Actor::operator()).expect("the operator may");
        self.gate.deny(&approver, card, because, &Origin::default()).await.expect("denied");
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
    mind.say(&Actor::operator(), origin(), Said { text: text.to_owned(), conversation, after }).await
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

/// Finds tools by the number of words they share with the question.
struct WordIndex(Vec<(String, String)>);

impl WordIndex {
    fn over(gate: &Gate) -> Self {
        let text = |tool: &jarvis_safety::kernel::Described| {
            format!("{} {} {}", tool.spec.name.replace('_', " "), tool.description, tool.spec.examples.join(" "))
        };
        let tools = gate.registry().described();
        Self(tools.map(|tool| (tool.spec.name.to_owned(), text(tool).to_lowercase())).collect())
    }
}

impl Index for WordIndex {
    fn search(&self, text: &str, limit: usize) -> Vec<(String, f32)> {
        let text = text.to_lowercase();
        let words: Vec<_> = text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 2).collect();
        let score = |tool: &str| {
            let known: Vec<_> = tool.split(|c: char| !c.is_alphanumeric()).collect();
            words.iter().filter(|word| known.contains(word)).count() as f32
        };
        let mut found: Vec<_> = self.0.iter().map(|(name, tool)| (name.clone(), score(tool))).collect();
        found.retain(|(_, score)| *score > 0.0);
        found.sort_by(|a, b| b.1.total_cmp(&a.1));
        found.truncate(limit);
        found
    }
}

/// The built-in actors stand; there are no tokens and no sessions.
pub(crate) struct Everybody;

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
