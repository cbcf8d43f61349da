//! Outcomes that nobody can tell: shown until a person has looked.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use jarvis_client::wire::{DoubtInfo, DoubtList};
use jarvis_safety::event::EventKind;

use crate::auth::{Face, Operator, Watcher};
use crate::guard::locate::At;
use crate::problem::{Answered, Fault, quote};
use crate::web::Web;

/// Most of them in one answer.
const MOST: u32 = 200;

/// Calls above green and jobs of which nobody can tell what became of them, until the operator acknowledges them.
#[utoipa::path(get, path = "/api/doubts", tag = "calls", responses((status = 200, body = DoubtList)))]
pub(super) async fn list_doubts(State(web): State<Web>, Watcher(caller): Watcher) -> Answered<Json<DoubtList>> {
    let actor = (!caller.sees_all()).then_some(&caller.actor.id);
    let doubts = web.ledger.doubts(actor, MOST).await?.into_iter().map(|doubt| DoubtInfo {
        subject: doubt.subject,
        actor: doubt.actor.to_string(),
        what: doubt.what,
        target: doubt.target,
        words: doubt.words,
        at: doubt.at,
    });
    Ok(Json(DoubtList { doubts: doubts.collect() }))
}

/// A person has looked at what became of a call or a job; it is in doubt no more. Its outcome stays `unknown`.
#[utoipa::path(post, path = "/api/doubts/{id}/acknowledge", tag = "calls",
    params(("id" = String, Path, description = "Id of the call or the job")),
    responses((status = 204, description = "It is acknowledged")))]
pub(super) async fn acknowledge(
    State(web): State<Web>,
    Operator(caller): Operator,
    face: Face,
    At(id): At<String>,
) -> Answered<StatusCode> {
    let row = face.row(EventKind::DoubtAcknowledged, &caller.actor, &id, "a person looked at what became of it");
    if web.ledger.acknowledge(&id, web.clock.now(), row).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Fault::not_found(format!("{} is not in doubt; GET /api/doubts tells what is", quote(&id))))
}
