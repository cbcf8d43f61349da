//! PostgreSQL: how to connect, the lock on the head of the chain, and hearing of what other replicas write.
//!
//! Every commit is synchronous, also of what SQLite may fsync a moment later: what `synchronous_commit = off` holds back
//! is lost with the server's process. A replica that holds the lock and is cut off is thrown out by the server after
//! [`IDLE`], so that the others can go on; whoever waits for an answer gives up after [`PATIENCE`].

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use jarvis_safety::JobId;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::postgres::{PgConnectOptions, PgListener};
use sqlx::{AnyPool, AssertSqlSafe, ConnectOptions as _, Row as _};
use tokio::sync::broadcast;
use tokio::task::AbortHandle;

use super::{Connection, run};
use crate::chain::Head;
use crate::error::OpenError;
use crate::writer::Look;

/// The oldest server that is tried in the tests' like: 13 is the oldest that its makers still mend.
const OLDEST: i64 = 13;

/// Connections that only read.
const READERS: u32 = 8;

/// Longest wait for an answer of the server, and for a connection to it.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Longest silence within a transaction before the server ends it, and with it the lock.
const IDLE: &str = "set idle_in_transaction_session_timeout = '20s'";

/// Waits within a statement, all shorter than [`PATIENCE`].
const WAITS: [&str; 2] = ["set lock_timeout = '10s'", "set statement_timeout = '25s'"];

/// Where replicas tell each other that rows were added.
const CHANNEL: &str = "jarvis_event";

/// Where replicas tell each other of jobs that move without a row: who tells, a space, and the job's id.
const MOVED: &str = "jarvis_job";

/// Where a start tells itself something, to see whether it is heard.
const CHECK: &str = "jarvis_check";

/// Longest wait for one's own word.
const HEARD: Duration = Duration::from_secs(5);

/// Pause before another attempt to listen.
const AGAIN: Duration = Duration::from_secs(1);

/// How often is looked although nothing was heard: a connection can die without a word.
const UNHEARD: Duration = Duration::from_secs(5);

/// One number for all that bring a schema to the newest version.
const SCHEMA_LOCK: i32 = 0x6a61_7276;

/// One number for all that move everything to a schema.
const TRANSFER_LOCK: i32 = SCHEMA_LOCK + 1;

/// Whether an address can be understood. The answer does not repeat it: it holds a password.
pub(super) fn checked(url: &str) -> Result<(), OpenError> {
    PgConnectOptions::from_str(url).map(|_| ()).map_err(|_| {
        OpenError::Database(
            "the address in `database` cannot be understood; it looks like \
             `postgres://user:password@host:5432/jarvis`, with special characters of the password as %XX"
                .to_owned(),
        )
    })
}

/// A server and a database on it.
#[derive(Clone)]
pub(crate) struct Postgres {
    url: String,
}

impl Postgres {
    /// Connections say whose they are, unless the address says it.
    pub(super) fn new(mut url: String) -> Self {
        if !url.contains("application_name=") {
            url.push_str(if url.contains('?') { "&" } else { "?" });
            url.push_str("application_name=jarvis");
        }
        Self { url }
    }

    fn options(&self) -> Result<AnyConnectOptions, OpenError> {
        sqlx::any::install_default_drivers();
        checked(&self.url)?;
        Ok(AnyConnectOptions::from_str(&self.url)?.disable_statement_logging())
    }

    /// Refuses a pooler that lends a server for a transaction alone: settings and locks go astray there, and nobody who
    /// listens on such a connection is ever told.
    pub(super) async fn check(&self) -> Result<(), OpenError> {
        let options = self.options()?;
        let heard = tokio::time::timeout(PATIENCE, async {
            let mut listener = PgListener::connect(&self.url).await?;
            listener.listen(CHECK).await?;
            let mut teller = Connection::from(options.connect().await?);
            let word = format!("{:x}", rand::random::<u64>());
            let told = sqlx::query("select pg_notify($1, $2)").bind(CHECK).bind(word.as_str()).persistent(false);
            match told.execute(&mut teller).await {
                Ok(_) => Ok(tokio::time::timeout(HEARD, hears(&mut listener, &word)).await.is_ok_and(|heard| heard)),
                // What the other connection listens for, or a statement of another client, came to this one.
                Err(error) if is_lent(&error) => Ok(false),
                Err(error) => Err(error),
            }
        });
        match heard.await.map_err(|_| silent()).and_then(|heard| heard) {
            Ok(true) => Ok(()),
            Ok(false) => Err(unreachable(
                "what is told there is not heard, so it is behind a pooler that lends a connection for a transaction \
                 alone (PgBouncer calls that pool_mode = transaction). Give the address of the server itself, or that of \
                 a pool of sessions",
            )),
            Err(error) => Err(unreachable(error)),
        }
    }

