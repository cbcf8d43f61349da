//! The door of `/mcp`: a model may stand behind it, so nobody comes in there who could decide.
//!
//! A session is refused (it is the operator, who may approve), and so is a token that was made to approve: the approver
//! is never the agent. On the local socket the caller is this machine, or the narrower `mcp:stdio` when it says so.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use jarvis_safety::event::EventKind;
use jarvis_safety::refusal::Code;
use jarvis_safety::{Actor, Refusal};
use tokio::time::Instant;

use super::{AuthState, Caller, Via, authenticate, bearer_secret, cookie, paced};
use crate::guard::body::read;
use crate::guard::door::{Door, Names};
use crate::problem::Fault;

/// On the local socket, `mcp:stdio` in this header makes the caller the narrower [`Actor::mcp_stdio`]. Elsewhere it
/// means nothing.
pub const STDIO_HEADER: &str = "x-jarvis-actor";

/// No request is held open so long, and no clock counts much further.
const FAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Where a resource describes itself (RFC 9728).
const METADATA: &str = "/.well-known/oauth-protected-resource";

/// When the token of a request expires; beside the [`Actor`] in the request's extensions. Nothing is told from then on.
#[derive(Debug, Clone, Copy)]
pub struct Expires(pub Instant);

/// What the layer needs to know.
#[derive(Clone)]
pub struct McpDoor {
    /// How callers are known.
    pub auth: AuthState,
    /// The door that the router stands behind.
    pub door: Door,
    /// Under which names the server is called.
    pub names: Arc<Names>,
}

/// Lets in who may use MCP, and puts the [`Actor`] into the request's extensions. Bodies are bounded as on
/// every other route.
///
/// # Errors
/// A fault, which the outer layers write out.
pub async fn layer(State(mcp): State<McpDoor>, request: Request, next: Next) -> Result<Response, Fault> {
    let caller = admit(&mcp, request.headers()).await.map_err(|fault| {
        let base = mcp.names.base(request.uri(), request.headers());
        let fault = fault.of_resource(format!("{base}{METADATA}{}", request.uri().path()));
        let recorded = fault.said().record.is_some();
        if recorded || fault.code() != Code::Unauthenticated.as_str() || bearer_secret(request.headers()).is_none() {
            return fault;
        }
        fault.recorded(EventKind::SessionRefused, None, "/mcp")
    })?;
    let (parts, body) = request.into_parts();
    let bytes = read(&parts.headers, body)
        .await
        .map_err(|fault| fault.recorded(EventKind::CallRefused, Some(&caller.actor.id), "/mcp"))?;
    let mut request = Request::from_parts(parts, Body::from(bytes));
    if let Some(left) = caller.expires_at.map(|at| at.saturating_sub(mcp.auth.clock.now())) {
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0)).min(FAR);
        request.extensions_mut().insert(Expires(Instant::now() + left));
    }
    request.extensions_mut().insert(caller.actor);
    Ok(next.run(request).await)
}

async fn admit(mcp: &McpDoor, headers: &HeaderMap) -> Result<Caller, Fault> {
    if mcp.door == Door::Local && bearer_secret(headers).is_none() {
        let stdio = headers.get(STDIO_HEADER).is_some_and(|value| value == "mcp:stdio");
        return Ok(Caller::local(if stdio { Actor::mcp_stdio() } else { Actor::local() }));
    }
    if bearer_secret(headers).is_none() && cookie::session(headers).is_some() {
        return Err(refused("a browser's session cannot be used over MCP"));
    }
    let caller = authenticate(&mcp.auth, headers, mcp.door).await?;
    paced(&mcp.auth, &caller).await?;
    let id = caller.actor.id.clone();
    let why = if caller.via != Via::Token {
        "the operator's session cannot be used over MCP"
    } else if caller.actor.may_approve() {
        "a token with the role approver cannot be used over MCP: the approver is never the agent"
    } else {
        return Ok(caller);
    };
    Err(refused(why).recorded(EventKind::SessionRefused, Some(&id), "/mcp"))
}

fn refused(why: &str) -> Fault {
    Refusal::new(
        Code::Forbidden,
        "the approver is never the agent",
        format!("{why}; make a token for this client with `jarvis token create NAME --ceiling TIER`"),
    )
    .into()
}
