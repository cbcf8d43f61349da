//! The four ways in which a place changes, each bound to what was seen there, each leaving a version behind.
//!
//! Everything here runs while no other change of Jarvis does. Somebody else's change in the meantime is noticed by the
//! stamp; where the system allows it, noticing and doing are one step (`RENAME_NOREPLACE`), and what was moved away is
//! looked at once more and moved back if it was not the thing that was meant.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;

use cap_std::fs::Dir;
use jarvis_safety::plain::visible;
use jarvis_safety::tool::{ToolError, ToolErrorKind};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, RenameFlags, Uid};
use rustix::io::Errno;

use super::Files;
use super::fault::{broke, changed, closed, failed, invalid, system};
use super::place::{Place, sync};
use super::seen::{Facts, Kind, Seen, WHOLE, mark_of};
use super::trash::{KEPT_BYTES, Kept, Version};
use crate::doubt::in_doubt;

/// A change that was made.
pub(super) struct Change {
    /// The version that takes it back.
    pub(super) version: String,
    /// Bytes that stand there now.
    pub(super) size: u64,
    /// Whether nothing stood there before.
    pub(super) created: bool,
}

/// One place, held open, that is still what was decided about.
struct Held<'a> {
    place: &'a Place,
    dir: Dir,
    name: &'a OsStr,
    seen: Seen,
}

impl<'a> Held<'a> {
    fn open(place: &'a Place, dir: Dir, stamp: &str) -> Result<Self, ToolError> {
        let seen = place.seen(&dir)?;
        if seen.stamp() != stamp {
            return Err(changed(&place.shown));
        }
        Ok(Self { place, dir, name: place.name()?, seen })
    }

    fn path(&self) -> Result<&str, ToolError> {
        self.place.absolute.to_str().ok_or_else(|| invalid("that path has a name that is not UTF-8"))
    }

    fn fault(&self, error: &io::Error) -> ToolError {
        system(error, &self.place.shown)
    }

    /// An error of the change itself. While it may have been made, its version is all that can take it back.
    fn broke(&self, error: &io::Error, version: &Version<'_>) -> ToolError {
        let told = broke(error, &self.place.shown);
        if told.kind == ToolErrorKind::Interrupted {
            version.stays(true);
        }
        told
    }

    fn kept(&self) -> Kept {
        match (&self.seen, self.seen.facts(), self.seen.mark()) {
            (Seen::Folder(_), ..) => Kept::Folder,
            (_, Some(facts), Some(mark)) => Kept::File { size: facts.size, mark },
            _ => Kept::Nothing,
        }
    }

    /// Whether the name still leads to what was seen.
    fn still(&self) -> Result<(), ToolError> {
        let now = match self.dir.symlink_metadata(self.name) {
            Ok(now) => Some(Facts::from(&now)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(self.fault(&error)),
        };
        let same = match (self.seen.facts(), &now) {
            (None, None) => true,
            (Some(then), Some(now)) => then.same(now),
            _ => false,
        };
        if same { Ok(()) } else { Err(changed(&self.place.shown)) }
    }

    /// The change was made and its version is kept; an error is the disk's, which may yet lose it.
    fn sync(&self, change: Change) -> Result<Change, ToolError> {
        sync(&self.dir).map_err(|error| {
            in_doubt(failed(format!(
                "the change was made, but the disk did not confirm it ({error}); look at it before you go on. Version {} \
                 takes it back",
                change.version
            )))
        })?;
        Ok(change)
    }
}

/// A temporary file beside its goal. Dropped before it took its place, it is removed.
struct Draft<'a> {
    dir: &'a Dir,
    name: String,
    file: File,
    placed: bool,
}

impl<'a> Draft<'a> {
    fn new(held: &'a Held<'_>, version: &str) -> Result<Self, ToolError> {
        let name = format!(".jarvis-{version}.tmp");
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // A new file gets what the umask leaves; one that replaces another is closed until it has the other's mode.
        let mode = if held.seen.facts().is_some() { 0o600 } else { 0o666 };
        let opened = rustix::fs::openat(&held.dir, &name, flags, Mode::from_raw_mode(mode));
        let file = File::from(opened.map_err(|error| held.fault(&error.into()))?);
        let draft = Self { dir: &held.dir, name, file, placed: false };
        if let Some(facts) = held.seen.facts() {
            draft.take_after(facts, held)?;
        }
        Ok(draft)
    }

