//! Mounted MCP servers: tools of others, governed like our own.
//!
//! Each server has a task that reaches it (`link`), asks for its tools (`server`) and puts them where the gate finds them
//! (`tool`). What a server says of a tool decides nothing: it is red until the operator has read it and given it a tier,
//! its words reach a model only then, and a change of any word takes it back. What it answers is text by strangers.

mod answer;
mod link;
mod name;
mod pace;
mod reopen;
mod schema;
mod server;
mod tool;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jarvis_safety::foreign::Annex;
use jarvis_safety::mount::{Line, MountView};
use jarvis_safety::port::MountDesk;
use jarvis_safety::setting::Settings;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use self::server::Kept;

pub(crate) use self::link::Means;

/// All mounted servers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Mounts(Arc<Inner>);

struct Inner {
    /// Those of `jarvis.toml`.
    configured: BTreeMap<String, Line>,
    settings: watch::Receiver<Settings>,
    annex: Annex,
    means: Means,
    /// None once they were let go of.
    kept: Mutex<Option<BTreeMap<String, Held>>>,
}

struct Held {
    server: Arc<Kept>,
    task: AbortHandle,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.server.end();
        self.task.abort();
    }
}

impl Mounts {
    pub(crate) fn new(
        configured: BTreeMap<String, Line>,
        settings: watch::Receiver<Settings>,
        annex: Annex,
        means: Means,
    ) -> Self {
        Self(Arc::new(Inner { configured, settings, annex, means, kept: Mutex::new(Some(BTreeMap::new())) }))
    }

    /// Keeps them as the settings say, for as long as this is polled.
    pub(crate) async fn run(&self) {
        let mut settings = self.0.settings.clone();
        loop {
            // Nothing else is held while the settings are: whoever holds a server looks at them too.
            settings.mark_unchanged();
            self.apply();
            if settings.changed().await.is_err() {
                return;
            }
        }
    }

    /// What needs the operator's attention, a sentence each.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().flatten().flat_map(|(_, held)| held.server.warnings()).collect()
    }

    /// Lets go of all of them.
    pub(crate) fn end(&self) {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Inner {
    fn follow(&self, set: &BTreeMap<String, Line>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(kept) = kept.as_mut() else { return };
        let wanted = |name: &str| self.configured.get(name).or_else(|| set.get(name));
        kept.retain(|name, held| wanted(name) == Some(held.server.line()));
        for name in self.configured.keys().chain(set.keys()) {
            let (Some(line), false) = (wanted(name), kept.contains_key(name)) else { continue };
            let (means, annex) = (self.means.clone(), self.annex.clone());
            let configured = self.configured.contains_key(name);
            let server = Arc::new(Kept::new(name, line, configured, means, annex, self.settings.clone()));
            let keeping = Arc::clone(&server);
            let task = tokio::spawn(async move { keeping.keep().await }).abort_handle();
            kept.insert(name.clone(), Held { server, task });
        }
    }
}

impl MountDesk for Mounts {
    fn mounts(&self) -> Vec<MountView> {
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().flatten().map(|(_, held)| held.server.view()).collect()
    }

    fn is_configured(&self, name: &str) -> bool {
        self.0.configured.contains_key(name)
    }

    fn apply(&self) {
        let set = self.0.settings.borrow().mounts.clone();
        self.0.follow(&set);
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for held in kept.iter().flat_map(BTreeMap::values) {
            held.server.forget_changed();
            held.server.publish();
        }
    }

    fn retry(&self, name: &str) -> bool {
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().and_then(|kept| kept.get(name)).map(|held| held.server.nudge()).is_some()
    }
}
