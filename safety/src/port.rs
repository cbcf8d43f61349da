//! The ports: all that Jarvis needs from outside, as traits.
//!
//! `memory` implements the ones that keep things, `mcp-server` joins them to the rest. Every method that changes
//! something takes the audit row that tells of it: the change and the row are one transaction, or neither is.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::broadcast;

use crate::actor::Actor;
use crate::approval::{Approval, ApprovalState};
use crate::bar::Bar;
use crate::call::CallRecord;
use crate::conversation::{Conversation, Entry, Turn, TurnState, Uttered};
use crate::digest::Digest;
use crate::doubt::Doubt;
use crate::event::{Draft, Event, EventKind};
use crate::frame::Frame;
use crate::grant::Grant;
use crate::id::{ActorId, ApprovalId, CallId, ConversationId, GrantId, SessionId, TokenId, TurnId};
use crate::identity::{Admission, Session, Source, Token, TokenGrant, Whence};
use crate::kernel::KillSwitch;
use crate::mount::MountView;
use crate::outcome::Outcome;
use crate::setting::{AuditReads, Settings};
use crate::target::Target;
use crate::tool::Undo;

/// Why the store could not.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// It was not even tried, or certainly undone. Nothing was kept.
    #[error("the store is not available, nothing was kept: {0}")]
    Unavailable(String),
    /// The commit failed: it may or may not have been kept. Ask again with the same key.
    #[error("the store could not confirm the commit, it may or may not have been kept: {0}")]
    Unknown(String),
    /// What was asked for is not there.
    #[error("{0} is not there")]
    NotFound(String),
    /// What was asked for contradicts what is there.
    #[error("{0}")]
    Conflict(String),
}

/// Result of a port.
pub type Stored<T> = Result<T, StoreError>;

/// The time.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970, UTC.
    fn now(&self) -> i64;
}

/// Fresh, time-ordered, unguessable-enough numbers for ids (UUID version 7). Secrets are not made from these.
pub trait Ids: Send + Sync {
    /// The next one.
    fn next(&self) -> u128;
}

/// What became of an intent.
#[derive(Debug, Clone)]
pub enum Intended {
    /// It is durable; run now.
    Recorded,
    /// The approval's step was spent before, or its card is no longer approved.
    AlreadySpent,
    /// A call of the same actor with the same key is there already.
    Known(Box<CallRecord>),
    /// It must not begin; nothing was kept.
    Barred(Bar),
    /// The same call was made so often lately; nothing was kept.
    TooOften(u64),
    /// The grant is used up, over or taken back; nothing was kept.
    Ungranted(GrantId),
}

/// How often the same call (actor, tool, canonical arguments, kind and name of the target) may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Calls that were intended since this time count.
    pub since: i64,
    /// Most of them.
    pub most: u64,
}

/// What became of a question.
#[derive(Debug, Clone)]
pub enum Asked {
    /// A new card is up.
    New,
    /// The same question (actor and digest) is open already: this is its card.
    Joined(Box<Approval>),
    /// The actor has as many open questions as it may have; nothing was kept.
    Full,
}

/// What a person said to the same question before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Said {
    /// So often yes.
    pub yes: u64,
    /// So often no.
    pub no: u64,
}

/// Cards whose time is over, and when the next one is due.
#[derive(Debug, Clone, Default)]
pub struct Due {
    /// Pending and lapsed; at most 200, the oldest first.
    pub cards: Vec<Approval>,
    /// When the next pending card lapses: a time that is past while there are more than 200.
    pub next: Option<i64>,
}

/// A person's decision on a card.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The card.
    pub approval: ApprovalId,
    /// `Approved` or `Denied`; `Expired` and `Stale` when Jarvis himself lapses it.
    pub state: ApprovalState,
    /// Who decided.
    pub by: ActorId,
    /// A word back.
    pub because: Option<String>,
    /// Steps that are left out of what is approved, from 0; at least one other is not.
    pub without: Vec<u32>,
    /// Whether the question was taken back, and is denied for that.
    pub withdrawn: bool,
    /// When.
    pub at: i64,
}

impl Decision {
    /// Jarvis himself lapses a card.
    pub(crate) fn void(card: &Approval, state: ApprovalState, because: String, at: i64) -> Self {
        let by = Actor::system().id;
        Self { approval: card.id.clone(), state, by, because: Some(because), without: Vec::new(), withdrawn: false, at }
    }
}

