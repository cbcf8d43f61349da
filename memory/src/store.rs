//! The store: opening it, closing it, and what its handles share.

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use jarvis_safety::JobId;
use jarvis_safety::event::Event;
use jarvis_safety::port::{Clock, Ids, StoreError};
use jarvis_safety::secret::Redactor;
use sqlx::AnyPool;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::chain::{Chain, Head};
use crate::change::{Durability, Job};
use crate::dialect::{Connection, Database, Dialect, Engine, Listening, Lookup};
use crate::directory::{self, Directory};
use crate::error::OpenError;
use crate::feed::stored_head;
use crate::follow::Followers;
use crate::lease::{self, Lease};
use crate::mark::Mark;
use crate::password::Operator;
use crate::session::Sessions;
use crate::sync::{self, Alarm};
use crate::tear::Tears;
use crate::token::Tokens;
use crate::writer::{self, Handle, Log, Look, Observers, Outlets, QUEUE, Writer};
use crate::{grant, key, migration, seal, setting};

/// Ended sessions and tokens that a slow stream may lag behind.
const ENDED: usize = 256;

/// Word of jobs elsewhere that whoever follows one may lag behind.
const ELSEWHERE: usize = 1024;

/// How often expired sessions are looked for; their streams end then.
const EXPIRY: Duration = Duration::from_secs(15);

/// How to open the store.
pub struct Options {
    /// The data directory. Created if it is not there; owned by one process at a time. Also with PostgreSQL it holds the
    /// keys and the seal: replicas have one each, with the same `keys/audit.key`.
    pub data: PathBuf,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Ids for what the store itself makes: sessions.
    pub ids: Arc<dyn Ids>,
    /// Strikes secrets out of what is kept for people to read.
    pub redactor: Redactor,
}

/// Everything that is kept. Clones share one store.
///
/// Call [`Store::close`] before the process ends or the directory is opened again; a store that is merely dropped
/// finishes what was handed in, and lets go of the directory a moment later.
#[derive(Clone)]
pub struct Store(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) directory: Arc<Directory>,
    pub(crate) chain: Arc<Chain>,
    pub(crate) readers: AnyPool,
    pub(crate) lookup: Lookup,
    pub(crate) writer: Handle,
    pub(crate) redactor: Redactor,
    /// This process, where others may use the same database.
    pub(crate) replica: Option<Arc<str>>,
    pub(crate) lease: Lease,
    pub(crate) events: broadcast::Sender<Arc<Event>>,
    pub(crate) observers: Observers,
    pub(crate) elsewhere: broadcast::Sender<Arc<Event>>,
    /// Jobs that another replica has moved without a row.
    pub(crate) moved: broadcast::Sender<Option<JobId>>,
    pub(crate) seq: Arc<AtomicU64>,
    pub(crate) operator: Arc<Operator>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) ended: broadcast::Sender<String>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    sealer: Mutex<Option<JoinHandle<()>>>,
    listening: Mutex<Option<Listening>>,
}

impl Store {
    /// Opens the store with SQLite in the data directory; see [`Store::open_on`].
    ///
    /// # Errors
    /// Each says what to do; see [`OpenError`].
    pub async fn open(options: Options) -> Result<Self, OpenError> {
        Self::open_on(Database::Directory, options).await
    }

    /// Opens the store: takes the directory, brings the database to the newest version, compares it with key and seal,
    /// and starts the writer.
    ///
    /// # Errors
    /// Each says what to do; see [`OpenError`].
    pub async fn open_on(database: Database, options: Options) -> Result<Self, OpenError> {
        Self::open_as(database, options, false).await
    }

