//! Sessions of the operator: held in memory as well, so that a request costs no SQL.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use jarvis_safety::id::SessionId;
use jarvis_safety::identity::{Session, Whence};
use jarvis_safety::port::StoreError;
use sqlx::Row as _;
use tokio::sync::broadcast;

use crate::chain::secret_digest;
use crate::change::{Change, Durability, Tx};
use crate::dialect::{Connection, Lookup};
use crate::error::OpenError;
use crate::row::Row;
use crate::stored::{Halt, clean, from_word};

/// How long a session lasts, in milliseconds.
pub(crate) const LIFE: i64 = 24 * 60 * 60 * 1000;

/// The last use is kept to this, in milliseconds.
const USED: i64 = 60_000;

/// Open sessions by the digest of their secret.
pub(crate) struct Sessions {
    open: RwLock<HashMap<String, Open>>,
    ended: broadcast::Sender<String>,
}

/// A session that is open.
struct Open {
    session: Session,
    used_at: AtomicI64,
}

impl Open {
    const fn new(session: Session) -> Self {
        Self { used_at: AtomicI64::new(session.used_at), session }
    }

    fn session(&self) -> Session {
        Session { used_at: self.used_at.load(Ordering::Relaxed), ..self.session.clone() }
    }
}

impl Sessions {
    pub(crate) async fn open(lookup: &Lookup, now: i64, ended: broadcast::Sender<String>) -> Result<Self, OpenError> {
        let mut connection = lookup.connection().await?;
        let mut open = stored(&mut connection).await.map_err(|halt| OpenError::Unreadable {
            what: "session".to_owned(),
            why: StoreError::from(halt).to_string(),
        })?;
        open.retain(|_, session| session.expires_at > now);
        let open = open.into_iter().map(|(secret, session)| (secret, Open::new(session))).collect();
        Ok(Self { open: RwLock::new(open), ended })
    }

    /// Lets the sessions in memory become what their rows say.
    pub(crate) async fn follow(&self, connection: &mut Connection) -> Result<(), Halt> {
        let stored = stored(connection).await?;
        self.end_where(|session| !stored.values().any(|kept| kept.id == session.id));
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        for (secret, session) in stored {
            // What is known here may be newer than what is kept.
            open.entry(secret).or_insert_with(|| Open::new(session));
        }
        drop(open);
        Ok(())
    }

    /// The session with this secret, unless it is over, and whether its use is worth noting.
    pub(crate) fn find(&self, secret: &str, now: i64) -> Option<(Session, bool)> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let found = open.get(&secret_digest(secret))?;
        if found.session.expires_at > now {
            let before = found.used_at.load(Ordering::Relaxed);
            let due = now.saturating_sub(before) >= USED;
            // Of several requests at once one notes the use.
            let note = due && found.used_at.compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
            return Some((found.session(), note));
        }
        drop(open);
        self.end_expired(now);
        None
    }

    /// Those that are open, newest first.
    pub(crate) fn list(&self, now: i64) -> Vec<Session> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let mut list: Vec<_> = open.values().map(Open::session).filter(|session| session.expires_at > now).collect();
        drop(open);
        list.sort_by(|one, other| (other.created_at, &other.id).cmp(&(one.created_at, &one.id)));
        list
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
        let ended: Vec<_> = open.extract_if(|_, open| over(&open.session)).collect();
        drop(open);
        for (_, Open { session, .. }) in ended {
            // Nobody may have a stream open.
            let _ = self.ended.send(session.id.to_string());
        }
    }
}

/// What is kept, by the digest of its secret. Few: the operator's browsers of one day.
async fn stored(connection: &mut Connection) -> Result<HashMap<String, Session>, Halt> {
    let rows = sqlx::query("select secret, id, created_at, expires_at, face, place, used_at from session")
        .fetch_all(connection)
        .await?;
    let mut open = HashMap::with_capacity(rows.len());
    for row in rows {
        let id = from_word("session", row.try_get(1)?)?;
        let (created_at, used_at): (i64, Option<i64>) = (row.try_get(2)?, row.try_get(6)?);
        let whence = Whence { face: row.try_get(4)?, place: row.try_get(5)? };
        let used_at = used_at.unwrap_or(created_at);
        open.insert(row.try_get(0)?, Session { id, whence, created_at, expires_at: row.try_get(3)?, used_at });
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
        sqlx::query(
            "insert into session (id, secret, created_at, expires_at, face, place) values ($1, $2, $3, $4, $5, $6)",
        )
        .bind(self.session.id.as_str())
        .bind(self.secret.as_str())
        .bind(self.session.created_at)
        .bind(self.session.expires_at)
        .bind(clean(&self.session.whence.face).as_ref())
        .bind(clean(&self.session.whence.place).as_ref())
        .execute(&mut *tx.connection)
        .await?;
        tx.tell(self.row.clone());
        Ok(())
    }

    fn committed(&self, _: &()) {
        let mut open = self.sessions.open.write().unwrap_or_else(PoisonError::into_inner);
        open.insert(self.secret.clone(), Open::new(self.session.clone()));
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
    type Answer = bool;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool, Halt> {
        let closed = sqlx::query("delete from session where id = $1")
            .bind(self.id.as_str())
            .execute(&mut *tx.connection)
            .await?;
        // Signing out twice is no second event.
        if closed.rows_affected() == 0 {
            return Ok(false);
        }
        tx.tell(self.row.clone());
        Ok(true)
    }

    fn committed(&self, _: &bool) {
        self.sessions.end_where(|session| session.id == self.id);
    }
}

/// Ends all sessions but one.
pub(crate) struct CloseOthers {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) kept: SessionId,
    pub(crate) row: Row,
}

#[async_trait]
impl Change for CloseOthers {
    type Answer = u64;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<u64, Halt> {
        let closed = sqlx::query("delete from session where id <> $1")
            .bind(self.kept.as_str())
            .execute(&mut *tx.connection)
            .await?;
        if closed.rows_affected() > 0 {
            tx.tell(self.row.clone());
        }
        Ok(closed.rows_affected())
    }

    fn committed(&self, _: &u64) {
        self.sessions.end_where(|session| session.id != self.kept);
    }
}

/// Notes that a session was used. No event tells of it, and nobody waits for it.
pub(crate) struct NoteUse {
    pub(crate) id: SessionId,
    pub(crate) at: i64,
}

#[async_trait]
impl Change for NoteUse {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        sqlx::query("update session set used_at = $2 where id = $1")
            .bind(self.id.as_str())
            .bind(self.at)
            .execute(&mut *tx.connection)
            .await?;
        Ok(())
    }

    fn durability(&self) -> Durability {
        Durability::Wal
    }
}
