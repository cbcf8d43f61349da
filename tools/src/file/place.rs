//! From a path that somebody wrote to an open handle, without ever following a link that was not looked at.
//!
//! 1. The wish is made canonical below its root by cap-std, which refuses links that leave the root.
//! 2. The canonical path, not the wish, is judged: which root holds it, what its names allow.
//! 3. The canonical path is walked with `openat(O_NOFOLLOW)`, one component at a time, each folder compared with what is
//!    closed. Whatever was swapped since step 1 makes step 3 fail instead of leading elsewhere.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use jarvis_safety::Target;
use jarvis_safety::plain::visible;
use jarvis_safety::tool::{ToolError, ToolErrorKind};
use rustix::fs::{Mode, OFlags};

use super::Files;
use super::fault::{closed, failed, invalid, system};
use super::guard::{self, Guard};
use super::machine;
use super::root::{Root, Roots};
use super::seen::{Facts, Kind, Seen};

/// File systems whose files are no data but the kernel talking: proc, sysfs, debugfs, tracefs, cgroup, cgroup2, bpf,
/// securityfs, configfs, efivarfs, devpts, selinuxfs. From `linux/magic.h`.
const KERNEL: &[u64] = &[
    0x9fa0,
    0x6265_6572,
    0x6462_6720,
    0x7472_6163,
    0x0027_e0eb,
    0x6367_7270,
    0xcafe_4a11,
    0x7363_6673,
    0x6265_6570,
    0xde5e_81e4,
    0x1cd1,
    0xf97c_ff8c,
];

/// What somebody wants with a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Read,
    Write,
}

/// A place that may be looked at.
pub(super) struct Place {
    pub(super) root: Root,
    /// Canonical, below the root; empty for the root itself.
    pub(super) rest: PathBuf,
    /// Canonical, in full.
    pub(super) absolute: PathBuf,
    /// As answers name it.
    pub(super) shown: String,
    guard: Guard,
}

impl Files {
    /// Where a wish leads.
    pub(super) fn place(&self, path: &str, purpose: Purpose) -> Result<Place, ToolError> {
        let roots = self.roots();
        let (root, rest) = roots.asked(path)?;
        if purpose == Purpose::Write && path.ends_with('/') {
            return Err(invalid("that path ends with `/`; name the file itself"));
        }
        let dir = open_root(root)?;
        let canonical = canonical(&dir, &rest, purpose).map_err(|error| system(&error, path))?;
        self.judged(&roots, root.path.join(canonical), purpose)
    }

    /// The place with this canonical path, judged again by the rules of now.
    pub(super) fn placed(&self, absolute: &Path, purpose: Purpose) -> Result<Place, ToolError> {
        self.judged(&self.roots(), absolute.to_owned(), purpose)
    }

    /// The place and the stamp that a target names.
    pub(super) fn targeted(&self, target: &Target) -> Result<(Place, String), ToolError> {
        let (path, stamp) = target.id.rsplit_once('#').ok_or_else(|| failed("the target names no file; ask again"))?;
        Ok((self.placed(Path::new(path), Purpose::Write)?, stamp.to_owned()))
    }

    fn judged(&self, roots: &Roots, absolute: PathBuf, purpose: Purpose) -> Result<Place, ToolError> {
        let (root, rest) = roots.holding(&absolute)?;
        let guard = self.guard();
        match purpose {
            Purpose::Read => guard::readable(root, &rest)?,
            Purpose::Write => {
                guard::writable(root, &rest)?;
                guard.spares(&absolute, None)?;
                if !root.own {
                    machine::spares(&absolute)?;
                }
            }
        }
        let shown = Roots::shown(root, &rest)?;
        Ok(Place { root: root.clone(), rest, absolute, shown, guard })
    }
}

impl Place {
    /// The target of a call that only reads.
    pub(super) fn read_target(&self) -> Target {
        Target::new("file", self.absolute.to_string_lossy(), self.shown.clone())
    }

    /// The target of a call that changes exactly what was seen.
    pub(super) fn change_target(&self, seen: &Seen) -> Target {
        let id = format!("{}#{}", self.absolute.display(), seen.stamp());
        Target::new("file", id, self.shown.clone())
    }

    /// The last component.
    pub(super) fn name(&self) -> Result<&OsStr, ToolError> {
        self.rest.file_name().ok_or_else(|| invalid(format!("`{}` is a folder", visible(&self.shown))))
    }

    /// The folder that this place is.
    pub(super) fn folder(&self) -> Result<Dir, ToolError> {
        self.descend(&self.rest)
    }

    /// The folder that holds this place.
    pub(super) fn parent(&self) -> Result<Dir, ToolError> {
        self.descend(self.rest.parent().unwrap_or(Path::new("")))
    }

