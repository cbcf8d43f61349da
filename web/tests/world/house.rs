//! The whole house behind the real router.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Request, Response, StatusCode, header};
use jarvis_agents::{Mind, MindParts, Prompts};
use jarvis_client::wire::{DoctorReport, Finding};
use jarvis_safety::id::TokenId;
use jarvis_safety::identity::TokenGrant;
use jarvis_safety::kernel::{Console, GateParts, KillSwitch, Policy, Registry};
use jarvis_safety::port::{Clock, Identities as _, Ids, Index, Secret, Vault};
use jarvis_safety::setting::Settings;
use jarvis_safety::{Actor, Tier};
use jarvis_web::{Doctor, Door, Web, WebParts};
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::book::Book;
use super::frame::Frames;
use super::journal::Journal;
use super::key::Keys;
use super::shelf::Shelf;
use super::tool::{Read, Wipe};

pub const PASSWORD: &str = "correct horse battery";

#[derive(Default)]
pub struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Hand {
    pub fn turn(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

#[derive(Default)]
struct Count(AtomicU64);

impl Ids for Count {
    fn next(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

struct Nothing;

impl Index for Nothing {
    fn search(&self, _: &str, _: usize) -> Vec<(String, f32)> {
        Vec::new()
    }
}

impl Vault for Nothing {
    fn open(&self, reference: &str) -> Result<Secret, String> {
        Err(format!("{reference} is not there"))
    }
}

#[async_trait]
impl Doctor for Nothing {
    async fn report(&self) -> DoctorReport {
        let finding = Finding {
            what: "store".to_owned(),
            state: "ok".to_owned(),
            found: "in memory".to_owned(),
            fix: String::new(),
        };
        DoctorReport { findings: vec![finding] }
    }
}

pub struct House {
    pub journal: Arc<Journal>,
    pub keys: Arc<Keys>,
    pub clock: Arc<Hand>,
    pub wiped: Arc<AtomicU32>,
    pub settings: watch::Receiver<Settings>,
    pub shutdown: CancellationToken,
    pub web: Web,
    tcp: OnceLock<Router>,
    _data: tempfile::TempDir,
}

impl House {
    pub fn new() -> Self {
        Self::with_password(Some(PASSWORD))
    }

    pub fn with_password(password: Option<&str>) -> Self {
        let journal = Journal::new(256);
        let (book, shelf, frames) = (Book::new(journal.clone()), Shelf::new(journal.clone()), Frames::new());
        let keys = Keys::new(journal.clone(), password);
        let (clock, ids, wiped) = (Arc::new(Hand::default()), Arc::new(Count::default()), Arc::default());
        let registry = Registry::builder().with(Read).with(Wipe(Arc::clone(&wiped))).build().unwrap();
        let gate = Console::new(GateParts {
            registry,
            ledger: book.clone(),
            identities: keys.clone(),
            live: frames.clone(),
            clock: clock.clone(),
            ids: ids.clone(),
            settings: Settings::default(),
            policy: Ok(Policy::default()),
            kill: KillSwitch::Off,
        });
        let mind = Mind::new(MindParts {
            gate: gate.gate(),
            conversations: shelf.clone(),
            identities: keys.clone(),
            live: frames.clone(),
            index: Arc::new(Nothing),
            vault: Arc::new(Nothing),
            clock: clock.clone(),
            ids: ids.clone(),
            prompts: Prompts::load(None).unwrap(),
        });
        let (settings_tx, settings) = watch::channel(Settings::default());
        let shutdown = CancellationToken::new();
        let data = tempfile::tempdir().unwrap();
        let web = Web::new(WebParts {
            gate,
            mind,
            ledger: book,
            feed: journal.clone(),
            live: frames,
            identities: keys.clone(),
            settings: shelf,
            settings_tx,
            clock: clock.clone(),
            ids,
            setup: keys.clone(),
            doctor: Arc::new(Nothing),
            warnings: Arc::new(|| vec!["look here".to_owned()]),
            host: "lab".to_owned(),
            version: "1.2.3".to_owned(),
            data: data.path().to_owned(),
            allowed_hosts: vec!["jarvis.lan".to_owned()],
            public_url: None,
            shutdown: shutdown.clone(),
        });
        Self { journal, keys, clock, wiped, settings, shutdown, web, tcp: OnceLock::new(), _data: data }
    }

    pub fn router(&self, door: Door) -> Router {
        let whoami = |request: axum::extract::Request| async move {
            request.extensions().get::<Actor>().map(|actor| actor.id.to_string()).unwrap_or_default()
        };
        self.web.router(door, Router::new().route("/mcp", axum::routing::any(whoami)))
    }

    /// Asks over the network, from one address.
    pub async fn ask(&self, request: Request<Body>) -> Answer {
        Answer::read(self.send(request).await).await
    }

    /// The same, without reading the answer to its end: an event stream has none.
    pub async fn send(&self, request: Request<Body>) -> Response<Body> {
        let mut request = request;
        let peer: SocketAddr = "192.0.2.9:4000".parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        request.headers_mut().entry(header::HOST).or_insert("localhost:7878".parse().unwrap());
        self.tcp.get_or_init(|| self.router(Door::Tcp)).clone().oneshot(request).await.unwrap()
    }

    /// Asks over the socket in the data directory.
    pub async fn ask_locally(&self, request: Request<Body>) -> Answer {
        Answer::read(self.router(Door::Local).oneshot(request).await.unwrap()).await
    }

    /// A session of the operator, for programs.
    pub async fn operator(&self) -> String {
        let answer =
            self.ask(post("/api/session", None, &format!(r#"{{"password":"{PASSWORD}","bearer":true}}"#))).await;
        answer.body["secret"].as_str().expect("a secret").to_owned()
    }

    pub async fn token(&self, number: u128, ceiling: Tier, approve: bool) -> String {
        let grant = TokenGrant { name: "client".to_owned(), ceiling, confirm: Tier::Yellow, approve };
        let draft = jarvis_safety::event::Draft {
            kind: jarvis_safety::event::EventKind::TokenCreated,
            actor: Actor::operator().id,
            owner: Actor::operator().id,
            subject: String::new(),
            correlation: String::new(),
            tool: None,
            tier: None,
            summary: String::new(),
            body: None,
        };
        self.keys.create_token(TokenId::new(number), grant, draft).await.unwrap().1
    }

    /// Kind, actor and correlation of the newest row.
    pub fn newest(&self) -> (String, String, String) {
        let row = self.journal.rows().pop().expect("a row");
        (row.kind.as_str().to_owned(), row.actor.to_string(), row.correlation)
    }
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub text: String,
    pub body: Value,
}

impl Answer {
    pub async fn read(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 8 << 20).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { status: parts.status, headers: parts.headers, text, body }
    }

    pub fn problem(&self) -> (u16, &str) {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json", "{}", self.text);
        assert_eq!(self.headers["x-correlation-id"], self.body["correlation"].as_str().unwrap());
        (self.status.as_u16(), self.body["code"].as_str().unwrap())
    }
}

fn request(method: &str, path: &str, bearer: Option<&str>) -> http::request::Builder {
    let request = Request::builder().method(method).uri(path);
    match bearer {
        Some(secret) => request.header(header::AUTHORIZATION, format!("Bearer {secret}")),
        None => request,
    }
}

pub fn get(path: &str, bearer: Option<&str>) -> Request<Body> {
    request("GET", path, bearer).body(Body::empty()).unwrap()
}

pub fn delete(path: &str, bearer: Option<&str>) -> Request<Body> {
    request("DELETE", path, bearer).body(Body::empty()).unwrap()
}

pub fn post(path: &str, bearer: Option<&str>, body: &str) -> Request<Body> {
    send("POST", path, bearer, body)
}

pub fn send(method: &str, path: &str, bearer: Option<&str>, body: &str) -> Request<Body> {
    request(method, path, bearer)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap()
}

pub fn with(mut request: Request<Body>, name: &'static str, value: &str) -> Request<Body> {
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}
