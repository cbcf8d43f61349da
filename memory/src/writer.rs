//! The writer: one at a time, group commit.
//!
//! Whatever has queued up while the last batch was committed becomes the next one, so a lone client waits for one
//! commit and many clients share one. A batch is one transaction: the changes in their order, then the rows that they
//! told, then the head. Only after the commit is anyone told anything: first what is held in memory, then the
//! subscribers, then the callers.
//!
//! Where replicas share a database each batch first takes the lock on the stored head and goes on from there. Rows that
//! others wrote meanwhile are published before its own, so that a subscriber of any replica sees every row once and in
//! its order.
//!
//! On SQLite the writer waits for the disk itself, which is why it has a thread of its own there. To hand something to a
//! thread and back takes as long as a disk does, so once changes come one by one for a while, whoever brings one takes the
//! writer and does it ([`Handle::carry_out_now`]); a row that need not be fsynced waits for nothing ([`Writer::append_now`]).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use jarvis_safety::event::{Draft, Event};
use jarvis_safety::port::{Clock, Observer, StoreError, Stored};
use jarvis_safety::secret::Redactor;
use tokio::runtime::RuntimeFlavor;
use tokio::sync::{Mutex, MutexGuard, broadcast, mpsc, oneshot, watch};

use crate::chain::{Chain, Head};
use crate::change::{Append, Change, Context, Durability, End, Job, Tx};
use crate::dialect::{Connection, Dialect, Engine, LONG_LOG, Unappended};
use crate::directory::Directory;
use crate::feed::{self, stored_head};
use crate::follow::Followers;
use crate::row::{Linked, Row};
use crate::stored::Halt;
use crate::tear::Tears;

/// Most changes in one transaction: bounds how long the last of them waits.
const BATCH: usize = 512;

/// Changes that may queue up; beyond it callers wait to hand theirs in.
pub(crate) const QUEUE: usize = 4096;

/// Events that a slow subscriber may lag behind before it must read on from the database.
const LAG: usize = 4096;

/// Rows of others that are read at once.
const PAGE: usize = 1000;

/// Changes after which the length of the log is looked at.
const LOOKED: u32 = 16;

/// Batches of one in a row after which whoever comes alone need not wait for the writer's thread: where several come at
/// once, one commit for all of them is cheaper.
const QUIET: u32 = 32;

/// What is answered once pages of the database may be lost.
const LOST: &str = "the disk lost what was written to the database; its log still has it: end whatever else has the \
                    database open (a backup, a shell of SQLite) and restart Jarvis, which brings it back; nothing was \
                    done";

/// The writer, where others than its thread reach it.
pub(crate) struct Shared {
    /// There until it stops.
    writer: Mutex<Option<Writer>>,
    /// Whether somebody found it at work.
    crowded: AtomicBool,
}

/// Where changes are handed in.
#[derive(Clone)]
pub(crate) struct Handle {
    pub(crate) queue: mpsc::Sender<Job>,
    pub(crate) redactor: Redactor,
    /// The writer, where whoever comes alone can do what its thread does.
    pub(crate) writer: Option<Arc<Shared>>,
}

impl Handle {
    pub(crate) async fn append(&self, draft: Draft, durability: Durability) -> Stored<u64> {
        let mut row = Some(Row::new(&self.redactor, draft)?);
        if durability == Durability::Wal
            && let Some(appended) = self.append_now(&mut row)
        {
            return appended;
        }
        let (reply, answer) = oneshot::channel();
        self.hand_in(Job::Append(Box::new(Append { row, seq: 0, durability, reply }))).await?;
        answer.await.map_err(|_| stopped())?
    }

    fn append_now(&self, row: &mut Option<Row>) -> Option<Stored<u64>> {
        self.alone()?.as_mut()?.append_now(row)
    }

