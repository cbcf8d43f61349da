//! Who is at the door.
//!
//! Three ways in: the session cookie of a browser, a bearer secret (a token, or a session opened by a program), and the
//! socket in the data directory, where whoever can open it is this machine. Each request is looked up anew, so a
//! revoked token or a closed session ends at once.

pub mod attempt;
mod bearer;
pub mod cookie;
mod extract;

use std::sync::Arc;

use http::HeaderMap;
use jarvis_safety::id::{SessionId, TokenId};
use jarvis_safety::plain::visible;
use jarvis_safety::port::{Clock, Identities, StoreError};
use jarvis_safety::refusal::Code;
use jarvis_safety::{Actor, ActorKind, Refusal};

pub use bearer::{Expires, McpDoor, STDIO_HEADER, layer};
pub use extract::{Asker, Face, Operator, Overseer, Speaker, Watcher};

use crate::guard::door::Door;
use crate::problem::Fault;

/// Longest secret that is even looked up.
const MAX_SECRET: usize = 512;

/// What is needed to know somebody.
#[derive(Clone)]
pub struct AuthState {
    /// Sessions and tokens.
    pub identities: Arc<dyn Identities>,
    /// The time, for sessions that end.
    pub clock: Arc<dyn Clock>,
}

/// How a caller was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// By the cookie of a browser.
    Cookie,
    /// By a session's secret in the `Authorization` header.
    Session,
    /// By a token.
    Token,
    /// By being able to open the socket in the data directory.
    Local,
}

/// A known caller.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub actor: Actor,
    /// How that is known.
    pub via: Via,
    /// The session, for the operator.
    pub session: Option<SessionId>,
    /// Id of the session or token: when it ends, what the caller holds open ends too.
    pub held_by: Option<String>,
    /// When the session or token ends by itself.
    pub expires_at: Option<i64>,
    /// The token whose requests are counted: one that has a limit.
    pub counted: Option<TokenId>,
}

impl Caller {
    /// The caller behind the local socket.
    #[must_use]
    pub fn local(actor: Actor) -> Self {
        Self { actor, via: Via::Local, session: None, held_by: None, expires_at: None, counted: None }
    }

    /// Whether the caller sees everything: the operator, and this machine.
    #[must_use]
    pub const fn sees_all(&self) -> bool {
        matches!(self.actor.kind, ActorKind::Operator | ActorKind::Local)
    }

    /// Where the call comes from, as it stands on cards and in the audit.
    #[must_use]
    pub const fn face(&self) -> &'static str {
        match self.via {
            Via::Cookie => "dashboard",
            Via::Session | Via::Local => "cli",
            Via::Token => "api",
        }
    }
}

/// Finds out who sent these headers through this door.
///
/// # Errors
/// `unauthenticated` when nobody is known by them, `store_unavailable` when it could not be looked up.
pub async fn authenticate(state: &AuthState, headers: &HeaderMap, door: Door) -> Result<Caller, Refusal> {
    if let Some(secret) = bearer_secret(headers) {
        return by_bearer(state, secret?).await;
    }
    if let Some(secret) = cookie::session(headers).filter(|secret| secret.len() <= MAX_SECRET) {
        if let Some(caller) = by_session(state, secret, Via::Cookie).await? {
            return Ok(caller);
        }
    } else if door == Door::Local {
        return Ok(Caller::local(Actor::local()));
    }
    Err(unknown("sign in", "sign in first, or send a token as `Authorization: Bearer …`"))
}

/// The secret in the `Authorization` header; an error if the header is there and holds something else.
#[must_use]
pub fn bearer_secret(headers: &HeaderMap) -> Option<Result<&str, Refusal>> {
    let value = headers.get(http::header::AUTHORIZATION)?;
    let secret = value.to_str().ok().and_then(|text| {
        let (scheme, secret) = text.split_once(' ')?;
        let secret = secret.trim();
        let fits = scheme.eq_ignore_ascii_case("bearer") && !secret.is_empty() && secret.len() <= MAX_SECRET;
        fits.then_some(secret)
    });
    Some(secret.ok_or_else(|| unknown("credential", "the Authorization header must be `Bearer` and one secret")))
}

async fn by_bearer(state: &AuthState, secret: &str) -> Result<Caller, Refusal> {
    if let Some(token) = state.identities.token(secret).await.map_err(lookup)? {
        let held_by = Some(token.id.to_string());
        let (actor, expires_at) = (token.actor(), token.grant.expires_at);
        let counted = token.grant.per_minute.map(|_| token.id);
        return Ok(Caller { actor, via: Via::Token, session: None, held_by, expires_at, counted });
    }
    by_session(state, secret, Via::Session).await?.ok_or_else(|| {
        unknown(
            "credential",
            "this token or session is not known, is over or was revoked; ask the operator for a new one, or sign in again",
        )
    })
}

async fn by_session(state: &AuthState, secret: &str, via: Via) -> Result<Option<Caller>, Refusal> {
    let session = state.identities.session(secret).await.map_err(lookup)?;
    Ok(session.filter(|session| session.expires_at > state.clock.now()).map(|session| Caller {
        actor: Actor::operator(),
        via,
        held_by: Some(session.id.to_string()),
        expires_at: Some(session.expires_at),
        session: Some(session.id),
        counted: None,
    }))
}

/// Counts a request of a caller that has a limit.
///
/// # Errors
/// `rate_limited` when it is one too many; when the store cannot count it, that.
pub(crate) async fn paced(state: &AuthState, caller: &Caller) -> Result<(), Fault> {
    let Some(token) = &caller.counted else { return Ok(()) };
    let Some(wait_ms) = state.identities.pace(token).await.map_err(lookup)? else { return Ok(()) };
    let seconds = u64::try_from(wait_ms).unwrap_or(1).div_ceil(1000);
    let said = format!(
        "{} asks more often than its token may; ask again in {seconds} s. Nothing was done",
        visible(&caller.actor.name)
    );
    Err(Fault::from(Refusal::new(Code::RateLimited, "requests a minute", said)).after(seconds))
}

fn unknown(rule: &str, message: &str) -> Refusal {
    Refusal::new(Code::Unauthenticated, rule, message)
}

fn lookup(error: StoreError) -> Refusal {
    Refusal::new(Code::StoreUnavailable, "identity", error.to_string())
}
