//! The answer to a turn that was answered by rule: what came of its calls, in words.
//!
//! Words that may be by strangers are shown as a quotation that nothing in them can close or format, below a sentence
//! of Jarvis' own.

use jarvis_safety::Tier;
use jarvis_safety::call::CallState;
use jarvis_safety::conversation::CallEnd;
use jarvis_safety::outcome::Outcome;
use jarvis_safety::plain::{visible, visible_block};
use jarvis_safety::refusal::{Code, Refusal};
use serde_json::Value;

use super::reading::CallView;
use super::step::Facts;

/// Longest quotation, in characters.
const MAX_QUOTE: usize = 12_000;

/// The answer.
pub(crate) fn by_rule(calls: &[CallView<'_>], facts: &Facts<'_>) -> String {
    match calls {
        [call] => call.end.map(|end| alone(end, facts)).unwrap_or_default(),
        _ if calls.iter().all(only_looked) => {
            let parts: Vec<_> = calls.iter().filter_map(|call| call.end.map(|end| alone(end, facts))).collect();
            parts.join("\n\n")
        }
        _ => plan(calls, facts),
    }
}

fn only_looked(call: &CallView<'_>) -> bool {
    matches!(call.end, Some(CallEnd::Ran { outcome }) if outcome.tier == Tier::Green)
}

fn alone(end: &CallEnd, facts: &Facts<'_>) -> String {
    match end {
        CallEnd::Ran { outcome } => ran(outcome, facts),
        CallEnd::Refused { refusal } => refused(refusal),
    }
}

/// What came of each step of a plan.
fn plan(calls: &[CallView<'_>], facts: &Facts<'_>) -> String {
    let refusal = |call: &CallView<'_>| match call.end {
        Some(CallEnd::Refused { refusal }) => Some(refusal.clone()),
        _ => None,
    };
    // One reason that holds for all of them is given once.
    if let Some(first) = calls.first().and_then(refusal)
        && calls.iter().all(|call| refusal(call).is_some_and(|other| other.message == first.message))
    {
        return refused(&first);
    }
    let done = calls.iter().filter(|call| call.succeeded()).count();
    let lead = match (done, calls.len()) {
        (2, 2) => "Both steps are done:".to_owned(),
        (done, all) if done == all => format!("All {all} steps are done:"),
        (0, all) => format!("None of the {all} steps is done:"),
        (1, all) => format!("1 of {all} steps is done:"),
        (done, all) => format!("{done} of {all} steps are done:"),
    };
    let steps = calls.iter().map(|call| match call.end {
        Some(CallEnd::Ran { outcome }) if call.succeeded() && !outcome.untrusted => {
            format!("- {}", visible_block(&outcome.words).replace('\n', "\n  "))
        }
        Some(CallEnd::Ran { outcome }) => format!("- {}: {}", naming(call, facts), ran(outcome, facts)),
        Some(CallEnd::Refused { refusal }) => {
            format!("- {}: not done. {}", naming(call, facts), sentence(&visible(&refusal.message)))
        }
        None => format!("- {}: no outcome is known.", naming(call, facts)),
    });
    format!("{lead}\n\n{}", steps.collect::<Vec<_>>().join("\n"))
}

/// A call in two words: "stop web".
fn naming(call: &CallView<'_>, facts: &Facts<'_>) -> String {
    let act = call.tool.split_once('_').map_or(call.tool, |(_, act)| act).replace('_', " ");
    let thing = match call.end {
        Some(CallEnd::Ran { outcome }) => Some(outcome.target.name.as_str()),
        _ => named_in(call, facts),
    };
    match thing {
        Some(thing) => format!("{} {}", visible(&act), name(thing)),
        None => visible(&act),
    }
}

/// The argument that names a thing of the world; else the only text there is.
fn named_in<'a>(call: &CallView<'a>, facts: &Facts<'_>) -> Option<&'a str> {
    let args = call.args.as_object()?;
    let described = facts.registry.describe(call.tool);
    let entity =
        |field: &str| described.as_ref().is_some_and(|tool| !tool.input["properties"][field]["x-entity"].is_null());
    let thing = args.iter().find(|(field, _)| entity(field)).map(|(_, value)| value);
    thing.or_else(|| args.values().next().filter(|_| args.len() == 1)).and_then(Value::as_str)
}

fn ran(outcome: &Outcome, facts: &Facts<'_>) -> String {
    let trouble = match outcome.state {
        CallState::Done => None,
        CallState::Failed => Some("That did not work"),
        CallState::Cancelled => Some("That was cancelled and did not happen"),
        CallState::Unknown | CallState::Running => {
            Some("Nobody can tell whether that happened; look before repeating it")
        }
    };
    match (trouble, outcome.untrusted) {
        (None, false) => visible_block(&outcome.words),
        (None, true) => {
            let changes = outcome.tier > Tier::Green;
            let target = &outcome.target;
            let lead = facts.prompts.quotation(&outcome.tool, &target.kind, &name(&target.name), changes);
            format!("{lead}\n\n{}", quote(&outcome.words))
        }
        (Some(trouble), _) if outcome.words.trim().is_empty() => format!("{trouble}."),
        (Some(trouble), false) => format!("{trouble}: {}", stopped(&visible_block(&outcome.words))),
        (Some(trouble), true) => format!("{trouble}:\n\n{}", quote(&outcome.words)),
    }
}

/// Why nothing was done.
fn refused(refusal: &Refusal) -> String {
    let message = visible(&refusal.message);
    match refusal.code {
        Code::Denied => format!("As you wish; nothing was done. It was {}", stopped(&message)),
        Code::ApprovalExpired => {
            "Nobody decided in time, so nothing was done. Say it again if it is still wanted.".to_owned()
        }
        Code::ApprovalStale | Code::AlreadyDecided => sentence(&message),
        _ => format!("I did not do that: {}", stopped(&message)),
    }
}

/// Words as a sentence: they begin with a capital and end with a full stop.
pub(crate) fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    stopped(&format!("{first}{}", letters.as_str()))
}

