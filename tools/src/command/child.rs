//! A command while it runs: begun by the launcher, read, and ended with everything that it began.
//!
//! All of it is one process group that nothing in it can leave (`syscall`). The end of the first process is seen before
//! it is taken off the kernel's list, so that the group can be killed while its number can belong to nobody else.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use jarvis_safety::tool::{ToolError, ToolErrorKind};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use tokio::process::{Child, Command};

use super::confine::{NOT_BEGUN, Order, WORD};
use super::output::{MOST, gather};
use super::program::PATH;

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
    pub(super) fn of(child: &Child) -> Option<Self> {
        child.id().and_then(|id| Pid::from_raw(id.cast_signed())).map(Self)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A group that is gone already has nothing left to kill.
        let _ = rustix::process::kill_process_group(self.0, Signal::KILL);
    }
}

/// Runs it to its end.
pub(super) async fn run(
    launcher: &Path,
    order: &Order,
    environment: BTreeMap<String, String>,
    longest: Duration,
) -> Result<Ended, ToolError> {
    let told = serde_json::to_string(order).map_err(|error| failed(format!("it cannot be told to run: {error}")))?;
    let mut child = Command::new(launcher)
        .arg(WORD)
        .arg(told)
        .env_clear()
        .env("PATH", PATH)
        .env("LANG", "C.UTF-8")
        .env("HOME", &order.scratch)
        .env("TMPDIR", &order.scratch)
        .envs(environment)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| ToolError::new(ToolErrorKind::Unavailable, format!("no command can be begun: {error}")))?;
    let group = Group::of(&child).ok_or_else(|| failed("the command has no process".to_owned()))?;
    let ended = tokio::time::timeout(longest, to_the_end(&mut child, group)).await;
    let ended = ended.unwrap_or_else(|_| {
        Err(ToolError::new(
            ToolErrorKind::Deadline,
            format!("it took longer than {} s and was ended", longest.as_secs()),
        ))
    })?;
    not_begun(order, &ended).map_or(Ok(ended), Err)
}

async fn to_the_end(child: &mut Child, group: Group) -> Result<Ended, ToolError> {
    let unseen = |error: std::io::Error| failed(format!("the command cannot be watched: {error}"));
    let pid = group.0;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let leader = async {
        // Waits without taking it off the kernel's list.
        let ended = move || rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        let seen = tokio::task::spawn_blocking(move || ended().map(drop)).await;
        drop(group);
        Ok(seen)
    };
    // Either stream ends when everybody who holds it has: what was left behind was killed with the group.
    let read = async {
        let (stdout, stderr) = (poured(gather(stdout)), poured(gather(stderr)));
        tokio::try_join!(stdout, stderr)
    };
    let (seen, read) = tokio::try_join!(leader, read)?;
    seen.map_err(std::io::Error::other).map_err(unseen)?.map_err(|error| unseen(error.into()))?;
    let status = child.wait().await.map_err(unseen)?;
    let (stdout, stderr) = read;
    Ok(Ended { status, stdout, stderr })
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

/// What the launcher complains of, if the program was never there.
fn not_begun(order: &Order, ended: &Ended) -> Option<ToolError> {
    let complaint = String::from_utf8_lossy(&ended.stderr);
    let said = complaint.strip_prefix(&order.mark).filter(|_| ended.status.code() == Some(NOT_BEGUN.into()))?;
    Some(ToolError::new(ToolErrorKind::Unavailable, format!("{}; nothing was run", said.trim_end())))
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
