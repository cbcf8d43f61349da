//! Where a house keeps its store: in a directory.

use std::path::PathBuf;

use jarvis_memory::Database;
use tempfile::TempDir;

pub(crate) struct Place(TempDir);

impl Place {
    #[expect(clippy::unused_async, reason = "the same houses stand on PostgreSQL, in `gate_postgres`")]
    pub(crate) async fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    #[expect(clippy::unused_self, reason = "the same houses stand on PostgreSQL, in `gate_postgres`")]
    pub(crate) fn database(&self) -> Database {
        Database::Directory
    }
}
