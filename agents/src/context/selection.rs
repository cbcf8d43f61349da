//! Which tools a model is told of: never the whole catalogue.

use jarvis_safety::kernel::Registry;
use jarvis_safety::port::Index;

use super::Past;

/// Most tools found by search.
const FOUND: usize = 6;
/// Tools that let a model look around, whatever was asked.
const ALWAYS: [&str; 3] = ["docker_list", "system_info", "service_list"];

/// Names of tools, the most fitting first: those in use in this turn, the best found by the person's words, the ones to
/// look around with, and those of the last turns.
pub(crate) fn select(
    index: &dyn Index,
    registry: &Registry,
    asked: &str,
    used: &[String],
    past: &[Past],
) -> Vec<String> {
    let hits = index.search(asked, FOUND);
    let found: Vec<_> = hits.iter().map(|(name, _)| name.as_str()).collect();
    let recent = past.iter().rev().take(3).flat_map(|turn| turn.tools.iter().map(String::as_str));
    let (best, rest) = found.split_at(found.len().min(3));
    let ordered = used.iter().map(String::as_str).chain(best.iter().copied()).chain(ALWAYS);
    let mut names: Vec<String> = Vec::new();
    for name in ordered.chain(rest.iter().copied()).chain(recent) {
        if registry.describe(name).is_some() && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}
