//! A world of files: the real data directory, roots of every kind, and the gate over the tools.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jarvis_safety::Actor;
use jarvis_safety::call::{Origin, Request, Vouching};
use jarvis_safety::kernel::Registry;
use jarvis_safety::outcome::{Answer, Outcome};
use jarvis_safety::setting::{Root, Settings};
use jarvis_tools::file::{Files, FilesOptions, register};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::support::{self, Counter, House, ManualClock, ran, refused};

/// The real data directory, a writable root, a read-only root and a configuration file.
pub(crate) struct World {
    pub(crate) gate: House,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) settings: watch::Sender<Settings>,
    pub(crate) top: PathBuf,
    pub(crate) data: PathBuf,
    _dir: TempDir,
}

pub(crate) async fn world() -> World {
    let dir = folder();
    let data = dir.path().canonicalize().unwrap().join("data");
    world_of(dir, data).await
}

/// Not hidden, as those of `tempdir` are: that would close it below the root `/`.
pub(crate) fn folder() -> TempDir {
    tempfile::Builder::new().prefix("jarvis-file-test-").tempdir().unwrap()
}

pub(crate) async fn world_of(dir: TempDir, data: PathBuf) -> World {
    let top = dir.path().canonicalize().unwrap();
    for folder in ["open/deep", "shut", "outside", "open/jarvis"] {
        std::fs::create_dir_all(top.join(folder)).unwrap();
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data.join("keys")).unwrap();
    std::fs::write(data.join("keys/seal"), "the key").unwrap();
    std::fs::write(data.join("policy.toml"), "the policy").unwrap();
    std::fs::write(top.join("outside/secret.txt"), "outside").unwrap();
    std::fs::write(top.join("open/jarvis/policy.toml"), "policy").unwrap();
    let root = |name: &str, write| Root { path: top.join(name).to_string_lossy().into_owned(), write };
    let roots = vec![root("open", true), root("shut", false)];
    let (settings, receiver) = watch::channel(Settings { roots, ..Settings::default() });
    let clock = Arc::new(ManualClock::default());
    let files = Files::new(FilesOptions {
        data: data.clone(),
        settings: receiver,
        config: vec![top.join("open/jarvis")],
        clock: clock.clone(),
        ids: Arc::new(Counter::default()),
    });
    let tools = register(Registry::builder(), &files.unwrap());
    let gate = support::gate_in(&data, Arc::clone(&clock), tools).await;
    World { gate, clock, settings, top, data, _dir: dir }
}

impl World {
    pub(crate) async fn call(&self, tool: &str, args: Value) -> Answer {
        support::call(&self.gate, &Actor::operator(), tool, args).await
    }

    pub(crate) async fn write(&self, path: &str, content: &str) -> Outcome {
        ran(self.call("file_write", json!({ "path": path, "content": content })).await)
    }

    pub(crate) async fn read(&self, path: &str) -> Outcome {
        ran(self.call("file_read", json!({ "path": path })).await)
    }

    pub(crate) async fn undo(&self, outcome: &Outcome) -> Answer {
        self.gate.undo(&Actor::operator(), &outcome.call, Origin::default(), Vouching::Person).await
    }

    /// Refused, and the sentence holds this.
    #[track_caller]
    pub(crate) fn no(answer: Answer, words: &str) {
        let refusal = refused(answer);
        assert!(refusal.message.contains(words), "expected `{words}` in: {}", refusal.message);
    }

    pub(crate) fn own(&self, path: &str) -> PathBuf {
        self.data.join("files").join(path)
    }

    pub(crate) fn at(&self, path: &str) -> String {
        self.top.join(path).to_string_lossy().into_owned()
    }

    pub(crate) fn request(&self, tool: &str, args: Value) -> Request {
        support::request(&Actor::operator(), tool, args)
    }
}

pub(crate) fn text(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap()
}

pub(crate) fn names(outcome: &Outcome, list: &str, key: &str) -> Vec<String> {
    let items = outcome.output[list].as_array().unwrap().iter();
    items.map(|item| item[key].as_str().unwrap().to_owned()).collect()
}
