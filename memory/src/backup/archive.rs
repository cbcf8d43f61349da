//! What stands in the envelope: a tar whose last entry is a manifest with the size and the SHA-256 of every other one.
//!
//! The manifest comes last, so that a file which changes while it is read still agrees with it, and so that a backup
//! that was cut off has none. What is read is believed in nothing: a path that leaves the directory, an entry that the
//! manifest does not know, or one that it misses, and nothing is restored. Links are made after everything else, so
//! that no file is written through one.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use jarvis_safety::digest::hex;
use jarvis_safety::plain::shorten;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use super::content::{Content, STORE, Source, is_gone};
use super::error::{BackupError, at};

/// Name of the manifest.
const MANIFEST: &str = "manifest.json";
/// Largest manifest that is read, in bytes: about half a million files.
const MOST_MANIFEST: u64 = 128 * 1024 * 1024;
/// Version of the format.
const FORMAT: u32 = 1;

/// What a backup says about itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) format: u32,
    /// Version of the Jarvis that wrote it.
    pub(super) version: String,
    /// When, in milliseconds since 1970.
    pub(super) taken_at: i64,
    /// Newest migration of the database.
    pub(super) schema: i64,
    /// Newest row of the audit, and its hash.
    pub(super) head: u64,
    pub(super) hash: String,
    pub(super) parts: BTreeMap<String, Part>,
}

/// One entry. Of a link, the text that it points to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) size: u64,
    pub(super) sha256: String,
}

impl Manifest {
    pub(super) fn new(taken_at: i64, schema: i64, head: u64, hash: String) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { format: FORMAT, version, taken_at, schema, head, hash, parts: BTreeMap::new() }
    }
}

/// Counts and hashes what passes.
struct Hashing<T> {
    inner: T,
    hasher: Sha256,
    size: u64,
}

impl<T> Hashing<T> {
    fn new(inner: T) -> Self {
        Self { inner, hasher: Sha256::new(), size: 0 }
    }

    fn part(self) -> Part {
        Part { size: self.size, sha256: hex(&self.hasher.finalize()) }
    }
}

impl<T: Read> Read for Hashing<T> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(bytes)?;
        self.hasher.update(&bytes[..length]);
        self.size += length as u64;
        Ok(length)
    }
}

fn header(kind: EntryType, size: u64, mode: u32, changed_at: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header.set_mtime(changed_at);
    header
}

/// Writes everything and then the manifest, and answers where it went to.
pub(super) fn write<W: Write>(out: W, contents: &[Content], mut manifest: Manifest) -> Result<W, BackupError> {
    let mut archive = Builder::new(out);
    for content in contents {
        let Content { name, source, mode, changed_at } = content;
        let written = match source {
            Source::Directory => {
                let mut header = header(EntryType::Directory, 0, *mode, *changed_at);
                archive.append_data(&mut header, format!("{name}/"), io::empty()).map(|()| None)
            }
            Source::Link(to) => {
                let mut header = header(EntryType::Symlink, 0, *mode, *changed_at);
                archive.append_link(&mut header, name, to).map(|()| Some(link_part(to)))
            }
            Source::File(path) => match File::open(path) {
                // What tools wrote may go meanwhile; what the store needs may not.
                Err(error) if is_gone(&error) && !STORE.contains(&name.as_str()) => continue,
                open => open.and_then(|open| file(&mut archive, content, open)).map(Some),
            },
        };
        let shown = match source {
            Source::File(path) => path.clone(),
            _ => PathBuf::from(name),
        };
        if let Some(part) = written.map_err(at(&shown))? {
            manifest.parts.insert(name.clone(), part);
        }
    }
    let wrong = |error: io::Error| BackupError::Database(format!("the backup cannot be written: {error}"));
    let text = serde_json::to_vec_pretty(&manifest).map_err(|error| wrong(error.into()))?;
    let changed_at = u64::try_from(manifest.taken_at / 1000).unwrap_or_default();
    let mut header = header(EntryType::Regular, text.len() as u64, 0o600, changed_at);
    archive.append_data(&mut header, MANIFEST, text.as_slice()).map_err(wrong)?;
    archive.into_inner().map_err(wrong)
}

/// The size is told before the content: of a file that grows meanwhile the beginning is taken, one that shrinks is
/// filled up.
fn file<W: Write>(archive: &mut Builder<W>, content: &Content, open: File) -> io::Result<Part> {
    let size = open.metadata()?.len();
    let mut header = header(EntryType::Regular, size, content.mode, content.changed_at);
    let mut passing = Hashing::new(open.chain(io::repeat(0)).take(size));
    archive.append_data(&mut header, &content.name, &mut passing)?;
    Ok(passing.part())
}

fn link_part(to: &Path) -> Part {
    let mut passing = Hashing::new(to.as_os_str().as_encoded_bytes());
    // Bytes in memory can be read.
    let _ = io::copy(&mut passing, &mut io::sink());
    passing.part()
}

