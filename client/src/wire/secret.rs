//! Secrets: what is known of them. No answer ever holds a value.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// To whom a tool may hand a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretUse {
    /// Name of a tool, or a pattern with `*` and `?`.
    pub tool: String,
    /// Name of the target, or a pattern: for `http_fetch` the host.
    pub target: String,
}

/// A secret, without its value.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SecretInfo {
    /// Its name; `secret://NAME` refers to it.
    pub name: String,
    /// What it is for.
    pub note: String,
    /// Tools and targets that may get it. None: only Jarvis's own settings can refer to it.
    pub uses: Vec<SecretUse>,
    /// Counts its values and the changes of its uses, from 1.
    pub version: u64,
    /// When it was first kept.
    pub created_at: i64,
    /// When it got its present value.
    pub changed_at: i64,
}

/// All secrets.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SecretList {
    /// By name.
    pub secrets: Vec<SecretInfo>,
    /// Where the key of the vault comes from: `file:…`, `env:…`, `credential:…`, or a passphrase from one of them.
    pub key: String,
    /// Why the vault cannot be opened, if it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// Keeps a secret, or changes what is given of one. What is left out stays as it is.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretBody {
    /// The value, 8 to 16,384 bytes of text. A new secret needs one; the old value is struck out for 30 days more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What it is for, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Tools and targets that may get it, at most 20. None at first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<Vec<SecretUse>>,
}

/// The text of a `.env` file.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportBody {
    /// The text, at most 256 KiB.
    pub text: String,
    /// Whether secrets that are there already get the values of the file.
    #[serde(default)]
    pub replace: bool,
}

/// A variable that was not taken.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SkippedInfo {
    /// Number of its line, from 1.
    pub line: u64,
    /// Its name, as far as it can be told.
    pub name: String,
    /// Why.
    pub why: String,
}

/// What became of the variables of a `.env` file.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ImportReport {
    /// Names of the secrets that were kept.
    pub kept: Vec<String>,
    /// Those that were not.
    pub skipped: Vec<SkippedInfo>,
}
