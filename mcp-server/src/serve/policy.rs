//! Reading `policy.toml` at start.

use std::io::ErrorKind;
use std::path::Path;

use jarvis_safety::kernel::Policy;

/// The policy. A file that is absent is no policy; one that cannot be read or proves itself wrong is a fault, and the
/// gate then refuses everything above green.
pub(super) fn load(path: &Path) -> Result<Policy, String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Policy::parse(&text).map_err(|error| error.to_string()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Policy::default()),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}
