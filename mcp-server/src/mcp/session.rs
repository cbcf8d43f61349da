//! Sessions of the old era belong to whoever opened them.
//!
//! The protocol knows a session by its id alone, and an id that leaked would be worth more than a token: its holder could
//! fill in another client's form. So each is bound to an identity, and to everybody else it does not exist.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use jarvis_safety::{Actor, ActorId};
use rmcp::transport::streamable_http_server::session::SessionManager as _;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;

/// Header that carries the id.
const HEADER: &str = "mcp-session-id";
/// Sessions that one identity may have at once; the oldest ends for a new one.
const MAX_EACH: usize = 16;

/// Who opened which session, in the order of opening.
#[derive(Clone)]
pub(super) struct Sessions {
    manager: Arc<LocalSessionManager>,
    owned: Arc<Mutex<HashMap<ActorId, Vec<String>>>>,
}

impl Sessions {
    pub(super) fn new(manager: Arc<LocalSessionManager>) -> Self {
        Self { manager, owned: Arc::default() }
    }

    fn owns(&self, actor: &ActorId, id: &str) -> bool {
        let owned = self.owned.lock().unwrap_or_else(PoisonError::into_inner);
        owned.get(actor).is_some_and(|ids| ids.iter().any(|own| own == id))
    }

    /// Notes a session, and answers the one that must end for it.
    fn note(&self, actor: &ActorId, id: String) -> Option<String> {
        let mut owned = self.owned.lock().unwrap_or_else(PoisonError::into_inner);
        let ids = owned.entry(actor.clone()).or_default();
        if !ids.contains(&id) {
            ids.push(id);
        }
        (ids.len() > MAX_EACH).then(|| ids.remove(0))
    }
}

/// Lets a session be used by its owner only, and notes the ones that are opened.
pub(super) async fn own(State(sessions): State<Sessions>, request: Request, next: Next) -> Response {
    let Some(actor) = request.extensions().get::<Actor>().map(|actor| actor.id.clone()) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let asked = id(request.headers());
    if asked.as_ref().is_some_and(|asked| !sessions.owns(&actor, asked)) {
        return (StatusCode::NOT_FOUND, "Session not found").into_response();
    }
    let answer = next.run(request).await;
    if let (None, Some(opened)) = (asked, id(answer.headers()))
        && let Some(oldest) = sessions.note(&actor, opened)
    {
        // One that has ended by itself is as good as closed.
        let _ = sessions.manager.close_session(&oldest.into()).await;
    }
    answer
}

fn id(headers: &HeaderMap) -> Option<String> {
    headers.get(HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
