//! A backup becomes a data directory.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jarvis_safety::port::{Clock, Identities as _, Ids, Ledger as _, Verification};
use serde::Serialize;

use super::archive::Manifest;
use super::envelope::{BackupKey, Opener};
use super::error::{BackupError, at, broken};
use super::lapse::Lapsed;
use super::{examine, open_again, sync_parent};
use crate::store::Store;

/// What to restore, and where to.
pub struct RestoreOptions {
    /// The backup.
    pub file: PathBuf,
    /// The directory to make; it is not there, or empty.
    pub data: PathBuf,
    /// What opens the backup.
    pub key: BackupKey,
    /// Go on although the audit is not whole.
    pub damaged: bool,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Ids for what the store itself makes.
    pub ids: Arc<dyn Ids>,
}

/// What was restored.
#[derive(Debug, Clone, Serialize)]
pub struct Restored {
    /// The directory.
    pub data: PathBuf,
    /// When the backup was taken, in milliseconds since 1970.
    pub taken_at: i64,
    /// Version of the Jarvis that took it.
    pub version: String,
    /// Rows of the audit in the backup.
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
    /// Tokens that are valid, as they were when the backup was taken.
    pub tokens: usize,
    /// What does not fit in the audit; empty unless `damaged` was asked for.
    pub faults: Vec<String>,
}

/// Restores a backup into a directory that is not there or empty. Everything is looked at first, in a directory beside
/// it; that one is then given its name.
///
/// # Errors
/// Each says what to do; see [`BackupError`]. The directory is as it was then.
pub async fn restore(options: RestoreOptions) -> Result<Restored, BackupError> {
    let RestoreOptions { file, data, key, damaged, clock, ids } = options;
    let data = free(&data)?;
    // A wrong name is told before anything is made.
    File::open(&file).map_err(at(&file))?;
    let site = Site::take(&data)?;
    let done = build(&file, &site.path, key, damaged, clock, ids).await;
    let moved = match done {
        Ok((manifest, settled)) => site.become_directory(&data).map(|()| (manifest, settled)),
        Err(error) => Err(error),
    };
    let (manifest, settled) = moved.inspect_err(|_| site.clear())?;
    let Settled { found, lapsed, running, tokens } = settled;
    Ok(Restored {
        data,
        taken_at: manifest.taken_at,
        version: manifest.version,
        rows: found.rows,
        head: manifest.head,
        hash: manifest.hash,
        lapsed: lapsed.cards,
        jobs: lapsed.jobs,
        grants: lapsed.grants,
        sessions: lapsed.sessions,
        running,
        tokens,
        faults: found.faults,
    })
}

/// The directory by its own name, if a restore may take its place.
fn free(data: &Path) -> Result<PathBuf, BackupError> {
    let data = match std::fs::canonicalize(data) {
        Ok(data) => data,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(data.to_owned()),
        Err(error) => return Err(at(data)(error)),
    };
    if std::fs::read_dir(&data).map_err(at(&data))?.next().is_none() {
        return Ok(data);
    }
    let held = File::open(data.join("lock")).is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
    Err(if held { BackupError::InUse(data) } else { BackupError::NotEmpty(data) })
}

/// The directory beside the one that is asked for. The lock on it is the directory's own, so that no file is needed.
struct Site {
    path: PathBuf,
    _lock: File,
}

impl Site {
    fn take(data: &Path) -> Result<Self, BackupError> {
        let name = data.file_name().ok_or_else(|| BackupError::file(data, "this is no name for a directory"))?;
        let path = super::parent(data).join(format!(".{}.restoring", name.to_string_lossy()));
        DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(at(&path))?;
        let lock = File::open(&path).map_err(at(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BackupError::InUse(path)),
            Err(TryLockError::Error(error)) => return Err(at(&path)(error)),
        }
        // What a restore that was killed has left.
        empty(&path).map_err(at(&path))?;
        Ok(Self { path, _lock: lock })
    }

    fn become_directory(&self, data: &Path) -> Result<(), BackupError> {
        let file_system = File::open(&self.path).map_err(at(&self.path))?;
        rustix::fs::syncfs(&file_system).map_err(|error| at(&self.path)(error.into()))?;
        std::fs::rename(&self.path, data).map_err(|error| match error.kind() {
            ErrorKind::CrossesDevices | ErrorKind::ResourceBusy => BackupError::file(
                data,
                "this is where a file system is mounted, and a restore must be made beside its directory; name a \
                 directory inside it",
            ),
            ErrorKind::DirectoryNotEmpty => BackupError::NotEmpty(data.to_owned()),
            _ => at(data)(error),
        })?;
        sync_parent(data)
    }

    fn clear(&self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "what was read from the backup could not be removed");
        }
    }
}

fn empty(path: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// What stands in the directory that was built.
pub(super) struct Settled {
    pub(super) found: Verification,
    pub(super) lapsed: Lapsed,
    pub(super) running: usize,
    pub(super) tokens: usize,
}

async fn build(
    file: &Path,
    site: &Path,
    key: BackupKey,
    damaged: bool,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
) -> Result<(Manifest, Settled), BackupError> {
    let (path, into) = (file.to_owned(), site.to_owned());
    let read = move || open_again(&path, &Opener::of(key)?, &into);
    let manifest = tokio::task::spawn_blocking(read).await.map_err(broken)??;
    let (store, found) = examine(site, clock, ids, damaged).await?;
    let settled = settle(&store, manifest.head, found).await;
    store.close().await;
    Ok((manifest, settled?))
}

/// Voids what was open in a store that ends with a row, and looks what is left.
pub(super) async fn settle(store: &Store, head: u64, found: Verification) -> Result<Settled, BackupError> {
    let lapsed = store.lapse(head).await?;
    let running = store.unsettled_calls().await?.len();
    let tokens = store.tokens().await?.iter().filter(|token| token.revoked_at.is_none()).count();
    Ok(Settled { found, lapsed, running, tokens })
}
