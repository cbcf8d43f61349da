//! Signing in and out, and what sessions are open.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Json;
use axum::extract::{ConnectInfo, FromRequestParts, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use jarvis_client::wire::{OpenSession, SessionInfo, SessionList, SignInBody};
use jarvis_safety::event::EventKind;
use jarvis_safety::factor::Spent;
use jarvis_safety::id::SessionId;
use jarvis_safety::identity::{Admission, Session, Source, Whence};
use jarvis_safety::refusal::Code;
use jarvis_safety::{Actor, ActorKind, Refusal};

use crate::auth::attempt::{penalty_ms, source};
use crate::auth::{Asker, Face, Operator, Via, authenticate, cookie};
use crate::guard::body::Brief;
use crate::guard::door::Door;
use crate::guard::locate::At;
use crate::guard::record;
use crate::problem::{Answered, Fault};
use crate::web::Web;

/// The door and the peer behind it.
pub(super) struct From {
    pub(super) door: Door,
    pub(super) source: Source,
    /// The peer's address, whole.
    place: String,
}

impl<S: Send + Sync> FromRequestParts<S> for From {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let door = parts.extensions.get::<Door>().copied().unwrap_or(Door::Tcp);
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let peer = peer.filter(|_| door == Door::Tcp);
        let source = source(peer);
        let place = peer.map_or_else(|| source.name.clone(), |address| address.to_canonical().to_string());
        Ok(Self { door, source, place })
    }
}

/// Who the caller is; also for callers that are not known, so that a page knows what to show first.
#[utoipa::path(get, path = "/api/session", tag = "session", responses((status = 200, body = SessionInfo)))]
pub(super) async fn session_info(
    State(web): State<Web>,
    from: From,
    headers: HeaderMap,
) -> Answered<Json<SessionInfo>> {
    let caller = match authenticate(&web.auth(), &headers, from.door).await {
        Ok(caller) => Some(caller),
        Err(refusal) if refusal.code == Code::Unauthenticated => None,
        Err(refusal) => return Err(refusal.into()),
    };
    Ok(Json(info(&web, caller.as_ref().map(|caller| &caller.actor)).await?))
}

/// Signs the operator in: a cookie for browsers, or the session's secret for programs that keep none.
#[utoipa::path(post, path = "/api/session", tag = "session", request_body = SignInBody,
    responses((status = 200, body = SessionInfo)))]
pub(super) async fn sign_in(
    State(web): State<Web>,
    from: From,
    face: Face,
    Brief(body): Brief<SignInBody>,
) -> Answered<Response> {
    let before = admit(&web, &from).await?;
    if body.password.len() > 1_000 || !web.identities.check_password(&body.password).await? {
        let message = if web.identities.operator_exists().await? {
            "the password is wrong; `jarvis operator reset` on the host sets a new one"
        } else {
            "no password is set yet; open the link that the start of Jarvis printed"
        };
        return Err(wrong(&web, before, "sign-in", message).await);
    }
    let how = second(&web, before, body.code.as_deref()).await?;
    web.identities.forgive(&from.source).await?;
    open(&web, &from, &face, body.bearer, how).await
}

/// Asks for the second factor, where it is on; answers how the operator signed in.
pub(super) async fn second(web: &Web, before: usize, code: Option<&str>) -> Answered<&'static str> {
    if web.factor.factor().await?.is_none() {
        return Ok("the operator signed in");
    }
    let Some(code) = code.map(str::trim).filter(|code| !code.is_empty()) else {
        let said =
            "the second factor is on: send the code of the authenticator app with the password, or a recovery code";
        return Err(Fault::door(StatusCode::UNAUTHORIZED, "code_required", said));
    };
    match web.factor.spend(code).await? {
        Spent::Code => Ok("the operator signed in with a code"),
        Spent::Recovery => Ok("the operator signed in with a recovery code, which is used up by that"),
        Spent::Wrong => {
            let said = "the code is wrong, too old, or was used before; take the one that the app shows now, or a \
                        recovery code; `jarvis operator reset` on the host turns the second factor off";
            Err(wrong(web, before, "code", said).await)
        }
    }
}

/// Ends the caller's own session, and everything that it holds open.
#[utoipa::path(delete, path = "/api/session", tag = "session", responses((status = 204, description = "Signed out")))]
pub(super) async fn sign_out(State(web): State<Web>, Asker(caller): Asker, face: Face) -> Answered<Response> {
    let Some(session) = &caller.session else {
        return Err(Fault::invalid("there is no session to end; tokens are revoked with `jarvis token revoke`"));
    };
    let row = face.row(EventKind::SessionClosed, &caller.actor, session.as_str(), "signed out");
    web.identities.close_session(session, row).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    if caller.via == Via::Cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie::closed());
    }
    Ok(response)
}

/// Sessions that are open, newest first.
#[utoipa::path(get, path = "/api/sessions", tag = "session", responses((status = 200, body = SessionList)))]
pub(super) async fn list_sessions(State(web): State<Web>, Operator(caller): Operator) -> Answered<Json<SessionList>> {
    let sessions = web.identities.sessions().await?.into_iter().map(|session| OpenSession {
        current: caller.session.as_ref() == Some(&session.id),
        id: session.id.to_string(),
        face: session.whence.face,
        place: session.whence.place,
        created_at: session.created_at,
        used_at: session.used_at,
        expires_at: session.expires_at,
    });
    Ok(Json(SessionList { sessions: sessions.collect() }))
}