fn stopped(words: &str) -> String {
    let stop = if words.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{words}{stop}")
}

/// A block of text in a fence that is longer than any run of back-ticks in it.
pub(crate) fn quote(text: &str) -> String {
    let shown = visible_block(text.trim_end());
    let cut = jarvis_safety::plain::shorten(&shown, MAX_QUOTE);
    let fence = "`".repeat(longest_run(&cut).max(2) + 1);
    format!("{fence}text\n{cut}\n{fence}")
}

/// Words in one line that keep their formatting characters to themselves.
pub(crate) fn code(text: &str) -> String {
    let shown = visible(text);
    let ticks = "`".repeat(longest_run(&shown) + 1);
    let gap = if shown.starts_with('`') || shown.ends_with('`') { " " } else { "" };
    format!("{ticks}{gap}{shown}{gap}{ticks}")
}

/// A name as it stands where it cannot format anything, else as code.
fn name(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./ ".contains(c)) && text.trim() == text;
    let marks = text.starts_with('_') || text.ends_with('_') || text.contains("__") || text.is_empty();
    if plain && !marks { text.to_owned() } else { code(text) }
}

fn longest_run(text: &str) -> usize {
    text.split(|character| character != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quotation_cannot_be_closed_from_inside() {
        let quoted = quote("a\n````\n# heading\u{202e}");
        assert!(quoted.starts_with("`````text\n") && quoted.ends_with("\n`````"), "{quoted}");
        assert!(quoted.contains("\\u{202e}"));
        assert_eq!(code("we`b"), "``we`b``");
        assert_eq!(code("`"), "`` ` ``");
    }

    #[test]
    fn only_a_name_that_formats_nothing_stands_bare() {
        assert_eq!(name("immich_server-1"), "immich_server-1");
        assert_eq!(name("__web__"), "`__web__`");
        assert_eq!(name("web*"), "`web*`");
        assert_eq!(name("we\u{202e}b"), "`we\\u{202e}b`");
        assert_eq!(sentence("it fell over"), "It fell over.");
    }

    #[test]
    fn a_refusal_says_in_words_what_became_of_the_wish() {
        let of = |code, message: &str| refused(&Refusal::new(code, "rule", message.to_owned()));
        assert_eq!(of(Code::Denied, "denied: “no”"), "As you wish; nothing was done. It was denied: “no”.");
        assert!(of(Code::ApprovalExpired, "lapsed").starts_with("Nobody decided in time"));
        assert_eq!(of(Code::ApprovalStale, "web is another container now"), "Web is another container now.");
        assert_eq!(of(Code::Forbidden, "not you"), "I did not do that: not you.");
    }
}
