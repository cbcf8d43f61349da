//! Changes: what the writer carries out, many of them in one transaction.
//!
//! A change looks first and writes afterwards. If it finds that it contradicts what is there it says so before it has
//! written anything, so that the others of its batch stay as they are and no savepoints are needed. If the database
//! itself fails under a change, the whole batch is rolled back and each change is tried again alone; it must therefore
//! be repeatable. On a database that replicas share the whole batch holds the lock on the head of the chain: what a
//! change has seen stays so until its commit.

use async_trait::async_trait;
use jarvis_safety::JobId;
use jarvis_safety::port::{StoreError, Stored};
use sqlx::any::AnyArguments;
use sqlx::{Any, Arguments as _, AssertSqlSafe, Encode, Type};
use tokio::sync::oneshot;

use crate::chain::{Chain, Head};
use crate::dialect::{Connection, Dialect};
use crate::row::{self, Linked, Row};
use crate::stored::Halt;

/// How durable something is before it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Durability {
    /// In the log file: survives a killed process. Fsynced within 5 ms.
    Wal,
    /// Fsynced: survives a power cut.
    Fsync,
}

/// One change of what is kept.
#[async_trait]
pub(crate) trait Change: Send + Sync + 'static {
    /// What its caller learns.
    type Answer: Send + Sync;

    /// Looks, then writes, then tells.
    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Self::Answer, Halt>;

    /// After the commit, before anyone hears of it: what is held in memory follows. Also happens if the caller has gone.
    fn committed(&self, _answer: &Self::Answer) {}

    /// Whether it erases texts, which must then leave the log file too.
    fn erases(&self) -> bool {
        false
    }

    /// Everything that has an effect is fsynced.
    fn durability(&self) -> Durability {
        Durability::Fsync
    }
}

/// Where a change is written.
#[derive(Clone, Copy)]
pub(crate) struct Context<'w> {
    pub(crate) dialect: Dialect,
    /// This process, where others may use the same database.
    pub(crate) replica: Option<&'w str>,
}

/// A statement as it grows, with a value for each place in it.
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) arguments: AnyArguments,
    dialect: Dialect,
}

impl Statement {
    pub(crate) fn new(dialect: Dialect, text: &str) -> Self {
        Self { sql: text.to_owned(), arguments: AnyArguments::default(), dialect }
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.sql.push_str(text);
        self
    }

    pub(crate) fn value<'v, V: Encode<'v, Any> + Type<Any>>(&mut self, value: V) -> Result<&mut Self, sqlx::Error> {
        self.dialect.place(&mut self.sql, self.arguments.len() + 1);
        self.arguments.add(value).map_err(sqlx::Error::Encode)?;
        Ok(self)
    }
}

/// The transaction of a batch.
pub(crate) struct Tx<'w> {
    /// The connection; it sees what the changes before this one have written.
    pub(crate) connection: &'w mut Connection,
    pub(crate) context: Context<'w>,
    chain: &'w Chain,
    head: Head,
    now: i64,
    buffer: Vec<u8>,
    rows: Vec<Linked>,
    written: usize,
    /// This process and a job, each.
    moved: Vec<String>,
}

impl<'w> Tx<'w> {
    pub(crate) fn new(
        connection: &'w mut Connection,
        context: Context<'w>,
        chain: &'w Chain,
        head: Head,
        now: i64,
    ) -> Self {
        Self {
            connection,
            context,
            chain,
            head,
            now,
            buffer: Vec::with_capacity(512),
            rows: Vec::new(),
            written: 0,
            moved: Vec::new(),
        }
    }

    /// Carries out a statement, and tells a row if it has written: if it answers one itself. Answers whether it has.
    pub(crate) async fn write(&mut self, statement: Statement, row: &Row) -> Result<bool, sqlx::Error> {
        let Statement { sql, arguments, .. } = statement;
        let wrote = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_optional(&mut *self.connection).await?;
        if wrote.is_some() {
            self.tell(row.clone());
        }
        Ok(wrote.is_some())
    }

    /// Adds a row to the audit and answers its sequence.
    pub(crate) fn tell(&mut self, row: Row) -> u64 {
        let linked = Linked::next(row, &mut self.head, self.now, self.chain, &mut self.buffer);
        let seq = linked.seq();
        self.rows.push(linked);
        seq
    }

    /// Tells the other replicas, with the commit, of a job that has moved without a row.
    pub(crate) fn moved(&mut self, job: &JobId) {
        self.moved.extend(self.context.replica.map(|own| format!("{own} {job}")));
    }

