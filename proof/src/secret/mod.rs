//! Secrets: planted where tools, models and people come upon them, in every form that programs give them, and looked for
//! on every way out.
//!
//! A way out that shows no mark of a secret was not tried, and is told as such: what never held anything proves nothing.

mod canary;
mod mouth;
mod way;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, ensure};
use clap::ValueEnum;
use serde_json::{Value, json};
use sqlx::{AnyConnection, Connection as _, Executor as _};
use tokio::task::JoinSet;

use self::canary::Canary;
use self::mouth::Mouth;
use self::way::{Ways, drive};
use crate::Common;
use crate::budget::Budget;
use crate::chance::Chance;
use crate::report::{Ended, Kind, Verdict, Violation, say};
use crate::server::{House, PASSWORD, Server};
use crate::wire::{Ask, Wire};

/// Secrets of one program.
const BATCH: u64 = 40;
/// Forms of each: raw, base64 (three offsets), hexadecimal, URL, JSON, and split into pieces.
const FORMS: u64 = 8;

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sabotage {
    /// The vault forgets its secrets before they are planted.
    ForgottenSecret,
    /// A row of the audit is written past the program, with a secret in its body.
    PlainRow,
}

pub(crate) struct Options {
    pub(crate) common: Common,
    pub(crate) secrets: u64,
    pub(crate) minutes: Option<f64>,
    pub(crate) sabotage: Option<Sabotage>,
}

struct Shared {
    budget: Budget,
    binary: PathBuf,
    work: PathBuf,
    sabotage: Option<Sabotage>,
    batches: AtomicU64,
    planted: AtomicU64,
    looks: AtomicU64,
}

/// Runs the suite.
pub(crate) async fn run(options: Options) -> anyhow::Result<Verdict> {
    let (mut chance, seed) = Chance::new(options.common.seed)?;
    let (work, binary) = options.common.prepare()?;
    say(&format!("secrets: seed {seed}, in {}", work.display()));
    let shared = Arc::new(Shared {
        budget: Budget::new(options.secrets.div_ceil(BATCH), options.minutes),
        binary,
        work: work.clone(),
        sabotage: options.sabotage,
        batches: AtomicU64::new(0),
        planted: AtomicU64::new(0),
        looks: AtomicU64::new(0),
    });
    let mut lanes = JoinSet::new();
    for _ in 0..if options.sabotage.is_some() { 1 } else { options.common.lanes.max(1) } {
        lanes.spawn(lane(Arc::clone(&shared), chance.fork()));
    }
    let mut found = Vec::new();
    while let Some(lane) = lanes.join_next().await {
        found.append(&mut lane??);
    }
    options.common.keep(&work, !found.is_empty() && options.sabotage.is_none())?;
    let (planted, looks) = (shared.planted.load(Ordering::Relaxed), shared.looks.load(Ordering::Relaxed));
    say(&format!("secrets: {planted} planted in {FORMS} forms, {looks} looks at ways out"));
    let seconds = shared.budget.seconds();
    Ok(Ended { suite: "secrets", cycles: planted, acks: looks, found, seed, seconds }.tell())
}

async fn lane(shared: Arc<Shared>, mut chance: Chance) -> anyhow::Result<Vec<Violation>> {
    let mut found = Vec::new();
    while found.is_empty() && !shared.budget.is_over() {
        shared.budget.spend();
        let number = shared.batches.fetch_add(1, Ordering::Relaxed);
        let place = shared.work.join(format!("batch-{number}"));
        found = batch(&shared, &place, &mut chance).await?;
        if found.is_empty() {
            std::fs::remove_dir_all(&place)?;
        } else {
            shared.budget.stop();
        }
    }
    Ok(found)
}

