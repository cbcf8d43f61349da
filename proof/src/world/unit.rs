//! Services of a real host with systemd. Each writes itself what becomes of it, so the books do not depend on systemd's
//! word either.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use anyhow::{Context as _, ensure};

use super::ledger::Deed;

/// Where the units of a proof lie, and the book that they write, as the host has it.
const UNITS: &str = "run/systemd/system";
const BOOK: &str = "run/proof-units.book";

/// The host. Only one proof at a time has units there; dropped, they are gone.
pub(crate) struct Units {
    /// Address of its bus.
    pub(crate) bus: String,
    exec: String,
    root: PathBuf,
    names: Vec<String>,
    /// Lines of the book that were read.
    read: usize,
    _turn: File,
}

impl Units {
    /// Nothing where there is no such host. Waits until no other proof has units there.
    pub(crate) fn here() -> anyhow::Result<Option<Self>> {
        let part = |name| std::env::var(name).ok();
        let parts = (part("JARVIS_TEST_DBUS"), part("JARVIS_TEST_HOST_EXEC"), part("JARVIS_TEST_HOST_ROOT"));
        let (Some(bus), Some(exec), Some(root)) = parts else { return Ok(None) };
        let root = PathBuf::from(root);
        let turn = File::create(root.join("run/proof-units.turn")).context("the host's files cannot be written")?;
        turn.lock()?;
        std::fs::write(root.join(BOOK), "")?;
        std::fs::create_dir_all(root.join(UNITS))?;
        Ok(Some(Self { bus, exec, root, names: Vec::new(), read: 0, _turn: turn }))
    }

    /// Makes a service that nobody has loaded yet.
    pub(crate) fn make(&mut self, name: &str, description: &str) -> anyhow::Result<()> {
        let description = description.replace('%', "%%");
        let unit = format!(
            "[Unit]\nDescription={description}\n\n[Service]\nExecStartPre=/bin/sh -c 'echo start %n >>/{BOOK}'\n\
             ExecStart=/bin/sleep infinity\nExecStopPost=/bin/sh -c 'echo stop %n >>/{BOOK}'\n"
        );
        std::fs::write(self.root.join(UNITS).join(format!("{name}.service")), unit)?;
        self.names.push(name.to_owned());
        Ok(())
    }

    /// Puts a service up or down, as whoever owns the host can.
    pub(crate) fn put(&mut self, name: &str, up: bool) -> anyhow::Result<()> {
        self.systemctl(&[if up { "start" } else { "stop" }, &format!("{name}.service")])?;
        self.news()?;
        Ok(())
    }

    /// What became of the services since it was asked last.
    pub(crate) fn news(&mut self) -> anyhow::Result<Vec<(SystemTime, Deed)>> {
        let book = self.root.join(BOOK);
        let at = book.metadata()?.modified()?;
        let text = std::fs::read_to_string(book)?;
        let mut news: Vec<(SystemTime, Deed)> = Vec::new();
        for (verb, name) in text.lines().skip(self.read).filter_map(|line| line.split_once(' ')) {
            let stopped = news.iter().position(|(_, deed)| deed.tool == "service_stop" && deed.thing == name);
            let tool = match (verb, stopped) {
                ("start", Some(stopped)) => {
                    news.remove(stopped);
                    "service_restart"
                }
                ("start", None) => "service_start",
                _ => "service_stop",
            };
            news.push((at, Deed::new(tool, name)));
        }
        self.read = text.lines().count();
        Ok(news)
    }

    fn systemctl(&self, words: &[&str]) -> anyhow::Result<()> {
        let mut exec = self.exec.split_whitespace();
        let program = exec.next().context("there is no way into the host")?;
        let mut command = Command::new(program);
        let output = command.args(exec).arg("systemctl").args(words).stdin(Stdio::null()).output()?;
        ensure!(output.status.success(), "systemctl {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

impl Drop for Units {
    fn drop(&mut self) {
        let names: Vec<_> = self.names.iter().map(|name| format!("{name}.service")).collect();
        if !names.is_empty() {
            let words: Vec<_> = std::iter::once("stop").chain(names.iter().map(String::as_str)).collect();
            let _ = self.systemctl(&words);
        }
        for name in &names {
            let _ = std::fs::remove_file(self.root.join(UNITS).join(name));
        }
        let _ = std::fs::remove_file(self.root.join(BOOK));
        let _ = self.systemctl(&["daemon-reload"]);
    }
}
