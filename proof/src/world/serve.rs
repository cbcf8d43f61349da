//! A small HTTP server for each part of the world that the program meets.

use std::borrow::Cow;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Collected, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, LOCATION};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;

/// What was asked, read to its end.
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) host: String,
    /// Path with its query.
    pub(crate) target: String,
    pub(crate) body: Bytes,
}

/// What is answered.
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) kind: Cow<'static, str>,
    pub(crate) body: Vec<u8>,
    /// Where it sends on to.
    pub(crate) to: Option<String>,
}

impl Told {
    pub(crate) fn new(status: u16, kind: impl Into<Cow<'static, str>>, body: impl Into<Vec<u8>>) -> Self {
        Self { status, kind: kind.into(), body: body.into(), to: None }
    }
}

/// Answers everything that is asked.
pub(crate) type Answerer = Arc<dyn Fn(Asked) -> Told + Send + Sync>;

/// A server; it ends with whoever holds it.
pub(crate) struct Served {
    _connections: JoinSet<()>,
}

/// Serves on a port of all addresses, and tells which.
pub(crate) async fn on_port(answerer: Answerer) -> anyhow::Result<(Served, u16)> {
    let listener = TcpListener::bind("0.0.0.0:0").await?;
    let port = listener.local_addr()?.port();
    let mut all = JoinSet::new();
    all.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            connections.spawn(connection(stream, Arc::clone(&answerer)));
            while connections.try_join_next().is_some() {}
        }
    });
    Ok((Served { _connections: all }, port))
}

/// Serves on a socket in the file system.
pub(crate) fn on_socket(path: &Path, answerer: Answerer) -> anyhow::Result<Served> {
    let listener = UnixListener::bind(path)?;
    let mut all = JoinSet::new();
    all.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(connection(stream, Arc::clone(&answerer)));
            while connections.try_join_next().is_some() {}
        }
    });
    Ok(Served { _connections: all })
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, answerer: Answerer) {
    let service = service_fn(move |request| answer(request, Arc::clone(&answerer)));
    // How it ends is seen by whoever asks over it.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, answerer: Answerer) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
    let target = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let told = answerer(Asked { method: head.method, host, target, body });
    let mut response = Response::new(Full::new(Bytes::from(told.body)));
    *response.status_mut() = StatusCode::from_u16(told.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(kind) = HeaderValue::try_from(told.kind.as_ref()) {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    if let Some(to) = told.to.and_then(|to| HeaderValue::try_from(to).ok()) {
        response.headers_mut().insert(LOCATION, to);
    }
    Ok(response)
}
