//! The handle on one engine: connects when first needed, and again after the engine went away.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bollard::API_DEFAULT_VERSION;
use jarvis_safety::Target;
use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::tool::{ToolError, ToolErrorKind};
use tokio::sync::Mutex;

use super::failure;
use super::moment;
use super::own::Own;

/// Where the engine of a Linux machine listens.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// Longest time that connecting may take; the gate gives a look five seconds in all.
const CONNECT: Duration = Duration::from_secs(4);
/// After this long the version is asked again, in case another engine stands there now.
const FRESH: Duration = Duration::from_secs(30);
/// Longest time until an engine begins to answer. Stopping waits for the container, which may have been given minutes.
const PATIENCE_SECONDS: u64 = 360;

/// One Docker engine. Cheap to clone; nothing is opened until a tool needs it.
#[derive(Clone)]
pub struct Docker(Arc<Inner>);

struct Inner {
    address: Address,
    link: Mutex<Option<Link>>,
    own: Own,
}

enum Address {
    Socket(PathBuf),
    Tcp(String),
    /// Not an address we can use; the text says why.
    Unusable(String),
}

#[derive(Clone)]
struct Link {
    client: bollard::Docker,
    engine: Engine,
    checked: Instant,
}

/// What an engine says of itself.
#[derive(Clone)]
pub(super) struct Engine {
    id: String,
    name: String,
    version: String,
    api: String,
}

impl Docker {
    /// An engine at `unix:///path`, `/path` or `tcp://host:port`; without an address the default socket,
    /// `/var/run/docker.sock`. Nothing is opened yet, and a wrong address is only told when a tool is called.
    #[must_use]
    pub fn new(address: Option<String>) -> Self {
        let address = Address::parse(address.as_deref());
        Self(Arc::new(Inner { address, link: Mutex::new(None), own: Own::look() }))
    }

    /// A handle of a Jarvis who runs in a container.
    #[cfg(test)]
    pub(super) fn inside(own: Own) -> Self {
        Self(Arc::new(Inner { address: Address::parse(None), link: Mutex::new(None), own }))
    }

    /// Version and address of the engine, for a person who asks what was found.
    ///
    /// # Errors
    /// Says why no engine answers and how to mend it.
    pub async fn found(&self) -> Result<String, ToolError> {
        // Asked anew: what was found half a minute ago is no answer to a person who looks for a fault.
        *self.0.link.lock().await = None;
        let engine = self.link().await?.engine;
        Ok(format!("Docker {} (API {}) at {}", engine.version, engine.api, self.0.address.shown()))
    }

    /// A client that has just been seen to work.
    pub(super) async fn client(&self) -> Result<bollard::Docker, ToolError> {
        Ok(self.link().await?.client)
    }

    /// The engine itself, as the target of calls that are about all of it.
    pub(super) async fn target(&self) -> Result<Target, ToolError> {
        let engine = self.link().await?.engine;
        Ok(Target::new("docker", engine.id, engine.name))
    }

    /// The engine's clock, in milliseconds since 1970: what its own times must be compared with.
    pub(super) async fn now(&self) -> Result<i64, ToolError> {
        let info = self.client().await?.info().await.map_err(|error| self.failed(&error))?;
        info.system_time
            .as_deref()
            .and_then(moment::parse)
            .ok_or_else(|| ToolError::new(ToolErrorKind::Failed, "the Docker engine does not tell its time; update it"))
    }

    /// Whether Jarvis himself runs in this container.
    pub(super) fn is_own(&self, target: &Target) -> bool {
        self.0.own.is(&target.id)
    }

    /// What a failed request means to a person. A lost connection is forgotten, so that the next call connects anew.
    pub(super) fn failed(&self, error: &bollard::errors::Error) -> ToolError {
        let told = failure::told(error, &self.0.address.shown());
        if told.kind == ToolErrorKind::Unavailable {
            self.forget();
        }
        told
    }

    /// What a failed request to change something means: `Interrupted` if the engine may have done it all the same.
    pub(super) fn change_failed(&self, error: &bollard::errors::Error) -> ToolError {
        let told = failure::of_change(error, &self.0.address.shown());
        if matches!(told.kind, ToolErrorKind::Unavailable | ToolErrorKind::Interrupted) {
            self.forget();
        }
        told
    }

