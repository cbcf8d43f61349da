//! Sentences to suggest: what tools give as examples, with names of things that exist in their slots.

use std::cmp::Reverse;

use jarvis_safety::Tier;

use super::grammar::{Grammar, Pattern, Role, ToolGrammar};
use super::names::Names;

/// Most sentences that show what can be said.
const MOST_SHOWN: usize = 5;

/// A few sentences that show what can be said: one of each family that only looks, the largest first, and one that
/// changes something. `means` tells whether a sentence is understood as a call of a tool.
pub(super) fn shown(grammar: &Grammar, names: &Names, means: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let mut families: Vec<(&str, Vec<&ToolGrammar>)> = Vec::new();
    for tool in &grammar.tools {
        let family = tool.name.split('_').next().unwrap_or(&tool.name);
        match families.iter_mut().find(|(known, _)| *known == family) {
            Some((_, tools)) => tools.push(tool),
            None => families.push((family, vec![tool])),
        }
    }
    families.sort_by_key(|(_, tools)| Reverse(tools.len()));
    let mut forms: Vec<String> = Vec::new();
    let mut first = |tools: &[&ToolGrammar], tier: Tier| {
        let patterns = tools
            .iter()
            .filter(|tool| tool.tier == tier)
            .flat_map(|&tool| tool.patterns.iter().map(move |pattern| (tool, pattern)));
        // What names a thing says most, then what needs no value.
        let rank = |(tool, pattern): &(&ToolGrammar, &Pattern)| {
            let thing = |&slot: &usize| matches!(tool.args[slot].role, Role::Thing(_) | Role::Path);
            if pattern.slots.iter().any(thing) { 0 } else { 1 + pattern.slots.len().min(1) }
        };
        let mut patterns: Vec<_> = patterns.collect();
        patterns.sort_by_key(rank);
        patterns.into_iter().find_map(|(tool, pattern)| {
            let form = form(&pattern.example);
            let sentence = filled(tool, pattern, names).filter(|_| !forms.contains(&form))?;
            means(&sentence, &tool.name).then(|| {
                forms.push(form);
                sentence
            })
        })
    };
    let mut sentences: Vec<String> = families.iter().filter_map(|(_, tools)| first(tools, Tier::Green)).collect();
    if let Some(change) = families.iter().find_map(|(_, tools)| first(tools, Tier::Yellow)) {
        sentences.insert(sentences.len().min(1), change);
    }
    sentences.truncate(MOST_SHOWN);
    sentences
}

/// The first sentence that means this tool and can be said as things are.
pub(super) fn of_tool(tool: &ToolGrammar, names: &Names, means: impl Fn(&str, &str) -> bool) -> Option<String> {
    let sentences = tool.patterns.iter().filter_map(|pattern| filled(tool, pattern, names));
    sentences.into_iter().find(|sentence| means(sentence, &tool.name))
}

/// The words around the slots: "is {container} running" and "is {service} running" are of one form.
fn form(example: &str) -> String {
    example.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest)).collect()
}

/// The example with something real, or at least likely, in each slot.
fn filled(tool: &ToolGrammar, pattern: &Pattern, names: &Names) -> Option<String> {
    let mut sentence = pattern.example.clone();
    for &slot in &pattern.slots {
        let arg = &tool.args[slot];
        let value = match &arg.role {
            Role::Thing(kind) => names.presentable(kind)?,
            Role::Path => names.known_file()?,
            Role::Span(_) | Role::Count => if arg.name == "limit" { "5" } else { "20" }.to_owned(),
            Role::Choice(choices) => choices.iter().find(|choice| *choice != "all")?.clone(),
            Role::Text if matches!(&*arg.name, "search" | "text") => "error".to_owned(),
            // What to write, whence to fetch and the like only the person can know.
            Role::Text
            | Role::Verbatim
            | Role::Words
            | Role::Name
            | Role::Image
            | Role::Url
            | Role::Id(_)
            | Role::Flag(_) => {
                return None;
            }
        };
        sentence = sentence.replace(&format!("{{{}}}", arg.name), &value);
    }
    let mark = if pattern.asks && !sentence.contains('{') { "?" } else { "" };
    (!sentence.contains('{')).then(|| format!("{sentence}{mark}"))
}
