//! Walking a folder, bounded in depth, number and time, following no link and entering nothing that is closed.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use cap_std::fs::Dir;
use jarvis_safety::Target;
use tokio_util::sync::CancellationToken;

use super::guard;
use super::place::Place;
use super::seen::{Facts, Kind};

/// Longest walk. What was found until then is answered, and said to be cut.
const LONGEST: Duration = Duration::from_secs(10);

/// The target of a call that looks into a folder.
pub(super) fn folder_of(place: &Place) -> Target {
    let mut target = place.read_target();
    "folder".clone_into(&mut target.kind);
    target
}

/// What is done with each thing: its folder, its name there, its path below the root, its facts. False ends the walk.
pub(super) type Visit<'a> = dyn FnMut(&Dir, &OsString, &Path, &Facts) -> io::Result<bool> + 'a;

/// A walk.
pub(super) struct Walk<'a> {
    place: &'a Place,
    depth: u32,
    left: usize,
    until: Instant,
    cancel: CancellationToken,
    ended: bool,
    /// Names that are not UTF-8.
    pub(super) unnameable: u32,
    /// Folders that are closed, or that this machine does not let us read.
    pub(super) unreadable: u32,
}

impl<'a> Walk<'a> {
    pub(super) fn new(place: &'a Place, depth: u32, most: usize, cancel: CancellationToken) -> Self {
        let until = Instant::now() + LONGEST;
        Self { place, depth, left: most, until, cancel, ended: false, unnameable: 0, unreadable: 0 }
    }

    /// Whether it ended before everything was seen.
    pub(super) const fn cut(&self) -> bool {
        self.ended
    }

    /// Whether time is up or nobody waits any more.
    pub(super) fn over(&mut self) -> bool {
        self.ended = self.ended || self.left == 0 || self.cancel.is_cancelled() || Instant::now() >= self.until;
        self.ended
    }

    /// Visits everything below a folder, folders before what is in them. An error is that folder's own: one below it that
    /// cannot be read is named, counted, and not entered.
    pub(super) fn go(&mut self, dir: &Dir, rest: &Path, visit: &mut Visit<'_>) -> io::Result<()> {
        self.level(dir, rest, self.depth, visit)
    }

    fn level(&mut self, dir: &Dir, rest: &Path, depth: u32, visit: &mut Visit<'_>) -> io::Result<()> {
        for entry in dir.entries()? {
            if self.over() {
                return Ok(());
            }
            self.left -= 1;
            let name = entry?.file_name();
            if name.to_str().is_none() {
                self.unnameable += 1;
                continue;
            }
            // Gone since it was listed: as if it had never been.
            let Ok(seen) = dir.symlink_metadata(&name) else { continue };
            let (facts, path) = (Facts::from(&seen), rest.join(&name));
            if !visit(dir, &name, &path, &facts)? {
                self.ended = true;
                return Ok(());
            }
            let open = facts.kind == Kind::Folder && depth > 1 && (self.place.root.own || !guard::private(&name));
            let walked = open.then(|| match self.place.enter(dir, &name) {
                Ok(below) => self.level(&below, &path, depth - 1, visit).is_ok(),
                Err(_) => false,
            });
            if walked == Some(false) {
                self.unreadable += 1;
            }
        }
        Ok(())
    }
}
