//! The whole house behind the real router.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Request, Response, StatusCode, header};
use jarvis_agents::{Mind, MindParts, Prompts};
use jarvis_client::wire::{DoctorReport, Finding};
use jarvis_memory::{JobStore, LiveHub, SecretVault, Store, ToolIndex, VaultOptions};
use jarvis_safety::call::{Origin, Vouching};
use jarvis_safety::event::EventKind;
use jarvis_safety::heard::Heard;
use jarvis_safety::id::TokenId;
use jarvis_safety::identity::{TokenGrant, Whence};
use jarvis_safety::job::{JobQueue, Kinds, QueueParts, Submission, ToolCall, Worker, WorkerOptions};
use jarvis_safety::kernel::{Console, Described, GateParts, KillSwitch, Policy, Registry};
use jarvis_safety::mount::MountView;
use jarvis_safety::port::{Document, EventFilter, Feed as _, Identities as _, MountDesk};
use jarvis_safety::secret::{Secret, Secrets, Vault};
use jarvis_safety::setting::Settings;
use jarvis_safety::{Actor, ActorId, Role, Tier};
use jarvis_web::{Doctor, Door, Web, WebParts};
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt as _;

use super::job::{Mouth, Talk};
use super::store::{Kept, row};
use super::tool::{Bench, Read, Tend, Wipe};

pub const PASSWORD: &str = "correct horse battery";

struct Nothing;

impl Vault for Nothing {
    fn open(&self, reference: &str) -> Result<Secret, String> {
        Err(format!("{reference} is not there"))
    }

    fn open_for(&self, reference: &str, _: &str, _: &str) -> Result<Secret, String> {
        self.open(reference)
    }
}

#[async_trait]
impl Doctor for Nothing {
    async fn report(&self) -> DoctorReport {
        let finding = Finding {
            what: "store".to_owned(),
            state: "ok".to_owned(),
            found: "all is well".to_owned(),
            fix: String::new(),
        };
        DoctorReport { findings: vec![finding] }
    }
}

struct SetupCode(Store);

#[async_trait]
impl jarvis_web::SetupCode for SetupCode {
    async fn check(&self, code: &str) -> bool {
        self.0.check_setup_code(code)
    }
}

/// Derefs to what is kept.
pub struct House {
    pub kept: Kept,
    pub wiped: Arc<AtomicU32>,
    pub bench: Arc<Bench>,
    pub settings: watch::Receiver<Settings>,
    pub shutdown: CancellationToken,
    pub web: Web,
    /// Only one job that talks is there at a time.
    mouth: Mouth,
    tcp: OnceLock<Router>,
    _working: DropGuard,
}

impl Deref for House {
    type Target = Kept;

    fn deref(&self) -> &Kept {
        &self.kept
    }
}

fn mind(
    kept: &Kept,
    gate: &Console,
    live: &Arc<LiveHub>,
    index: Arc<ToolIndex>,
    secrets: &Secrets,
    heard: &Arc<Heard>,
) -> Mind {
    Mind::new(MindParts {
        gate: gate.gate(),
        heard: Arc::clone(heard),
        conversations: Arc::new(kept.store.clone()),
        identities: Arc::new(kept.store.clone()),
        live: live.clone(),
        index,
        secrets: secrets.clone(),
        clock: kept.clock.clone(),
        ids: kept.ids.clone(),
        prompts: Prompts::load(None).unwrap(),
    })
}

impl House {
    pub async fn new() -> Self {
        Self::with_password(Some(PASSWORD)).await
    }