    /// The writer, if nothing is under way and nobody comes at the same time.
    fn alone(&self) -> Option<MutexGuard<'_, Option<Writer>>> {
        let shared = self.writer.as_ref().filter(|_| !self.queue.is_closed())?;
        // What waits already comes first, and shares a commit.
        let waiting = self.queue.capacity() < self.queue.max_capacity();
        let held = if waiting { None } else { shared.writer.try_lock().ok() };
        if held.is_none() {
            shared.crowded.store(true, Ordering::Relaxed);
        }
        held.filter(|held| held.as_ref().is_some_and(Writer::is_quiet))
    }

    /// Carries a change out on this thread, if it comes alone: to hand it to another and back takes as long as a disk
    /// does. Whatever else this thread had to do others take over meanwhile.
    fn carry_out_now(&self, job: Job) -> Result<(), Job> {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return Err(job) };
        if runtime.runtime_flavor() != RuntimeFlavor::MultiThread {
            return Err(job);
        }
        let Some(mut held) = self.alone() else { return Err(job) };
        let Some(writer) = held.as_mut() else { return Err(job) };
        let (writer, mut jobs) = (Careful(writer), vec![job]);
        tokio::task::block_in_place(|| runtime.block_on(writer.0.carry_out(&mut jobs)));
        let answers = std::mem::take(&mut writer.0.answers);
        drop(writer);
        drop(held);
        answer(answers);
        Ok(())
    }

    pub(crate) async fn submit<C: Change>(&self, change: C) -> Stored<C::Answer> {
        let (job, answer) = Job::change(change);
        self.hand_in(job).await?;
        answer.await.map_err(|_| stopped())?
    }

    /// Hands in a change that nobody waits for and that may be dropped under load.
    pub(crate) fn submit_lazily<C: Change>(&self, change: C) {
        let (job, _) = Job::change(change);
        let _ = self.queue.try_send(job);
    }

    async fn hand_in(&self, job: Job) -> Stored<()> {
        let Err(job) = self.carry_out_now(job) else { return Ok(()) };
        self.queue.send(job).await.map_err(|_| StoreError::Unavailable("the store is closed".to_owned()))
    }
}

/// Whoever borrows the writer. If that panics, what is open is rolled back and the head read anew before the next batch.
struct Careful<'w>(&'w mut Writer);

impl Drop for Careful<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.certain = false;
        }
    }
}

/// Tells the writer that others may have written. Does not hold the store open.
pub(crate) struct Look {
    pub(crate) queue: mpsc::WeakSender<Job>,
    pub(crate) seq: Arc<AtomicU64>,
}

impl Look {
    /// Whether a row was published here already.
    pub(crate) fn knows(&self, seq: u64) -> bool {
        seq <= self.seq.load(Ordering::Acquire)
    }

    /// Lets the writer see what is there. Answers false once the store is closed.
    pub(crate) fn look(&self) -> bool {
        let Some(queue) = self.queue.upgrade() else { return false };
        // With a full queue a batch is about to begin, and that looks too.
        !matches!(queue.try_send(Job::Look), Err(mpsc::error::TrySendError::Closed(_)))
    }
}

fn stopped() -> StoreError {
    StoreError::Unknown("the store was stopped meanwhile".to_owned())
}

/// What the writer tells others.
pub(crate) struct Outlets {
    /// Newly committed rows.
    pub(crate) events: broadcast::Sender<Arc<Event>>,
    /// Who sees them before.
    pub(crate) observers: Observers,
    /// Those of them that other replicas wrote.
    pub(crate) elsewhere: broadcast::Sender<Arc<Event>>,
    /// Sequence of the newest row.
    pub(crate) seq: Arc<AtomicU64>,
    /// Head that is in the log file.
    pub(crate) written: watch::Sender<Head>,
    /// Head that is fsynced.
    pub(crate) durable: Arc<watch::Sender<Head>>,
}

/// Jobs, and how each of them ended.
pub(crate) type Answers = Vec<(Job, End)>;

/// Whoever sees each row as it is committed.
pub(crate) type Observers = Arc<RwLock<Vec<Observer>>>;

impl Outlets {
    pub(crate) fn new(head: &Head) -> Self {
        Self {
            events: broadcast::Sender::new(LAG),
            observers: Observers::default(),
            elsewhere: broadcast::Sender::new(LAG),
            seq: Arc::new(AtomicU64::new(head.seq)),
            written: watch::Sender::new(head.clone()),
            durable: Arc::new(watch::Sender::new(head.clone())),
        }
    }

