//! Logs of this machine: the journal of systemd, and files under one directory.
//!
//! The journal is read by running `journalctl`, because its file format is private to systemd (journal-files allow
//! reading, but keep no promise about compression and keyed hashes across versions). It is run from its fixed place with
//! arguments only, never through a shell, with an empty environment, and for a bounded time. What a log says was written
//! by strangers, so everything here is untrusted.

mod file;
mod journal;
mod line;
mod read;

use std::path::PathBuf;

use jarvis_safety::kernel::RegistryBuilder;

/// Where logs are read from.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogOptions {
    /// Read the journal in this directory instead of the machine's own; for a container that mounts it elsewhere.
    pub journal_directory: Option<PathBuf>,
    /// The one directory under which log files may be read.
    pub files: PathBuf,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { journal_directory: None, files: PathBuf::from("/var/log") }
    }
}

/// Adds the tools of this family.
#[must_use]
pub fn register(builder: RegistryBuilder, options: LogOptions) -> RegistryBuilder {
    builder.with(read::LogRead(options))
}