    pub(super) async fn writer(&self) -> Result<Connection, OpenError> {
        let connecting = self.options()?;
        let connected = tokio::time::timeout(PATIENCE, async {
            let mut connection = Connection::from(connecting.connect().await?);
            run(&mut connection, &["set synchronous_commit = on", "set jit = off", IDLE]).await?;
            run(&mut connection, &WAITS).await?;
            // The server notices that this process is gone although nothing says so.
            run(
                &mut connection,
                &["set tcp_keepalives_idle = 10", "set tcp_keepalives_interval = 5", "set tcp_keepalives_count = 3"],
            )
            .await?;
            Ok::<_, sqlx::Error>(connection)
        });
        let mut connection = connected.await.map_err(|_| unreachable("it did not answer"))?.map_err(unreachable)?;
        fit(&mut connection).await?;
        Ok(connection)
    }

    pub(super) async fn readers(&self) -> Result<AnyPool, OpenError> {
        AnyPoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(Duration::from_secs(10))
            .after_connect(|connection, _| {
                Box::pin(async move {
                    run(
                        connection,
                        &["set default_transaction_read_only = on", "set statement_timeout = '60s'", "set jit = off"],
                    )
                    .await
                })
            })
            .connect_with(self.options()?)
            .await
            .map_err(unreachable)
    }

    pub(super) fn listen(&self, look: Look, moved: Moved) -> Listening {
        let url = self.url.clone();
        let task = tokio::spawn(async move {
            tokio::select! {
                () = hear(&url, &look, &moved) => {}
                () = look_unheard(&look) => {}
            }
        });
        Listening(task.abort_handle())
    }
}

fn unreachable(why: impl std::fmt::Display) -> OpenError {
    OpenError::Database(format!(
        "PostgreSQL cannot be used: {why}; see that the server runs and that `database` (or JARVIS_DATABASE) names a \
         database that this user may change"
    ))
}

/// Looks whether the server is one that can be trusted.
async fn fit(connection: &mut Connection) -> Result<(), OpenError> {
    let found = sqlx::query(
        "select current_setting('server_version_num')::bigint / 10000, current_setting('server_encoding'), \
         current_setting('fsync'), current_setting('full_page_writes')",
    )
    .fetch_one(connection)
    .await?;
    let version: i64 = found.try_get(0)?;
    if version < OLDEST {
        let why = format!("{OLDEST} is the oldest that is still mended; update the server");
        return Err(OpenError::Engine { found: format!("PostgreSQL {version}"), why });
    }
    let encoding: &str = found.try_get(1)?;
    if encoding != "UTF8" {
        let why = "texts of any language are kept; make the database with `encoding 'UTF8' template template0`";
        return Err(OpenError::Engine { found: format!("a database with encoding {encoding}"), why: why.to_owned() });
    }
    if found.try_get::<&str, _>(2)? != "on" || found.try_get::<&str, _>(3)? != "on" {
        tracing::error!("PostgreSQL runs with fsync or full_page_writes off: a power cut can lose or break everything");
    }
    Ok(())
}

/// A migration: only `bigint` is wide enough for a sequence, and text is compared by its bytes as SQLite does, whatever
/// order the database was made with.
pub(super) fn schema(text: &str) -> String {
    let mut sql = String::with_capacity(text.len() * 2);
    for line in text.lines().filter(|line| !line.trim_start().starts_with("--")) {
        let start = sql.len();
        for (index, part) in line.split(" text").enumerate() {
            // A type stands behind the name of its column; the name itself may be `text` too.
            let name = sql[start..].trim_end().rsplit(' ').next().unwrap_or_default();
            let is_name = name.ends_with(|last: char| last.is_ascii_alphanumeric() || last == '_') && name != "column";
            let is_type = is_name && (part.is_empty() || part.starts_with([' ', ',', ';', ')']));
            sql.push_str(match (index, is_type) {
                (0, _) => "",
                (_, true) => " text collate \"C\"",
                (_, false) => " text",
            });
            sql.push_str(part);
        }
        sql.push('\n');
    }
    sql.replace("{{sequence}}", "bigint")
}

/// Begins a transaction of which each statement sees what was committed before it.
pub(super) const BEGIN: &str = "begin isolation level read committed read write";

/// Begins a transaction and takes the lock. From here on it sees all that was committed, and nobody else commits.
pub(super) async fn begin(connection: &mut Connection) -> Result<Head, sqlx::Error> {
    let sql = format!("{BEGIN}; select seq, at, hash from head where id = 1 for update");
    let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(connection).await?;
    let Some(row) = rows.first() else {
        return Err(sqlx::Error::Configuration(
            "the row that holds the head of the audit is gone; restore a backup".into(),
        ));
    };
    Ok(Head { seq: row.try_get::<i64, _>(0)?.cast_unsigned(), at: row.try_get(1)?, hash: row.try_get(2)? })
}

/// The commit of a transaction that has begun, with word to the others if the head was moved. The statement before the
/// commit fails if one before it had failed: a mere commit would answer that all is well and roll back.
pub(super) fn commit(told: Option<u64>, moved: &[String]) -> String {
    // Ids of ours alone, in which nothing must be escaped.
    let mut sql: String = moved.iter().map(|moved| format!("notify {MOVED}, '{moved}'; ")).collect();
    match told {
        Some(seq) => sql.push_str(&format!("notify {CHANNEL}, '{seq}'; commit")),
        None => sql.push_str("select 1; commit"),
    }
    sql
}

