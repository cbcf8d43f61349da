//! A message of JSON-RPC as the door of MCP reads it: strictly, and where it goes the straight way, as the same call that
//! the protocol's own library reads.

// What only the door uses is not used here.
#[allow(dead_code)]
#[path = "../../../mcp-server/src/mcp/straight.rs"]
mod straight;
#[allow(dead_code)]
#[path = "../../../mcp-server/src/mcp/strict.rs"]
mod strict;

use http::request::Parts;
use http::{HeaderName, HeaderValue, Request};
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, JsonRpcMessage};
use serde_json::Value;

use crate::reading;
use crate::sabotage::Sabotage;
use straight::{KEY, Straight};

/// Most bytes that an answer may have beside what it repeats of the message.
const ANSWER: usize = 2_000;

/// The input is lines of headers, an empty line, and the message.
pub(crate) fn holds(data: &[u8], sabotage: Sabotage) {
    let at = data.windows(2).position(|pair| pair == b"\n\n").unwrap_or(data.len());
    let (head, body) = (&data[..at], data.get(at + 2..).unwrap_or_default());
    let judged = if sabotage == Sabotage::LastWins {
        serde_json::from_slice(body).map_err(|_| None)
    } else {
        strict::judge(body).map_err(|unread| Some(unread.body()))
    };
    match judged {
        Ok(message) => read(&parts(head), body, message),
        Err(Some(answer)) => refused(body, &answer),
        Err(None) => {}
    }
}

fn parts(head: &[u8]) -> Parts {
    let (mut parts, ()) = Request::post("/mcp").body(()).unwrap_or_default().into_parts();
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            parts.headers.append(name, value);
        }
    }
    parts
}

/// What is refused is answered in the protocol's form, in words that can be shown.
fn refused(body: &[u8], answer: &Value) {
    let error = &answer["error"];
    assert!(answer["jsonrpc"] == "2.0" && answer.get("result").is_none(), "{answer}");
    assert!([-32_700, -32_602].map(Value::from).contains(&error["code"]), "{answer}");
    let words = error["message"].as_str().unwrap_or_default();
    assert!(!words.is_empty() && !words.contains(char::is_control), "{words:?}");
    assert!(answer.to_string().len() <= 6 * body.len() + ANSWER, "the answer is much longer than the message");
}

fn read(parts: &Parts, body: &[u8], message: Value) {
    let tree = std::str::from_utf8(body).ok().and_then(reading::read);
    assert!(tree.is_some_and(|tree| tree.is(&message)), "read as {message}, and it means more than one thing");
    if message["method"] == "tools/call" {
        let params = &message["params"];
        assert!(params["name"].is_string(), "a call without a name: {message}");
        assert!(params.get("arguments").is_none_or(Value::is_object), "arguments that are no object: {message}");
    }
    let key = message["params"]["_meta"].get(KEY).cloned();
    if let Some(call) = Straight::of(parts, message) {
        same(parts, body, &call, key);
    }
}

/// The usual way must see the same call, and take it.
fn same(parts: &Parts, body: &[u8], call: &Straight, key: Option<Value>) {
    assert!(strict::said_twice(&parts.headers).is_none(), "the usual way refuses its headers");
    let read = serde_json::from_slice::<ClientJsonRpcMessage>(body);
    let Ok(JsonRpcMessage::Request(usual)) = read else { panic!("the usual way reads no request: {read:?}") };
    assert_eq!(usual.id.into_json_value(), call.id, "another request is answered");
    let ClientRequest::CallToolRequest(usual) = usual.request else { panic!("the usual way reads no call") };
    assert_eq!(usual.params.name, call.name, "another tool is called");
    let args = usual.params.arguments.map(Value::Object).unwrap_or_default();
    assert_eq!(args, call.args, "other arguments are given");
    assert!(usual.params.input_responses.is_none() && usual.params.request_state.is_none(), "a form comes back");
    assert_eq!(key, call.key.clone().map(Value::String), "another key names it");
    assert_eq!(parts.headers.get("mcp-name").map(HeaderValue::as_bytes), Some(call.name.as_bytes()));
}
