//! Schedules: calls that are submitted as jobs again and again.

use axum::Json;
use axum::extract::{Request, State};
use http::StatusCode;
use jarvis_client::wire::{CallBody, ScheduleBody, ScheduleInfo, ScheduleList};
use jarvis_safety::ScheduleId;
use jarvis_safety::job::{Missed, NewSchedule, Schedule};
use serde_json::json;

use super::call;
use super::job::TOOL_CALL;
use crate::auth::{Caller, Face};
use crate::guard::locate::At;
use crate::problem::{Answered, Fault};
use crate::view;
use crate::web::Web;

/// Most missed runs that a schedule makes up for.
const MOST_CAUGHT_UP: u32 = 100;

/// Schedules by age: all for the operator, for everybody else their own.
#[utoipa::path(get, path = "/api/schedules", tag = "jobs", responses((status = 200, body = ScheduleList)))]
pub(super) async fn list_schedules(State(web): State<Web>, caller: Caller) -> Answered<Json<ScheduleList>> {
    let schedules = web.jobs.schedules(&caller.actor).await?;
    Ok(Json(ScheduleList { schedules: schedules.iter().map(view::job::schedule).collect() }))
}

/// Makes a schedule. Each of its runs is a job of whoever made it, and is decided when it runs.
#[utoipa::path(post, path = "/api/schedules", tag = "jobs", request_body = ScheduleBody,
    responses((status = 201, body = ScheduleInfo)))]
pub(super) async fn create_schedule(
    State(web): State<Web>,
    caller: Caller,
    face: Face,
    request: Request,
) -> Answered<(StatusCode, Json<ScheduleInfo>)> {
    let schedule = save(&web, &caller, &face, None, request).await?;
    Ok((StatusCode::CREATED, Json(view::job::schedule(&schedule))))
}

/// Changes a schedule. It keeps its owner; the operator may change any.
#[utoipa::path(put, path = "/api/schedules/{id}", tag = "jobs", request_body = ScheduleBody,
    params(("id" = String, Path, description = "Schedule id")), responses((status = 200, body = ScheduleInfo)))]
pub(super) async fn change_schedule(
    State(web): State<Web>,
    caller: Caller,
    face: Face,
    At(id): At<ScheduleId>,
    request: Request,
) -> Answered<Json<ScheduleInfo>> {
    let schedule = save(&web, &caller, &face, Some(id), request).await?;
    Ok(Json(view::job::schedule(&schedule)))
}

/// Removes a schedule. Jobs that it has submitted stay.
#[utoipa::path(delete, path = "/api/schedules/{id}", tag = "jobs",
    params(("id" = String, Path, description = "Schedule id")), responses((status = 204, description = "Removed")))]
pub(super) async fn remove_schedule(
    State(web): State<Web>,
    caller: Caller,
    face: Face,
    At(id): At<ScheduleId>,
) -> Answered<StatusCode> {
    web.jobs.remove_schedule(&caller.actor, &id, &face.origin(&caller)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn save(web: &Web, caller: &Caller, face: &Face, id: Option<ScheduleId>, request: Request) -> Answered<Schedule> {
    let (_, body) = call::read::<ScheduleBody>(caller, request).await?;
    let ScheduleBody { name, tool, args, cron, zone, catch_up, active } = body;
    let asked = call::to_request(web, caller, face, CallBody { tool, args, key: None }, None).await?;
    let subject = asked.tool.clone();
    let misfit = |fault| call::misfit(web, fault, caller, &subject);
    if catch_up > MOST_CAUGHT_UP {
        let said = format!("catch_up is {catch_up}; use 1 to {MOST_CAUGHT_UP}, or 0 to leave missed runs out");
        return Err(misfit(Fault::invalid(said)));
    }
    let new = NewSchedule {
        id,
        actor: asked.actor,
        origin: asked.origin,
        vouching: asked.vouching,
        name,
        kind: TOOL_CALL.to_owned(),
        payload: json!({ "tool": asked.tool, "args": asked.args }),
        cron,
        zone,
        missed: if catch_up == 0 { Missed::Skip } else { Missed::CatchUp(catch_up) },
        active,
    };
    web.jobs.save_schedule(new).await.map_err(|refusal| misfit(refusal.into()))
}
