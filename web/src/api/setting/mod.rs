//! Settings: the operator's alone.

mod check;

use axum::Json;
use axum::extract::State;
use jarvis_client::wire::SettingsInfo;
use jarvis_safety::event::EventKind;
use jarvis_safety::setting::Settings;

use crate::auth::{Face, Operator};
use crate::guard::body::Sent;
use crate::problem::{Answered, Fault};
use crate::view;
use crate::web::Web;

/// The settings in force.
#[utoipa::path(get, path = "/api/settings", tag = "settings", responses((status = 200, body = SettingsInfo)))]
pub(super) async fn get_settings(State(web): State<Web>, _: Operator) -> Answered<Json<SettingsInfo>> {
    Ok(Json(view::setting::settings(&web.settings.settings().await?)))
}

/// Replaces all settings. They are in force when the answer comes.
#[utoipa::path(put, path = "/api/settings", tag = "settings", request_body = SettingsInfo,
    responses((status = 200, body = SettingsInfo)))]
pub(super) async fn put_settings(
    State(web): State<Web>,
    Operator(caller): Operator,
    face: Face,
    Sent(body): Sent<SettingsInfo>,
) -> Answered<Json<SettingsInfo>> {
    let families = web.gate.registry().described().map(|tool| tool.family()).collect();
    let mut settings = check::settings(&body, &web.data, &families)
        .await
        .map_err(|why| Fault::invalid(format!("{why}. Nothing was changed")))?;
    let _changing = web.changing.lock().await;
    let before = web.settings.settings().await?;
    settings.mounts.clone_from(&before.mounts);
    settings.reviews.clone_from(&before.reviews);
    let shown = view::setting::settings(&settings);
    let mut row = face.row(EventKind::SettingChanged, &caller.actor, "settings", &summary(&before, &settings));
    row.body = serde_json::to_value(&shown).ok();
    web.settings.save(&settings, row).await?;
    web.gate.apply_settings(settings.clone());
    web.settings_tx.send_replace(settings);
    Ok(Json(shown))
}

fn summary(before: &Settings, after: &Settings) -> String {
    let fields = [
        (before.autonomy != after.autonomy, "autonomy"),
        (before.model != after.model, "model"),
        (before.roots != after.roots, "roots"),
        (before.hosts != after.hosts, "hosts"),
        (before.approval_minutes != after.approval_minutes, "approval_minutes"),
        (before.mcp_hold_seconds != after.mcp_hold_seconds, "mcp_hold_seconds"),
        (before.audit_reads != after.audit_reads, "audit_reads"),
    ];
    let changed: Vec<_> = fields.into_iter().filter_map(|(changed, name)| changed.then_some(name)).collect();
    if changed.is_empty() { "saved as they were".to_owned() } else { format!("changed: {}", changed.join(", ")) }
}
