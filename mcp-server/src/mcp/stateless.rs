//! The straight way for the most frequent request: a modern `tools/call` over TCP that is answered in one piece, before
//! router, layers and sessions.
//!
//! It is taken only where no progress, form, task, session or header of parameters can come into play, which is found
//! out from the request alone; everything else, and everything that is in any way odd, goes to rmcp. There is one
//! meaning and not two: `mcp-server/tests/it/corpus.rs` sends one corpus both ways and compares the answers.

use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Request, header};
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use jarvis_safety::Actor;
use jarvis_safety::kernel::Watch;
use jarvis_safety::outcome::Answer;
use jarvis_safety::tier::Tier;
use jarvis_web::Web;
use rmcp::model::{CallToolResponse, ClientCapabilities, ErrorData};
use serde::Serialize;
use serde_json::{Map, Value};

use super::call::KEY;
use super::{Face, strict};

/// Largest request that goes straight.
const MAX_BODY: usize = 64 * 1024;
/// Longest time for it to arrive.
const ARRIVAL: Duration = Duration::from_secs(30);

const VERSION: &str = "2026-07-28";
const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const META_CLIENT: &str = "io.modelcontextprotocol/clientInfo";
const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// A `tools/call` that can go straight.
pub(super) struct Straight {
    id: Value,
    name: String,
    args: Value,
    key: Option<String>,
    /// Whether the client could be shown a form.
    forms: bool,
}

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

impl Straight {
    /// The call, if its headers and its parts leave nothing to ask.
    pub(super) fn of(parts: &Parts, message: Value) -> Option<Self> {
        if parts.method != Method::POST || !plain(&parts.headers) {
            return None;
        }
        let Value::Object(mut message) = message else { return None };
        let whole = message.len() == 4
            && message.get("jsonrpc").is_some_and(|version| version == "2.0")
            && message.get("method").is_some_and(|method| method == "tools/call");
        let id = message.remove("id").filter(|id| whole && (id.is_string() || id.is_i64()))?;
        let Some(Value::Object(mut params)) = message.remove("params") else { return None };
        let Some(Value::String(name)) = params.remove("name") else { return None };
        let Some(Value::Object(meta)) = params.remove("_meta") else { return None };
        let args = params.remove("arguments").unwrap_or_default();
        if !params.is_empty() || sole(&parts.headers, "mcp-name")? != name.as_str() {
            return None;
        }
        let (key, forms) = known(&meta)?;
        Some(Self { id, name, args, key, forms })
    }
}

/// The only value of a header.
fn sole<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Whether the headers are the ones that every modern client sends, written plainly.
fn plain(headers: &HeaderMap) -> bool {
    let is = |name: &str, value: &str| sole(headers, name).is_some_and(|found| found == value);
    let accepted = sole(headers, header::ACCEPT.as_str()).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        let accepts = |kind: &str| value.split(',').any(|part| part.trim() == kind);
        accepts("application/json") && accepts("text/event-stream")
    });
    accepted
        && is(header::CONTENT_TYPE.as_str(), "application/json")
        && is("mcp-protocol-version", VERSION)
        && is("mcp-method", "tools/call")
        && !headers.keys().any(|name| name == "mcp-session-id" || name.as_str().starts_with("mcp-param-"))
}

/// Idempotency key and whether forms can be shown, if nothing else of weight stands there.
fn known(meta: &Map<String, Value>) -> Option<(Option<String>, bool)> {
    let mut key = None;
    for (name, value) in meta {
        match name.as_str() {
            META_VERSION | META_CAPABILITIES => {}
            META_CLIENT => {
                let client = value.as_object()?;
                let words = ["name", "version", "title", "description", "websiteUrl"];
                let plain = |(field, value): (&String, &Value)| words.contains(&field.as_str()) && value.is_string();
                if !client.contains_key("name") || !client.contains_key("version") || !client.iter().all(plain) {
                    return None;
                }
            }
            KEY => key = Some(value.as_str()?.to_owned()),
            "progressToken" => return None,
            other if other.starts_with("io.modelcontextprotocol/") => return None,
            _ => {}
        }
    }
    if meta.get(META_VERSION).and_then(Value::as_str) != Some(VERSION) {
        return None;
    }
    let capabilities = meta.get(META_CAPABILITIES)?.as_object()?;
    if capabilities.is_empty() {
        return Some((key, false));
    }
    let declared: ClientCapabilities = serde_json::from_value(Value::Object(capabilities.clone())).ok()?;
    (!declared.supports_tasks()).then_some((key, declared.elicitation.is_some()))
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

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        name: String,
        headers: Vec<(String, String)>,
        body: String,
    }

    #[test]
    fn what_leaves_nothing_to_ask_goes_straight_and_nothing_else_does() {
        let mut straight = Vec::new();
        for line in include_str!("../../tests/corpus/tools_call.jsonl").lines() {
            let case: Case = serde_json::from_str(line).unwrap();
            let request =
                case.headers.iter().fold(Request::post("/mcp"), |request, (name, value)| request.header(name, value));
            let (parts, ()) = request.body(()).unwrap().into_parts();
            let message = jarvis_safety::json::parse(&case.body).unwrap_or_default();
            if Straight::of(&parts, message).is_some() {
                straight.push(case.name);
            }
        }
        assert_eq!(
            straight,
            [
                "plain",
                "a text as id",
                "a negative id",
                "an id of zero",
                "the largest id",
                "an empty text as id",
                "no arguments",
                "arguments null",
                "arguments a list",
                "arguments a text",
                "an unknown field",
                "a wrong type",
                "a missing folder",
                "outside the roots",
                "upwards",
                "a control character",
                "text from right to left",
                "a NUL",
                "an unknown tool",
                "an empty name",
                "a green call with a bad limit",
                "above the ceiling",
                "far above the ceiling",
                "meta without a client",
                "an unknown capability",
                "forms can be shown",
                "sampling and roots",
                "a client with a title",
                "trace context",
                "a key of somebody else",
                "an idempotency key on a read",
                "spaces around",
                "escaped names",
                "accepted in the other order",
            ]
        );
    }
}
