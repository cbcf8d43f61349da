//! The index of tools, made anew when mounted servers change theirs.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jarvis_memory::ToolIndex;
use jarvis_safety::kernel::{Described, Gate, Registry};
use jarvis_safety::port::{Document, Index};

/// How long changes may go on before the index is made.
const SETTLE: Duration = Duration::from_millis(250);

/// An index that is always of the tools that there are.
pub(super) struct LiveIndex(RwLock<Arc<ToolIndex>>);

impl LiveIndex {
    pub(super) fn new(registry: &Registry) -> anyhow::Result<Self> {
        Ok(Self(RwLock::new(Arc::new(made(registry)?))))
    }

    /// Follows the registry and tells of every change, for as long as this is polled.
    pub(super) async fn follow(&self, gate: &Gate, tell: impl Fn()) {
        let mut changes = gate.registry().changes();
        while changes.changed().await.is_ok() {
            // Servers come and change together.
            tokio::time::sleep(SETTLE).await;
            changes.mark_unchanged();
            match made(gate.registry()) {
                Ok(index) => *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(index),
                Err(error) => tracing::error!(%error, "the index of tools cannot be made; the old one stays"),
            }
            tell();
        }
    }
}

impl Index for LiveIndex {
    fn search(&self, text: &str, limit: usize) -> Vec<(String, f32)> {
        let index = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        index.search(text, limit)
    }
}

fn made(registry: &Registry) -> anyhow::Result<ToolIndex> {
    Ok(ToolIndex::new(registry.described().map(|tool| document(&tool)).collect())?)
}

fn document(tool: &Described) -> Document {
    Document {
        key: tool.spec.name.to_owned(),
        name: tool.spec.name.replace('_', " "),
        examples: tool.spec.examples.join(". "),
        text: tool.description.clone(),
    }
}
