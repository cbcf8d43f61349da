//! Backup: everything that a Jarvis is, in one file; and back.
//!
//! ```text
//! take     snapshot ─► archive ─► envelope ─► read again, compared, opened, verified ─► the name that was asked for
//! restore  envelope ─► archive ─► beside the directory: compared, opened, verified, settled ─► renamed to it
//! ```
//!
//! Both work on a copy that nobody else sees, and the last thing that they do is one rename: a process that is killed
//! leaves either everything or nothing (and a hidden directory beside it, which the next restore removes). The database
//! is that of one moment; files are copied after it, each as it is then.

mod archive;
mod content;
mod dumped;
mod envelope;
mod error;
mod lapse;
mod restore;
mod snapshot;

use std::fs::{File, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jarvis_safety::port::{Clock, Feed as _, Ids, Verification};
use jarvis_safety::secret::Redactor;
use serde::Serialize;

pub use dumped::{Voided, void_dumped};
pub use envelope::{BackupKey, Protection};
pub use error::BackupError;
pub use restore::{RestoreOptions, Restored, restore};

use archive::Manifest;
use content::Contents;
use envelope::Opener;
use error::{at, broken};

use crate::store::{Options, Store};

/// What to back up, and where to.
pub struct BackupOptions {
    /// The data directory; a server may run on it.
    pub data: PathBuf,
    /// The file to make. Nothing may be there.
    pub file: PathBuf,
    /// Whether `files/` and `trash/` go along.
    pub files: bool,
    /// For whom it is readable.
    pub protection: Protection,
    /// Go on although the audit is not whole.
    pub damaged: bool,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Ids for the store that is opened to verify the copy.
    pub ids: Arc<dyn Ids>,
}

/// What was backed up.
#[derive(Debug, Clone, Serialize)]
pub struct Backup {
    /// The file.
    pub file: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// Rows of the audit in it.
    pub rows: u64,
    /// Newest row.
    pub head: u64,
    /// Its hash.
    pub hash: String,
    /// When, in milliseconds since 1970.
    pub taken_at: i64,
    /// Files in it.
    pub parts: usize,
    /// What could not be copied: sockets, pipes, names that are no text.
    pub left_out: Vec<String>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// What does not fit in the audit; empty unless `damaged` was asked for.
    pub faults: Vec<String>,
}

/// Backs up a data directory into one file, also while a server runs on it. The file is there once it was read again
/// and found whole.
///
/// # Errors
/// Each says what to do; see [`BackupError`]. Nothing is left then.
pub async fn backup(options: BackupOptions) -> Result<Backup, BackupError> {
    let BackupOptions { data, file, files, protection, damaged, clock, ids } = options;
    if !data.join("jarvis.db").try_exists().map_err(at(&data))? {
        return Err(BackupError::NoSource(data));
    }
    if file.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(file));
    }
    if let Protection::Recipient(text) = &protection {
        envelope::recipient(text)?;
    }
    let encrypted = !matches!(protection, Protection::Open);
    // Beside the file, because there is the room for it, and so that it can be renamed.
    let scratch = scratch_beside(&file)?;
    let copy = scratch.path().join("data");
    let taken_at = clock.now();
    let taken = snapshot::take(&data, &copy).await?;
    let manifest = Manifest::new(taken_at, taken.schema, taken.head.seq, taken.head.hash);
    let (draft, again) = (scratch.path().join("draft"), scratch.path().join("again"));
    let beside = scratch.path().to_owned();
    let work = Work { data, scratch: beside, copy, draft: draft.clone(), again: again.clone(), files, protection };
    let written = tokio::task::spawn_blocking(move || work.write(manifest)).await;
    let (manifest, left_out) = written.map_err(broken)??;
    let (store, found) = examine(&again, clock, ids, damaged).await?;
    store.close().await;
    let bytes = std::fs::metadata(&draft).map_err(at(&draft))?.len();
    std::fs::rename(&draft, &file).map_err(at(&file))?;
    sync_parent(&file)?;
    Ok(Backup {
        file,
        bytes,
        rows: found.rows,
        head: manifest.head,
        hash: manifest.hash,
        taken_at,
        parts: manifest.parts.len(),
        left_out,
        encrypted,
        faults: found.faults,
    })
}

/// What is done on a thread of its own, because it waits for disks.
struct Work {
    data: PathBuf,
    /// The directory of the three that follow.
    scratch: PathBuf,
    /// The snapshot.
    copy: PathBuf,
    /// The backup before it has its name.
    draft: PathBuf,
    /// What is read out of it again.
    again: PathBuf,
    files: bool,
    protection: Protection,
}

impl Work {
    fn write(self, manifest: Manifest) -> Result<(Manifest, Vec<String>), BackupError> {
        let Self { data, scratch, copy, draft, again, files, protection } = self;
        let Contents { found, left_out } =
            Contents::gather(&copy, &data, files, !matches!(protection, Protection::Open), &scratch)?;
        let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(at(&draft))?;
        let (out, opener) = envelope::wrap(open, &protection)?;
        let out = archive::write(out, &found, manifest)?;
        envelope::close(out).map_err(at(&draft))?;
        // Room for the second copy.
        std::fs::remove_dir_all(&copy).map_err(at(&copy))?;
        Ok((open_again(&draft, &opener, &again)?, left_out))
    }
}

fn scratch_beside(file: &Path) -> Result<tempfile::TempDir, BackupError> {
    let parent = parent(file);
    if !parent.is_dir() {
        return Err(BackupError::file(parent, "there is no such directory; make it first, or name another place"));
    }
    let private = Permissions::from_mode(0o700);
    tempfile::Builder::new().prefix(".jarvis-backup-").permissions(private).tempdir_in(parent).map_err(at(parent))
}

/// The directory that a path stands in.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn sync_parent(path: &Path) -> Result<(), BackupError> {
    let parent = parent(path);
    File::open(parent).and_then(|open| open.sync_all()).map_err(at(parent))
}

/// Reads a backup into a directory that is not there yet.
fn open_again(path: &Path, opener: &Opener, into: &Path) -> Result<Manifest, BackupError> {
    let input = envelope::unwrap(path, opener)?;
    archive::read(path, input, into)
}

/// Looks at every page and at every row of what was read, and answers the open store.
async fn examine(
    data: &Path,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    damaged: bool,
) -> Result<(Store, Verification), BackupError> {
    let mut faults = snapshot::check(&data.join("jarvis.db")).await?;
    let store = Store::open(Options { data: data.to_owned(), clock, ids, redactor: Redactor::default() }).await?;
    let mut found = match store.verify().await {
        Ok(found) => found,
        Err(error) => {
            store.close().await;
            return Err(error.into());
        }
    };
    faults.append(&mut found.faults);
    found.faults = faults;
    if damaged || found.faults.is_empty() {
        return Ok((store, found));
    }
    store.close().await;
    Err(BackupError::NotWhole(found.faults))
}
