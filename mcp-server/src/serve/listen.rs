//! The listeners: TCP, and two sockets in the data directory.
//!
//! On TCP strangers come by, so connections are counted and a request's head must arrive in time. An error of one
//! connection, or of taking the next one, never ends the others.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::{Resource, Rlimit};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use crate::config::Config;
use crate::mcp::StraightDoor;
use crate::proxy::Proxies;

/// Connections at once over TCP, where the system lets the process open twice as many files: the sockets and the store
/// have the other half.
const MAX_CONNECTIONS: usize = 2_048;
/// Connections that may wait to be taken. With fewer, those of a thousand clients that come at once are tried again a
/// second later.
const BACKLOG: u32 = 1_024;
/// Longest time for a request's head to arrive, and for a connection to stay idle.
const HEAD_ARRIVAL: Duration = Duration::from_secs(20);
/// Pause after the system could not give a connection.
const PAUSE: Duration = Duration::from_secs(1);

/// Binds the TCP address.
pub(super) fn tcp(config: &Config) -> anyhow::Result<TcpListener> {
    bind(config.listen).with_context(|| {
        format!(
            "{} cannot be listened on; is another Jarvis running, or another program on that port? Use --listen",
            config.listen
        )
    })
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Lets the process open as many files as the system allows it (the usual limit of 1,024 is for programs that know no
/// better), and answers how many connections fit into that.
fn places() -> usize {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    let open = match rustix::process::setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files could not be raised");
            limit.current
        }
    };
    half(open)
}

/// As many connections as leave the other half of the files free; no limit of files is none of ours.
fn half(open: Option<u64>) -> usize {
    let half = open.and_then(|open| usize::try_from(open / 2).ok());
    half.map_or(MAX_CONNECTIONS, |half| half.clamp(1, MAX_CONNECTIONS))
}

/// The file of a socket; dropped, it is gone, however the server ended.
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Binds a socket in the data directory, for this user only.
pub(super) fn socket(path: &Path) -> anyhow::Result<(UnixListener, SocketFile)> {
    // The directory is locked by this process, so a socket that is there was left by one that died.
    let _ = std::fs::remove_file(path);
    let listener = UnixListener::bind(path).with_context(|| format!("{} cannot be listened on", path.display()))?;
    let file = SocketFile(path.to_owned());
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
    Ok((listener, file))
}

/// Serves a router on TCP until told to stop.
pub(super) async fn serve_tcp(
    listener: TcpListener,
    proxies: Proxies,
    straight: StraightDoor,
    router: Router,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let places = Arc::new(Semaphore::new(places()));
    let mut connections = JoinSet::new();
    loop {
        let taken = async {
            let place = Arc::clone(&places).acquire_owned().await.map_err(std::io::Error::other)?;
            listener.accept().await.map(|(stream, peer)| (place, stream, peer))
        };
        let taken = tokio::select! {
            () = stop.cancelled() => break,
            taken = taken => taken,
        };
        match taken {
            Ok((place, stream, peer)) => {
                let served =
                    serve_connection(stream, (peer, proxies.clone()), straight.clone(), router.clone(), stop.clone());
                connections.spawn(async move {
                    served.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    while connections.join_next().await.is_some() {}
    Ok(())
}

async fn serve_connection(
    stream: TcpStream,
    (peer, proxies): (SocketAddr, Proxies),
    straight: StraightDoor,
    router: Router,
    stop: CancellationToken,
) {
    // Answers are small and whole: waiting to fill a packet would only delay them.
    let _ = stream.set_nodelay(true);
    let (straight, router) = (&straight, &router);
    let service =
        service_fn(async |request: hyper::Request<hyper::body::Incoming>| match straight.take(request).await {
            Ok(answer) => Ok(answer),
            Err(mut request) => {
                let client = proxies.client(peer, request.headers());
                request.extensions_mut().insert(ConnectInfo(client));
                router.clone().call(request).await
            }
        });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_ARRIVAL)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // How a stranger's connection ends is no event of ours.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Serves a router on a socket until told to stop.
pub(super) async fn serve_socket(
    listener: UnixListener,
    router: Router,
    stop: CancellationToken,
) -> std::io::Result<()> {
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_never_take_more_than_half_of_the_files_that_may_be_open() {
        assert_eq!(half(Some(1_024)), 512);
        assert_eq!(half(Some(1)), 1);
        assert_eq!(half(Some(1 << 20)), MAX_CONNECTIONS);
        assert_eq!(half(None), MAX_CONNECTIONS);
    }
}
