//! Outcomes that nobody can tell.

use crate::id::ActorId;

/// A call above green or a job of which nobody can tell what became of it, until a person has looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// Id of the call or the job.
    pub subject: String,
    /// Who asked for it.
    pub actor: ActorId,
    /// Tool of the call, or title of the job.
    pub what: String,
    /// Name of what the call acts on.
    pub target: Option<String>,
    /// What is known, and where to look.
    pub words: String,
    /// When it was begun.
    pub at: i64,
}
