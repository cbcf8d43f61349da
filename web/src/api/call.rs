//! Calls: the gate over HTTP.
//!
//! The arguments are read strictly from the very bytes that came, because two parsers that disagree about them would be
//! an attack; so a call that cannot be read is refused here, and recorded like one that the gate refused.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jarvis_client::wire::{CallAnswer, CallBody, Preview};
use jarvis_safety::call::{self, Vouching};
use jarvis_safety::event::EventKind;
use jarvis_safety::id::CallId;
use jarvis_safety::kernel::answer_of;
use jarvis_safety::outcome::Answer;
use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::{ActorKind, ApprovalId, json};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::auth::{Asker, Caller, Face};
use crate::guard::body;
use crate::guard::locate::At;
use crate::guard::prefer::Wait;
use crate::problem::{Answered, Fault, quote};
use crate::view;
use crate::web::Web;

/// Longest idempotency key.
const MAX_KEY: usize = 200;

/// Makes a call. Answers 200 when it ran (also when it failed: see `state`), 202 when a person must decide first, and a
/// problem when it was refused. With `Prefer: wait=N` the answer waits for that decision and the run.
#[utoipa::path(post, path = "/api/call", tag = "calls", request_body = CallBody,
    params(
        ("prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds (0 to 50) for the approval"),
        ("idempotency-key" = Option<String>, Header, min_length = 1, max_length = 200, description = "The same key and the same call never run twice"),
    ),
    responses(
        (status = 200, body = CallAnswer),
        (status = 202, description = "Waits for a person; `approval` and the Location header name the card", body = CallAnswer),
    ))]
pub(super) async fn make_call(
    State(web): State<Web>,
    Asker(caller): Asker,
    face: Face,
    wait: Wait,
    request: Request,
) -> Answered<Response> {
    let (headers, body) = read::<CallBody>(&caller, request).await?;
    let key = key(&headers, body.key.as_deref()).map_err(|fault| misfit(&web, fault, &caller, &body.tool))?;
    let call = to_request(&web, &caller, &face, body, key).await?;
    let answer = web.gate.call(call).await;
    respond(&web, answer, wait).await
}

/// What would happen if this call were made now. Runs nothing.
#[utoipa::path(post, path = "/api/preview", tag = "calls", request_body = CallBody,
    responses((status = 200, body = Preview)))]
pub(super) async fn preview_call(
    State(web): State<Web>,
    Asker(caller): Asker,
    face: Face,
    request: Request,
) -> Answered<Json<Preview>> {
    let (_, body) = read::<CallBody>(&caller, request).await?;
    let call = to_request(&web, &caller, &face, body, None).await?;
    let (prepared, shown) = web.gate.preview(&call).await?;
    Ok(Json(view::call::preview(&prepared, &shown)))
}

/// One call above green, as it stands.
#[utoipa::path(get, path = "/api/calls/{id}", tag = "calls", params(("id" = String, Path, description = "Call id")),
    responses((status = 200, body = CallAnswer)))]
pub(super) async fn get_call(
    State(web): State<Web>,
    Asker(caller): Asker,
    At(id): At<CallId>,
) -> Answered<Json<CallAnswer>> {
    let record = web.ledger.call(&id).await?;
    let own = record.filter(|record| caller.sees_all() || record.actor == caller.actor.id).ok_or_else(|| {
        Fault::not_found(format!("there is no call {id} above green of yours; green ones stand in the history"))
    })?;
    Ok(Json(view::call::record(&own)))
}

/// Cancels a running call. What came of it is recorded when it is known.
#[utoipa::path(post, path = "/api/calls/{id}/cancel", tag = "calls", params(("id" = String, Path, description = "Call id")),
    responses((status = 204, description = "It is being cancelled")))]
pub(super) async fn cancel_call(State(web): State<Web>, caller: Caller, At(id): At<CallId>) -> Answered<StatusCode> {
    if web.gate.cancel(&caller.actor, &id) {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Fault::not_found(format!("no call {id} of yours is running; GET /api/calls/{id} tells how it ended")))
}

/// Reads a body that holds calls. What cannot be read is recorded as a refused call of this caller.
pub(super) async fn read<T: DeserializeOwned>(caller: &Caller, request: Request) -> Answered<(HeaderMap, T)> {
    let (parts, sent) = request.into_parts();
    let decoded = match body::read(&parts.headers, sent).await {
        Ok(bytes) => body::decode(&parts.headers, &bytes),
        Err(fault) => Err(fault),
    };
    match decoded {
        Ok(decoded) => Ok((parts.headers, decoded)),
        Err(fault) => Err(unreadable(fault, caller, parts.uri.path())),
    }
}