    fn tell(&self, event: Arc<Event>) {
        for observer in self.observers.read().unwrap_or_else(PoisonError::into_inner).iter() {
            observer(&event);
        }
        // Nobody may be listening; that is no fault.
        let _ = self.events.send(event);
    }
}

/// What is known of the log of the database.
pub(crate) struct Log {
    /// Whether erased texts still stand in the log file.
    purging: bool,
    /// Gaps that it may have on the disk.
    tears: Arc<Tears>,
    /// Whether a checkpoint wrote pages into the database that are not fsynced yet, since a reader held up the rest.
    begun: bool,
    /// Whether some of those may be lost. Only the next start after every program has let go of the database, whose
    /// recovery reads the whole log again, puts that right: until then the log stays as it is, and nothing is acknowledged.
    halted: bool,
    /// Changes since the length of the log was looked at.
    unlooked: u32,
    /// Whether the log shall be brought into the database.
    long: bool,
}

impl Log {
    /// `begun`: another process left it and may have begun a checkpoint.
    pub(crate) const fn new(tears: Arc<Tears>, begun: bool) -> Self {
        Self { purging: false, tears, begun, halted: false, unlooked: 0, long: false }
    }
}

pub(crate) struct Writer {
    pub(crate) engine: Engine,
    pub(crate) connection: Connection,
    pub(crate) chain: Arc<Chain>,
    pub(crate) clock: Arc<dyn Clock>,
    /// This process, where others may use the same database.
    pub(crate) replica: Option<Arc<str>>,
    pub(crate) head: Head,
    /// Sequence of the last row that was published.
    pub(crate) published: u64,
    /// What the connection was told last.
    pub(crate) durability: Durability,
    /// Whether the head in memory is the one in the database.
    pub(crate) certain: bool,
    /// Whether the connection is of no use any more.
    pub(crate) lost: bool,
    pub(crate) log: Log,
    /// How many batches of one there were in a row.
    pub(crate) lone: u32,
    /// What is to be answered as soon as the writer is free again: who is answered comes again at once.
    pub(crate) answers: Answers,
    pub(crate) outlets: Outlets,
    pub(crate) followers: Followers,
    /// Held until the last write: a thread may outlive the runtime.
    pub(crate) directory: Arc<Directory>,
}

enum Failure {
    /// Nothing was tried.
    NotBegun(sqlx::Error),
    /// A statement failed; all was rolled back.
    Broken(sqlx::Error),
    /// The commit failed; nobody knows.
    Unknown(sqlx::Error),
}

/// Begins to [`run`]. Answers the writer where others than its thread may take it.
///
/// # Errors
/// If the system gives no thread.
pub(crate) fn start(writer: Writer, queue: mpsc::Receiver<Job>) -> std::io::Result<Option<Arc<Shared>>> {
    let blocks = writer.connection.local().is_some();
    let shared = Arc::new(Shared { writer: Mutex::new(Some(writer)), crowded: AtomicBool::new(false) });
    let running = run(Arc::clone(&shared), queue);
    if !blocks {
        tokio::spawn(running);
        return Ok(None);
    }
    let runtime = tokio::runtime::Handle::current();
    std::thread::Builder::new().name("writer".to_owned()).spawn(move || runtime.block_on(running))?;
    Ok(Some(shared))
}

/// Takes the writer away when its thread is gone, however that came: it holds the directory and what others wait for.
struct Leaving<'s>(&'s Shared);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if let Ok(mut held) = self.0.writer.try_lock() {
            drop(held.take());
        }
    }
}