    fn forget(&self) {
        if let Ok(mut link) = self.0.link.try_lock() {
            *link = None;
        }
    }

    async fn link(&self) -> Result<Link, ToolError> {
        let mut held = self.0.link.lock().await;
        if let Some(link) = held.as_ref().filter(|link| link.checked.elapsed() < FRESH) {
            return Ok(link.clone());
        }
        *held = None;
        let connected = tokio::time::timeout(CONNECT, self.0.address.connect()).await;
        let link = connected.map_err(|_| failure::silent(&self.0.address.shown(), CONNECT))??;
        *held = Some(link.clone());
        Ok(link)
    }
}

impl Address {
    fn parse(text: Option<&str>) -> Self {
        let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
            return Self::Socket(PathBuf::from(DEFAULT_SOCKET));
        };
        let path = text.strip_prefix("unix://").unwrap_or(text);
        if path.starts_with('/') {
            return Self::Socket(PathBuf::from(path));
        }
        let host = text.strip_prefix("tcp://").or_else(|| text.strip_prefix("http://"));
        match host.map(|host| host.trim_end_matches('/')) {
            Some(host) if !host.is_empty() && !host.contains('/') => Self::Tcp(format!("tcp://{host}")),
            _ => Self::Unusable(format!(
                "`{}` is no address of a Docker engine that Jarvis can use; write unix:///path/to/docker.sock or \
                 tcp://host:port",
                shorten(&visible(text), 100)
            )),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Socket(path) => visible(&path.display().to_string()),
            Self::Tcp(address) => visible(address),
            Self::Unusable(_) => "an unusable address".to_owned(),
        }
    }

    async fn connect(&self) -> Result<Link, ToolError> {
        let connected = match self {
            Self::Unusable(why) => return Err(ToolError::new(ToolErrorKind::Unavailable, why.clone())),
            Self::Tcp(address) => bollard::Docker::connect_with_http(address, PATIENCE_SECONDS, API_DEFAULT_VERSION),
            Self::Socket(path) => {
                socket_is_there(path).await?;
                let path = path.display().to_string();
                bollard::Docker::connect_with_unix(&path, PATIENCE_SECONDS, API_DEFAULT_VERSION)
            }
        };
        let told = |error: bollard::errors::Error| failure::told(&error, &self.shown());
        let client = connected.map_err(told)?.negotiate_version().await.map_err(told)?;
        let info = client.info().await.map_err(told)?;
        let version = client.version().await.map_err(told)?;
        let shown = self.shown();
        let engine = Engine {
            id: info.id.filter(|id| !id.is_empty()).unwrap_or_else(|| shown.clone()),
            name: info.name.map(|name| visible(&name)).filter(|name| !name.is_empty()).unwrap_or(shown),
            version: visible(&info.server_version.or(version.version).unwrap_or_default()),
            api: visible(&version.api_version.unwrap_or_default()),
        };
        Ok(Link { client, engine, checked: Instant::now() })
    }
}

/// Tells a missing socket from one that is closed to us, which the client's own check does not.
async fn socket_is_there(path: &Path) -> Result<(), ToolError> {
    match tokio::fs::metadata(path).await {
        Ok(_) => Ok(()),
        Err(error) => Err(failure::of_io(&error, &visible(&path.display().to_string()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_socket_or_a_host() {
        let shown = |text: Option<&str>| Address::parse(text).shown();
        assert_eq!(shown(None), "/var/run/docker.sock");
        assert_eq!(shown(Some(" ")), "/var/run/docker.sock");
        assert_eq!(shown(Some("unix:///run/x.sock")), "/run/x.sock");
        assert_eq!(shown(Some("/run/x.sock")), "/run/x.sock");
        assert_eq!(shown(Some("tcp://nas:2375/")), "tcp://nas:2375");
        for text in ["ssh://nas", "tcp://", "unix://relative", "npipe:////./pipe/docker", "tcp://a/b"] {
            assert!(matches!(Address::parse(Some(text)), Address::Unusable(_)), "{text}");
        }
    }
}
