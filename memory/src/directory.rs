//! The data directory: one process owns it, nobody else may read it.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::error::OpenError;
use crate::sealed::NOTHING_SEALED;

const DATABASE: &str = "jarvis.db";
const SEAL: &str = "audit.seal";

/// Where the key of the audit lies in a data directory.
pub const AUDIT_KEY: &str = "keys/audit.key";

/// Where the key of the vault lies in a data directory, unless it comes from elsewhere.
pub const VAULT_KEY: &str = "keys/vault.key";

/// The directory, held by a lock until the last clone of whoever uses it is gone.
pub(crate) struct Directory {
    data: PathBuf,
    lock: File,
}

impl Directory {
    /// Creates it if need be, makes it private, and takes the lock.
    pub(crate) fn open(data: &Path) -> Result<Self, OpenError> {
        let wrong = |why: String| OpenError::Directory { path: data.to_owned(), why };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(data)
            .map_err(|error| wrong(format!("{error}; choose one that can be written")))?;
        make_private(data)?;
        if !data.join("lock").exists() {
            begin_seal(&data.join(SEAL)).map_err(|error| wrong(error.to_string()))?;
        }
        let lock = take_lock(data)?;
        let keys = data.join("keys");
        DirBuilder::new().recursive(true).mode(0o700).create(&keys).map_err(|error| wrong(error.to_string()))?;
        std::fs::set_permissions(&keys, Permissions::from_mode(0o700)).map_err(|error| wrong(error.to_string()))?;
        Ok(Self { data: data.to_owned(), lock })
    }

    /// Lets go of it before the last clone is gone.
    pub(crate) fn release(&self) {
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "the data directory stays locked until this process ends");
        }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.data.join(DATABASE)
    }

    /// SQLite's log file beside the database.
    pub(crate) fn wal(&self) -> PathBuf {
        self.data.join(format!("{DATABASE}-wal"))
    }

    pub(crate) fn audit_key(&self) -> PathBuf {
        self.data.join(AUDIT_KEY)
    }

    /// The vault's key, unless it comes from elsewhere.
    pub(crate) fn vault_key(&self) -> PathBuf {
        self.data.join(VAULT_KEY)
    }

    pub(crate) fn setup_code(&self) -> PathBuf {
        self.data.join("keys/setup.code")
    }

    pub(crate) fn seal(&self) -> PathBuf {
        self.data.join(SEAL)
    }

    /// A seal that contradicted the database at a start. It stays until a person has looked.
    pub(crate) fn refused_seal(&self) -> PathBuf {
        self.data.join("audit.seal.refused")
    }
}

/// A directory of ours is tightened; a foreign one that others can read is left alone and refused.
fn make_private(data: &Path) -> Result<(), OpenError> {
    let wrong = |why: String| OpenError::Directory { path: data.to_owned(), why };
    let found = std::fs::metadata(data).map_err(|error| wrong(error.to_string()))?;
    if found.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    // What an operator may have laid there before the first start.
    let ours = ["commands.toml", "jarvis.toml", "keys", "policy.toml", "prompts", "serve.log"];
    let mut entries = std::fs::read_dir(data).map_err(|error| wrong(error.to_string()))?;
    let foreign = entries.any(|entry| !entry.is_ok_and(|entry| ours.iter().any(|name| entry.file_name() == *name)));
    if foreign && !data.join("lock").exists() && !data.join(DATABASE).exists() {
        return Err(wrong(format!(
            "other users can read it and it holds files that are not Jarvis's; run `chmod 700 {}` if it is meant for \
             Jarvis, or choose an empty directory with --data",
            data.display()
        )));
    }
    std::fs::set_permissions(data, Permissions::from_mode(0o700)).map_err(|error| {
        wrong(format!("other users can read it and that cannot be changed ({error}); run `chmod 700` on it"))
    })
}

/// Says that there is nothing to seal yet, before there is a lock: from then on a seal that is missing was removed. A
/// first start may fail, or be killed, before it knows the key.
fn begin_seal(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut seal) => {
            seal.write_all(NOTHING_SEALED)?;
            seal.sync_all()?;
            sync_parent(path)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn take_lock(data: &Path) -> Result<File, OpenError> {
    let path = data.join("lock");
    let wrong = |error: io::Error| OpenError::Directory { path: path.clone(), why: error.to_string() };
    let mut lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(wrong)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = (&mut lock).take(20).read_to_string(&mut holder);
            let holder = holder.trim();
            let known = !holder.is_empty() && holder.bytes().all(|byte| byte.is_ascii_digit());
            return Err(OpenError::InUse {
                data: data.to_owned(),
                holder: if known { holder } else { "?" }.to_owned(),
            });
        }
        Err(TryLockError::Error(error)) => return Err(wrong(error)),
    }
    // Only for the message above: the lock itself is what counts.
    lock.set_len(0).map_err(wrong)?;
    lock.rewind().map_err(wrong)?;
    writeln!(lock, "{}", std::process::id()).map_err(wrong)?;
    Ok(lock)
}

/// Replaces a file so that after a crash either the old or the new text is there, readable by the owner only.
pub(crate) fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(text)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    sync_parent(path)
}

/// Writes a file that is not there yet, readable by the owner only.
pub(crate) fn create(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text)?;
    file.sync_all()?;
    sync_parent(path)
}

/// Reads a small file; `None` if it is not there. Reads no more than 4 KiB.
pub(crate) fn read_small(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match File::open(path) {
        Ok(file) => {
            let mut text = Vec::new();
            file.take(4096).read_to_end(&mut text)?;
            Ok(Some(text))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes a file for good; that it is gone already is fine.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Ok(()) => sync_parent(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes an empty file that only its owner can read, unless it is there.
pub(crate) fn touch(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    sync_parent(path)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}
