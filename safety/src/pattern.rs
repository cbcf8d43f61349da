//! Patterns of names, as the policy and the autonomy rules use them.

use globset::{GlobBuilder, GlobMatcher};

/// Compiles a pattern in which only `*` (anything) and `?` (one character) mean more than themselves.
pub(crate) fn glob(pattern: &str) -> Option<GlobMatcher> {
    let mut escaped = String::with_capacity(pattern.len());
    for character in pattern.chars() {
        if "[]{}!,\\".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    GlobBuilder::new(&escaped).backslash_escape(true).build().ok().map(|glob| glob.compile_matcher())
}
