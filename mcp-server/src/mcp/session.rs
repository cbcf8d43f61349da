//! Sessions of the old era belong to whoever opened them, and outlive idleness and our restart.
//!
//! The protocol knows a session by its id alone, and an id that leaked would be worth more than a token: its holder could
//! fill in another client's form. So each is bound to an identity and to the path that it was opened on, and to everybody
//! else it does not exist. What the client said when it opened it is kept, so that a session which is not in memory any
//! more is opened again under its id, unseen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use jarvis_memory::{McpSession, McpSessions};
use jarvis_safety::{Actor, ActorId};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::session::{
    SessionManager as _, SessionState, SessionStore, SessionStoreError,
};

/// Header that carries the id.
const HEADER: &str = "mcp-session-id";
/// Sessions that one identity may have at once; the oldest ends for a new one.
const MAX_EACH: usize = 16;
/// Longest opening that is kept, in bytes. A client that says more than that has a session until we restart.
const MAX_OPENING: usize = 16 * 1024;
/// Openings that wait to be bound. Whoever hangs up before the answer leaves one behind.
const MAX_OPENED: usize = 256;

/// Who opened which session on a path, in the order of opening.
#[derive(Clone)]
pub(super) struct Sessions {
    path: &'static str,
    manager: Arc<LocalSessionManager>,
    kept: McpSessions,
    owned: Arc<Mutex<HashMap<ActorId, Vec<String>>>>,
    /// How sessions were opened that are not bound to anybody yet.
    opened: Arc<Mutex<HashMap<String, String>>>,
}

impl Sessions {
    pub(super) fn new(path: &'static str, manager: Arc<LocalSessionManager>, kept: McpSessions) -> Self {
        Self { path, manager, kept, owned: Arc::default(), opened: Arc::default() }
    }

    /// Whether a session is this actor's. One that was opened before our start, or on another server, is looked up.
    async fn owns(&self, actor: &ActorId, id: &str) -> Result<bool, SessionStoreError> {
        let here = {
            let owned = self.owned.lock().unwrap_or_else(PoisonError::into_inner);
            owned.get(actor).is_some_and(|ids| ids.iter().any(|own| own == id))
        };
        if here {
            return Ok(true);
        }
        let kept = self.kept.find(id).await?;
        let own = kept.is_some_and(|kept| kept.actor == *actor && kept.path == self.path);
        if own {
            self.note(actor, id.to_owned()).await;
        }
        Ok(own)
    }

    /// Notes a session, and ends the one that must make room for it.
    async fn note(&self, actor: &ActorId, id: String) {
        let oldest = {
            let mut owned = self.owned.lock().unwrap_or_else(PoisonError::into_inner);
            let ids = owned.entry(actor.clone()).or_default();
            if !ids.contains(&id) {
                ids.push(id);
            }
            (ids.len() > MAX_EACH).then(|| ids.remove(0))
        };
        if let Some(oldest) = oldest {
            // One that has ended by itself is as good as closed.
            let _ = self.manager.close_session(&oldest.into()).await;
        }
    }

    /// Binds a session that was just opened to whoever opened it.
    async fn bind(&self, actor: &ActorId, id: String) {
        let opening = self.opened.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        self.note(actor, id.clone()).await;
        let Some(opening) = opening else { return };
        let session = McpSession { id, actor: actor.clone(), path: self.path.to_owned(), opening };
        if let Err(error) = self.kept.keep(session, u32::try_from(MAX_EACH).unwrap_or(u32::MAX)).await {
            tracing::warn!(%error, "a session of MCP could not be kept; it ends when Jarvis does");
        }
    }

    fn forget(&self, id: &str) {
        let mut owned = self.owned.lock().unwrap_or_else(PoisonError::into_inner);
        owned.values_mut().for_each(|ids| ids.retain(|own| own != id));
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn load(&self, id: &str) -> Result<Option<SessionState>, SessionStoreError> {
        let kept = self.kept.find(id).await?.filter(|kept| kept.path == self.path);
        Ok(kept.map(|kept| serde_json::from_str(&kept.opening)).transpose()?)
    }

    /// Called before it is known to whom the answer goes: kept once that is.
    async fn store(&self, id: &str, state: &SessionState) -> Result<(), SessionStoreError> {
        let opening = serde_json::to_string(state)?;
        if opening.len() <= MAX_OPENING {
            let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            if opened.len() >= MAX_OPENED {
                opened.clear();
            }
            opened.insert(id.to_owned(), opening);
        }
        Ok(())
    }

    async fn delete(&self, id: &str) -> Result<(), SessionStoreError> {
        self.forget(id);
        Ok(self.kept.end(id).await?)
    }
}

/// Lets a session be used by its owner only, and binds the ones that are opened.
pub(super) async fn own(State(sessions): State<Sessions>, request: Request, next: Next) -> Response {
    let Some(actor) = request.extensions().get::<Actor>().map(|actor| actor.id.clone()) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let asked = id(request.headers());
    if let Some(asked) = &asked {
        match sessions.owns(&actor, asked).await {
            Ok(true) => {}
            Ok(false) => return (StatusCode::NOT_FOUND, "Session not found").into_response(),
            Err(error) => {
                tracing::warn!(%error, "whose a session of MCP is cannot be looked up");
                let said = "the store is away, and whose this session is cannot be looked up; ask again in a moment";
                return (StatusCode::SERVICE_UNAVAILABLE, said).into_response();
            }
        }
    }
    let ends = request.method() == Method::DELETE;
    let mut answer = next.run(request).await;
    if ends && answer.status() == StatusCode::ACCEPTED {
        // It is over, not only asked for: some clients warn their person of anything else.
        *answer.status_mut() = StatusCode::NO_CONTENT;
    }
    if let (None, Some(opened)) = (asked, id(answer.headers())) {
        sessions.bind(&actor, opened).await;
    }
    answer
}

fn id(headers: &HeaderMap) -> Option<String> {
    headers.get(HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