    /// The folder that holds this place, made where it is missing. Each folder is made below an open handle.
    pub(super) fn parent_made(&self) -> Result<Dir, ToolError> {
        let mut dir = open_root(&self.root)?;
        for name in self.rest.parent().unwrap_or(Path::new("")).components() {
            match dir.create_dir(name.as_os_str()) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                    return Err(system(&error, &self.shown));
                }
                _ => dir = self.enter(&dir, name.as_os_str())?,
            }
        }
        Ok(dir)
    }

    fn descend(&self, rest: &Path) -> Result<Dir, ToolError> {
        let mut dir = open_root(&self.root)?;
        for name in rest.components() {
            dir = self.enter(&dir, name.as_os_str())?;
        }
        Ok(dir)
    }

    /// Enters one folder, not through a link, unless it is closed or the kernel talking.
    pub(super) fn enter(&self, dir: &Dir, name: &OsStr) -> Result<Dir, ToolError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(dir, name, flags, Mode::empty());
        let opened = opened.map_err(|error| system(&error.into(), &self.shown))?;
        let dir = Dir::from_std_file(File::from(opened));
        let seen = dir.dir_metadata().map_err(|error| system(&error, &self.shown))?;
        self.guard.admits(&Facts::from(&seen), &self.shown)?;
        refuse_kernel(&dir, &self.shown)?;
        Ok(dir)
    }

    /// Opens a regular file, not through a link, unless it is closed. Pipes and devices are not even opened.
    pub(super) fn open(&self, dir: &Dir, name: &OsStr) -> Result<(File, Facts), ToolError> {
        let before = dir.symlink_metadata(name).map_err(|error| system(&error, &self.shown))?;
        self.regular(&Facts::from(&before))?;
        // Non-blocking: a pipe that took the file's place in between must not hold the call.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(dir, name, flags, Mode::empty());
        let file = File::from(opened.map_err(|error| system(&error.into(), &self.shown))?);
        let file = cap_std::fs::File::from_std(file);
        let facts = Facts::from(&file.metadata().map_err(|error| system(&error, &self.shown))?);
        self.regular(&facts)?;
        self.guard.admits(&facts, &self.shown)?;
        refuse_kernel(&file, &self.shown)?;
        Ok((file.into_std(), facts))
    }

    fn regular(&self, facts: &Facts) -> Result<(), ToolError> {
        let shown = visible(&self.shown);
        match facts.kind {
            Kind::File => Ok(()),
            Kind::Folder => Err(invalid(format!("`{shown}` is a folder; file_list shows what is in it"))),
            Kind::Link => Err(closed(format!("`{shown}` is a link; name the real path instead"))),
            Kind::Other => {
                Err(invalid(format!("`{shown}` is a pipe, socket or device and no file; Jarvis leaves it alone")))
            }
        }
    }

    /// What stands here, for a call that wants to change it. Refuses what must never be changed.
    pub(super) fn seen(&self, dir: &Dir) -> Result<Seen, ToolError> {
        let name = self.name()?;
        let facts = match dir.symlink_metadata(name) {
            Ok(seen) => Facts::from(&seen),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Seen::Nothing),
            Err(error) => return Err(system(&error, &self.shown)),
        };
        self.guard.spares(&self.absolute, Some(&facts))?;
        if facts.kind == Kind::Folder {
            self.guard.admits(&facts, &self.shown)?;
            return Ok(Seen::Folder(facts));
        }
        let (file, facts) = self.open(dir, name)?;
        let shown = visible(&self.shown);
        if facts.links > 1 {
            return Err(closed(format!(
                "`{shown}` has {} names (hard links), and a change would reach the others; do it by hand",
                facts.links
            )));
        }
        if facts.runs() {
            return Err(closed(format!(
                "`{shown}` is marked executable; Jarvis never writes or removes what a machine may run. Do it by hand"
            )));
        }
        Seen::of(file, facts, &self.shown)
    }

    /// What stands here for a change, where even the folder may be missing.
    pub(super) fn seen_from_root(&self) -> Result<Seen, ToolError> {
        match self.parent() {
            Ok(dir) => self.seen(&dir),
            Err(error) if error.kind == ToolErrorKind::NotFound => Ok(Seen::Nothing),
            Err(error) => Err(error),
        }
    }
}

fn open_root(root: &Root) -> Result<Dir, ToolError> {
    let shown = root.path.to_string_lossy();
    let dir = Dir::open_ambient_dir(&root.path, ambient_authority()).map_err(|error| system(&error, &shown))?;
    refuse_kernel(&dir, &shown)?;
    Ok(dir)
}

/// Makes what was done in a folder durable. The handles of cap-std may be good for paths only, so the folder is opened
/// once more, below itself.
pub(super) fn sync(dir: &Dir) -> std::io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    File::from(rustix::fs::openat(dir, ".", flags, Mode::empty())?).sync_all()
}

fn refuse_kernel(handle: impl AsFd, shown: &str) -> Result<(), ToolError> {
    let kind = rustix::fs::fstatfs(handle).map_err(|error| system(&error.into(), shown))?.f_type;
    // The width and sign of the field differ between machines; the constants have 32 bits.
    if KERNEL.contains(&(kind as u64 & 0xffff_ffff)) {
        return Err(closed(format!("`{}` is the kernel talking and no file; ask the system tools", visible(shown))));
    }
    Ok(())
}

/// The canonical path below a folder. For a change the last component stays as it is (a link there must be seen as a
/// link), and what does not exist yet stays as it was written.
fn canonical(dir: &Dir, rest: &Path, purpose: Purpose) -> std::io::Result<PathBuf> {
    let (mut known, mut tail) = match (purpose, rest.parent(), rest.file_name()) {
        (Purpose::Write, Some(parent), Some(name)) => (parent.to_owned(), vec![name.to_owned()]),
        _ => (rest.to_owned(), Vec::new()),
    };
    loop {
        if known.as_os_str().is_empty() {
            return Ok(tail.iter().rev().collect());
        }
        match dir.canonicalize(&known) {
            Ok(mut path) => {
                path.extend(tail.iter().rev());
                return Ok(path);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && purpose == Purpose::Write => {
                tail.extend(known.file_name().map(OsStr::to_owned));
                known.pop();
            }
            Err(error) => return Err(error),
        }
    }
}
