//! The state behind the routes, and the router.

use std::ops::Deref;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use jarvis_client::wire::AuditReport;

use crate::auth::{AuthState, McpDoor};
use crate::guard::door::{Door, Names};
use crate::guard::record::Nameless;
use crate::guard::{body, door, header, strike, trace};
use crate::metric::Metrics;
use crate::parts::WebParts;
use crate::stream::Seats;
use crate::{api, auth, dashboard};

/// What the routes share. Both doors are built from one of these, so that limits and metrics count both.
#[derive(Clone)]
pub struct Web(Arc<Shared>);

/// The insides of [`Web`].
pub struct Shared {
    parts: WebParts,
    pub(crate) names: Arc<Names>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) nameless: Nameless,
    /// Held while a password is set, settings are saved: two at once would judge an old state.
    pub(crate) changing: tokio::sync::Mutex<()>,
    pub(crate) verifying: tokio::sync::Mutex<()>,
    pub(crate) verified: Mutex<Option<AuditReport>>,
    pub(crate) seats: Arc<Seats>,
}

impl Deref for Shared {
    type Target = WebParts;

    fn deref(&self) -> &WebParts {
        &self.parts
    }
}

impl Deref for Web {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Web {
    /// Builds the state and begins to count events; the counting ends with `parts.shutdown`. Needs a tokio runtime.
    #[must_use]
    pub fn new(parts: WebParts) -> Self {
        let metrics = Arc::new(Metrics::new(&parts.version));
        Arc::clone(&metrics).count(&*parts.feed);
        let names = Arc::new(Names::new(&parts.allowed_hosts, parts.public_url.clone()));
        Self(Arc::new(Shared {
            parts,
            names,
            metrics,
            nameless: Nameless::default(),
            changing: tokio::sync::Mutex::new(()),
            verifying: tokio::sync::Mutex::new(()),
            verified: Mutex::new(None),
            seats: Arc::default(),
        }))
    }

    /// How callers are known; for services that stand beside the API.
    #[must_use]
    pub fn auth(&self) -> AuthState {
        AuthState { identities: Arc::clone(&self.identities), clock: Arc::clone(&self.clock) }
    }

    /// The routes behind one door. `mcp` holds the routes of MCP with their full paths; they get the actor in the
    /// request's extensions and pass the same guards. On [`Door::Tcp`] serve it with connection information
    /// (`into_make_service_with_connect_info::<SocketAddr>()`), so that guesses can be counted by address.
    pub fn router(&self, door: Door, mcp: Router) -> Router {
        let mcp_door = McpDoor { auth: self.auth(), door, names: Arc::clone(&self.names) };
        let mcp = mcp.layer(from_fn_with_state(mcp_door, auth::layer));
        // The last layer added is the first that a request passes.
        api::routes()
            .with_state(self.clone())
            .merge(mcp)
            .layer(from_fn_with_state(self.redactor.clone(), strike::layer))
            .fallback(dashboard::serve)
            .method_not_allowed_fallback(dashboard::wrong_method)
            .layer(from_fn_with_state((Arc::clone(&self.names), door), door::layer))
            .layer(from_fn(body::layer))
            .layer(from_fn_with_state(self.clone(), trace::layer))
            .layer(from_fn(header::layer))
    }
}

/// The routes behind one door, without MCP: for tests, and for programs that have no MCP face.
pub fn router(web: &Web, door: Door) -> Router {
    web.router(door, Router::new())
}
