//! Names of secrets, and the references that hold them.

use std::fmt;
use std::str::FromStr;

/// What a reference begins with.
pub const SCHEME: &str = "secret://";

/// Names that a path of the API means something else by.
const RESERVED: [&str; 3] = [".", "..", "import"];

/// 1 to 64 of `A-Z a-z 0-9 _ . -`, and neither `.`, `..` nor `import`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretName(String);

/// The text is no name of a secret. It is not repeated: it may be the secret itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret's name has 1 to 64 characters of A-Z, a-z, 0-9, `_`, `.` and `-`, and is not `.`, `..` or `import`")]
pub struct BadName;

impl SecretName {
    /// The name in a reference; nothing if it is no reference to a secret.
    #[must_use]
    pub fn referred(reference: &str) -> Option<Self> {
        reference.strip_prefix(SCHEME).and_then(|name| name.parse().ok())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SecretName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        let fits = (1..=64).contains(&text.len()) && text.bytes().all(good) && !RESERVED.contains(&text);
        if fits { Ok(Self(text.to_owned())) } else { Err(BadName) }
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
