//! A clock of the program's own, which can be set while it runs (libfaketime). Only what it takes for the time of day
//! jumps; how long something lasts it sees right, as on a machine whose clock is set.

use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use tokio::process::Command;

use crate::chance::Chance;

/// Where distributions put the library.
const PLACES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib64/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
];

/// The clock, as the program sees it.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    library: PathBuf,
    /// The file that says how far it is ahead.
    file: PathBuf,
}

impl Clock {
    /// The furthest that it is ahead, in seconds: whoever approved something less than 15 minutes ago is taken at their
    /// word after a start.
    pub(crate) const LATEST: u64 = 800;

    /// The library, if it is here.
    pub(crate) fn library() -> Option<PathBuf> {
        PLACES.iter().map(PathBuf::from).find(|place| place.exists())
    }

    /// One that shows the real time, at first.
    pub(crate) fn new(library: PathBuf, file: PathBuf) -> std::io::Result<Self> {
        let clock = Self { library, file };
        clock.set(0)?;
        Ok(clock)
    }

    /// Sets it so many seconds ahead.
    pub(crate) fn set(&self, ahead: u64) -> std::io::Result<()> {
        let draft = self.file.with_extension("draft");
        std::fs::write(&draft, format!("+{ahead}\n"))?;
        std::fs::rename(draft, &self.file)
    }

    /// Sets it somewhere, before or after what it shows.
    pub(crate) fn jump(&self, chance: &mut Chance) -> std::io::Result<()> {
        self.set(chance.between(0, Self::LATEST))
    }

    /// When it was set last, in real time since 1970.
    pub(crate) fn set_at(&self) -> anyhow::Result<Duration> {
        Ok(std::fs::metadata(&self.file)?.modified()?.duration_since(UNIX_EPOCH)?)
    }

    /// Gives it to a program that is to be started.
    pub(super) fn wind(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
}
