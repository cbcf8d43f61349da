//! Plans: ordered calls that are decided as one.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use jarvis_client::wire::{ApprovalInfo, CallAnswer, PlanBody};
use jarvis_safety::approval::Approval;
use jarvis_safety::kernel::{PlanAnswer, answer_of};
use jarvis_safety::outcome::{Answer, Outcome};
use jarvis_safety::{Refusal, Tier};
use serde::Serialize;
use utoipa::ToSchema;

use super::call::{accepted, misfit, read, to_request};
use crate::auth::{Caller, Face};
use crate::guard::prefer::Wait;
use crate::problem::{Answered, Fault};
use crate::view;
use crate::web::Web;

/// What came of a plan that ran, in order, up to the first call that did not succeed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlanRan {
    /// One answer a call that was tried; `state` may also be `refused`.
    answers: Vec<CallAnswer>,
}

/// Carries out ordered calls. If any must be asked, all go on one card (202); if any is refused, none runs. With
/// `Prefer: wait=N` the answer waits for the decision and the run.
#[utoipa::path(post, path = "/api/plan", tag = "calls", request_body = PlanBody,
    params(("prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds (0 to 50) for the approval")),
    responses(
        (status = 200, description = "Nothing had to be asked, or the card was decided in time", body = PlanRan),
        (status = 202, description = "Waits for a person", body = ApprovalInfo),
    ))]
pub(super) async fn make_plan(
    State(web): State<Web>,
    caller: Caller,
    face: Face,
    wait: Wait,
    request: Request,
) -> Answered<Response> {
    let (_, plan) = read::<PlanBody>(&caller, request).await?;
    let tools: Vec<String> = plan.steps.iter().map(|step| step.tool.clone()).collect();
    let mut requests = Vec::with_capacity(plan.steps.len());
    for step in plan.steps {
        if step.key.is_some() {
            let fault = Fault::invalid("calls of a plan take no key; the plan's digest keeps them from running twice");
            return Err(misfit(&web, fault, &caller, &step.tool));
        }
        requests.push(to_request(&web, &caller, &face, step, None).await?);
    }
    answer(&web, &tools, web.gate.plan(requests).await, wait).await
}

/// What came of a plan of these tools.
pub(super) async fn answer(web: &Web, tools: &[String], answer: PlanAnswer, wait: Wait) -> Answered<Response> {
    match answer {
        PlanAnswer::Refused(refusal) => Err(refusal.into()),
        PlanAnswer::Ran(results) => Ok(ran(web, tools, &results)),
        PlanAnswer::Waiting(card) if wait.any() => decided(&web.gate.wait(&card.id, wait.0).await?),
        PlanAnswer::Waiting(card) => Ok(accepted(&card.id, &view::approval::card(&card))),
    }
}

fn ran(web: &Web, tools: &[String], results: &[Result<Outcome, Refusal>]) -> Response {
    let answers = results.iter().zip(tools).map(|(result, tool)| match result {
        Ok(outcome) => view::call::outcome(outcome),
        Err(refusal) => {
            let described = web.gate.registry().describe(tool);
            view::call::refused(tool, described.map_or(Tier::Green, |tool| tool.spec.tier).as_str(), refusal)
        }
    });
    Json(PlanRan { answers: answers.collect() }).into_response()
}

fn decided(card: &Approval) -> Answered<Response> {
    match answer_of(card) {
        Answer::Refused(refusal) => Err(refusal.into()),
        Answer::Ran(_) => Ok(Json(PlanRan { answers: view::approval::answers(card) }).into_response()),
        Answer::Waiting(card) => Ok(accepted(&card.id, &view::approval::card(&card))),
    }
}