    /// Gives the draft the owner and mode of the file that it replaces.
    fn take_after(&self, facts: &Facts, held: &Held<'_>) -> Result<(), ToolError> {
        let cap = cap_std::fs::File::from_std(self.file.try_clone().map_err(|error| held.fault(&error))?);
        let own = Facts::from(&cap.metadata().map_err(|error| held.fault(&error))?);
        let user = (own.user != facts.user).then(|| Uid::from_raw(facts.user));
        let group = (own.group != facts.group).then(|| Gid::from_raw(facts.group));
        if user.is_some() || group.is_some() {
            rustix::fs::fchown(&self.file, user, group).map_err(|_| {
                closed(format!(
                    "`{}` belongs to user {} and group {}, and writing it would take it from them; nothing was done",
                    visible(&held.place.shown),
                    facts.user,
                    facts.group
                ))
            })?;
        }
        let mode = std::fs::Permissions::from_mode(facts.mode & 0o777);
        self.file.set_permissions(mode).map_err(|error| held.fault(&error))
    }

    fn fill(&mut self, content: &[u8]) -> io::Result<()> {
        self.file.write_all(content)?;
        self.file.sync_all()
    }

    /// Takes the place of what was seen.
    fn place(mut self, held: &Held<'_>, version: &Version<'_>) -> Result<(), ToolError> {
        held.still()?;
        let moved = if held.seen.facts().is_some() {
            rustix::fs::renameat(self.dir, &self.name, self.dir, held.name)
        } else {
            rename_new(self.dir, self.name.as_ref(), self.dir, held.name)
        };
        match moved {
            Ok(()) => self.placed = true,
            Err(Errno::EXIST) => return Err(changed(&held.place.shown)),
            Err(error) => return Err(held.broke(&error.into(), version)),
        }
        Ok(())
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.placed
            && let Err(error) = self.dir.remove_file(&self.name)
        {
            tracing::warn!(file = self.name, %error, "a temporary file was left behind");
        }
    }
}

/// Renames without replacing. File systems that cannot do that in one step get a look first.
fn rename_new(from: &Dir, old: &OsStr, to: &Dir, new: &OsStr) -> Result<(), Errno> {
    match rustix::fs::renameat_with(from, old, to, new, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            match rustix::fs::statat(to, new, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => rustix::fs::renameat(from, old, to, new),
                Ok(_) => Err(Errno::EXIST),
                Err(error) => Err(error),
            }
        }
        result => result,
    }
}

impl Files {
    /// Puts a content where nothing, or a small file, was seen.
    pub(super) fn replace(
        &self,
        place: &Place,
        stamp: &str,
        content: impl FnOnce(Option<&[u8]>) -> Result<Vec<u8>, ToolError>,
    ) -> Result<Change, ToolError> {
        let held = Held::open(place, place.parent_made()?, stamp)?;
        if matches!(held.seen, Seen::Folder(_) | Seen::Large(_)) {
            return Err(too_large(&place.shown));
        }
        let content = content(held.seen.content())?;
        let version = self.trash().begin()?;
        if let Some(old) = held.seen.content() {
            version.content(old)?;
        }
        version.write(held.path()?, held.kept(), Some(mark_of(&content)))?;
        let mut draft = Draft::new(&held, &version.name)?;
        draft.fill(&content).map_err(|error| held.fault(&error))?;
        draft.place(&held, &version)?;
        let created = held.seen.facts().is_none();
        let change = Change { version: version.keep(), size: content.len() as u64, created };
        held.sync(change)
    }

    /// Moves a file, or an empty folder, to the trash.
    pub(super) fn take_away(&self, place: &Place, stamp: &str) -> Result<Change, ToolError> {
        let held = Held::open(place, place.parent()?, stamp)?;
        let Some(facts) = held.seen.facts() else { return Err(changed(&place.shown)) };
        if facts.size > KEPT_BYTES && facts.kind == Kind::File {
            return Err(too_large_to_keep(&place.shown));
        }
        let version = self.trash().begin()?;
        version.write(held.path()?, held.kept(), None)?;
        match &held.seen {
            Seen::Folder(_) => held.dir.remove_dir(held.name).map_err(|error| held.broke(&error, &version))?,
            _ => move_away(&held, facts, &version)?,
        }
        let change = Change { version: version.keep(), size: facts.size, created: false };
        held.sync(change)
    }

    /// Makes an empty folder where nothing was seen.
    pub(super) fn make_folder(&self, place: &Place, stamp: &str) -> Result<Change, ToolError> {
        let held = Held::open(place, place.parent_made()?, stamp)?;
        let version = self.trash().begin()?;
        version.write(held.path()?, Kept::Nothing, Some("folder".to_owned()))?;
        held.dir.create_dir(held.name).map_err(|error| held.broke(&error, &version))?;
        let change = Change { version: version.keep(), size: 0, created: true };
        held.sync(change)
    }

