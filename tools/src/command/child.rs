//! A command while it runs: begun by the launcher, read, and ended with everything that it began.
//!
//! All of it is one process group that nothing in it can leave (`syscall`). It is led by the launcher, which stays (`supervise`)
//! until it is killed with the rest, so the number of the group belongs to nobody else for as long as it is needed.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use jarvis_safety::tool::{ToolError, ToolErrorKind};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};

use super::confine::{Order, WORD};
use super::output::{MOST, gather};
use super::program::PATH;
use super::supervise::Report;

/// Longest word of the launcher, in bytes.
const LONGEST_REPORT: u64 = 64 * 1024;

/// What came of it.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

/// Kills the whole group when it goes, whatever made it go.
#[derive(Debug)]
pub(super) struct Group(Pid);

impl Group {
    /// The group that a child leads.
    fn of(child: &Child) -> Option<Self> {
        child.id().and_then(|id| Pid::from_raw(id.cast_signed())).map(Self)
    }

    /// Waits until the launcher that leads it has ended, without taking it off the kernel's list.
    pub(super) async fn headless(&self) {
        let leader = WaitId::Pid(self.0);
        let ended = move || rustix::process::waitid(leader, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).map(drop);
        let _ = tokio::task::spawn_blocking(ended).await;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A group that is gone already has nothing left to kill.
        let _ = rustix::process::kill_process_group(self.0, Signal::KILL);
    }
}

/// Begins a launcher. Its standard input is the program's, or the way on which it tells how the program ended.
pub(super) fn begin(
    launcher: &Path,
    order: &Order,
    environment: BTreeMap<String, String>,
    stdin: Stdio,
) -> Result<(Child, Group), ToolError> {
    let unavailable = |said: String| ToolError::new(ToolErrorKind::Unavailable, said);
    let told = serde_json::to_string(order).map_err(|error| failed(format!("it cannot be told to run: {error}")))?;
    let child = Command::new(launcher)
        .arg0("jarvis")
        .arg(WORD)
        .arg(told)
        .env_clear()
        .env("PATH", PATH)
        .env("LANG", "C.UTF-8")
        .env("HOME", &order.scratch)
        .env("TMPDIR", &order.scratch)
        .envs(environment)
        .current_dir("/")
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| unavailable(format!("no command can be begun: {error}")))?;
    let group = Group::of(&child).ok_or_else(|| failed("the command has no process".to_owned()))?;
    Ok((child, group))
}

/// Runs it to its end.
pub(super) async fn run(
    launcher: &Path,
    order: &Order,
    environment: BTreeMap<String, String>,
    longest: Duration,
) -> Result<Ended, ToolError> {
    let unheard = |error: std::io::Error| failed(format!("the command cannot be heard: {error}"));
    let (told, heard) = pipe::pipe().map_err(unheard)?;
    let stdin = Stdio::from(told.into_blocking_fd().map_err(unheard)?);
    let (mut child, group) = begin(launcher, order, environment, stdin)?;
    let ended = tokio::time::timeout(longest, to_the_end(&mut child, group, heard)).await;
    ended.unwrap_or_else(|_| {
        Err(ToolError::new(
            ToolErrorKind::Deadline,
            format!("it took longer than {} s and was ended", longest.as_secs()),
        ))
    })
}

async fn to_the_end(child: &mut Child, group: Group, heard: pipe::Receiver) -> Result<Ended, ToolError> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let leader = async {
        let mut line = String::new();
        // Nothing, if the launcher itself was ended.
        let _ = BufReader::new(heard.take(LONGEST_REPORT)).read_line(&mut line).await;
        drop(group);
        Ok(serde_json::from_str::<Report>(&line).ok())
    };
    // Either stream ends when everybody who holds it has: what was left behind was killed with the group.
    let read = async {
        let (stdout, stderr) = (poured(gather(stdout)), poured(gather(stderr)));
        tokio::try_join!(stdout, stderr)
    };
    let (report, (stdout, stderr)) = tokio::try_join!(leader, read)?;
    // The launcher was killed with its group.
    let _ = child.wait().await;
    match report {
        Some(Report::Ended(status)) => Ok(Ended { status: ExitStatus::from_raw(status), stdout, stderr }),
        Some(Report::NotBegun(fault)) => {
            Err(ToolError::new(ToolErrorKind::Unavailable, format!("{fault}; nothing was run")))
        }
        None => {
            let said = "the launcher that watched over it was killed, and everything else with it".to_owned();
            Err(ToolError::new(ToolErrorKind::Interrupted, said))
        }
    }
}

/// Ends a command that writes without end.
async fn poured(stream: impl Future<Output = Vec<u8>>) -> Result<Vec<u8>, ToolError> {
    let bytes = stream.await;
    if bytes.len() > MOST {
        let most = MOST / (1024 * 1024);
        return Err(ToolError::new(
            // It was begun, and nobody knows how far it came.
            ToolErrorKind::Interrupted,
            format!("it wrote more than {most} MiB and was ended; let it write to a file, or ask for less"),
        ));
    }
    Ok(bytes)
}

/// How it ended, for people.
pub(super) fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown end".to_owned(),
    }
}

fn failed(said: String) -> ToolError {
    ToolError::new(ToolErrorKind::Failed, said)
}
