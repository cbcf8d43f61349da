//! Why a backup or a restore did not come about. Each message says what to do next.

use std::io;
use std::path::{Path, PathBuf};

use jarvis_safety::port::StoreError;

use crate::error::OpenError;

/// Nothing was changed: no backup was written, no directory was made.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is nothing to copy.
    #[error(
        "{} holds no database; name the data directory with --data or JARVIS_DATA (what stands in PostgreSQL is backed \
         up there, with pg_dump)", .0.display()
    )]
    NoSource(PathBuf),
    /// Something is where the backup would go.
    #[error("{} is there already, and a backup overwrites nothing; choose another name, for example with the date", .0.display())]
    Exists(PathBuf),
    /// A file could not be read or written.
    #[error("{}: {why}", .path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong and what to do.
        why: String,
    },
    /// The database could not be copied or read.
    #[error("the database cannot be copied: {0}")]
    Database(String),
    /// The recipient, the passphrase or the identity does not fit.
    #[error("{0}")]
    Key(String),
    /// The file is no backup, or not as it was written.
    #[error("{} cannot be restored: {why}", .path.display())]
    Damaged {
        /// The backup.
        path: PathBuf,
        /// What does not fit.
        why: String,
    },
    /// The audit in it does not fit together.
    #[error(
        "the audit is not whole: {}. Look into it with `jarvis audit verify`; --damaged goes on all the same, and the \
         faults stay visible", .0.join("; ")
    )]
    NotWhole(Vec<String>),
    /// The directory is not empty.
    #[error(
        "{} is not empty, and a restore overwrites nothing; name a directory that is not there yet, or move this one \
         aside", .0.display()
    )]
    NotEmpty(PathBuf),
    /// A server runs on the directory, or another restore into it.
    #[error("{} is in use by another process; end it first, or name another directory with --data", .0.display())]
    InUse(PathBuf),
    /// No server but Jarvis keeps it.
    #[error(
        "everything is kept in this directory, in SQLite, and comes back from a backup: `jarvis restore FILE --data NEW`. \
         --dumped is for a PostgreSQL that was restored from a dump"
    )]
    NotShared,
    /// The restored store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The restored store cannot be read or changed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BackupError {
    /// Stable code, for logs and exit messages.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoSource(_) => "no_database",
            Self::Exists(_) => "backup_exists",
            Self::File { .. } => "backup_file",
            Self::Database(_) => "backup_database",
            Self::Key(_) => "backup_key",
            Self::Damaged { .. } => "backup_damaged",
            Self::NotWhole(_) => "audit_not_whole",
            Self::NotEmpty(_) => "data_not_empty",
            Self::InUse(_) => "data_in_use",
            Self::NotShared => "database_not_shared",
            Self::Open(error) => error.code(),
            Self::Store(_) => "store_unavailable",
        }
    }

    /// Whether it was refused before anything was tried.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::NoSource(_)
                | Self::Exists(_)
                | Self::Key(_)
                | Self::NotWhole(_)
                | Self::NotEmpty(_)
                | Self::InUse(_)
                | Self::NotShared
                | Self::Open(OpenError::Served)
        )
    }

    pub(super) fn file(path: &Path, why: impl ToString) -> Self {
        Self::File { path: path.to_owned(), why: why.to_string() }
    }
}

/// Names the path of a fault of the file system.
pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> BackupError {
    move |error| BackupError::file(path, error)
}

/// A task on a blocking thread broke off.
pub(super) fn broken(error: tokio::task::JoinError) -> BackupError {
    BackupError::Database(format!("the work broke off: {error}"))
}
