//! A database that was restored from a dump of its own server: what was open in it is void, as after every restore.
//!
//! PostgreSQL is backed up with `pg_dump`. What comes back is an older state: a job that ran since is queued in it, a yes
//! that was used up is fresh. Nothing may run on it before all of that is void.

use jarvis_safety::port::Feed as _;
use serde::Serialize;

use super::error::BackupError;
use super::restore::{Settled, settle};
use crate::dialect::Database;
use crate::store::{Options, Store};

/// What was made void in a database that was restored from a dump.
#[derive(Debug, Clone, Serialize)]
pub struct Voided {
    /// Rows of the audit in it.
    pub rows: u64,
    /// Newest of them.
    pub head: u64,
    /// Its hash.
    pub hash: String,
    /// Approvals that were open, and are void now.
    pub lapsed: u64,
    /// Jobs that were open, and are unknown now.
    pub jobs: u64,
    /// Grants that were live, and are taken back now.
    pub grants: u64,
    /// Sessions that were open, and have ended.
    pub sessions: u64,
    /// Calls that ran; the next start looks what came of them.
    pub running: usize,
    /// Tokens that are valid, as they were when the dump was made.
    pub tokens: usize,
    /// What does not fit in the audit.
    pub faults: Vec<String>,
}

/// Voids what was open when a dump of this database was made. No server may run on it.
///
/// # Errors
/// Each says what to do; see [`BackupError`]. What was void by then stays so: begin again.
pub async fn void_dumped(database: Database, options: Options) -> Result<Voided, BackupError> {
    if matches!(database, Database::Directory) {
        return Err(BackupError::NotShared);
    }
    let store = Store::open_as(database, options, true).await?;
    let voided = void(&store).await;
    store.close().await;
    voided
}

async fn void(store: &Store) -> Result<Voided, BackupError> {
    let found = store.verify().await?;
    let (rows, head, hash) = (found.rows, found.head, found.hash.clone());
    let Settled { found, lapsed, running, tokens } = settle(store, head, found).await?;
    let (jobs, grants, sessions) = (lapsed.jobs, lapsed.grants, lapsed.sessions);
    Ok(Voided { rows, head, hash, lapsed: lapsed.cards, jobs, grants, sessions, running, tokens, faults: found.faults })
}
