//! The server: opens the store, joins the rooms, listens, and ends in good order.

mod clock;
mod doctor;
mod gauges;
mod house;
mod listen;
mod log;
mod policy;
mod vault;

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jarvis_memory::Store;
use jarvis_safety::port::{Clock, Identities as _};
use jarvis_web::Door;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Environment, SOCKET};
use crate::mcp;

pub(crate) use clock::SystemClock;
pub(crate) use doctor::offline_report;

use clock::UuidIds;
use house::House;

/// How long open connections may take to end.
const FAREWELL: Duration = Duration::from_secs(5);

/// Opens the store of a data directory; fails if another process owns it.
pub(crate) async fn open_store(data: &Path, clock: Arc<dyn Clock>) -> Result<Store, jarvis_memory::OpenError> {
    Store::open(jarvis_memory::Options { data: data.to_owned(), clock, ids: Arc::new(UuidIds) }).await
}

/// Serves until a signal comes.
pub(crate) async fn run(config: Config, environment: &Environment) -> anyhow::Result<()> {
    log::start(environment);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = open_store(&config.data, Arc::clone(&clock)).await?;
    let stop = CancellationToken::new();
    let served = serve(&config, environment, clock, store.clone(), stop.clone()).await;
    stop.cancel();
    store.close().await;
    served
}

async fn serve(
    config: &Config,
    environment: &Environment,
    clock: Arc<dyn Clock>,
    store: Store,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let house = House::join(config, environment, clock, store.clone()).await?;
    if !config.listen.ip().is_loopback() && !store.operator_exists().await? {
        anyhow::bail!(
            "listening on {} is refused until the operator's password is set: start once on loopback and open the link, \
             or set JARVIS_OPERATOR_PASSWORD",
            config.listen
        );
    }
    // Bound before anything is recovered, so that a port in use is told at once.
    let tcp = listen::tcp(config).await?;
    let address = tcp.local_addr()?;
    let path = config.data.join(SOCKET);
    let socket = listen::socket(&path)?;
    house.wake().await?;
    let mut tasks = tokio::task::JoinSet::new();
    let web = house.web(address, stop.clone());
    let router = |door| web.router(door, house.mcp(stop.clone()));
    tasks.spawn(listen::serve_tcp(tcp, router(Door::Tcp), stop.clone()));
    tasks.spawn(listen::serve_socket(socket, path, router(Door::Local), stop.clone()));
    let face = house.face();
    let stdio = listen::socket(&config.data.join(mcp::STDIO_SOCKET))?;
    tasks.spawn(mcp::serve_stdio(face, stdio, stop.clone()));
    house.start_tasks(&stop);
    announce(address, &store).await?;

    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be received")?;
    let fault = tokio::select! {
        _ = terminate.recv() => None,
        _ = tokio::signal::ctrl_c() => None,
        Some(ended) = tasks.join_next() => Some(ended),
    };
    stop.cancel();
    let _ = tokio::time::timeout(FAREWELL, async { while tasks.join_next().await.is_some() {} }).await;
    match fault {
        Some(ended) => ended.context("a listener broke")?.context("a listener broke"),
        None => Ok(()),
    }
}

/// Says where to go. The one-time link is printed until it was used.
async fn announce(address: std::net::SocketAddr, store: &Store) -> anyhow::Result<()> {
    let code = store.setup_code().await?;
    let mut out = std::io::stdout().lock();
    // Whoever started the server may have closed its output; that is no fault.
    let _ = writeln!(out, "Jarvis listens on http://{address}");
    if let Some(code) = code {
        let _ = writeln!(out, "Set the operator's password once: http://{address}/setup#code={code}");
    }
    let _ = out.flush();
    Ok(())
}
