//! Verification: reads the whole audit and says everything that does not fit.
//!
//! What it can find: a row that was altered, removed, added, or moved; a body that was altered or added; bodies that
//! vanished without a row that tells of their erasure; an end that was cut off after the seal. What it cannot find: an
//! attacker who holds the key, and one who puts back database *and* seal of an earlier time.

use jarvis_safety::event::EventKind;
use jarvis_safety::port::{Feed as _, Stored, Verification};
use sqlx::any::AnyRow;
use sqlx::{AnyPool, AssertSqlSafe, Row as _};

use crate::chain::{self, Chain, GENESIS, Head};
use crate::row::{self, COLUMNS};
use crate::seal::{self, Sealed};
use crate::store::Store;
use crate::stored::{unavailable, unreadable};

/// Rows read at a time.
const PAGE: usize = 2000;

/// Most faults that are told.
const FAULTS: usize = 20;

pub(crate) async fn verify(store: &Store) -> Stored<Verification> {
    // The seal first: whatever it vouches for must be there when the rows are read.
    let sealed = read_seal(store).await?;
    let mut found = audit(&store.0.readers, &store.0.chain, &sealed, store.head()).await?;
    if store.0.directory.refused_seal().exists() && found.faults.len() < FAULTS {
        found.faults.push(format!(
            "at a start the seal was missing or contradicted the database; it lies in {} until you have looked into it \
             and remove it",
            store.0.directory.refused_seal().display()
        ));
    }
    found.at = store.0.clock.now();
    Ok(found)
}

/// Reads an audit whose last row is known to be this one or a later one.
pub(crate) async fn audit(readers: &AnyPool, chain: &Chain, sealed: &Sealed, known: u64) -> Stored<Verification> {
    let mut walk = Walk::new(chain);
    if let Sealed::Head(head) = sealed {
        walk.watched = Some(head.seq);
    }
    let sql = format!(
        "select {COLUMNS}, e.body, b.salt, b.json from event e left join body b on b.seq = e.seq \
         where e.seq > $1 order by e.seq limit {PAGE}"
    );
    loop {
        let page = sqlx::query(AssertSqlSafe(sql.clone()))
            .bind(walk.last.seq.cast_signed())
            .fetch_all(readers)
            .await
            .map_err(|error| unavailable(&error))?;
        for row in &page {
            if let Err(error) = walk.row(row) {
                walk.unreadable(row, &error).map_err(|error| unreadable("audit", &error.to_string()))?;
            }
        }
        if page.len() < PAGE {
            break;
        }
        tokio::task::yield_now().await;
    }
    walk.end(known);
    walk.orphans(readers).await?;
    walk.seal(sealed);
    let mut found = walk.found;
    found.head = walk.last.seq;
    found.hash = walk.last.hash;
    found.sealed = if let Sealed::Head(head) = sealed { head.seq } else { 0 };
    Ok(found)
}

async fn read_seal(store: &Store) -> Stored<Sealed> {
    let unavailable = |why: String| jarvis_safety::port::StoreError::Unavailable(why);
    let inner = std::sync::Arc::clone(&store.0);
    let read = tokio::task::spawn_blocking(move || seal::read(&inner.directory, &inner.chain)).await;
    read.map_err(|error| unavailable(error.to_string()))?.map_err(|error| unavailable(error.to_string()))
}

struct Walk<'a> {
    chain: &'a Chain,
    last: Head,
    buffer: Vec<u8>,
    found: Verification,
    /// Bodies that rows of the audit say were erased.
    told_erased: u64,
    /// The sealed row, and its hash once it was seen.
    watched: Option<u64>,
    seen: Option<String>,
}

impl<'a> Walk<'a> {
    fn new(chain: &'a Chain) -> Self {
        Self {
            chain,
            last: Head { seq: 0, at: 0, hash: GENESIS.to_owned() },
            buffer: Vec::with_capacity(1024),
            found: Verification::default(),
            told_erased: 0,
            watched: None,
            seen: None,
        }
    }

    fn fault(&mut self, sentence: impl FnOnce() -> String) {
        if self.found.faults.len() < FAULTS {
            self.found.faults.push(sentence());
        }
    }

    fn row(&mut self, row: &AnyRow) -> Result<(), sqlx::Error> {
        let (fields, hash) = row::fields(row)?;
        let seq = fields.seq;
        let whole = seq == self.last.seq + 1;
        if !whole {
            self.gap(seq);
        }
        // After a gap the row before is not there, so only the rows behind this one can be checked.
        let fits = whole && self.chain.hash(&self.last.hash, &fields, &mut self.buffer) == hash;
        if whole && !fits {
            self.fault(|| format!("row {seq} was altered, or the row before it was: its hash does not fit"));
        }
        if fits && fields.kind == EventKind::BodyErased.as_str() {
            self.told_erased += erased_count(fields.summary);
        }
        self.body(seq, fields.body, row.try_get(12)?, row.try_get(13)?);
        self.pass(seq, hash);
        Ok(())
    }

    /// Goes on behind a row in which a column holds what was never written there.
    fn unreadable(&mut self, row: &AnyRow, error: &sqlx::Error) -> Result<(), sqlx::Error> {
        let seq = row.try_get::<i64, _>(0)?.cast_unsigned();
        self.fault(|| format!("row {seq} was altered and cannot be read: {error}"));
        self.pass(seq, row.try_get(10).unwrap_or_default());
        Ok(())
    }

    fn pass(&mut self, seq: u64, hash: &str) {
        if self.watched == Some(seq) {
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

    fn body(&mut self, seq: u64, digest: Option<&str>, salt: Option<&str>, json: Option<&str>) {
        match (digest, salt, json) {
            (None, None, None) => {}
            (Some(digest), Some(salt), Some(json)) => {
                self.found.bodies += 1;
                if chain::body_digest(salt, json) != digest {
                    self.fault(|| format!("the body of row {seq} was altered"));
                }
            }
            (Some(_), None, None) => self.found.erased += 1,
            _ => self.fault(|| format!("row {seq} has a body that it was not written with")),
        }
    }

    fn end(&mut self, known: u64) {
        let last = self.last.seq;
        if last < known {
            self.fault(|| format!("the log ends at row {last}, and row {known} was written: its end was removed"));
        }
        let (erased, told) = (self.found.erased, self.told_erased);
        if erased > told {
            self.fault(|| format!("{erased} bodies are gone and the rows of the log tell of {told} that were erased"));
        }
    }

    async fn orphans(&mut self, readers: &AnyPool) -> Stored<()> {
        let count = sqlx::query("select count(*) from body b left join event e on e.seq = b.seq where e.seq is null")
            .fetch_one(readers)
            .await
            .and_then(|row| row.try_get::<i64, _>(0))
            .map_err(|error| unavailable(&error))?;
        if count > 0 {
            self.fault(|| format!("{count} bodies belong to rows that are not there"));
        }
        Ok(())
    }

    fn seal(&mut self, sealed: &Sealed) {
        let last = self.last.seq;
        match sealed {
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
