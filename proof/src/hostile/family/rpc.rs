//! MCP: arguments, messages, headers and sessions that make no sense, in both eras of the protocol.

use serde_json::{Value, json};

use super::super::request::{Deed, Request};
use super::super::surface::meta;
use super::super::twist::{spoil, twist};
use super::super::world::World;
use super::Maker;

/// Ids as nobody may choose them, or as few do.
const IDS: [&str; 14] = [
    "null",
    "{}",
    "[]",
    "true",
    "1.5",
    "1e999",
    "-1",
    "0",
    "9223372036854775808",
    "\"\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "[[1]]",
    "99999999999999999999999999",
];

const METHODS: [&str; 30] = [
    "tools/list",
    "server/discover",
    "ping",
    "initialize",
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
    "notifications/x",
    "resources/list",
    "resources/read",
    "resources/subscribe",
    "prompts/list",
    "prompts/get",
    "logging/setLevel",
    "completion/complete",
    "roots/list",
    "sampling/createMessage",
    "elicitation/create",
    "tasks/get",
    "tasks/cancel",
    "tasks/update",
    "tasks/list",
    "tasks/result",
    "tools/CALL",
    "",
    "\u{0}",
    "rpc.discover",
    "__proto__",
    "tools/call/../list",
    "x",
];

/// A call that fits, with something else in it.
pub(super) fn arguments(maker: &mut Maker<'_>) -> Deed {
    let mark = maker.allowed();
    let (name, arguments) = maker.tool(&mark);
    let twisted = twist(&arguments, &mut maker.chance);
    let call = World::call(maker.number, name, &json!("@@here@@")).to_string();
    let (before, after) = call.split_once("\"@@here@@\"").unwrap_or_default();
    let body = [before.as_bytes(), &twisted, after.as_bytes()].concat();
    let (world, people) = (maker.world, &maker.world.people);
    let secret = if maker.chance.percent(70) { &people.yellow } else { &people.green };
    if maker.chance.percent(25) {
        let session = maker.session();
        return Deed::one(&world.legacy(&session, "").carrying(body));
    }
    Deed::one(&world.modern(secret, "tools/call", name, body))
}

/// A message that is none, or that nobody expects.
pub(super) fn message(maker: &mut Maker<'_>) -> Deed {
    let mark = maker.allowed();
    let (name, arguments) = maker.tool(&mark);
    let mut call = World::call(maker.number, name, &arguments);
    let mut method = "tools/call";
    let body = match maker.chance.between(0, 16) {
        0 => return maker.other_method(),
        1 => json!([call, call]).to_string().into_bytes(),
        2 => b"[]".to_vec(),
        3 => json!({ "jsonrpc": "2.0", "id": maker.number, "result": {} }).to_string().into_bytes(),
        4 => json!({ "jsonrpc": "2.0", "id": maker.number, "error": { "code": 1, "message": "x" } }).to_string().into(),
        5 => {
            call["jsonrpc"] = json!(maker.one(&["1.0", "2", "", "3.0"]));
            call.to_string().into()
        }
        6 => {
            call.as_object_mut().map(|fields| fields.remove("id"));
            call.to_string().into()
        }
        7 => {
            call["params"] = json!([name, arguments]);
            call.to_string().into()
        }
        8 => {
            call.as_object_mut().map(|fields| fields.remove("params"));
            call.to_string().into()
        }
        9 | 10 => {
            let id = maker.one(&IDS);
            call["id"] = json!("@@id@@");
            call.to_string().replacen("\"@@id@@\"", id, 1).into()
        }
        11 | 12 => return maker.odd_meta(call, name),
        13 => spoil(&call, &mut maker.chance),
        14 => {
            method = "tools/list";
            call["method"] = json!(method);
            twist(&call, &mut maker.chance)
        }
        _ => twist(&call, &mut maker.chance),
    };
    let secret = &maker.world.people.yellow;
    if maker.chance.percent(25) {
        let session = maker.session();
        return Deed::one(&maker.world.legacy(&session, "").carrying(body));
    }
    Deed::one(&maker.world.modern(secret, method, name, body))
}

/// Headers that do not say what the message says.
pub(super) fn header(maker: &mut Maker<'_>) -> Deed {
    let mark = maker.forbidden();
    let write = json!({ "path": format!("{mark}.txt"), "content": mark });
    let body = World::call(maker.number, "file_write", &write).to_string();
    let request = maker.world.modern(&maker.world.people.yellow, "tools/call", "file_write", body);
    let request = match maker.chance.between(0, 15) {
        0 => request.without("mcp-protocol-version").with("mcp-protocol-version", "1999-01-01"),
        1 => request.only("mcp-protocol-version", b"\xff".to_vec()),
        2 => request.only("mcp-method", "tools/list"),
        3 => request.only("mcp-method", ""),
        4 => request.without("mcp-method"),
        5 => request.only("mcp-name", "file_read"),
        6 => request.without("mcp-name"),
        7 => request.only("mcp-name", b"file_write\xff".to_vec()),
        8 => request.only("accept", "text/html"),
        9 => request.without("accept"),
        10 => request.only("content-type", "text/plain"),
        11 => request.without("content-type"),
        12 => request.with("mcp-session-id", "not-a-session"),
        13 => request.only("mcp-protocol-version", "2026-07-28").with("mcp-protocol-version", "2025-11-25"),
        _ => request.with("mcp-name", "file_read"),
    };
    super::powerless(Deed::one(&request).refused())
}