/// What the gate keeps: calls, approvals, the kill switch, and the audit rows of all of them.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Appends one row. `Wal` answers once it survives a killed process and fsyncs within 5 ms; `Fsync` first.
    async fn append(&self, draft: Draft, reads: AuditReads) -> Stored<u64>;
    /// Makes an intent durable (fsynced). With `record.approval`, spends that step in the same transaction: the card
    /// must be `Approved` or `Running`, the step `Waiting`, and all steps before it `Done`. The kill switch, revoked
    /// tokens and the call that this one takes back are looked at in that transaction; the latter is marked as undone
    /// by this one. With `record.grant` that grant must be live at `record.created_at`, and counts one more call. With a pace the same calls before it are counted there too. The very same record of an approved step,
    /// handed in again because its commit was in doubt, is answered as the first time.
    async fn intend(&self, record: &CallRecord, pace: Option<Pace>, draft: Draft) -> Stored<Intended>;
    /// Records what came of a call, its undo, and moves step and card on: after the last step the card is `Done`; after
    /// a step that is not `Done` the card takes that state (`Failed` for a cancelled one) and the rest is `Skipped`.
    /// With `undoes`, that call is no longer undone if this one certainly did not happen.
    async fn settle(
        &self,
        outcome: &Outcome,
        undo: Option<&Undo>,
        undoes: Option<&CallId>,
        at: i64,
        draft: Draft,
    ) -> Stored<()>;
    /// One call above green.
    async fn call(&self, id: &CallId) -> Stored<Option<CallRecord>>;
    /// The call above green that an actor made with a key.
    async fn keyed(&self, actor: &ActorId, key: &str) -> Stored<Option<CallRecord>>;
    /// Calls whose outcome is not recorded, whoever carries them.
    async fn unsettled_calls(&self) -> Stored<Vec<CallRecord>>;
    /// Calls whose outcome is not recorded and that nobody else carries; they are this process's from now on. Those that
    /// it has in hand are among them.
    async fn abandoned_calls(&self) -> Stored<Vec<CallRecord>>;
    /// Cards that were approved, have not ended, and that nobody else carries; they are this process's from now on. Those
    /// that it has in hand are among them.
    async fn abandoned_cards(&self) -> Stored<Vec<Approval>>;
    /// How many calls of this tool with these canonical arguments, on a target of this kind and name, were intended by
    /// this actor since a time. The id is not compared: that of a file changes with its content.
    async fn repeats(&self, actor: &ActorId, tool: &str, args: &Value, target: &Target, since: i64) -> Stored<u64>;

    /// Puts up a card, unless the same actor's same question is pending, or `most_open` others of this actor are.
    async fn ask(&self, approval: &Approval, most_open: u32, draft: Draft) -> Stored<Asked>;
    /// How this actor's same question was decided by a person since a time. Neither what was taken back counts, nor what
    /// a client confirmed by its own form.
    async fn said(&self, actor: &ActorId, question: &Digest, since: i64) -> Stored<Said>;
    /// Pending cards that lapsed at or before a time, and when the next one does.
    async fn due(&self, now: i64) -> Stored<Due>;
    /// Decides a card. `Approved`, `Denied` and `Expired` need it `Pending`; `Stale` needs it `Approved`, or `Running`
    /// with no step that runs, and turns its waiting steps to `Skipped`; steps that are left out turn to `Denied`. Answers whether it was in that state; if not, nothing is kept, the draft
    /// neither.
    async fn decide(&self, decision: &Decision, draft: Draft) -> Stored<bool>;
    /// One card.
    async fn approval(&self, id: &ApprovalId) -> Stored<Option<Approval>>;
    /// Cards in one of these states (all when empty), newest first.
    async fn approvals(&self, states: &[ApprovalState], limit: u32) -> Stored<Vec<Approval>>;
    /// The finished card of the same actor and question since a time whose outcome nobody was handed: hands it, once.
    async fn hand_over(&self, actor: &ActorId, question: &Digest, since: i64) -> Stored<Option<Approval>>;
    /// The card that an actor's call with a key put up.
    async fn card_keyed(&self, actor: &ActorId, key: &str) -> Stored<Option<Approval>>;
    /// Notes that a waiting caller has received the outcome.
    async fn handed(&self, approval: &ApprovalId) -> Stored<()>;

    /// Calls and jobs of which nobody can tell what came of them and that nobody has acknowledged, newest first; of this
    /// actor, or of all. A job in doubt stands for its call.
    async fn doubts(&self, actor: Option<&ActorId>, limit: u32) -> Stored<Vec<Doubt>>;
    /// A person has looked at what became of a call or a job in doubt. Answers whether it was, and was not acknowledged
    /// before; if not, nothing is kept, the draft neither.
    async fn acknowledge(&self, subject: &str, at: i64, draft: Draft) -> Stored<bool>;

    /// Keeps a grant.
    async fn grant(&self, grant: &Grant, draft: Draft) -> Stored<()>;
    /// Grants, newest first: those that are live at a time, or all.
    async fn grants(&self, live_at: Option<i64>) -> Stored<Vec<Grant>>;
    /// Takes a grant back. Answers whether it was there and not taken back before.
    async fn revoke_grant(&self, id: &GrantId, at: i64, draft: Draft) -> Stored<bool>;

    /// The durable flag.
    async fn kill_switch(&self) -> Stored<KillSwitch>;
    /// Sets it, fsynced.
    async fn set_kill_switch(&self, kill: KillSwitch, draft: Draft) -> Stored<()>;
}

