//! The server: opens the store, joins the rooms, listens, and ends in good order.

mod clock;
mod doctor;
mod gauges;
mod house;
mod index;
mod listen;
mod log;
mod policy;
mod replica;
mod vault;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jarvis_memory::{Database, OpenError, Options, Store};
use jarvis_safety::port::{Clock, Identities as _};
use jarvis_safety::secret::Redactor;
use jarvis_web::Door;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Environment, SOCKET};
use crate::mcp;

pub(crate) use clock::{SystemClock, UuidIds};
pub(crate) use doctor::offline_report;

use house::House;

pub(crate) use house::row;

/// How long running effects may take to end before they are cancelled.
const EFFECTS: Duration = Duration::from_secs(20);
/// How long open connections may take to end.
const FAREWELL: Duration = Duration::from_secs(5);

/// Opens the store of a data directory; fails if another process owns it.
pub(crate) async fn open_store(
    data: &Path,
    database: Database,
    clock: Arc<dyn Clock>,
    redactor: Redactor,
) -> Result<Store, OpenError> {
    Store::open_on(database, Options { data: data.to_owned(), clock, ids: Arc::new(UuidIds), redactor }).await
}

/// Where a server that has just started is reached.
#[derive(Debug, Serialize)]
pub(crate) struct Listening {
    /// Address of the dashboard.
    pub(crate) url: String,
    /// The one-time link, until it was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) setup: Option<String>,
}

/// Serves until a signal comes; `announce` is told once it listens.
pub(crate) async fn run(
    config: Config,
    environment: &Environment,
    announce: impl FnOnce(&Listening),
) -> anyhow::Result<()> {
    let redactor = Redactor::default();
    log::start(environment, &redactor);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = open_store(&config.data, config.database.clone(), Arc::clone(&clock), redactor.clone()).await?;
    let stop = CancellationToken::new();
    let served =
        serve(&config, environment, Parts { clock, store: store.clone(), redactor }, stop.clone(), announce).await;
    stop.cancel();
    store.close().await;
    served
}

/// What a server is built on.
struct Parts {
    clock: Arc<dyn Clock>,
    store: Store,
    redactor: Redactor,
}

async fn serve(
    config: &Config,
    environment: &Environment,
    parts: Parts,
    stop: CancellationToken,
    announce: impl FnOnce(&Listening),
) -> anyhow::Result<()> {
    let Parts { clock, store, redactor } = parts;
    let house = House::join(config, environment, clock, store.clone(), redactor).await?;
    if !config.listen.ip().is_loopback() && !store.operator_exists().await? {
        anyhow::bail!(
            "listening on {} is refused until the operator's password is set: start once on loopback and open the link, \
             or set JARVIS_OPERATOR_PASSWORD",
            config.listen
        );
    }
    // Bound before anything is recovered, so that a port in use is told at once.
    let tcp = listen::tcp(config)?;
    let address = tcp.local_addr()?;
    let (local, _local_file) = listen::socket(&config.data.join(SOCKET))?;
    house.wake().await?;
    let mut tasks = tokio::task::JoinSet::new();
    let web = house.web(address, stop.clone());
    let router = |door| web.router(door, house.mcp(stop.clone()));
    let straight = mcp::StraightDoor::new(web.clone(), house.face());
    let proxies = config.proxies.clone();
    tasks.spawn(listen::serve_tcp(tcp, proxies, straight, router(Door::Tcp), stop.clone()));
    tasks.spawn(listen::serve_socket(local, router(Door::Local), stop.clone()));
    let (stdio, _stdio_file) = listen::socket(&config.data.join(mcp::STDIO_SOCKET))?;
    tasks.spawn(mcp::serve_stdio(house.face(), stdio, stop.clone()));
    house.start_tasks(&stop);
    let working = house.start_worker(EFFECTS);
    // Before anybody is told: whoever started it may end it at once.
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be received")?;
    announce(&listening(address, &store).await?);

    let fault = tokio::select! {
        _ = terminate.recv() => None,
        _ = tokio::signal::ctrl_c() => None,
        Some(ended) = tasks.join_next() => Some(ended),
    };
    // Whoever waits for an effect still hears what came of it. A second signal does not wait.
    tokio::select! {
        () = house.close(working, EFFECTS) => {}
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    stop.cancel();
    let _ = tokio::time::timeout(FAREWELL, async { while tasks.join_next().await.is_some() {} }).await;
    match fault {
        Some(ended) => ended.context("a listener broke")?.context("a listener broke"),
        None => Ok(()),
    }
}

/// The one-time link is told until it was used.
async fn listening(address: std::net::SocketAddr, store: &Store) -> anyhow::Result<Listening> {
    let url = format!("http://{address}");
    let setup = store.setup_code().await?.map(|code| format!("{url}/setup#code={code}"));
    Ok(Listening { url, setup })
}
