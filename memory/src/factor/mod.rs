//! The second factor beside the operator's password: codes of an authenticator app, and recovery codes for when it is lost.
//!
//! The key is a secret of the vault under a name that nobody else can use: it is sealed, follows the vault to another key,
//! is struck out wherever it could appear, and is gone with the vault's key. Then a recovery code opens the door, or
//! `jarvis operator reset` on the host.

mod change;
mod code;

use async_trait::async_trait;
use jarvis_safety::event::{Draft, EventKind};
use jarvis_safety::factor::{FactorState, SecondFactor, Spent};
use jarvis_safety::port::{StoreError, Stored};
use jarvis_safety::secret::{Secret, SecretChange, SecretName};
use zeroize::Zeroizing;

use crate::chain::{random, secret_digest};
use crate::row::Row;
use crate::vault::SecretVault;

pub(crate) use change::forget;
use change::{SpendRecovery, SpendStep, TurnOff, TurnOn};

/// Under this name the vault keeps the key.
pub(crate) const NAME: &str = "jarvis-second-factor";
/// Recovery codes that are made at once.
const CODES: usize = 8;
/// Digits of recovery codes: no letters that look alike.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

fn name() -> Stored<SecretName> {
    NAME.parse().map_err(|_| StoreError::Unavailable("the name of the second factor's key is none".to_owned()))
}

/// Sixteen characters in four groups: 80 bits, so that its digest gives nothing away.
fn recovery_code() -> Stored<String> {
    let bytes = Zeroizing::new(random::<16>().map_err(StoreError::Unavailable)?);
    let digits: Vec<u8> = bytes.iter().map(|byte| DIGITS[usize::from(byte & 31)]).collect();
    let groups: Vec<_> = digits.chunks(4).map(String::from_utf8_lossy).collect();
    Ok(groups.join("-"))
}

/// A recovery code as it is compared: without what a person may write differently.
fn plain(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|one| one.to_ascii_lowercase()).collect()
}

#[async_trait]
impl SecondFactor for SecretVault {
    async fn factor(&self) -> Stored<Option<FactorState>> {
        let found = change::state(&self.store().0.readers).await?;
        Ok(found.map(|(since, recovery_left)| FactorState { since, recovery_left }))
    }

    fn propose(&self) -> Stored<Secret> {
        let key = Zeroizing::new(random::<{ code::KEY }>().map_err(StoreError::Unavailable)?);
        Ok(Secret::new(code::base32(&key).to_string()))
    }

    async fn turn_on(&self, secret: &Secret, code: &str, draft: Draft) -> Stored<Option<Vec<String>>> {
        let store = self.store();
        let at = store.0.clock.now();
        let Some(key) = code::key(secret.expose()) else { return Ok(None) };
        let Some(step) = code::fitting(&key, code, at) else { return Ok(None) };
        if self.factor().await?.is_some() {
            return Err(StoreError::Conflict("the second factor is on already; turn it off first".to_owned()));
        }
        let codes = (0..CODES).map(|_| recovery_code()).collect::<Stored<Vec<_>>>()?;
        let kept = Draft {
            kind: EventKind::SecretKept,
            subject: NAME.to_owned(),
            summary: "the key of the second factor was sealed".to_owned(),
            ..draft.clone()
        };
        let note = Some("key of the second factor".to_owned());
        let text = Secret::new(code::base32(&exact(&key)?).to_string());
        self.keep(&name()?, SecretChange { value: Some(text), note, uses: Some(Vec::new()) }, kept).await?;
        let digests = codes.iter().map(|code| secret_digest(&plain(code))).collect();
        let row = Row::new(&store.0.redactor, draft)?;
        store.0.writer.submit(TurnOn { step, codes: digests, at, row }).await?;
        Ok(Some(codes))
    }

    async fn spend(&self, given: &str) -> Stored<Spent> {
        let store = self.store();
        let (given, at) = (given.trim(), store.0.clock.now());
        if given.len() != 6 {
            let digest = secret_digest(&plain(given));
            let spent = store.0.writer.submit(SpendRecovery { digest, at }).await?;
            return Ok(if spent { Spent::Recovery } else { Spent::Wrong });
        }
        // Another server may have turned it on a moment ago.
        self.load().await;
        let text = self.value(&name()?).map_err(|why| {
            StoreError::Unavailable(format!("the second factor cannot be checked ({why}); a recovery code can be used"))
        })?;
        let Some(key) = code::key(text.expose()) else { return Ok(Spent::Wrong) };
        let Some(step) = code::fitting(&key, given, at) else { return Ok(Spent::Wrong) };
        Ok(if store.0.writer.submit(SpendStep(step)).await? { Spent::Code } else { Spent::Wrong })
    }

    async fn turn_off(&self, draft: Draft) -> Stored<bool> {
        let store = self.store();
        let row = Row::new(&store.0.redactor, draft)?;
        let was_on = store.0.writer.submit(TurnOff { row }).await?;
        self.load().await;
        Ok(was_on)
    }
}

fn exact(key: &[u8]) -> Stored<[u8; code::KEY]> {
    key.try_into().map_err(|_| StoreError::Conflict("the key of the second factor has another length".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_code_is_taken_however_it_is_written() {
        let code = recovery_code().unwrap();
        assert_eq!((code.len(), code.split('-').count()), (19, 4), "{code}");
        assert_eq!(plain(&code), plain(&format!(" {} ", code.to_uppercase().replace('-', " "))));
        assert_ne!(code, recovery_code().unwrap());
    }
}