    pub async fn with_password(password: Option<&str>) -> Self {
        let kept = Kept::new().await;
        if let Some(password) = password {
            kept.set_password(password, row(EventKind::OperatorSet, "operator")).await.unwrap();
        }
        let live = Arc::new(LiveHub::new());
        let (wiped, bench) = (Arc::default(), Arc::new(Bench::default()));
        let registry = Registry::builder().with(Read).with(Wipe(Arc::clone(&wiped))).with(Tend(Arc::clone(&bench)));
        let registry = registry.build().unwrap();
        let index = Arc::new(ToolIndex::new(registry.described().map(|tool| document(&tool)).collect()).unwrap());
        let vault = SecretVault::unlock(&kept.store, VaultOptions::default()).await;
        let secrets = Secrets { vault: Arc::new(Nothing), redactor: kept.redactor.clone() };
        let gate = Console::new(GateParts {
            registry,
            ledger: Arc::new(kept.store.clone()),
            identities: Arc::new(kept.store.clone()),
            live: live.clone(),
            clock: kept.clock.clone(),
            ids: kept.ids.clone(),
            settings: Settings::default(),
            policy: Ok(Policy::default()),
            kill: KillSwitch::Off,
            grants: Vec::new(),
            secrets: secrets.clone(),
        });
        let heard = Arc::new(Heard::new(Arc::new(kept.store.clone()), kept.clock.clone()));
        let mind = mind(&kept, &gate, &live, index, &secrets, &heard);
        let (talk, mouth) = Talk::new();
        let call = ToolCall::new(gate.gate(), Arc::new(kept.store.clone()));
        let jobs = JobQueue::new(QueueParts {
            kinds: Kinds::builder().with(call).with(talk).build().unwrap(),
            jobs: Arc::new(JobStore::new(&kept.store)),
            feed: Arc::new(kept.store.clone()),
            live: live.clone(),
            clock: kept.clock.clone(),
            ids: kept.ids.clone(),
            redactor: secrets.redactor.clone(),
        });
        let (stop, shutdown) = (CancellationToken::new(), CancellationToken::new());
        tokio::spawn(Worker::new(&jobs, WorkerOptions::default()).run(stop.clone()));
        let (settings_tx, settings) = watch::channel(Settings::default());
        let web = Web::new(WebParts {
            gate,
            jobs,
            mind,
            ledger: Arc::new(kept.store.clone()),
            feed: Arc::new(kept.store.clone()),
            live,
            heard,
            identities: Arc::new(kept.store.clone()),
            settings: Arc::new(kept.store.clone()),
            settings_tx,
            mounts: Arc::new(Bare),
            factor: Arc::new(vault.clone()),
            secrets: Arc::new(vault),
            redactor: secrets.redactor,
            clock: kept.clock.clone(),
            ids: kept.ids.clone(),
            setup: Arc::new(SetupCode(kept.store.clone())),
            doctor: Arc::new(Nothing),
            warnings: Arc::new(|| vec!["look here".to_owned()]),
            host: "lab".to_owned(),
            version: "1.2.3".to_owned(),
            data: kept.data.path().to_owned(),
            allowed_hosts: vec!["jarvis.lan".to_owned()],
            public_url: None,
            shutdown: shutdown.clone(),
        });
        let (tcp, working) = (OnceLock::new(), stop.drop_guard());
        Self { kept, wiped, bench, settings, shutdown, web, mouth, tcp, _working: working }
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

    /// A session of the operator that was opened without the password, which takes its time.
    pub async fn session(&self) -> String {
        self.open_session(Whence::default(), row(EventKind::SessionOpened, "operator")).await.unwrap().1
    }

    pub async fn token(&self, number: u128, ceiling: Tier, approve: bool) -> String {
        let role = if approve { Role::Approver } else { Role::Client };
        self.token_of(number, TokenGrant { role, ..TokenGrant::client("client", ceiling) }).await
    }

    pub async fn token_of(&self, number: u128, grant: TokenGrant) -> String {
        self.create_token(TokenId::new(number), grant, row(EventKind::TokenCreated, "operator")).await.unwrap().1
    }

    /// Revokes the token of this number, through the door.
    pub async fn revoke(&self, number: u128) {
        let operator = self.session().await;
        let place = format!("/api/tokens/{}", TokenId::new(number));
        assert_eq!(self.ask(delete(&place, Some(&operator))).await.status, 204);
    }

    /// Submits a job that puts out what is [said](Self::say), as the operator or the token of this number, and answers
    /// where it is.
    pub async fn talk(&self, token: Option<u128>) -> String {
        let id = token.map_or_else(|| Actor::operator().id, actor_of);
        let submission = Submission {
            actor: self.standing(&id).await.unwrap().expect("somebody who is there"),
            origin: Origin { face: "test".to_owned(), ..Origin::default() },
            vouching: Vouching::Client,
            kind: "talk".to_owned(),
            payload: Value::Null,
            key: None,
            run_at: None,
        };
        format!("/api/jobs/{}", self.web.jobs.submit(submission).await.unwrap().job.id)
    }

    /// One piece for the job that talks.
    pub fn say(&self, piece: impl Into<String>) {
        self.mouth.send(piece.into()).unwrap();
    }

    /// Lets the job that talks end once it has put out everything. No other can talk afterwards.
    pub fn fall_silent(&mut self) {
        self.mouth = Talk::new().1;
    }

    /// Kind, actor and correlation of the newest row.
    pub async fn newest(&self) -> (String, String, String) {
        let rows = self.before(u64::MAX, &EventFilter::default(), 1).await.unwrap();
        let row = rows.into_iter().next().expect("a row");
        (row.kind.as_str().to_owned(), row.actor.to_string(), row.correlation)
    }
}

/// The actor that the token of this number is.
pub fn actor_of(token: u128) -> ActorId {
    ActorId::new(format!("token:{}", TokenId::new(token)))
}

/// No server is mounted here; those that are, are tried with the whole program.
struct Bare;

impl MountDesk for Bare {
    fn mounts(&self) -> Vec<MountView> {
        Vec::new()
    }

    fn is_configured(&self, _: &str) -> bool {
        false
    }

    fn apply(&self) {}

    fn retry(&self, _: &str) -> bool {
        false
    }
}

fn document(tool: &Described) -> Document {
    Document {
        key: tool.spec.name.to_owned(),
        name: tool.spec.name.replace('_', " "),
        examples: tool.spec.examples.join(". "),
        text: tool.description.clone(),
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
