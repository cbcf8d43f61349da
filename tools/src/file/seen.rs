//! What stands at a place, and the id that binds a call to it.

use std::fs::File;
use std::io::Read as _;

use cap_std::fs::{Metadata, MetadataExt as _};
use jarvis_safety::Digest;
use jarvis_safety::tool::ToolError;

use super::fault::system;

/// Largest file whose content is read as a whole: to write it, to show its difference, to compare it.
pub(super) const WHOLE: u64 = 4 * 1024 * 1024;

/// What kind of thing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Link,
    Other,
}

/// What `stat` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) kind: Kind,
    pub(super) size: u64,
    /// Permission bits with set-id and sticky.
    pub(super) mode: u32,
    pub(super) links: u64,
    pub(super) user: u32,
    pub(super) group: u32,
    dev: u64,
    ino: u64,
    mtime: i64,
    mtime_nanos: i64,
}

impl From<&Metadata> for Facts {
    fn from(seen: &Metadata) -> Self {
        let kind = match seen.file_type() {
            kind if kind.is_file() => Kind::File,
            kind if kind.is_dir() => Kind::Folder,
            kind if kind.is_symlink() => Kind::Link,
            _ => Kind::Other,
        };
        Self {
            kind,
            size: seen.len(),
            mode: seen.mode() & 0o7777,
            links: seen.nlink(),
            user: seen.uid(),
            group: seen.gid(),
            dev: seen.dev(),
            ino: seen.ino(),
            mtime: seen.mtime(),
            mtime_nanos: seen.mtime_nsec(),
        }
    }
}

impl Facts {
    /// Device and inode: one thing on this machine, whatever it is called.
    pub(super) const fn identity(&self) -> (u64, u64) {
        (self.dev, self.ino)
    }

    /// Milliseconds since 1970.
    pub(super) const fn modified(&self) -> i64 {
        self.mtime.saturating_mul(1000).saturating_add(self.mtime_nanos / 1_000_000)
    }

    /// Whether it is still the same thing with the same content, as far as `stat` can tell.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.identity() == other.identity() && self.size == other.size && self.times() == other.times()
    }

    const fn times(&self) -> (i64, i64) {
        (self.mtime, self.mtime_nanos)
    }

    /// Whether anybody may run it.
    pub(super) const fn runs(&self) -> bool {
        self.mode & 0o111 != 0
    }
}

/// What stands at a place.
#[derive(Debug)]
pub(super) enum Seen {
    Nothing,
    Folder(Facts),
    /// A file of at most [`WHOLE`] bytes, read.
    Text(Facts, Vec<u8>),
    /// A larger file.
    Large(Facts),
}

impl Seen {
    /// Reads an open regular file if it is small enough.
    pub(super) fn of(file: File, facts: Facts, shown: &str) -> Result<Self, ToolError> {
        if facts.size > WHOLE {
            return Ok(Self::Large(facts));
        }
        let mut content = Vec::with_capacity(usize::try_from(facts.size).unwrap_or_default());
        let read = (&file).take(WHOLE + 1).read_to_end(&mut content);
        read.map_err(|error| system(&error, shown))?;
        if content.len() as u64 > WHOLE { Ok(Self::Large(facts)) } else { Ok(Self::Text(facts, content)) }
    }

    pub(super) const fn facts(&self) -> Option<&Facts> {
        match self {
            Self::Nothing => None,
            Self::Folder(facts) | Self::Text(facts, _) | Self::Large(facts) => Some(facts),
        }
    }

    /// The content, where it was read.
    pub(super) fn content(&self) -> Option<&[u8]> {
        match self {
            Self::Text(_, content) => Some(content),
            _ => None,
        }
    }

    /// What is there without where it is; none where nothing is. The same content has the same mark.
    pub(super) fn mark(&self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Folder(_) => Some("folder".to_owned()),
            Self::Text(_, content) => Some(mark_of(content)),
            Self::Large(facts) => Some(format!("{}-{}.{}", facts.size, facts.mtime, facts.mtime_nanos)),
        }
    }

    /// The part of a target id that says which thing it was: `new`, or device, inode and mark.
    pub(super) fn stamp(&self) -> String {
        match (self.facts(), self.mark()) {
            (Some(facts), Some(mark)) => format!("{}:{}:{mark}", facts.dev, facts.ino),
            _ => "new".to_owned(),
        }
    }
}

/// The mark of a small file with this content.
pub(super) fn mark_of(content: &[u8]) -> String {
    Digest::of(content).as_str()[..16].to_owned()
}
