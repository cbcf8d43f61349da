//! Tokens of clients: held in memory as well, so that a request costs no SQL.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use jarvis_safety::Actor;
use jarvis_safety::id::TokenId;
use jarvis_safety::identity::{Token, TokenGrant};
use jarvis_safety::port::Stored;
use sqlx::any::AnyRow;
use sqlx::{AnyPool, Row as _};
use tokio::sync::broadcast;

use crate::chain::secret_digest;
use crate::change::{Change, Durability, Tx};
use crate::dialect::Connection;
use crate::error::OpenError;
use crate::pace::Pace;
use crate::row::Row;
use crate::stored::{Halt, clean, conflict, from_json, from_word, to_json, unavailable};

/// What every token's secret begins with, so that one that leaked can be found by scanners.
pub(crate) const PREFIX: &str = "jrv_";

/// The last use is kept to this, in milliseconds.
const USED: i64 = 60_000;

/// A token that is alive.
struct Alive {
    token: Token,
    secret: String,
    used_at: AtomicI64,
    pace: Pace,
}

/// Tokens that are alive, by id and by the digest of their secret.
pub(crate) struct Tokens {
    alive: RwLock<Index>,
    ended: broadcast::Sender<String>,
}

#[derive(Default)]
struct Index {
    by_secret: HashMap<String, Arc<Alive>>,
    by_id: HashMap<TokenId, Arc<Alive>>,
}

impl Index {
    fn insert(&mut self, token: Token, secret: String) {
        let used_at = AtomicI64::new(token.used_at.unwrap_or(i64::MIN));
        let alive = Arc::new(Alive { token, secret, used_at, pace: Pace::default() });
        self.by_id.insert(alive.token.id.clone(), Arc::clone(&alive));
        self.by_secret.insert(alive.secret.clone(), alive);
    }
}

const COLUMNS: &str =
    "id, name, ceiling, confirm, role, targets, expires_at, per_minute, created_at, used_at, revoked_at";

fn token(row: &AnyRow) -> Result<Token, Halt> {
    Ok(Token {
        id: from_word("token", row.try_get(0)?)?,
        grant: TokenGrant {
            name: row.try_get(1)?,
            ceiling: from_word("token", row.try_get(2)?)?,
            confirm: from_word("token", row.try_get(3)?)?,
            role: from_word("token", row.try_get(4)?)?,
            reach: from_json("token", row.try_get(5)?)?,
            expires_at: row.try_get(6)?,
            per_minute: row.try_get::<Option<i64>, _>(7)?.and_then(|most| u32::try_from(most).ok()),
        },
        created_at: row.try_get(8)?,
        used_at: row.try_get(9)?,
        revoked_at: row.try_get(10)?,
    })
}

impl Tokens {
    pub(crate) async fn open(readers: &AnyPool, ended: broadcast::Sender<String>) -> Result<Self, OpenError> {
        let sql = format!("select {COLUMNS}, secret from token where revoked_at is null");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(readers).await?;
        let mut index = Index::default();
        for row in rows {
            let token = token(&row).map_err(|halt| OpenError::Unreadable {
                what: "token".to_owned(),
                why: jarvis_safety::port::StoreError::from(halt).to_string(),
            })?;
            index.insert(token, row.try_get(11)?);
        }
        Ok(Self { alive: RwLock::new(index), ended })
    }

