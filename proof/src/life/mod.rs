//! One data directory, or several on one database: begun, killed again and again, compared after each start, and ended in
//! good order.

pub(crate) mod check;
mod copy;
pub(crate) mod job;
pub(crate) mod kill;
pub(crate) mod ledger;
pub(crate) mod load;
pub(crate) mod seen;
mod shared;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::time::sleep;

use self::check::Check;
use self::ledger::{Ledger, Open};
use self::load::People;
use self::seen::Seen;
use crate::book::{Book, JobRow, Snapshot};
use crate::chain::Key;
use crate::chance::Chance;
use crate::disk::Disk;
use crate::report::{Kind, Violation};
use crate::seal::Seal;
use crate::server::{Clock, House, PASSWORD, Server};
use crate::wire::{Ask, Reply, Wire};

/// Tokens whose holders call.
const TOKENS: usize = 4;
/// Longest that an approved call may take after a start, in seconds.
const EXECUTION: u32 = 40;

/// Longest that jobs may go on after a start until what they do is compared, and longest until all have ended.
const JOBS_REST: Duration = Duration::from_secs(5);
const JOBS_END: Duration = Duration::from_secs(120);
/// Pause between two looks at them.
const JOBS_LOOK: Duration = Duration::from_millis(15);

/// Pause between two looks at jobs without a change after which nothing is being done about them, where a replica that is
/// gone may hold some.
const JOBS_QUIET: Duration = Duration::from_millis(300);

/// Longest that a living replica may carry a call while nobody calls.
const REST: Duration = Duration::from_secs(20);

/// What makes some paths ask.
const POLICY: &str = r#"[[rule]]
name = "asked ones ask"
tool = "file_write"
when = { path = "{folder}asked-*" }
then = "ask"
refused = [{ tool = "file_write", args = { path = "{folder}asked-1" } }]
"#;

/// What a comparison counted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counted {
    pub(crate) doubts: u64,
    pub(crate) stopped: u64,
    pub(crate) voided: u64,
    pub(crate) given_up: u64,
    pub(crate) turned_down: u64,
    /// Reads of the default mode that a power cut took, and how old the oldest of them was.
    pub(crate) late: (u64, Duration),
}

impl Counted {
    /// Adds all but what is late, which is seen only once.
    pub(crate) const fn add(&mut self, other: Self) {
        self.doubts += other.doubts;
        self.stopped += other.stopped;
        self.voided += other.voided;
        self.given_up += other.given_up;
        self.turned_down += other.turned_down;
    }

    /// Adds reads that are late.
    pub(crate) fn late(&mut self, late: (u64, Duration)) {
        self.late = (self.late.0 + late.0, self.late.1.max(late.1));
    }
}

