//! `/mcp`: Streamable HTTP, both eras on one endpoint.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use jarvis_safety::Actor;
use rmcp::transport::streamable_http_server::session::local::{LocalSessionManager, SessionConfig};
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use super::Face;
use super::session::{self, Sessions};
use super::strict::{self, Unread};

/// Largest request.
const MAX_BODY: usize = 2 * 1024 * 1024;
/// Clients of the old era often do not open a new session when theirs has died of idleness.
const SESSION_IDLE: Duration = Duration::from_secs(24 * 3600);

/// The endpoint. The caller puts the identity check before it; it answers nobody without one.
pub(crate) fn routes(face: Face, stop: CancellationToken) -> Router {
    let mut config = SessionConfig::default();
    config.keep_alive = Some(SESSION_IDLE);
    let mut manager = LocalSessionManager::default();
    manager.session_config = config;
    let manager = Arc::new(manager);
    let sessions = Sessions::new(Arc::clone(&manager));
    // Host and Origin are checked once, by the door, for every path alike.
    let config = StreamableHttpServerConfig::default()
        .disable_allowed_hosts()
        .disable_allowed_origins()
        .with_json_response(true)
        .with_max_request_body_bytes(MAX_BODY)
        .with_cancellation_token(stop);
    let judge = face.clone();
    let service = StreamableHttpService::new(move || Ok(face.for_session()), manager, config);
    Router::new()
        .route_service("/mcp", service)
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
