//! What this crate is given: ports, the gate, the mind, and what the door has to know about itself.
//!
//! Two traits live here because nobody else needs them: the one-time code and the doctor belong to the binary, and the
//! web face only asks them.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use jarvis_agents::Mind;
use jarvis_client::wire::DoctorReport;
use jarvis_safety::factor::SecondFactor;
use jarvis_safety::heard::Heard;
use jarvis_safety::job::JobQueue;
use jarvis_safety::kernel::Console;
use jarvis_safety::port::{Clock, Feed, Identities, Ids, Ledger, Live, MountDesk, SettingStore};
use jarvis_safety::secret::{Redactor, SecretStore};
use jarvis_safety::setting::Settings;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Knows the one-time code with which the operator's password is set for the first time.
#[async_trait]
pub trait SetupCode: Send + Sync {
    /// Whether this is the code. Takes the same time for every wrong one, and is false once the password is set.
    async fn check(&self, code: &str) -> bool;
}

/// Looks at everything that Jarvis needs on this machine.
#[async_trait]
pub trait Doctor: Send + Sync {
    /// What was found, what is missing, and how to mend it.
    async fn report(&self) -> DoctorReport;
}

/// Tells what needs the operator's attention right now, a sentence each.
pub type Warnings = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// Everything that the web face is built from.
pub struct WebParts {
    /// The gate.
    pub gate: Console,
    /// Jobs and schedules.
    pub jobs: JobQueue,
    /// Understands what is said.
    pub mind: Mind,
    /// Calls, approvals, and the rows that the door itself writes.
    pub ledger: Arc<dyn Ledger>,
    /// The audit as a stream.
    pub feed: Arc<dyn Feed>,
    /// Live frames.
    pub live: Arc<dyn Live>,
    /// Who may come in.
    pub identities: Arc<dyn Identities>,
    /// What the models behind clients have heard.
    pub heard: Arc<Heard>,
    /// Keeps settings.
    pub settings: Arc<dyn SettingStore>,
    /// Tells everything else that the settings have changed.
    pub settings_tx: watch::Sender<Settings>,
    /// Mounted MCP servers.
    pub mounts: Arc<dyn MountDesk>,
    /// The second factor beside the password.
    pub factor: Arc<dyn SecondFactor>,
    /// Keeps secrets.
    pub secrets: Arc<dyn SecretStore>,
    /// Strikes them out of what was kept before they were known.
    pub redactor: Redactor,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Fresh ids.
    pub ids: Arc<dyn Ids>,
    /// The one-time code.
    pub setup: Arc<dyn SetupCode>,
    /// The doctor.
    pub doctor: Arc<dyn Doctor>,
    /// What needs attention.
    pub warnings: Warnings,
    /// Name of this machine.
    pub host: String,
    /// Version of Jarvis.
    pub version: String,
    /// The data directory: no folder inside it can become a root of the file tools.
    pub data: PathBuf,
    /// Names under which the server may be called, beside loopback names and IP addresses: `name` or `name:port`.
    pub allowed_hosts: Vec<String>,
    /// Address under which browsers see the server, when that is not the one it listens on.
    pub public_url: Option<url::Url>,
    /// Ends event streams and background counting when the server stops.
    pub shutdown: CancellationToken,
}
