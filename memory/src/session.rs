//! Sessions of the operator: held in memory as well, so that a request costs no SQL.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use jarvis_safety::id::SessionId;
use jarvis_safety::identity::Session;
use jarvis_safety::port::StoreError;
use sqlx::{AnyConnection, AnyPool, Row as _};
use tokio::sync::broadcast;

use crate::chain::secret_digest;
use crate::change::{Change, Tx};
use crate::error::OpenError;
use crate::row::Row;
use crate::stored::{Halt, from_word};

/// How long a session lasts, in milliseconds.
pub(crate) const LIFE: i64 = 24 * 60 * 60 * 1000;

/// Open sessions by the digest of their secret.
pub(crate) struct Sessions {
    open: RwLock<HashMap<String, Session>>,
    ended: broadcast::Sender<String>,
}

impl Sessions {
    pub(crate) async fn open(readers: &AnyPool, now: i64, ended: broadcast::Sender<String>) -> Result<Self, OpenError> {
        let mut connection = readers.acquire().await?;
        let mut open = stored(&mut connection).await.map_err(|halt| OpenError::Unreadable {
            what: "session".to_owned(),
            why: StoreError::from(halt).to_string(),
        })?;
        open.retain(|_, session| session.expires_at > now);
        Ok(Self { open: RwLock::new(open), ended })
    }

    /// Lets the sessions in memory become what their rows say.
    pub(crate) async fn follow(&self, connection: &mut AnyConnection) -> Result<(), Halt> {
        let stored = stored(connection).await?;
        self.end_where(|session| !stored.values().any(|kept| kept.id == session.id));
        self.open.write().unwrap_or_else(PoisonError::into_inner).extend(stored);
        Ok(())
    }

    /// The session with this secret, unless it is over.
    pub(crate) fn find(&self, secret: &str, now: i64) -> Option<Session> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let session = open.get(&secret_digest(secret))?.clone();
        drop(open);
        if session.expires_at > now {
            return Some(session);
        }
        self.end_expired(now);
        None
    }

    /// Ends those whose time is over.
    pub(crate) fn end_expired(&self, now: i64) {
        self.end_where(|session| session.expires_at <= now);
    }

    pub(crate) fn end_all(&self) {
        self.end_where(|_| true);
    }

    fn end_where(&self, over: impl Fn(&Session) -> bool) {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        let ended: Vec<_> = open.extract_if(|_, session| over(session)).collect();
        drop(open);
        for (_, session) in ended {
            // Nobody may have a stream open.
            let _ = self.ended.send(session.id.to_string());
        }
    }
}

/// What is kept, by the digest of its secret. Few: the operator's browsers of one day.
async fn stored(connection: &mut AnyConnection) -> Result<HashMap<String, Session>, Halt> {
    let rows = sqlx::query("select secret, id, created_at, expires_at from session").fetch_all(connection).await?;
    let mut open = HashMap::with_capacity(rows.len());
    for row in rows {
        let id = from_word("session", row.try_get(1)?)?;
        open.insert(row.try_get(0)?, Session { id, created_at: row.try_get(2)?, expires_at: row.try_get(3)? });
    }
    Ok(open)
}

/// Opens a session.
pub(crate) struct OpenSession {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) session: Session,
    /// Digest of its secret.
    pub(crate) secret: String,
    pub(crate) row: Row,
}

#[async_trait]
impl Change for OpenSession {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        sqlx::query("delete from session where expires_at <= $1")
            .bind(self.session.created_at)
            .execute(&mut *tx.connection)
            .await?;
        sqlx::query("insert into session (id, secret, created_at, expires_at) values ($1, $2, $3, $4)")
            .bind(self.session.id.as_str())
            .bind(self.secret.as_str())
            .bind(self.session.created_at)
            .bind(self.session.expires_at)
            .execute(&mut *tx.connection)
            .await?;
        tx.tell(self.row.clone());
        Ok(())
    }

    fn committed(&self, _: &()) {
        let mut open = self.sessions.open.write().unwrap_or_else(PoisonError::into_inner);
        open.insert(self.secret.clone(), self.session.clone());
    }
}

/// Ends a session.
pub(crate) struct CloseSession {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) id: SessionId,
    pub(crate) row: Row,
}

#[async_trait]
impl Change for CloseSession {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        let closed = sqlx::query("delete from session where id = $1")
            .bind(self.id.as_str())
            .execute(&mut *tx.connection)
            .await?;
        // Signing out twice is no second event.
        if closed.rows_affected() > 0 {
            tx.tell(self.row.clone());
        }
        Ok(())
    }

    fn committed(&self, _: &()) {
        self.sessions.end_where(|session| session.id == self.id);
    }
}
