//! Where the key of the vault comes from.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use jarvis_safety::digest::hex;
use jarvis_safety::secret::Secret;
use zeroize::Zeroizing;

use super::cipher::{KEY, Master};

/// Shortest passphrase, in bytes.
const SHORTEST_PASSPHRASE: usize = 12;

/// What a key is made from.
#[derive(Clone, Default)]
pub enum VaultKey {
    /// `keys/vault.key` in the data directory; made when the first secret is kept.
    #[default]
    Own,
    /// 32 bytes, as 64 hexadecimal digits or as base64.
    Key(Secret),
    /// A passphrase, from which the key is derived with Argon2id (64 MiB, 3 passes).
    Passphrase(Secret),
    /// It cannot be had; this says why.
    Unreadable(String),
}

/// Reads a key.
pub(super) fn key(text: &str) -> Result<Master, String> {
    let text = text.trim();
    let bytes = if text.len() == 2 * KEY && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap_or_default());
        digits.map(|pair| u8::from_str_radix(pair, 16).unwrap_or_default()).collect()
    } else {
        let decoded = STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text));
        decoded.map_err(|_| WRONG.to_owned())?
    };
    let bytes = Zeroizing::new(bytes);
    let bytes: [u8; KEY] = bytes.as_slice().try_into().map_err(|_| WRONG.to_owned())?;
    Ok(Master::new(Zeroizing::new(bytes)))
}

const WRONG: &str = "the key of the vault must be 32 bytes, as 64 hexadecimal digits or as base64; `openssl rand -hex 32` \
                     makes one";

/// Derives a key.
pub(super) fn derived(passphrase: &Secret, salt: &str) -> Result<Master, String> {
    let passphrase = passphrase.expose().trim();
    if passphrase.len() < SHORTEST_PASSPHRASE {
        return Err(format!("the passphrase of the vault must have at least {SHORTEST_PASSPHRASE} characters"));
    }
    let mut bytes = Zeroizing::new([0; KEY]);
    let params = Params::new(64 * 1024, 3, 1, Some(KEY)).map_err(|error| error.to_string())?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt.as_bytes(), &mut *bytes)
        .map_err(|error| format!("no key can be derived from the passphrase: {error}"))?;
    Ok(Master::new(bytes))
}

/// A salt.
pub(super) fn salt() -> Result<String, String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| format!("the system gives no random numbers: {error}"))?;
    Ok(hex(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_in_both_writings_and_nothing_else() {
        let hexadecimal = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
        let base64 = "ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8=";
        assert_eq!(key(hexadecimal).unwrap().id(), key(&format!(" {base64}\n")).unwrap().id());
        for wrong in ["", "00", "not a key", &hexadecimal[2..], "ABEiM0RVZneImaq7zN3u/w=="] {
            assert!(key(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_passphrase_makes_the_same_key_with_the_same_salt_alone() {
        let phrase = Secret::new("correct horse battery".to_owned());
        let first = derived(&phrase, "0123456789abcdef").unwrap();
        assert_eq!(first.id(), derived(&phrase, "0123456789abcdef").unwrap().id());
        assert_ne!(first.id(), derived(&phrase, "fedcba9876543210").unwrap().id());
        assert!(derived(&Secret::new("too short".to_owned()), "0123456789abcdef").is_err());
    }
}
