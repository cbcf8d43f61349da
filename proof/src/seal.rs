//! The seal beside the database: it may lag behind the chain, and never be ahead of it or vouch for another row.

use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::chain::{Key, Walk};
use crate::report::{Kind, Violation};

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seal {
    pub(crate) seq: i64,
    pub(crate) at: i64,
    pub(crate) hash: String,
    code: String,
}

impl Seal {
    /// Reads the seal of a data directory.
    pub(crate) fn read(data: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read(data.join("audit.seal")).context("audit.seal cannot be read")?;
        let said: Value = serde_json::from_slice(&text).context("audit.seal is no JSON")?;
        let number = |name: &str| said.get(name).and_then(Value::as_i64);
        let text = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (seq, at) = number("seq").zip(number("at")).context("audit.seal has no head")?;
        Ok(Self { seq, at, hash: text("hash"), code: text("code") })
    }

    /// Says what does not fit. The seal was read before the snapshot, in which the row it vouches for has this hash.
    pub(crate) fn check(&self, key: &Key, data: &Path, row: Option<&str>) -> Vec<Violation> {
        let mut found = Vec::new();
        let mut wrong = |what: String| found.push(Violation::new(Kind::Seal, what));
        if key.seal(self.seq, self.at, &self.hash) != self.code {
            wrong(format!("the seal over row {} was not made with the key", self.seq));
        }
        if self.seq > 0 && row != Some(self.hash.as_str()) {
            wrong(format!("the seal vouches for row {}, and that is {}", self.seq, row.unwrap_or("not there")));
        }
        if data.join("audit.seal.refused").exists() {
            wrong("at a start the program found that seal and database contradict each other".to_owned());
        }
        found
    }

    /// Seals another head, as only somebody can who holds the key.
    pub(crate) fn forge(key: &Key, data: &Path, head: &Walk) -> std::io::Result<()> {
        let code = key.seal(head.seq, head.at, &head.hash);
        let said = json!({ "seq": head.seq, "at": head.at, "hash": head.hash, "code": code });
        std::fs::write(data.join("audit.seal"), format!("{said}\n"))
    }
}
