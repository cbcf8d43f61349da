//! How far a call that a model chose can be traced to the person.
//!
//! Nothing can be traced through a model. So once a model has read what strangers may have written, a call of it counts as
//! the person's only where that can be shown without the model: the act and what it is done to follow from the person's
//! words by the rules, and every value is one that they said, an id of what they named, an id that a tool of ours made, or
//! what is usual. Otherwise a log line that says “stop the database” would be as good as an order.

use std::sync::Arc;

use jarvis_safety::call::Vouching;
use jarvis_safety::conversation::{CallEnd, Entry};
use jarvis_safety::kernel::{Described, Registry};
use jarvis_safety::tool::Trust;
use serde_json::Value;

use crate::understand::Meant;

/// Who chose a call, and what of it nothing vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) vouching: Vouching,
    /// Names of arguments.
    pub(crate) unvouched: Vec<String>,
}

impl Choice {
    pub(crate) const fn of(vouching: Vouching) -> Self {
        Self { vouching, unvouched: Vec::new() }
    }
}

/// What can be shown about a call without asking the model that chose it.
pub(crate) struct Witness<'a> {
    pub(crate) registry: &'a Registry,
    /// The turn so far.
    pub(crate) log: &'a [Entry],
    /// The person's words.
    pub(crate) asked: &'a str,
    /// What they order by the rules.
    pub(crate) orders: &'a [Meant],
}

