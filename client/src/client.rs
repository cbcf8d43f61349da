//! The HTTP client: over TCP with a token, or over the socket in the data directory.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::stream::EventStream;
use crate::token::{TokenFault, check_token};
use crate::wire::Problem;

/// Longest wait for an answer beside the wait that was asked for.
const ANSWER: Duration = Duration::from_secs(330);
/// What a proxy answers when nobody answers it.
const AWAY: [StatusCode; 3] = [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT];

/// Where the server is and who asks.
#[derive(Clone)]
pub enum Options {
    /// A socket in a data directory.
    Socket {
        /// Path of the socket.
        path: PathBuf,
    },
    /// An address such as `http://127.0.0.1:7878`.
    Url {
        /// Base address without a path.
        url: url::Url,
        /// Token or session secret.
        token: Option<String>,
    },
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers there.
    #[error("no Jarvis answers at {at}: {why}")]
    NoServer {
        /// Where it was looked for.
        at: String,
        /// What the system said.
        why: String,
    },
    /// The system does not let this user open the socket.
    #[error("this user may not talk to the Jarvis at {at}: {why}")]
    NotAllowed {
        /// Where it was looked for.
        at: String,
        /// What the system said.
        why: String,
    },
    /// There is no trusted TLS at an `https` address.
    #[error(
        "{at} cannot be reached over TLS ({why}); write http:// if Jarvis listens there without TLS, or let this machine \
         trust the certificate"
    )]
    Tls {
        /// Where it was looked for.
        at: String,
        /// What is wrong with it.
        why: String,
    },
    /// The token cannot be sent.
    #[error("this is no token: {0}")]
    Token(#[from] TokenFault),
    /// The connection ended between request and answer.
    #[error(
        "the connection to {at} ended before the answer came ({why}); whether it was done stands in the audit: \
         `jarvis audit tail`"
    )]
    Cut {
        /// Who was asked.
        at: String,
        /// What the system said.
        why: String,
    },
    /// The server said no.
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    /// What came back is not what this version understands.
    #[error("the answer cannot be understood ({0}); is that Jarvis, and of the same version as this program?")]
    Strange(String),
}

/// A connection to one Jarvis. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    at: String,
    bearer: Option<String>,
}

