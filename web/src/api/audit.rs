//! Verifying the audit.

use std::sync::PoisonError;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jarvis_client::wire::AuditReport;
use jarvis_safety::Refusal;
use jarvis_safety::refusal::Code;

use crate::auth::Overseer;
use crate::problem::{Answered, Fault};
use crate::view;
use crate::web::Web;

/// The last verification since the start; 204 when there was none.
#[utoipa::path(get, path = "/api/audit", tag = "events",
    responses((status = 200, body = AuditReport), (status = 204, description = "Not verified since the start")))]
pub(super) async fn last_report(State(web): State<Web>, _: Overseer) -> Response {
    let report = web.verified.lock().unwrap_or_else(PoisonError::into_inner).clone();
    report.map_or_else(|| StatusCode::NO_CONTENT.into_response(), |report| Json(report).into_response())
}

/// Checks every row, every kept body and the seal. One at a time: it reads everything.
#[utoipa::path(post, path = "/api/audit/verify", tag = "events", responses((status = 200, body = AuditReport)))]
pub(super) async fn verify(State(web): State<Web>, _: Overseer) -> Answered<Json<AuditReport>> {
    let Ok(_verifying) = web.verifying.try_lock() else {
        let refusal = Refusal::new(
            Code::RateLimited,
            "one at a time",
            "a verification is running; ask for it again when it is done",
        );
        return Err(Fault::from(refusal).after(2));
    };
    let report = view::event::report(web.feed.verify().await?);
    *web.verified.lock().unwrap_or_else(PoisonError::into_inner) = Some(report.clone());
    Ok(Json(report))
}
