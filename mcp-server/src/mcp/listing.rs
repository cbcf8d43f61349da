//! Tools as MCP describes them, derived from the registry.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use jarvis_safety::Tier;
use jarvis_safety::kernel::{Described, Registry};
use rmcp::model::{JsonObject, MetaObject, Tool, ToolAnnotations};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::mark::Mark;

/// What a face shows.
#[derive(Clone)]
pub(super) enum Shown {
    /// All tools.
    All(Arc<Listed>),
    /// The few that find and call the others.
    Few(Arc<Vec<Tool>>),
}

impl Shown {
    /// One tool.
    pub(super) fn find(&self, name: &str, registry: &Registry) -> Option<Tool> {
        match self {
            Self::All(listed) => {
                listed.now(registry).iter().find(|(_, tool)| tool.name == name).map(|(_, tool)| tool.clone())
            }
            Self::Few(few) => few.iter().find(|tool| tool.name == name).cloned(),
        }
    }
}

/// All tools with their tiers, made anew only when mounted servers change theirs.
pub(super) struct Listed {
    held: RwLock<(watch::Receiver<()>, All)>,
    marks: Arc<BTreeMap<&'static str, Mark>>,
}

type All = Arc<Vec<(Tier, Tool)>>;

impl Listed {
    pub(super) fn new(registry: &Registry, marks: Arc<BTreeMap<&'static str, Mark>>) -> Self {
        let changes = registry.changes();
        Self { held: RwLock::new((changes, all(registry, &marks))), marks }
    }

    /// The tools that there are now.
    pub(super) fn now(&self, registry: &Registry) -> All {
        {
            let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
            if !held.0.has_changed().unwrap_or(false) {
                return Arc::clone(&held.1);
            }
        }
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        // Marked as seen first: what changes meanwhile is seen the next time.
        held.0.mark_unchanged();
        held.1 = all(registry, &self.marks);
        Arc::clone(&held.1)
    }
}

fn all(registry: &Registry, marks: &BTreeMap<&'static str, Mark>) -> All {
    let shown = |described: &Described| tool(described, marks.contains_key(described.spec.name));
    Arc::new(registry.described().map(|described| (described.spec.tier, shown(&described))).collect())
}

/// One tool. The annotations follow from tier and effects, so that they cannot lie. `staged` are those whose output is not
/// handed over as data.
fn tool(described: &Described, staged: bool) -> Tool {
    let spec = &described.spec;
    let description = format!("{} [{}]", described.description, spec.tier);
    let mut tool = Tool::new(spec.name, description, schema(&described.input)).with_annotations(annotations(described));
    if !staged {
        tool = tool.with_raw_output_schema(schema(&described.output));
    }
    tool.meta =
        json!({ "jarvis/tier": spec.tier, "jarvis/effects": spec.effects.words(), "jarvis/revision": spec.revision })
            .as_object()
            .cloned()
            .map(MetaObject);
    tool
}

/// What a tool says about itself.
pub(super) fn annotations(described: &Described) -> ToolAnnotations {
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
