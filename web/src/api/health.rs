//! Is the process alive?

use axum::Json;
use axum::extract::State;
use jarvis_client::wire::Health;

use crate::web::Web;

/// Whether the process is alive. Nobody has to sign in for this.
#[utoipa::path(get, path = "/healthz", tag = "status", responses((status = 200, body = Health)))]
pub(super) async fn health(State(web): State<Web>) -> Json<Health> {
    Json(Health { status: "ok".to_owned(), version: web.version.clone() })
}
