//! Handlers say whom they let in by the type of their argument: [`Caller`] anyone known, [`Overseer`] the operator or
//! this machine, [`Operator`] the operator alone.

use axum::extract::FromRequestParts;
use http::request::Parts;
use jarvis_safety::call::Origin;
use jarvis_safety::event::EventKind;
use jarvis_safety::refusal::Code;
use jarvis_safety::{Actor, ActorKind, Refusal};

use super::{Caller, Via, authenticate, bearer_secret};
use crate::guard::csrf;
use crate::guard::door::Door;
use crate::guard::trace::Correlation;
use crate::problem::Fault;
use crate::web::Web;

impl FromRequestParts<Web> for Caller {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Fault> {
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
        Ok(caller)
    }
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
        Err(only(
            &caller,
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
        Err(only(&caller, "a token sees what is its own; ask on the dashboard or on the machine itself", parts))
    }
}

fn only(caller: &Caller, message: &str, parts: &Parts) -> Fault {
    Fault::from(Refusal::new(Code::Forbidden, "operator only", message)).recorded(
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
