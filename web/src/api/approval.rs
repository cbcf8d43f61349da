//! Approval cards: seeing them and deciding them.

use axum::Json;
use axum::extract::State;
use jarvis_client::wire::{ApprovalInfo, ApprovalList, ApproveBody, DenyBody};
use jarvis_safety::ApprovalId;
use jarvis_safety::Refusal;
use jarvis_safety::approval::{Approval, ApprovalState};
use jarvis_safety::refusal::Code;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use crate::auth::{Asker, Caller, Face};
use crate::guard::body::Sent;
use crate::guard::locate::{Asked, At};
use crate::guard::prefer::Wait;
use crate::problem::{Answered, Fault};
use crate::view;
use crate::web::Web;

/// Cards that are read to find those of one token.
const MAX_READ: u32 = 2_000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    #[serde(default = "pending")]
    #[param(schema_with = state_words)]
    state: String,
    /// 1 to 200.
    #[serde(default = "fifty")]
    #[param(minimum = 1, maximum = 200)]
    limit: u32,
}

fn pending() -> String {
    "pending".to_owned()
}

fn state_words() -> Object {
    let words = std::iter::once("all").chain(ApprovalState::ALL.iter().map(|state| state.as_str()));
    let said = "`pending` (the default), `all`, or another state.";
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).description(Some(said)).build()
}

const fn fifty() -> u32 {
    50
}

/// Whether a card concerns the caller: its own, all for whoever oversees, and for whoever may decide those about its
/// targets.
pub(super) fn may_see(caller: &Caller, card: &Approval) -> bool {
    let within = || card.steps.iter().all(|step| caller.actor.reach.names(&step.target));
    caller.sees_all() || card.actor.id == caller.actor.id || (caller.actor.may_approve() && within())
}

/// Cards, newest first.
#[utoipa::path(get, path = "/api/approvals", tag = "approvals", params(Which),
    responses((status = 200, body = ApprovalList)))]
pub(super) async fn list_approvals(
    State(web): State<Web>,
    Asker(caller): Asker,
    Asked(which): Asked<Which>,
) -> Answered<Json<ApprovalList>> {
    if !(1..=200).contains(&which.limit) {
        return Err(Fault::invalid(format!("limit is {}; use 1 to 200", which.limit)));
    }
    let states = states(&which.state)?;
    let all = caller.sees_all() || (caller.actor.may_approve() && caller.actor.reach.patterns().is_empty());
    let mut cards = web.ledger.approvals(&states, if all { which.limit } else { MAX_READ }).await?;
    cards.retain(|card| may_see(&caller, card));
    cards.truncate(which.limit as usize);
    Ok(Json(ApprovalList { approvals: cards.iter().map(view::approval::card).collect() }))
}

fn states(word: &str) -> Answered<Vec<ApprovalState>> {
    if word == "all" {
        return Ok(Vec::new());
    }
    ApprovalState::from_word(word).map(|state| vec![state]).ok_or_else(|| {
        let words: Vec<_> = ApprovalState::ALL.iter().map(|state| state.as_str()).collect();
        Fault::invalid(format!("state must be `all` or one of {}", words.join(", ")))
    })
}

/// One card. Whoever asked may wait for its end with `Prefer: wait=N`.
#[utoipa::path(get, path = "/api/approvals/{id}", tag = "approvals",
    params(("id" = String, Path, description = "Approval id"), ("prefer" = Option<String>, Header, description = "`wait=N`")),
    responses((status = 200, body = ApprovalInfo)))]
pub(super) async fn get_approval(
    State(web): State<Web>,
    Asker(caller): Asker,
    wait: Wait,
    At(id): At<ApprovalId>,
) -> Answered<Json<ApprovalInfo>> {
    let mut card = visible(&web, &caller, &id).await?;
    // Waiting to the end counts as having received the outcome, so only the asker's own waiting may do that.
    if wait.any() && card.actor.id == caller.actor.id {
        card = web.gate.wait(&id, wait.0).await?;
    }
    Ok(Json(view::approval::card(&card)))
}

/// Says yes. The server runs the call at once, whether or not its caller still waits. Of a plan, steps can be left out.
#[utoipa::path(post, path = "/api/approvals/{id}/approve", tag = "approvals", request_body = ApproveBody,
    params(("id" = String, Path, description = "Approval id"), ("prefer" = Option<String>, Header, description = "`wait=N` looks on for at most N seconds")),
    responses((status = 200, body = ApprovalInfo)))]
pub(super) async fn approve(
    State(web): State<Web>,
    caller: Caller,
    face: Face,
    wait: Wait,
    At(id): At<ApprovalId>,
    Sent(body): Sent<ApproveBody>,
) -> Answered<Json<ApprovalInfo>> {
    let steps = body.without.iter().map(|number| number.checked_sub(1)).collect::<Option<Vec<_>>>();
    let steps = steps.ok_or_else(|| Fault::invalid("steps are counted from 1; nothing was decided"))?;
    let mut card = web.gate.approve_without(&caller.actor, &id, &steps, &face.origin(&caller)).await?;
    if wait.any() {
        card = web.gate.follow(&id, wait.0).await?;
    }
    Ok(Json(view::approval::card(&card)))
}

/// Says no, with a word back to whoever asked.
#[utoipa::path(post, path = "/api/approvals/{id}/deny", tag = "approvals", request_body = DenyBody,
    params(("id" = String, Path, description = "Approval id")), responses((status = 200, body = ApprovalInfo)))]
pub(super) async fn deny(
    State(web): State<Web>,
    caller: Caller,
    face: Face,
    At(id): At<ApprovalId>,
    Sent(body): Sent<DenyBody>,
) -> Answered<Json<ApprovalInfo>> {
    if body.because.chars().count() > 500 {
        return Err(Fault::invalid("the word back has at most 500 characters; nothing was decided"));
    }
    let card = web.gate.deny(&caller.actor, &id, &body.because, &face.origin(&caller)).await?;
    Ok(Json(view::approval::card(&card)))
}

async fn visible(web: &Web, caller: &Caller, id: &ApprovalId) -> Answered<Approval> {
    let card = web.gate.approval(id).await?;
    if may_see(caller, &card) {
        return Ok(card);
    }
    Err(Refusal::new(Code::UnknownApproval, "approvals", format!("there is no approval {id} of yours")).into())
}
