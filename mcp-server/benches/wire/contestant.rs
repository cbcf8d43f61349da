//! A server that is measured: a process of its own, ended when it is let go.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};

pub(crate) struct Server {
    process: Child,
    pub(crate) address: String,
}

impl Server {
    /// Starts a server that prints where it listens.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut server = Self { process, address: String::new() };
        let line = lines.find_map(|line| line.ok().filter(|line| line.contains("http://")));
        let line = line.expect("the server ended before it listened; its own words stand above");
        line.split("http://").nth(1).unwrap().split(['/', ' ']).next().unwrap().clone_into(&mut server.address);
        std::thread::spawn(move || lines.for_each(drop));
        server
    }

    /// Starts a server that is known to listen there.
    pub(crate) fn start_at(command: &mut Command, address: String) -> Self {
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        Self { process, address }
    }

    /// Whether it still runs.
    pub(crate) fn lives(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// CPU time so far of all threads that live. The kernel's sum for the process counts in hundredths of a second, too
    /// coarse for a short round, and no thread of these servers ends within one.
    pub(crate) fn cpu(&self) -> Duration {
        let mut nanos = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap() {
            let text = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap_or_default();
            nanos += text.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok()).unwrap_or(0);
        }
        Duration::from_nanos(nanos)
    }

    /// Resident memory, in MiB.
    pub(crate) fn resident(&self) -> f64 {
        self.kilobytes("smaps_rollup", "Rss:")
    }

    /// Resident memory, each page shared among those who hold it, in MiB.
    pub(crate) fn proportional(&self) -> f64 {
        self.kilobytes("smaps_rollup", "Pss:")
    }

    fn kilobytes(&self, file: &str, field: &str) -> f64 {
        let text = self.told(file);
        let line = text.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }

    fn told(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.process.id())).unwrap()
    }

    /// Ends it in good order.
    pub(crate) fn stop(mut self) {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, Signal::TERM).unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A new directory of the benchmark's own, on the disk that is built on. Gone when it is let go.
pub(crate) fn directory() -> tempfile::TempDir {
    std::fs::create_dir_all(work()).unwrap();
    tempfile::tempdir_in(work()).unwrap()
}

/// Where the benchmark keeps its own.
pub(crate) fn work() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench")
}
