//! Room on the disk: new effects are refused before it is used up, so that what has begun can still be recorded.
//!
//! It is asked of the file system each time (one call, about a microsecond) and nothing is remembered: once there is
//! room again, work goes on by itself. A file held in reserve would protect less: whoever filled the disk fills that
//! room too, while the answer here is always about now. Reads, decisions and outcomes are not refused: they go on into
//! the reserve, until the file system itself says no.

use std::path::Path;

use jarvis_safety::port::{StoreError, Stored};

use crate::directory::Directory;
use crate::store::Store;

/// Bytes that are kept free for the record of what has begun.
const RESERVE: u64 = 64 * MIB;
/// On a small file system the reserve is this part of it.
const SHARE: u64 = 8;
const MIB: u64 = 1024 * 1024;

/// Refuses new work above green on a full disk. Called before anything is kept.
pub(crate) fn room(directory: &Directory) -> Stored<()> {
    fault(directory).map_or(Ok(()), |fault| Err(StoreError::Unavailable(fault)))
}

impl Store {
    /// What to tell people while the disk is full.
    #[must_use]
    pub fn disk_fault(&self) -> Option<String> {
        fault(&self.0.directory)
    }
}

fn fault(directory: &Directory) -> Option<String> {
    let database = directory.database();
    let data = database.parent()?;
    // A file system that cannot say how full it is, is not held against anybody.
    let found = rustix::fs::statvfs(data).ok()?;
    let block = found.f_frsize;
    told(data, found.f_bavail.saturating_mul(block), found.f_blocks.saturating_mul(block))
}

fn told(data: &Path, free: u64, size: u64) -> Option<String> {
    let reserve = RESERVE.min(size / SHARE);
    (free < reserve).then(|| {
        format!(
            "the disk under {} is full: {} MiB are free, and {} MiB are kept for the record of what has begun. Only reads \
             run; free some space there, and the rest goes on by itself",
            data.display(),
            free / MIB,
            reserve.div_ceil(MIB)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_disk_keeps_a_part_and_a_large_one_no_more_than_the_reserve() {
        let full = |free: u64, size: u64| told(Path::new("/data"), free * MIB, size * MIB).is_some();
        assert!(full(63, 1_000_000) && !full(64, 1_000_000));
        assert!(full(3, 32) && !full(4, 32));
        assert!(!full(0, 0), "a file system without a size says nothing");
    }
}
