//! Taking back a call, or all that a turn changed: shown before, and then done by calls that pass the gate.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use jarvis_client::wire::{ApprovalInfo, CallAnswer, UndoPreview, UndoStep};
use jarvis_safety::call::Request;
use jarvis_safety::{CallId, TurnId};

use super::call::{chooser, respond};
use super::plan::{PlanRan, answer};
use crate::auth::{Caller, Face};
use crate::guard::locate::At;
use crate::guard::prefer::Wait;
use crate::problem::Answered;
use crate::view;
use crate::web::Web;

/// What would take a call back. Runs nothing.
#[utoipa::path(get, path = "/api/calls/{id}/undo", tag = "calls", params(("id" = String, Path, description = "Call id")),
    responses((status = 200, body = UndoPreview)))]
pub(super) async fn show_undo_call(
    State(web): State<Web>,
    caller: Caller,
    face: Face,
    At(id): At<CallId>,
) -> Answered<Json<UndoPreview>> {
    let vouching = chooser(&web, &caller).await?;
    let undo = web.gate.undoing(&caller.actor, &id, face.origin(&caller), vouching).await?;
    Ok(Json(shown(&web, &[undo]).await))
}

/// Takes a call back, by the call that its tool left for that. It passes the gate like any other.
#[utoipa::path(post, path = "/api/calls/{id}/undo", tag = "calls",
    params(("id" = String, Path, description = "Call id"), ("prefer" = Option<String>, Header, description = "`wait=N`")),
    responses((status = 200, body = CallAnswer), (status = 202, body = CallAnswer)))]
pub(super) async fn undo_call(
    State(web): State<Web>,
    caller: Caller,
    face: Face,
    wait: Wait,
    At(id): At<CallId>,
) -> Answered<Response> {
    let vouching = chooser(&web, &caller).await?;
    let answer = web.gate.undo(&caller.actor, &id, face.origin(&caller), vouching).await;
    respond(&web, answer, wait).await
}

/// What would take back all that a turn changed, the last change first. Runs nothing.
#[utoipa::path(get, path = "/api/turns/{id}/undo", tag = "conversations",
    params(("id" = String, Path, description = "Turn id")), responses((status = 200, body = UndoPreview)))]
pub(super) async fn show_undo_turn(
    State(web): State<Web>,
    caller: Caller,
    face: Face,
    At(id): At<TurnId>,
) -> Answered<Json<UndoPreview>> {
    Ok(Json(shown(&web, &of_turn(&web, &caller, &face, &id).await?).await))
}

/// Takes back all that a turn changed, the last change first, as one plan: if any of it must be asked, all goes on one
/// card (202). What was taken back before is left out.
#[utoipa::path(post, path = "/api/turns/{id}/undo", tag = "conversations",
    params(("id" = String, Path, description = "Turn id"), ("prefer" = Option<String>, Header, description = "`wait=N`")),
    responses(
        (status = 200, description = "Nothing had to be asked, or the card was decided in time", body = PlanRan),
        (status = 202, description = "Waits for a person", body = ApprovalInfo),
    ))]
pub(super) async fn undo_turn(
    State(web): State<Web>,
    caller: Caller,
    face: Face,
    wait: Wait,
    At(id): At<TurnId>,
) -> Answered<Response> {
    let plan = of_turn(&web, &caller, &face, &id).await?;
    let tools: Vec<_> = plan.iter().map(|undo| undo.tool.clone()).collect();
    answer(&web, &tools, web.gate.undo_all(plan).await, wait).await
}

async fn of_turn(web: &Web, caller: &Caller, face: &Face, id: &TurnId) -> Answered<Vec<Request>> {
    let changes = web.mind.changes(&caller.actor, id).await?;
    let vouching = chooser(web, caller).await?;
    Ok(web.gate.undoing_all(&caller.actor, &changes, face.origin(caller), vouching).await?)
}

async fn shown(web: &Web, plan: &[Request]) -> UndoPreview {
    let mut steps = Vec::with_capacity(plan.len());
    for undo in plan {
        let undoes = undo.origin.undoes.as_ref().map(ToString::to_string).unwrap_or_default();
        let (preview, unseen) = match web.gate.preview(undo).await {
            Ok((prepared, shown)) => (Some(view::call::preview(&prepared, &shown)), None),
            Err(refusal) => (None, Some(refusal.message)),
        };
        steps.push(UndoStep { undoes, tool: undo.tool.clone(), preview, unseen });
    }
    UndoPreview { steps }
}
