//! The answer to a turn that was answered by rule: what came of its calls, in words.
//!
//! Words that may be by strangers are shown as a quotation that nothing in them can close or format.

use jarvis_safety::call::CallState;
use jarvis_safety::conversation::CallEnd;
use jarvis_safety::outcome::Outcome;
use jarvis_safety::plain::{visible, visible_block};
use jarvis_safety::refusal::Code;

use super::reading::CallView;

/// Longest quotation, in characters.
const MAX_QUOTE: usize = 12_000;

/// The answer.
pub(crate) fn by_rule(calls: &[CallView<'_>]) -> String {
    let several = calls.len() > 1;
    let parts: Vec<_> = calls
        .iter()
        .filter_map(|call| {
            let words = match call.end? {
                CallEnd::Ran { outcome } => ran(outcome),
                CallEnd::Refused { refusal } if refusal.code == Code::Denied => {
                    format!("As you wish; nothing was done. It was {}.", visible(&refusal.message))
                }
                CallEnd::Refused { refusal } if refusal.code == Code::AlreadyDecided => {
                    format!("{}.", visible(&refusal.message))
                }
                CallEnd::Refused { refusal } => format!("I did not do that: {}", visible(&refusal.message)),
            };
            Some(if several { format!("{}: {words}", name(call)) } else { words })
        })
        .collect();
    parts.join("\n\n")
}

fn name(call: &CallView<'_>) -> String {
    match call.end {
        Some(CallEnd::Ran { outcome }) => {
            format!("{} of {}", code(&outcome.tool), code(&outcome.target.name))
        }
        _ => code(call.tool),
    }
}

fn ran(outcome: &Outcome) -> String {
    let words = if outcome.untrusted { quote(&outcome.words) } else { visible_block(&outcome.words) };
    let lead = match outcome.state {
        CallState::Done if outcome.untrusted => format!("{} says:", code(&outcome.tool)),
        CallState::Done => return words,
        CallState::Failed => "That did not work.".to_owned(),
        CallState::Cancelled => "That was cancelled and did not happen.".to_owned(),
        CallState::Unknown | CallState::Running => {
            "Nobody can tell whether that happened; look before you repeat it.".to_owned()
        }
    };
    let gap = if outcome.untrusted { "\n" } else { " " };
    format!("{lead}{gap}{words}")
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
}
