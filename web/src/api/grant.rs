//! Grants: given, tried on the past, and taken back by the operator alone.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use jarvis_client::wire::{GrantBody, GrantInfo, GrantList, GrantTrial};
use jarvis_safety::grant::Terms;
use jarvis_safety::{ActorId, ApprovalId, GrantId};

use crate::auth::{Face, Operator};
use crate::guard::body::Sent;
use crate::guard::locate::At;
use crate::problem::{Answered, Fault};
use crate::view;
use crate::web::Web;

/// All grants, newest first, those that have ended too.
#[utoipa::path(get, path = "/api/grants", tag = "grants", responses((status = 200, body = GrantList)))]
pub(super) async fn list_grants(State(web): State<Web>, _: Operator) -> Answered<Json<GrantList>> {
    let (grants, now) = (web.ledger.grants(None).await?, web.clock.now());
    Ok(Json(GrantList { grants: grants.iter().map(|grant| view::grant::grant(grant, now)).collect() }))
}

/// Lets calls run that would be asked: yellow and orange ones, never red, never what untrusted text chose, never what a
/// rule of `policy.toml` asks.
#[utoipa::path(post, path = "/api/grants", tag = "grants", request_body = GrantBody,
    responses((status = 200, body = GrantInfo)))]
pub(super) async fn give_grant(
    State(web): State<Web>,
    Operator(caller): Operator,
    face: Face,
    Sent(body): Sent<GrantBody>,
) -> Answered<Json<GrantInfo>> {
    let (calls, minutes) = (body.calls, body.minutes);
    let terms = terms(body)?;
    let grant = web.gate.grant(&caller.actor, terms, calls, minutes, &face.origin(&caller)).await?;
    Ok(Json(view::grant::grant(&grant, web.clock.now())))
}

/// Which of the newest 500 cards such a grant would have answered. Gives nothing.
#[utoipa::path(post, path = "/api/grants/trial", tag = "grants", request_body = GrantBody,
    responses((status = 200, body = GrantTrial)))]
pub(super) async fn try_grant(
    State(web): State<Web>,
    _: Operator,
    Sent(body): Sent<GrantBody>,
) -> Answered<Json<GrantTrial>> {
    Ok(Json(view::grant::trial(web.gate.try_grant(&terms(body)?).await?)))
}

/// Takes a grant back. What it has let begin goes on.
#[utoipa::path(delete, path = "/api/grants/{id}", tag = "grants", params(("id" = String, Path, description = "Grant id")),
    responses((status = 204, description = "Taken back")))]
pub(super) async fn revoke_grant(
    State(web): State<Web>,
    Operator(caller): Operator,
    face: Face,
    At(id): At<GrantId>,
) -> Answered<StatusCode> {
    web.gate.revoke_grant(&caller.actor, &id, &face.origin(&caller)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The grant that would spare the question of one card, and nothing else: the same call of the same caller on the same
/// target. Gives nothing.
#[utoipa::path(get, path = "/api/approvals/{id}/grant", tag = "grants",
    params(("id" = String, Path, description = "Approval id")), responses((status = 200, body = GrantBody)))]
pub(super) async fn proposed_grant(
    State(web): State<Web>,
    _: Operator,
    At(id): At<ApprovalId>,
) -> Answered<Json<GrantBody>> {
    let card = web.gate.approval(&id).await?;
    let [step] = card.steps.as_slice() else {
        return Err(Fault::invalid("a plan is decided as a whole; a grant is for one call of it at a time"));
    };
    if !card.is_grantable() {
        return Err(Fault::invalid(format!(
            "no grant spares this question ({}): red is asked every time, and so is what untrusted text chose or a rule of \
             the policy asks",
            card.rule
        )));
    }
    Ok(Json(view::grant::body(&Terms::exactly(&card, step))))
}

fn terms(body: GrantBody) -> Answered<Terms> {
    let GrantBody { tool, target, target_id, actor, when, only, .. } = body;
    let long = [&tool].into_iter().chain(&target).chain(&target_id).chain(&actor).any(|text| text.len() > 500);
    if long || when.len() > 50 || serde_json::to_string(&when).is_ok_and(|text| text.len() > 20_000) {
        return Err(Fault::invalid(
            "a grant takes texts of at most 500 bytes, and 50 arguments of 20,000 bytes together; nothing was granted",
        ));
    }
    let wanted = when.into_iter().map(|(name, value)| Ok((name, view::grant::wanted(value)?)));
    let when = wanted.collect::<Result<_, String>>().map_err(Fault::invalid)?;
    Ok(Terms { tool, target, target_id, actor: actor.map(ActorId::new), when, only })
}
