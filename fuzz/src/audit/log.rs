//! A log as Jarvis would have written it, hashed by other means from what is written about the chain.
//!
//! HMAC-SHA-256, hexadecimal, over: `jarvis event 1`, the hash of the row before, sequence and time as 64 bits little
//! endian, kind, actor, owner, subject, correlation, tool, tier, summary, digest of the body. Every text has its length in
//! bytes before it, 64 bits little endian, and those that may be absent a byte that is 1 when they are there. The digest
//! of a body is the SHA-256 of its salt, 32 hexadecimal digits, and its JSON.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// Most rows of a log.
const MOST: usize = 12;

/// A row as the database holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) seq: u64,
    pub(super) at: i64,
    pub(super) kind: String,
    pub(super) actor: String,
    pub(super) owner: String,
    pub(super) subject: String,
    pub(super) correlation: String,
    pub(super) tool: Option<String>,
    pub(super) tier: Option<String>,
    pub(super) summary: String,
    pub(super) digest: Option<String>,
    pub(super) hash: String,
    /// Salt and JSON.
    pub(super) body: Option<(String, String)>,
}

/// Rows and their seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) rows: Vec<Row>,
    pub(super) seal: String,
    /// Bodies without a row.
    pub(super) orphans: u64,
}

impl Log {
    pub(super) fn of(text: &str, key: &[u8]) -> Self {
        let (mut rows, mut before) = (Vec::new(), "0".repeat(64));
        for (seq, line) in (1..).zip(text.lines().take(MOST)) {
            let mut row = Row::of(seq, line);
            row.hash = hash(key, &before, &row);
            before.clone_from(&row.hash);
            rows.push(row);
        }
        let (seq, at) = rows.last().map_or((0, 0), |row| (row.seq, row.at));
        let code =
            code(key, &[b"jarvis seal 1".as_slice(), &seq.to_le_bytes(), &at.to_le_bytes(), &sized(&before)].concat());
        let seal = format!("{{\"seq\":{seq},\"at\":{at},\"hash\":\"{before}\",\"code\":\"{code}\"}}\n");
        Self { rows, seal, orphans: 0 }
    }
}

impl Row {
    fn of(seq: u64, line: &str) -> Self {
        let mut columns = line.split('\t').map(str::to_owned);
        let mut text = || columns.next().unwrap_or_default();
        let (kind, actor, owner, subject, correlation) = (text(), text(), text(), text(), text());
        let (tool, tier, summary, json) = (columns.next(), columns.next(), columns.next(), columns.next());
        let salt = hex(&Sha256::digest(line)[..16]);
        let body = json.filter(|json| !json.is_empty()).map(|json| (salt, json));
        let digest = body.as_ref().map(|(salt, json)| digest(salt, json));
        let present = |text: Option<String>| text.filter(|text| text != "-");
        Self {
            seq,
            at: i64::try_from(line.len()).unwrap_or(0) - 8,
            kind,
            actor,
            owner,
            subject,
            correlation,
            tool: present(tool),
            tier: present(tier),
            summary: summary.unwrap_or_default(),
            digest,
            hash: String::new(),
            body,
        }
    }
}

fn hash(key: &[u8], before: &str, row: &Row) -> String {
    let mut text = b"jarvis event 1".to_vec();
    text.extend(sized(before));
    text.extend(row.seq.to_le_bytes());
    text.extend(row.at.to_le_bytes());
    for column in [&row.kind, &row.actor, &row.owner, &row.subject, &row.correlation] {
        text.extend(sized(column));
    }
    text.extend(perhaps(row.tool.as_ref()));
    text.extend(perhaps(row.tier.as_ref()));
    text.extend(sized(&row.summary));
    text.extend(perhaps(row.digest.as_ref()));
    code(key, &text)
}

fn sized(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

fn perhaps(text: Option<&String>) -> Vec<u8> {
    let mut bytes = vec![u8::from(text.is_some())];
    bytes.extend(sized(text.map_or("", String::as_str)));
    bytes
}

pub(super) fn digest(salt: &str, json: &str) -> String {
    hex(&Sha256::digest([salt, json].concat()))
}

fn code(key: &[u8], text: &[u8]) -> String {
    let Ok(mut keyed) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    keyed.update(text);
    hex(&keyed.finalize().into_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
