//! Where a house keeps its store: in a schema of its own on PostgreSQL, with a directory for its keys.

use std::path::PathBuf;

use jarvis_memory::Database;
use tempfile::TempDir;

use crate::scratch::Scratch;

pub(crate) struct Place {
    directory: TempDir,
    scratch: Scratch,
}

impl Place {
    pub(crate) async fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), scratch: Scratch::new().await }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    pub(crate) fn database(&self) -> Database {
        self.scratch.database()
    }
}