/// Which events.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only those with this owner or actor; `None` sees all.
    pub audience: Option<ActorId>,
    /// Only these kinds (all when empty).
    pub kinds: Vec<EventKind>,
    /// Only of this actor.
    pub actor: Option<ActorId>,
    /// Only about this.
    pub subject: Option<String>,
}

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    /// Rows checked.
    pub rows: u64,
    /// Bodies checked.
    pub bodies: u64,
    /// Bodies erased on purpose.
    pub erased: u64,
    /// Last sequence.
    pub head: u64,
    /// Hash of the last row.
    pub hash: String,
    /// Sequence that the seal vouches for.
    pub sealed: u64,
    /// Everything that does not fit, a sentence each; at most 20.
    pub faults: Vec<String>,
    /// When.
    pub at: i64,
}

/// The audit as one resumable stream.
#[async_trait]
pub trait Feed: Send + Sync {
    /// Sequence of the newest row.
    fn head(&self) -> u64;
    /// Newly committed rows, in order. A receiver that lags reads on with [`Feed::after`]. Each row wakes whoever waits for
    /// one: what only counts, or wants few of them, rather [observes](Feed::observe).
    fn subscribe(&self) -> broadcast::Receiver<Arc<Event>>;
    /// Lets an observer see every row that is committed from now on.
    fn observe(&self, observer: Observer);
    /// Rows after a sequence, oldest first.
    async fn after(&self, seq: u64, filter: &EventFilter, limit: u32) -> Stored<Vec<Event>>;
    /// Rows before a sequence, newest first.
    async fn before(&self, seq: u64, filter: &EventFilter, limit: u32) -> Stored<Vec<Event>>;
    /// One row and its body, if that is still there.
    async fn event(&self, seq: u64) -> Stored<Option<(Event, Option<Value>)>>;
    /// Checks every row, every kept body, and the seal.
    async fn verify(&self) -> Stored<Verification>;
}

/// Sees each row, in order, on the thread that committed it: it must neither wait nor ask the store.
pub type Observer = Box<dyn Fn(&Arc<Event>) + Send + Sync>;

/// Live frames.
pub trait Live: Send + Sync {
    /// Shows a frame to whoever looks.
    fn publish(&self, frame: Frame);
    /// Frames from now on, coalesced over at most 50 ms per subject and kind.
    fn subscribe(&self) -> broadcast::Receiver<Arc<Frame>>;
    /// The latest frame of each subject and kind: what a client that has just connected should see first.
    fn snapshot(&self) -> Vec<Arc<Frame>>;
    /// Forgets a subject that has ended.
    fn end(&self, subject: &str);
    /// Whether anybody looks at all; samplers rest when nobody does.
    fn watched(&self) -> bool;
}

/// Who may come in.
#[async_trait]
pub trait Identities: Send + Sync {
    /// Whether the operator's password is set.
    async fn operator_exists(&self) -> Stored<bool>;
    /// The one-time code with which the password can be set for the first time; `None` once it is set.
    async fn setup_code(&self) -> Stored<Option<String>>;
    /// Sets the password. Ends all sessions.
    async fn set_password(&self, password: &str, draft: Draft) -> Stored<()>;
    /// Whether this is the password. Takes about 50 ms on purpose.
    async fn check_password(&self, password: &str) -> Stored<bool>;
    /// Counts an attempt to sign in, if it is not one too many: 5 a minute of one source, 60 of all distant ones, and 15 of a
    /// distant one until it has made none for 15 minutes.
    async fn admit(&self, source: &Source) -> Stored<Admission>;
    /// The attempt was right: its source starts anew.
    async fn forgive(&self, source: &Source) -> Stored<()>;
    /// When the model behind this actor was last handed what strangers may have written.
    async fn heard(&self, actor: &ActorId) -> Stored<Option<i64>>;
    /// It is handed that now. Durable before the text is.
    async fn hear(&self, actor: &ActorId, at: i64) -> Stored<()>;
    /// Opens a session; the text is its secret, and is not kept.
    async fn open_session(&self, whence: Whence, draft: Draft) -> Stored<(Session, String)>;
    /// The session with this secret, unless it has ended.
    async fn session(&self, secret: &str) -> Stored<Option<Session>>;
    /// Sessions that are open, newest first.
    async fn sessions(&self) -> Stored<Vec<Session>>;
    /// Ends a session. Answers whether it was open.
    async fn close_session(&self, id: &SessionId, draft: Draft) -> Stored<bool>;
    /// Ends all sessions but this one. Answers how many.
    async fn close_others(&self, kept: &SessionId, draft: Draft) -> Stored<u64>;
    /// Makes a token; the text is its secret, and is not kept.
    async fn create_token(&self, id: TokenId, grant: TokenGrant, draft: Draft) -> Stored<(Token, String)>;
    /// The token with this secret, unless it was revoked or is over.
    async fn token(&self, secret: &str) -> Stored<Option<Token>>;
    /// Counts a request of a token that has a limit. Answers the milliseconds to wait if it is one too many. Replicas count
    /// together.
    async fn pace(&self, id: &TokenId) -> Stored<Option<i64>>;
    /// All tokens, newest first.
    async fn tokens(&self) -> Stored<Vec<Token>>;
    /// Revokes a token. Answers whether it was there and alive.
    async fn revoke_token(&self, id: &TokenId, draft: Draft) -> Stored<bool>;
    /// The actor as it stands now; `None` once its token is revoked or over.
    async fn standing(&self, id: &ActorId) -> Stored<Option<Actor>>;
    /// Session or token ids that have just ended: streams that belong to them must end.
    fn ended(&self) -> broadcast::Receiver<String>;
}

