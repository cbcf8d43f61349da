//! Other paths of the same files: a bind mount shows a folder a second time, and Landlock knows files and not paths. What is
//! out of reach by one path must be so by all.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// Where else these files and folders are mounted, as proc_pid_mountinfo(5) tells it.
pub(super) fn aliases(own: &[PathBuf], mountinfo: &str) -> Vec<PathBuf> {
    let mounts: Vec<_> = mountinfo.lines().filter_map(Mount::read).collect();
    own.iter().flat_map(|path| of(path, &mounts)).filter(|alias| !own.contains(alias)).collect()
}

struct Mount<'a> {
    device: &'a str,
    /// What of the file system is mounted.
    root: PathBuf,
    at: PathBuf,
}

impl<'a> Mount<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let mut fields = line.split(' ').skip(2);
        let device = fields.next()?;
        Some(Self { device, root: unescaped(fields.next()?), at: unescaped(fields.next()?) })
    }
}

fn of(path: &Path, mounts: &[Mount<'_>]) -> Vec<PathBuf> {
    // The last one that lies deepest is the one that is seen.
    let holding = mounts.iter().filter(|mount| path.starts_with(&mount.at));
    let Some(holding) = holding.max_by_key(|mount| mount.at.components().count()) else { return Vec::new() };
    let Ok(below) = path.strip_prefix(&holding.at) else { return Vec::new() };
    let inner = holding.root.join(below);
    let same = mounts.iter().filter(|mount| mount.device == holding.device);
    let seen = same.filter_map(|mount| match inner.strip_prefix(&mount.root) {
        Ok(rest) => Some(mount.at.join(rest)),
        // A part of it is mounted by itself.
        Err(_) => mount.root.starts_with(&inner).then(|| mount.at.clone()),
    });
    seen.map(|path| path.components().collect()).collect()
}

/// Blanks and their like are written as three octal digits after a backslash.
fn unescaped(field: &str) -> PathBuf {
    let (mut bytes, mut rest) = (Vec::with_capacity(field.len()), field.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = r"25 30 0:23 / /proc rw - proc proc rw
30 1 254:1 / / rw - ext4 /dev/vda1 rw
40 30 254:2 / /srv rw - ext4 /dev/vdb1 rw
41 30 254:2 /jarvis/data /mnt/my\040data rw - ext4 /dev/vdb1 rw
42 30 254:2 /jarvis/data/keys /opt/keys rw - ext4 /dev/vdb1 rw
43 30 254:2 /photos /opt/photos rw - ext4 /dev/vdb1 rw";

    #[test]
    fn every_place_of_the_same_files_is_found() {
        let own = [PathBuf::from("/srv/jarvis/data")];
        assert_eq!(aliases(&own, MOUNTS), [PathBuf::from("/mnt/my data"), PathBuf::from("/opt/keys")]);
        let own = [PathBuf::from("/mnt/my data/jarvis.db"), PathBuf::from("/root/jarvis.toml")];
        assert_eq!(aliases(&own, MOUNTS), [PathBuf::from("/srv/jarvis/data/jarvis.db")]);
        assert!(aliases(&own, "nonsense\n1 2\n").is_empty());
    }
}
