//! What the frame of every page shows.

use std::sync::PoisonError;

use axum::Json;
use axum::extract::State;
use jarvis_client::wire::StatusInfo;
use jarvis_safety::approval::ApprovalState;

use super::approval::may_see;
use crate::auth::Watcher;
use crate::problem::Answered;
use crate::web::Web;

/// Open cards that are counted at most.
const MAX_COUNTED: u32 = 1_000;

/// How Jarvis is: kill switch, autonomy, what waits, what needs attention.
#[utoipa::path(get, path = "/api/status", tag = "status", responses((status = 200, body = StatusInfo)))]
pub(super) async fn status(State(web): State<Web>, Watcher(caller): Watcher) -> Answered<Json<StatusInfo>> {
    let mut waiting = web.ledger.approvals(&[ApprovalState::Pending], MAX_COUNTED).await?;
    waiting.retain(|card| may_see(&caller, card));
    let settings = web.gate.settings();
    let mut warnings = (web.warnings)();
    warnings.extend(
        web.gate
            .policy_fault()
            .map(|fault| format!("policy.toml cannot be read, so everything above green is refused: {fault}")),
    );
    let model = settings.model.map(|model| if model.name.is_empty() { model.url } else { model.name });
    let audit = web.verified.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(Json(StatusInfo {
        host: web.host.clone(),
        version: web.version.clone(),
        kill: web.gate.kill_switch().as_str().to_owned(),
        level: settings.autonomy.default.into(),
        waiting: waiting.len() as u64,
        waiting_tier: waiting.iter().map(|card| card.tier).max().map(|tier| tier.as_str().to_owned()),
        head: web.feed.head(),
        audit: audit.filter(|_| caller.sees_all()),
        model,
        warnings: if caller.sees_all() { warnings } else { Vec::new() },
    }))
}
