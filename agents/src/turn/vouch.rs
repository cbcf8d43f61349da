//! How far a call that a model chose can be traced to the person.
//!
//! Nothing can be traced through a model. So once a model has read what strangers may have written, a call of it counts as
//! the person's only where that can be shown without the model: the act and what it is done to follow from the person's
//! words by the rules, and every value is one that they said, an id of what they named, an id that a tool of ours made, or
//! what is usual. Otherwise a log line that says “stop the database” would be as good as an order.

use jarvis_safety::Tier;
use jarvis_safety::call::Vouching;
use jarvis_safety::conversation::{CallEnd, Entry};
use jarvis_safety::kernel::{Described, Registry};
use jarvis_safety::tool::Trust;
use serde_json::Value;

use crate::understand::Order;

/// Shortest beginning of an id that stands for the whole.
const SHORT_ID: usize = 12;

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
    pub(crate) orders: &'a [Order],
}

impl Witness<'_> {
    /// Who chose a call that a model asked for while text by strangers was in its sight.
    pub(crate) fn choice(&self, tool: &Described, args: &Value) -> Choice {
        let changes = tool.spec.tier > Tier::Green;
        let order = self.orders.iter().find(|order| self.is_of(order, tool, args));
        let certain = order.filter(|order| order.certain);
        let given = args.as_object().into_iter().flatten();
        let doubtful = given.filter(|(name, value)| {
            let ordered = certain.is_some_and(|order| order.call.args.get(name.as_str()) == Some(value));
            !ordered && !self.vouches(value, &tool.input["properties"][name.as_str()], changes)
        });
        let unvouched: Vec<String> = doubtful.map(|(name, _)| name.clone()).collect();
        let follows = unvouched.is_empty() && (!changes || order.is_some());
        Choice { vouching: if follows { Vouching::Client } else { Vouching::Unvouched }, unvouched }
    }

    /// Whether an order is for this tool, and for the very things that the call names.
    fn is_of(&self, order: &Order, tool: &Described, args: &Value) -> bool {
        let properties = tool.input["properties"].as_object();
        let mut things = properties.into_iter().flatten().filter(|(_, schema)| !schema["x-entity"].is_null());
        order.call.tool == tool.spec.name
            && things.all(|(name, _)| match (args[name.as_str()].as_str(), order.call.args[name.as_str()].as_str()) {
                (Some(given), Some(named)) => given == named || self.name_of(given).is_some_and(|name| name == named),
                (given, named) => given.is_none() && named.is_none(),
            })
    }

    /// Whether a value can be shown to be the person's, ours, or usual.
    fn vouches(&self, value: &Value, schema: &Value, strict: bool) -> bool {
        if value.is_null() || schema.get("default") == Some(value) {
            return true;
        }
        match value {
            Value::String(text) => {
                let named = || self.name_of(text).is_some_and(|name| said(self.asked, name));
                said(self.asked, text) || named() || self.is_id_of_ours(text)
            }
            Value::Array(items) => items.iter().all(|item| self.vouches(item, &Value::Null, strict)),
            Value::Object(fields) => fields.iter().all(|(name, value)| {
                let field = schema.pointer("/properties").and_then(|all| all.get(name));
                self.vouches(value, field.unwrap_or(&Value::Null), strict)
            }),
            other => !strict || said(self.asked, &other.to_string()),
        }
    }

    /// The name of the thing with this id, as a listing of this turn has it.
    fn name_of(&self, id: &str) -> Option<&str> {
        self.outcomes().find_map(|(tool, output)| {
            let listing = tool.spec.lists.filter(|_| tool.spec.trust != Trust::Untrusted)?;
            let items = output.get(listing.items)?.as_array()?;
            let item = items.iter().find(|item| {
                let known = item.get("id").and_then(Value::as_str).unwrap_or_default();
                known == id && !id.is_empty() || id.len() >= SHORT_ID && known.starts_with(id)
            })?;
            item.get(listing.name)?.as_str()
        })
    }

    /// Whether a tool whose output is wholly ours answered with this id in this turn.
    fn is_id_of_ours(&self, text: &str) -> bool {
        let mut trusted = self.outcomes().filter(|(tool, _)| tool.spec.trust == Trust::Trusted);
        trusted.any(|(_, output)| holds_id(output, text))
    }

    /// What the calls of this turn answered.
    fn outcomes(&self) -> impl Iterator<Item = (&Described, &Value)> {
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
