//! The largest directories of one file system, within a time.
//!
//! The walk goes level by level, so that when its time is over it has seen something of everything rather than all of
//! one corner. It never leaves the file system, follows no link, counts a file with several names once, and says what it
//! did not see.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jarvis_safety::plain::{shorten, visible};
use schemars::JsonSchema;
use serde::Serialize;

/// How much of the file system is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) time: Duration,
    pub(super) entries: u64,
    /// How many directories are answered.
    pub(super) answers: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { time: Duration::from_secs(3), entries: 2_000_000, answers: 10 }
    }
}

/// Directories that are kept in memory; each takes about 100 bytes.
const MAX_DIRECTORIES: usize = 300_000;
/// Files with several names that are remembered, so as not to count them twice.
const MAX_LINKED: usize = 200_000;

/// One directory and everything below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Directory {
    /// Where it is.
    pub(super) path: String,
    /// Bytes on disk.
    pub(super) bytes: u64,
}

/// What a walk found.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub(super) struct Largest {
    /// The file system that was walked.
    pub(super) mount: String,
    /// Largest first; none lies inside another.
    pub(super) directories: Vec<Directory>,
    /// Bytes that were seen in all.
    pub(super) seen_bytes: u64,
    /// Files and directories that were seen.
    pub(super) entries: u64,
    /// Whether time or count was over before everything was seen: then sizes are lower bounds.
    pub(super) cut: bool,
    /// Directories that Jarvis may not read.
    pub(super) denied: u64,
    /// Other file systems mounted inside, which were not entered.
    pub(super) other_mounts: u64,
}

struct Node {
    path: PathBuf,
    parent: usize,
    bytes: u64,
    children: Vec<usize>,
}

struct Walk {
    nodes: Vec<Node>,
    linked: HashSet<u64>,
    mounts: HashSet<PathBuf>,
    device: u64,
    end: Instant,
    limit: u64,
    found: Largest,
}

/// Walks the file system that is mounted here.
pub(super) fn largest(root: &Path, mounts: HashSet<PathBuf>, bounds: Bounds) -> std::io::Result<Largest> {
    let meta = fs::symlink_metadata(root)?;
    let mut walk = Walk {
        nodes: vec![Node { path: root.to_owned(), parent: 0, bytes: on_disk(&meta), children: Vec::new() }],
        linked: HashSet::new(),
        mounts,
        device: meta.dev(),
        end: Instant::now() + bounds.time,
        limit: bounds.entries,
        found: Largest { mount: root.to_string_lossy().into_owned(), ..Largest::default() },
    };
    let mut next = 0;
    while next < walk.nodes.len() && !walk.found.cut {
        walk.read(next);
        next += 1;
    }
    Ok(walk.answer(bounds.answers))
}

impl Walk {
    fn read(&mut self, index: usize) {
        let entries = match fs::read_dir(&self.nodes[index].path) {
            Ok(entries) => entries,
            Err(error) => {
                self.found.denied += u64::from(error.kind() == ErrorKind::PermissionDenied);
                return;
            }
        };
        for entry in entries.flatten() {
            self.found.entries += 1;
            let over = self.found.entries >= self.limit || self.nodes.len() >= MAX_DIRECTORIES;
            // Asking for the time costs as much as a small entry.
            if over || (self.found.entries.is_multiple_of(64) && Instant::now() >= self.end) {
                self.found.cut = true;
                return;
            }
            // Does not follow links. A file that has just gone is no longer a file.
            if let Ok(meta) = entry.metadata() {
                self.count(index, &entry, &meta);
            }
        }
        self.found.cut |= Instant::now() >= self.end && index + 1 < self.nodes.len();
    }

    fn count(&mut self, parent: usize, entry: &fs::DirEntry, meta: &Metadata) {
        if !meta.is_dir() {
            let first_name = meta.nlink() < 2 || self.linked.len() >= MAX_LINKED || self.linked.insert(meta.ino());
            if first_name && meta.dev() == self.device {
                self.nodes[parent].bytes += on_disk(meta);
            }
            return;
        }
        let path = entry.path();
        if meta.dev() != self.device || self.mounts.contains(&path) {
            self.found.other_mounts += 1;
            return;
        }
        let index = self.nodes.len();
        self.nodes[parent].children.push(index);
        self.nodes.push(Node { path, parent, bytes: on_disk(meta), children: Vec::new() });
    }