/// Runs until it is closed or nobody is left who could hand anything in.
async fn run(shared: Arc<Shared>, mut queue: mpsc::Receiver<Job>) {
    let _leaving = Leaving(&shared);
    let mut jobs = Vec::with_capacity(BATCH);
    let mut closers = Vec::new();
    while queue.recv_many(&mut jobs, BATCH).await > 0 {
        let mut held = shared.writer.lock().await;
        let Some(writer) = held.as_mut() else { return };
        // Who came while somebody else wrote shares the commit.
        while jobs.len() < BATCH
            && let Ok(job) = queue.try_recv()
        {
            jobs.push(job);
        }
        if jobs.iter().any(|job| matches!(job, Job::Close(_))) {
            queue.close();
            closers.extend(jobs.extract_if(.., |job| matches!(job, Job::Close(_))));
        }
        if jobs.extract_if(.., |job| matches!(job, Job::Look)).count() > 0 {
            writer.look().await;
        }
        let crowded = shared.crowded.swap(false, Ordering::Relaxed) || jobs.len() > 1;
        writer.lone = if crowded { 0 } else { writer.lone.saturating_add(1) };
        writer.carry_out(&mut jobs).await;
        let (answers, long) = (std::mem::take(&mut writer.answers), writer.log.long);
        drop(held);
        answer(answers);
        if long && let Some(writer) = shared.writer.lock().await.as_mut() {
            writer.shorten().await;
        }
    }
    let writer = shared.writer.lock().await.take();
    if let Some(writer) = writer {
        writer.stop().await;
    }
    for closer in closers {
        closer.answer(End::Kept);
    }
}

impl Writer {
    /// The log may have a gap. Whoever fsyncs it has it looked after.
    fn tear(&self) {
        self.log.tears.meet();
        self.outlets.written.send_modify(|_| {});
    }

    const fn dialect(&self) -> Dialect {
        self.engine.dialect()
    }

    async fn stop(mut self) {
        self.finish().await;
        let Self { engine, connection, directory, log, .. } = self;
        if log.halted {
            // Whoever closes the last connection empties the log.
            std::mem::forget(connection);
        } else if let Err(error) = engine.dialect().patiently(connection.close()).await {
            tracing::warn!(%error, "the database was not closed in order");
        }
        drop(directory);
    }

    async fn finish(&mut self) {
        if self.log.halted {
            return;
        }
        let came = self.dialect().finish(&mut self.connection).await;
        match self.brought(came) {
            Ok(true) if self.certain => {
                self.outlets.durable.send_replace(self.head.clone());
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "the database's log could not be written back; the next start does"),
        }
    }

    /// Takes in what a checkpoint came to.
    fn brought(&mut self, came: Result<bool, sqlx::Error>) -> Result<bool, sqlx::Error> {
        match &came {
            Ok(all) => self.log.begun = !all,
            Err(error) if self.log.begun && self.dialect().unsynced(error) => {
                tracing::error!("{LOST}");
                self.log.halted = true;
            }
            Err(_) => {}
        }
        came
    }

    /// Whether changes come one by one of late, and nothing is to be put right before the next.
    fn is_quiet(&self) -> bool {
        let usual = self.certain && !self.log.purging && !self.log.long && self.published == self.head.seq;
        usual && self.lone >= QUIET && !self.log.tears.are_open()
    }

    /// Appends a row on the thread that brings it, without an fsync: what a green call does. Answers nothing, and leaves
    /// the row, if that does not go at once.
    fn append_now(&mut self, row: &mut Option<Row>) -> Option<Stored<u64>> {
        if self.durability != Durability::Wal {
            return None;
        }
        let local = self.connection.local()?;
        let mut head = self.head.clone();
        let mut buffer = Vec::with_capacity(512);
        let linked = [Linked::next(row.take()?, &mut head, self.clock.now(), &self.chain, &mut buffer)];
        match local.append(&linked, &head) {
            Ok(()) => {}
            Err(Unappended::Unknown(error)) => {
                tracing::error!(%error, "a commit failed");
                self.doubt(&error);
                self.tear();
                return Some(Err(StoreError::Unknown(error.to_string())));
            }
            Err(why @ (Unappended::NotBegun | Unappended::Broken)) => {
                // Somebody else may have moved the head.
                self.certain &= matches!(why, Unappended::NotBegun);
                *row = linked.into_iter().next().map(Linked::unlink);
                return None;
            }
        }
        self.head = head;
        self.outlets.written.send_replace(self.head.clone());
        self.publish_own(linked);
        self.look_at_log(1);
        Some(Ok(self.head.seq))
    }

    async fn carry_out(&mut self, jobs: &mut Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        let Some(error) = self.batch(jobs).await else { return };
        if jobs.len() == 1 {
            return self.fail_all(jobs, &StoreError::Unavailable(error.to_string()));
        }
        tracing::warn!(%error, changes = jobs.len(), "a batch failed; trying each change alone");
        for job in std::mem::take(jobs) {
            let mut alone = vec![job];
            if let Some(error) = self.batch(&mut alone).await {
                self.fail_all(&mut alone, &StoreError::Unavailable(error.to_string()));
            }
            // Nobody waits for those that come after it.
            answer(std::mem::take(&mut self.answers));
        }
    }

