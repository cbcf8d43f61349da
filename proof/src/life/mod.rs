//! One data directory: begun, killed again and again, compared after each start, and ended in good order.

pub(crate) mod check;
pub(crate) mod ledger;
pub(crate) mod load;
pub(crate) mod seen;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use self::check::Check;
use self::ledger::Ledger;
use self::load::{Client, People};
use self::seen::Seen;
use crate::book;
use crate::chain::Key;
use crate::chance::Chance;
use crate::disk::Disk;
use crate::report::{Kind, Violation};
use crate::seal::Seal;
use crate::server::{House, PASSWORD, Server};
use crate::wire::{Ask, Reply, Wire};

/// Tokens whose holders call.
const TOKENS: usize = 4;
/// Longest that clients may take to see that the program is gone.
const PARTING: Duration = Duration::from_secs(20);
/// Longest that an approved call may take after a start, in seconds.
const EXECUTION: u32 = 40;

/// What makes some paths ask.
const POLICY: &str = r#"[[rule]]
name = "asked ones ask"
tool = "file_write"
when = { path = "asked-*" }
then = "ask"
refused = [{ tool = "file_write", args = { path = "asked-1" } }]
"#;

/// What a comparison counted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counted {
    pub(crate) doubts: u64,
    pub(crate) stopped: u64,
    pub(crate) voided: u64,
    /// Reads of the default mode that a power cut took, and how old the oldest of them was.
    pub(crate) late: (u64, Duration),
}

/// A data directory and everything that was told about it.
pub(crate) struct Life {
    pub(crate) house: House,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) people: Arc<People>,
    seen: Option<Seen>,
    /// Green calls and refusals that were compared.
    pub(crate) checked: (usize, usize),
    /// How reads are kept, as was acknowledged.
    pub(crate) reads: &'static str,
    sealed: i64,
    /// The disk below the data directory, where power is cut instead of killing.
    pub(crate) disk: Option<Disk>,
    /// A sabotage: reads are held to the strict promise although the program was not told to be strict.
    pub(crate) believed_strict: bool,
    /// When it was cut last.
    cut: Option<Instant>,
    /// Every start, in milliseconds.
    pub(crate) starts: Vec<u64>,
}

impl Life {
    /// An empty data directory under `work`, or on a disk of its own there with so many MiB.
    pub(crate) async fn begin(binary: PathBuf, work: &Path, name: &str, mib: Option<u64>) -> anyhow::Result<Self> {
        let disk = match mib {
            Some(mib) => Some(Disk::new(work, &format!("{name}-disk"), mib).await?),
            None => None,
        };
        let data = disk.as_ref().map_or(work, Disk::path).join(name);
        DirBuilder::new().recursive(true).mode(0o700).create(data.join("files/quiet"))?;
        std::fs::write(data.join("policy.toml"), POLICY)?;
        if let Some(disk) = &disk {
            disk.sync().await?;
        }
        Ok(Self {
            house: House { binary, log: work.join(format!("{name}.log")), data },
            ledger: Arc::default(),
            people: Arc::default(),
            seen: None,
            checked: (0, 0),
            reads: "wal",
            sealed: 0,
            disk,
            believed_strict: false,
            cut: None,
            starts: Vec::new(),
        })
    }

    /// Starts the program; or says that it does not start.
    pub(crate) async fn start(&mut self) -> Result<Server, Violation> {
        match self.house.start().await {
            Ok(server) => {
                self.starts.push(u64::try_from(server.took.as_millis()).unwrap_or(u64::MAX));
                Ok(server)
            }
            Err(error) => Err(Violation::new(Kind::NoStart, format!("{error:#}"))),
        }
    }

    /// Kills the program while it starts.
    pub(crate) async fn kill_at_start(&self, chance: &mut Chance) -> anyhow::Result<()> {
        let usual = self.starts.last().copied().unwrap_or(300);
        let mut child = self.house.spawn(&[])?;
        sleep(chance.time(Duration::ZERO, Duration::from_millis(usual))).await;
        if let Some(disk) = &self.disk {
            disk.cut().await?;
        }
        child.kill().await?;
        if let Some(disk) = &self.disk {
            disk.restore().await?;
        }
        Ok(())
    }

