//! This machine: load, memory, disks, processes, temperatures. All of it reads only.
//!
//! Numbers come from the kernel (`/proc`, `/sys`, `statvfs`), most of them through sysinfo. What a person asks first is
//! "is something wrong?", so the plain words name what is unusual before anything else.

mod disk;
mod host;
mod info;
mod largest;
mod memory;
mod mount;
mod process;
pub(crate) mod quantity;
pub mod sampler;
mod temperature;
pub(crate) mod user;

use std::sync::Arc;

use jarvis_safety::Target;
use jarvis_safety::kernel::RegistryBuilder;
use jarvis_safety::tool::{ToolError, ToolErrorKind};
use tokio::sync::Semaphore;

use host::Host;

/// This machine. Cheap to clone.
#[derive(Debug, Clone)]
pub struct System(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    host: Host,
    /// One walk through a file system at a time: two would only slow each other and the machine.
    walk: Arc<Semaphore>,
}

impl System {
    /// Reads what does not change while the machine runs: its names, its kernel, what it runs on.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Inner { host: Host::read(), walk: Arc::new(Semaphore::new(1)) }))
    }

    fn host(&self) -> &Host {
        &self.0.host
    }

    fn target(&self) -> Target {
        Target::new("host", self.host().id.as_str(), self.host().name.as_str())
    }
}

impl Default for System {
    fn default() -> Self {
        Self::new()
    }
}

/// Adds the tools of this family.
#[must_use]
pub fn register(builder: RegistryBuilder, system: System) -> RegistryBuilder {
    builder
        .with(info::SystemInfo(system.clone()))
        .with(process::SystemProcesses(system.clone()))
        .with(disk::SystemDisks(system.clone()))
        .with(temperature::SystemTemperatures(system))
}

/// Runs what reads files on a thread where waiting hurts nobody.
async fn blocking<T, F>(work: F) -> Result<T, ToolError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, ToolError> + Send + 'static,
{
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(ToolError::new(ToolErrorKind::Panicked, format!("reading the machine broke off: {error}")))
    })
}

/// The kernel did not answer something that every Linux answers.
fn unreadable(what: &str, error: impl std::fmt::Display) -> ToolError {
    ToolError::new(
        ToolErrorKind::Unavailable,
        format!("{what} cannot be read here ({error}); check that /proc and /sys are mounted"),
    )
}
