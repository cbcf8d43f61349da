//! The program under test, with its fixtures, on a data directory of its own.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Password of an operator who exists for one run.
const PASSWORD: &str = "conformance of one run";

/// A running server; dropped, it ends.
pub(super) struct Server {
    program: PathBuf,
    data: PathBuf,
    child: Child,
    address: String,
}

impl Server {
    /// Starts it on a port of its own choice. What it logs goes beside its data.
    pub(super) fn start(program: &Path, data: &Path) -> Result<Self, String> {
        let log = std::fs::File::create(data.with_extension("log")).map_err(|error| error.to_string())?;
        let mut child = Command::new(program)
            .args(["serve", "--fixtures", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .env("JARVIS_OPERATOR_PASSWORD", PASSWORD)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("{} could not be started: {error}", program.display()))?;
        let mut first = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut first).map_err(|error| error.to_string())?;
        }
        let address = first.trim_end().strip_prefix("Jarvis listens on http://").map(str::to_owned);
        let mut server = Self { program: program.to_owned(), data: data.to_owned(), child, address: String::new() };
        server.address = address.ok_or_else(|| {
            let told = std::fs::read_to_string(data.with_extension("log")).unwrap_or_default();
            format!("jarvis did not start: {first}{told}")
        })?;
        Ok(server)
    }

    /// Host and port.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// A token of a client that may do everything it is asked for.
    pub(super) fn token(&self) -> Result<String, String> {
        let made = Command::new(&self.program)
            .args(["token", "create", "conformance", "--ceiling", "yellow"])
            .env("JARVIS_DATA", &self.data)
            .env("JARVIS_OPERATOR_PASSWORD", PASSWORD)
            .env_remove("JARVIS_URL")
            .env_remove("JARVIS_TOKEN")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| error.to_string())?;
        let secret = String::from_utf8_lossy(&made.stdout).trim().to_owned();
        if made.status.success() && !secret.is_empty() {
            return Ok(secret);
        }
        Err(format!("no token was made: {}", String::from_utf8_lossy(&made.stderr)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
