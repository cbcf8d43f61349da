//! The walk over the rows of an audit, in their order: says everything that does not fit. Reads nothing by itself.

use jarvis_safety::event::EventKind;
use jarvis_safety::port::Verification;

use super::chain::{self, Chain, Fields, Head};
use super::sealed::Sealed;

/// Most faults that are told.
pub(crate) const FAULTS: usize = 20;

/// Letters of a salt: 16 bytes, hexadecimal.
const SALT: usize = 32;

/// What is still kept of a row's body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept<'a> {
    pub(crate) salt: Option<&'a str>,
    pub(crate) json: Option<&'a str>,
}

/// How far it has come, and what it found.
pub(crate) struct Walk<'a> {
    chain: &'a Chain,
    sealed: &'a Sealed,
    last: Head,
    buffer: Vec<u8>,
    found: Verification,
    /// Bodies that rows of the audit say were erased.
    told_erased: u64,
    /// Hash of the sealed row, once it was seen.
    seen: Option<String>,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(chain: &'a Chain, sealed: &'a Sealed) -> Self {
        Self {
            chain,
            sealed,
            last: Head::genesis(),
            buffer: Vec::with_capacity(1024),
            found: Verification::default(),
            told_erased: 0,
            seen: None,
        }
    }

    /// Sequence of the last row.
    pub(crate) const fn seq(&self) -> u64 {
        self.last.seq
    }

    /// The next row.
    pub(crate) fn row(&mut self, fields: &Fields<'_>, hash: &str, kept: Kept<'_>) {
        let seq = fields.seq;
        let whole = seq == self.last.seq + 1;
        if !whole {
            self.gap(seq);
        }
        // After a gap the row before is not there, so only the rows behind this one can be checked.
        let fits = whole && self.chain.hash(&self.last.hash, fields, &mut self.buffer) == hash;
        if whole && !fits {
            self.fault(|| format!("row {seq} was altered, or the row before it was: its hash does not fit"));
        }
        if fits && fields.kind == EventKind::BodyErased.as_str() {
            self.told_erased = self.told_erased.saturating_add(erased_count(fields.summary));
        }
        self.body(seq, fields.body, kept);
        self.pass(seq, hash);
    }

    /// A row in which a column holds what was never written there.
    pub(crate) fn unreadable(&mut self, seq: u64, hash: &str, why: &str) {
        self.fault(|| format!("row {seq} was altered and cannot be read: {why}"));
        self.pass(seq, hash);
    }

    /// There are no more rows. It is known which row was written last, and counted how many stand before the first one and
    /// how many bodies belong to no row.
    pub(crate) fn end(mut self, known: u64, early: u64, orphans: u64) -> Verification {
        let last = self.last.seq;
        if last < known {
            self.fault(|| format!("the log ends at row {last}, and row {known} was written: its end was removed"));
        }
        if early > 0 {
            self.fault(|| format!("{early} rows stand before row 1, where none was ever written"));
        }
        let (erased, told) = (self.found.erased, self.told_erased);
        if erased > told {
            self.fault(|| format!("{erased} bodies are gone and the rows of the log tell of {told} that were erased"));
        }
        if orphans > 0 {
            self.fault(|| format!("{orphans} bodies belong to rows that are not there"));
        }
        self.seal();
        self.found.head = last;
        self.found.hash = self.last.hash;
        self.found.sealed = if let Sealed::Head(head) = self.sealed { head.seq } else { 0 };
        self.found
    }

    fn fault(&mut self, sentence: impl FnOnce() -> String) {
        if self.found.faults.len() < FAULTS {
            self.found.faults.push(sentence());
        }
    }

    fn pass(&mut self, seq: u64, hash: &str) {
        if matches!(self.sealed, Sealed::Head(head) if head.seq == seq) {
            self.seen = Some(hash.to_owned());
        }
        self.found.rows += 1;
        self.last.seq = seq;
        hash.clone_into(&mut self.last.hash);
    }

    fn gap(&mut self, seq: u64) {
        let (first, last) = (self.last.seq + 1, seq.saturating_sub(1));
        self.fault(|| {
            if first == last {
                format!("row {first} is missing")
            } else {
                format!("rows {first} to {last} are missing")
            }
        });
    }

    fn body(&mut self, seq: u64, digest: Option<&str>, kept: Kept<'_>) {
        match (digest, kept.salt, kept.json) {
            (None, None, None) => {}
            (Some(digest), Some(salt), Some(json)) => {
                self.found.bodies += 1;
                // The digest does not tell where the salt ends.
                if salt.len() != SALT || chain::body_digest(salt, json) != digest {
                    self.fault(|| format!("the body of row {seq} was altered"));
                }
            }
            (Some(_), None, None) => self.found.erased += 1,
            _ => self.fault(|| format!("row {seq} has a body that it was not written with")),
        }
    }

    fn seal(&mut self) {
        let last = self.last.seq;
        match self.sealed {
            Sealed::Head(head) if head.seq > last => self.fault(|| {
                format!("the log ends at row {last}, and the seal vouches for row {}: its end was removed", head.seq)
            }),
            Sealed::Head(head) if head.seq > 0 && self.seen.as_ref() != Some(&head.hash) => {
                self.fault(|| format!("row {} is not the one that was sealed", head.seq));
            }
            Sealed::Head(_) => {}
            Sealed::Nothing if last == 0 => {}
            Sealed::Missing | Sealed::Nothing => {
                self.fault(|| "the seal is missing, so a removed end cannot be seen".to_owned());
            }
            Sealed::Forged => {
                self.fault(|| "the seal was not written by Jarvis, or under another key".to_owned());
            }
        }
    }
}

/// The summary of a `body.erased` row begins with how many.
fn erased_count(summary: &str) -> u64 {
    let digits = summary.split(' ').next().unwrap_or_default();
    digits.parse().unwrap_or(0)
}
