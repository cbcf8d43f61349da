//! Files: listing, reading, searching, writing, removing, restoring.
//!
//! Everything stays below a few folders, the *roots*: `DATA/files`, which is Jarvis's own and writable, and whatever the
//! operator has added in the settings, read-only until marked writable. A path from outside is only a wish. It is made
//! canonical below its root, judged by rules that do not ask the world (`guard`), and then walked component by component
//! with directory handles that follow no link (`place`), so that what was judged is what is opened. A change is bound
//! to the very file that was looked at: its target id holds device, inode and content, and a file that was swapped in
//! between makes the call stale instead of hitting something else. Folders of the system are never changed, even below a
//! writable root (`machine`). What is overwritten or removed is kept in `DATA/trash` first (`trash`), and `file_restore`
//! puts it back.

mod bound;
mod change;
mod diff;
mod fault;
mod folder;
mod guard;
mod list;
mod machine;
mod place;
mod read;
mod remove;
mod restore;
mod root;
mod search;
mod seen;
mod trash;
mod write;

use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use jarvis_safety::kernel::RegistryBuilder;
use jarvis_safety::port::{Clock, Ids};
use jarvis_safety::setting::Settings;
use jarvis_safety::tool::{ToolError, ToolErrorKind};
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

use self::guard::Guard;
use self::root::Roots;
use self::trash::Trash;

/// What the family needs.
pub struct FilesOptions {
    /// Jarvis's data directory. `files` in it is the default root; everything else in it is closed.
    pub data: PathBuf,
    /// The settings in force; `roots`, and where the model's key lies, are read at every call.
    pub settings: watch::Receiver<Settings>,
    /// Jarvis's own configuration and program, files or folders: never written or removed.
    pub config: Vec<PathBuf>,
    /// The time, for the age of kept versions.
    pub clock: Arc<dyn Clock>,
    /// Names of kept versions.
    pub ids: Arc<dyn Ids>,
}

/// Why the family cannot work at all.
#[derive(Debug, thiserror::Error)]
#[error("the folder {path} cannot be made ready ({source}); give Jarvis the right to write there or another --data")]
pub struct FilesError {
    path: PathBuf,
    source: std::io::Error,
}

struct Inner {
    data: PathBuf,
    settings: watch::Receiver<Settings>,
    config: Vec<PathBuf>,
    trash: Trash,
    /// One change at a time. A probe waits here until a change that was cut off has really ended.
    changing: Arc<Mutex<()>>,
}

/// The file family. Cheap to clone.
#[derive(Clone)]
pub struct Files(Arc<Inner>);

impl Files {
    /// Makes `DATA/files` and `DATA/trash` where they are missing.
    ///
    /// # Errors
    /// If one of them cannot be made.
    pub fn new(options: FilesOptions) -> Result<Self, FilesError> {
        let made = |path: PathBuf, mode: u32| match std::fs::DirBuilder::new()
            .recursive(true)
            .mode(mode)
            .create(&path)
            .and_then(|()| path.canonicalize())
        {
            Ok(path) => Ok(path),
            Err(source) => Err(FilesError { path, source }),
        };
        made(options.data.join("files"), 0o755)?;
        let trash = made(options.data.join("trash"), 0o700)?;
        let data = made(options.data, 0o700)?;
        Ok(Self(Arc::new(Inner {
            data,
            settings: options.settings,
            config: options.config,
            trash: Trash::new(trash, options.clock, options.ids),
            changing: Arc::default(),
        })))
    }

    /// The roots as they are set now.
    fn roots(&self) -> Roots {
        Roots::now(&self.0.data, &self.0.settings.borrow())
    }

    /// What is closed, as it stands now.
    fn guard(&self) -> Guard {
        let settings = self.0.settings.borrow();
        let key = settings.model.as_ref().and_then(|model| model.key.as_deref());
        Guard::now(&self.0.data, &self.0.config, key)
    }

    fn trash(&self) -> &Trash {
        &self.0.trash
    }

    async fn alone(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.0.changing).lock_owned().await
    }

    /// Looks at files away from the threads that serve everybody.
    async fn look<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, ToolError> + Send + 'static,
    ) -> Result<T, ToolError> {
        let files = self.clone();
        joined(tokio::task::spawn_blocking(move || work(&files)).await)
    }

    /// Changes files, one change at a time. The turn is held by the work itself: if the caller is cut off, the work
    /// still ends, and whoever comes next (the probe) sees the end and not the middle.
    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, ToolError> + Send + 'static,
    ) -> Result<T, ToolError> {
        let files = self.clone();
        let turn = self.alone().await;
        let task = tokio::task::spawn_blocking(move || {
            let result = work(&files);
            drop(turn);
            result
        });
        joined(task.await)
    }
}

fn joined<T>(result: Result<Result<T, ToolError>, tokio::task::JoinError>) -> Result<T, ToolError> {
    result.unwrap_or_else(|_| {
        Err(ToolError::new(ToolErrorKind::Panicked, "the file tool has a defect and broke off; the log tells more"))
    })
}

/// Adds the file tools.
#[must_use]
pub fn register(builder: RegistryBuilder, files: &Files) -> RegistryBuilder {
    builder
        .with(list::FileList(files.clone()))
        .with(read::FileRead(files.clone()))
        .with(search::FileSearch(files.clone()))
        .with(write::FileWrite(files.clone()))
        .with(remove::FileRemove(files.clone()))
        .with(restore::FileRestore(files.clone()))
}
