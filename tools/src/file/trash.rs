//! Old versions: what was overwritten or removed, kept so that it can be put back.
//!
//! `DATA/trash/<version>/` holds `manifest.json`, which says what stood where and what stands there since, and `content`
//! where there was any. The manifest is on disk before the change is made; a version without a change does no harm, a
//! change without a version could not be taken back. Versions older than 30 days go, and the oldest beyond 1 GiB or
//! 5,000, whenever a new one is kept.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use jarvis_safety::port::{Clock, Ids};
use jarvis_safety::tool::{ToolError, ToolErrorKind};
use serde::{Deserialize, Serialize};

use super::fault::failed;
use super::place::sync;

/// Bytes that are kept in all; a larger file is not removed at all, because it could not be put back.
pub(super) const KEPT_BYTES: u64 = 1 << 30;
/// How long a version is kept.
const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// Versions that are kept in all.
const KEPT_VERSIONS: usize = 5000;
/// Largest manifest: a path and a few numbers.
const MANIFEST: u64 = 64 * 1024;

/// What stood there before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Kept {
    /// Nothing: the change made something new.
    Nothing,
    /// A file; its content stands beside the manifest.
    File {
        /// Bytes.
        size: u64,
        /// Mark of the content.
        mark: String,
    },
    /// An empty folder.
    Folder,
}

/// What a version says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// Canonical path.
    pub(super) path: String,
    /// Milliseconds since 1970.
    pub(super) at: i64,
    /// What stood there before.
    pub(super) before: Kept,
    /// Mark of what the change left there; none where it left nothing.
    pub(super) after: Option<String>,
}

impl Manifest {
    const fn size(&self) -> u64 {
        match self.before {
            Kept::File { size, .. } => size,
            Kept::Nothing | Kept::Folder => 0,
        }
    }
}

/// One version that is being kept. Dropped before [`Version::keep`], it leaves nothing behind.
pub(super) struct Version<'a> {
    trash: &'a Trash,
    /// Its folder.
    pub(super) dir: Dir,
    /// Its name.
    pub(super) name: String,
    /// When, and how large, once it is written.
    noted: Cell<Option<(i64, u64)>>,
    stays: Cell<bool>,
}

/// All versions.
pub(super) struct Trash {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    /// When each was kept and how large it is; read from disk when it is first needed.
    index: Mutex<Option<BTreeMap<String, (i64, u64)>>>,
}

fn broken(error: &io::Error) -> ToolError {
    failed(format!("the old version cannot be kept or read ({error}), so nothing was done; see `jarvis doctor`"))
}

fn create(dir: &Dir, name: &str) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    Ok(dir.open_with(name, &options)?.into_std())
}

impl Trash {
    pub(super) fn new(path: PathBuf, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        Self { path, clock, ids, index: Mutex::new(None) }
    }

    fn top(&self) -> io::Result<Dir> {
        Dir::open_ambient_dir(&self.path, ambient_authority())
    }

