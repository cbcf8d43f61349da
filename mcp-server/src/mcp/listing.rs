//! Tools as MCP describes them, derived from the registry.

use std::sync::{Arc, PoisonError, RwLock};

use jarvis_safety::Tier;
use jarvis_safety::kernel::{Described, Registry};
use rmcp::model::{JsonObject, MetaObject, Tool, ToolAnnotations};
use serde_json::{Value, json};
use tokio::sync::watch;

/// All tools with their tiers, made anew only when mounted servers change theirs.
pub(super) struct Listed(RwLock<(watch::Receiver<()>, All)>);

type All = Arc<Vec<(Tier, Tool)>>;

impl Listed {
    pub(super) fn new(registry: &Registry) -> Self {
        let changes = registry.changes();
        Self(RwLock::new((changes, all(registry))))
    }

    /// The tools that there are now.
    pub(super) fn now(&self, registry: &Registry) -> All {
        {
            let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if !held.0.has_changed().unwrap_or(false) {
                return Arc::clone(&held.1);
            }
        }
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Marked as seen first: what changes meanwhile is seen the next time.
        held.0.mark_unchanged();
        held.1 = all(registry);
        Arc::clone(&held.1)
    }
}

fn all(registry: &Registry) -> All {
    Arc::new(registry.described().map(|described| (described.spec.tier, tool(&described))).collect())
}

/// One tool. The annotations follow from tier and effects, so that they cannot lie.
fn tool(described: &Described) -> Tool {
    let spec = &described.spec;
    let description = format!("{} [{}]", described.description, spec.tier);
    let mut tool = Tool::new(spec.name, description, schema(&described.input))
        .with_raw_output_schema(schema(&described.output))
        .with_annotations(annotations(described));
    tool.meta =
        json!({ "jarvis/tier": spec.tier, "jarvis/effects": spec.effects.words(), "jarvis/revision": spec.revision })
            .as_object()
            .cloned()
            .map(MetaObject);
    tool
}

fn annotations(described: &Described) -> ToolAnnotations {
    let (tier, effects) = (described.spec.tier, described.spec.effects);
    ToolAnnotations::new()
        .read_only(tier == Tier::Green)
        .destructive(effects.deletes || effects.exposes || effects.spends || tier >= Tier::Orange)
        .idempotent(tier == Tier::Green)
        .open_world(effects.network)
}

fn schema(schema: &Value) -> Arc<JsonObject> {
    Arc::new(schema.as_object().cloned().unwrap_or_default())
}
