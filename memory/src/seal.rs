//! The seal: the head of the chain in a file outside the database, under the key.
//!
//! The chain shows every altered row but not that its end is missing. The seal does: it vouches for a row that must be
//! there. It is written at most once a second, only for rows that are fsynced (otherwise a power cut would look like a
//! theft), and never over evidence: a seal that contradicts the database at a start is set aside for a person to see.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Row as _;
use tokio::sync::watch;

use crate::chain::{Chain, Head};
use crate::dialect::{Connection, Dialect};
use crate::directory::{self, Directory};
use crate::error::OpenError;
use crate::sealed::{self, Sealed};

/// Least time between two writes.
const PAUSE: Duration = Duration::from_secs(1);

pub(crate) fn read(directory: &Directory, chain: &Chain) -> std::io::Result<Sealed> {
    let text = directory::read_small(&directory.seal())?;
    Ok(text.map_or(Sealed::Missing, |text| Sealed::read(&text, chain)))
}

pub(crate) fn write(directory: &Directory, chain: &Chain, head: &Head) -> std::io::Result<()> {
    directory::replace(&directory.seal(), &sealed::text(head, chain)?)
}

/// Seals the durable head as it moves, until the writer is gone; the last one always.
pub(crate) async fn run(directory: Arc<Directory>, chain: Arc<Chain>, mut durable: watch::Receiver<Head>) {
    let mut sealed = durable.borrow_and_update().seq;
    let mut open = true;
    while open {
        open = durable.changed().await.is_ok();
        let head = durable.borrow_and_update().clone();
        if head.seq == sealed {
            continue;
        }
        sealed = head.seq;
        if let Err(error) = write_away(&directory, &chain, head).await {
            tracing::error!(%error, "the audit could not be sealed");
        }
        if open {
            // Once the writer is gone nothing more will move.
            let _ = tokio::time::timeout(PAUSE, gone(durable.clone())).await;
        }
    }
}

async fn write_away(directory: &Arc<Directory>, chain: &Arc<Chain>, head: Head) -> std::io::Result<()> {
    let (directory, chain) = (Arc::clone(directory), Arc::clone(chain));
    tokio::task::spawn_blocking(move || write(&directory, &chain, &head)).await?
}

async fn gone(mut durable: watch::Receiver<Head>) {
    while durable.changed().await.is_ok() {}
}

/// Compares seal and database at a start and answers where the chain goes on, and whether the two fit.
///
/// If rows are missing that the seal vouches for, the chain goes on *after* them: the gap stays visible for ever. A shared
/// database that misses one is refused, unless it is `dumped`: known to come from a dump.
pub(crate) async fn compare(
    directory: &Directory,
    chain: &Chain,
    connection: &mut Connection,
    dialect: Dialect,
    stored: Head,
    dumped: bool,
) -> Result<(Head, bool), OpenError> {
    let wrong = |error: std::io::Error| OpenError::Directory { path: directory.seal(), why: error.to_string() };
    let head = match read(directory, chain).map_err(wrong)? {
        // This directory is new. A database that others use may hold rows already; a file in it may not.
        Sealed::Nothing if stored.seq == 0 || dialect.is_shared() => {
            write(directory, chain, &stored).map_err(wrong)?;
            return Ok((stored, true));
        }
        Sealed::Head(sealed) if sealed.seq == 0 => return Ok((stored, true)),
        Sealed::Head(sealed) => {
            let found: Option<String> = sqlx::query("select hash from event where seq = $1")
                .bind(sealed.seq.cast_signed())
                .fetch_optional(connection)
                .await?
                .map(|row| row.try_get(0))
                .transpose()?;
            if found.as_deref() == Some(sealed.hash.as_str()) {
                return Ok((stored, true));
            }
            // An older state of a database of its own server, in which what was done since is open; also if somebody has
            // gone on with it.
            if dialect.is_shared() && !dumped {
                return Err(OpenError::Older { seal: directory.seal(), sealed: sealed.seq, stored: stored.seq });
            }
            set_aside(directory, "it vouches for a row that the database does not hold").map_err(wrong)?;
            if sealed.seq > stored.seq { sealed } else { stored }
        }
        Sealed::Missing | Sealed::Nothing => {
            if !directory.refused_seal().exists() {
                let note: &[u8] = b"the seal was missing at a start\n";
                directory::replace(&directory.refused_seal(), note).map_err(wrong)?;
            }
            tracing::error!("the audit's seal is missing; run `jarvis audit verify`");
            stored
        }
        Sealed::Forged => {
            set_aside(directory, "it was not written by Jarvis, or under another key").map_err(wrong)?;
            stored
        }
    };
    write(directory, chain, &head).map_err(wrong)?;
    Ok((head, false))
}

fn set_aside(directory: &Directory, why: &str) -> std::io::Result<()> {
    tracing::error!(why, "the audit's seal does not fit; it was set aside, run `jarvis audit verify`");
    if directory.refused_seal().exists() {
        // The first one set aside is the evidence; it stays until a person removes it.
        return Ok(());
    }
    std::fs::rename(directory.seal(), directory.refused_seal())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_durable_head_is_sealed_when_the_writer_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Arc::new(Directory::open(&dir.path().join("data")).unwrap());
        let chain = Arc::new(Chain::open(&directory, true).unwrap());
        assert!(matches!(read(&directory, &chain).unwrap(), Sealed::Nothing));
        let (durable, seen) = watch::channel(Head::genesis());
        let task = tokio::spawn(run(Arc::clone(&directory), Arc::clone(&chain), seen));
        for seq in 1..=3 {
            durable.send_replace(Head { seq, ..Head::genesis() });
            tokio::task::yield_now().await;
        }
        drop(durable);
        task.await.unwrap();
        let Sealed::Head(head) = read(&directory, &chain).unwrap() else { panic!("no seal") };
        assert_eq!(head.seq, 3);
        write(&directory, &Chain::open(&directory, false).unwrap(), &head).unwrap();
        let text = std::fs::read_to_string(directory.seal()).unwrap();
        std::fs::write(directory.seal(), text.replace(":3", ":4")).unwrap();
        assert!(matches!(read(&directory, &chain).unwrap(), Sealed::Forged));
    }
}
