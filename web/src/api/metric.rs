//! Measurements for Prometheus.

use axum::extract::State;
use axum::response::IntoResponse;
use http::{StatusCode, header};

use crate::auth::Watcher;
use crate::metric::resident_bytes;
use crate::problem::{Answered, Fault};
use crate::web::Web;

/// Counters and latencies in the OpenMetrics text format. Any known caller may read them; they name no target.
#[utoipa::path(get, path = "/metrics", tag = "status",
    responses((status = 200, description = "OpenMetrics text", body = String, content_type = "application/openmetrics-text")))]
pub(super) async fn metrics(State(web): State<Web>, _: Watcher) -> Answered<impl IntoResponse> {
    let status = tokio::fs::read_to_string("/proc/self/status").await.unwrap_or_default();
    let page = web.metrics.render(resident_bytes(&status)).map_err(|_| {
        Fault::door(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the measurements cannot be written")
    })?;
    Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], page))
}
