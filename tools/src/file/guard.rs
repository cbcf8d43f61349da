//! What stays closed whatever the roots say.
//!
//! Names are judged below the root only: the operator who adds `/home/me/.config/app` means it. The data directory, the
//! keys and Jarvis's own configuration are also known by device and inode, so that a bind mount or a hard link is no way
//! in.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jarvis_safety::plain::visible;
use jarvis_safety::tool::ToolError;

use super::fault::{closed, invalid};
use super::root::Root;
use super::seen::Facts;

/// Endings of files that some program runs by name or that are programs.
const CODE: &[&str] = &[
    "sh", "bash", "zsh", "fish", "ksh", "csh", "py", "pyc", "pl", "rb", "php", "phtml", "phar", "cgi", "exe", "bat",
    "cmd", "ps1", "vbs", "msi", "scr", "dll", "so", "ko", "elf", "run", "appimage", "jar", "deb", "rpm", "apk",
    "desktop", "service", "timer", "socket", "rules",
];
/// Endings of files that hold keys.
const KEY: &[&str] = &[
    "pem", "key", "p12", "pfx", "jks", "keystore", "kdbx", "ppk", "env", "gpg", "pgp", "age", "asc", "tfstate", "ovpn",
];
/// Names of files that hold keys or passwords.
const KEY_NAMES: &[&str] = &[
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "id_ecdsa_sk",
    "id_ed25519_sk",
    "credentials",
    "credentials.json",
    "credentials.toml",
    "credentials.yaml",
    "credentials.yml",
    "secrets",
    "secrets.json",
    "secrets.toml",
    "secrets.yaml",
    "secrets.yml",
    "secret",
    "shadow",
    "shadow-",
    "gshadow",
    "gshadow-",
    "htpasswd",
    "passwords.txt",
    "wallet.dat",
    "kubeconfig",
    "master.key",
];

/// What the guard knows by device and inode.
pub(super) struct Guard {
    data: PathBuf,
    key: Option<PathBuf>,
    /// None if it could not be looked at; then everything is.
    sealed: Option<Vec<(u64, u64)>>,
    own: Vec<(u64, u64)>,
    config: Vec<PathBuf>,
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    path.metadata().ok().map(|seen| (seen.dev(), seen.ino()))
}

/// All that is sealed as it is now: a dozen things.
fn sealed(data: &Path, key: Option<&Path>) -> io::Result<Vec<(u64, u64)>> {
    let inside = |folder: &Path| match std::fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    let mut closed: Vec<PathBuf> = inside(data)?;
    closed.retain(|path| path.file_name() != Some(OsStr::new("files")));
    closed.extend(inside(&data.join("keys"))?);
    closed.extend([Some(data), key].into_iter().flatten().map(Path::to_owned));
    Ok(closed.iter().filter_map(|path| identity(path)).collect())
}

impl Guard {
    /// Looks at the data directory, at the configuration and at the model's key (`env:NAME` or `file:/path`) as they are
    /// now.
    pub(super) fn now(data: &Path, config: &[PathBuf], key: Option<&str>) -> Self {
        let key = key.and_then(|reference| reference.strip_prefix("file:")).map(PathBuf::from);
        let sealed = sealed(data, key.as_deref()).ok();
        let own = config.iter().filter_map(|path| identity(path)).collect();
        let config = config.iter().filter_map(|path| path.canonicalize().ok()).collect();
        Self { data: data.to_owned(), key, sealed, own, config }
    }

    /// Nothing of the data directory but `files` is entered or opened, nor a key, by whatever name.
    pub(super) fn admits(&self, facts: &Facts, shown: &str) -> Result<(), ToolError> {
        // A file of a moment, as a database has them, may be gone, and its number be that of a file that was just made.
        let known = facts.identity();
        let holds = |sealed: Option<&Vec<_>>| sealed.is_none_or(|sealed| sealed.contains(&known));
        if holds(self.sealed.as_ref()) && holds(sealed(&self.data, self.key.as_deref()).ok().as_ref()) {
            let shown = visible(shown);
            return Err(closed(format!(
                "`{shown}` belongs to Jarvis's own data (keys, database) or is his model's key, and is never opened by a \
                 tool"
            )));
        }
        Ok(())
    }

    /// Jarvis's own configuration and program are never changed, by whatever name.
    pub(super) fn spares(&self, absolute: &Path, facts: Option<&Facts>) -> Result<(), ToolError> {
        let by_path = self.config.iter().any(|own| absolute.starts_with(own));
        if by_path || facts.is_some_and(|facts| self.own.contains(&facts.identity())) {
            return Err(closed(format!(
                "`{}` is Jarvis's own configuration or program; no tool changes it. Edit it by hand",
                visible(&absolute.to_string_lossy())
            )));
        }
        Ok(())
    }
}

