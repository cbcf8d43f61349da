//! What the doctor found.

use axum::Json;
use axum::extract::State;
use jarvis_client::wire::DoctorReport;

use crate::auth::Overseer;
use crate::web::Web;

/// Looks at everything that Jarvis needs on this machine, now.
#[utoipa::path(get, path = "/api/doctor", tag = "status", responses((status = 200, body = DoctorReport)))]
pub(super) async fn doctor(State(web): State<Web>, _: Overseer) -> Json<DoctorReport> {
    Json(web.doctor.report().await)
}
