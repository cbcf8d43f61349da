//! System calls that fail or last, by `strace`: the program itself knows nothing of it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::chance::Chance;

/// Longest for attaching to a process.
const ATTACH: Duration = Duration::from_secs(20);

/// What is done to which calls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Injection {
    /// For whoever reads the report.
    pub(crate) name: &'static str,
    calls: &'static str,
    effect: &'static str,
    /// What the calls must name or have open, below the data directory. Where nothing stands here each call is meant.
    only: &'static [&'static str],
    /// How far the single call that fails may lie, in doublings: 6 reaches to the 63rd of a thread.
    doublings: u64,
    /// Whether it keeps the rows of reads from being written, and not only from being fsynced.
    pub(crate) stops_writes: bool,
    /// How long each call lasts; none where it fails.
    pub(crate) delay: Option<Duration>,
}

impl Injection {
    const fn new(name: &'static str, calls: &'static str, effect: &'static str) -> Self {
        Self { name, calls, effect, only: &DATABASE, doublings: 0, stops_writes: false, delay: None }
    }

    /// A single call that fails.
    const fn point(name: &'static str, calls: &'static str, effect: &'static str, doublings: u64) -> Self {
        Self { doublings, only: &[], ..Self::new(name, calls, effect) }
    }
}

/// The database and its log.
const DATABASE: [&str; 2] = ["jarvis.db", "jarvis.db-wal"];

/// What is renamed: the seal and its draft by their paths, files by the open folder that they are in. Other renames are
/// not the disk's: to see whether `/proc` is what it seems the program makes one there that has to fail, in its own way.
const SEAL: [&str; 2] = ["audit.new", "audit.seal"];
const FILES: [&str; 1] = ["files"];
const RENAMES: &str = "rename,renameat,renameat2";

/// Outages that last for a while.
pub(crate) const OUTAGES: [Injection; 5] = [
    Injection::new("fsync fails", "fsync,fdatasync", "error=EIO"),
    Injection { only: &[], ..Injection::new("every fsync fails", "fsync,fdatasync", "error=EIO") },
    Injection { stops_writes: true, ..Injection::new("writes fail", "pwrite64", "error=EIO") },
    Injection { stops_writes: true, ..Injection::new("no space left", "pwrite64", "error=ENOSPC") },
    Injection {
        delay: Some(Duration::from_millis(120)),
        ..Injection::new("fsync is slow", "fsync,fdatasync", "delay_enter=120000")
    },
];

/// Calls of which a single one may fail, at any moment from the start on. `write` is not among them: the runtime writes
/// to its own wakers with it, which never fail, and so it does not survive that. Where no files stand the program makes
/// these calls on nothing but its data, or (`openat`) it is not the disk that fails but the process that has too much open.
pub(crate) const POINTS: [Injection; 10] = [
    Injection::point("an fsync fails", "fsync,fdatasync", "error=EIO", 6),
    Injection::point("a write fails", "pwrite64", "error=EIO", 9),
    Injection::point("a write finds no space", "pwrite64", "error=ENOSPC", 9),
    Injection { only: &DATABASE, ..Injection::point("a read fails", "pread64", "error=EIO", 10) },
    Injection { only: &SEAL, ..Injection::point("the seal's rename fails", RENAMES, "error=EIO", 1) },
    Injection { only: &FILES, ..Injection::point("a file's rename fails", RENAMES, "error=EIO", 2) },
    Injection::point("an open fails", "openat", "error=EMFILE", 8),
    // SQLite opens it to write, and then to read, whenever it needs it and does not have it.
    Injection {
        only: &["jarvis.db-shm"],
        ..Injection::point("no shared memory is opened", "openat", "error=EMFILE", 1)
    },
    // Each is cut to its length once, at the start.
    Injection { only: &["lock"], ..Injection::point("the lock cannot be emptied", "ftruncate", "error=EIO", 1) },
    Injection { only: &["jarvis.db-shm"], ..Injection::point("no shared memory is had", "ftruncate", "error=EIO", 1) },
];

/// Whatever is fsynced is held back for longer than a load lasts.
pub(crate) const HELD: Injection =
    Injection { only: &[], ..Injection::new("fsync is held back", "fsync,fdatasync", "delay_enter=20000000") };

/// What is to be started instead of the program, so that it is killed at the call with this number (of each thread) among
/// those that write to this file of its data directory. It is killed before the call does anything.
pub(crate) fn death(data: &Path, file: &str, number: u64) -> Vec<std::ffi::OsString> {
    let words = ["strace", "-D", "-f"].map(str::to_owned).into_iter();
    words.chain(deadly(data, file, number)).map(Into::into).collect()
}

