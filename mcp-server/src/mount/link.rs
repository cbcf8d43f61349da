//! A connection to a mounted server: over the standard streams of a program, or over HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jarvis_memory::Store;
use jarvis_safety::kernel::KillSwitch;
use jarvis_safety::mount::{Http, Line, Program};
use jarvis_safety::plain::{shorten, visible, visible_block};
use jarvis_safety::secret::{Redactor, SCHEME, Secrets};
use jarvis_tools::command::{Commands, Resident, Running};
use rmcp::model::{ClientCapabilities, ClientConfig, Implementation, ProtocolVersion};
use rmcp::service::{
    ClientLifecycleMode, NotificationContext, RoleClient, RunningService, serve_client_with_lifecycle,
};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientHandler, RoleClient as Client};
use tokio::sync::{Notify, watch};

use super::pace::{MOST_BYTES, Pace, Paced, Watched};
use super::reopen::Unhurried;

/// Longest time until a server answers for the first time: it may have to be fetched first.
const LONGEST_START: Duration = Duration::from_secs(60);
const CONNECT: Duration = Duration::from_secs(10);

/// Jarvis as a client: it offers a server nothing, so that nothing can be asked of it.
#[derive(Clone)]
pub(super) struct Ear {
    /// Fires when the server says that its tools are others now.
    pub(super) changed: Arc<Notify>,
}

impl ClientHandler for Ear {
    fn get_info(&self) -> ClientConfig {
        let jarvis = Implementation::new("jarvis", env!("CARGO_PKG_VERSION"));
        ClientConfig::new(ClientCapabilities::default(), jarvis).with_protocol_version(ProtocolVersion::V_2025_11_25)
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.changed.notify_one();
    }
}

/// A server that answers. Its program is ended when this goes.
pub(super) struct Link {
    pub(super) service: RunningService<Client, Ear>,
    pub(super) program: Option<Running>,
    /// How it writes, if it is a program.
    pub(super) pace: Pace,
}

/// What is needed to reach a server.
#[derive(Clone)]
pub(crate) struct Means {
    pub(crate) commands: Commands,
    pub(crate) secrets: Secrets,
    /// Where it is written down what became of a server.
    pub(crate) store: Store,
    /// The kill switch.
    pub(crate) brake: watch::Receiver<KillSwitch>,
}

impl Means {
    /// Reaches a server. `plain` begins with the handshake of sessions, for those that take no other first word.
    pub(super) async fn reach(&self, line: &Line, ear: Ear, plain: bool) -> Result<Link, String> {
        let lifecycle = if plain {
            ClientLifecycleMode::Initialize
        } else {
            ClientLifecycleMode::Auto { preferred_versions: vec![ProtocolVersion::V_2026_07_28], legacy_version: None }
        };
        match line {
            Line::Program(program) => self.program(program, ear, lifecycle).await,
            Line::Http(http) => self.http(http, ear, lifecycle).await,
        }
    }

    async fn program(&self, told: &Program, ear: Ear, lifecycle: ClientLifecycleMode) -> Result<Link, String> {
        let Program { program, args, reads, writes, network, .. } = told.clone();
        let environment = self.environment(&told.environment)?;
        let resident = Resident { program, args, environment, reads, writes, network };
        let (running, stdin, stdout) = self.commands.begin(resident).await.map_err(|error| error.message)?;
        let pace = Pace::default();
        let (read, write) = (Paced::new(stdout, pace.clone()), Watched::new(stdin, pace.clone()));
        let transport = AsyncRwTransport::new_client(read, write).with_max_line_length(MOST_BYTES);
        let redactor = &self.secrets.redactor;
        match begun(serve_client_with_lifecycle(ear, transport, lifecycle), redactor).await {
            Ok(service) => Ok(Link { service, program: Some(running), pace }),
            Err(why) => Err(with_complaints(pace.fault().unwrap_or(why), Some(&running), redactor)),
        }
    }

    async fn http(&self, told: &Http, ear: Ear, lifecycle: ClientLifecycleMode) -> Result<Link, String> {
        let mut config = StreamableHttpClientTransportConfig::with_uri(told.url.as_str())
            .max_sse_event_size(MOST_BYTES)
            .reinit_on_expired_session(true);
        if let Some(reference) = &told.key {
            config = config.auth_header(self.secrets.vault.open(reference)?.expose().to_owned());
        }
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .pool_max_idle_per_host(0)
            .user_agent(concat!("jarvis/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| error.to_string())?;
        let transport = StreamableHttpClientTransport::with_client(Unhurried::new(client), config);
        let service = begun(serve_client_with_lifecycle(ear, transport, lifecycle), &self.secrets.redactor).await?;
        Ok(Link { service, program: None, pace: Pace::default() })
    }

    /// Variables of a program, with the secrets that they name.
    fn environment(&self, named: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, String> {
        let opened = named.iter().map(|(name, value)| {
            let value = match value.starts_with(SCHEME) {
                true => self.secrets.vault.open(value)?.expose().to_owned(),
                false => value.clone(),
            };
            Ok((name.clone(), value))
        });
        opened.collect()
    }
}

async fn begun<E: std::error::Error>(
    service: impl Future<Output = Result<RunningService<Client, Ear>, E>>,
    redactor: &Redactor,
) -> Result<RunningService<Client, Ear>, String> {
    match tokio::time::timeout(LONGEST_START, service).await {
        Ok(Ok(service)) => Ok(service),
        Ok(Err(error)) => Err(told(&error, redactor)),
        Err(_) => Err(format!("it did not answer within {} s", LONGEST_START.as_secs())),
    }
}

/// An error with what is behind it. Secrets are struck before anything is cut: half of one is not found any more.
pub(super) fn told(error: &dyn std::error::Error, redactor: &Redactor) -> String {
    let mut said = error.to_string();
    let mut behind = error.source();
    while let Some(cause) = behind {
        let cause_said = cause.to_string();
        if !said.contains(&cause_said) {
            said = format!("{said}: {cause_said}");
        }
        behind = cause.source();
    }
    // Types of the client's own tell a person nothing.
    while let (Some(start), Some(end)) = (said.find("Transport ["), said.find("] error: ")) {
        if end < start {
            break;
        }
        said.replace_range(start..end + "] error: ".len(), "");
    }
    shorten(&visible(&redactor.text(&said)), 600)
}

/// A reason, with what the program last complained of.
pub(super) fn with_complaints(why: String, program: Option<&Running>, redactor: &Redactor) -> String {
    let complaints = program.map(Running::complaints).unwrap_or_default();
    let complaints = visible_block(redactor.text(&complaints).trim());
    if complaints.is_empty() {
        return why;
    }
    let start = complaints.ceil_char_boundary(complaints.len().saturating_sub(1_000));
    format!("{why}. It complained: {}", &complaints[start..])
}
