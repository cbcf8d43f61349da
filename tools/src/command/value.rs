//! What one argument of a command may be.
//!
//! Each kind says what is allowed, never what is forbidden, and only what is written out word for word may begin with
//! `-`, `+` or `@`:
//! what a form takes for a value can then not be an option to the program.

use std::net::IpAddr;
use std::path::{Component, Path};

use serde::Deserialize;

/// Longest argument that is understood, in bytes.
const LONGEST: usize = 1000;

/// A kind of value, as `commands.toml` writes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(
    untagged,
    expecting = "expected \"flag\", \"word\", \"text\", \"path\", \"host\", { from = 1, to = 9 } or a list of words"
)]
pub(super) enum Kind {
    Named(Named),
    Number(Range),
    Choice(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Named {
    /// An option without a value.
    Flag,
    /// Letters, digits and `. _ @ : + -`.
    Word,
    /// Anything that can be seen, in one line.
    Text,
    /// An absolute path without `.` and `..`.
    Path,
    /// A name of the network, or an address.
    Host,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Range {
    from: u64,
    to: u64,
}

impl Kind {
    /// An option without a value.
    pub(super) const FLAG: Self = Self::Named(Named::Flag);

    /// Whether a value is of this kind. A flag has none.
    pub(super) fn admits(&self, value: &str) -> bool {
        if let Self::Choice(choices) = self {
            return choices.iter().any(|choice| choice == value);
        }
        if value.is_empty() || value.len() > LONGEST || value.starts_with(['-', '+', '@']) {
            return false;
        }
        match self {
            Self::Choice(_) => false,
            Self::Named(Named::Flag) => false,
            Self::Named(Named::Word) => value.chars().all(|c| c.is_ascii_alphanumeric() || "._@:+-".contains(c)),
            Self::Named(Named::Text) => jarvis_safety::plain::visible(value) == value,
            Self::Named(Named::Path) => is_plain_path(value),
            Self::Named(Named::Host) => is_host(value),
            Self::Number(range) => {
                let plain = value.bytes().all(|byte| byte.is_ascii_digit());
                plain && value.parse().is_ok_and(|number| (range.from..=range.to).contains(&number))
            }
        }
    }

    /// As a person and a model read it.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Named(Named::Flag) => String::new(),
            Self::Named(Named::Word) => "WORD".to_owned(),
            Self::Named(Named::Text) => "TEXT".to_owned(),
            Self::Named(Named::Path) => "PATH".to_owned(),
            Self::Named(Named::Host) => "HOST".to_owned(),
            Self::Number(range) => format!("{}..{}", range.from, range.to),
            Self::Choice(choices) => choices.join("|"),
        }
    }
}

/// Absolute, and means what it says: no step back, no doubled slash, nothing that cannot be seen.
fn is_plain_path(value: &str) -> bool {
    let parts = Path::new(value).components().map(Component::as_os_str).collect::<std::path::PathBuf>();
    let same =
        value == "/" || parts.as_os_str() == value.strip_suffix('/').filter(|rest| *rest != "/").unwrap_or(value);
    let steps = value.split('/').all(|part| part != "." && part != "..");
    value.starts_with('/') && same && steps && jarvis_safety::plain::visible(value) == value
}

fn is_host(value: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
    };
    value.parse::<IpAddr>().is_ok() || (value.len() <= 253 && value.split('.').all(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_of_an_open_kind_can_be_an_option() {
        let kinds = [Named::Word, Named::Text, Named::Path, Named::Host].map(Kind::Named);
        for kind in kinds.iter().chain([&Kind::FLAG]) {
            for value in ["-x", "--output=/etc/passwd", "-", ""] {
                assert!(!kind.admits(value), "{value} as {kind:?}");
            }
        }
    }

    #[test]
    fn each_kind_admits_what_it_names_and_nothing_else() {
        let table: [(Kind, &[&str], &[&str]); 6] = [
            (
                Kind::Named(Named::Word),
                &["nginx.service", "user@1000", "a:b+c"],
                &["a b", "a/b", "a;b", "$(x)", "größe"],
            ),
            (Kind::Named(Named::Text), &["two words", "größe; rm -rf /"], &["a\nb", "a\u{202e}b", "a\0"]),
            (
                Kind::Named(Named::Path),
                &["/", "/srv/a b", "/srv/"],
                &["srv", "/srv/../etc", "/a//b", "//", "/a/./b", "/a\n"],
            ),
            (
                Kind::Named(Named::Host),
                &["nas", "nas.lan", "192.0.2.1", "2001:db8::1"],
                &["a b", "nas..lan", "a/b", "x;y"],
            ),
            (
                Kind::Number(Range { from: 1, to: 100 }),
                &["1", "100", "007"],
                &["0", "101", "+5", "1e2", "٣", "99999999999999999999"],
            ),
            (Kind::Choice(vec!["a".to_owned()]), &["a"], &["b", "aa"]),
        ];
        for (kind, fit, misfit) in table {
            for value in fit {
                assert!(kind.admits(value), "{value} as {kind:?}");
            }
            for value in misfit {
                assert!(!kind.admits(value), "{value} as {kind:?}");
            }
        }
    }
}
