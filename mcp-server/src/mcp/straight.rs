//! Which request can go straight, found out from the request alone.
//!
//! Only what every modern client sends, written plainly; what is in any way odd is rmcp's. Nothing here does anything.

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, header};
use rmcp::model::ClientCapabilities;
use serde_json::{Map, Value};

/// Key in `_meta` under which a client names its call, so that a retry is not a repetition.
pub(super) const KEY: &str = "jarvis/idempotency-key";

/// Headers of the protocol that the straight way looks at. With any other, a session or a parameter may come into play.
const KNOWN: [&str; 3] = ["mcp-protocol-version", "mcp-method", "mcp-name"];

const VERSION: &str = "2026-07-28";
const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const META_CLIENT: &str = "io.modelcontextprotocol/clientInfo";
const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// A `tools/call` that can go straight.
pub(super) struct Straight {
    pub(super) id: Value,
    pub(super) name: String,
    pub(super) args: Value,
    pub(super) key: Option<String>,
    /// Whether the client could be shown a form.
    pub(super) forms: bool,
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
pub(super) fn sole<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Whether the headers are the ones that every modern client sends, written plainly.
pub(super) fn plain(headers: &HeaderMap) -> bool {
    let is = |name: &str, value: &str| sole(headers, name).is_some_and(|found| found == value);
    let accepted = sole(headers, header::ACCEPT.as_str()).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        let accepts = |kind: &str| value.split(',').any(|part| part.trim() == kind);
        accepts("application/json") && accepts("text/event-stream")
    });
    accepted
        && is(header::CONTENT_TYPE.as_str(), "application/json")
        && is("mcp-protocol-version", VERSION)
        && is("mcp-method", "tools/call")
        && !headers.keys().any(|name| name.as_str().starts_with("mcp-") && !KNOWN.contains(&name.as_str()))
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

#[cfg(test)]
mod tests {
    use http::Request;
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
