//! Questions, and sentences that answer them.
//!
//! Every choice is a whole sentence that can be sent back as it stands; the caller checks that it would act.

use serde_json::{Map, Value as Json};

use super::decide::Verdict;
use super::grammar::{Pattern, Role, ToolGrammar};
use super::names::{Candidate, Names, Thing};
use super::reading::{Context, Mention, Reading};
use super::value::Value;
use super::weigh::Fit;

/// Choices that a person can take in at a glance.
pub(super) const MOST_CHOICES: usize = 6;
/// Longest word, in bytes, that is compared with names.
const LONGEST_LIKE: usize = 64;

/// A sentence that means this call.
pub(super) fn sentence(cx: Context<'_>, tool: &ToolGrammar, args: &Map<String, Json>) -> String {
    let filled = |slot: &usize| args.contains_key(&tool.args[*slot].name);
    let usable = |pattern: &&Pattern| pattern.slots.iter().all(filled) && pattern.fixed.is_empty();
    // Of equals the one that the author put first.
    let best = tool.patterns.iter().filter(usable).rev().max_by_key(|pattern| pattern.slots.len());
    let Some(pattern) = best.or(tool.patterns.first()) else { return tool.name.clone() };
    let mut sentence = pattern.example.clone();
    for (name, value) in args {
        let slot = format!("{{{name}}}");
        if sentence.contains(&slot) {
            let arg = tool.args.iter().find(|arg| arg.name == *name);
            sentence = sentence.replace(&slot, &said(cx.names, arg.map(|arg| &arg.role), value));
        }
    }
    sentence
}

fn said(names: &Names, role: Option<&Role>, value: &Json) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match role {
        Some(Role::Text) => format!("\"{}\"", text.replace('"', "'")),
        Some(Role::Thing(kind)) => {
            // A name that two kinds share is said with its kind.
            let other = |found: &Candidate| {
                let of = &names.things[found.thing].kind;
                **of != **kind && &**of != "image"
            };
            if names.exact(&[&text]).iter().any(other) { format!("{kind} {text}") } else { text }
        }
        _ => text,
    }
}

fn with(fit: &Fit<'_>, name: &str) -> Option<Map<String, Json>> {
    let arg = fit.tool.args.iter().find(|arg| matches!(arg.role, Role::Thing(_)))?;
    let mut args = fit.bound.args.clone();
    args.insert(arg.name.clone(), Json::String(name.to_owned()));
    Some(args)
}

/// Whether an order makes sense for a thing in this state.
pub(super) fn wanted(reading: &Reading, state: &str) -> bool {
    match reading.order().map(|word| &*word.concept) {
        Some("stop") => !matches!(state, "exited" | "created" | "dead" | "inactive" | "failed" | "stopped"),
        Some("start") => !matches!(state, "running" | "active" | "restarting"),
        _ => true,
    }
}

/// Something is missing: names what it could be.
pub(super) fn which(cx: Context<'_>, reading: &Reading, mention: Option<&Mention>, rivals: &[&Fit<'_>]) -> Verdict {
    let of_this_machine = reading.words.iter().any(|word| &*word.concept == "machine");
    if reading.action.is_some() && of_this_machine && mention.is_none() {
        return Verdict::Nothing;
    }
    let verb = reading.order().map_or_else(|| "look at".to_owned(), |word| word.said.clone());
    if reading
        .values
        .iter()
        .any(|said| matches!(said.value, Value::Image(_) | Value::Url(_) | Value::Text(_) | Value::Id(_)))
    {
        return Verdict::Ask(format!("I do not know how to {verb} that. What should I {verb}?"), Vec::new());
    }
    let takes_thing = |fit: &&&Fit<'_>| fit.tool.args.iter().any(|arg| matches!(arg.role, Role::Thing(_)));
    let mut choices: Vec<(f64, String)> = Vec::new();
    for fit in rivals.iter().filter(takes_thing) {
        for thing in cx.names.things.iter().filter(|thing| fit.tool.takes(&thing.kind)) {
            if wanted(reading, &thing.state.to_lowercase())
                && let Some(args) = with(fit, &thing.name)
            {
                choices.push((likeness(reading, thing), sentence(cx, fit.tool, &args)));
            }
        }
    }
    choices.sort_by(|a, b| b.0.total_cmp(&a.0));
    let text = match rivals.first().and_then(|fit| fit.bound.missing.first().map(|arg| &fit.tool.args[*arg])) {
        Some(arg) if choices.is_empty() => format!("To {verb} something I need to know: which {}?", arg.name),
        _ => format!("Which one should I {verb}?"),
    };
    Verdict::Ask(text, choices.into_iter().map(|(_, sentence)| sentence).take(MOST_CHOICES).collect())
}

/// How like a thing's name the words are that were not understood.
fn likeness(reading: &Reading, thing: &Thing) -> f64 {
    let name = thing.name.to_lowercase();
    let like = |word: &String| strsim::jaro_winkler(&word.to_lowercase(), &name);
    reading.unknown.iter().filter(|word| word.len() <= LONGEST_LIKE).take(4).map(like).fold(0.0, f64::max)
}

/// Several things fit: names them.
pub(super) fn which_of(cx: Context<'_>, reading: &Reading, rivals: &[&Fit<'_>]) -> Verdict {
    let mut choices = Vec::new();
    for fit in rivals {
        let doubtful = fit.bound.doubtful.iter().map(|candidate| candidate.thing);
        let things: Vec<usize> =
            if fit.bound.doubtful.is_empty() { fit.bound.thing.into_iter().collect() } else { doubtful.collect() };
        for thing in things {
            if let Some(args) = with(fit, &cx.names.things[thing].name) {
                choices.push(sentence(cx, fit.tool, &args));
            }
        }
    }
    choices.dedup();
    choices.truncate(MOST_CHOICES);
    let verb = reading.order().map_or("look at", |word| word.said.as_str());
    Verdict::Ask(format!("Which one should I {verb}?"), choices)
}

/// The order cannot be given to the thing that was named.
pub(super) fn not_that(cx: Context<'_>, reading: &Reading, mention: Option<&Mention>) -> Verdict {
    let verb = reading.order().map_or("do that to", |word| word.said.as_str());
    match mention {
        Some(mention) => match what_about(cx, mention) {
            Verdict::Ask(_, choices) => {
                Verdict::Ask(format!("I cannot {verb} {}. What should I do instead?", mention.said), choices)
            }
            other => other,
        },
        None => Verdict::Nothing,
    }
}

/// A thing was named and nothing else was understood.
pub(super) fn what_about(cx: Context<'_>, mention: &Mention) -> Verdict {
    let best = mention.candidates.iter().map(|candidate| candidate.quality).max();
    let mut choices = Vec::new();
    for candidate in mention.candidates.iter().filter(|candidate| Some(candidate.quality) == best).take(3) {
        let thing = &cx.names.things[candidate.thing];
        for tool in cx.grammar.tools.iter().filter(|tool| tool.takes(&thing.kind)) {
            let arg = tool.args.iter().find(|arg| matches!(&arg.role, Role::Thing(kind) if *kind == thing.kind));
            let Some(arg) = arg else { continue };
            let needs_more = tool.args.iter().any(|other| other.required && other.name != arg.name);
            if !needs_more {
                let args = Map::from_iter([(arg.name.clone(), Json::String(thing.name.clone()))]);
                choices.push(sentence(cx, tool, &args));
            }
        }
    }
    if choices.is_empty() {
        return Verdict::Nothing;
    }
    choices.truncate(MOST_CHOICES);
    Verdict::Ask(format!("What would you like to know or do about {}?", mention.said), choices)
}