    /// The same; `dumped` if the database is known to come from a dump.
    pub(crate) async fn open_as(database: Database, options: Options, dumped: bool) -> Result<Self, OpenError> {
        let Options { data, clock, ids, redactor } = options;
        let directory = tokio::task::spawn_blocking(move || Directory::open(&data))
            .await
            .map_err(|error| OpenError::Database(error.to_string()))??;
        let directory = Arc::new(directory);
        let Opened { engine, connection, chain, head, anew } =
            opened(database, &directory, clock.now(), dumped).await?;

        let readers = engine.readers().await?;
        let lookup = engine.lookup(&readers).await?;
        setting::check(&readers).await?;
        let (ended, _) = broadcast::channel(ENDED);
        let followers = Followers {
            operator: Arc::new(Operator::open(&readers, directory.setup_code()).await?),
            sessions: Arc::new(Sessions::open(&lookup, clock.now(), ended.clone()).await?),
            tokens: Arc::new(Tokens::open(&readers, ended.clone()).await?),
        };
        let Followers { operator, sessions, tokens } = followers.clone();

        let outlets = Outlets::new(&head);
        let (events, elsewhere, observers) =
            (outlets.events.clone(), outlets.elsewhere.clone(), Arc::clone(&outlets.observers));
        let (tears, seq) = (Arc::new(Tears::of(anew.is_ok())), Arc::clone(&outlets.seq));
        let (queue, received) = mpsc::channel(QUEUE);
        let (written_seen, durable_seen) = (outlets.written.subscribe(), outlets.durable.subscribe());
        let look = || Look { queue: queue.downgrade(), seq: Arc::clone(&seq) };
        let alarm = Alarm { tears: Arc::clone(&tears), look: look() };
        if let Some(log) = log(&engine, &directory)? {
            tokio::spawn(sync::run(log, alarm, written_seen, Arc::clone(&outlets.durable)));
        }
        let replica = engine.dialect().is_shared().then(|| Arc::from(format!("replica_{:x}", ids.next())));
        let moved = broadcast::Sender::new(ELSEWHERE);
        let listening = engine.listen(look(), replica.as_ref(), &moved);
        let writer = Writer {
            engine,
            connection,
            chain: Arc::clone(&chain),
            clock: Arc::clone(&clock),
            replica: replica.clone(),
            published: head.seq,
            head,
            durability: Durability::Fsync,
            certain: true,
            lost: false,
            log: Log::new(tears, !matches!(anew, Ok(true))),
            lone: 0,
            answers: Vec::new(),
            outlets,
            followers,
            directory: Arc::clone(&directory),
        };
        let writer = writer::start(writer, received)
            .map_err(|error| OpenError::Database(format!("the system gives no thread to write: {error}")))?;
        // The sealer holds the directory: its lock goes when the last seal is written.
        let sealer = tokio::spawn(seal::run(Arc::clone(&directory), Arc::clone(&chain), durable_seen));
        let inner = Arc::new(Inner {
            directory,
            chain,
            readers,
            lookup,
            writer: Handle { queue, redactor: redactor.clone(), writer },
            redactor,
            replica,
            lease: Lease::default(),
            events,
            observers,
            elsewhere,
            moved,
            seq,
            operator,
            sessions,
            tokens,
            ended,
            clock,
            ids,
            sealer: Mutex::new(Some(sealer)),
            listening: Mutex::new(listening),
        });
        tokio::spawn(end_expired(Arc::downgrade(&inner)));
        let store = Self(inner);
        store.appear().await.map(|()| store).map_err(|error| OpenError::Database(error.to_string()))
    }

    /// Rows that other replicas wrote, in their order, for whoever holds in memory what they tell of: the kill switch,
    /// the settings. What the store itself holds has followed by then. Nothing ever comes without replicas; who lags
    /// behind reads everything anew.
    #[must_use]
    pub fn elsewhere(&self) -> broadcast::Receiver<Arc<Event>> {
        self.0.elsewhere.subscribe()
    }