    /// Carries out a batch and answers it; or answers the error of a statement, with the jobs as they were.
    async fn batch(&mut self, jobs: &mut Vec<Job>) -> Option<sqlx::Error> {
        let mut again = true;
        loop {
            if let Err(error) = self.become_certain().await {
                self.fail_all(jobs, &error);
                return None;
            }
            match self.attempt(jobs).await {
                Ok((rows, durability)) => {
                    if let Err(error) = self.unbroken(durability).await {
                        self.fail_all(jobs, &error);
                        return None;
                    }
                    self.log.purging |= jobs.iter().any(Job::erases);
                    if self.log.purging {
                        self.purge().await;
                    }
                    self.publish(jobs, rows, durability).await;
                    return None;
                }
                // The connection broke while it was idle; over a new one it may well go.
                Err(Failure::NotBegun(error)) if again && self.doubt(&error) => again = false,
                Err(Failure::NotBegun(error)) => {
                    self.doubt(&error);
                    self.fail_all(jobs, &StoreError::Unavailable(error.to_string()));
                    return None;
                }
                Err(Failure::Unknown(error)) => {
                    tracing::error!(%error, "a commit failed");
                    self.doubt(&error);
                    self.tear();
                    self.fail_all(jobs, &StoreError::Unknown(error.to_string()));
                    return None;
                }
                Err(Failure::Broken(error)) => return Some(error),
            }
        }
    }

    /// From here on the head must be read anew. Answers whether the connection was lost with the error.
    fn doubt(&mut self, error: &sqlx::Error) -> bool {
        self.certain = false;
        self.lost |= self.dialect().lost(error);
        self.lost
    }

    /// Carries out a batch; answers its rows and what they survive.
    async fn attempt(&mut self, jobs: &mut [Job]) -> Result<(Vec<Linked>, Durability), Failure> {
        let dialect = self.dialect();
        let durability = jobs.iter().map(Job::durability).max().unwrap_or(Durability::Wal);
        let durability = dialect.durability(durability);
        if durability != self.durability {
            // Outside a transaction: inside one it has no effect.
            dialect.set_durability(&mut self.connection, durability).await.map_err(Failure::NotBegun)?;
            self.durability = durability;
        }
        let begun = dialect.patiently(dialect.begin(&mut self.connection)).await.map_err(Failure::NotBegun)?;
        self.move_on(begun);
        let context = Context { dialect, replica: self.replica.as_deref() };
        let mut tx = Tx::new(&mut self.connection, context, &self.chain, self.head.clone(), self.clock.now());
        let applied = dialect.patiently(apply(jobs, &mut tx)).await;
        let (rows, head, moved) = tx.into_rows();
        if let Err(error) = applied {
            give_back(jobs, rows);
            // Somebody else may have moved the head: it is read anew before the next batch.
            if !self.doubt(&error)
                && let Err(error) = dialect.patiently(sqlx::query("rollback").execute(&mut self.connection)).await
            {
                tracing::warn!(%error, "a transaction could not be rolled back");
            }
            return Err(Failure::Broken(error));
        }
        let told = rows.last().map(Linked::seq);
        dialect.patiently(dialect.commit(&mut self.connection, told, &moved)).await.map_err(Failure::Unknown)?;
        self.head = head;
        self.look_at_log(jobs.len());
        Ok((rows, durability))
    }

    /// Goes on from where others have moved the head. Never back: the head of an audit whose end was cut off, or of a
    /// server that lost its end, stays where it was, and the gap can be seen (see `seal`).
    fn move_on(&mut self, found: Option<Head>) {
        if let Some(found) = found
            && found.seq > self.head.seq
        {
            self.head = found;
        }
    }

    /// Takes what was erased out of the log file too; if a reader holds that up, after the next batch.
    async fn purge(&mut self) {
        let came = self.dialect().purge(&mut self.connection).await;
        match self.brought(came) {
            Ok(done) => {
                self.log.purging = !done;
                self.lone = 0;
            }
            Err(error) => {
                self.doubt(&error);
                self.tear();
                tracing::warn!(%error, "erased texts still stand in the database's log; trying again");
            }
        }
    }

