//! Asking the program over HTTP, one connection at a time.
//!
//! An answer counts only when it was read to its last byte: what was cut off promised nothing.

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// An open connection.
pub(crate) struct Wire {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// What the program calls this request in its audit.
    pub(crate) correlation: String,
    /// Null where there was none.
    pub(crate) body: Value,
}

impl Reply {
    /// A text field of the body; empty where there is none.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.body.get(field).and_then(Value::as_str).unwrap_or_default()
    }
}

/// What is asked.
pub(crate) struct Ask<'a> {
    method: Method,
    path: &'a str,
    secret: &'a str,
    wait: u32,
    body: Option<Value>,
    /// Method and name of a modern MCP request.
    mcp: Option<(&'a str, &'a str)>,
}

impl<'a> Ask<'a> {
    pub(crate) const fn get(path: &'a str, secret: &'a str) -> Self {
        Self { method: Method::GET, path, secret, wait: 0, body: None, mcp: None }
    }

    pub(crate) const fn post(path: &'a str, secret: &'a str, body: Option<Value>) -> Self {
        Self { method: Method::POST, path, secret, wait: 0, body, mcp: None }
    }

    pub(crate) const fn put(path: &'a str, secret: &'a str, body: Value) -> Self {
        Self { method: Method::PUT, path, secret, wait: 0, body: Some(body), mcp: None }
    }

    pub(crate) const fn delete(path: &'a str, secret: &'a str) -> Self {
        Self { method: Method::DELETE, path, secret, wait: 0, body: None, mcp: None }
    }

    /// Method and path, for whoever reads of it.
    pub(crate) fn shown(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// A request of MCP, revision 2026-07-28.
    pub(crate) const fn mcp(secret: &'a str, method: &'a str, name: &'a str, body: Value) -> Self {
        Self { method: Method::POST, path: "/mcp", secret, wait: 0, body: Some(body), mcp: Some((method, name)) }
    }

    /// The same at another path.
    pub(crate) fn at(self, path: &'a str) -> Self {
        Self { path, ..self }
    }

    /// Waits so many seconds for what comes later.
    pub(crate) fn wait(self, seconds: u32) -> Self {
        Self { wait: seconds, ..self }
    }
}

impl Wire {
    /// Opens a connection to `host:port`.
    pub(crate) async fn connect(host: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(host).await.with_context(|| format!("{host} takes no connection"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // How it ends is seen by whoever asks over it.
        tokio::spawn(async move { connection.await.ok() });
        Ok(Self { sender, host: host.to_owned() })
    }

    /// Whom it asks.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Whether nothing more can be asked.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Asks, and reads the answer to its end.
    pub(crate) async fn ask(&mut self, ask: Ask<'_>) -> anyhow::Result<Reply> {
        let mut request = Request::builder().method(ask.method).uri(ask.path).header(HOST, self.host.as_str());
        if !ask.secret.is_empty() {
            request = request.header(AUTHORIZATION, format!("Bearer {}", ask.secret));
        }
        if ask.wait > 0 {
            request = request.header("prefer", format!("wait={}", ask.wait));
        }
        if let Some((method, name)) = ask.mcp {
            request = request.header("accept", "application/json, text/event-stream");
            request = request.header("mcp-protocol-version", "2026-07-28");
            request = request.header("mcp-method", method).header("mcp-name", name);
        }
        let body = match &ask.body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                Bytes::from(body.to_string())
            }
            None => Bytes::new(),
        };
        self.sender.ready().await?;
        let response = self.sender.send_request(request.body(Full::new(body))?).await?;
        let (head, body) = response.into_parts();
        let correlation = head.headers.get("x-correlation-id").and_then(|value| value.to_str().ok());
        let read = body.collect().await?.to_bytes();
        let body = if read.is_empty() { Value::Null } else { serde_json::from_slice(&read)? };
        Ok(Reply { status: head.status.as_u16(), correlation: correlation.unwrap_or_default().to_owned(), body })
    }
}
