//! Tokens: made, listed and revoked by the operator alone.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use jarvis_client::wire::{TokenBody, TokenInfo, TokenList};
use jarvis_safety::Tier;
use jarvis_safety::event::EventKind;
use jarvis_safety::id::TokenId;
use jarvis_safety::identity::TokenGrant;

use crate::auth::{Face, Operator};
use crate::guard::body::Sent;
use crate::guard::locate::At;
use crate::problem::{Answered, Fault, quote};
use crate::view;
use crate::web::Web;

/// All tokens, newest first, revoked ones included.
#[utoipa::path(get, path = "/api/tokens", tag = "tokens", responses((status = 200, body = TokenList)))]
pub(super) async fn list_tokens(State(web): State<Web>, _: Operator) -> Answered<Json<TokenList>> {
    let tokens = web.identities.tokens().await?;
    Ok(Json(TokenList { tokens: tokens.iter().map(|token| view::token::token(token, None)).collect() }))
}

/// Makes a token. Its secret stands in this answer and nowhere else.
#[utoipa::path(post, path = "/api/tokens", tag = "tokens", request_body = TokenBody,
    responses((status = 200, body = TokenInfo)))]
pub(super) async fn create_token(
    State(web): State<Web>,
    Operator(caller): Operator,
    face: Face,
    Sent(body): Sent<TokenBody>,
) -> Answered<Json<TokenInfo>> {
    let grant = grant(&body).map_err(Fault::invalid)?;
    let id = TokenId::new(web.ids.next());
    let scope = if grant.approve { ", may approve" } else { "" };
    let summary = format!("token “{}”: up to {}, confirms {}{scope}", grant.name, grant.ceiling, grant.confirm);
    let row = face.row(EventKind::TokenCreated, &caller.actor, id.as_str(), &summary);
    let (token, secret) = web.identities.create_token(id, grant, row).await?;
    Ok(Json(view::token::token(&token, Some(secret))))
}

/// Revokes a token. What it holds open ends at once.
#[utoipa::path(delete, path = "/api/tokens/{id}", tag = "tokens", params(("id" = String, Path, description = "Token id")),
    responses((status = 204, description = "Revoked")))]
pub(super) async fn revoke_token(
    State(web): State<Web>,
    Operator(caller): Operator,
    face: Face,
    At(id): At<TokenId>,
) -> Answered<StatusCode> {
    let row = face.row(EventKind::TokenRevoked, &caller.actor, id.as_str(), "token revoked");
    if web.identities.revoke_token(&id, row).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Fault::not_found(format!("there is no living token {id}; `jarvis token list` lists them")))
}

fn grant(body: &TokenBody) -> Result<TokenGrant, String> {
    let name = body.name.trim();
    let length = name.chars().count();
    if !(1..=60).contains(&length) || name.chars().any(char::is_control) {
        return Err(format!("name has {length} characters; take 1 to 60, none of them a control character"));
    }
    let ceiling: Tier = body
        .ceiling
        .parse()
        .map_err(|_| format!("ceiling: {} is not a tier; use green, yellow, orange or red", quote(&body.ceiling)))?;
    let confirm = match body.confirm.as_deref() {
        None | Some("yellow") => Tier::Yellow,
        Some("orange") => Tier::Orange,
        Some(_) => return Err("confirm must be yellow or orange; red is never confirmed by a client's form".to_owned()),
    };
    if let Some(scope) = body.scopes.iter().find(|scope| *scope != "approve") {
        return Err(format!("there is no scope {}; the only one is `approve`", quote(scope)));
    }
    Ok(TokenGrant { name: name.to_owned(), ceiling, confirm, approve: !body.scopes.is_empty() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(name: &str, ceiling: &str, confirm: Option<&str>, scopes: &[&str]) -> TokenBody {
        TokenBody {
            name: name.to_owned(),
            ceiling: ceiling.to_owned(),
            confirm: confirm.map(str::to_owned),
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
        }
    }

    #[test]
    fn a_token_confirms_yellow_unless_the_operator_said_orange_and_never_red() {
        assert_eq!(grant(&body("ide", "orange", None, &[])).unwrap().confirm, Tier::Yellow);
        assert_eq!(grant(&body("ide", "red", Some("orange"), &[])).unwrap().confirm, Tier::Orange);
        assert!(grant(&body("ide", "red", Some("red"), &[])).unwrap_err().contains("never"));
    }

    #[test]
    fn a_wrong_field_is_named() {
        assert!(grant(&body(" ", "green", None, &[])).unwrap_err().starts_with("name"));
        assert!(grant(&body("a", "blue", None, &[])).unwrap_err().starts_with("ceiling: `blue`"));
        let long = grant(&body("a", &"\u{1b}".repeat(1_000), None, &[])).unwrap_err();
        assert!(long.len() < 200 && !long.contains('\u{1b}'), "{long}");
        assert!(grant(&body("a", "green", None, &["admin"])).unwrap_err().contains("`admin`"));
        assert!(grant(&body("a", "green", None, &["approve"])).unwrap().approve);
    }
}
