//! System calls that fail or last, by `strace`: the program itself knows nothing of it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Longest for attaching to a process.
const ATTACH: Duration = Duration::from_secs(20);

/// What is done to which calls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Injection {
    /// For whoever reads the report.
    pub(crate) name: &'static str,
    calls: &'static str,
    effect: &'static str,
    /// Whether only the database and its log are meant, and not the files of the tools.
    only_database: bool,
    /// Whether it keeps the rows of reads from being written, and not only from being fsynced.
    pub(crate) stops_writes: bool,
    /// How long each call lasts; none where it fails.
    pub(crate) delay: Option<Duration>,
}

impl Injection {
    const fn new(name: &'static str, calls: &'static str, effect: &'static str) -> Self {
        Self { name, calls, effect, only_database: true, stops_writes: false, delay: None }
    }
}

/// Outages that last for a while.
pub(crate) const OUTAGES: [Injection; 5] = [
    Injection::new("fsync fails", "fsync,fdatasync", "error=EIO"),
    Injection { only_database: false, ..Injection::new("every fsync fails", "fsync,fdatasync", "error=EIO") },
    Injection { stops_writes: true, ..Injection::new("writes fail", "pwrite64", "error=EIO") },
    Injection { stops_writes: true, ..Injection::new("no space left", "pwrite64", "error=ENOSPC") },
    Injection {
        delay: Some(Duration::from_millis(120)),
        ..Injection::new("fsync is slow", "fsync,fdatasync", "delay_enter=120000")
    },
];

/// Calls of which a single one may fail, at any moment from the start on. `write` is not among them: the runtime writes
/// to its own wakers with it, which never fail, and so it does not survive that.
pub(crate) const POINTS: [Injection; 7] = [
    Injection { only_database: false, ..Injection::new("an fsync fails", "fsync,fdatasync", "error=EIO") },
    Injection { only_database: false, ..Injection::new("a write fails", "pwrite64", "error=EIO") },
    Injection { only_database: false, ..Injection::new("a write finds no space", "pwrite64", "error=ENOSPC") },
    Injection { only_database: false, ..Injection::new("a read fails", "pread64", "error=EIO") },
    Injection { only_database: false, ..Injection::new("a rename fails", "rename,renameat,renameat2", "error=EIO") },
    Injection { only_database: false, ..Injection::new("an open fails", "openat", "error=EMFILE") },
    Injection { only_database: false, ..Injection::new("a truncation fails", "ftruncate", "error=EIO") },
];

/// What is to be started instead of the program, so that it is killed at the call with this number (of each thread) among
/// those that write to this file of its data directory. It is killed before the call does anything.
pub(crate) fn death(data: &Path, file: &str, number: u64) -> Vec<std::ffi::OsString> {
    const CALLS: &str = "openat,pwrite64,ftruncate,fsync,fdatasync,rename,renameat2";
    let words = ["strace", "-D", "-f", "-o", "/dev/null", "-e"].map(str::to_owned).into_iter();
    let words = words.chain([format!("trace={CALLS}"), "-e".to_owned()]);
    let words = words.chain([format!("inject={CALLS}:signal=SIGKILL:when={number}"), "-P".to_owned()]);
    words.chain([data.join(file).display().to_string()]).map(Into::into).collect()
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
        if self.only_database {
            for name in ["jarvis.db", "jarvis.db-wal"] {
                words.extend(["-P".to_owned(), data.join(name).display().to_string()]);
            }
        }
        words
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
        let mut strace = Command::new("strace")
            .args(self.words(data, log, ""))
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
        Ok(Attached { strace, log: log.to_owned() })
    }
}

impl Attached {
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
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let _ = std::fs::remove_file(log);
    let marks = ["(INJECTED)", "(DELAYED)"];
    text.lines().filter(|line| marks.iter().any(|mark| line.contains(mark))).count() as u64
}
