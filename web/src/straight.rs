//! What the straight way of MCP asks of the door. It only ever lets in whom every other route would let in too; whoever
//! it does not know goes the usual way, which says why not and records it.

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, Uri};
use jarvis_safety::{Actor, Role};

use crate::auth::bearer_secret;
use crate::web::Web;

impl Web {
    /// The actor of the token behind a request on TCP, if nothing speaks against it.
    pub async fn token_actor(&self, uri: &Uri, headers: &HeaderMap) -> Option<Actor> {
        self.names.check(uri, headers).ok()?;
        let token = self.identities.token(bearer_secret(headers)?.ok()?).await.ok()??;
        // The approver is never the agent, and what is counted is counted there.
        (token.grant.role != Role::Approver && token.grant.per_minute.is_none()).then(|| token.actor())
    }

    /// Counts an answer that was given the straight way.
    pub fn answered_straight(&self, took: Duration) {
        self.metrics.answered(&Method::POST, "/mcp", StatusCode::OK, took);
    }
}