    /// The operator signs in, makes the clients' tokens, and says how reads are kept.
    pub(crate) async fn furnish(&mut self, host: &str, chance: &mut Chance) -> anyhow::Result<()> {
        let key = std::fs::read(self.house.data.join("keys/audit.key"))?;
        self.seen = Some(Seen::new(Key::new(&key)?));
        let mut wire = Wire::connect(host).await?;
        let body = json!({ "password": PASSWORD, "bearer": true });
        let operator = wire.ask(Ask::post("/api/session", "", Some(body))).await?;
        let operator = granted(&operator)?;
        let mut tokens = Vec::new();
        for number in 0..TOKENS {
            let body = json!({ "name": format!("client {number}"), "ceiling": "yellow", "scopes": [] });
            let token = wire.ask(Ask::post("/api/tokens", &operator, Some(body))).await?;
            tokens.push((format!("token:{}", token.text("id")), granted(&token)?));
        }
        self.people = Arc::new(People { operator, tokens });
        if chance.percent(50) && !self.believed_strict {
            self.keep_reads(&mut wire, "fsync").await?;
        }
        Ok(())
    }

    async fn keep_reads(&mut self, wire: &mut Wire, reads: &'static str) -> anyhow::Result<()> {
        let secret = &self.people.operator;
        let mut settings = wire.ask(Ask::get("/api/settings", secret)).await?.body;
        settings["audit_reads"] = Value::from(reads);
        let reply = wire.ask(Ask::put("/api/settings", secret, settings)).await?;
        ensure!(reply.status == 200, "the settings were answered with {} {}", reply.status, reply.body);
        self.reads = reads;
        Ok(())
    }

    /// Lets clients loose on the program and kills it among them.
    pub(crate) async fn kill_under_load(
        &mut self,
        server: Server,
        chance: &mut Chance,
        least: Duration,
    ) -> anyhow::Result<()> {
        let count = chance.between(8, 65);
        let mut clients = self.clients(&server, chance, count)?;
        sleep(chance.time(least, Duration::from_millis(400))).await;
        if chance.percent(8) {
            self.ledger.state().may_refuse = true;
            server.ask_to_end().await?;
            sleep(chance.time(Duration::ZERO, Duration::from_millis(150))).await;
        }
        if let Some(disk) = &self.disk {
            self.ledger.state().may_refuse = true;
            self.cut = Some(Instant::now());
            disk.cut().await?;
            // The program does not know yet: what it acknowledges now it acknowledges wrongly.
            sleep(chance.time(Duration::ZERO, Duration::from_millis(30))).await;
        }
        kill_among(server, &mut clients).await?;
        self.ledger.state().may_refuse = false;
        match &self.disk {
            Some(disk) => disk.restore().await,
            None => Ok(()),
        }
    }

    /// So many clients, let loose on the program.
    pub(crate) fn clients(&self, server: &Server, chance: &mut Chance, count: u64) -> anyhow::Result<JoinSet<()>> {
        let mut clients = JoinSet::new();
        for number in 0..count {
            let client = Client {
                host: server.host.clone(),
                ledger: Arc::clone(&self.ledger),
                people: Arc::clone(&self.people),
                actor: usize::try_from(number)? % TOKENS,
                // Writes would bring reads to the disk with them.
                reader: number.is_multiple_of(3) || self.believed_strict,
                chance: chance.fork(),
            };
            clients.spawn(client.run());
        }
        Ok(clients)
    }

    /// Compares what is there after a start with what was told: what changed since the last time, or everything.
    pub(crate) async fn compare(
        &mut self,
        host: &str,
        all: bool,
        found: &mut Vec<Violation>,
    ) -> anyhow::Result<Counted> {
        let mut wire = Wire::connect(host).await?;
        self.settle(&mut wire, found).await?;
        self.compare_settings(&mut wire, found).await?;
        let mut seen = self.seen.take().context("nothing was told yet")?;
        if all {
            seen = seen.anew();
            self.compare_log(found)?;
        }
        // The seal first: whatever it vouches for must be there when the rows are read.
        let seal = Seal::read(&self.house.data)?;
        let snapshot = book::snapshot(&self.house.data, seen.walk.seq, seal.seq).await?;
        found.extend(seal.check(seen.key(), &self.house.data, snapshot.sealed.as_deref()));
        if seal.seq < self.sealed && self.disk.is_none() {
            let what = format!("the seal went back from row {} to row {}", self.sealed, seal.seq);
            found.push(Violation::new(Kind::Seal, what));
        }
        self.sealed = seal.seq;
        seen.take(snapshot, found);
        let mut check = Check::new(&self.house.data, &seen);
        check.cut = self.cut.filter(|_| self.reads == "wal" && !self.believed_strict);
        {
            let mut state = self.ledger.state();
            let (greens, refusals) = if all { (0, 0) } else { self.checked };
            check.state(&mut state, greens, refusals, all);
            self.checked = (state.greens.len(), state.refusals.len());
        }
        let counted = Counted { doubts: check.doubts, stopped: check.stopped, voided: check.voided, late: check.late };
        found.append(&mut check.found);
        self.seen = Some(seen);
        Ok(counted)
    }