async fn batch(shared: &Shared, place: &Path, chance: &mut Chance) -> anyhow::Result<Vec<Violation>> {
    let canaries: Vec<_> = (0..usize::try_from(BATCH)?).map(|number| Canary::new(number, chance)).collect();
    let canaries = Arc::new(canaries);
    std::fs::create_dir_all(place)?;
    let house = House { binary: shared.binary.clone(), data: place.join("data"), log: place.join("log"), clock: None };
    let mouth = Mouth::start(Arc::clone(&canaries)).await?;
    let mut server = house.start().await?;
    let secret = sign_in(&server).await?;
    keep(&server, &secret, &canaries, &mouth).await?;
    if shared.sabotage == Some(Sabotage::ForgottenSecret) {
        server.end().await?;
        write(&house, "delete from secret").await?;
        server = house.start().await?;
    }
    plant(&house.data, &canaries)?;
    let mut ways = Ways::default();
    drive(&server.host, &secret, &canaries, mouth.ear(), &mut ways).await?;
    server.end().await?;
    misplace(&house.data, &canaries)?;
    house.start().await?.end().await?;
    if shared.sabotage == Some(Sabotage::PlainRow) {
        let value = json!({ "token": canaries[0].value }).to_string().replace('\'', "''");
        write(&house, &format!("update body set json = '{value}' where seq = (select max(seq) from body)")).await?;
    }
    ways.hear("what models are sent", &mouth.heard());
    ways.hear("the log", &std::fs::read_to_string(&house.log)?);
    for file in ["jarvis.db", "jarvis.db-wal"] {
        let bytes = std::fs::read(house.data.join(file)).unwrap_or_default();
        ways.hear("the database", &String::from_utf8_lossy(&bytes));
    }
    shared.planted.fetch_add(BATCH, Ordering::Relaxed);
    shared.looks.fetch_add(BATCH * FORMS * ways.count(), Ordering::Relaxed);
    Ok(ways.judge(&canaries))
}

async fn sign_in(server: &Server) -> anyhow::Result<String> {
    let mut wire = Wire::connect(&server.host).await?;
    let body = json!({ "password": PASSWORD, "bearer": true });
    let signed = wire.ask(Ask::post("/api/session", "", Some(body))).await?;
    ensure!(signed.status == 200, "the operator cannot sign in: {}", signed.body);
    Ok(signed.text("secret").to_owned())
}

/// Keeps them in the vault, and sets the model.
async fn keep(server: &Server, secret: &str, canaries: &[Canary], mouth: &Mouth) -> anyhow::Result<()> {
    let mut wire = Wire::connect(&server.host).await?;
    for canary in canaries {
        let path = format!("/api/secrets/{}", canary.name);
        let kept = wire.ask(Ask::put(&path, secret, json!({ "value": canary.value }))).await?;
        ensure!(kept.status == 200, "{} was not kept: {}", canary.name, kept.body);
    }
    let mut settings = wire.ask(Ask::get("/api/settings", secret)).await?.body;
    settings["model"] = mouth.setting();
    let saved = wire.ask(Ask::put("/api/settings", secret, settings)).await?;
    ensure!(saved.status == 200, "the model cannot be set: {}", saved.body);
    Ok(())
}

/// Lays a file for each of them that holds it in every form, and a link to a folder whose name is one.
fn plant(data: &Path, canaries: &[Canary]) -> anyhow::Result<()> {
    let files = data.join("files");
    std::fs::create_dir_all(&files)?;
    for canary in canaries {
        std::fs::write(files.join(format!("{}.txt", canary.name)), canary.forms().join("\n"))?;
        std::fs::create_dir(files.join(canary.folder()))?;
        std::os::unix::fs::symlink(canary.folder(), files.join(canary.link()))?;
    }
    Ok(())
}

/// Writes them where the program looks for rules. At its next start it says in its log that it cannot read these, with
/// the line in which they stand.
fn misplace(data: &Path, canaries: &[Canary]) -> anyhow::Result<()> {
    let forms: Vec<_> = canaries.iter().flat_map(Canary::forms).collect();
    std::fs::write(data.join("policy.toml"), format!("remember {}\n", forms.join(" ")))?;
    Ok(())
}

/// Writes into the database past the program.
async fn write(house: &House, sql: &str) -> anyhow::Result<()> {
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}", house.data.join("jarvis.db").display());
    let mut connection = AnyConnection::connect(&url).await?;
    connection.execute(sqlx::AssertSqlSafe(sql.to_owned())).await.context(sql.to_owned())?;
    connection.close().await?;
    Ok(())
}

/// A value in a JSON answer, as text.
fn told(body: &Value) -> String {
    body.to_string()
}

fn leak(way: &str, canary: &Canary, text: &str, at: usize) -> Violation {
    let around: String = text[text.floor_char_boundary(at.saturating_sub(60))..].chars().take(140).collect();
    Violation::new(Kind::Leak, format!("{way} holds {} ({:?}): … {around:?} …", canary.name, canary.value))
}
