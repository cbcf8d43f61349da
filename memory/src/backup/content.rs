//! What goes into a backup.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::error::{BackupError, at};
use crate::directory::VAULT_KEY;

/// One entry of a backup.
pub(super) struct Content {
    /// Where it stands in the data directory.
    pub(super) name: String,
    pub(super) source: Source,
    pub(super) mode: u32,
    /// Seconds since 1970.
    pub(super) changed_at: u64,
}

pub(super) enum Source {
    File(PathBuf),
    Directory,
    Link(PathBuf),
}

/// Everything that is copied, and what had to be left out.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) found: Vec<Content>,
    /// Names of what is neither file nor directory nor link, or is no text.
    pub(super) left_out: Vec<String>,
}

/// What the store needs, out of the snapshot.
pub(super) const STORE: [&str; 4] = ["jarvis.db", "keys/audit.key", "audit.seal", "audit.seal.refused"];
/// What its owner wrote.
const OWN: [&str; 4] = ["policy.toml", "commands.toml", "jarvis.toml", "prompts"];
/// What tools wrote.
const FILES: [&str; 2] = ["files", "trash"];

impl Contents {
    /// The snapshot, and of the data directory what its owner wrote; with `files`, also what tools wrote. `scratch` is
    /// what this backup itself is made in: it may lie in there too. The vault's key goes into an encrypted backup alone:
    /// beside the sealed secrets it would open them to everybody.
    pub(super) fn gather(
        snapshot: &Path,
        data: &Path,
        files: bool,
        encrypted: bool,
        scratch: &Path,
    ) -> Result<Self, BackupError> {
        let mut contents = Self::default();
        for name in STORE {
            contents.add(snapshot, name, None)?;
        }
        if encrypted {
            contents.add(data, VAULT_KEY, None)?;
        }
        // Whoever may read the directory that it came from need not be whoever may read the one it goes to.
        contents.found.iter_mut().for_each(|content| content.mode = 0o600);
        for name in OWN.iter().chain(FILES.iter().filter(|_| files)) {
            contents.add(data, name, scratch.file_name())?;
        }
        Ok(contents)
    }

    fn add(&mut self, root: &Path, name: &str, without: Option<&OsStr>) -> Result<(), BackupError> {
        let mut open = vec![name.to_owned()];
        while let Some(name) = open.pop() {
            let path = root.join(&name);
            if path.file_name() == without {
                continue;
            }
            let found = match std::fs::symlink_metadata(&path) {
                Ok(found) => found,
                // Somebody removed it meanwhile, or it never was.
                Err(error) if is_gone(&error) => continue,
                Err(error) => return Err(at(&path)(error)),
            };
            let kind = found.file_type();
            let source = if kind.is_file() {
                Source::File(path)
            } else if kind.is_symlink() {
                match std::fs::read_link(&path) {
                    Err(error) if is_gone(&error) => continue,
                    read => Source::Link(read.map_err(at(&path))?),
                }
            } else if kind.is_dir() {
                open.extend(self.below(&path, &name)?);
                Source::Directory
            } else {
                self.left_out.push(name);
                continue;
            };
            self.found.push(content(name, source, &found));
        }
        Ok(())
    }

    /// Names in a directory, the last one first.
    fn below(&mut self, path: &Path, name: &str) -> Result<Vec<String>, BackupError> {
        let mut names = Vec::new();
        let entries = match std::fs::read_dir(path) {
            Err(error) if is_gone(&error) => return Ok(names),
            read => read.map_err(at(path))?,
        };
        for entry in entries {
            let entry = entry.map_err(at(path))?.file_name();
            match entry.to_str() {
                Some(text) => names.push(format!("{name}/{text}")),
                None => self.left_out.push(format!("{name}/{}", entry.to_string_lossy())),
            }
        }
        names.sort_unstable_by(|left, right| right.cmp(left));
        Ok(names)
    }
}

/// Whether something was removed since it was seen: tools work on.
pub(super) fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

fn content(name: String, source: Source, found: &Metadata) -> Content {
    let since = found.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    Content { name, source, mode: found.permissions().mode() & 0o777, changed_at: since.as_secs() }
}
