//! Handlers say whom they let in by the type of their argument: [`Caller`] whoever may act, [`Asker`], [`Speaker`] and
//! [`Watcher`] also the roles that may do that alone, [`Overseer`] the operator or this machine, [`Operator`] the operator
//! alone. The plain name is the strict one, so that a new handler is closed to a role until somebody opens it.

use axum::extract::FromRequestParts;
use http::request::Parts;
use jarvis_safety::call::Origin;
use jarvis_safety::event::EventKind;
use jarvis_safety::refusal::Code;
use jarvis_safety::role::Deed;
use jarvis_safety::{Actor, ActorKind, Refusal};

use super::{Caller, Via, authenticate, bearer_secret, paced};
use crate::guard::csrf;
use crate::guard::door::Door;
use crate::guard::trace::Correlation;
use crate::problem::Fault;
use crate::web::Web;

impl FromRequestParts<Web> for Caller {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Fault> {
        enter(parts, web, Deed::Act).await
    }
}

/// Whoever may call or look, and follow what is its own.
#[derive(Debug, Clone)]
pub struct Asker(pub Caller);

impl FromRequestParts<Web> for Asker {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Fault> {
        enter(parts, web, Deed::Ask).await.map(Self)
    }
}

/// Whoever may talk.
#[derive(Debug, Clone)]
pub struct Speaker(pub Caller);

impl FromRequestParts<Web> for Speaker {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Fault> {
        enter(parts, web, Deed::Talk).await.map(Self)
    }
}

/// Whoever may see how Jarvis is.
#[derive(Debug, Clone)]
pub struct Watcher(pub Caller);

impl FromRequestParts<Web> for Watcher {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Fault> {
        enter(parts, web, Deed::Watch).await.map(Self)
    }
}

/// Lets in whoever is known, does not ask too fast, and has a role that may.
async fn enter(parts: &Parts, web: &Web, deed: Deed) -> Result<Caller, Fault> {
    let door = parts.extensions.get::<Door>().copied().unwrap_or(Door::Tcp);
    let caller = authenticate(&web.auth(), &parts.headers, door).await.map_err(|refusal| {
        let presented = refusal.code == Code::Unauthenticated && bearer_secret(&parts.headers).is_some();
        let fault = Fault::from(refusal);
        // A secret that opens nothing is worth a row; a page that asks before it signed in is not.
        if presented { fault.recorded(EventKind::SessionRefused, None, parts.uri.path()) } else { fault }
    })?;
    if caller.via == Via::Cookie {
        csrf::check(&parts.method, &parts.headers)
            .map_err(|fault| fault.recorded(EventKind::SessionRefused, None, parts.uri.path()))?;
    }
    paced(&web.auth(), &caller).await?;
    if caller.actor.role.may(deed) {
        return Ok(caller);
    }
    let role = caller.actor.role;
    let said = format!("a token with the role {role} may not do this; ask the operator for one with the role client");
    Err(forbidden(&caller, "role", said, parts))
}

/// The operator, proven by a session.
#[derive(Debug, Clone)]
pub struct Operator(pub Caller);

impl FromRequestParts<Web> for Operator {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Fault> {
        let caller = Caller::from_request_parts(parts, web).await?;
        if caller.actor.kind == ActorKind::Operator {
            return Ok(Self(caller));
        }
        Err(forbidden(
            &caller,
            "operator only",
            "only the operator may do this: sign in on the dashboard, or give the operator's password \
             (`jarvis` asks for it, or takes it from JARVIS_OPERATOR_PASSWORD)",
            parts,
        ))
    }
}

/// The operator or this machine: whoever may see everything.
#[derive(Debug, Clone)]
pub struct Overseer(pub Caller);

impl FromRequestParts<Web> for Overseer {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Fault> {
        let caller = Caller::from_request_parts(parts, web).await?;
        if caller.sees_all() {
            return Ok(Self(caller));
        }
        let said = "a token sees what is its own; ask on the dashboard or on the machine itself";
        Err(forbidden(&caller, "operator only", said, parts))
    }
}

fn forbidden(caller: &Caller, rule: &str, message: impl Into<String>, parts: &Parts) -> Fault {
    Fault::from(Refusal::new(Code::Forbidden, rule, message)).recorded(
        EventKind::SessionRefused,
        Some(&caller.actor.id),
        format!("{} {}", parts.method, parts.uri.path()),
    )
}

/// Where a request comes from: face and correlation, for the audit.
#[derive(Debug, Clone)]
pub struct Face {
    correlation: String,
}

impl Face {
    /// The origin of something that a caller does.
    #[must_use]
    pub fn origin(&self, caller: &Caller) -> Origin {
        Origin { face: caller.face().to_owned(), correlation: self.correlation.clone(), ..Origin::default() }
    }

    /// A row about something that an actor did at the door.
    #[must_use]
    pub fn row(&self, kind: EventKind, actor: &Actor, subject: &str, summary: &str) -> jarvis_safety::event::Draft {
        crate::guard::record::row(kind, actor.id.clone(), subject, &self.correlation, summary)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Face {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let correlation = parts.extensions.get::<Correlation>().map(|id| id.0.clone()).unwrap_or_default();
        Ok(Self { correlation })
    }
}
