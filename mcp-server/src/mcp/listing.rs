//! Tools as MCP describes them, derived from the registry.

use std::sync::Arc;

use jarvis_safety::Tier;
use jarvis_safety::kernel::Described;
use rmcp::model::{JsonObject, MetaObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

/// One tool. The annotations follow from tier and effects, so that they cannot lie. `staged` are those whose output is not
/// handed over as data.
pub(super) fn tool(described: &Described, staged: bool) -> Tool {
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
