//! Messages that can be read in one way only, judged before the protocol reads them.
//!
//! What is refused here never becomes a call, so the face tells the audit of it itself (`call.rs`).

use http::HeaderMap;
use jarvis_safety::json;
use jarvis_safety::plain::{shorten, visible};
use serde_json::{Value, json};

/// Code of the protocol for headers that do not fit the message.
const HEADER_MISMATCH: i64 = -32_020;

/// Why a message was not read.
pub(super) struct Unread {
    /// JSON-RPC code.
    code: i64,
    pub(super) message: String,
    id: Value,
}

impl Unread {
    /// The answer.
    pub(super) fn body(&self) -> Value {
        json!({ "jsonrpc": "2.0", "id": self.id, "error": { "code": self.code, "message": self.message } })
    }
}

/// Reads a message; refuses what is not strict JSON, and calls whose parts have wrong types.
pub(super) fn judge(bytes: &[u8]) -> Result<Value, Unread> {
    if !json::is_modest(bytes) {
        let message = format!("the request holds more than {} values. Nothing was done", json::MOST_VALUES);
        return Err(Unread { code: -32600, message, id: Value::Null });
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        let message = "the request is not UTF-8. Nothing was done".to_owned();
        return Err(Unread { code: -32700, message, id: Value::Null });
    };
    let message = json::parse(text).map_err(|error| {
        // Read leniently only to find out whom to answer.
        let lenient: Value = serde_json::from_str(text).unwrap_or_default();
        let said = shorten(&visible(&error.to_string()), 300);
        Unread {
            code: -32700,
            message: format!("the request is not strict JSON: {said}. Nothing was done"),
            id: lenient.get("id").cloned().unwrap_or_default(),
        }
    })?;
    if message.get("method").and_then(Value::as_str) != Some("tools/call") {
        return Ok(message);
    }
    let part = |name: &str| message.get("params").and_then(|params| params.get(name));
    let wrong = if !part("name").is_some_and(Value::is_string) {
        "`name` must be a string"
    } else if part("arguments").is_some_and(|arguments| !arguments.is_object()) {
        "`arguments` must be an object"
    } else if part("requestState").is_some_and(|state| !state.is_string()) {
        "`requestState` must be a string"
    } else {
        return Ok(message);
    };
    let id = message.get("id").cloned().unwrap_or_default();
    Err(Unread { code: -32602, message: format!("{wrong}. Nothing was done"), id })
}

/// Refuses headers of the protocol that are there twice: they repeat what the message says, and of two values one reader
/// takes the first and another the last.
pub(super) fn said_twice(headers: &HeaderMap) -> Option<Unread> {
    let mut ours = headers.keys().filter(|name| name.as_str().starts_with("mcp-"));
    let twice = ours.find(|name| headers.get_all(*name).iter().nth(1).is_some())?;
    let message = format!("the header `{twice}` is there more than once. Nothing was done");
    Some(Unread { code: HEADER_MISMATCH, message, id: Value::Null })
}

/// Refuses a message that is longer than allowed.
pub(super) fn too_large(most: u64) -> Unread {
    let message = format!("the request is larger than {most} bytes. Nothing was done");
    Unread { code: -32600, message, id: Value::Null }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_of_the_protocol_is_said_once() {
        let twice = |headers: &[(&'static str, &'static str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, value.parse().unwrap());
            }
            said_twice(&map).map(|unread| unread.code)
        };
        assert_eq!(twice(&[("mcp-method", "tools/call"), ("mcp-name", "a"), ("cookie", "a"), ("cookie", "b")]), None);
        assert_eq!(twice(&[("mcp-name", "a"), ("mcp-name", "b")]), Some(HEADER_MISMATCH));
        assert_eq!(twice(&[("mcp-name", "a"), ("mcp-name", "a")]), Some(HEADER_MISMATCH));
    }

    #[test]
    fn what_two_readers_could_read_differently_is_not_read() {
        let code = |text: &[u8]| judge(text).err().map(|unread| (unread.code, unread.id));
        assert_eq!(code(br#"{"id":1,"method":"tools/call","params":{"name":"a","arguments":{}}}"#), None);
        assert_eq!(code(br#"{"id":1,"id":2}"#), Some((-32700, json!(2))));
        assert_eq!(code(b"{\"id\":\"\xff\"}"), Some((-32700, Value::Null)));
        assert_eq!(
            code(br#"{"id":3,"method":"tools/call","params":{"name":"a","arguments":[]}}"#),
            Some((-32602, json!(3)))
        );
        assert_eq!(code(br#"{"id":4,"method":"tools/call","params":{"name":{}}}"#), Some((-32602, json!(4))));
        assert_eq!(code(br#"{"method":"ping"}"#), None);
        let crowded = format!(r#"{{"id":5,"method":"ping","params":[{}0]}}"#, "0,".repeat(json::MOST_VALUES));
        assert_eq!(code(crowded.as_bytes()), Some((-32600, Value::Null)));
    }
}
