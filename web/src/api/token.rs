//! Tokens: made, listed and revoked by the operator alone.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use jarvis_client::wire::{TokenBody, TokenInfo, TokenList};
use jarvis_safety::event::EventKind;
use jarvis_safety::id::TokenId;
use jarvis_safety::identity::TokenGrant;
use jarvis_safety::plain::visible;
use jarvis_safety::{Reach, Role, Tier};

use crate::auth::{Face, Operator};
use crate::guard::body::Sent;
use crate::guard::locate::At;
use crate::problem::{Answered, Fault, quote};
use crate::view;
use crate::web::Web;

/// Longest life of a token that has one, in minutes: five years.
const LONGEST: u32 = 5 * 365 * 24 * 60;
/// Most requests a minute that can be set; above it a limit is none.
const FASTEST: u32 = 60_000;
/// Requests a minute of a guest whose token says nothing else.
const GUEST: u32 = 30;

/// All tokens, newest first, revoked ones included.
#[utoipa::path(get, path = "/api/tokens", tag = "tokens", responses((status = 200, body = TokenList)))]
pub(super) async fn list_tokens(State(web): State<Web>, _: Operator) -> Answered<Json<TokenList>> {
    let (tokens, now) = (web.identities.tokens().await?, web.clock.now());
    Ok(Json(TokenList { tokens: tokens.iter().map(|token| view::token::token(token, None, now)).collect() }))
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
    let grant = grant(&body, web.clock.now()).map_err(|why| Fault::invalid(format!("{why}. Nothing was made")))?;
    let id = TokenId::new(web.ids.next());
    let row = face.row(EventKind::TokenCreated, &caller.actor, id.as_str(), &summary(&body, &grant));
    let (token, secret) = web.identities.create_token(id, grant, row).await?;
    Ok(Json(view::token::token(&token, Some(secret), web.clock.now())))
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

/// What a person reads in the history.
fn summary(body: &TokenBody, grant: &TokenGrant) -> String {
    let TokenGrant { name, ceiling, confirm, role, .. } = grant;
    let mut said = format!("token “{name}”: {role}, up to {ceiling}");
    if role.most() > Tier::Green {
        said += &format!(", confirms {confirm}");
    }
    if !body.targets.is_empty() {
        said += &format!(", on {}", visible(&body.targets.join(", ")));
    }
    if let Some(minutes) = body.minutes {
        said += &format!(", for {minutes} minutes");
    }
    if let Some(most) = grant.per_minute {
        said += &format!(", {most} requests a minute");
    }
    said
}

fn grant(body: &TokenBody, now: i64) -> Result<TokenGrant, String> {
    let name = body.name.trim();
    let length = name.chars().count();
    if !(1..=60).contains(&length) || name.chars().any(char::is_control) {
        return Err(format!("name has {length} characters; take 1 to 60, none of them a control character"));
    }
    let role = match body.role.as_deref() {
        None => Role::Client,
        Some(word) => word
            .parse()
            .map_err(|_| format!("role: {} is none of a token; use client, approver, viewer or guest", quote(word)))?,
    };
    let confirm = match body.confirm.as_deref() {
        None | Some("yellow") => Tier::Yellow,
        Some("orange") => Tier::Orange,
        Some(_) => return Err("confirm must be yellow or orange; red is never confirmed by a client's form".to_owned()),
    };
    let reach = Reach::new(body.targets.clone()).map_err(|why| format!("targets: {why}"))?;
    if role == Role::Guest && reach.patterns().is_empty() {
        return Err("targets: a guest needs at least one, a name or a pattern with `*` and `?`".to_owned());
    }
    let within = |what: &str, number: Option<u32>, most: u32| match number {
        Some(number) if !(1..=most).contains(&number) => Err(format!("{what} is {number}; take 1 to {most}")),
        number => Ok(number),
    };
    let minutes = within("minutes", body.minutes, LONGEST)?;
    let per_minute = within("per_minute", body.per_minute, FASTEST)?;
    Ok(TokenGrant {
        name: name.to_owned(),
        ceiling: ceiling(role, body.ceiling.as_deref())?,
        confirm,
        role,
        reach,
        expires_at: minutes.map(|minutes| now + i64::from(minutes) * 60_000),
        per_minute: per_minute.or((role == Role::Guest).then_some(GUEST)),
    })
}

fn ceiling(role: Role, word: Option<&str>) -> Result<Tier, String> {
    let Some(word) = word else {
        let green = role.most() == Tier::Green;
        return green
            .then_some(Tier::Green)
            .ok_or_else(|| "ceiling is missing; use green, yellow, orange or red".to_owned());
    };
    let ceiling: Tier = word
        .parse()
        .map_err(|_| format!("ceiling: {} is not a tier; use green, yellow, orange or red", quote(word)))?;
    if ceiling > role.most() {
        return Err(format!("ceiling: a {role} reaches {} at most; leave the ceiling out", role.most()));
    }
    Ok(ceiling)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000;

    fn body(name: &str, ceiling: &str) -> TokenBody {
        let ceiling = Some(ceiling.to_owned()).filter(|word| !word.is_empty());
        TokenBody {
            name: name.to_owned(),
            role: None,
            ceiling,
            confirm: None,
            targets: Vec::new(),
            minutes: None,
            per_minute: None,
        }
    }

    fn of(role: &str, ceiling: &str) -> TokenBody {
        TokenBody { role: Some(role.to_owned()), ..body("a", ceiling) }
    }

    #[test]
    fn a_token_confirms_yellow_unless_the_operator_said_orange_and_never_red() {
        let confirming = |word: &str| TokenBody { confirm: Some(word.to_owned()), ..body("ide", "red") };
        assert_eq!(grant(&body("ide", "orange"), NOW).unwrap().confirm, Tier::Yellow);
        assert_eq!(grant(&confirming("orange"), NOW).unwrap().confirm, Tier::Orange);
        assert!(grant(&confirming("red"), NOW).unwrap_err().contains("never"));
    }

    #[test]
    fn a_wrong_field_is_named() {
        let error = |body: &TokenBody| grant(body, NOW).unwrap_err();
        assert!(error(&body(" ", "green")).starts_with("name"));
        assert!(error(&body("a", "blue")).starts_with("ceiling: `blue`"));
        assert!(error(&body("a", "")).starts_with("ceiling is missing"));
        let long = error(&body("a", &"\u{1b}".repeat(1_000)));
        assert!(long.len() < 200 && !long.contains('\u{1b}'), "{long}");
        assert!(error(&of("operator", "green")).starts_with("role: `operator`"));
        assert!(error(&TokenBody { minutes: Some(0), ..body("a", "green") }).starts_with("minutes is 0; take 1 to"));
        assert!(
            error(&TokenBody { per_minute: Some(60_001), ..body("a", "green") }).starts_with("per_minute is 60001")
        );
        assert!(error(&TokenBody { targets: vec![String::new()], ..body("a", "green") }).starts_with("targets: "));
    }

    #[test]
    fn a_viewer_and_a_guest_are_green_and_a_guest_has_targets_and_a_pace() {
        assert_eq!(grant(&of("approver", "red"), NOW).unwrap().role, Role::Approver);
        assert_eq!(grant(&of("viewer", ""), NOW).unwrap().ceiling, Tier::Green);
        assert!(grant(&of("viewer", "yellow"), NOW).unwrap_err().contains("a viewer reaches green at most"));
        assert!(grant(&of("guest", ""), NOW).unwrap_err().starts_with("targets: a guest needs"));
        let guest = TokenBody { targets: vec!["web*".to_owned()], minutes: Some(60), ..of("guest", "") };
        let made = grant(&guest, NOW).unwrap();
        assert_eq!((made.ceiling, made.per_minute, made.expires_at), (Tier::Green, Some(30), Some(NOW + 3_600_000)));
        let said = summary(&guest, &made);
        assert_eq!(said, "token “a”: guest, up to green, on web*, for 60 minutes, 30 requests a minute");
    }
}
