//! What a change would look like, short enough for a card.

use std::time::Duration;

use jarvis_safety::plain::{visible, visible_block};
use similar::TextDiff;

use super::bound::size;

/// Lines of a diff that a person is shown.
const LINES: usize = 400;
/// Bytes of a diff that a person is shown.
const BYTES: usize = 32 * 1024;

/// A unified diff from what is there to what will be. What is not text is told by size alone.
pub(super) fn diff(shown: &str, old: Option<&[u8]>, new: Option<&[u8]>) -> String {
    let (Ok(before), Ok(after)) = (str::from_utf8(old.unwrap_or_default()), str::from_utf8(new.unwrap_or_default()))
    else {
        let bytes = |side: Option<&[u8]>| size(side.unwrap_or_default().len() as u64);
        return format!("not text: {} before, {} after", bytes(old), bytes(new));
    };
    let shown = visible(shown);
    let side = |there: bool| if there { shown.as_str() } else { "/dev/null" };
    // A pathological pair of files gets a coarse diff, not a late one.
    let diff = TextDiff::configure().timeout(Duration::from_millis(500)).diff_lines(before, after);
    let whole = diff.unified_diff().header(side(old.is_some()), side(new.is_some())).to_string();
    cut(&visible_block(&whole))
}

fn cut(whole: &str) -> String {
    let mut kept = String::new();
    let all = whole.lines().count();
    for (index, line) in whole.lines().enumerate() {
        if index >= LINES || kept.len() + line.len() > BYTES {
            kept.push_str(&format!("… {} more lines are not shown", all - index));
            return kept;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_shows_both_sides_and_hides_no_character() {
        let seen = diff("a.txt", Some(b"one\ntwo\n"), Some("one\nt\u{202e}wo\n".as_bytes()));
        assert!(seen.starts_with("--- a.txt\n+++ a.txt\n"), "{seen}");
        assert!(seen.contains("-two\n") && seen.contains("+t\\u{202e}wo\n"), "{seen}");
        assert!(diff("a.txt", None, Some(b"new\n")).starts_with("--- /dev/null\n+++ a.txt\n"));
    }

    #[test]
    fn a_long_diff_says_how_much_is_not_shown() {
        let new: String = (0..1000).map(|line| format!("line {line}\n")).collect();
        let seen = diff("a.txt", None, Some(new.as_bytes()));
        assert_eq!(seen.lines().count(), LINES + 1);
        assert!(seen.ends_with("… 603 more lines are not shown"), "{}", seen.lines().last().unwrap());
        let one = "x".repeat(BYTES * 2);
        assert!(diff("a.txt", None, Some(one.as_bytes())).len() < 200);
    }

    #[test]
    fn what_is_not_text_is_told_by_its_size() {
        assert_eq!(diff("a", Some(b"\xff\xfe"), Some(b"x")), "not text: 2 bytes before, 1 byte after");
    }
}
