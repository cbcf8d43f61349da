//! A program that stays: a mounted MCP server. It is confined like a command, spoken to over its standard streams, and
//! ended with everything that it began when its handle goes.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use jarvis_safety::tool::ToolError;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::oneshot;

use super::child::{self, Group};
use super::confine::{NOBODY, Order};
use super::reach::{Reach, Socket, is_plain};
use super::scratch::Scratch;
use super::{Commands, Strength, launcher, line, unavailable, weaker};

/// Most memory of each of its processes, in MiB.
const MEMORY: u64 = 4096;
/// Most processes and threads.
const PROCESSES: u64 = 256;
/// Bytes of its complaints that are kept: the last ones.
const COMPLAINTS: usize = 4 * 1024;

/// A program that stays, and what it may touch. What is not named is out of its reach.
#[derive(Debug, Clone, Default)]
pub struct Resident {
    /// Name in the system's folders, or whole path.
    pub program: String,
    /// One by one.
    pub args: Vec<String>,
    /// Its whole environment, beside `PATH`, `LANG`, `HOME` and `TMPDIR`.
    pub environment: BTreeMap<String, String>,
    /// Below these it may read and run everything, beside what programs need of the system.
    pub reads: Vec<PathBuf>,
    /// Below these it may change everything.
    pub writes: Vec<PathBuf>,
    /// Whether it reaches the network.
    pub network: bool,
}

/// A resident that runs. It is ended when this goes.
#[derive(Debug)]
pub struct Running {
    /// Ends it when it goes.
    _held: oneshot::Sender<Infallible>,
    complaints: Arc<Mutex<VecDeque<u8>>>,
}

/// All of it, from the first to go to the last: the group, while its number can be nobody else's.
struct Whole {
    group: Group,
    child: Child,
    _scratch: Scratch,
}

impl Whole {
    /// Ends it once nobody holds it any more, or once its launcher is gone: then nobody else would when Jarvis dies.
    async fn end(self, held: oneshot::Receiver<Infallible>) {
        let Self { group, mut child, _scratch } = self;
        tokio::select! {
            _ = held => {}
            () = group.headless() => {}
        }
        drop(group);
        let _ = child.wait().await;
    }
}

impl Running {
    /// The last that it wrote to its standard error, from the first whole word on. Not struck, and not for display.
    #[must_use]
    pub fn complaints(&self) -> String {
        let held = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = held.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        match bytes.len() < COMPLAINTS {
            true => text.into_owned(),
            false => text.split_once(char::is_whitespace).map_or_else(String::new, |(_, rest)| rest.to_owned()),
        }
    }
}

impl Commands {
    /// Begins a program that stays.
    ///
    /// # Errors
    /// If it cannot be found, is not to be trusted, or this machine confines less than is asked for.
    pub async fn begin(&self, resident: Resident) -> Result<(Running, ChildStdin, ChildStdout), ToolError> {
        let forms = self.forms()?;
        let probed = self.probed().await?;
        if let Some(missing) = forms.strength.lacks(probed) {
            return Err(weaker(&missing));
        }
        let Resident { program, args, environment, reads, writes, network } = resident;
        if let Some(odd) = reads.iter().chain(&writes).find(|path| !is_plain(path)) {
            return Err(unavailable(format!("`{}` is not an absolute path without `.` and `..`", odd.display())));
        }
        let program = line::find(&program).await?.path;
        let scratch = Scratch::new(probed.root.then_some(NOBODY))
            .map_err(|error| unavailable(format!("no folder can be made for it ({error})")))?;
        let sockets = if network { vec![Socket::Internet, Socket::Netlink] } else { Vec::new() };
        let order = Order {
            jarvis: std::process::id(),
            stays: true,
            program,
            args,
            folder: scratch.path().to_owned(),
            scratch: scratch.path().to_owned(),
            reach: Reach { reads, writes, sockets, as_root: false, memory: MEMORY, processes: PROCESSES },
            own: self.own(),
            files: self.0.data.join("files"),
            must: forms.strength != Strength::Off,
            seconds: u64::MAX,
        };
        let (mut child, group) = child::begin(launcher(), &order, environment, Stdio::piped())?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(unavailable("it has no standard streams".to_owned()));
        };
        let complaints = Arc::<Mutex<VecDeque<u8>>>::default();
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(listen(stderr, Arc::clone(&complaints)));
        }
        let (held, gone) = oneshot::channel();
        tokio::spawn(Whole { group, child, _scratch: scratch }.end(gone));
        Ok((Running { _held: held, complaints }, stdin, stdout))
    }
}

/// Keeps the end of what it complains of. It ends with the program.
async fn listen(mut stderr: impl AsyncRead + Unpin, kept: Arc<Mutex<VecDeque<u8>>>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(&buffer[..count]);
        let over = kept.len().saturating_sub(COMPLAINTS);
        kept.drain(..over);
    }
}
