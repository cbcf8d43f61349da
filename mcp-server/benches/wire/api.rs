//! Requests as they stand on the wire, and one connection to ask them on.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::load;

/// A modern `tools/call`.
pub(crate) fn tools_call(address: &str, token: Option<&str>, name: &str, arguments: &Value) -> Vec<u8> {
    let params = json!({
        "name": name,
        "arguments": arguments,
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "bench", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let fields = format!("MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: {name}\r\n");
    mcp(address, token, &fields, &body)
}

/// The beginning of a session of the old era.
pub(crate) fn initialize(address: &str, token: &str) -> Vec<u8> {
    let params = json!({
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": { "name": "bench", "version": "1" },
    });
    mcp(address, Some(token), "", &json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params }))
}

fn mcp(address: &str, token: Option<&str>, fields: &str, body: &Value) -> Vec<u8> {
    let fields = format!("Accept: application/json, text/event-stream\r\n{fields}");
    request(address, token, "POST", "/mcp", &fields, Some(body))
}

/// Any request.
pub(crate) fn request(
    address: &str,
    bearer: Option<&str>,
    method: &str,
    path: &str,
    fields: &str,
    body: Option<&Value>,
) -> Vec<u8> {
    let bearer = bearer.map(|secret| format!("Authorization: Bearer {secret}\r\n")).unwrap_or_default();
    let body = body.map(Value::to_string).unwrap_or_default();
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\n{bearer}{fields}Content-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// One connection.
pub(crate) struct Connection {
    stream: TcpStream,
    address: String,
    bearer: Option<String>,
}

impl Connection {
    pub(crate) fn new(address: &str, bearer: Option<&str>) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, address: address.to_owned(), bearer: bearer.map(str::to_owned) }
    }

    /// Asks the API, and answers what it answered.
    pub(crate) fn ask(&mut self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let answer = self.send(&request(&self.address, self.bearer.as_deref(), method, path, "", body));
        assert!(answer.starts_with(b"HTTP/1.1 2"), "{method} {path}: {}", String::from_utf8_lossy(&answer));
        let body = &answer[load::head(&answer).unwrap()..];
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// Asks, and waits for so many seconds at most for what is asked about.
    pub(crate) fn ask_waiting(&mut self, method: &str, path: &str, seconds: u32) -> Value {
        let prefer = format!("Prefer: wait={seconds}\r\n");
        let answer = self.send(&request(&self.address, self.bearer.as_deref(), method, path, &prefer, None));
        assert!(answer.starts_with(b"HTTP/1.1 2"), "{method} {path}: {}", String::from_utf8_lossy(&answer));
        serde_json::from_slice(&answer[load::head(&answer).unwrap()..]).unwrap_or_default()
    }

    /// Sends a request, and answers head and body.
    pub(crate) fn send(&mut self, request: &[u8]) -> Vec<u8> {
        self.stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        let mut piece = [0; 16 * 1024];
        while !load::whole(&answer) {
            let length = self.stream.read(&mut piece).unwrap();
            assert!(length > 0, "the server hung up after {}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&piece[..length]);
        }
        answer
    }
}