/// Whether a word comes.
async fn hears(listener: &mut PgListener, word: &str) -> bool {
    loop {
        match listener.recv().await {
            Ok(heard) if heard.payload() == word => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

/// Whether an error says that a connection is lent to others in between.
fn is_lent(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Protocol(_) => true,
        // A prepared statement is there already, or not.
        sqlx::Error::Database(error) => matches!(error.code().as_deref(), Some("42P05" | "26000")),
        _ => false,
    }
}

/// Whether a connection is of no use after an error: it broke, or the server ends it.
pub(super) fn lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| code.starts_with("08") || code.starts_with("57P") || code == "25P03")
        }
        _ => false,
    }
}

pub(super) async fn lock_schema(connection: &mut Connection) -> Result<(), sqlx::Error> {
    // Another replica may be at it, and that may take a while.
    run(connection, &["set lock_timeout = '10min'", "set statement_timeout = 0"]).await?;
    sqlx::query("select pg_advisory_lock($1, hashtext(current_schema()))")
        .bind(SCHEMA_LOCK)
        .execute(connection)
        .await
        .map(|_| ())
}

pub(super) async fn unlock_schema(connection: &mut Connection) -> Result<(), sqlx::Error> {
    sqlx::query("select pg_advisory_unlock($1, hashtext(current_schema()))")
        .bind(SCHEMA_LOCK)
        .execute(&mut *connection)
        .await?;
    run(connection, &WAITS).await
}

pub(super) async fn claim_transfer(connection: &mut Connection) -> Result<bool, sqlx::Error> {
    let claimed = sqlx::query("select pg_try_advisory_lock($1, hashtext(current_schema()))")
        .bind(TRANSFER_LOCK)
        .fetch_one(&mut *connection)
        .await?;
    // Throwing away what an unfinished move left may take a while.
    run(connection, &["set statement_timeout = 0"]).await?;
    claimed.try_get(0)
}

/// Where it is heard here that jobs have moved elsewhere.
pub(super) struct Moved {
    /// This process, whose own word comes back to it.
    pub(super) own: Arc<str>,
    /// The job; `None` if some may have been missed.
    pub(super) jobs: broadcast::Sender<Option<JobId>>,
}

impl Moved {
    fn hear(&self, told: Option<&str>) {
        let job = match told.map(|told| told.split_once(' ')) {
            Some(Some((who, _))) if who == &*self.own => return,
            Some(Some((_, job))) => job.parse().ok(),
            Some(None) | None => None,
        };
        // Nobody may be looking.
        let _ = self.jobs.send(job);
    }
}

/// Ends with this value.
pub(crate) struct Listening(AbortHandle);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Listens until the store is closed. What is heard only wakes: rows are read from their table.
async fn hear(url: &str, look: &Look, moved: &Moved) {
    loop {
        if let Err(error) = hear_once(url, look, moved).await {
            tracing::warn!(%error, "other replicas are not heard; trying again");
        }
        if !look.look() {
            return;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn hear_once(url: &str, look: &Look, moved: &Moved) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect(url).await?;
    listener.listen_all([CHANNEL, MOVED]).await?;
    // What was told before anybody listened.
    let mut open = look.look();
    moved.hear(None);
    while open {
        let heard = listener.try_recv().await?;
        if let Some(job) = heard.as_ref().filter(|heard| heard.channel() == MOVED) {
            moved.hear(Some(job.payload()));
            continue;
        }
        if heard.is_none() {
            moved.hear(None);
        }
        let known = heard.and_then(|heard| heard.payload().parse().ok()).is_some_and(|seq| look.knows(seq));
        open = known || look.look();
    }
    Ok(())
}

async fn look_unheard(look: &Look) {
    loop {
        tokio::time::sleep(UNHEARD).await;
        if !look.look() {
            return;
        }
    }
}

/// An error for a server that does not answer.
pub(super) fn silent() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "the database does not answer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_column_is_compared_by_its_bytes() {
        for (text, wanted) in [
            ("-- One text for both.\n  id text   not null,", "  id text collate \"C\"   not null,\n"),
            ("  a text,\n  b text", "  a text collate \"C\",\n  b text collate \"C\"\n"),
            ("  seq {{sequence}} not null, texture text)", "  seq bigint not null, texture text collate \"C\")\n"),
            // A column that is called so.
            ("  text   text   not null,", "  text   text collate \"C\"   not null,\n"),
            ("alter table a add column text text;", "alter table a add column text text collate \"C\";\n"),
            ("create index i on a (b, text, c);", "create index i on a (b, text, c);\n"),
        ] {
            assert_eq!(schema(text), wanted);
        }
    }

    #[test]
    fn a_commit_never_stands_alone() {
        assert_eq!(commit(Some(7), &[]), "notify jarvis_event, '7'; commit");
        let moved = ["replica_1 job_2".to_owned(), "replica_1 job_3".to_owned()];
        assert_eq!(
            commit(None, &moved),
            "notify jarvis_job, 'replica_1 job_2'; notify jarvis_job, 'replica_1 job_3'; select 1; commit"
        );
        assert_eq!(commit(None, &[]), "select 1; commit");
    }
}