impl Client {
    /// A client; nothing is sent yet.
    ///
    /// # Errors
    /// If the token cannot be sent, or the system gives no HTTP client.
    pub fn new(options: Options) -> Result<Self, ClientError> {
        if let Options::Url { token: Some(token), .. } = &options {
            check_token(token)?;
        }
        let builder = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none());
        // Without TLS nobody's certificate is judged, and a small machine may have none to judge by.
        let plain = |builder: reqwest::ClientBuilder| builder.tls_certs_only([]);
        let (builder, base, at, bearer) = match options {
            Options::Socket { path } => {
                let at = path.display().to_string();
                (plain(builder.unix_socket(path)), "http://localhost".to_owned(), at, None)
            }
            Options::Url { url, token } => {
                let base = url.as_str().trim_end_matches('/').to_owned();
                let builder = if url.scheme() == "http" { plain(builder) } else { builder };
                (builder, base.clone(), base, token)
            }
        };
        let http = builder.build().map_err(|error| ClientError::Strange(error.to_string()))?;
        Ok(Self { http, base, at, bearer })
    }

    /// The same connection, speaking as the holder of a session or token.
    #[must_use]
    pub fn with_bearer(mut self, secret: String) -> Self {
        self.bearer = Some(secret);
        self
    }

    /// `GET path`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.send::<(), T>(Method::GET, path, None, None).await
    }

    /// `GET path`; asks the server to hold the answer for so many seconds.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn get_waiting<T: DeserializeOwned>(&self, path: &str, wait: u32) -> Result<T, ClientError> {
        self.send::<(), T>(Method::GET, path, None, Some(wait)).await
    }

    /// `GET path`, as text.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn text(&self, path: &str) -> Result<String, ClientError> {
        let answer = self.request(Method::GET, path).send().await.map_err(|error| self.failed(&error))?;
        self.checked(answer).await?.text().await.map_err(|error| self.failed(&error))
    }

    /// `POST path` with a body; `wait` asks the server to hold the answer for so many seconds.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn post<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
        wait: Option<u32>,
    ) -> Result<T, ClientError> {
        self.send(Method::POST, path, Some(body), wait).await
    }

    /// `PUT path` with a body.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn put<B: Serialize + Sync, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, ClientError> {
        self.send(Method::PUT, path, Some(body), None).await
    }

    /// `DELETE path`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn delete(&self, path: &str) -> Result<(), ClientError> {
        let answer = self.request(Method::DELETE, path).send().await.map_err(|error| self.failed(&error))?;
        self.checked(answer).await.map(|_| ())
    }

    /// The event stream, from after a sequence on.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn stream(&self, after: u64, topics: &str) -> Result<EventStream, ClientError> {
        let path = format!("/api/stream?after={after}&topics={topics}");
        let answer = self.request(Method::GET, &path).send().await.map_err(|error| self.failed(&error))?;
        Ok(EventStream::new(self.checked(answer).await?))
    }

    /// What becomes of a job, and what it puts out after a piece. Ends when the job has ended.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn job_stream(&self, job: &str, after: u64) -> Result<EventStream, ClientError> {
        let path = format!("/api/jobs/{job}/stream?after={after}");
        let answer = self.request(Method::GET, &path).send().await.map_err(|error| self.failed(&error))?;
        Ok(EventStream::new(self.checked(answer).await?))
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.bearer {
            Some(secret) => request.bearer_auth(secret),
            None => request,
        }
    }

    async fn send<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
        wait: Option<u32>,
    ) -> Result<T, ClientError> {
        let mut request = self.request(method, path).timeout(ANSWER);
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(seconds) = wait {
            request = request.header("prefer", format!("wait={seconds}"));
        }
        let answer = request.send().await.map_err(|error| self.failed(&error))?;
        let bytes = self.checked(answer).await?.bytes().await.map_err(|error| self.failed(&error))?;
        let bytes = if bytes.is_empty() { bytes::Bytes::from_static(b"null") } else { bytes };
        serde_json::from_slice(&bytes).map_err(|error| ClientError::Strange(error.to_string()))
    }

    async fn checked(&self, answer: reqwest::Response) -> Result<reqwest::Response, ClientError> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let bytes = answer.bytes().await.map_err(|error| self.failed(&error))?;
        match serde_json::from_slice(&bytes) {
            Ok(problem) => Err(ClientError::Refused(Box::new(problem))),
            // A proxy that finds no server behind it says so in its own words.
            Err(_) if AWAY.contains(&status) => {
                Err(ClientError::NoServer { at: self.at.clone(), why: format!("status {status}") })
            }
            Err(_) => Err(ClientError::Strange(format!("status {status}"))),
        }
    }

    fn failed(&self, error: &reqwest::Error) -> ClientError {
        let (mut why, mut kind) = (error.to_string(), None);
        let mut source = std::error::Error::source(error);
        while let Some(deeper) = source {
            why = deeper.to_string();
            kind = deeper.downcast_ref::<std::io::Error>().map(innermost).or(kind);
            source = deeper.source();
        }
        let at = self.at.clone();
        let socket = self.base != self.at;
        match kind {
            _ if !error.is_connect() => ClientError::Cut { at, why },
            Some(ErrorKind::PermissionDenied) if socket => ClientError::NotAllowed { at, why },
            // What the TLS layer found in the greeting, or in the certificate.
            Some(ErrorKind::InvalidData) => ClientError::Tls { at, why },
            _ => ClientError::NoServer { at, why },
        }
    }
}

/// What the system said, also where one error was put into another.
fn innermost(error: &std::io::Error) -> ErrorKind {
    let within = error.get_ref().and_then(|inner| inner.downcast_ref::<std::io::Error>());
    within.map_or(error.kind(), innermost)
}
