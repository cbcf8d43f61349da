//! `/mcp`: Streamable HTTP, both eras on one endpoint.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use jarvis_safety::json;
use rmcp::transport::streamable_http_server::session::local::{LocalSessionManager, SessionConfig};
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::Face;

/// Largest request.
const MAX_BODY: usize = 2 * 1024 * 1024;
/// Clients of the old era often do not open a new session when theirs has died of idleness.
const SESSION_IDLE: Duration = Duration::from_secs(24 * 3600);

/// The endpoint. The caller puts the identity check before it; it answers nobody without one.
pub(crate) fn routes(face: Face, stop: CancellationToken) -> Router {
    let mut session = SessionConfig::default();
    session.keep_alive = Some(SESSION_IDLE);
    let mut sessions = LocalSessionManager::default();
    sessions.session_config = session;
    // Host and Origin are checked once, by the door, for every path alike.
    let config = StreamableHttpServerConfig::default()
        .disable_allowed_hosts()
        .disable_allowed_origins()
        .with_json_response(true)
        .with_max_request_body_bytes(MAX_BODY)
        .with_cancellation_token(stop);
    let service = StreamableHttpService::new(move || Ok(face.clone()), Arc::new(sessions), config);
    Router::new().route_service("/mcp", service).layer(middleware::from_fn(strictly))
}

/// Refuses JSON that two parsers could read differently, before anything else reads it.
async fn strictly(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, MAX_BODY).await else {
        let said = format!("the request is larger than {MAX_BODY} bytes; nothing was done");
        return refused(StatusCode::PAYLOAD_TOO_LARGE, -32600, &said, Value::Null);
    };
    if !bytes.is_empty() {
        let text = String::from_utf8_lossy(&bytes);
        if let Err(error) = json::parse(&text) {
            let said = format!("the request is not strict JSON: {error}. Nothing was done");
            return refused(StatusCode::BAD_REQUEST, -32700, &said, request_id(&text));
        }
    }
    next.run(Request::from_parts(parts, Body::from(bytes))).await
}

/// The id of a request that is refused, if it has one that can be read.
pub(super) fn request_id(text: &str) -> Value {
    let lenient: Value = serde_json::from_str(text).unwrap_or_default();
    lenient.get("id").cloned().unwrap_or_default()
}

fn refused(status: StatusCode, code: i64, message: &str, id: Value) -> Response {
    let body = json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } });
    (status, axum::Json(body)).into_response()
}
