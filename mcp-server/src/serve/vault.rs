//! References to secrets: `env:NAME` and `file:/path`.

use std::path::Path;

use jarvis_safety::port::{Secret, Vault};

use crate::config::Environment;

/// Longest secret that is read from a file, in bytes.
const MAX_SECRET: u64 = 16 * 1024;

/// Opens references in the environment of the process and in files.
pub(crate) struct References {
    environment: Environment,
}

impl References {
    pub(crate) const fn new(environment: Environment) -> Self {
        Self { environment }
    }
}

impl Vault for References {
    fn open(&self, reference: &str) -> Result<Secret, String> {
        if let Some(name) = reference.strip_prefix("env:") {
            let value = self.environment.get(name).filter(|value| !value.is_empty());
            return value
                .map(|value| Secret::new(value.trim().to_owned()))
                .ok_or_else(|| format!("the variable {name} is not set; set it before the server starts"));
        }
        if let Some(path) = reference.strip_prefix("file:") {
            return read(Path::new(path));
        }
        Err(format!(
            "`{}` is no reference to a secret; write env:NAME or file:/path",
            jarvis_safety::plain::shorten(reference, 40)
        ))
    }
}

fn read(path: &Path) -> Result<Secret, String> {
    let told = |why: String| format!("the secret in {} cannot be read: {why}", path.display());
    let found = std::fs::metadata(path).map_err(|error| told(error.to_string()))?;
    if !path.is_absolute() || !found.is_file() || found.len() > MAX_SECRET {
        return Err(told(format!("it must be the absolute path of a file of at most {MAX_SECRET} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| told(error.to_string()))?;
    match text.trim() {
        "" => Err(told("it is empty".to_owned())),
        value => Ok(Secret::new(value.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_opens_and_its_faults_never_tell_the_value() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key");
        std::fs::write(&file, "sk-file\n").unwrap();
        let vault = References::new([("KEY".to_owned(), "sk-env".to_owned())].into());
        assert_eq!(vault.open("env:KEY").map(|secret| secret.expose().to_owned()), Ok("sk-env".to_owned()));
        let reference = format!("file:{}", file.display());
        assert_eq!(vault.open(&reference).map(|secret| secret.expose().to_owned()), Ok("sk-file".to_owned()));
        for wrong in ["env:NONE", "file:relative", "file:/", "sk-pasted-by-mistake"] {
            assert!(vault.open(wrong).is_err(), "{wrong}");
        }
    }
}