/// A data directory and everything that was told about it.
pub(crate) struct Life {
    pub(crate) house: House,
    /// Others on the same database.
    pub(crate) beside: Vec<House>,
    pub(crate) book: Book,
    /// Replicas that live, by the names that the database has of them.
    pub(crate) alive: Vec<String>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) people: Arc<People>,
    seen: Option<Seen>,
    /// Green calls and refusals that were compared.
    pub(crate) checked: (usize, usize),
    /// How reads are kept, as was acknowledged.
    pub(crate) reads: &'static str,
    /// What each seal vouched for.
    sealed: Vec<i64>,
    /// The disk below the data directory, where power is cut instead of killing.
    pub(crate) disk: Option<Disk>,
    /// A sabotage: reads are held to the strict promise although the program was not told to be strict.
    pub(crate) believed_strict: bool,
    /// When it was cut last.
    pub(super) cut: Option<Instant>,
    /// Whether its disk, or its database, fails now and then.
    pub(crate) disk_fails: bool,
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
        furnished(&data, "")?;
        if let Some(disk) = &disk {
            disk.sync().await?;
        }
        let house = House { binary, log: work.join(format!("{name}.log")), data, clock: None };
        Ok(Self { disk, ..Self::of(house) })
    }

    fn of(house: House) -> Self {
        Self {
            book: Book::of(&house.data),
            house,
            beside: Vec::new(),
            alive: Vec::new(),
            ledger: Arc::default(),
            people: Arc::default(),
            seen: None,
            checked: (0, 0),
            reads: "wal",
            sealed: Vec::new(),
            disk: None,
            believed_strict: false,
            cut: None,
            disk_fails: false,
            starts: Vec::new(),
        }
    }

    /// All data directories.
    pub(crate) fn houses(&self) -> impl Iterator<Item = &House> {
        std::iter::once(&self.house).chain(&self.beside)
    }

    /// Starts the program; or says that it does not start.
    pub(crate) async fn start(&mut self) -> Result<Server, Violation> {
        let house = self.house.clone();
        self.start_in(&house).await
    }

    /// Starts it in one of several houses.
    pub(crate) async fn start_in(&mut self, house: &House) -> Result<Server, Violation> {
        match house.start().await {
            Ok(server) => {
                self.starts.push(u64::try_from(server.took.as_millis()).unwrap_or(u64::MAX));
                Ok(server)
            }
            Err(error) => Err(Violation::new(Kind::NoStart, format!("{error:#}"))),
        }
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
            let body = json!({ "name": format!("client {number}"), "ceiling": "yellow" });
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

    /// Compares what is there after a start with what was told: what changed since the last time, or everything.
    pub(crate) async fn compare(
        &mut self,
        host: &str,
        all: bool,
        found: &mut Vec<Violation>,
    ) -> anyhow::Result<Counted> {
        let mut wire = Wire::connect(host).await?;
        self.settle(&mut wire, all, found).await?;
        self.settle_jobs(&mut wire, all).await?;
        self.compare_settings(&mut wire, found).await?;
        let mut seen = self.seen.take().context("nothing was told yet")?;
        if all {
            seen = seen.anew();
            self.compare_log(found)?;
        }
        let (seals, snapshot) = self.at_rest(seen.walk.seq).await?;
        let sealed: Vec<_> = seals.iter().map(|seal| seal.seq).collect();
        for ((seal, row), house) in seals.iter().zip(&snapshot.sealed).zip(self.houses()) {
            found.extend(seal.check(seen.key(), &house.data, row.as_deref()));
        }
        for (before, now) in self.sealed.iter().zip(&sealed).filter(|(before, now)| now < before) {
            if self.disk.is_none() {
                let what = format!("the seal went back from row {before} to row {now}");
                found.push(Violation::new(Kind::Seal, what));
            }
        }
        self.sealed = sealed;
        // At the end nothing is left to a replica that is gone.
        seen.take(snapshot, (!all).then_some(&*self.alive), found);
        let mut check = Check::new(&self.house.data, &seen);
        check.disk_failed = self.disk_fails;
        check.cut = self.cut.take().filter(|_| self.reads == "wal" && !self.believed_strict);
        {
            let mut state = self.ledger.state();
            let (greens, refusals) = if all { (0, 0) } else { self.checked };
            check.state(&mut state, greens, refusals, all);
            self.checked = (state.greens.len(), state.refusals.len());
        }
        let counted = Counted {
            doubts: check.doubts,
            stopped: check.stopped,
            voided: check.voided,
            given_up: check.given_up,
            turned_down: check.turned_down,
            late: check.late,
        };
        found.append(&mut check.found);
        self.seen = Some(seen);
        Ok(counted)
    }

    /// The seals, and the database once no replica that lives carries anything; one may just have taken over what another
    /// had begun. What it carries for longer is told by the comparison.
    async fn at_rest(&self, seq: i64) -> anyhow::Result<(Vec<Seal>, Snapshot)> {
        let begun = Instant::now();
        loop {
            // The seals first: whatever they vouch for must be there when the rows are read.
            let seals = self.houses().map(|house| Seal::read(&house.data)).collect::<Result<Vec<_>, _>>()?;
            let sealed: Vec<_> = seals.iter().map(|seal| seal.seq).collect();
            let snapshot = self.book.snapshot(seq, &sealed).await?;
            if !snapshot.is_carried(&self.alive) || begun.elapsed() > REST {
                return Ok((seals, snapshot));
            }
            sleep(JOBS_LOOK).await;
        }
    }

    /// A panic is a defect even where nothing was lost by it.
    fn compare_log(&self, found: &mut Vec<Violation>) -> anyhow::Result<()> {
        for house in self.houses() {
            let log = std::fs::read(&house.log)?;
            let log = String::from_utf8_lossy(&log);
            let panics = log.lines().filter(|line| line.contains("panicked"));
            found.extend(panics.map(|line| Violation::new(Kind::Panic, line)));
        }
        Ok(())
    }

    /// Waits until what was approved before the kill has run.
    async fn settle(&self, wire: &mut Wire, all: bool, found: &mut Vec<Violation>) -> anyhow::Result<()> {
        let begun = Instant::now();
        for card in self.book.under_way().await? {
            if !all && card.carrier.as_ref().is_some_and(|carrier| !self.alive.contains(carrier)) {
                // Another replica goes on with it, but not yet.
                continue;
            }
            let asker = self.people.tokens.iter().find(|(id, _)| *id == card.actor);
            let (_, secret) = asker.with_context(|| format!("nobody here is {}", card.actor))?;
            let path = format!("/api/approvals/{}", card.id);
            // The time is that of all of them.
            let left = EXECUTION.saturating_sub(u32::try_from(begun.elapsed().as_secs())?).max(1);
            let reply = wire.ask(Ask::get(&path, secret).wait(left)).await?;
            if matches!(reply.text("state"), "approved" | "running" | "") {
                let what = format!("{} was approved and has not run {EXECUTION} s after the start", card.id);
                found.push(Violation::new(Kind::LostDecision, what));
            }
        }
        Ok(())
    }

    /// Waits until nothing is being done about jobs; at the end decides what waits for a person, and waits for all.
    async fn settle_jobs(&self, wire: &mut Wire, all: bool) -> anyhow::Result<()> {
        let begun = Instant::now();
        let longest = if all { JOBS_END } else { JOBS_REST };
        let (mut last, mut changed) = (Vec::new(), begun);
        loop {
            let open = self.book.open_jobs().await?;
            if open != last {
                (last, changed) = (open.clone(), Instant::now());
            }
            for job in open.iter().filter(|job| all && job.state == "waiting") {
                self.decide(wire, job).await?;
            }
            let rests = |job: &JobRow| !all && job.state == "waiting";
            // What does not come to its end is told by the comparison.
            let quiet = !all && !self.beside.is_empty() && changed.elapsed() > JOBS_QUIET;
            if open.iter().all(rests) || quiet || begun.elapsed() > longest {
                return Ok(());
            }
            sleep(JOBS_LOOK).await;
        }
    }

    /// Says yes to what a job waits for, if nobody has decided it.
    async fn decide(&self, wire: &mut Wire, job: &JobRow) -> anyhow::Result<()> {
        let card = job.card.clone().with_context(|| format!("{} waits for nothing", job.id))?;
        let open = Open { card, path: job.name.clone(), yes: true };
        let path = format!("/api/approvals/{}/approve", open.card);
        let sent = self.ledger.state().now();
        let reply = wire.ask(Ask::post(&path, &self.people.operator, None).wait(EXECUTION)).await?;
        // It has run already, and its job is about to hear of it.
        if reply.status != 409 {
            self.ledger.state().told_decision(&open, &reply, sent);
        }
        Ok(())
    }

    pub(crate) async fn compare_settings(&self, wire: &mut Wire, found: &mut Vec<Violation>) -> anyhow::Result<()> {
        let reply = wire.ask(Ask::get("/api/settings", &self.people.operator)).await?;
        if reply.status != 200 || reply.text("audit_reads") != self.reads {
            let what = format!("reads were set to `{}`; now: {} {}", self.reads, reply.status, reply.body);
            found.push(Violation::new(Kind::LostSetting, what));
        }
        Ok(())
    }

    /// The program looks at its audit itself, and must come to the same end.
    pub(crate) async fn verify(&self, found: &mut Vec<Violation>) -> anyhow::Result<()> {
        let mut all_whole = true;
        for house in self.houses() {
            let (whole, report) = house.verify().await?;
            if !whole {
                found.push(Violation::new(Kind::Verify, format!("`jarvis audit verify` says {}", report["faults"])));
            }
            all_whole &= whole;
        }
        if all_whole && found.iter().any(|violation| matches!(violation.kind, Kind::Chain | Kind::Seal)) {
            found.push(Violation::new(Kind::Untrue, "`jarvis audit verify` finds whole what is not".to_owned()));
        }
        Ok(())
    }

    /// Ends the program in good order, and looks whether its audit is whole without it.
    pub(crate) async fn end(&self, server: Server, found: &mut Vec<Violation>) -> anyhow::Result<()> {
        ended(server, found).await;
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
        for house in self.houses() {
            std::fs::remove_dir_all(&house.data)?;
            std::fs::remove_file(&house.log)?;
        }
        let folder = self.ledger.state().folder.clone();
        if !folder.is_empty() {
            std::fs::remove_dir_all(folder)?;
        }
        match self.disk {
            Some(disk) => disk.remove().await,
            None => Ok(()),
        }
    }

    /// Whether the newest row is from a time that has not come yet, as far as its clock was set last.
    pub(crate) fn is_ahead(&self) -> anyhow::Result<bool> {
        let clock = self.house.clock.as_ref().context("it has no clock of its own")?;
        let ahead = i64::try_from(Clock::LATEST)? * 1000;
        Ok(self.seen()?.walk.at >= i64::try_from(clock.set_at()?.as_millis())? + ahead)
    }

    /// The audit, as far as it was read.
    pub(crate) fn seen(&self) -> anyhow::Result<&Seen> {
        self.seen.as_ref().context("nothing was told yet")
    }
}

/// Ends a program in good order, or says that it does not.
pub(crate) async fn ended(server: Server, found: &mut Vec<Violation>) {
    match server.end().await {
        Ok(status) if status.success() => {}
        Ok(status) => found.push(Violation::new(Kind::NoStart, format!("asked to end, it ended with {status}"))),
        Err(error) => found.push(Violation::new(Kind::NoStart, format!("asked to end: {error:#}"))),
    }
}

/// An empty data directory whose policy asks before what begins with `asked-` in a folder.
fn furnished(data: &Path, folder: &str) -> anyhow::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(data.join("files/quiet"))?;
    Ok(std::fs::write(data.join("policy.toml"), POLICY.replace("{folder}", folder))?)
}

/// The secret in an answer.
fn granted(reply: &Reply) -> anyhow::Result<String> {
    let secret = reply.text("secret");
    ensure!(!secret.is_empty(), "no secret was granted: {} {}", reply.status, reply.body);
    Ok(secret.to_owned())
}