/// Conversations and turns.
#[async_trait]
pub trait Conversations: Send + Sync {
    /// Begins a conversation with its first turn, unless the turn's key is known.
    async fn begin(&self, conversation: &Conversation, first: &Turn, draft: Draft) -> Stored<Uttered>;
    /// One conversation.
    async fn conversation(&self, id: &ConversationId) -> Stored<Option<Conversation>>;
    /// Conversations of an owner (`None`: of all) whose title or words hold `search`, newest first.
    async fn conversations(&self, owner: Option<&ActorId>, search: &str, limit: u32) -> Stored<Vec<Conversation>>;
    /// Gives it another title.
    async fn rename(&self, id: &ConversationId, title: &str, draft: Draft) -> Stored<()>;
    /// Erases it, its turns, and the bodies of the events that told of them. The chain stays whole.
    async fn delete(&self, id: &ConversationId, draft: Draft) -> Stored<()>;
    /// Adds a turn, unless its key is known.
    async fn add_turn(&self, turn: &Turn, draft: Draft) -> Stored<Uttered>;
    /// One turn and its log.
    async fn turn(&self, id: &TurnId) -> Stored<Option<(Turn, Vec<Entry>)>>;
    /// All turns of a conversation with their logs, oldest first.
    async fn turns(&self, id: &ConversationId) -> Stored<Vec<(Turn, Vec<Entry>)>>;
    /// One step: appends entries and moves the state, in one transaction. A `Partial` at the end of the log is
    /// replaced. With no draft no audit row is written (used for `Partial`). Refused with `Conflict` if the turn has
    /// already ended.
    async fn step(&self, id: &TurnId, entries: &[Entry], state: TurnState, draft: Option<Draft>) -> Stored<()>;
    /// Turns that are running or waiting, whoever carries them.
    async fn open_turns(&self) -> Stored<Vec<Turn>>;
    /// Those that nobody else carries; they are this process's from now on. Those that it has in hand are among them.
    async fn abandoned_turns(&self) -> Stored<Vec<Turn>>;
}

/// Settings.
#[async_trait]
pub trait SettingStore: Send + Sync {
    /// The settings as they are.
    async fn settings(&self) -> Stored<Settings>;
    /// Replaces them.
    async fn save(&self, settings: &Settings, draft: Draft) -> Stored<()>;
}

/// One text that can be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Key that a search answers.
    pub key: String,
    /// Words that count most: names.
    pub name: String,
    /// Sentences that mean it.
    pub examples: String,
    /// Description.
    pub text: String,
}

/// Full-text search over a small fixed set of documents, held in memory.
pub trait Index: Send + Sync {
    /// The best matches of free text, best first, with a score that compares within one answer only.
    fn search(&self, text: &str, limit: usize) -> Vec<(String, f32)>;
}

/// Mounted MCP servers, as they are.
pub trait MountDesk: Send + Sync {
    /// All of them, by name.
    fn mounts(&self) -> Vec<MountView>;

    /// Whether one of this name stands in `jarvis.toml`, where it cannot be changed from outside.
    fn is_configured(&self, name: &str) -> bool;

    /// Brings what calls find in line with the settings, before it returns.
    fn apply(&self);

    /// Reaches one again now instead of later. False if there is none of this name.
    fn retry(&self, name: &str) -> bool;
}
