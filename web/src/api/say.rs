//! Saying something to Jarvis.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use jarvis_agents::{After, Said, SayPlan};
use jarvis_client::wire;
use jarvis_client::wire::{SayAnswer, SayBody};
use jarvis_safety::plain::{shorten, visible};
use std::str::FromStr;

use super::{call, turn::answer};
use crate::auth::{Face, Speaker};
use crate::guard::body::Sent;
use crate::guard::prefer::Wait;
use crate::problem::{Answered, Fault};
use crate::web::Web;

/// Says something. Answers the turn as far as it has come: 202 while it runs or waits for a person, 200 once it has
/// ended. With `Prefer: wait=N` the answer waits until it has ended or waits for a person. What was said before with the
/// same key is not said again: the answer is that turn. With `plan` nothing is run and nothing kept: the answer is the
/// calls that it would make.
#[utoipa::path(post, path = "/api/say", tag = "conversations", request_body = SayBody,
    params(
        ("prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds, 0 to 50"),
        ("idempotency-key" = Option<String>, Header, min_length = 1, max_length = 200, description = "The same key and the same words are the same turn"),
    ),
    responses((status = 200, body = SayAnswer), (status = 202, body = SayAnswer)))]
pub(super) async fn say(
    State(web): State<Web>,
    Speaker(caller): Speaker,
    face: Face,
    wait: Wait,
    headers: HeaderMap,
    Sent(body): Sent<SayBody>,
) -> Answered<Response> {
    let origin = face.origin(&caller);
    let key = call::key(&headers, body.key.as_deref())?;
    if body.plan {
        if key.is_some() {
            return Err(Fault::invalid("a plan keeps nothing, so it takes no idempotency key"));
        }
        let plan = web.mind.plan(&caller.actor, origin, &body.text).await?;
        return Ok(Json(SayAnswer::Plan(written(plan))).into_response());
    }
    let turn = web.mind.say(&caller.actor, origin, said(body, key)?).await?;
    answer(&web, &caller, &turn.id, wait).await
}

fn said(body: SayBody, key: Option<String>) -> Answered<Said> {
    let conversation = body.conversation.as_deref().map(id).transpose()?;
    let after = match body.parent.as_deref() {
        None => After::Newest,
        Some("root") => After::Root,
        Some(turn) => After::Turn(id(turn)?),
    };
    if conversation.is_none() && after != After::Newest {
        return Err(Fault::invalid("`parent` needs the `conversation` that it stands in"));
    }
    Ok(Said { text: body.text, conversation, after, key })
}

fn id<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Answered<T> {
    text.parse().map_err(|error: T::Err| Fault::invalid(shorten(&visible(&error.to_string()), 300)))
}

fn written(plan: SayPlan) -> wire::SayPlan {
    let calls = plan.calls.into_iter().map(|call| wire::PlannedCall {
        tool: call.tool,
        args: call.args,
        tier: call.tier.as_str().to_owned(),
    });
    wire::SayPlan { calls: calls.collect(), question: plan.question }
}

#[cfg(test)]
mod tests {
    use jarvis_safety::{ConversationId, TurnId};

    use super::*;

    fn body(conversation: Option<&str>, parent: Option<&str>) -> SayBody {
        SayBody {
            text: "x".to_owned(),
            conversation: conversation.map(str::to_owned),
            parent: parent.map(str::to_owned),
            plan: false,
            key: None,
        }
    }

    #[test]
    fn where_something_is_said_is_the_newest_turn_a_turn_or_the_root() {
        let (conversation, turn) = (ConversationId::new(1).to_string(), TurnId::new(2).to_string());
        let after = |parent| said(body(Some(&conversation), parent), None).unwrap().after;
        assert_eq!(after(None), After::Newest);
        assert_eq!(after(Some("root")), After::Root);
        assert_eq!(after(Some(&turn)), After::Turn(TurnId::new(2)));
    }

    #[test]
    fn ids_of_another_kind_and_a_parent_without_conversation_are_refused() {
        let turn = TurnId::new(2).to_string();
        assert_eq!(said(body(Some(&turn), None), None).unwrap_err().code(), "invalid_arguments");
        assert_eq!(said(body(None, Some(&turn)), None).unwrap_err().code(), "invalid_arguments");
        let hidden = said(body(Some("conv_\u{1b}[2J"), None), None).unwrap_err();
        assert!(hidden.detail().contains(r"conv_\u{1b}[2J"), "{}", hidden.detail());
    }
}
