//! Bodies: twisted, spoiled, large, of the wrong kind, or where none is due. Whoever sends them may.

use serde_json::{Value, json};

use super::super::request::{Deed, Request};
use super::super::surface::Operation;
use super::super::twist::{spoil, twist};
use super::Maker;

/// Nothing is wrong with it: what lies between the others must be answered as ever.
pub(super) fn sane(maker: &mut Maker<'_>) -> Deed {
    let mark = maker.allowed();
    if maker.chance.percent(50) {
        let body = json!({ "tool": "echo", "args": { "text": mark } });
        let request = Request::new("POST", "/api/call", &maker.world.host).json(body.to_string());
        return Deed::one(&request.bearer(&maker.world.people.green));
    }
    let operation = maker.operation(Operation::is_safe);
    Deed::one(&maker.fitting(operation, &mark).bearer(&maker.world.people.operator))
}

impl Maker<'_> {
    /// A request with a body whose sender may send it, and that body.
    fn bodied(&mut self) -> (Request, Value, bool) {
        let mark = self.allowed();
        let operation = self.operation(|it| it.body.is_some());
        // What is there stays as it is: what others compare must not change under them.
        let id = format!("{}_{}", self.one(&["call", "appr", "sched", "conv", "turn"]), "0".repeat(26));
        let id = if operation.folder() == Some("secrets") { "kept".to_owned() } else { id };
        let request = Request::new(&operation.method, operation.at(&id), &self.world.host);
        let people = &self.world.people;
        let secret = if self.chance.percent(80) { &people.operator } else { &people.yellow };
        let fit = operation.fit(&mark, &mut self.chance).unwrap_or_default();
        (request.bearer(secret), fit, operation.is_grave())
    }
}

pub(super) fn twisted(maker: &mut Maker<'_>) -> Deed {
    let (request, fit, grave) = maker.bodied();
    if grave {
        return Deed::one(&request.json(spoil(&fit, &mut maker.chance))).refused();
    }
    Deed::one(&request.json(twist(&fit, &mut maker.chance)))
}

pub(super) fn spoiled(maker: &mut Maker<'_>) -> Deed {
    let (request, fit, _) = maker.bodied();
    Deed::one(&request.json(spoil(&fit, &mut maker.chance))).refused()
}

/// Around and beyond the largest body that is taken.
pub(super) fn large(maker: &mut Maker<'_>) -> Deed {
    let (request, _, _) = maker.bodied();
    let size = maker.one(&[8 * 1024 + 1, 100_000, 2 << 20, (2 << 20) + 1, 5 << 20]);
    let body = format!("{{\"surprise\":\"{}\"}}", "x".repeat(size));
    Deed::one(&request.json(body)).refused()
}

/// As large as is taken, and so full of values that it would be many times as large in memory.
pub(super) fn crowded(maker: &mut Maker<'_>) -> Deed {
    let piece = maker.one(&["0,", "{},", "{\"a\":0},", "[[[]]],"]);
    let most = ((2 << 20) - 1_000) / piece.len();
    let many = if maker.chance.percent(50) { 25_000 } else { most };
    let list = format!("[{}0]", piece.repeat(many));
    let secret = maker.world.people.yellow.clone();
    if maker.chance.percent(50) {
        let body = format!("{{\"tool\":\"echo\",\"args\":{{\"text\":{list}}}}}");
        return Deed::one(&Request::new("POST", "/api/call", &maker.world.host).json(body).bearer(&secret)).refused();
    }
    let body = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{{\"name\":\"echo\",\"arguments\":{{\"text\":{list}}}}}}}"
    );
    let request = Request::new("POST", "/mcp", &maker.world.host).json(body).bearer(&secret);
    Deed::one(&request.with("accept", "application/json, text/event-stream")).refused()
}

pub(super) fn content_type(maker: &mut Maker<'_>) -> Deed {
    let (request, fit, grave) = maker.bodied();
    let text = if grave { spoil(&fit, &mut maker.chance) } else { fit.to_string().into_bytes() };
    let request = request.json(text);
    let request = match maker.chance.between(0, 12) {
        0 => request.without("content-type"),
        1 => request.only("content-type", "text/plain"),
        2 => request.only("content-type", "application/x-www-form-urlencoded"),
        3 => request.only("content-type", "multipart/form-data; boundary=x"),
        4 => request.only("content-type", "text/plain").with("content-type", "application/json"),
        5 => request.with("content-type", "text/plain"),
        6 => request.only("content-type", b"application/json\xff".to_vec()),
        7 => request.only("content-type", "application/json; charset=utf-16"),
        8 => request.only("content-type", format!("application/json;{}", "x".repeat(5_000))),
        9 => request.only("content-type", "text/plain; application/json"),
        // Nothing is unpacked here, so there is no bomb to go off.
        10 => request.with("content-encoding", "gzip").carrying(bomb()),
        _ => {
            let coding = maker.one(&["deflate", "br", "zstd", "gzip, gzip", "identity", "x"]);
            request.with("content-encoding", coding)
        }
    };
    let deed = Deed::one(&request);
    if grave { deed.refused() } else { deed }
}

/// The head of a gzip stream and a run of one letter that would go on for long.
fn bomb() -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0xff, 0xed, 0xc1];
    bytes.resize(1_000, 0);
    bytes
}

/// A body where none is due.
pub(super) fn unasked(maker: &mut Maker<'_>) -> Deed {
    let operation = maker.operation(|it| it.body.is_none() && !it.is_grave() && it.name != "resume");
    let id = if operation.is_safe() { maker.world.id(operation.folder().unwrap_or_default()) } else { "none" };
    let request = Request::new(&operation.method, operation.at(id), &maker.world.host);
    let body = match maker.chance.between(0, 4) {
        0 => b"{".to_vec(),
        1 => b"\xff\x00".to_vec(),
        2 => vec![b'x'; 300_000],
        _ => b"GET /api/status HTTP/1.1\r\n\r\n".to_vec(),
    };
    Deed::one(&request.bearer(&maker.world.people.operator).json(body))
}