    /// A panic is a defect even where nothing was lost by it.
    fn compare_log(&self, found: &mut Vec<Violation>) -> anyhow::Result<()> {
        let log = std::fs::read(&self.house.log)?;
        let log = String::from_utf8_lossy(&log);
        found
            .extend(log.lines().filter(|line| line.contains("panicked")).map(|line| Violation::new(Kind::Panic, line)));
        Ok(())
    }

    /// Waits until what was approved before the kill has run.
    async fn settle(&self, wire: &mut Wire, found: &mut Vec<Violation>) -> anyhow::Result<()> {
        for card in book::under_way(&self.house.data).await? {
            let asker = self.people.tokens.iter().find(|(id, _)| *id == card.actor);
            let (_, secret) = asker.with_context(|| format!("nobody here is {}", card.actor))?;
            let path = format!("/api/approvals/{}", card.id);
            let reply = wire.ask(Ask::get(&path, secret).wait(EXECUTION)).await?;
            if matches!(reply.text("state"), "approved" | "running" | "") {
                let what = format!("{} was approved and has not run {EXECUTION} s after the start", card.id);
                found.push(Violation::new(Kind::LostDecision, what));
            }
        }
        Ok(())
    }

    async fn compare_settings(&self, wire: &mut Wire, found: &mut Vec<Violation>) -> anyhow::Result<()> {
        let reply = wire.ask(Ask::get("/api/settings", &self.people.operator)).await?;
        if reply.status != 200 || reply.text("audit_reads") != self.reads {
            let what = format!("reads were set to `{}`; now: {} {}", self.reads, reply.status, reply.body);
            found.push(Violation::new(Kind::LostSetting, what));
        }
        Ok(())
    }

    /// The program looks at its audit itself, and must come to the same end.
    pub(crate) async fn verify(&self, found: &mut Vec<Violation>) -> anyhow::Result<()> {
        let (whole, report) = self.house.verify().await?;
        if !whole {
            found.push(Violation::new(Kind::Verify, format!("`jarvis audit verify` says {}", report["faults"])));
        } else if found.iter().any(|violation| matches!(violation.kind, Kind::Chain | Kind::Seal)) {
            found.push(Violation::new(Kind::Untrue, "`jarvis audit verify` finds whole what is not".to_owned()));
        }
        Ok(())
    }

    /// Ends the program in good order, and looks whether its audit is whole without it.
    pub(crate) async fn end(&self, server: Server, found: &mut Vec<Violation>) -> anyhow::Result<()> {
        match server.end().await {
            Ok(status) if status.success() => {}
            Ok(status) => found.push(Violation::new(Kind::NoStart, format!("asked to end, it ended with {status}"))),
            Err(error) => found.push(Violation::new(Kind::NoStart, format!("asked to end: {error:#}"))),
        }
        self.verify(found).await
    }

    /// Drafts that a kill left beside the files.
    pub(crate) fn drafts(&self) -> usize {
        let Ok(entries) = std::fs::read_dir(self.house.data.join("files")) else { return 0 };
        let names = entries.filter_map(Result::ok).map(|entry| entry.file_name());
        names.filter(|name| name.to_string_lossy().starts_with(".jarvis-")).count()
    }

    /// Changes how reads are kept.
    pub(crate) async fn change_reads(&mut self, host: &str) -> anyhow::Result<()> {
        let other = if self.reads == "wal" { "fsync" } else { "wal" };
        self.keep_reads(&mut Wire::connect(host).await?, other).await
    }

    /// Ends with the data directory.
    pub(crate) async fn remove(self) -> anyhow::Result<()> {
        std::fs::remove_dir_all(&self.house.data)?;
        std::fs::remove_file(&self.house.log)?;
        match self.disk {
            Some(disk) => disk.remove().await,
            None => Ok(()),
        }
    }

    /// The audit, as far as it was read.
    pub(crate) fn seen(&self) -> anyhow::Result<&Seen> {
        self.seen.as_ref().context("nothing was told yet")
    }
}

/// Kills the program, and waits until every client has seen that.
pub(crate) async fn kill_among(server: Server, clients: &mut JoinSet<()>) -> anyhow::Result<()> {
    server.kill().await?;
    let gone = timeout(PARTING, async { while clients.join_next().await.is_some() {} }).await;
    gone.context("clients still wait for a program that was killed")
}

/// The secret in an answer.
fn granted(reply: &Reply) -> anyhow::Result<String> {
    let secret = reply.text("secret");
    ensure!(!secret.is_empty(), "no secret was granted: {} {}", reply.status, reply.body);
    Ok(secret.to_owned())
}