/// A call that never reached the gate is recorded like one that the gate refused.
fn unreadable(fault: Fault, caller: &Caller, subject: &str) -> Fault {
    fault.recorded(EventKind::CallRefused, Some(&caller.actor.id), subject)
}

/// The same, where it can be read which tool was meant.
pub(super) fn misfit(web: &Web, fault: Fault, caller: &Caller, tool: &str) -> Fault {
    unreadable(fault, caller, tool).about(web.gate.registry().describe(tool).as_deref())
}

pub(super) fn key(headers: &HeaderMap, given: Option<&str>) -> Answered<Option<String>> {
    let header = headers
        .get("idempotency-key")
        .map(|value| value.to_str().map_err(|_| Fault::invalid("the Idempotency-Key header must be printable ASCII")));
    let key = match (header.transpose()?, given) {
        (Some(header), Some(given)) if header != given => {
            return Err(Fault::invalid("the Idempotency-Key header and `key` differ; send one of them"));
        }
        (Some(key), _) | (None, Some(key)) => key,
        (None, None) => return Ok(None),
    };
    if key.is_empty() || key.chars().count() > MAX_KEY {
        return Err(Fault::invalid(format!("an idempotency key has 1 to {MAX_KEY} characters")));
    }
    Ok(Some(key.to_owned()))
}

/// What is handed to the gate. Only the operator's own hand vouches as a person; programs are clients, but what a model
/// was handed over MCP stays with its token.
pub(super) async fn to_request(
    web: &Web,
    caller: &Caller,
    face: &Face,
    body: CallBody,
    key: Option<String>,
) -> Answered<call::Request> {
    let args = match &body.args {
        None => Value::Null,
        Some(raw) => json::parse(raw.get()).map_err(|error| {
            let why = shorten(&visible(&error.to_string()), 300);
            let fault = Fault::invalid(format!("the arguments of {}: {why}", quote(&body.tool)));
            misfit(web, fault, caller, &body.tool)
        })?,
    };
    let tool = web.gate.registry().describe(&body.tool);
    let matters = tool.is_some_and(|tool| tool.spec.changes_or_goes_out());
    let vouching = if matters { chooser(web, caller).await? } else { Vouching::Client };
    Ok(call::Request { actor: caller.actor.clone(), origin: face.origin(caller), tool: body.tool, args, key, vouching })
}

/// Who chooses, where that matters.
pub(super) async fn chooser(web: &Web, caller: &Caller) -> Answered<Vouching> {
    Ok(match caller.actor.kind {
        ActorKind::Operator => Vouching::Person,
        _ if web.heard.leads(&caller.actor).await? => Vouching::Led,
        _ => Vouching::Client,
    })
}

pub(super) async fn respond(web: &Web, answer: Answer, wait: Wait) -> Answered<Response> {
    let (answer, approval) = match answer {
        Answer::Waiting(card) if wait.any() => {
            let card = web.gate.wait(&card.id, wait.0).await?;
            (answer_of(&card), Some(card.id))
        }
        answer => (answer, None),
    };
    match answer {
        Answer::Refused(refusal) => Err(refusal.into()),
        Answer::Ran(outcome) => {
            let approval = approval.map(|id| id.to_string());
            Ok(Json(CallAnswer { approval, ..view::call::outcome(&outcome) }).into_response())
        }
        Answer::Waiting(card) => Ok(accepted(&card.id, &view::call::waiting(&card))),
    }
}

/// 202, with the place where the card is.
pub(super) fn accepted<T: serde::Serialize>(card: &ApprovalId, body: &T) -> Response {
    let mut response = (StatusCode::ACCEPTED, Json(body)).into_response();
    if let Ok(place) = HeaderValue::from_str(&format!("/api/approvals/{card}")) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyed(header: Option<&str>, given: Option<&str>) -> Result<Option<String>, u16> {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert("idempotency-key", header.parse().unwrap());
        }
        key(&headers, given).map_err(|fault| fault.status().as_u16())
    }

    #[test]
    fn the_key_comes_from_the_header_or_the_body_but_not_from_both_differently() {
        assert_eq!(keyed(None, None), Ok(None));
        assert_eq!(keyed(Some("a"), None), Ok(Some("a".to_owned())));
        assert_eq!(keyed(Some("a"), Some("a")), Ok(Some("a".to_owned())));
        assert_eq!(keyed(Some("a"), Some("b")), Err(400));
        assert_eq!(keyed(None, Some("")), Err(400));
        assert_eq!(keyed(None, Some(&"x".repeat(201))), Err(400));
    }
}
