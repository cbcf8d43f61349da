//! Patterns of names, as policy, autonomy, grants, targets and secrets use them.
//!
//! A library of file patterns knows more than is said here: in `**/x` it fits `x`, too, and its `?` is one byte. Where a
//! pattern permits something, it must not fit more than a person reads in it.

use regex::Regex;

/// Compiles a pattern in which only `*` (anything) and `?` (one character) mean more than themselves.
pub(crate) fn glob(pattern: &str) -> Option<Regex> {
    let mut text = String::with_capacity(2 * pattern.len() + 8);
    text.push_str(r"(?s)\A");
    for character in pattern.chars() {
        match character {
            '*' => text.push_str(".*"),
            '?' => text.push('.'),
            other => text.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    text.push_str(r"\z");
    Regex::new(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text_and_a_question_mark_one_character_and_nothing_else_is_special() {
        for (pattern, fit, misfit) in [
            ("**/x", &["/x", "a/x", "a/b/x"][..], &["x", "ax"][..]),
            ("a/**/b", &["a//b", "a/c/b"], &["a/b"]),
            ("gr??e", &["größe", "grabe"], &["grüße!", "grße"]),
            ("*", &["", "a\nb", "a/b"], &[]),
            ("a*", &["a", "a\n"], &["ba", "A"]),
            ("[a]{b,c}!\\.d$", &["[a]{b,c}!\\.d$"], &["ab!.d$"]),
            ("", &[""], &["a", "\n"]),
        ] {
            let compiled = glob(pattern).unwrap();
            for text in fit {
                assert!(compiled.is_match(text), "{pattern} and {text}");
            }
            for text in misfit {
                assert!(!compiled.is_match(text), "{pattern} and {text}");
            }
        }
    }
}