    /// Writes the rows told so far, for a change that must see those of its own batch.
    pub(crate) async fn write_rows(&mut self) -> Result<(), sqlx::Error> {
        row::insert(self.connection, self.context.dialect, &self.rows[self.written..]).await?;
        self.written = self.rows.len();
        Ok(())
    }

    /// Writes what is left and moves the stored head.
    pub(crate) async fn finish(&mut self) -> Result<(), sqlx::Error> {
        self.write_rows().await?;
        if self.rows.is_empty() {
            return Ok(());
        }
        row::move_head(self.connection, &self.head).await
    }

    pub(crate) fn into_rows(self) -> (Vec<Linked>, Head, Vec<String>) {
        (self.rows, self.head, self.moved)
    }
}

/// How a batch ended for one of its changes.
pub(crate) enum End {
    /// Committed.
    Kept,
    /// Not committed, or nobody knows.
    Failed(StoreError),
}

/// A change with whoever waits for it.
#[async_trait]
pub(crate) trait Operation: Send {
    fn durability(&self) -> Durability;
    fn erases(&self) -> bool;
    /// Applies the change. A refusal is its answer and no error.
    async fn apply(&mut self, tx: &mut Tx<'_>) -> Result<(), sqlx::Error>;
    /// Lets what is held in memory follow.
    fn committed(&self);
    /// Answers.
    fn answer(self: Box<Self>, end: End);
}

struct Waiting<C: Change> {
    change: C,
    answer: Option<Stored<C::Answer>>,
    reply: oneshot::Sender<Stored<C::Answer>>,
}

#[async_trait]
impl<C: Change> Operation for Waiting<C> {
    fn durability(&self) -> Durability {
        self.change.durability()
    }

    fn erases(&self) -> bool {
        self.change.erases()
    }

    async fn apply(&mut self, tx: &mut Tx<'_>) -> Result<(), sqlx::Error> {
        self.answer = match self.change.apply(tx).await {
            Ok(answer) => Some(Ok(answer)),
            Err(Halt::Refused(error)) => Some(Err(error)),
            Err(Halt::Broken(error)) => return Err(error),
        };
        Ok(())
    }

    fn committed(&self) {
        if let Some(Ok(answer)) = &self.answer {
            self.change.committed(answer);
        }
    }

    fn answer(self: Box<Self>, end: End) {
        let answer = match (end, self.answer) {
            (End::Kept, Some(answer)) => answer,
            (End::Kept, None) => Err(StoreError::Unavailable("the change was not reached".to_owned())),
            (End::Failed(error), _) => Err(error),
        };
        // Whoever asked may have gone.
        let _ = self.reply.send(answer);
    }
}

/// What the writer is asked for.
pub(crate) enum Job {
    /// One row and nothing else: the path of every green call.
    Append(Box<Append>),
    /// A change.
    Change(Box<dyn Operation>),
    /// Others may have written: see what.
    Look,
    /// The last one: finish what is queued and stop.
    Close(oneshot::Sender<()>),
}

/// A row to append.
pub(crate) struct Append {
    /// There, except while its batch is under way.
    pub(crate) row: Option<Row>,
    /// Its place, once given.
    pub(crate) seq: u64,
    pub(crate) durability: Durability,
    pub(crate) reply: oneshot::Sender<Stored<u64>>,
}

impl Job {
    pub(crate) fn change<C: Change>(change: C) -> (Self, oneshot::Receiver<Stored<C::Answer>>) {
        let (reply, answer) = oneshot::channel();
        (Self::Change(Box::new(Waiting { change, answer: None, reply })), answer)
    }

    pub(crate) fn durability(&self) -> Durability {
        match self {
            Self::Append(append) => append.durability,
            Self::Change(operation) => operation.durability(),
            Self::Look | Self::Close(_) => Durability::Wal,
        }
    }

    pub(crate) fn erases(&self) -> bool {
        matches!(self, Self::Change(operation) if operation.erases())
    }

    pub(crate) fn answer(self, end: End) {
        match self {
            Self::Append(append) => {
                let answer = match end {
                    End::Kept => Ok(append.seq),
                    End::Failed(error) => Err(error),
                };
                let _ = append.reply.send(answer);
            }
            Self::Change(operation) => operation.answer(end),
            Self::Look => {}
            Self::Close(done) => {
                let _ = done.send(());
            }
        }
    }
}
