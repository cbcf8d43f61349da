//! Errors that come when a change may have been made already.
//!
//! A broken line says nothing about what it had carried. Such an error is `Interrupted`: the gate probes before it calls
//! the call done, failed or unknown. What was refused, or never sent, keeps its own kind.

use jarvis_safety::tool::{ToolError, ToolErrorKind};

/// The same error, of a change that may have been made.
pub(crate) fn in_doubt(error: ToolError) -> ToolError {
    ToolError { kind: ToolErrorKind::Interrupted, ..error }
}
