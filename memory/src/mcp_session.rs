//! Sessions of MCP clients of the old era. Such a client holds an id for as long as it runs and often cannot open a new
//! session, so the id outlives our process.

use async_trait::async_trait;
use jarvis_safety::ActorId;
use jarvis_safety::port::Stored;
use sqlx::Row as _;

use crate::change::{Change, Tx};
use crate::store::Store;
use crate::stored::{Halt, clean, unavailable};

/// A session as it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McpSession {
    /// The id that the client holds.
    pub id: String,
    /// Whose it is.
    pub actor: ActorId,
    /// The path that it was opened on.
    pub path: String,
    /// What the client said when it opened it, as JSON.
    pub opening: String,
}

/// The sessions that are kept.
#[derive(Clone)]
pub struct McpSessions(Store);

impl McpSessions {
    /// Those of a store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        Self(store.clone())
    }

    /// Keeps a session; of this actor only the newest `most` stay.
    ///
    /// # Errors
    /// If it could not be kept.
    pub async fn keep(&self, session: McpSession, most: u32) -> Stored<()> {
        let opening = self.0.0.redactor.json(session.opening);
        let at = self.0.0.clock.now();
        self.0.0.writer.submit(Keep { session: McpSession { opening, ..session }, most, at }).await
    }

    /// A session.
    ///
    /// # Errors
    /// If the store cannot say.
    pub async fn find(&self, id: &str) -> Stored<Option<McpSession>> {
        let found = sqlx::query("select actor, path, opening from mcp_session where id = $1")
            .bind(clean(id).as_ref())
            .fetch_optional(&self.0.0.readers)
            .await
            .map_err(|error| unavailable(&error))?;
        let Some(row) = found else { return Ok(None) };
        let column = |at: usize| row.try_get::<String, _>(at).map_err(|error| unavailable(&error));
        let (actor, path, opening) = (ActorId::new(column(0)?), column(1)?, column(2)?);
        Ok(Some(McpSession { id: id.to_owned(), actor, path, opening }))
    }

    /// Forgets a session.
    ///
    /// # Errors
    /// If it could not be forgotten.
    pub async fn end(&self, id: &str) -> Stored<()> {
        self.0.0.writer.submit(End(id.to_owned())).await
    }
}

struct Keep {
    session: McpSession,
    most: u32,
    at: i64,
}

#[async_trait]
impl Change for Keep {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        let Self { session, most, at } = self;
        sqlx::query(
            "insert into mcp_session (id, actor, path, opening, opened_at) values ($1, $2, $3, $4, $5) \
             on conflict (id) do nothing",
        )
        .bind(clean(&session.id).as_ref())
        .bind(clean(session.actor.as_str()).as_ref())
        .bind(clean(&session.path).as_ref())
        .bind(clean(&session.opening).as_ref())
        .bind(at)
        .execute(&mut *tx.connection)
        .await?;
        sqlx::query(
            "delete from mcp_session where actor = $1 and id not in \
             (select id from mcp_session where actor = $1 order by opened_at desc, id desc limit $2)",
        )
        .bind(clean(session.actor.as_str()).as_ref())
        .bind(i64::from(*most))
        .execute(&mut *tx.connection)
        .await?;
        Ok(())
    }
}

struct End(String);

#[async_trait]
impl Change for End {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        sqlx::query("delete from mcp_session where id = $1")
            .bind(clean(&self.0).as_ref())
            .execute(&mut *tx.connection)
            .await?;
        Ok(())
    }
}