/// The era of sessions: ids that are none or another's, methods at the wrong time, notifications by the dozen.
pub(super) fn session(maker: &mut Maker<'_>) -> Deed {
    let world = maker.world;
    let own = maker.session();
    let id = match maker.chance.between(0, 8) {
        0 => "x".repeat(5_000).into_bytes(),
        1 => b"\xff\xfe".to_vec(),
        2 => b"00000000-0000-0000-0000-000000000000".to_vec(),
        3 => b"../../x".to_vec(),
        4 => format!("{own}, {own}").into_bytes(),
        _ => own.clone().into_bytes(),
    };
    let strange = id != own.as_bytes();
    let kind = maker.chance.between(0, 9);
    let request = match kind {
        0 => Request::new("GET", "/mcp", &world.host)
            .bearer(&world.people.yellow)
            .with("accept", "text/event-stream")
            .with("last-event-id", "99999999999999999999"),
        // Another's session does not exist for him.
        1 => world.legacy("", r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).bearer(&world.people.green),
        2 => world.legacy("", r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"none"}}"#),
        3 => world.legacy("", r#"{"jsonrpc":"2.0","id":"none","result":{}}"#),
        4 => world.legacy("", r#"{"jsonrpc":"2.0","id":"none","error":{"code":-1,"message":"x"}}"#),
        5 => {
            let known = maker.one(&["2025-11-25", "2024-11-05", "1999-01-01", "2026-07-28", ""]);
            let mut asked = json!({ "jsonrpc": "2.0", "id": maker.number, "method": "initialize", "params": {
                "protocolVersion": known, "capabilities": {}, "clientInfo": { "name": "x", "version": "1" } } });
            if maker.chance.percent(50) {
                asked = serde_json::from_slice(&twist(&asked, &mut maker.chance)).unwrap_or(asked);
            }
            // With a token of its own: an identity has so many sessions, and the oldest ends.
            return Deed::one(&world.legacy("", &asked.to_string()).bearer(&world.people.green));
        }
        6 => Request::new("PUT", "/mcp", &world.host).bearer(&world.people.yellow),
        7 => {
            let asked = json!({ "jsonrpc": "2.0", "id": maker.number, "method": maker.one(&METHODS), "params": {} });
            world.legacy("", &asked.to_string())
        }
        _ => world.legacy("", &json!({ "jsonrpc": "2.0", "id": maker.number, "method": "ping" }).to_string()),
    };
    let deed = Deed::one(&request.with("mcp-session-id", id));
    if strange || kind == 1 { deed.refused() } else { deed }
}

impl Maker<'_> {
    /// One of the sessions that are open.
    fn session(&mut self) -> String {
        self.chance.pick(&self.world.sessions).cloned().unwrap_or_default()
    }

    fn other_method(&mut self) -> Deed {
        let method = self.one(&METHODS);
        let mut params = json!({ "_meta": meta(), "name": "x", "uri": "file:///etc/passwd", "taskId": "job_x" });
        if self.chance.percent(30) {
            params = serde_json::from_slice(&twist(&params, &mut self.chance)).unwrap_or(params);
        }
        let body = json!({ "jsonrpc": "2.0", "id": self.number, "method": method, "params": params });
        Deed::one(&self.world.modern(&self.world.people.yellow, &method.replace('\u{0}', ""), "", body.to_string()))
    }

    /// What a client says of itself, said wrongly.
    fn odd_meta(&mut self, mut call: Value, name: &str) -> Deed {
        let twisted = twist(&meta(), &mut self.chance);
        if let Ok(read) = serde_json::from_slice::<Value>(&twisted) {
            call["params"]["_meta"] = read;
        }
        let odd = match self.chance.between(0, 6) {
            0 => ("/params/_meta", "progressToken", json!({ "a": [1] })),
            1 => ("/params/_meta", "jarvis/idempotency-key", json!("k".repeat(5_000))),
            2 => ("/params", "requestState", json!("AAAA.BBBB.CCCC")),
            3 => ("/params", "inputResponses", json!({ "x": { "action": "accept", "content": { "ok": true } } })),
            4 => ("/params/_meta", "traceparent", json!("\u{1b}[2J")),
            _ => ("/params", "x", json!(1)),
        };
        if let Some(fields) = call.pointer_mut(odd.0).and_then(Value::as_object_mut) {
            fields.insert(odd.1.to_owned(), odd.2);
        }
        Deed::one(&self.world.modern(&self.world.people.yellow, "tools/call", name, call.to_string()))
    }
}
