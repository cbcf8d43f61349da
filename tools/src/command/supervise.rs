//! The launcher while its program runs: it stays, so that nothing outlives Jarvis, whatever ends him.
//!
//! The program is its child, in the process group that the launcher leads and that nothing in it can leave (`syscall`). Two
//! ends are waited for, the program's and Jarvis's, each by a handle of the kernel and not by a number that may be another's
//! by then. After either the whole group is killed and the launcher with it: that is one act, which no process that is just
//! being made slips through. Jarvis dies: the launcher does it. The program ends: Jarvis does it once he was told how, so
//! that between the two nothing is ever left with nobody to end it.

use std::convert::Infallible;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};
use serde::{Deserialize, Serialize};

use super::confine::{Order, begin};

/// What Jarvis is told of a command.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// As wait(2) tells it.
    Ended(i32),
    /// Why it was never there.
    NotBegun(String),
}

/// Begins the program and watches over it. Comes back only if it cannot be begun.
pub(super) fn over(order: &Order) -> Result<Infallible, String> {
    let report = (!order.stays).then(|| io::stdin().as_fd().try_clone_to_owned().map(File::from));
    let mut report = report.transpose().map_err(|error| error.to_string())?;
    let begun = jarvis(order).and_then(|jarvis| Ok((jarvis, confined(order)?)));
    let (jarvis, mut child) = begun.inspect_err(|fault| tell(report.as_mut(), &Report::NotBegun(fault.clone())))?;
    // What the program closes is closed: the launcher holds no other end of it.
    let_go();
    let status = match &jarvis {
        Some(jarvis) => end_of(Pid::from_child(&child)).ok().and_then(|program| {
            first(&[jarvis, &program]);
            child.try_wait().ok().flatten()
        }),
        None => child.wait().ok(),
    };
    if let (Some(status), Some(report)) = (status, report.as_mut()) {
        tell(Some(report), &Report::Ended(ExitStatus::into_raw(status)));
        // He ends the group now; or he is ended himself.
        jarvis.iter().for_each(|jarvis| first(&[jarvis]));
    }
    let _ = rustix::process::kill_current_process_group(Signal::KILL);
    Err("what was begun cannot be ended".to_owned())
}

/// Becomes readable when the process ends.
pub(super) fn end_of(process: Pid) -> io::Result<OwnedFd> {
    Ok(rustix::process::pidfd_open(process, PidfdFlags::empty())?)
}

/// Jarvis's end. None where this kernel cannot tell of it, and nothing must be there.
fn jarvis(order: &Order) -> Result<Option<OwnedFd>, String> {
    let gone = || "Jarvis is gone".to_owned();
    let parent = Pid::from_raw(order.jarvis.cast_signed()).ok_or_else(gone)?;
    let end = end_of(parent);
    // Looked at afterwards: as long as he is the parent, the number was his.
    if rustix::process::getppid() != Some(parent) {
        return Err(gone());
    }
    match end {
        Ok(end) => Ok(Some(end)),
        Err(error) if order.must => Err(format!("the watch over Jarvis: {error}")),
        Err(_) => Ok(None),
    }
}

/// Begins the program from a thread of its own, because what is given up cannot be had back. The thread is gone before it
/// could be mistaken for one of the program's.
fn confined(order: &Order) -> Result<Child, String> {
    let begun = std::thread::scope(|scope| scope.spawn(|| begin(order)).join());
    begun.unwrap_or_else(|_| Err("the launcher broke off".to_owned()))
}

fn let_go() {
    let Ok(null) = OpenOptions::new().read(true).write(true).open("/dev/null") else { return };
    let _ = rustix::stdio::dup2_stdin(&null);
    let _ = rustix::stdio::dup2_stdout(&null);
    let _ = rustix::stdio::dup2_stderr(&null);
}

/// Waits until one of these ends, or can be waited for no longer.
fn first(ends: &[&OwnedFd]) {
    let mut ends: Vec<_> = ends.iter().map(|end| PollFd::new(end, PollFlags::IN)).collect();
    while poll(&mut ends, None) == Err(Errno::INTR) {}
}

fn tell(report: Option<&mut File>, said: &Report) {
    let Some(report) = report else { return };
    // Whoever does not hear it any more is gone.
    let _ = serde_json::to_string(said).map(|line| writeln!(report, "{line}"));
}
