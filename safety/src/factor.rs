//! What the faces need of the second factor beside the operator's password.

use async_trait::async_trait;

use crate::event::Draft;
use crate::port::Stored;
use crate::secret::Secret;

/// The second factor while it is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactorState {
    /// When it was turned on.
    pub since: i64,
    /// Recovery codes that were not spent.
    pub recovery_left: u32,
}

/// What became of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// It was the code of the moment, and is no more.
    Code,
    /// It was a recovery code, and is no more.
    Recovery,
    /// It is wrong, too old, or was spent before.
    Wrong,
}

/// One-time codes by the clock (RFC 6238). Who may ask is decided before.
#[async_trait]
pub trait SecondFactor: Send + Sync {
    /// Nothing while it is off.
    async fn factor(&self) -> Stored<Option<FactorState>>;
    /// A new key in base32. It is kept nowhere.
    fn propose(&self) -> Stored<Secret>;
    /// Turns it on with a key, if the code is of that key. Answers the recovery codes, which are not kept as they are;
    /// nothing if the key is none or the code is not of it. `Conflict` if it is on.
    async fn turn_on(&self, secret: &Secret, code: &str, draft: Draft) -> Stored<Option<Vec<String>>>;
    /// Spends a code of the moment, or a recovery code.
    async fn spend(&self, code: &str) -> Stored<Spent>;
    /// Turns it off, and forgets key and recovery codes. Answers whether it was on.
    async fn turn_off(&self, draft: Draft) -> Stored<bool>;
}
