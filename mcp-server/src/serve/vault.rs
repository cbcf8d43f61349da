//! References to secrets: `secret://NAME`, `env:NAME` and `file:/path`; and where the key of the vault comes from.

use std::path::Path;

use jarvis_memory::{SecretVault, VaultKey, VaultOptions};
use jarvis_safety::plain::shorten;
use jarvis_safety::secret::{SCHEME, Secret, Vault};

use crate::config::{Environment, VaultFile};

/// Longest secret that is read from a file, in bytes.
const MAX_SECRET: u64 = 16 * 1024;

/// Opens references: in the vault, in the environment of the process and in files.
pub(super) struct References {
    vault: SecretVault,
    environment: Environment,
}

impl References {
    pub(super) const fn new(vault: SecretVault, environment: Environment) -> Self {
        Self { vault, environment }
    }
}

impl Vault for References {
    fn open(&self, reference: &str) -> Result<Secret, String> {
        if reference.starts_with(SCHEME) {
            return self.vault.open(reference);
        }
        outside(reference, &self.environment)
    }

    fn open_for(&self, reference: &str, tool: &str, target: &str) -> Result<Secret, String> {
        self.vault.open_for(reference, tool, target)
    }
}

/// What does not lie in the vault.
fn outside(reference: &str, environment: &Environment) -> Result<Secret, String> {
    if let Some(name) = reference.strip_prefix("env:") {
        let value = environment.get(name).filter(|value| !value.is_empty());
        return value
            .map(|value| Secret::new(value.trim().to_owned()))
            .ok_or_else(|| format!("the variable {name} is not set; set it before the server starts"));
    }
    match reference.strip_prefix("file:") {
        Some(path) => read(Path::new(path)),
        None => Err(format!(
            "`{}` is no reference to a secret; write secret://NAME, env:NAME or file:/path",
            shorten(reference, 40)
        )),
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

/// Where the key of the vault comes from: what the file says, else `JARVIS_VAULT_KEY` or `JARVIS_VAULT_PASSPHRASE`, else
/// a key of its own in the data directory.
pub(super) fn options(file: &VaultFile, environment: &Environment) -> VaultOptions {
    let variable = |name: &str| environment.get(name).filter(|value| !value.is_empty()).map(|_| format!("env:{name}"));
    let key = file.key.clone().or_else(|| variable("JARVIS_VAULT_KEY").filter(|_| file.passphrase.is_none()));
    let phrase = file.passphrase.clone().or_else(|| variable("JARVIS_VAULT_PASSPHRASE").filter(|_| key.is_none()));
    let found = vault_key(key.as_deref(), phrase.as_deref(), environment);
    let words = match (&found, key, phrase) {
        (VaultKey::Key(_), Some(from), _) => from,
        (VaultKey::Passphrase(_), _, Some(from)) => format!("a passphrase from {from}"),
        _ => "nowhere".to_owned(),
    };
    let previous = match (&file.previous_key, &file.previous_passphrase) {
        (None, None) => None,
        (key, phrase) => Some(vault_key(key.as_deref(), phrase.as_deref(), environment)),
    };
    VaultOptions { key: found, words, previous }
}

fn vault_key(key: Option<&str>, passphrase: Option<&str>, environment: &Environment) -> VaultKey {
    let opened = match (key, passphrase) {
        (Some(_), Some(_)) => Err("name a key or a passphrase, not both".to_owned()),
        (Some(reference), None) => credential(reference, environment).map(VaultKey::Key),
        (None, Some(reference)) => credential(reference, environment).map(VaultKey::Passphrase),
        (None, None) => Ok(VaultKey::Own),
    };
    opened.unwrap_or_else(VaultKey::Unreadable)
}

/// `credential:NAME` is a credential that systemd gave the service (`LoadCredentialEncrypted=`).
fn credential(reference: &str, environment: &Environment) -> Result<Secret, String> {
    if !["env:", "file:", "credential:"].iter().any(|kind| reference.starts_with(kind)) {
        // What stands there may be the key itself, so it is not repeated.
        return Err("[vault] takes references, and never a key: env:NAME, file:/path or credential:NAME".to_owned());
    }
    let Some(name) = reference.strip_prefix("credential:") else { return outside(reference, environment) };
    let Some(folder) = environment.get("CREDENTIALS_DIRECTORY") else {
        return Err(format!("systemd gave no credentials; the unit needs LoadCredentialEncrypted={name}:…"));
    };
    if name.is_empty() || name.contains(['/', '\0']) || name.starts_with('.') {
        return Err("credential:NAME takes the name of a credential of the unit".to_owned());
    }
    read(&Path::new(folder).join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(key: &VaultKey) -> &str {
        match key {
            VaultKey::Own => "own",
            VaultKey::Key(secret) | VaultKey::Passphrase(secret) => secret.expose(),
            VaultKey::Unreadable(why) => why,
        }
    }

    #[test]
    fn a_reference_opens_and_its_faults_never_tell_the_value() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key");
        std::fs::write(&file, "sk-file\n").unwrap();
        let environment: Environment = [("KEY".to_owned(), "sk-env".to_owned())].into();
        let open = |reference: &str| outside(reference, &environment).map(|secret| secret.expose().to_owned());
        assert_eq!(open("env:KEY"), Ok("sk-env".to_owned()));
        assert_eq!(open(&format!("file:{}", file.display())), Ok("sk-file".to_owned()));
        for wrong in ["env:NONE", "file:relative", "file:/"] {
            assert!(open(wrong).is_err(), "{wrong}");
        }
        assert!(open("pasted").unwrap_err().contains("no reference"));
    }

    #[test]
    fn the_key_comes_from_the_file_the_environment_a_credential_or_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("vault"), "from systemd").unwrap();
        let environment: Environment = [
            ("JARVIS_VAULT_KEY".to_owned(), "from env".to_owned()),
            ("CREDENTIALS_DIRECTORY".to_owned(), directory.path().display().to_string()),
        ]
        .into();
        let none = VaultFile::default();
        assert_eq!(opened(&options(&none, &Environment::new()).key), "own");
        assert_eq!(opened(&options(&none, &environment).key), "from env");
        let file = VaultFile { passphrase: Some("credential:vault".to_owned()), ..VaultFile::default() };
        assert_eq!(opened(&options(&file, &environment).key), "from systemd");
        assert_eq!(options(&file, &environment).words, "a passphrase from credential:vault");
        for wrong in ["credential:../vault", "credential:", "credential:none"] {
            let file = VaultFile { key: Some(wrong.to_owned()), ..VaultFile::default() };
            assert!(matches!(options(&file, &environment).key, VaultKey::Unreadable(_)), "{wrong}");
        }
        let pasted = VaultFile { key: Some("0123456789abcdef".to_owned()), ..VaultFile::default() };
        let pasted = options(&pasted, &environment);
        assert!(!opened(&pasted.key).contains("0123") && !pasted.words.contains("0123"));
        let both = VaultFile { key: Some("env:A".to_owned()), passphrase: Some("env:B".to_owned()), ..none };
        assert!(opened(&options(&both, &environment).key).contains("not both"));
    }
}
