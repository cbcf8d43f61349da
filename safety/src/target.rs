//! The one thing that a call acts on.

use serde::{Deserialize, Serialize};

/// Found by a tool's `resolve` before anything is decided. A call acts on this, never on a name in its arguments: names
/// can be moved to another thing between the card and the act.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target {
    /// `container`, `service`, `file`, `host` …
    pub kind: String,
    /// Immutable id: a container's hash, a canonical path, a machine id.
    pub id: String,
    /// What a person calls it.
    pub name: String,
}

impl Target {
    /// A target of a kind, by id and name.
    #[must_use]
    pub fn new(kind: &str, id: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), id: id.into(), name: name.into() }
    }

    /// Whether the id is that of this very state of the thing: that of a file changes with its content, and what lasts is
    /// its name.
    #[must_use]
    pub fn changes_its_id(&self) -> bool {
        self.kind == "file"
    }
}
