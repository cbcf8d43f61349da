//! The keyed hash chain over the rows of the audit.
//!
//! A row's hash covers the hash of the row before it and every field of the row, each with its length in front, so that
//! no text can move from one field to the next unseen. The key lies outside the database: whoever can write there
//! cannot make hashes. Bodies are hashed apart, each with its own salt, so that an erased one cannot be guessed back
//! from its digest.

use hmac::{Hmac, KeyInit as _, Mac as _};
use jarvis_safety::digest::hex;
use sha2::{Digest as _, Sha256};

/// Hash before the first row.
pub(crate) const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The newest row, as far as the next one needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) seq: u64,
    pub(crate) at: i64,
    pub(crate) hash: String,
}

impl Head {
    pub(crate) fn genesis() -> Self {
        Self { seq: 0, at: 0, hash: GENESIS.to_owned() }
    }
}

/// The hashed fields of a row, in the order in which they are hashed.
pub(crate) struct Fields<'a> {
    pub(crate) seq: u64,
    pub(crate) at: i64,
    pub(crate) kind: &'a str,
    pub(crate) actor: &'a str,
    pub(crate) owner: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) correlation: &'a str,
    pub(crate) tool: Option<&'a str>,
    pub(crate) tier: Option<&'a str>,
    pub(crate) summary: &'a str,
    pub(crate) body: Option<&'a str>,
}

/// Makes and checks hashes.
#[derive(Clone)]
pub(crate) struct Chain {
    keyed: Hmac<Sha256>,
}

impl Chain {
    /// Under this key.
    pub(crate) fn new(key: &[u8]) -> Result<Self, String> {
        Hmac::new_from_slice(key).map(|keyed| Self { keyed }).map_err(|error| error.to_string())
    }

    /// Hash of a row that follows the one with the hash `before`. The buffer is only there to be used again.
    pub(crate) fn hash(&self, before: &str, row: &Fields<'_>, buffer: &mut Vec<u8>) -> String {
        buffer.clear();
        buffer.extend_from_slice(b"jarvis event 1");
        put(buffer, before);
        buffer.extend_from_slice(&row.seq.to_le_bytes());
        buffer.extend_from_slice(&row.at.to_le_bytes());
        for text in [row.kind, row.actor, row.owner, row.subject, row.correlation] {
            put(buffer, text);
        }
        for text in [row.tool, row.tier] {
            put_optional(buffer, text);
        }
        put(buffer, row.summary);
        put_optional(buffer, row.body);
        self.code(buffer)
    }

    /// Code of a seal over the head of the chain.
    pub(crate) fn seal(&self, head: &Head) -> String {
        let mut buffer = Vec::with_capacity(128);
        buffer.extend_from_slice(b"jarvis seal 1");
        buffer.extend_from_slice(&head.seq.to_le_bytes());
        buffer.extend_from_slice(&head.at.to_le_bytes());
        put(&mut buffer, &head.hash);
        self.code(&buffer)
    }

    /// Code that tells this key from any other, and tells nothing of it.
    pub(crate) fn own_code(&self) -> String {
        self.code(b"jarvis key 1")
    }

    fn code(&self, bytes: &[u8]) -> String {
        let mut keyed = self.keyed.clone();
        keyed.update(bytes);
        hex(&keyed.finalize().into_bytes())
    }
}

fn put(buffer: &mut Vec<u8>, text: &str) {
    buffer.extend_from_slice(&(text.len() as u64).to_le_bytes());
    buffer.extend_from_slice(text.as_bytes());
}

fn put_optional(buffer: &mut Vec<u8>, text: Option<&str>) {
    buffer.push(u8::from(text.is_some()));
    put(buffer, text.unwrap_or_default());
}

/// Digest of a body under its salt.
pub(crate) fn body_digest(salt: &str, json: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(salt.as_bytes());
    hasher.update(json.as_bytes());
    hex(&hasher.finalize())
}

/// SHA-256 of a secret, as it is kept.
pub(crate) fn secret_digest(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

/// Random bytes of the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes).map_err(|error| format!("the system gives no random numbers: {error}"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields<'a>(actor: &'a str, owner: &'a str, tool: Option<&'a str>) -> Fields<'a> {
        Fields {
            seq: 1,
            at: 2,
            kind: "call.read",
            actor,
            owner,
            subject: "",
            correlation: "",
            tool,
            tier: None,
            summary: "",
            body: None,
        }
    }

    #[test]
    fn no_text_can_move_between_fields_unseen() {
        let chain = Chain::new(&[7; 32]).unwrap();
        let hash = |row| chain.hash(GENESIS, &row, &mut Vec::new());
        let plain = hash(fields("ab", "c", None));
        assert_ne!(plain, hash(fields("a", "bc", None)));
        assert_ne!(plain, hash(fields("ab", "c", Some(""))));
        assert_eq!(plain, hash(fields("ab", "c", None)));
    }

    #[test]
    fn another_key_makes_another_hash() {
        let hash = |key: u8| Chain::new(&[key; 32]).unwrap().hash(GENESIS, &fields("a", "b", None), &mut Vec::new());
        assert_ne!(hash(1), hash(2));
    }
}
