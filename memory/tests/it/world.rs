//! A store in a temporary directory with a clock and ids that the test turns by hand, and things to put into it.
//!
//! The same tests are compiled into two binaries: `it` keeps everything in SQLite, `postgres` in databases of its own on
//! the server that `JARVIS_TEST_POSTGRES` names.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use jarvis_memory::{Database, OpenError, Options, Store};
use jarvis_safety::approval::{Approval, ApprovalState, Step, StepState};
use jarvis_safety::call::{CallRecord, CallState, Origin, Vouching};
use jarvis_safety::conversation::{Conversation, Turn, TurnState};
use jarvis_safety::event::{Draft, EventKind};
use jarvis_safety::outcome::Outcome;
use jarvis_safety::port::{Clock, Feed as _, Ids, Ledger as _, Verification};
use jarvis_safety::secret::Redactor;
use jarvis_safety::setting::AuditReads;
use jarvis_safety::tool::Preview;
use jarvis_safety::{Actor, ActorId, ApprovalId, CallId, ConversationId, Digest, Target, Tier, TurnId};
use serde_json::{Value, json};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};
use tempfile::TempDir;

use crate::scratch::{Scratch, connect, execute};

pub(crate) struct HandClock(AtomicI64);

impl HandClock {
    pub(crate) fn turn(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

pub(crate) struct CountedIds(AtomicU64);

impl Ids for CountedIds {
    fn next(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::SeqCst))
    }
}

/// The first moment of every test.
pub(crate) const START: i64 = 1_700_000_000_000;

/// Whether this binary keeps everything in PostgreSQL.
pub(crate) const ON_POSTGRES: bool = matches!(env!("CARGO_CRATE_NAME").as_bytes(), b"postgres");

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) ids: Arc<CountedIds>,
    pub(crate) data: PathBuf,
    // Both are removed at the end; `None` where somebody else does.
    scratch: Option<Arc<Scratch>>,
    dir: Option<TempDir>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let scratch = if ON_POSTGRES { Some(Arc::new(Scratch::new().await)) } else { None };
        Self::on(scratch).await
    }

    /// A new world in a database that is there.
    pub(crate) async fn on(scratch: Option<Arc<Scratch>>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut world = Self::open_at(dir.path().join("data"), scratch, 1).await.unwrap();
        world.dir = Some(dir);
        world
    }

    /// Opens a directory that somebody else removes; ids count from `first`.
    pub(crate) async fn at(data: PathBuf, first: u64) -> Result<Self, OpenError> {
        Self::open_at(data, None, first).await
    }

    pub(crate) async fn open_at(data: PathBuf, scratch: Option<Arc<Scratch>>, first: u64) -> Result<Self, OpenError> {
        let clock = Arc::new(HandClock(AtomicI64::new(START)));
        let ids = Arc::new(CountedIds(AtomicU64::new(first)));
        let options = Options {
            data: data.clone(),
            clock: Arc::clone(&clock) as _,
            ids: Arc::clone(&ids) as _,
            redactor: Redactor::default(),
        };
        let database = scratch.as_ref().map_or(Database::Directory, |scratch| scratch.database());
        Ok(Self { store: Store::open_on(database, options).await?, clock, ids, data, scratch, dir: None })
    }

    /// Another replica: a data directory of its own with the same key, on the same database.
    pub(crate) async fn replica(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        std::fs::create_dir_all(data.join("keys")).unwrap();
        std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o700)).unwrap();
        std::fs::copy(self.data.join("keys/audit.key"), data.join("keys/audit.key")).unwrap();
        Self { dir: Some(dir), ..self.beside(data).await.unwrap() }
    }

    /// Opens another data directory on the same database.
    pub(crate) async fn beside(&self, data: PathBuf) -> Result<Self, OpenError> {
        static REPLICAS: AtomicU64 = AtomicU64::new(1);
        let first = REPLICAS.fetch_add(1, Ordering::SeqCst) * 1_000_000;
        Self::open_at(data, self.scratch.clone(), first).await
    }

    /// Takes the closed database away.
    pub(crate) async fn empty(&self) {
        match &self.scratch {
            Some(scratch) => {
                scratch.cut().await;
                let Scratch { server, name } = &**scratch;
                execute(server, &format!("drop schema {name} cascade; create schema {name}")).await;
            }
            None => std::fs::remove_file(self.data.join("jarvis.db")).unwrap(),
        }
    }

    /// Opens the same once more, as it is configured.
    pub(crate) async fn open(&self) -> Result<Store, OpenError> {
        Store::open_on(self.database(), self.options()).await
    }

    pub(crate) fn scratch(&self) -> &Scratch {
        self.scratch.as_ref().unwrap()
    }

    pub(crate) fn database(&self) -> Database {
        self.scratch.as_ref().map_or(Database::Directory, |scratch| scratch.database())
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            data: self.data.clone(),
            clock: Arc::clone(&self.clock) as _,
            ids: Arc::clone(&self.ids) as _,
            redactor: Redactor::default(),
        }
    }

    /// Ends this process's hold on the directory and opens it again, as a restart does.
    pub(crate) async fn restart(mut self) -> Self {
        self.store.close().await;
        self.store = self.open().await.unwrap();
        self
    }

    pub(crate) fn id(&self) -> u128 {
        self.ids.next()
    }

    pub(crate) fn call_id(&self) -> CallId {
        CallId::new(self.id())
    }

    pub(crate) async fn append(&self, draft: Draft) -> u64 {
        self.store.append(draft, AuditReads::Wal).await.unwrap()
    }

    pub(crate) async fn verify(&self) -> Verification {
        self.store.verify().await.unwrap()
    }

    /// The verification without a fault.
    pub(crate) async fn whole(&self) -> Verification {
        let found = self.verify().await;
        assert_eq!(found.faults, Vec::<String>::new());
        found
    }

    /// A connection beside the store, as a burglar has it.
    pub(crate) async fn burglar(&self) -> AnyConnection {
        match &self.scratch {
            Some(scratch) => connect(&scratch.url()).await,
            None => burglar(&self.data).await,
        }
    }

    pub(crate) async fn tamper(&self, sql: &str) {
        let mut connection = self.burglar().await;
        connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
        connection.close().await.unwrap();
    }

    pub(crate) fn record(&self, key: Option<&str>) -> CallRecord {
        CallRecord {
            id: self.call_id(),
            actor: client().id,
            origin: Origin { face: "api".to_owned(), correlation: "c-1".to_owned(), ..Origin::default() },
            tool: "docker_restart".to_owned(),
            revision: 1,
            args: json!({ "container": "web" }),
            target: web(),
            tier: Tier::Yellow,
            digest: Digest::of(b"restart web"),
            key: key.map(str::to_owned),
            approval: None,
            grant: None,
            rule: "level 3".to_owned(),
            state: CallState::Running,
            created_at: self.clock.now(),
            outcome: None,
            undo: None,
            undone_by: None,
        }
    }

    pub(crate) fn card(&self, question: &str, steps: usize) -> Approval {
        let step = |_| Step {
            call: self.call_id(),
            tool: "docker_remove".to_owned(),
            revision: 1,
            args: json!({ "container": "web" }),
            target: web(),
            undoes: None,
            tier: Tier::Red,
            digest: Digest::of(question.as_bytes()),
            sentence: "Removes the container web.".to_owned(),
            preview: Preview::default(),
            rule: "red always asks".to_owned(),
            state: StepState::Waiting,
            outcome: None,
        };
        Approval {
            id: ApprovalId::new(self.id()),
            actor: client(),
            origin: Origin { face: "api".to_owned(), words: Some("remove web".to_owned()), ..Origin::default() },
            vouching: Vouching::Client,
            state: ApprovalState::Pending,
            tier: Tier::Red,
            rule: "red always asks".to_owned(),
            digest: Digest::of(question.as_bytes()),
            question: Digest::of(question.as_bytes()),
            key: None,
            policy: Digest::of(b"policy"),
            steps: (0..steps).map(step).collect(),
            proposes_grant: false,
            created_at: self.clock.now(),
            expires_at: self.clock.now() + 900_000,
            decided_at: None,
            decided_by: None,
            because: None,
            finished_at: None,
        }
    }

    pub(crate) fn conversation(&self, title: &str) -> Conversation {
        Conversation {
            id: ConversationId::new(self.id()),
            owner: client().id,
            title: title.to_owned(),
            created_at: self.clock.now(),
            updated_at: self.clock.now(),
            turns: 0,
        }
    }

    pub(crate) fn turn(&self, conversation: &Conversation, asked: &str) -> Turn {
        Turn {
            id: TurnId::new(self.id()),
            conversation: conversation.id.clone(),
            parent: None,
            actor: client().id,
            asked: asked.to_owned(),
            state: TurnState::Running,
            created_at: self.clock.now(),
            key: None,
        }
    }
}

