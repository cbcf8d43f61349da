//! The routes, one file a subject. Each handler says by its arguments who may ask.

#![allow(unused_qualifications, reason = "utoipa's path macro qualifies the parameter types that it is given")]

mod approval;
mod audit;
mod call;
mod conversation;
mod doctor;
mod doubt;
mod event;
mod factor;
mod grant;
mod health;
mod job;
mod kill;
mod metric;
pub(crate) mod mount;
mod plan;
mod resource;
mod say;
mod schedule;
mod secret;
mod session;
mod setting;
mod setup;
mod status;
mod stream;
mod token;
mod tool;
mod turn;
mod undo;

use std::sync::LazyLock;

use axum::Router;
use axum::response::IntoResponse;
use http::header;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::openapi;
use crate::web::Web;

/// All routes with their description.
pub(crate) fn described() -> OpenApiRouter<Web> {
    let mut router = OpenApiRouter::with_openapi(openapi::head())
        .merge(looking())
        .merge(entering())
        .merge(calling())
        .merge(deciding())
        .merge(working())
        .merge(talking())
        .merge(following())
        .merge(ruling())
        .merge(mounting());
    openapi::complete(router.get_openapi_mut());
    router
}

fn looking() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(health::health))
        .routes(routes!(metric::metrics))
        .routes(routes!(openapi_json))
        .routes(routes!(resource::resource_metadata))
        .routes(routes!(resource::resource_metadata_mcp))
        .routes(routes!(resource::resource_metadata_compact))
        .routes(routes!(status::status))
        .routes(routes!(doctor::doctor))
}

fn entering() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(session::session_info, session::sign_in, session::sign_out))
        .routes(routes!(session::list_sessions, session::revoke_other_sessions))
        .routes(routes!(session::revoke_session))
        .routes(routes!(factor::factor_info, factor::turn_on_factor))
        .routes(routes!(factor::propose_factor))
        .routes(routes!(factor::turn_off_factor))
        .routes(routes!(setup::set_up))
}

fn calling() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(tool::list_tools))
        .routes(routes!(call::make_call))
        .routes(routes!(call::preview_call))
        .routes(routes!(call::get_call))
        .routes(routes!(undo::show_undo_call, undo::undo_call))
        .routes(routes!(call::cancel_call))
        .routes(routes!(plan::make_plan))
        .routes(routes!(doubt::list_doubts))
        .routes(routes!(doubt::acknowledge))
}

fn deciding() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(approval::list_approvals))
        .routes(routes!(approval::get_approval))
        .routes(routes!(approval::approve))
        .routes(routes!(approval::deny))
}

fn working() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(job::list_jobs, job::submit_job))
        .routes(routes!(job::get_job))
        .routes(routes!(job::cancel_job))
        .routes(routes!(job::job_output))
        .routes(routes!(job::job_stream))
        .routes(routes!(schedule::list_schedules, schedule::create_schedule))
        .routes(routes!(schedule::change_schedule, schedule::remove_schedule))
}

fn talking() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(say::say))
        .routes(routes!(turn::get_turn))
        .routes(routes!(turn::stop_turn))
        .routes(routes!(turn::retry_turn))
        .routes(routes!(undo::show_undo_turn, undo::undo_turn))
        .routes(routes!(conversation::list_conversations))
        .routes(routes!(
            conversation::get_conversation,
            conversation::rename_conversation,
            conversation::delete_conversation
        ))
        .routes(routes!(conversation::replay_conversation))
}

fn following() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(stream::stream))
        .routes(routes!(event::history))
        .routes(routes!(event::get_event))
        .routes(routes!(audit::last_report))
        .routes(routes!(audit::verify))
}

fn ruling() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(setting::get_settings, setting::put_settings))
        .routes(routes!(kill::stop, kill::resume))
        .routes(routes!(token::list_tokens, token::create_token))
        .routes(routes!(token::revoke_token))
        .routes(routes!(secret::list_secrets))
        .routes(routes!(secret::keep_secret, secret::remove_secret))
        .routes(routes!(secret::import_secrets))
        .routes(routes!(grant::list_grants, grant::give_grant))
        .routes(routes!(grant::try_grant))
        .routes(routes!(grant::revoke_grant))
        .routes(routes!(grant::proposed_grant))
}

fn mounting() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(mount::list_mounts))
        .routes(routes!(mount::keep_mount, mount::remove_mount))
        .routes(routes!(mount::retry_mount))
        .routes(routes!(mount::review_tools))
}

/// All routes.
pub(crate) fn routes() -> Router<Web> {
    described().into()
}

/// This document.
#[utoipa::path(get, path = "/api/openapi.json", tag = "status",
    responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
async fn openapi_json() -> impl IntoResponse {
    static TEXT: LazyLock<String> = LazyLock::new(|| openapi::document().to_json().unwrap_or_else(|_| "{}".to_owned()));
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str())
}
