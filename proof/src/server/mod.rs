//! The real program, as its own process: started, killed, ended in good order.

mod clock;

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

pub(crate) use self::clock::Clock;

/// The operator's password in every proof.
pub(crate) const PASSWORD: &str = "proof-of-nothing-lost";

/// Longest time for a start: far beyond any that is right, so that a start that hangs is told as such.
const START: Duration = Duration::from_secs(60);
/// Longest time for an end in good order; the program itself gives effects 20 s.
const END: Duration = Duration::from_secs(40);

/// A binary and the data directory that it works on.
#[derive(Debug, Clone)]
pub(crate) struct House {
    pub(crate) binary: PathBuf,
    pub(crate) data: PathBuf,
    /// Where its log lines go.
    pub(crate) log: PathBuf,
    /// A clock of its own.
    pub(crate) clock: Option<Clock>,
}

/// A program that listens.
pub(crate) struct Server {
    child: Child,
    /// `host:port`.
    pub(crate) host: String,
    /// From the start to the line that says that it listens.
    pub(crate) took: Duration,
    // Kept open: a program whose output nobody takes could end for that.
    _output: Lines<BufReader<ChildStdout>>,
}

impl House {
    /// A command on this data directory, with an environment of its own.
    fn command(&self, before: &[OsString]) -> Command {
        let mut words = before.iter().cloned().chain([self.binary.clone().into_os_string()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).arg("--data").arg(&self.data);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("JARVIS_")) {
            command.env_remove(name);
        }
        command.env("JARVIS_OPERATOR_PASSWORD", PASSWORD).env("JARVIS_LOG", "warn").stdin(Stdio::null());
        if let Some(clock) = &self.clock {
            clock.wind(&mut command);
        }
        command.kill_on_drop(true);
        command
    }

    /// Starts the program and does not wait for it. What stands `before` is run in its place and starts it.
    pub(crate) fn spawn(&self, before: &[OsString]) -> anyhow::Result<Child> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut command = self.command(before);
        command.args(["serve", "--fixtures", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(log);
        command.spawn().with_context(|| format!("{} cannot be started", self.binary.display()))
    }

    /// Starts the program and waits for the line that says that it listens.
    pub(crate) async fn start(&self) -> anyhow::Result<Server> {
        self.start_under(&[]).await
    }

    /// The same, started by another program.
    pub(crate) async fn start_under(&self, before: &[OsString]) -> anyhow::Result<Server> {
        let begun = Instant::now();
        let mut child = self.spawn(before)?;
        let output = child.stdout.take().context("its output cannot be read")?;
        let mut output = BufReader::new(output).lines();
        let line = timeout(START, output.next_line()).await.context("it did not listen within 60 s")??;
        let Some(line) = line else {
            let status = child.wait().await?;
            bail!("it ended instead of listening ({status}); its log is {}", self.log.display());
        };
        let host = line.strip_prefix("Jarvis listens on http://");
        let host = host.with_context(|| format!("its first line was `{line}`"))?.to_owned();
        Ok(Server { child, host, took: begun.elapsed(), _output: output })
    }

    /// `jarvis audit verify --json`: whether the program itself finds its audit whole, and its words.
    pub(crate) async fn verify(&self) -> anyhow::Result<(bool, Value)> {
        let mut command = self.command(&[]);
        let output = command.args(["audit", "verify", "--json"]).output().await?;
        let report: Value = serde_json::from_slice(&output.stdout).with_context(|| {
            format!("`audit verify` said no JSON ({}): {}", output.status, String::from_utf8_lossy(&output.stderr))
        })?;
        let whole = report.get("ok") == Some(&Value::Bool(true));
        if whole != output.status.success() {
            bail!("`audit verify` ended with {} and said {report}", output.status);
        }
        Ok((whole, report))
    }
}

impl Server {
    /// Id of its process.
    pub(crate) fn id(&self) -> anyhow::Result<u32> {
        self.child.id().context("it has ended already")
    }

    /// Kill -9, and waits until it is gone.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("it cannot be killed")
    }

    /// Asks it to end (SIGTERM), and returns at once.
    pub(crate) async fn ask_to_end(&self) -> anyhow::Result<()> {
        let id = self.id()?.to_string();
        let status = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &id]).status().await?;
        if status.success() { Ok(()) } else { bail!("it cannot be asked to end ({status})") }
    }

    /// Asks it to end and waits for that.
    pub(crate) async fn end(mut self) -> anyhow::Result<ExitStatus> {
        self.ask_to_end().await?;
        timeout(END, self.child.wait()).await.context("it did not end within 40 s")?.context("it cannot be waited for")
    }
}
