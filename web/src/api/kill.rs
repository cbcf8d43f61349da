//! The kill switch.

use axum::extract::State;
use http::StatusCode;
use jarvis_client::wire::KillBody;
use jarvis_safety::kernel::KillSwitch;

use crate::auth::{Face, Operator};
use crate::guard::body::Sent;
use crate::problem::{Answered, Fault};
use crate::web::Web;

/// Stops: refuses everything above green (or everything), and cancels what runs. Durable; only the operator may.
#[utoipa::path(post, path = "/api/kill", tag = "kill", request_body = KillBody,
    responses((status = 204, description = "It is on")))]
pub(super) async fn stop(
    State(web): State<Web>,
    Operator(caller): Operator,
    face: Face,
    Sent(body): Sent<KillBody>,
) -> Answered<StatusCode> {
    let kill = match body.level.as_deref() {
        None | Some("effects") => KillSwitch::Effects,
        Some("all") => KillSwitch::All,
        Some(_) => return Err(Fault::invalid("level must be `effects` or `all`; the kill switch is as it was")),
    };
    web.gate.set_kill_switch(&caller.actor, kill, &face.origin(&caller)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Releases the kill switch. What it cancelled does not begin again by itself.
#[utoipa::path(delete, path = "/api/kill", tag = "kill", responses((status = 204, description = "It is off")))]
pub(super) async fn resume(State(web): State<Web>, Operator(caller): Operator, face: Face) -> Answered<StatusCode> {
    web.gate.set_kill_switch(&caller.actor, KillSwitch::Off, &face.origin(&caller)).await?;
    Ok(StatusCode::NO_CONTENT)
}
