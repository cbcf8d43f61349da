//! Reading the web: one tool, `http_fetch`, that can reach public addresses and nothing else.
//!
//! A page that Jarvis reads must not become a way into the home network. So the check stands where the connection is
//! made: the client has no resolver but ours (`reach`), which looks a name up once and hands on only addresses that the
//! guard admits; literal addresses never reach a resolver and are checked before each request; redirects are followed by
//! hand and each one is judged again (`hop`). Which addresses are public is one function (`address::is_public`).
//!
//! Reading is green only for hosts that the operator listed and for an address in the person's own message; everything
//! else is orange, because an address can carry out what Jarvis knows.

mod address;
mod body;
mod fetch;
mod hop;
mod link;
mod page;
mod reach;

use std::sync::Arc;
use std::time::Duration;

use jarvis_safety::kernel::RegistryBuilder;
use jarvis_safety::setting::Settings;
use tokio::sync::watch;

pub use self::address::is_public;
pub use self::reach::{Guard, Names, PublicOnly, SystemNames};

/// What the family needs.
pub struct HttpOptions {
    /// The settings in force; `hosts` is read at every call.
    pub settings: watch::Receiver<Settings>,
    /// Longest time for a page with all its redirects, up to 60 s.
    pub patience: Duration,
}

impl HttpOptions {
    /// These settings, and 30 seconds for a page.
    #[must_use]
    pub const fn new(settings: watch::Receiver<Settings>) -> Self {
        Self { settings, patience: Duration::from_secs(30) }
    }
}

/// Adds the tool. It reaches public addresses only.
#[must_use]
pub fn register(builder: RegistryBuilder, options: HttpOptions) -> RegistryBuilder {
    register_within(builder, options, Arc::new(PublicOnly), Arc::new(SystemNames))
}

/// Adds the tool with another idea of what may be reached and how names are looked up. The product has one idea, which is
/// [`PublicOnly`]; a test has its own server on the loopback.
#[must_use]
pub fn register_within(
    builder: RegistryBuilder,
    options: HttpOptions,
    guard: Arc<dyn Guard>,
    names: Arc<dyn Names>,
) -> RegistryBuilder {
    builder.with(fetch::HttpFetch::new(options, guard, names))
}
