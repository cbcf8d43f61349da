//! How far a call that a model chose can be traced to the person.
//!
//! Nothing can be traced through a model. So once text by strangers has been in its sight, a call counts as the
//! person's only if it follows from their words: every value stands in them, and for a call that changes something the
//! act itself does, too. Otherwise a log line that says “stop the database” would be as good as an order.

use jarvis_safety::Tier;
use jarvis_safety::call::Vouching;
use jarvis_safety::conversation::{CallEnd, Entry};
use jarvis_safety::kernel::Described;
use serde_json::Value;

/// Whether text by strangers was in the model's sight when it asked for the call at `index`.
pub(crate) fn strangers_in_sight(log: &[Entry], index: u32) -> bool {
    // The calls of one answer were chosen together: only what stood before that answer was in sight.
    let mut placed = 0;
    let mut seen = false;
    let mut before = false;
    for entry in log {
        match entry {
            Entry::Model { calls, .. } => {
                if placed > index {
                    break;
                }
                before = seen;
                placed += u32::try_from(calls.len()).unwrap_or(u32::MAX);
            }
            Entry::Answered { answer: CallEnd::Ran { outcome }, .. } => seen |= outcome.untrusted,
            _ => {}
        }
    }
    before
}

/// The vouching of a call that a model chose.
pub(crate) fn vouching(strangers: bool, asked: &str, described: Option<&Described>, args: &Value) -> Vouching {
    if !strangers {
        return Vouching::Client;
    }
    let Some(described) = described else { return Vouching::Unvouched };
    let changes = described.spec.tier > Tier::Green;
    let follows =
        values_said(asked, args, &described.input, changes) && (!changes || act_said(asked, described.spec.name));
    if follows { Vouching::Client } else { Vouching::Unvouched }
}

/// Whether a word of the tool's name beside its family stands in the person's words: `restart` of `docker_restart`.
fn act_said(asked: &str, tool: &str) -> bool {
    let asked = asked.to_lowercase();
    let mut acts = tool.split('_').skip(1);
    acts.any(|act| asked.split(|c: char| !c.is_alphanumeric()).any(|word| word == act))
}

/// Whether every value stands in the person's words. A number or a switch may also be what it is anyway.
fn values_said(asked: &str, args: &Value, schema: &Value, strict: bool) -> bool {
    match args {
        Value::Null => true,
        Value::String(text) => said(asked, text),
        Value::Bool(_) | Value::Number(_) => {
            !strict || schema.get("default") == Some(args) || said(asked, &args.to_string())
        }
        Value::Array(items) => items.iter().all(|item| values_said(asked, item, &Value::Null, strict)),
        Value::Object(fields) => fields.iter().all(|(name, value)| {
            let field = schema.pointer("/properties").and_then(|all| all.get(name));
            values_said(asked, value, field.unwrap_or(&Value::Null), strict)
        }),
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

    #[test]
    fn the_act_must_be_said_too() {
        assert!(act_said("Please restart web if it is ill", "docker_restart"));
        assert!(!act_said("what do the logs of web say?", "docker_stop"));
        assert!(!act_said("docker", "docker_stop"));
    }
}