/// Reads a backup into an empty directory, and compares everything with its manifest.
pub(super) fn read(path: &Path, input: Box<dyn Read>, into: &Path) -> Result<Manifest, BackupError> {
    let damaged = |why: String| BackupError::Damaged { path: path.to_owned(), why };
    let mut reader = Reader { into, found: BTreeMap::new(), links: Vec::new(), manifest: None };
    let mut archive = tar::Archive::new(input);
    let entries = archive.entries().map_err(|error| damaged(error.to_string()))?;
    for entry in entries {
        let mut entry = entry.map_err(|error| damaged(error.to_string()))?;
        reader.entry(&mut entry).map_err(damaged)?;
    }
    // To the very end: the last bytes hold the sums of compression and encryption.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(|error| damaged(error.to_string()))?;
    reader.finish().map_err(damaged)
}

struct Reader<'a> {
    into: &'a Path,
    found: BTreeMap<String, Part>,
    links: Vec<(PathBuf, PathBuf)>,
    manifest: Option<Manifest>,
}

impl Reader<'_> {
    fn entry<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>) -> Result<(), String> {
        if self.manifest.is_some() {
            return Err("something stands behind its manifest".to_owned());
        }
        let name = inside(&entry.path().map_err(|error| error.to_string())?)?;
        let target = self.into.join(&name);
        let told = |error: io::Error| format!("{name}: {error}");
        match entry.header().entry_type() {
            EntryType::Directory => directory(&target).map_err(told)?,
            EntryType::Regular if name == MANIFEST => {
                let mut text = Vec::new();
                entry.take(MOST_MANIFEST).read_to_end(&mut text).map_err(told)?;
                let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| format!("{name}: {error}"))?;
                self.manifest = Some(manifest);
            }
            EntryType::Regular => {
                let part = write_file(&target, entry).map_err(told)?;
                self.know(name, part)?;
            }
            EntryType::Symlink => {
                let to = entry.link_name().map_err(told)?.ok_or_else(|| format!("{name}: it points nowhere"))?;
                let part = link_part(&to);
                self.links.push((target, to.into_owned()));
                self.know(name, part)?;
            }
            _ => return Err(format!("{name} is neither a file nor a directory nor a link")),
        }
        Ok(())
    }

    fn know(&mut self, name: String, part: Part) -> Result<(), String> {
        match self.found.insert(name.clone(), part) {
            None => Ok(()),
            Some(_) => Err(format!("{name} stands in it twice")),
        }
    }

    fn finish(self) -> Result<Manifest, String> {
        let manifest = self.manifest.ok_or("it ends before its manifest; it was cut off")?;
        if manifest.format != FORMAT {
            let Manifest { format, version, .. } = manifest;
            return Err(format!("it has format {format}, and this Jarvis reads {FORMAT}; use Jarvis {version}"));
        }
        for (name, part) in &manifest.parts {
            match self.found.get(name) {
                None => return Err(format!("{name} is missing")),
                Some(found) if found != part => return Err(format!("{name} is not what was written")),
                Some(_) => {}
            }
        }
        if let Some(name) = self.found.keys().find(|name| !manifest.parts.contains_key(*name)) {
            return Err(format!("its manifest does not know {name}"));
        }
        for (link, to) in self.links {
            let made = parents(&link).and_then(|()| std::os::unix::fs::symlink(&to, &link));
            made.map_err(|error| format!("{}: {error}", link.display()))?;
        }
        Ok(manifest)
    }
}

/// The name of an entry that stays inside the directory.
fn inside(path: &Path) -> Result<String, String> {
    let shown = || shorten(&path.display().to_string(), 120);
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name.to_str().ok_or_else(|| format!("{} is no text", shown()))?),
            Component::CurDir => {}
            _ => return Err(format!("{} leads out of the directory", shown())),
        }
    }
    if names.is_empty() { Err("an entry has no name".to_owned()) } else { Ok(names.join("/")) }
}

fn directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn parents(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), directory)
}

fn write_file<R: Read>(target: &Path, entry: &mut tar::Entry<'_, R>) -> io::Result<Part> {
    let (mode, changed_at) = (entry.header().mode()?, entry.header().mtime()?);
    parents(target)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(target)?;
    let mut passing = Hashing::new(entry);
    io::copy(&mut passing, &mut file)?;
    // Never one of another's rights: no set-uid, nothing that the owner cannot read.
    file.set_permissions(Permissions::from_mode(mode & 0o777 | 0o600))?;
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(changed_at.min(u64::from(u32::MAX))))?;
    Ok(passing.part())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tool_removed_meanwhile_is_left_out_and_what_the_store_needs_is_missed() {
        let folder = tempfile::tempdir().unwrap();
        let written = |name: &str| {
            let source = Source::File(folder.path().join("gone"));
            let content = Content { name: name.to_owned(), source, mode: 0o600, changed_at: 0 };
            write(Vec::new(), &[content], Manifest::new(0, 1, 0, String::new()))
        };
        let archive = written("files/.jarvis-1.tmp").unwrap();
        let mut archive = tar::Archive::new(archive.as_slice());
        let names: Vec<_> =
            archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().into_owned()).collect();
        assert_eq!(names, [Path::new(MANIFEST)]);
        assert!(matches!(written("jarvis.db"), Err(BackupError::File { .. })));
    }

    #[test]
    fn no_name_leads_out_of_the_directory() {
        for wrong in ["../jarvis.db", "/etc/passwd", "files/../../x", "", "."] {
            assert!(inside(Path::new(wrong)).is_err(), "{wrong}");
        }
        assert_eq!(inside(Path::new("./files//a/")).unwrap(), "files/a");
    }
}