    /// Moves a kept file back to where nothing was seen. The version that held it is used up.
    pub(super) fn move_back(&self, place: &Place, stamp: &str, old: &str) -> Result<Change, ToolError> {
        let held = Held::open(place, place.parent_made()?, stamp)?;
        if held.seen.facts().is_some() {
            return Err(changed(&place.shown));
        }
        let (manifest, from) = self.trash().version(old)?;
        let Kept::File { size, mark } = manifest.before else { return Err(failed("that version keeps no file")) };
        let version = self.trash().begin()?;
        version.write(held.path()?, Kept::Nothing, Some(mark))?;
        match rename_new(&from, "content".as_ref(), &held.dir, held.name) {
            Ok(()) => {}
            Err(Errno::XDEV) => copy_back(&held, &from, &version)?,
            Err(Errno::EXIST) => return Err(changed(&place.shown)),
            Err(Errno::NOENT) => return Err(failed("that version has lost its content; nothing was done")),
            Err(error) => return Err(held.broke(&error.into(), &version)),
        }
        self.trash().forget(old);
        let change = Change { version: version.keep(), size, created: true };
        held.sync(change)
    }
}

/// What a file that is too large to be written answers.
pub(super) fn too_large(shown: &str) -> ToolError {
    invalid(format!(
        "`{}` is a folder or larger than {} MiB; Jarvis writes only smaller files, whose difference he can show",
        visible(shown),
        WHOLE >> 20
    ))
}

/// What a file that is too large for the trash answers.
pub(super) fn too_large_to_keep(shown: &str) -> ToolError {
    invalid(format!(
        "`{}` is larger than the {} GiB that the trash keeps, so it could not be put back; remove it by hand",
        visible(shown),
        KEPT_BYTES >> 30
    ))
}

fn move_away(held: &Held<'_>, facts: &Facts, version: &Version<'_>) -> Result<(), ToolError> {
    held.still()?;
    match rename_new(&held.dir, held.name, &version.dir, "content".as_ref()) {
        Ok(()) => {}
        Err(Errno::XDEV) => return copy_away(held, facts, version),
        Err(error) => return Err(held.broke(&error.into(), version)),
    }
    // From here on the trash holds the only copy.
    version.stays(true);
    let moved = version.dir.symlink_metadata("content").map_err(|error| in_doubt(held.fault(&error)))?;
    if facts.same(&Facts::from(&moved)) {
        return Ok(());
    }
    // Swapped between the look and the move: what was caught goes back where it came from.
    rename_new(&version.dir, "content".as_ref(), &held.dir, held.name).map_err(|error| {
        in_doubt(failed(format!(
            "`{}` was swapped while it was removed, and what was caught could not be put back ({error}); it lies in the \
             trash as version {}",
            visible(&held.place.shown),
            version.name
        )))
    })?;
    version.stays(false);
    Err(changed(&held.place.shown))
}

/// The trash lies on another disk: copy, make sure, unlink.
fn copy_away(held: &Held<'_>, facts: &Facts, version: &Version<'_>) -> Result<(), ToolError> {
    let (mut from, now) = held.place.open(&held.dir, held.name)?;
    if !facts.same(&now) {
        return Err(changed(&held.place.shown));
    }
    let mut to = version.content_file()?;
    let copied = io::copy(&mut from, &mut to).and_then(|bytes| {
        to.set_permissions(std::fs::Permissions::from_mode(facts.mode & 0o777))?;
        to.set_modified(from.metadata()?.modified()?)?;
        to.sync_all()?;
        Ok(bytes)
    });
    let copied = copied.map_err(|error| held.fault(&error))?;
    held.still()?;
    if copied != facts.size {
        return Err(changed(&held.place.shown));
    }
    held.dir.remove_file(held.name).map_err(|error| held.broke(&error, version))
}

/// The trash lies on another disk: copy beside the place, make sure, rename.
fn copy_back(held: &Held<'_>, from: &Dir, version: &Version<'_>) -> Result<(), ToolError> {
    let mut source = from.open("content").map_err(|error| held.fault(&error))?.into_std();
    let mut draft = Draft::new(held, &version.name)?;
    let copied = io::copy(&mut source, &mut draft.file).and_then(|_| {
        let seen = source.metadata()?;
        draft.file.set_permissions(seen.permissions())?;
        draft.file.set_modified(seen.modified()?)?;
        draft.file.sync_all()
    });
    copied.map_err(|error| held.fault(&error))?;
    draft.place(held, version)
}