fn lower(name: &OsStr) -> String {
    name.to_string_lossy().to_lowercase()
}

fn hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().first() == Some(&b'.')
}

fn ends_in(name: &str, endings: &[&str]) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| endings.contains(&ending))
}

/// Whether a name below a root that is not Jarvis's own is skipped when reading: dot-files and what looks like a key.
pub(super) fn private(name: &OsStr) -> bool {
    let lower = lower(name);
    hidden(name) || KEY_NAMES.contains(&lower.as_str()) || ends_in(&lower, KEY) || lower.starts_with(".env")
}

/// Whether a path below a root may be read at all.
pub(super) fn readable(root: &Root, rest: &Path) -> Result<(), ToolError> {
    if root.own || !rest.components().any(|part| private(part.as_os_str())) {
        return Ok(());
    }
    Err(closed(format!(
        "`{}` is hidden or looks like a key; Jarvis reads no dot-files and no keys outside his own files",
        visible(&root.path.join(rest).to_string_lossy())
    )))
}

/// Whether a path below a root may be changed at all.
pub(super) fn writable(root: &Root, rest: &Path) -> Result<(), ToolError> {
    let shown = visible(&root.path.join(rest).to_string_lossy());
    if !root.write {
        return Err(closed(format!(
            "`{shown}` lies in a folder that is read-only for Jarvis; the operator can allow writing there in the \
             settings"
        )));
    }
    if rest.as_os_str().is_empty() {
        return Err(invalid("that is a whole root folder; name a file in it"));
    }
    if rest.components().any(|part| hidden(part.as_os_str())) {
        return Err(closed(format!("`{shown}` is a dot-file or lies below one; Jarvis never changes those")));
    }
    let name = rest.file_name().map(lower).unwrap_or_default();
    if ends_in(&name, CODE) {
        return Err(closed(format!(
            "`{shown}` is named like a program; Jarvis never writes or removes what a machine may run. Do it by hand"
        )));
    }
    if !root.own && private(rest.file_name().unwrap_or_default()) {
        return Err(closed(format!("`{shown}` looks like a key; Jarvis never changes keys outside his own files")));
    }
    Ok(())
}

/// Content that a machine would run.
pub(super) fn runnable(content: &[u8]) -> bool {
    let start = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    start.starts_with(b"#!") || start.starts_with(b"\x7fELF") || start.starts_with(b"MZ\x90")
}

/// A new name that a person would misread.
pub(super) fn deceptive(rest: &Path) -> bool {
    rest.to_str().is_none_or(|text| visible(text) != text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_file_that_is_gone_closes_nothing() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("data");
        std::fs::create_dir_all(data.join("files")).unwrap();
        std::fs::write(data.join("seal"), "the seal").unwrap();
        std::fs::write(data.join("moment"), "of a moment").unwrap();
        let guard = Guard::now(&data, &[], None);
        // The same inode under another name, as a hard link has it, and as the next file may have it.
        std::fs::hard_link(data.join("seal"), data.join("files/seal")).unwrap();
        std::fs::rename(data.join("moment"), data.join("files/note")).unwrap();
        let files = cap_std::fs::Dir::open_ambient_dir(data.join("files"), cap_std::ambient_authority()).unwrap();
        let facts = |name: &str| Facts::from(&files.metadata(name).unwrap());
        assert!(guard.admits(&facts("seal"), "seal").is_err());
        assert!(guard.admits(&facts("note"), "note").is_ok());
    }

    fn is_private(name: &str) -> bool {
        private(OsStr::new(name))
    }

    #[test]
    fn keys_and_dot_files_are_known_by_name_in_any_case() {
        for name in [".env", ".ssh", "ID_RSA", "server.PEM", "tls.key", "prod.env", "shadow", "Secrets.yaml"] {
            assert!(is_private(name), "{name}");
        }
        for name in ["notes.txt", "key.md", "environment", "id_rsa.pub", "monkey", "keys"] {
            assert!(!is_private(name), "{name}");
        }
    }

    #[test]
    fn programs_are_known_by_name_and_by_content() {
        for name in ["a.sh", "A.PHP", "x.tar.run", "unit.service", "lib.so"] {
            assert!(ends_in(&lower(OsStr::new(name)), CODE), "{name}");
        }
        for name in ["sh", "a.txt", "a.sh.md", "show"] {
            assert!(!ends_in(&lower(OsStr::new(name)), CODE), "{name}");
        }
        assert!(runnable(b"#!/bin/sh") && runnable(b"\xef\xbb\xbf#!/bin/sh") && runnable(b"\x7fELF\x02"));
        assert!(!runnable(b" #!/bin/sh") && !runnable(b"") && !runnable(b"MZ is a name"));
    }
}
