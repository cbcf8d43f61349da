//! Tools.

use jarvis_client::wire::ToolInfo;
use jarvis_safety::kernel::Described;

/// A tool as the registry describes it.
#[must_use]
pub fn tool(described: &Described) -> ToolInfo {
    let spec = &described.spec;
    ToolInfo {
        name: spec.name.to_owned(),
        family: described.family().to_owned(),
        description: described.description.clone(),
        tier: spec.tier.as_str().to_owned(),
        effects: spec.effects.words().into_iter().map(str::to_owned).collect(),
        revision: spec.revision,
        input: described.input.clone(),
        output: described.output.clone(),
        examples: spec.examples.iter().map(|&example| example.to_owned()).collect(),
        trust: spec.trust.as_str().to_owned(),
        deadline_ms: u64::try_from(spec.deadline.as_millis()).unwrap_or(u64::MAX),
    }
}