    /// Sums up from the leaves, then opens the largest directory again and again as long as one inside it holds most of
    /// it: "/var/lib/docker/overlay2" says more than "/var".
    fn answer(mut self, answers: usize) -> Largest {
        for index in (1..self.nodes.len()).rev() {
            let (parent, bytes) = (self.nodes[index].parent, self.nodes[index].bytes);
            self.nodes[parent].bytes += bytes;
        }
        self.found.seen_bytes = self.nodes[0].bytes;
        let mut open = BinaryHeap::from([(self.nodes[0].bytes, Reverse(0_usize))]);
        while let Some((bytes, Reverse(index))) = open.pop() {
            if self.found.directories.len() >= answers {
                break;
            }
            let node = &self.nodes[index];
            let largest_child = node.children.iter().map(|child| self.nodes[*child].bytes).max();
            let hollow = largest_child.is_some_and(|child| child >= bytes / 5 * 3);
            if index == 0 || hollow {
                open.extend(node.children.iter().map(|child| (self.nodes[*child].bytes, Reverse(*child))));
            } else {
                let path = shorten(&visible(&node.path.to_string_lossy()), 300);
                self.found.directories.push(Directory { path, bytes });
            }
        }
        self.found
    }
}

/// Bytes that the file takes, not its length: a sparse image of 100 GB may take one.
fn on_disk(meta: &Metadata) -> u64 {
    meta.blocks().saturating_mul(512)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const MIB: usize = 1024 * 1024;

    fn file(path: &Path, size: usize) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, vec![7_u8; size]).unwrap();
    }

    fn paths(found: &Largest, root: &Path) -> Vec<String> {
        let strip = |path: &str| path.strip_prefix(&format!("{}/", root.display())).unwrap().to_owned();
        found.directories.iter().map(|directory| strip(&directory.path)).collect()
    }

    #[test]
    fn the_answer_goes_to_where_the_bytes_are() {
        let root = tempfile::tempdir().unwrap();
        file(&root.path().join("var/lib/images/one"), 3 * MIB);
        file(&root.path().join("var/lib/images/two"), 2 * MIB);
        file(&root.path().join("var/log/a"), MIB / 2);
        file(&root.path().join("home/a"), MIB);
        let found = largest(root.path(), HashSet::new(), Bounds::default()).unwrap();
        assert_eq!(paths(&found, root.path()), ["var/lib/images", "home", "var/log"]);
        assert!(!found.cut);
        assert!(found.seen_bytes >= 6 * MIB as u64);
    }

    #[test]
    fn links_are_not_followed_and_a_file_with_two_names_counts_once() {
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        file(&outside.path().join("big"), 4 * MIB);
        file(&root.path().join("a/one"), MIB);
        fs::hard_link(root.path().join("a/one"), root.path().join("a/two")).unwrap();
        symlink(outside.path(), root.path().join("a/link")).unwrap();
        symlink(root.path(), root.path().join("a/circle")).unwrap();
        let found = largest(root.path(), HashSet::new(), Bounds::default()).unwrap();
        assert!(found.seen_bytes < 2 * MIB as u64, "{found:?}");
    }

    #[test]
    fn mounts_inside_are_counted_and_not_entered() {
        let root = tempfile::tempdir().unwrap();
        file(&root.path().join("mounted/big"), MIB);
        file(&root.path().join("own/small"), 4096);
        let mounts = HashSet::from([root.path().join("mounted")]);
        let found = largest(root.path(), mounts, Bounds::default()).unwrap();
        assert_eq!(found.other_mounts, 1);
        assert_eq!(paths(&found, root.path()), ["own"]);
    }

    #[test]
    fn a_walk_that_was_cut_says_so() {
        let root = tempfile::tempdir().unwrap();
        for number in 0..50 {
            file(&root.path().join(format!("d{number}/f")), 1);
        }
        let few = Bounds { entries: 60, ..Bounds::default() };
        let found = largest(root.path(), HashSet::new(), few).unwrap();
        assert!(found.cut);
        assert_eq!(found.entries, 60);
        let no_time = Bounds { time: Duration::ZERO, ..Bounds::default() };
        assert!(largest(root.path(), HashSet::new(), no_time).unwrap().cut);
    }
}
