//! Conversations: listing, reading, renaming, erasing. Whose they are is the mind's to judge.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use jarvis_client::wire::{ConversationInfo, ConversationList, ConversationReplay, ConversationView, RenameBody};
use jarvis_safety::ConversationId;
use serde::Deserialize;
use utoipa::IntoParams;

use super::turn::told;
use crate::auth::{Caller, Speaker};
use crate::guard::body::Sent;
use crate::guard::locate::{Asked, At};
use crate::problem::{Answered, Fault};
use crate::view;
use crate::web::Web;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Words that title or text hold.
    #[serde(default)]
    #[param(max_length = 200)]
    search: String,
    /// 1 to 200.
    #[serde(default = "fifty")]
    #[param(minimum = 1, maximum = 200)]
    limit: u32,
}

const fn fifty() -> u32 {
    50
}

/// Conversations of the caller, the newest first. The operator sees everybody's.
#[utoipa::path(get, path = "/api/conversations", tag = "conversations", params(Which),
    responses((status = 200, body = ConversationList)))]
pub(super) async fn list_conversations(
    State(web): State<Web>,
    Speaker(caller): Speaker,
    Asked(which): Asked<Which>,
) -> Answered<Json<ConversationList>> {
    if !(1..=200).contains(&which.limit) || which.search.chars().count() > 200 {
        return Err(Fault::invalid("limit is 1 to 200, and search has at most 200 characters"));
    }
    let found = web.mind.conversations(&caller.actor, &which.search, which.limit).await?;
    Ok(Json(ConversationList { conversations: found.iter().map(view::turn::conversation).collect() }))
}

/// One conversation with all turns of its tree.
#[utoipa::path(get, path = "/api/conversations/{id}", tag = "conversations",
    params(("id" = String, Path, description = "Conversation id")), responses((status = 200, body = ConversationView)))]
pub(super) async fn get_conversation(
    State(web): State<Web>,
    Speaker(caller): Speaker,
    At(id): At<ConversationId>,
) -> Answered<Json<ConversationView>> {
    let (conversation, logs) = web.mind.conversation(&caller.actor, &id).await?;
    let mut turns = Vec::with_capacity(logs.len());
    for (turn, log) in &logs {
        turns.push(told(&web, turn, log).await?);
    }
    Ok(Json(ConversationView { conversation: view::turn::conversation(&conversation), turns }))
}

/// Gives a conversation another title.
#[utoipa::path(patch, path = "/api/conversations/{id}", tag = "conversations", request_body = RenameBody,
    params(("id" = String, Path, description = "Conversation id")), responses((status = 200, body = ConversationInfo)))]
pub(super) async fn rename_conversation(
    State(web): State<Web>,
    caller: Caller,
    At(id): At<ConversationId>,
    Sent(body): Sent<RenameBody>,
) -> Answered<Json<ConversationInfo>> {
    let renamed = web.mind.rename(&caller.actor, &id, &body.title).await?;
    Ok(Json(view::turn::conversation(&renamed)))
}

/// Erases a conversation, its turns and their texts. The audit keeps that they were, not what they said.
#[utoipa::path(delete, path = "/api/conversations/{id}", tag = "conversations",
    params(("id" = String, Path, description = "Conversation id")), responses((status = 204, description = "Erased")))]
pub(super) async fn delete_conversation(
    State(web): State<Web>,
    caller: Caller,
    At(id): At<ConversationId>,
) -> Answered<StatusCode> {
    web.mind.delete(&caller.actor, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replays the logs of a conversation: at every step of every turn, whether the log holds what comes of it. Runs nothing,
/// asks no model and keeps nothing.
#[utoipa::path(get, path = "/api/conversations/{id}/replay", tag = "conversations",
    params(("id" = String, Path, description = "Conversation id")),
    responses((status = 200, body = ConversationReplay)))]
pub(super) async fn replay_conversation(
    State(web): State<Web>,
    Speaker(caller): Speaker,
    At(id): At<ConversationId>,
) -> Answered<Json<ConversationReplay>> {
    let turns = web.mind.replay(&caller.actor, &id).await?;
    Ok(Json(view::replay::conversation(&id, turns)))
}
