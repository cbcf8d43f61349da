//! The operator's password and the one-time code with which it is set first.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use async_trait::async_trait;
use jarvis_safety::port::{StoreError, Stored};
use sqlx::{AnyPool, Row as _};
use tokio::sync::Semaphore;

use crate::chain;
use crate::change::{Change, Tx};
use crate::dialect::Connection;
use crate::directory;
use crate::error::OpenError;
use crate::factor;
use crate::grant;
use crate::row::Row;
use crate::session::Sessions;
use crate::stored::{Halt, conflict, unavailable};

/// Longest password, in bytes: hashing takes time in proportion.
const LONGEST: usize = 1024;

/// Passwords that are hashed at once; each takes 19 MiB and 50 ms of one core.
const AT_ONCE: usize = 2;

/// Digits of the code: no letters that look alike.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Whether there is an operator, and the code until there is.
pub(crate) struct Operator {
    exists: AtomicBool,
    code: RwLock<Option<String>>,
    code_file: PathBuf,
    hashing: Semaphore,
}

impl Operator {
    pub(crate) async fn open(readers: &AnyPool, code_file: PathBuf) -> Result<Self, OpenError> {
        let exists = sqlx::query("select id from operator").fetch_optional(readers).await?.is_some();
        let operator = Self {
            exists: AtomicBool::new(exists),
            code: RwLock::new(None),
            code_file,
            hashing: Semaphore::new(AT_ONCE),
        };
        let wrong = |why: String| OpenError::Key { path: operator.code_file.clone(), why };
        if exists {
            directory::remove(&operator.code_file).map_err(|error| wrong(error.to_string()))?;
            return Ok(operator);
        }
        let found = directory::read_small(&operator.code_file).map_err(|error| wrong(error.to_string()))?;
        let kept = found.and_then(|text| String::from_utf8(text).ok()).map(|text| text.trim().to_owned());
        match kept.filter(|code| code.len() == 26) {
            Some(code) => operator.set_code(Some(code)),
            None => operator.new_code().map_err(wrong)?,
        }
        Ok(operator)
    }

    /// Lets what is known here become what another replica made of it.
    pub(crate) async fn follow(&self, connection: &mut Connection) -> Result<(), Halt> {
        let exists = sqlx::query("select id from operator").fetch_optional(connection).await?.is_some();
        match (exists, self.exists()) {
            (true, _) => self.password_is_set(),
            (false, true) => self.password_is_forgotten(),
            (false, false) => {}
        }
        Ok(())
    }

    pub(crate) fn exists(&self) -> bool {
        self.exists.load(Ordering::Acquire)
    }

    pub(crate) fn code(&self) -> Option<String> {
        self.code.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Compares digests, so that how long it takes says nothing about the code.
    pub(crate) fn is_code(&self, text: &str) -> bool {
        self.code().is_some_and(|code| {
            let (given, wanted) = (chain::secret_digest(text.trim()), chain::secret_digest(&code));
            given.bytes().zip(wanted.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
        })
    }

    fn set_code(&self, code: Option<String>) {
        *self.code.write().unwrap_or_else(PoisonError::into_inner) = code;
    }

    fn new_code(&self) -> Result<(), String> {
        let mut number = u128::from_le_bytes(chain::random::<16>()?);
        let mut code = String::with_capacity(26);
        for _ in 0..26 {
            code.push(char::from(DIGITS[(number & 31) as usize]));
            number >>= 5;
        }
        directory::replace(&self.code_file, code.as_bytes()).map_err(|error| error.to_string())?;
        self.set_code(Some(code));
        Ok(())
    }

    fn password_is_set(&self) {
        self.set_code(None);
        self.exists.store(true, Ordering::Release);
        if let Err(error) = directory::remove(&self.code_file) {
            tracing::warn!(%error, "the used setup code could not be removed; the next start does");
        }
    }

    fn password_is_forgotten(&self) {
        self.exists.store(false, Ordering::Release);
        if let Err(error) = self.new_code() {
            tracing::error!(%error, "no new setup code could be made; the next start makes one");
        }
    }

    /// Hashes a password away from the tasks that serve.
    pub(crate) async fn hash(&self, password: &str) -> Stored<String> {
        if password.is_empty() || password.len() > LONGEST {
            let why = format!("the password must have 1 to {LONGEST} bytes");
            return Err(StoreError::Conflict(why));
        }
        let password = password.to_owned();
        self.away(move || {
            let hash = hasher()?.hash_password(password.as_bytes()).map_err(|error| error.to_string())?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether this is the password.
    pub(crate) async fn check(&self, readers: &AnyPool, password: &str) -> Stored<bool> {
        if password.len() > LONGEST {
            return Ok(false);
        }
        let found = sqlx::query("select password from operator").fetch_optional(readers).await;
        let Some(row) = found.map_err(|error| unavailable(&error))? else { return Ok(false) };
        let hash: String = row.try_get(0).map_err(|error| unavailable(&error))?;
        let password = password.to_owned();
        self.away(move || Ok(hasher()?.verify_password(password.as_bytes(), hash.as_str()).is_ok())).await
    }

    async fn away<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Stored<T> {
        let _turn = self.hashing.acquire().await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|error| StoreError::Unavailable(error.to_string()))?.map_err(StoreError::Unavailable)
    }
}

fn hasher() -> Result<Argon2<'static>, String> {
    let params = Params::new(19_456, 2, 1, None).map_err(|error| error.to_string())?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Sets the password and ends all sessions.
pub(crate) struct SetPassword {
    pub(crate) operator: Arc<Operator>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) hash: String,
    /// Only while there is no operator: two people with the same one-time code.
    pub(crate) first_only: bool,
    pub(crate) at: i64,
    pub(crate) row: Row,
}

#[async_trait]
impl Change for SetPassword {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        if self.first_only {
            let there = sqlx::query("select id from operator").fetch_optional(&mut *tx.connection).await?;
            if there.is_some() {
                return Err(conflict("the password is set already; sign in with it"));
            }
        }
        sqlx::query(
            "insert into operator (id, password, set_at) values (1, $1, $2) \
             on conflict (id) do update set password = excluded.password, set_at = excluded.set_at",
        )
        .bind(self.hash.as_str())
        .bind(self.at)
        .execute(&mut *tx.connection)
        .await?;
        sqlx::query("delete from session").execute(&mut *tx.connection).await?;
        tx.tell(self.row.clone());
        Ok(())
    }

    fn committed(&self, _: &()) {
        self.operator.password_is_set();
        self.sessions.end_all();
    }
}

/// Forgets the password and the second factor, ends all sessions, takes all grants back, and makes a new code.
pub(crate) struct Reset {
    pub(crate) operator: Arc<Operator>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) at: i64,
    pub(crate) row: Row,
}

#[async_trait]
impl Change for Reset {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        sqlx::query("delete from operator").execute(&mut *tx.connection).await?;
        sqlx::query("delete from session").execute(&mut *tx.connection).await?;
        // Whoever knew the password may have given them.
        grant::revoke_all(tx.connection, self.at).await?;
        factor::forget(tx.connection).await?;
        tx.tell(self.row.clone());
        Ok(())
    }

    fn committed(&self, _: &()) {
        self.operator.password_is_forgotten();
        self.sessions.end_all();
    }
}
