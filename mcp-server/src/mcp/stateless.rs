//! The straight way for the most frequent request: a modern `tools/call` over TCP that is answered in one piece, before
//! router, layers and sessions.
//!
//! It is taken only where no progress, form, task, session or header of parameters can come into play, which is found
//! out from the request alone; everything else, and everything that is in any way odd, goes to rmcp. There is one
//! meaning and not two: `mcp-server/tests/it/corpus.rs` sends one corpus both ways and compares the answers.

use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Method, Request, header};
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use jarvis_safety::Actor;
use jarvis_safety::kernel::Watch;
use jarvis_safety::outcome::Answer;
use jarvis_safety::tier::Tier;
use jarvis_web::Web;
use rmcp::model::{CallToolResponse, ErrorData};
use serde::Serialize;
use serde_json::Value;

use super::straight::{Straight, plain, sole};
use super::{Face, strict};

/// Largest request that goes straight.
const MAX_BODY: usize = 64 * 1024;
/// Longest time for it to arrive.
const ARRIVAL: Duration = Duration::from_secs(30);

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Said {
    Result(Box<rmcp::model::CallToolResult>),
    Error(ErrorData),
}

#[derive(Serialize)]
struct Message {
    jsonrpc: &'static str,
    id: Value,
    #[serde(flatten)]
    said: Said,
}

/// The straight way in front of the router.
#[derive(Clone)]
pub(crate) struct StraightDoor {
    web: Web,
    face: Face,
}

impl StraightDoor {
    pub(crate) const fn new(web: Web, face: Face) -> Self {
        Self { web, face }
    }

    /// Answers a request, or gives it back as it came for the usual way.
    pub(crate) async fn take(&self, request: Request<Incoming>) -> Result<Response, Request<Body>> {
        let begun = Instant::now();
        let small = sole(request.headers(), header::CONTENT_LENGTH.as_str())
            .and_then(|length| length.to_str().ok()?.parse::<usize>().ok())
            .is_some_and(|length| length <= MAX_BODY);
        let fits = small && request.uri() == "/mcp" && request.method() == Method::POST && plain(request.headers());
        if !fits {
            return Err(request.map(Body::new));
        }
        let Some(actor) = self.web.token_actor(request.uri(), request.headers()).await else {
            return Err(request.map(Body::new));
        };
        let (parts, body) = request.into_parts();
        let bytes = match tokio::time::timeout(ARRIVAL, body.collect()).await {
            Ok(Ok(whole)) => whole.to_bytes(),
            // Nobody waits for an answer any more, or nobody can be waited for.
            _ => return Err(Request::from_parts(parts, Body::empty())),
        };
        let call = strict::judge(&bytes).ok().and_then(|message| Straight::of(&parts, message));
        if let Some(call) = call
            && let Some(answer) = self.face.straight(actor, call).await
        {
            self.web.answered_straight(begun.elapsed());
            return Ok(answer);
        }
        Err(Request::from_parts(parts, Body::from(bytes)))
    }
}

impl Face {
    /// Answers a call that can go straight; `None` if a person must be asked, which is rmcp's part.
    async fn straight(&self, actor: Actor, call: Straight) -> Option<Response> {
        if self.stages(&call.name) {
            return None;
        }
        let tier = self.gate.registry().describe(&call.name).map(|described| described.spec.tier);
        // Above green a card may come up, and with it a form.
        if call.forms && tier.is_some_and(|tier| tier > Tier::Green) {
            return None;
        }
        let asked = self.asking(actor.clone(), call.name, call.args, call.key).await;
        let watch = Watch::default();
        // A client that hangs up cancels its call, as it does on the other way.
        let hung_up = watch.cancel.clone().drop_guard();
        let answer = match asked {
            Ok(request) => self.gate.call_watched(request, watch).await,
            Err(refusal) => Answer::Refused(refusal),
        };
        hung_up.disarm();
        if matches!(answer, Answer::Waiting(_)) {
            // The same call again joins the card that is up now.
            return None;
        }
        let said = match self.hand(&actor, answer).await {
            Ok(CallToolResponse::Complete(result)) => Said::Result(Box::new(result)),
            Ok(_) => return None,
            Err(error) => Said::Error(error),
        };
        let bytes = serde_json::to_vec(&Message { jsonrpc: "2.0", id: call.id, said }).ok()?;
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        ];
        Some((headers, Bytes::from(bytes)).into_response())
    }
}