pub(crate) async fn burglar(data: &std::path::Path) -> AnyConnection {
    connect(&format!("sqlite://{}?mode=rw", data.join("jarvis.db").display())).await
}

/// SQL that the two databases do not share.
pub(crate) const fn either(sqlite: &'static str, postgres: &'static str) -> &'static str {
    if ON_POSTGRES { postgres } else { sqlite }
}

pub(crate) fn client() -> Actor {
    Actor { id: ActorId::new("token:tok_x"), name: "client".to_owned(), ..Actor::local() }
}

pub(crate) fn web() -> Target {
    Target::new("container", "sha256:0123", "web")
}

/// A row of a kind about something, with a body.
pub(crate) fn row(kind: EventKind, subject: &str) -> Draft {
    Draft {
        kind,
        actor: client().id,
        owner: client().id,
        subject: subject.to_owned(),
        correlation: "c-1".to_owned(),
        tool: Some("docker_list".to_owned()),
        tier: Some(Tier::Green),
        summary: format!("{} of {subject}", kind.as_str()),
        body: Some(json!({ "words": format!("about {subject}") })),
    }
}

pub(crate) fn read(subject: &str) -> Draft {
    row(EventKind::CallRead, subject)
}

pub(crate) fn outcome(record: &CallRecord, state: CallState) -> Outcome {
    Outcome {
        call: record.id.clone(),
        tool: record.tool.clone(),
        tier: record.tier,
        target: record.target.clone(),
        state,
        output: if state == CallState::Done { json!({ "ok": true }) } else { Value::Null },
        words: "web was restarted".to_owned(),
        error: None,
        untrusted: false,
        undoable: false,
        millis: 3,
        rule: record.rule.clone(),
    }
}
