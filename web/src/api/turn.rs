//! Turns: how far they are, stopping them, asking again.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jarvis_client::wire::TurnInfo;
use jarvis_safety::conversation::{Entry, Turn, TurnState};
use jarvis_safety::{Tier, TurnId};

use super::call;
use crate::auth::{Caller, Face, Speaker};
use crate::guard::locate::At;
use crate::guard::prefer::Wait;
use crate::problem::Answered;
use crate::view;
use crate::web::Web;

/// One turn, as far as it has come.
#[utoipa::path(get, path = "/api/turns/{id}", tag = "conversations",
    params(("id" = String, Path, description = "Turn id"), ("prefer" = Option<String>, Header, description = "`wait=N`")),
    responses((status = 200, body = TurnInfo)))]
pub(super) async fn get_turn(
    State(web): State<Web>,
    Speaker(caller): Speaker,
    wait: Wait,
    At(id): At<TurnId>,
) -> Answered<Json<TurnInfo>> {
    Ok(Json(read(&web, &caller, &id, wait).await?.1))
}

/// Stops a turn: what it says ends here, and a call that runs is cancelled. One that has ended stays as it is.
#[utoipa::path(post, path = "/api/turns/{id}/stop", tag = "conversations",
    params(("id" = String, Path, description = "Turn id")), responses((status = 204, description = "It has ended")))]
pub(super) async fn stop_turn(
    State(web): State<Web>,
    Speaker(caller): Speaker,
    At(id): At<TurnId>,
) -> Answered<StatusCode> {
    web.mind.stop(&caller.actor, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Asks the words of a turn again, beside it; with a key that was used for it before, not once more.
#[utoipa::path(post, path = "/api/turns/{id}/retry", tag = "conversations",
    params(
        ("id" = String, Path, description = "Turn id"), ("prefer" = Option<String>, Header, description = "`wait=N`"),
        ("idempotency-key" = Option<String>, Header, min_length = 1, max_length = 200, description = "The same key and the same words are the same turn"),
    ),
    responses((status = 200, body = TurnInfo), (status = 202, body = TurnInfo)))]
pub(super) async fn retry_turn(
    State(web): State<Web>,
    Speaker(caller): Speaker,
    face: Face,
    wait: Wait,
    headers: HeaderMap,
    At(id): At<TurnId>,
) -> Answered<Response> {
    let key = call::key(&headers, None)?;
    let turn = web.mind.retry(&caller.actor, face.origin(&caller), &id, key).await?;
    answer(&web, &caller, &turn.id, wait).await
}

/// The turn as it stands after the wait: 202 with its place while there is more to come.
pub(super) async fn answer(web: &Web, caller: &Caller, id: &TurnId, wait: Wait) -> Answered<Response> {
    let (state, turn) = read(web, caller, id, wait).await?;
    if !matches!(state, TurnState::Running | TurnState::Waiting) {
        return Ok(Json(turn).into_response());
    }
    let mut response = (StatusCode::ACCEPTED, Json(turn)).into_response();
    if let Ok(place) = HeaderValue::from_str(&format!("/api/turns/{id}")) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

async fn read(web: &Web, caller: &Caller, id: &TurnId, wait: Wait) -> Answered<(TurnState, TurnInfo)> {
    let (turn, log) = if wait.any() {
        web.mind.settled(&caller.actor, id, wait.0).await?
    } else {
        web.mind.turn(&caller.actor, id).await?
    };
    Ok((turn.state, told(web, &turn, &log).await?))
}

/// A turn for people, with what the open cards know about its waiting calls.
pub(super) async fn told(web: &Web, turn: &Turn, log: &[Entry]) -> Answered<TurnInfo> {
    let registry = web.gate.registry();
    let declared = |tool: &str| registry.describe(tool).map_or(Tier::Green, |tool| tool.spec.tier).as_str();
    let mut info = view::turn::turn(turn, log, declared);
    if turn.state == TurnState::Waiting {
        for id in view::turn::open_cards(log) {
            if let Some(card) = web.ledger.approval(&id).await? {
                view::turn::add_card(&mut info, &card);
            }
        }
    }
    Ok(info)
}
