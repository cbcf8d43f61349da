//! A folder of a command's own, that only its user can open, gone with it.
//!
//! What a command leaves there is anything: links, folders that nobody may enter, a thousand times a thousand levels. So it
//! is removed level by level and never by recursion, away from the threads that serve everybody.

use std::fs::{Permissions, set_permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// Makes one for this user, or for one's own.
    pub(super) fn new(owner: Option<u32>) -> io::Result<Self> {
        let top = std::env::temp_dir().canonicalize()?;
        let made =
            tempfile::Builder::new().prefix("jarvis-").permissions(Permissions::from_mode(0o700)).tempdir_in(top)?;
        let scratch = Self(made.keep());
        if let Some(owner) = owner {
            std::os::unix::fs::chown(&scratch.0, Some(owner), Some(owner))?;
        }
        Ok(scratch)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.0);
        let work = move || {
            if let Err(error) = remove(&path) {
                tracing::warn!(%error, path = %path.display(), "the folder of a command cannot be removed; remove it by hand");
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(work)),
            Err(_) => work(),
        }
    }
}

/// Removes a folder with all that is in it. Whatever lies deeper is first lifted to the top, so no path grows long.
fn remove(top: &Path) -> io::Result<()> {
    let mut lifted = 0_u64;
    loop {
        let folders = emptied_of_files(top)?;
        if folders.is_empty() {
            return std::fs::remove_dir(top);
        }
        for folder in folders {
            for inner in emptied_of_files(&folder)? {
                // A folder that nobody may write to cannot be moved either.
                set_permissions(&inner, Permissions::from_mode(0o700))?;
                std::fs::rename(&inner, free(top, &mut lifted))?;
            }
            std::fs::remove_dir(&folder)?;
        }
    }
}

/// The folders in a folder, once everything else in it is gone.
fn emptied_of_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    set_permissions(folder, Permissions::from_mode(0o700))?;
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(folders)
}

/// A name that nothing has yet.
fn free(top: &Path, lifted: &mut u64) -> PathBuf {
    loop {
        *lifted += 1;
        let path = top.join(format!("lifted-{lifted}"));
        if path.symlink_metadata().is_err() {
            return path;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_command_leaves_is_removed_and_nothing_else() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("kept"), "").unwrap();
        let scratch = Scratch::new(None).unwrap();
        let top = scratch.path().to_owned();
        std::os::unix::fs::symlink(outside.path(), top.join("link")).unwrap();
        std::fs::create_dir_all(top.join("closed/inner")).unwrap();
        std::fs::write(top.join("closed/inner/file"), "x").unwrap();
        std::fs::write(top.join("lifted-1"), "taken").unwrap();
        set_permissions(top.join("closed"), Permissions::from_mode(0o000)).unwrap();
        // Deeper than any stack, and never more than two levels at a time while it is made.
        std::fs::create_dir(top.join("deep")).unwrap();
        for _ in 0..30_000 {
            std::fs::create_dir(top.join("next")).unwrap();
            std::fs::rename(top.join("deep"), top.join("next/deep")).unwrap();
            std::fs::rename(top.join("next"), top.join("deep")).unwrap();
        }
        drop(scratch);
        assert!(!top.exists());
        assert!(outside.path().join("kept").exists());
    }
}
