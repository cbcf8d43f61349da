//! Envelopes: each value is sealed under a key of its own, and that key under the vault's, both with
//! XChaCha20-Poly1305. What a value may be used for is bound to its envelope, so that whoever can write to the database
//! cannot widen it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use jarvis_safety::digest::hex;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Bytes of a key.
pub(super) const KEY: usize = 32;
/// Bytes of a nonce: long enough that random ones do not meet.
const NONCE: usize = 24;

/// The key of the vault.
pub(super) struct Master {
    key: Zeroizing<[u8; KEY]>,
    /// Tells keys apart, and nothing about them.
    id: String,
}

/// A value in its envelope.
pub(super) struct Envelope {
    /// The value's key, sealed under the vault's.
    pub(super) wrapped: String,
    /// The value, sealed under its own key.
    pub(super) sealed: String,
}

impl Master {
    pub(super) fn new(key: Zeroizing<[u8; KEY]>) -> Self {
        let id = hex(&Sha256::new().chain_update("jarvis vault key id\0").chain_update(*key).finalize()[..8]);
        Self { key, id }
    }

    /// A new one.
    pub(super) fn random() -> Result<Self, String> {
        random().map(Self::new)
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The key as it stands in a file.
    pub(super) fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(hex(&*self.key))
    }

    /// Seals a value; `bound` must be the same when it is opened.
    pub(super) fn seal(&self, value: &str, bound: &str) -> Result<Envelope, String> {
        let own = random()?;
        Ok(Envelope { wrapped: seal(&self.key, &*own, bound)?, sealed: seal(&own, value.as_bytes(), bound)? })
    }

    /// Opens a value. None if the key is another one, or anything was changed.
    pub(super) fn open(&self, envelope: &Envelope, bound: &str) -> Option<Zeroizing<String>> {
        let own: [u8; KEY] = open(&self.key, &envelope.wrapped, bound)?.as_slice().try_into().ok()?;
        let value = open(&Zeroizing::new(own), &envelope.sealed, bound)?;
        std::str::from_utf8(&value).ok().map(|value| Zeroizing::new(value.to_owned()))
    }
}

fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, String> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(&mut *bytes).map_err(|error| format!("the system gives no random numbers: {error}"))?;
    Ok(bytes)
}

fn seal(key: &[u8; KEY], bytes: &[u8], bound: &str) -> Result<String, String> {
    let nonce = random::<NONCE>()?;
    let payload = Payload { msg: bytes, aad: bound.as_bytes() };
    let sealed = XChaCha20Poly1305::new(&Key::from(*key)).encrypt(&XNonce::from(*nonce), payload);
    let sealed = sealed.map_err(|_| "it is too long to be sealed".to_owned())?;
    Ok(STANDARD.encode([nonce.as_slice(), &sealed].concat()))
}

fn open(key: &[u8; KEY], text: &str, bound: &str) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = STANDARD.decode(text).ok()?;
    let (nonce, sealed) = bytes.split_first_chunk::<NONCE>()?;
    let payload = Payload { msg: sealed, aad: bound.as_bytes() };
    XChaCha20Poly1305::new(&Key::from(*key)).decrypt(&XNonce::from(*nonce), payload).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_under_its_key_and_its_bounds_alone() {
        let (ours, theirs) = (Master::random().unwrap(), Master::random().unwrap());
        let envelope = ours.seal("größe & geheim", "name 1").unwrap();
        assert_eq!(ours.open(&envelope, "name 1").as_deref().map(String::as_str), Some("größe & geheim"));
        assert!(ours.open(&envelope, "name 2").is_none());
        assert!(theirs.open(&envelope, "name 1").is_none());
        assert_ne!(ours.id(), theirs.id());
    }

    #[test]
    fn a_changed_byte_is_noticed_wherever_it_is() {
        let master = Master::random().unwrap();
        let Envelope { wrapped, sealed } = master.seal("hunter2-hunter2", "x").unwrap();
        let flipped = |text: &str, at: usize| {
            let mut bytes = STANDARD.decode(text).unwrap();
            bytes[at] ^= 1;
            STANDARD.encode(bytes)
        };
        for at in 0..STANDARD.decode(&wrapped).unwrap().len() {
            let envelope = Envelope { wrapped: flipped(&wrapped, at), sealed: sealed.clone() };
            assert!(master.open(&envelope, "x").is_none(), "byte {at} of the key");
        }
        for at in 0..STANDARD.decode(&sealed).unwrap().len() {
            let envelope = Envelope { wrapped: wrapped.clone(), sealed: flipped(&sealed, at) };
            assert!(master.open(&envelope, "x").is_none(), "byte {at} of the value");
        }
        for torn in ["", "AAAA", "no base64"] {
            assert!(master.open(&Envelope { wrapped: torn.to_owned(), sealed: sealed.clone() }, "x").is_none());
        }
    }
}
