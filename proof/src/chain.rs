//! The hash chain of the audit, computed anew.
//!
//! What is hashed (HMAC-SHA-256 under `keys/audit.key`, hexadecimal): the words `jarvis event 1`, the hash of the row
//! before, sequence and time as 64 bits little endian, kind, actor, owner, subject, correlation, tool, tier, summary,
//! and the digest of the body. Every text has its length in bytes before it, 64 bits little endian; those that may be
//! absent (tool, tier, digest) have a byte before that which is 1 when they are there. Before the first row stands a hash
//! of 64 zeros. The digest of a body is the SHA-256 of its salt and its JSON.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::book::Row;
use crate::report::{Kind, Violation};

/// The key, ready for use.
#[derive(Clone)]
pub(crate) struct Key(Hmac<Sha256>);

/// How far a chain was followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Walk {
    pub(crate) seq: i64,
    pub(crate) at: i64,
    pub(crate) hash: String,
}

impl Walk {
    pub(crate) fn new() -> Self {
        Self { seq: 0, at: 0, hash: "0".repeat(64) }
    }

    /// Follows the chain over one more row and says what does not fit.
    pub(crate) fn step(&mut self, key: &Key, row: &Row, found: &mut Vec<Violation>) {
        let mut wrong = |what: String| found.push(Violation::new(Kind::Chain, what));
        if row.seq != self.seq + 1 {
            wrong(format!("row {} follows row {}", row.seq, self.seq));
        } else if key.row(&self.hash, row) != row.hash {
            wrong(format!("the hash of row {} does not fit", row.seq));
        }
        if row.at < self.at {
            wrong(format!("row {} is older than the one before", row.seq));
        }
        match (&row.digest, &row.body) {
            (None, None) => {}
            (Some(digest), Some((salt, json))) if *digest == body(salt, json) => {}
            (Some(_), None) => wrong(format!("the body of row {} is gone, and nothing was erased here", row.seq)),
            _ => wrong(format!("the body of row {} is not the one that was hashed", row.seq)),
        }
        (self.seq, self.at) = (row.seq, row.at);
        self.hash.clone_from(&row.hash);
    }
}

impl Key {
    pub(crate) fn new(bytes: &[u8]) -> anyhow::Result<Self> {
        Ok(Self(Hmac::new_from_slice(bytes)?))
    }

    /// Hash of a row after the one with the hash `before`.
    pub(crate) fn row(&self, before: &str, row: &Row) -> String {
        let mut text = b"jarvis event 1".to_vec();
        let sized = |text: &mut Vec<u8>, part: &str| {
            text.extend((part.len() as u64).to_le_bytes());
            text.extend(part.bytes());
        };
        sized(&mut text, before);
        text.extend(row.seq.to_le_bytes());
        text.extend(row.at.to_le_bytes());
        sized(&mut text, &row.kind);
        sized(&mut text, &row.actor);
        sized(&mut text, &row.owner);
        sized(&mut text, &row.subject);
        sized(&mut text, &row.correlation);
        let perhaps = |text: &mut Vec<u8>, part: &Option<String>| {
            text.push(u8::from(part.is_some()));
            sized(text, part.as_deref().unwrap_or(""));
        };
        perhaps(&mut text, &row.tool);
        perhaps(&mut text, &row.tier);
        sized(&mut text, &row.summary);
        perhaps(&mut text, &row.digest);
        self.code(&text)
    }

    /// Code of the seal over a head: `jarvis seal 1`, sequence, time, and the hash with its length.
    pub(crate) fn seal(&self, seq: i64, at: i64, hash: &str) -> String {
        let mut text = b"jarvis seal 1".to_vec();
        text.extend(seq.to_le_bytes());
        text.extend(at.to_le_bytes());
        text.extend((hash.len() as u64).to_le_bytes());
        text.extend(hash.bytes());
        self.code(&text)
    }

    fn code(&self, text: &[u8]) -> String {
        let mut keyed = self.0.clone();
        keyed.update(text);
        hex(&keyed.finalize().into_bytes())
    }
}

fn body(salt: &str, json: &str) -> String {
    hex(&Sha256::digest([salt.as_bytes(), json.as_bytes()].concat()))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    halves.map(|half| DIGITS[usize::from(half)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hashes below were computed by another program (Python's `hmac`) from the description above.
    fn row() -> Row {
        Row {
            seq: 1,
            at: 2,
            kind: "call.read".into(),
            actor: "a".into(),
            owner: "o".into(),
            subject: "s".into(),
            correlation: "c".into(),
            tool: Some("echo".into()),
            tier: None,
            summary: "übung".into(),
            digest: Some("38df60ba354b2e5e7df624bb10feb2b4b8b465ef6523fd28e321b537cba57566".into()),
            body: Some(("salt".into(), r#"{"a":1}"#.into())),
            hash: "07b432bf2b632e7b76272171e7a766d813ba2ff2f4a8f081378d9c376e0655db".into(),
        }
    }

    fn faults(rows: &[Row]) -> Vec<String> {
        let (mut walk, mut found) = (Walk::new(), Vec::new());
        let key = Key::new(&[7; 32]).unwrap();
        rows.iter().for_each(|row| walk.step(&key, row, &mut found));
        found.into_iter().map(|violation| violation.what).collect()
    }

    #[test]
    fn hashes_are_those_that_another_program_computes() {
        assert_eq!(faults(&[row()]), [""; 0]);
        let seal = Key::new(&[7; 32]).unwrap().seal(9, 8, "ab");
        assert_eq!(seal, "2da2ebb7728157966cd033b4493c8d6154c3596b91c3d3af3eb1c1d946968c08");
    }

    #[test]
    fn every_field_that_is_altered_is_seen() {
        let alterations: [fn(&mut Row); 12] = [
            |row| row.seq = 2,
            |row| row.at = 3,
            |row| row.kind.push('.'),
            |row| row.actor.push('.'),
            |row| row.owner.push('.'),
            |row| row.subject.push('.'),
            |row| row.correlation.push('.'),
            |row| row.tool = None,
            |row| row.tier = Some(String::new()),
            |row| row.summary.push('.'),
            |row| row.body = None,
            |row| row.body = Some(("salt".into(), "{}".into())),
        ];
        for alter in alterations {
            let mut altered = row();
            alter(&mut altered);
            assert_eq!(faults(&[altered]).len(), 1);
        }
    }
}