    /// Begins a version.
    pub(super) fn begin(&self) -> Result<Version<'_>, ToolError> {
        let name = format!("{:032x}", self.ids.next());
        let begun = || {
            let top = self.top()?;
            top.create_dir(&name)?;
            top.open_dir(&name)
        };
        let dir = begun().map_err(|error| broken(&error))?;
        Ok(Version { trash: self, dir, name, noted: Cell::new(None), stays: Cell::new(false) })
    }

    /// The version of this name and its folder.
    pub(super) fn version(&self, name: &str) -> Result<(Manifest, Dir), ToolError> {
        let gone = || {
            let text = "there is no kept version of that name; versions go after 30 days, or earlier when there are more \
                 than 5,000 or they fill 1 GiB";
            ToolError::new(ToolErrorKind::NotFound, text)
        };
        if name.len() != 32 || !name.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
            return Err(gone());
        }
        let dir = self.top().and_then(|top| top.open_dir(name)).map_err(|_| gone())?;
        let manifest = manifest(&dir).map_err(|_| gone())?;
        Ok((manifest, dir))
    }

    /// Forgets a version whose content was put back by moving it.
    pub(super) fn forget(&self, name: &str) {
        let removed = self.top().and_then(|top| top.remove_dir_all(name));
        if let Err(error) = removed {
            tracing::warn!(version = name, %error, "an old version could not be removed from the trash");
            return;
        }
        if let Some(index) = self.index.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            index.remove(name);
        }
    }

    fn read_index(&self) -> io::Result<BTreeMap<String, (i64, u64)>> {
        let top = self.top()?;
        let mut index = BTreeMap::new();
        for entry in top.entries()?.flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            // One without a readable manifest was never finished: it counts as the oldest of all.
            let known = top.open_dir(&name).and_then(|dir| manifest(&dir));
            index.insert(name, known.map_or((0, 0), |kept| (kept.at, kept.size())));
        }
        Ok(index)
    }

    /// Takes note of a new version and lets the oldest go.
    fn note(&self, name: &str, now: i64, size: u64) -> io::Result<()> {
        let mut held = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let mut index = match held.take() {
            Some(index) => index,
            None => self.read_index()?,
        };
        index.insert(name.to_owned(), (now, size));
        let mut oldest: Vec<_> = index.iter().map(|(name, (at, size))| (*at, *size, name.clone())).collect();
        oldest.sort_unstable();
        let mut bytes: u64 = oldest.iter().map(|(_, size, _)| size).sum();
        let mut count = oldest.len();
        let mut over = Vec::new();
        for (at, size, old) in oldest.into_iter().filter(|(.., old)| old != name) {
            let fits = bytes <= KEPT_BYTES && count <= KEPT_VERSIONS && now - at <= KEPT_MS;
            if fits {
                break;
            }
            bytes -= size;
            count -= 1;
            index.remove(&old);
            over.push(old);
        }
        *held = Some(index);
        drop(held);
        over.iter().for_each(|old| self.forget(old));
        Ok(())
    }
}

fn manifest(dir: &Dir) -> io::Result<Manifest> {
    let mut text = String::new();
    dir.open("manifest.json")?.take(MANIFEST).read_to_string(&mut text)?;
    serde_json::from_str(&text).map_err(io::Error::other)
}

impl Version<'_> {
    /// Keeps a content.
    pub(super) fn content(&self, content: &[u8]) -> Result<(), ToolError> {
        let kept = create(&self.dir, "content").and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        });
        kept.map_err(|error| broken(&error))
    }

    /// A file for a content that is copied from another file system.
    pub(super) fn content_file(&self) -> Result<File, ToolError> {
        create(&self.dir, "content").map_err(|error| broken(&error))
    }

    /// Writes down what is about to be done, durably. Only then may it be done.
    pub(super) fn write(&self, path: &str, before: Kept, after: Option<String>) -> Result<(), ToolError> {
        let manifest = Manifest { path: path.to_owned(), at: self.trash.clock.now(), before, after };
        let written = || {
            let mut file = create(&self.dir, "manifest.json")?;
            file.write_all(serde_json::to_string(&manifest)?.as_bytes())?;
            file.sync_all()?;
            sync(&self.dir)?;
            sync(&self.trash.top()?)
        };
        written().map_err(|error: io::Error| broken(&error))?;
        self.noted.set(Some((manifest.at, manifest.size())));
        Ok(())
    }

    /// Says whether it stays even if the change is not completed: while it holds the only copy of something.
    pub(super) fn stays(&self, stays: bool) {
        self.stays.set(stays);
    }

    /// The change was made: the version stays, and the oldest ones go.
    pub(super) fn keep(self) -> String {
        self.stays.set(true);
        if let Some((at, size)) = self.noted.get()
            && let Err(error) = self.trash.note(&self.name, at, size)
        {
            tracing::warn!(version = self.name, %error, "the trash could not be counted; old versions stay for now");
        }
        self.name.clone()
    }
}

impl Drop for Version<'_> {
    fn drop(&mut self) {
        if !self.stays.get() {
            self.trash.forget(&self.name);
        }
    }
}