    /// From time to time sees how long the log has become.
    fn look_at_log(&mut self, jobs: usize) {
        self.log.unlooked += u32::try_from(jobs).unwrap_or(LOOKED);
        if self.log.unlooked < LOOKED {
            return;
        }
        self.log.unlooked = 0;
        let Some(local) = self.connection.local() else { return };
        // What cannot even be looked at is told by whoever writes to it.
        self.log.long = local.log().is_ok_and(|pages| pages >= LONG_LOG);
    }

    /// Brings a long log into the database. The first write after it begins the log anew and waits for the disk, so nobody
    /// writes on its own thread then.
    async fn shorten(&mut self) {
        self.lone = 0;
        if !std::mem::take(&mut self.log.long) {
            return;
        }
        let came = self.dialect().checkpoint(&mut self.connection).await;
        if let Err(error) = self.brought(came) {
            tracing::error!(%error, "the database's log could not be written back");
            self.doubt(&error);
            self.tear();
        }
    }

    async fn publish(&mut self, jobs: &mut Vec<Job>, rows: Vec<Linked>, durability: Durability) {
        for job in jobs.iter() {
            if let Job::Change(operation) = job {
                operation.committed();
            }
        }
        if !rows.is_empty() {
            match durability {
                Durability::Fsync => self.outlets.durable.send_replace(self.head.clone()),
                Durability::Wal => self.outlets.written.send_replace(self.head.clone()),
            };
        }
        let before = rows.first().map_or(self.head.seq, |row| row.seq() - 1);
        match self.catch_up(before).await {
            Ok(()) => self.publish_own(rows),
            // What was committed is answered; it is published when the rows can be read again.
            Err(error) => {
                tracing::warn!(%error, "what other replicas wrote cannot be read yet");
            }
        }
        self.answers.extend(jobs.drain(..).map(|job| (job, End::Kept)));
    }

    fn fail_all(&mut self, jobs: &mut Vec<Job>, error: &StoreError) {
        self.answers.extend(jobs.drain(..).map(|job| (job, End::Failed(error.clone()))));
    }

    fn publish_own(&mut self, rows: impl IntoIterator<Item = Linked>) {
        let before = std::mem::replace(&mut self.published, self.head.seq);
        self.outlets.seq.store(self.published, Ordering::Release);
        // What was read back after a fault is told already.
        for row in rows.into_iter().filter(|row| row.seq() > before) {
            self.outlets.tell(Arc::new(row.event()));
        }
    }

    /// Publishes what stands between the last published row and this one: what others wrote, and what was found to be
    /// committed after all.
    async fn catch_up(&mut self, until: u64) -> Result<(), sqlx::Error> {
        let caught_up = self.read_on(until).await;
        if let Err(error) = &caught_up {
            self.doubt(error);
        }
        caught_up
    }

    async fn read_on(&mut self, until: u64) -> Result<(), sqlx::Error> {
        let dialect = self.dialect();
        while self.published < until {
            let page = feed::between(&mut self.connection, self.published, until, PAGE);
            let (events, last) = dialect.patiently(page).await?;
            for event in events {
                let follow = self.followers.follow(&mut self.connection, &event);
                match dialect.patiently(async { Ok(follow.await) }).await? {
                    Ok(()) => {}
                    Err(Halt::Broken(error)) => return Err(error),
                    Err(Halt::Refused(error)) => {
                        tracing::error!(%error, seq = event.seq, "what another replica changed cannot be followed");
                    }
                }
                self.published = event.seq;
                self.outlets.seq.store(event.seq, Ordering::Release);
                let event = Arc::new(event);
                let _ = self.outlets.elsewhere.send(Arc::clone(&event));
                self.outlets.tell(event);
            }
            // What is missing at the end was cut off, and verification tells of it.
            self.published = last.unwrap_or(until);
        }
        self.outlets.seq.fetch_max(self.published, Ordering::AcqRel);
        Ok(())
    }

