//! Striking secrets out of answers: what was kept before a secret was known may hold it.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};
use jarvis_safety::secret::Redactor;

/// Looks through every JSON answer.
pub async fn layer(State(redactor): State<Redactor>, request: Request, next: Next) -> Response {
    clean(&redactor, next.run(request).await).await
}

/// The answer without secrets. Most hold none and go out as they are.
pub(crate) async fn clean(redactor: &Redactor, response: Response) -> Response {
    if redactor.is_idle() || !is_json(response.headers()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // Every JSON answer was made in memory, so this copies nothing that was not there.
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let clean = redactor.json(String::from_utf8_lossy(&bytes).into_owned());
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(clean))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().ends_with("json"))
}