/// Ends a session, and everything that it holds open.
#[utoipa::path(delete, path = "/api/sessions/{id}", tag = "session",
    params(("id" = String, Path, description = "Session id")), responses((status = 204, description = "Ended")))]
pub(super) async fn revoke_session(
    State(web): State<Web>,
    Operator(caller): Operator,
    face: Face,
    At(id): At<SessionId>,
) -> Answered<StatusCode> {
    let row = face.row(EventKind::SessionClosed, &caller.actor, id.as_str(), "session ended by the operator");
    if web.identities.close_session(&id, row).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Fault::not_found(format!("there is no open session {id}; `jarvis session list` lists them")))
}

/// Ends all sessions but the caller's own.
#[utoipa::path(delete, path = "/api/sessions", tag = "session", responses((status = 204, description = "Ended")))]
pub(super) async fn revoke_other_sessions(
    State(web): State<Web>,
    Operator(caller): Operator,
    face: Face,
) -> Answered<StatusCode> {
    let Some(own) = &caller.session else {
        return Err(Fault::invalid("there is no session of yours to keep; end the others one by one"));
    };
    let row = face.row(EventKind::SessionClosed, &caller.actor, "sessions", "all other sessions were ended");
    web.identities.close_others(own, row).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Counts an attempt to get in.
pub(super) async fn admit(web: &Web, from: &From) -> Answered<usize> {
    match web.identities.admit(&from.source).await? {
        Admission::Admitted { before } => Ok(before),
        Admission::TooMany { wait_ms } => {
            let seconds = u64::try_from(wait_ms).unwrap_or(1).div_ceil(1000);
            let fault = Fault::from(Refusal::new(
                Code::RateLimited,
                "attempts",
                format!("too many attempts; try again in {seconds} s"),
            ));
            Err(fault.after(seconds).recorded(EventKind::SessionRefused, None, "too many attempts"))
        }
    }
}

/// A wrong password or code: held back for a while, and recorded whoever it was.
pub(super) async fn wrong(web: &Web, before: usize, what: &str, message: &str) -> Fault {
    held_back(web, before).await;
    refused(Code::Unauthenticated, what, message)
}

/// The same of somebody who is signed in and stays so.
pub(super) async fn wrong_again(web: &Web, before: usize, what: &str, message: &str) -> Fault {
    held_back(web, before).await;
    refused(Code::Forbidden, what, message)
}

async fn held_back(web: &Web, before: usize) {
    tokio::select! {
        () = tokio::time::sleep(Duration::from_millis(penalty_ms(before))) => {}
        () = web.shutdown.cancelled() => {}
    }
}

fn refused(code: Code, what: &str, message: &str) -> Fault {
    let fault = Fault::from(Refusal::new(code, "sign in", message));
    fault.recorded(EventKind::SessionRefused, Some(&record::nobody()), what)
}

/// Opens a session of the operator and answers with it.
pub(super) async fn open(web: &Web, from: &From, face: &Face, bearer: bool, how: &str) -> Answered<Response> {
    let operator = Actor::operator();
    let row = face.row(EventKind::SessionOpened, &operator, "session", how);
    let whence = Whence { face: if bearer { "cli" } else { "dashboard" }.to_owned(), place: from.place.clone() };
    let (session, secret) = web.identities.open_session(whence, row).await?;
    let mut answer = info(web, Some(&operator)).await?;
    if bearer {
        answer.secret = Some(secret);
        return Ok(Json(answer).into_response());
    }
    let cookie = set_cookie(web, &session, &secret)?;
    Ok(([(header::SET_COOKIE, cookie)], Json(answer)).into_response())
}

fn set_cookie(web: &Web, session: &Session, secret: &str) -> Answered<http::HeaderValue> {
    let seconds = (session.expires_at - web.clock.now()) / 1000;
    let secure = web.public_url.as_ref().is_some_and(|url| url.scheme() == "https");
    cookie::opened(secret, seconds, secure).ok_or_else(|| {
        Fault::door(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the session cannot be put into a cookie")
    })
}

/// This machine has no role: it is what it is.
const fn role(actor: &Actor) -> Option<&'static str> {
    match actor.kind {
        ActorKind::Operator => Some("operator"),
        ActorKind::Token => Some(actor.role.as_str()),
        _ => None,
    }
}

async fn info(web: &Web, actor: Option<&Actor>) -> Answered<SessionInfo> {
    Ok(SessionInfo {
        signed_in: actor.is_some(),
        setup_needed: !web.identities.operator_exists().await?,
        name: actor.map(|actor| actor.name.clone()),
        ceiling: actor.map(|actor| actor.ceiling.as_str().to_owned()),
        may_approve: actor.is_some_and(Actor::may_approve),
        role: actor.and_then(role).map(str::to_owned),
        operator: actor.is_some_and(|actor| actor.kind == ActorKind::Operator),
        second_factor: web.factor.factor().await?.is_some(),
        host: web.host.clone(),
        version: web.version.clone(),
        secret: None,
    })
}