    /// Sees whether others wrote, and publishes it.
    async fn look(&mut self) {
        if let Err(error) = self.become_certain().await {
            tracing::warn!(%error, "the head cannot be read, or the log not begin anew; trying again");
            return;
        }
        let dialect = self.dialect();
        if !dialect.is_shared() {
            return;
        }
        match dialect.patiently(stored_head(&mut self.connection)).await {
            Ok(head) => {
                self.move_on(Some(head));
                // Who published it last is told here too: the catching up has said what it could not do.
                if self.catch_up(self.head.seq).await.is_ok() {
                    self.outlets.durable.send_if_modified(|known| {
                        let newer = self.head.seq > known.seq;
                        if newer {
                            known.clone_from(&self.head);
                        }
                        newer
                    });
                }
            }
            Err(error) => {
                self.doubt(&error);
            }
        }
    }

    /// What is acknowledged from here on is known to be where it seems to be.
    async fn become_certain(&mut self) -> Stored<()> {
        if !self.certain {
            self.read_head().await?;
        }
        if self.log.tears.are_open() {
            self.begin_log_anew().await?;
        }
        Ok(())
    }

    /// What was fsynced just now stands behind no gap; else nobody knows whether it would survive.
    async fn unbroken(&mut self, durability: Durability) -> Stored<()> {
        if durability != Durability::Fsync || !self.log.tears.are_open() {
            return Ok(());
        }
        // Its rows are published when the head is read anew.
        self.certain = false;
        self.become_certain().await.map_err(|error| StoreError::Unknown(error.to_string()))
    }

    /// Brings everything in the log into the database, fsynced, and empties it.
    async fn begin_log_anew(&mut self) -> Stored<()> {
        if self.log.halted {
            return Err(StoreError::Unavailable(LOST.to_owned()));
        }
        let met = self.log.tears.met();
        let came = self.dialect().purge(&mut self.connection).await;
        let why = match self.brought(came) {
            Ok(true) => {
                self.log.tears.mend(met);
                self.lone = 0;
                self.outlets.durable.send_replace(self.head.clone());
                return Ok(());
            }
            Ok(false) => "somebody reads it".to_owned(),
            Err(error) => error.to_string(),
        };
        Err(StoreError::Unavailable(format!(
            "after a fault of the disk the database's log must begin anew, and cannot yet ({why}); nothing was done, ask \
             again in a moment"
        )))
    }

    /// After a failed commit: ends whatever is open and reads the head anew, over a new connection if need be.
    async fn read_head(&mut self) -> Stored<()> {
        let dialect = self.dialect();
        let mut head = None;
        if !self.lost {
            let _ = dialect.patiently(sqlx::query("rollback").execute(&mut self.connection)).await;
            head = dialect.patiently(stored_head(&mut self.connection)).await.ok();
        }
        if head.is_none() {
            let unavailable = |why: String| StoreError::Unavailable(why);
            self.connection = self.engine.another_writer().await.map_err(|error| unavailable(error.to_string()))?;
            self.lost = false;
            self.durability = Durability::Fsync;
            let found = dialect.patiently(stored_head(&mut self.connection)).await;
            head = Some(found.map_err(|error| unavailable(error.to_string()))?);
        }
        self.move_on(head);
        self.certain = true;
        // What was committed although nobody was told.
        self.catch_up(self.head.seq).await.map_err(|error| StoreError::Unavailable(error.to_string()))
    }
}

fn answer(answers: Answers) {
    for (job, end) in answers {
        job.answer(end);
    }
}

async fn apply(jobs: &mut [Job], tx: &mut Tx<'_>) -> Result<(), sqlx::Error> {
    for job in jobs {
        match job {
            Job::Append(append) => {
                if let Some(row) = append.row.take() {
                    append.seq = tx.tell(row);
                }
            }
            Job::Change(operation) => operation.apply(tx).await?,
            Job::Look | Job::Close(_) => {}
        }
    }
    tx.finish().await
}

/// Hands rows that found no place back to the appends that they came from.
fn give_back(jobs: &mut [Job], rows: Vec<Linked>) {
    let mut rows = rows.into_iter();
    for job in jobs {
        if let Job::Append(append) = job
            && append.row.is_none()
        {
            append.row = rows.find(|row| row.seq() == append.seq).map(Linked::unlink);
        }
    }
}