    /// Finishes what was handed in, writes everything to disk, seals the head, and closes the database. Whatever is
    /// asked of the store afterwards is answered with `Unavailable`. Closing twice is fine.
    pub async fn close(&self) {
        self.leave().await;
        // The readers first, so that the writer is the last to leave and folds the log into the database.
        self.0.lookup.close().await;
        self.0.readers.close().await;
        drop(self.0.listening.lock().unwrap_or_else(PoisonError::into_inner).take());
        let (done, finished) = oneshot::channel();
        if self.0.writer.queue.send(Job::Close(done)).await.is_ok() {
            // An error means that the writer has stopped meanwhile.
            let _ = finished.await;
        }
        let sealer = self.0.sealer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sealer) = sealer
            && let Err(error) = sealer.await
        {
            tracing::error!(%error, "sealing the audit broke off");
        }
        self.0.directory.release();
    }
}

/// What a database and a directory are once they were found to fit together.
struct Opened {
    engine: Engine,
    connection: Connection,
    chain: Arc<Chain>,
    head: Head,
    /// Whether the log that was left has begun anew.
    anew: Result<bool, sqlx::Error>,
}

async fn opened(database: Database, directory: &Directory, now: i64, dumped: bool) -> Result<Opened, OpenError> {
    let file = directory.database();
    let engine = Engine::new(database, file.clone());
    let dialect = engine.dialect();
    if !dialect.is_shared() {
        directory::touch(&file).map_err(|error| OpenError::Directory { path: file.clone(), why: error.to_string() })?;
    }
    let left = std::fs::metadata(directory.wal()).is_ok_and(|log| log.len() > 0);
    engine.check().await?;
    let mut connection = engine.writer().await?;
    let anew = if left { begin_anew(dialect, &mut connection).await } else { Ok(true) };
    migration::migrate(&mut connection, dialect, now).await?;
    if Mark::Moving.is_set(&mut connection).await? {
        return Err(OpenError::Unfinished);
    }
    if dumped {
        begin_voiding(dialect, &mut connection, now).await?;
    } else if Mark::Voiding.is_set(&mut connection).await? {
        return Err(OpenError::Voiding);
    }
    let stored = stored_head(&mut connection).await?;
    let chain = key::open(directory, dialect, &mut connection, &stored).await?;
    let (head, fits) = seal::compare(directory, &chain, &mut connection, dialect, stored, dumped).await?;
    if !fits {
        // It may be an older state of the database, in which what was taken back since is live.
        let revoked = grant::revoke_all(&mut connection, now).await.map_err(StoreError::from);
        revoked.map_err(|error| OpenError::Database(error.to_string()))?;
    }
    Ok(Opened { engine, connection, chain: Arc::new(chain), head, anew })
}

/// Bars every start on a database that came from a dump, until it is made void. Before anything of it is changed.
async fn begin_voiding(dialect: Dialect, connection: &mut Connection, now: i64) -> Result<(), OpenError> {
    dialect.begin(connection).await?;
    if lease::is_served(connection, now).await? {
        return Err(OpenError::Served);
    }
    Mark::Voiding.set(connection).await?;
    Ok(dialect.commit(connection, None, &[]).await?)
}

/// Lets the log begin anew that another process left: it may have died of a disk that lost a part of it.
async fn begin_anew(dialect: Dialect, connection: &mut Connection) -> Result<bool, sqlx::Error> {
    let anew = dialect.purge(connection).await;
    if !matches!(anew, Ok(true)) {
        tracing::warn!(
            "the database's log was left by a kill and cannot begin anew yet: somebody reads it, or the disk fails"
        );
    }
    anew
}

/// The log file that is fsynced here, where that is not the server's.
fn log(engine: &Engine, directory: &Directory) -> Result<Option<File>, OpenError> {
    if engine.dialect().is_shared() {
        return Ok(None);
    }
    let opened = File::open(directory.wal());
    opened.map(Some).map_err(|error| OpenError::Directory { path: directory.wal(), why: error.to_string() })
}

/// Ends sessions and tokens whose time is over, for as long as the store is there.
async fn end_expired(store: Weak<Inner>) {
    let mut tick = tokio::time::interval(EXPIRY);
    loop {
        tick.tick().await;
        let Some(store) = store.upgrade() else { return };
        let now = store.clock.now();
        store.sessions.end_expired(now);
        store.tokens.end_expired(now);
    }
}