impl Witness<'_> {
    /// Who chose the call at `index`, which a model asked for while text by strangers was in its sight.
    pub(crate) fn choice(&self, index: u32, tool: &Described, args: &Value) -> Choice {
        let needs_order = tool.spec.changes_or_goes_out();
        let order = self.orders.iter().find(|order| self.is_for(order, tool, args) && !self.is_used(order, index));
        let given = args.as_object().into_iter().flatten();
        let doubtful = given.filter(|(name, value)| {
            let ordered = order.is_some_and(|order| order.args.get(name.as_str()).is_some());
            !ordered && !self.vouches(value, &tool.input["properties"][name.as_str()], needs_order)
        });
        let unvouched: Vec<String> = doubtful.map(|(name, _)| name.clone()).collect();
        let follows = unvouched.is_empty() && (!needs_order || order.is_some());
        Choice { vouching: if follows { Vouching::Client } else { Vouching::Unvouched }, unvouched }
    }

    /// Whether an order is for this tool, with all that it says, and for no other thing than it names.
    fn is_for(&self, order: &Meant, tool: &Described, args: &Value) -> bool {
        let ordered = order.args.as_object().into_iter().flatten();
        let is_thing = |name: &str| !tool.input["properties"][name]["x-entity"].is_null();
        let things = tool.input["properties"].as_object().into_iter().flatten();
        order.tool == tool.spec.name
            && ordered.into_iter().all(|(name, wanted)| match (wanted.as_str(), args[name.as_str()].as_str()) {
                (Some(wanted), Some(given)) if is_thing(name) => {
                    self.is_same(wanted, given, &tool.input["properties"][name.as_str()]["x-entity"])
                }
                _ => args.get(name.as_str()) == Some(wanted),
            })
            && things
                .filter(|(name, _)| is_thing(name) && order.args.get(name.as_str()).is_none())
                .all(|(name, _)| args.get(name.as_str()).is_none_or(Value::is_null))
    }

    /// Whether a value names the thing that was ordered: by its name, or by the id that a listing gave it.
    fn is_same(&self, wanted: &str, given: &str, entity: &Value) -> bool {
        wanted == given
            || (entity == "service" && wanted.strip_suffix(".service") == Some(given))
            || self.name_of(given, entity) == Some(wanted)
    }

    /// Whether an earlier call of this turn was what was ordered: an order is one call.
    fn is_used(&self, order: &Meant, index: u32) -> bool {
        self.log.iter().any(|entry| match entry {
            Entry::Called { index: earlier, tool, args } if *earlier < index => {
                self.registry.describe(tool).is_some_and(|tool| self.is_for(order, &tool, args))
            }
            _ => false,
        })
    }

    /// Whether a value can be shown to be the person's, ours, or usual.
    fn vouches(&self, value: &Value, schema: &Value, strict: bool) -> bool {
        if value.is_null() || schema.get("default") == Some(value) {
            return true;
        }
        match value {
            Value::String(text) => {
                let entity = &schema["x-entity"];
                let named = || self.name_of(text, entity).is_some_and(|name| said(self.asked, name));
                said(self.asked, text) || named() || self.is_id_of_ours(text)
            }
            Value::Array(items) => items.iter().all(|item| self.vouches(item, &Value::Null, strict)),
            Value::Object(fields) => fields.iter().all(|(name, value)| {
                let field = schema.pointer("/properties").and_then(|all| all.get(name));
                self.vouches(value, field.unwrap_or(&Value::Null), strict)
            }),
            // "true" in a text is no switch.
            Value::Bool(_) => !strict,
            other => !strict || said(self.asked, &other.to_string()),
        }
    }

    /// The name of the thing with this id, as a listing of this turn has it. A text that is also some thing's name is one.
    fn name_of(&self, id: &str, entity: &Value) -> Option<&str> {
        let listings = self.outcomes().filter(|(tool, _)| tool.spec.trust != Trust::Untrusted);
        let listed = listings.filter_map(|(tool, output)| {
            let listing = tool.spec.lists.filter(|listing| entity == listing.entity)?;
            Some((listing.name, output.get(listing.items)?.as_array()?))
        });
        let mut found = None;
        for (name, item) in listed.flat_map(|(name, items)| items.iter().map(move |item| (name, item))) {
            let called = item.get(name).and_then(Value::as_str);
            if called == Some(id) {
                return None;
            }
            found = found.or_else(|| called.filter(|_| item.get("id").and_then(Value::as_str) == Some(id)));
        }
        found
    }

    /// Whether a tool whose output is wholly ours answered with this id in this turn.
    fn is_id_of_ours(&self, text: &str) -> bool {
        let mut trusted = self.outcomes().filter(|(tool, _)| tool.spec.trust == Trust::Trusted);
        trusted.any(|(_, output)| holds_id(output, text))
    }

    /// What the calls of this turn answered.
    fn outcomes(&self) -> impl Iterator<Item = (Arc<Described>, &Value)> {
        self.log.iter().filter_map(|entry| match entry {
            Entry::Answered { answer: CallEnd::Ran { outcome }, .. } => {
                Some((self.registry.describe(&outcome.tool)?, &outcome.output))
            }
            _ => None,
        })
    }
}

/// Fields that hold ids which our tools make.
const IDS: [&str; 5] = ["id", "job", "call", "approval", "version"];

/// Whether an output holds this text as an id.
fn holds_id(output: &Value, text: &str) -> bool {
    match output {
        Value::Array(items) => items.iter().any(|item| holds_id(item, text)),
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            (IDS.contains(&name.as_str()) && value.as_str() == Some(text)) || holds_id(value, text)
        }),
        _ => false,
    }
}

/// Whether exactly this text stands in the words, as whole words and in any case.
fn said(words: &str, text: &str) -> bool {
    let (words, text) = (words.to_lowercase(), text.trim().to_lowercase());
    let open = |next: Option<char>| next.is_none_or(|c| c.is_whitespace() || "\"'<>()[]`,;!?“”‘’:".contains(c));
    !text.is_empty()
        && words.match_indices(&text).any(|(at, _)| {
            let after = &words[at + text.len()..];
            let after = after.strip_prefix('.').unwrap_or(after);
            open(words[..at].chars().next_back()) && open(after.chars().next())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_words_of_the_person_count() {
        assert!(said("restart Web.", "web"));
        assert!(!said("restart web-2", "web"));
        assert!(!said("restart my.web.lan", "web"));
        assert!(said("read \"/srv/a b\" now", "/srv/a b"));
        assert!(!said("anything", ""));
    }
}
