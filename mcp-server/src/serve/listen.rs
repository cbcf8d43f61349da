//! The listeners: TCP, and two sockets in the data directory.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use axum::Router;
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;

use crate::config::Config;

/// Binds the TCP address.
pub(super) async fn tcp(config: &Config) -> anyhow::Result<TcpListener> {
    TcpListener::bind(config.listen).await.with_context(|| {
        format!(
            "{} cannot be listened on; is another Jarvis running, or another program on that port? Use --listen",
            config.listen
        )
    })
}

/// Binds the socket in the data directory, for this user only.
pub(super) fn socket(path: &Path) -> anyhow::Result<UnixListener> {
    // The directory is locked by this process, so a socket that is there was left by one that died.
    let _ = std::fs::remove_file(path);
    let listener = UnixListener::bind(path).with_context(|| format!("{} cannot be listened on", path.display()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
    Ok(listener)
}

/// Serves a router on TCP until told to stop.
pub(super) async fn serve_tcp(listener: TcpListener, router: Router, stop: CancellationToken) -> std::io::Result<()> {
    let service = router.into_make_service_with_connect_info::<std::net::SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await
}

/// Serves a router on a socket until told to stop, and takes the socket away.
pub(super) async fn serve_socket(
    listener: UnixListener,
    path: PathBuf,
    router: Router,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
    let _ = std::fs::remove_file(path);
    served
}