    /// Lets the token in memory become what its row says.
    pub(crate) async fn follow(&self, connection: &mut Connection, id: &str) -> Result<(), Halt> {
        let Ok(id) = id.parse::<TokenId>() else { return Ok(()) };
        let sql = format!("select {COLUMNS}, secret from token where id = $1 and revoked_at is null");
        let found = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id.as_str()).fetch_optional(connection).await?;
        match found {
            Some(row) => {
                let (token, secret) = (token(&row)?, row.try_get(11)?);
                self.alive.write().unwrap_or_else(PoisonError::into_inner).insert(token, secret);
            }
            None => self.end(&id),
        }
        Ok(())
    }

    fn end(&self, id: &TokenId) {
        let mut index = self.alive.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(alive) = index.by_id.remove(id) {
            index.by_secret.remove(&alive.secret);
        }
        drop(index);
        // Nobody may have a stream open.
        let _ = self.ended.send(id.to_string());
    }

    /// The token with this secret, and whether its use is worth noting.
    pub(crate) fn find(&self, secret: &str, now: i64) -> Option<(Token, bool)> {
        if !secret.starts_with(PREFIX) {
            return None;
        }
        let index = self.alive.read().unwrap_or_else(PoisonError::into_inner);
        let alive = index.by_secret.get(&secret_digest(secret)).filter(|alive| !alive.token.grant.is_over(now))?;
        let before = alive.used_at.load(Ordering::Relaxed);
        let due = now.saturating_sub(before) >= USED;
        // Of several requests at once one notes the use.
        let note = due && alive.used_at.compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        let used_at = alive.used_at.load(Ordering::Relaxed);
        Some((Token { used_at: Some(used_at), ..alive.token.clone() }, note))
    }

    /// Counts a request of a token that has a limit: the limit, or the milliseconds after which the request may be made.
    pub(crate) fn pace(&self, id: &TokenId, now: i64) -> Option<Result<u32, i64>> {
        let index = self.alive.read().unwrap_or_else(PoisonError::into_inner);
        let alive = index.by_id.get(id)?;
        let per_minute = alive.token.grant.per_minute?;
        Some(alive.pace.take(per_minute, now).map(|()| per_minute))
    }

    /// The actor that a living token stands for.
    pub(crate) fn actor(&self, id: &str, now: i64) -> Option<Actor> {
        let id: TokenId = id.parse().ok()?;
        let index = self.alive.read().unwrap_or_else(PoisonError::into_inner);
        index.by_id.get(&id).filter(|alive| !alive.token.grant.is_over(now)).map(|alive| alive.token.actor())
    }

    /// Ends those whose time is over.
    pub(crate) fn end_expired(&self, now: i64) {
        let index = self.alive.read().unwrap_or_else(PoisonError::into_inner);
        let over = |alive: &&Arc<Alive>| alive.token.grant.is_over(now);
        let over: Vec<_> = index.by_id.values().filter(over).map(|alive| alive.token.id.clone()).collect();
        drop(index);
        over.iter().for_each(|id| self.end(id));
    }

    /// All tokens, newest first, also those that were revoked.
    pub(crate) async fn list(&self, readers: &AnyPool) -> Stored<Vec<Token>> {
        let sql = format!("select {COLUMNS} from token order by created_at desc, id desc");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(readers).await;
        let rows = rows.map_err(|error| unavailable(&error))?;
        let mut tokens = rows.iter().map(token).collect::<Result<Vec<_>, _>>()?;
        let index = self.alive.read().unwrap_or_else(PoisonError::into_inner);
        for token in &mut tokens {
            if let Some(alive) = index.by_id.get(&token.id) {
                // What was kept may be older than what is known here, or come from another replica.
                let used_at = alive.used_at.load(Ordering::Relaxed);
                token.used_at = token.used_at.max(Some(used_at).filter(|at| *at != i64::MIN));
            }
        }
        Ok(tokens)
    }
}

/// Makes a token.
pub(crate) struct CreateToken {
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) token: Token,
    /// Digest of its secret.
    pub(crate) secret: String,
    pub(crate) row: Row,
}

#[async_trait]
impl Change for CreateToken {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        let Token { id, grant, created_at, .. } = &self.token;
        let inserted = sqlx::query(
            "insert into token (id, secret, name, ceiling, confirm, role, targets, expires_at, per_minute, created_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing returning id",
        )
        .bind(id.as_str())
        .bind(self.secret.as_str())
        .bind(clean(&grant.name).as_ref())
        .bind(grant.ceiling.as_str())
        .bind(grant.confirm.as_str())
        .bind(grant.role.as_str())
        .bind(to_json("token", &grant.reach)?)
        .bind(grant.expires_at)
        .bind(grant.per_minute.map(i64::from))
        .bind(*created_at)
        .fetch_optional(&mut *tx.connection)
        .await?;
        if inserted.is_none() {
            return Err(conflict(format!("{id} is there already")));
        }
        tx.tell(self.row.clone());
        Ok(())
    }

    fn committed(&self, _: &()) {
        let mut index = self.tokens.alive.write().unwrap_or_else(PoisonError::into_inner);
        index.insert(self.token.clone(), self.secret.clone());
    }
}

/// Revokes a token.
pub(crate) struct RevokeToken {
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) id: TokenId,
    pub(crate) at: i64,
    pub(crate) row: Row,
}

#[async_trait]
impl Change for RevokeToken {
    type Answer = bool;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool, Halt> {
        let revoked = sqlx::query("update token set revoked_at = $2 where id = $1 and revoked_at is null")
            .bind(self.id.as_str())
            .bind(self.at)
            .execute(&mut *tx.connection)
            .await?;
        if revoked.rows_affected() == 0 {
            return Ok(false);
        }
        tx.tell(self.row.clone());
        Ok(true)
    }

    fn committed(&self, revoked: &bool) {
        if *revoked {
            self.tokens.end(&self.id);
        }
    }
}

/// Notes that a token was used. No event tells of it, and nobody waits for it.
pub(crate) struct NoteUse {
    pub(crate) id: TokenId,
    pub(crate) at: i64,
}

#[async_trait]
impl Change for NoteUse {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        sqlx::query("update token set used_at = $2 where id = $1")
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
