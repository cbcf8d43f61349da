//! `/mcp` and `/mcp/compact`: Streamable HTTP, both eras on each endpoint.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use jarvis_memory::McpSessions;
use jarvis_safety::Actor;
use rmcp::transport::streamable_http_server::session::local::{LocalSessionManager, SessionConfig};
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use super::Face;
use super::session::{self, Sessions};
use super::strict::{self, Unread};

/// Largest request.
const MAX_BODY: usize = 2 * 1024 * 1024;
/// How long a session stays in memory without a word. Then it is opened again when its client comes back.
const SESSION_IDLE: Duration = Duration::from_secs(24 * 3600);

/// The endpoints: all tools, and the few that find and call them. The caller puts the identity check before them; they
/// answer nobody without one.
pub(crate) fn routes(face: &Face, sessions: &McpSessions, stop: &CancellationToken) -> Router {
    let whole = endpoint("/mcp", face.clone(), sessions.clone(), stop.clone());
    whole.merge(endpoint("/mcp/compact", face.compact(), sessions.clone(), stop.clone()))
}

fn endpoint(path: &'static str, face: Face, kept: McpSessions, stop: CancellationToken) -> Router {
    let mut config = SessionConfig::default();
    config.keep_alive = Some(SESSION_IDLE);
    let mut manager = LocalSessionManager::default();
    manager.session_config = config;
    let manager = Arc::new(manager);
    let sessions = Sessions::new(path, Arc::clone(&manager), kept);
    // Host and Origin are checked once, by the door, for every path alike.
    let mut config = StreamableHttpServerConfig::default()
        .disable_allowed_hosts()
        .disable_allowed_origins()
        .with_json_response(true)
        .with_max_request_body_bytes(MAX_BODY)
        .with_cancellation_token(stop);
    config.session_store = Some(Arc::new(sessions.clone()));
    let judge = face.clone();
    let service = StreamableHttpService::new(move || Ok(face.for_session()), manager, config);
    Router::new()
        .route_service(path, service)
        .layer(middleware::from_fn_with_state(sessions, session::own))
        .layer(middleware::from_fn_with_state(judge, strictly))
}

/// Refuses messages that two parsers could read differently, before anything else reads them.
async fn strictly(State(face): State<Face>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let judged = match to_bytes(body, MAX_BODY).await {
        Err(_) => Err((StatusCode::PAYLOAD_TOO_LARGE, strict::too_large(MAX_BODY as u64))),
        Ok(bytes) => once(&parts.headers, bytes).map_err(|unread| (StatusCode::BAD_REQUEST, unread)),
    };
    match judged {
        Ok(bytes) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Err((status, unread)) => {
            if let Some(actor) = parts.extensions.get::<Actor>() {
                face.tell_unread(actor, &unread).await;
            }
            refused(status, &unread)
        }
    }
}

/// The body, if it and the headers can be read in one way only.
fn once(headers: &HeaderMap, bytes: Bytes) -> Result<Bytes, Unread> {
    match strict::said_twice(headers) {
        Some(unread) => Err(unread),
        None if bytes.is_empty() => Ok(bytes),
        None => strict::judge(&bytes).map(|_| bytes),
    }
}

fn refused(status: StatusCode, unread: &Unread) -> Response {
    (status, axum::Json(unread.body())).into_response()
}
