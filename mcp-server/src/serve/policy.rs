//! Reading `policy.toml` at start.

use std::io::ErrorKind;
use std::path::Path;

use jarvis_safety::kernel::{Policy, Registry};

/// The policy. A file that is absent is no policy; one that cannot be read or proves itself wrong is a fault, and the
/// gate then refuses everything above green.
pub(super) fn load(path: &Path) -> Result<Policy, String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Policy::parse(&text).map_err(|error| error.to_string()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Policy::default()),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// Refuses a policy whose examples name tools that do not exist: such a rule proves nothing and never fits.
pub(super) fn against(policy: Result<Policy, String>, registry: &Registry) -> Result<Policy, String> {
    let policy = policy?;
    let unknown = policy.example_tools().find(|tool| registry.describe(tool).is_none()).map(str::to_owned);
    match unknown {
        None => Ok(policy),
        Some(tool) => Err(format!(
            "policy.toml: an example names the tool `{tool}`, and there is none; `jarvis tools` lists them"
        )),
    }
}
