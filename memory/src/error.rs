//! Why a store cannot be opened. Each message says what to do next.

use std::path::PathBuf;

/// The store cannot be opened; nothing was changed that a later start would miss.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data directory cannot be made or used.
    #[error("the data directory {} cannot be used: {why}", .path.display())]
    Directory {
        /// The directory, or the file in it.
        path: PathBuf,
        /// What is wrong and what to do.
        why: String,
    },
    /// Another process owns the data directory.
    #[error(
        "the data directory {} is in use by another Jarvis (process {holder}); stop that one, talk to it instead, or \
         choose another directory with --data", .data.display()
    )]
    InUse {
        /// The directory.
        data: PathBuf,
        /// Process id of the owner as it wrote it down, or a question mark.
        holder: String,
    },
    /// The key of the audit is not what it must be.
    #[error("the audit key {} cannot be used: {why}", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        why: String,
    },
    /// The database engine cannot be trusted.
    #[error("{found} cannot be used: {why}")]
    Engine {
        /// What is there.
        found: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// The database was written by a newer Jarvis.
    #[error(
        "the database is at version {found} and this Jarvis knows {known}; start the newer Jarvis that wrote it, or \
         restore a backup from before the update"
    )]
    Newer {
        /// Version of the database.
        found: i64,
        /// Newest version that is known here.
        known: i64,
    },
    /// A migration that was applied is not the one that this program carries.
    #[error("migration {version} was changed after it had been applied; migrations are only ever added")]
    Altered {
        /// Its number.
        version: i64,
    },
    /// A move to this database was not carried through.
    #[error(
        "a move to this database was begun and not finished, so it holds only a part; run `jarvis migrate-database` to \
         the end"
    )]
    Unfinished,
    /// What was open in a database from a dump was not made void to the end.
    #[error(
        "what was open in this database when it was dumped is not all void yet: it was begun and broke off. Run \
         `jarvis restore --dumped` to the end; nothing runs on it before"
    )]
    Voiding,
    /// Servers run on a database that shall be made void.
    #[error(
        "a server runs on this database, or did until half a minute ago; end all of them first. Nothing may run on what \
         came from a dump before it was made void"
    )]
    Served,
    /// The database is empty, and the seal vouches for rows of it.
    #[error(
        "the database is empty, but {} vouches for what was in it: it was removed or lost, or another one is configured. \
         Nothing was changed. Put the database back, or restore a backup (`jarvis restore`); if it shall begin anew, \
         move that file away first", .seal.display()
    )]
    Gone {
        /// The seal.
        seal: PathBuf,
    },
    /// The database does not hold what the seal vouches for.
    #[error(
        "the database, which ends with row {stored} of the audit, does not hold row {sealed} as {} vouches for it: it is an \
         older state, in which what was done since is open, or another one is configured. Nothing runs on it. If it was \
         restored from a dump, end every server and run `jarvis restore --dumped`; if that was done from another \
         directory, move that file away; else put the right one back", .seal.display()
    )]
    Older {
        /// The seal.
        seal: PathBuf,
        /// The row that it vouches for.
        sealed: u64,
        /// The newest row that is there.
        stored: u64,
    },
    /// Something stored can no longer be read.
    #[error("the stored {what} cannot be read: {why}")]
    Unreadable {
        /// What it is.
        what: String,
        /// What is wrong.
        why: String,
    },
    /// The database said no.
    #[error("the database cannot be opened: {0}")]
    Database(String),
}

impl OpenError {
    /// Stable code, for logs and exit messages.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Directory { .. } => "data_directory",
            Self::InUse { .. } => "data_in_use",
            Self::Key { .. } => "audit_key",
            Self::Engine { .. } => "database_engine",
            Self::Newer { .. } => "database_newer",
            Self::Altered { .. } => "migration_altered",
            Self::Unfinished => "database_unfinished",
            Self::Voiding => "database_voiding",
            Self::Served => "database_in_use",
            Self::Gone { .. } => "database_gone",
            Self::Older { .. } => "database_older",
            Self::Unreadable { .. } => "stored_unreadable",
            Self::Database(_) => "database",
        }
    }
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.to_string())
    }
}
