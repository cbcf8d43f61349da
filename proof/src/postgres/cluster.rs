//! A PostgreSQL of our own, as anybody runs it: a new cluster, its own port and password, fsync on.
//!
//! It is started as the user `postgres`, because it refuses root. A warden ends and removes it as soon as this program is
//! gone, however it went: it waits for the end of a pipe that only this program holds.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use sqlx::{AssertSqlSafe, Connection as _};
use tokio::process::Command;
use tokio::time::sleep;

use crate::book::Book;
use crate::chance::Chance;

/// Where Debian and others put the programs, by version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// Ports that no system hands out by itself, so that one can be left and taken again.
pub(super) const PORTS: (u64, u64) = (20_000, 32_000);
/// Another process may hold the port that was thrown.
const TRIES: u32 = 8;
/// Longest that the server may take until it can be asked again.
const READY: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

/// What the warden does.
const WARDEN: &str = r#"trap '' INT TERM HUP
cd /
cat >/dev/null
runuser -u postgres -- "$1/pg_ctl" -D "$2/data" -m immediate -t 20 stop >/dev/null 2>&1
case $2 in */jarvis-proof.*) rm -rf --one-file-system "$2" ;; esac"#;

/// How the server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// In good order: it writes everything down, and lets its clients go.
    Fast,
    /// At once: the next start recovers from its log, as after a crash.
    Immediate,
}

/// The server.
pub(super) struct Cluster {
    programs: PathBuf,
    directory: PathBuf,
    pub(super) port: u16,
    password: String,
    warden: Child,
}

/// What is not here and would be needed, if anything is not.
pub(super) fn missing() -> Option<&'static str> {
    let works = |words: &str| {
        std::process::Command::new("sh").args(["-c", words]).output().is_ok_and(|done| done.status.success())
    };
    if !works("test \"$(id -u)\" = 0") {
        return Some("root");
    }
    (programs().is_none() || !works("runuser -u postgres -- true")).then_some("PostgreSQL")
}

/// The programs of the newest version.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir(VERSIONS).ok()?.filter_map(Result::ok);
    let numbered = versions.filter_map(|entry| {
        let number: f64 = entry.file_name().to_str()?.parse().ok()?;
        let programs = entry.path().join("bin");
        programs.join("pg_ctl").exists().then_some((number, programs))
    });
    numbered.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, programs)| programs)
}

impl Cluster {
    /// A new one, which runs.
    pub(super) async fn new(chance: &mut Chance) -> anyhow::Result<Self> {
        let programs = programs().context("there is no PostgreSQL")?;
        let template = std::env::temp_dir().join("jarvis-proof.XXXXXXXX");
        let made = as_server(Path::new("mktemp"), &["-d", &template.to_string_lossy()]).await?;
        let directory = PathBuf::from(made.trim());
        let warden = std::process::Command::new("sh")
            .args(["-c", WARDEN, "warden"])
            .args([&programs, &directory])
            .stdin(Stdio::piped())
            .spawn()
            .context("the warden cannot be started")?;
        let password = format!("{:016x}{:016x}", getrandom::u64()?, getrandom::u64()?);
        let mut cluster = Self { programs, directory, port: 0, password, warden };
        cluster.prepare().await?;
        for _ in 0..TRIES {
            cluster.port = u16::try_from(chance.between(PORTS.0, PORTS.1))?;
            if cluster.start().await.is_ok() {
                return Ok(cluster);
            }
        }
        bail!("PostgreSQL does not start: {}", std::fs::read_to_string(cluster.directory.join("log"))?);
    }

    async fn prepare(&self) -> anyhow::Result<()> {
        let password = self.directory.join("password");
        std::fs::write(&password, &self.password)?;
        let (data, file) = (self.data(), format!("--pwfile={}", password.display()));
        let words = ["-D", &data, "-U", "jarvis", "--auth=scram-sha-256", &file, "--encoding=UTF8", "--locale=C.UTF-8"];
        as_server(&self.programs.join("initdb"), &words).await.map(|_| ())
    }

    fn data(&self) -> String {
        self.directory.join("data").display().to_string()
    }

    async fn control(&self, words: &[&str]) -> anyhow::Result<()> {
        let (data, log) = (self.data(), self.directory.join("log").display().to_string());
        let common = ["-D", &data, "-l", &log, "-w", "-t", "60"];
        as_server(&self.programs.join("pg_ctl"), &[&common[..], words].concat()).await.map(|_| ())
    }

    /// Starts it.
    pub(super) async fn start(&self) -> anyhow::Result<()> {
        let port = self.port;
        let settings = format!("-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=on");
        self.control(&["start", "-o", &settings]).await
    }

    /// Stops it.
    pub(super) async fn stop(&self, how: Stop) -> anyhow::Result<()> {
        self.control(&["stop", "-m", if how == Stop::Fast { "fast" } else { "immediate" }]).await
    }

    /// The database of this name, at an address of the server or of whoever stands before it.
    pub(super) fn address(&self, port: u16, name: &str) -> String {
        format!("postgres://jarvis:{}@127.0.0.1:{port}/{name}", self.password)
    }

    pub(super) fn book(&self, name: &str) -> Book {
        Book::Server(self.address(self.port, name))
    }

    /// Carries out statements that have no answer.
    pub(super) async fn say(&self, database: &str, sql: &str) -> anyhow::Result<()> {
        let mut connection = self.book(database).open_to_break().await?;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.with_context(|| format!("`{sql}` failed"))?;
        Ok(connection.close().await?)
    }

    /// Processes of the server that serve the program, in no order that means anything.
    pub(super) async fn backends(&self) -> anyhow::Result<Vec<i64>> {
        let sql = "select pid from pg_stat_activity where application_name = 'jarvis'";
        let mut connection = self.book("postgres").open_to_break().await?;
        let found: Vec<i64> = sqlx::query_scalar(sql).fetch_all(&mut connection).await?;
        connection.close().await?;
        Ok(found)
    }

    /// Waits until it can be asked.
    pub(super) async fn ready(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            match self.say("postgres", "select 1").await {
                Ok(()) => return Ok(()),
                Err(error) if begun.elapsed() > READY => {
                    return Err(error.context("PostgreSQL is not ready after 60 s"));
                }
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// Writes a database down, to be looked at.
    pub(super) async fn dump(&self, name: &str, to: &Path) -> anyhow::Result<()> {
        let address = self.address(self.port, name);
        let done = Command::new(self.programs.join("pg_dump")).arg("-f").arg(to).arg(address).output().await?;
        ensure!(done.status.success(), "pg_dump failed: {}", String::from_utf8_lossy(&done.stderr));
        std::fs::copy(self.directory.join("log"), to.with_extension("log"))?;
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.warden.stdin.take());
        // It says nothing, and ends within the 20 s that it gives the server.
        let _ = self.warden.wait();
    }
}

/// Runs a program as the user who may run PostgreSQL, and answers what it said.
async fn as_server(program: &Path, words: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(program).args(words).current_dir("/").stdin(Stdio::null());
    let done = command.output().await.context("runuser cannot be started")?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure!(
        done.status.success(),
        "`{} {}` failed: {}{}",
        program.display(),
        words.join(" "),
        said(&done.stdout),
        said(&done.stderr)
    );
    Ok(said(&done.stdout))
}
