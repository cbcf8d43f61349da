//! Secrets: referred to by name, opened where they are sent, and struck out everywhere else.

pub mod dotenv;
mod form;
mod name;
mod redact;

use std::sync::Arc;

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::event::Draft;
use crate::pattern::glob;
use crate::port::Stored;

pub use name::{BadName, SCHEME, SecretName};
pub use redact::{Redactor, Strike};

/// Shortest value that is kept, in bytes: a shorter one is guessed in a moment, and could not be told from ordinary words.
pub const SHORTEST: usize = 8;

/// Longest value that is kept, in bytes.
pub const LONGEST: usize = 16 * 1024;

/// Shortest value that may consist of small letters alone, or of digits alone.
const SHORTEST_ORDINARY: usize = 16;

/// Fewest different characters of a value.
const DISTINCT: usize = 5;

/// Whether a value reads like an ordinary word or number: struck out, it would garble what it has nothing to do with.
#[must_use]
fn is_ordinary(value: &str) -> bool {
    let small = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'-' | b'.' | b' ');
    let alike = value.bytes().all(small) || value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    value.len() < SHORTEST || value.len() < SHORTEST_ORDINARY && alike
}

/// What is wrong with a value that is to be kept, if anything is. It is not repeated.
#[must_use]
pub fn value_fault(value: &str) -> Option<String> {
    // A key in a file ends with a line end, which belongs to it; what counts is what is seen of it.
    let value = value.trim();
    if !(SHORTEST..=LONGEST).contains(&value.len()) {
        return Some(format!("a secret has {SHORTEST} to {LONGEST} bytes, and this one has {}", value.len()));
    }
    if value.contains('\0') {
        return Some("a secret is a text, and this one holds a NUL".to_owned());
    }
    if value.chars().collect::<std::collections::BTreeSet<_>>().len() < DISTINCT {
        return Some(format!("a secret has at least {DISTINCT} different characters"));
    }
    is_ordinary(value).then(|| {
        format!(
            "it reads like an ordinary word or number: struck out, it would garble what it has nothing to do with. Use \
             one with capitals and digits, or of {SHORTEST_ORDINARY} characters or more"
        )
    })
}

/// A secret value. It cannot be printed or serialised, and is wiped when it is dropped.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Wraps a value.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(Arc::new(Zeroizing::new(value)))
    }

    /// The value, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// To whom a tool may hand a secret: patterns with `*` and `?` for the names of tool and target.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Use {
    /// Tool.
    pub tool: String,
    /// Target.
    pub target: String,
}

impl Use {
    /// Whether it lets a tool hand the secret to a target.
    #[must_use]
    pub fn fits(&self, tool: &str, target: &str) -> bool {
        let one = |wanted: &str, name: &str| glob(wanted).is_some_and(|wanted| wanted.is_match(name));
        one(&self.tool, tool) && one(&self.target, target)
    }
}

/// What is known of a secret beside its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRecord {
    /// Name.
    pub name: SecretName,
    /// What it is for.
    pub note: String,
    /// Tools and targets that may get it.
    pub uses: Vec<Use>,
    /// Counts its values and the changes of its uses, from 1.
    pub version: u64,
    /// When it was first kept.
    pub created_at: i64,
    /// When it got its present value.
    pub changed_at: i64,
}

/// Opens references to secrets.
pub trait Vault: Send + Sync {
    /// `secret://NAME`, `env:NAME` or `file:/path`, for Jarvis's own settings.
    ///
    /// # Errors
    /// Says what is wrong with the reference, never what the secret is.
    fn open(&self, reference: &str) -> Result<Secret, String>;

    /// `secret://NAME`, for a tool that runs on a target, if the operator has said that it may have it there.
    ///
    /// # Errors
    /// If it may not, or there is no such secret.
    fn open_for(&self, reference: &str, tool: &str, target: &str) -> Result<Secret, String>;
}

/// What the operator wants a secret to be. What is nothing stays as it is.
#[derive(Clone, Default)]
pub struct SecretChange {
    /// Value.
    pub value: Option<Secret>,
    /// What it is for.
    pub note: Option<String>,
    /// Tools and targets that may get it.
    pub uses: Option<Vec<Use>>,
}

/// Keeps secrets, sealed.
#[async_trait]
pub trait SecretStore: Send + Sync {
    /// All that are in force, by name.
    fn secrets(&self) -> Vec<SecretRecord>;
    /// Where the key comes from, in words.
    fn key_words(&self) -> String;
    /// Why they cannot be opened, if they cannot.
    fn vault_fault(&self) -> Option<String>;
    /// Keeps or changes one. `Conflict` if it is new and has no value, `Unavailable` if the vault is closed.
    async fn keep_secret(&self, name: &SecretName, change: SecretChange, draft: Draft) -> Stored<SecretRecord>;
    /// Takes one out of use. Answers whether it was there.
    async fn remove_secret(&self, name: &SecretName, draft: Draft) -> Stored<bool>;
}

/// What the gate and whatever stands around it need of secrets.
#[derive(Clone)]
pub struct Secrets {
    /// Opens them.
    pub vault: Arc<dyn Vault>,
    /// Strikes them out.
    pub redactor: Redactor,
}

/// No vault: nothing can be opened, and nothing is known.
impl Default for Secrets {
    fn default() -> Self {
        Self { vault: Arc::new(Nothing), redactor: Redactor::default() }
    }
}

struct Nothing;

impl Vault for Nothing {
    fn open(&self, _: &str) -> Result<Secret, String> {
        Err("there is no vault here".to_owned())
    }

    fn open_for(&self, reference: &str, _: &str, _: &str) -> Result<Secret, String> {
        self.open(reference)
    }
}
