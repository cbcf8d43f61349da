//! The tools.

use axum::Json;
use axum::extract::State;
use jarvis_client::wire::ToolList;

use crate::auth::Asker;
use crate::view;
use crate::web::Web;

/// All tools that the caller could call: those above its ceiling are left out.
#[utoipa::path(get, path = "/api/tools", tag = "calls", responses((status = 200, body = ToolList)))]
pub(super) async fn list_tools(State(web): State<Web>, Asker(caller): Asker) -> Json<ToolList> {
    let reach = caller.actor.ceiling;
    let tools = web.gate.registry().described().filter(|tool| tool.spec.tier <= reach);
    Json(ToolList { tools: tools.map(|tool| view::tool::tool(&tool)).collect() })
}