/// Lets a program that runs be killed at such a call, by its number of each thread from now on.
pub(crate) async fn death_of(process: u32, data: &Path, file: &str, number: u64) -> anyhow::Result<Attached> {
    let words = std::iter::once("-f".to_owned()).chain(deadly(data, file, number));
    Attached::begin(words.collect(), process, Path::new("/dev/null")).await
}

fn deadly(data: &Path, file: &str, number: u64) -> Vec<String> {
    const CALLS: &str = "openat,pwrite64,ftruncate,fsync,fdatasync,rename,renameat2";
    let words = ["-o", "/dev/null", "-e"].map(str::to_owned).into_iter();
    let words = words.chain([format!("trace={CALLS}"), "-e".to_owned()]);
    let words = words.chain([format!("inject={CALLS}:signal=SIGKILL:when={number}"), "-P".to_owned()]);
    words.chain([data.join(file).display().to_string()]).collect()
}

/// A process that is being interfered with.
pub(crate) struct Attached {
    strace: Child,
    log: PathBuf,
}

impl Injection {
    fn words(&self, data: &Path, log: &Path, when: &str) -> Vec<String> {
        let mut words = vec!["-f".to_owned(), "-o".to_owned(), log.display().to_string()];
        words.extend(["-e".to_owned(), format!("trace={}", self.calls)]);
        words.extend(["-e".to_owned(), format!("inject={}:{}{when}", self.calls, self.effect)]);
        for name in self.only {
            words.extend(["-P".to_owned(), data.join(name).display().to_string()]);
        }
        words
    }

    /// Which calls of each thread fail: from one to another. The earlier ones are drawn more often, because few threads
    /// come far.
    pub(crate) fn place(&self, chance: &mut Chance) -> (u64, u64) {
        let doublings = chance.between(1, self.doublings.max(1) + 1);
        let first = chance.between(1, 1 << doublings);
        (first, first + chance.between(0, 4))
    }

    /// What is to be started instead of the program, so that some of these calls fail: those of each thread that are
    /// counted from `first` to `last`.
    pub(crate) fn around(&self, data: &Path, log: &Path, first: u64, last: u64) -> Vec<std::ffi::OsString> {
        let mut words = vec!["strace".to_owned(), "-D".to_owned(), "--seccomp-bpf".to_owned()];
        words.extend(self.words(data, log, &format!(":when={first}..{last}")));
        words.into_iter().map(Into::into).collect()
    }

    /// Begins to interfere with a process that runs, and returns once every thread of it is held.
    pub(crate) async fn attach(&self, id: u32, data: &Path, log: &Path) -> anyhow::Result<Attached> {
        Attached::begin(self.words(data, log, ""), id, log).await
    }
}

impl Attached {
    async fn begin(words: Vec<String>, id: u32, log: &Path) -> anyhow::Result<Self> {
        let mut strace = Command::new("strace")
            .args(words)
            .args(["-p", &id.to_string()])
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("strace cannot be started")?;
        let messages = strace.stderr.take().context("strace says nothing")?;
        let mut lines = BufReader::new(messages).lines();
        let attached = async {
            while let Some(line) = lines.next_line().await? {
                if line.contains("attached") {
                    return Ok(());
                }
            }
            bail!("strace ended instead of attaching")
        };
        timeout(ATTACH, attached).await.context("strace did not attach within 20 s")??;
        // What else it says is of no interest, but it must be able to say it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { strace, log: log.to_owned() })
    }

    /// Lets go of the process, and says how many calls were interfered with.
    pub(crate) async fn detach(mut self) -> anyhow::Result<u64> {
        let id = self.strace.id().context("strace has ended before")?.to_string();
        Command::new("sh").args(["-c", "kill -TERM \"$0\"", &id]).status().await?;
        timeout(ATTACH, self.strace.wait()).await.context("strace did not let go within 20 s")??;
        Ok(injected(&self.log))
    }
}

/// How many calls were interfered with, by strace's own log; which is taken away.
pub(crate) fn injected(log: &Path) -> u64 {
    let count = injected_yet(log);
    let _ = std::fs::remove_file(log);
    count
}

/// How many it were until now.
pub(crate) fn injected_yet(log: &Path) -> u64 {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let marks = ["(INJECTED)", "(DELAYED)"];
    text.lines().filter(|line| marks.iter().any(|mark| line.contains(mark))).count() as u64
}
