//! HTTP itself: methods, lengths that lie, chunks that are none, requests hidden in requests, and bytes that are no HTTP.
//!
//! What is hidden is a request with the operator's own secret that would be carried out if it were read as one, and that
//! stands where no reader may look for a request.

use serde_json::json;

use super::super::request::{Deed, Request};
use super::super::surface::Operation;
use super::super::world::World;
use super::{Maker, powerless};

impl Maker<'_> {
    /// A request that writes a file, and the mark of that.
    fn write(&self, mark: &str) -> Request {
        let body = json!({ "tool": "file_write", "args": { "path": format!("{mark}.txt"), "content": mark } });
        Request::new("POST", "/api/call", &self.world.host).bearer(&self.world.people.operator).json(body.to_string())
    }

    /// The head of a request for something harmless, without its end.
    fn open_head(&self, method: &str, path: &str) -> String {
        let World { host, people, .. } = self.world;
        format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {}\r\n", people.operator)
    }
}

pub(super) fn method(maker: &mut Maker<'_>) -> Deed {
    let mark = maker.forbidden();
    let operation = maker.operation(|_| true);
    let taken: Vec<_> = {
        let same = maker.world.surface.operations.iter().filter(|it| it.path == operation.path);
        same.map(|it| it.method.clone()).collect()
    };
    let all =
        ["GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get", "CONNECT", "PROPFIND", "M-SEARCH"];
    let wrong: Vec<_> = all.into_iter().filter(|it| !taken.iter().any(|taken| taken == it)).collect();
    let mut request = maker.fitting(operation, &mark).bearer(&maker.world.people.operator);
    // One in ten that never was before and never comes again: nothing may be kept for it.
    let fresh = maker.chance.percent(10).then(|| format!("X{}", maker.number));
    request.method = fresh.unwrap_or_else(|| maker.one(&wrong).to_owned());
    let deed = powerless(Deed::one(&request).refused());
    // CONNECT asks for a tunnel and has no path.
    Deed { whole: request.method != "CONNECT", api: request.method != "CONNECT" && deed.api, ..deed }
}

/// Lengths that are not those of the body.
pub(super) fn length(maker: &mut Maker<'_>) -> Deed {
    let mark = maker.forbidden();
    let request = maker.write(&mark);
    let length = request.body.len();
    let told = match maker.chance.between(0, 14) {
        0 => format!("{}", length + 5),
        1 => format!("{}", length - 3),
        2 => "-1".to_owned(),
        3 => format!("+{length}"),
        4 => format!("{length}, {}", length + 1),
        5 => format!("0x{length:x}"),
        6 => format!("{length}.0"),
        7 => "99999999999999999999999999".to_owned(),
        8 => "18446744073709551615".to_owned(),
        9 => String::new(),
        10 => format!("{length} {length}"),
        11 => format!("{length}\r\ncontent-length: {}", length + 1),
        12 => "many".to_owned(),
        _ => "1000000000".to_owned(),
    };
    // One byte less than told makes another body; that one may not be taken either.
    powerless(Deed::raw(request.with("content-length", told).untold().bytes()))
}

/// Bodies in chunks whose sizes are none.
pub(super) fn chunks(maker: &mut Maker<'_>) -> Deed {
    let mark = maker.forbidden();
    let request = maker.write(&mark);
    let (text, size) = (request.body.clone(), request.body.len());
    let chunked = |size: &str, after: &str| [size.as_bytes(), b"\r\n", &text, after.as_bytes()].concat();
    let end = "\r\n0\r\n\r\n";
    let body = match maker.chance.between(0, 13) {
        0 => chunked("zz", end),
        1 => chunked(&format!("0x{size:x}"), end),
        2 => chunked(&format!("-{size:x}"), end),
        3 => chunked("ffffffffffffffffff", end),
        4 => chunked(&format!("{:x}", size + 4), end),
        5 => chunked(&format!("{:x}", size - 4), end),
        6 => chunked("", end),
        7 => chunked(&format!("{size:x};{}", "e".repeat(40_000)), end),
        8 => chunked("7fffffffffffffff", ""),
        9 => chunked(&format!("{size:x}"), "0\r\n\r\n"),
        10 => chunked(&format!("{size:x}"), &format!("\r\n0\r\n{}\r\n", "x: y\r\n".repeat(5_000))),
        11 => chunked(&format!("{size:x}\u{0}"), end),
        // No end: what has not come whole was not said.
        _ => chunked(&format!("{size:x}"), "\r\n"),
    };
    powerless(Deed::raw(request.with("transfer-encoding", "chunked").untold().carrying(body).bytes()))
}

/// Requests hidden in the body of another, or behind one whose end two readers see in different places.
pub(super) fn smuggled(maker: &mut Maker<'_>) -> Deed {
    let mark = maker.forbidden();
    let hidden = maker.write(&mark).bytes();
    if maker.chance.percent(50) {
        // A body that is told rightly, of a request that may be answered before it is read.
        let path = maker.one(&["/api/status", "/api/nothing", "/", "/api/session", "/mcp", "/api/tokens", "/healthz"]);
        let method = maker.one(&["GET", "POST", "PUT", "DELETE", "OPTIONS"]);
        let request = Request::new(method, path, &maker.world.host).json(hidden);
        let request = match maker.chance.between(0, 4) {
            0 => request.only("host", "evil.example"),
            1 => request.with("origin", "null"),
            2 => request.bearer("wrong"),
            _ => request,
        };
        return powerless(Deed::one(&request));
    }
    let head = maker.open_head("POST", "/api/preview");
    let told = hidden.len() + 5;
    let both = |first: &str, second: &str| {
        [format!("{head}{first}\r\n{second}\r\n\r\n0\r\n\r\n").as_bytes(), &hidden].concat()
    };
    let length = format!("content-length: {told}");
    let bytes = match maker.chance.between(0, 12) {
        0 => both(&length, "transfer-encoding: chunked"),
        1 => both("transfer-encoding: chunked", &length),
        2 => both(&length, "transfer-encoding: xchunked"),
        3 => both(&length, "transfer-encoding : chunked"),
        4 => both(&length, "transfer-encoding:\tchunked"),
        5 => both(&length, "transfer-encoding: chunked, identity"),
        6 => both(&length, "transfer-encoding: identity\r\ntransfer-encoding: chunked"),
        7 => both(&length, "x: y\r\n transfer-encoding: chunked"),
        8 => both(&length, "transfer-encoding: \"chunked\""),
        9 => both(&length, "Transfer-Encoding: CHUNKED"),
        10 => both("content-length: 5\r\nconnection: content-length", &length),
        _ => {
            let text = both(&length, "transfer-encoding: chunked");
            String::from_utf8_lossy(&text).replacen("HTTP/1.1", "HTTP/1.0", 1).into_bytes()
        }
    };
    powerless(Deed::raw(bytes))
}

/// Bytes that are no HTTP, or hardly.
pub(super) fn nonsense(maker: &mut Maker<'_>) -> Deed {
    let mark = maker.forbidden();
    let whole = maker.write(&mark);
    let text = String::from_utf8_lossy(&whole.bytes()).into_owned();
    let line = |from: &str, to: &str| text.replacen(from, to, 1).into_bytes();
    let bytes = match maker.chance.between(0, 24) {
        0 => b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        1 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        2 => line("HTTP/1.1", "HTTP/9.9"),
        3 => line("HTTP/1.1", "http/1.1"),
        4 => line(" HTTP/1.1", ""),
        5 => line("POST ", "POST\t"),
        6 => line("POST ", " POST "),
        7 => line("/api/call", "/api/call x"),
        8 => line("/api/call", "/api/call\u{0}"),
        9 => line("host:", "host"),
        10 => line("host:", "ho st:"),
        11 => line("host:", ":"),
        12 => line("host:", "host\u{0}:"),
        13 => line("authorization:", " authorization:"),
        14 => line("content-type: ", "content-type: \r"),
        15 => line("content-type: ", "content-type: \u{0}"),
        16 => line("POST", &"P".repeat(100_000)),
        17 => line("/api/call", ""),
        18 => line("/api/call", "*"),
        19 => line("/api/call", "http:///api/call"),
        20 => line("/api/call", "ftp://user:pass@[::1/api/call"),
        21 => {
            let length = maker.chance.between(1, 400);
            (0..length).map(|_| maker.chance.next().to_le_bytes()[0]).collect()
        }
        22 => vec![b'\n'; 20_000],
        _ => line("HTTP/1.1\r\n", "HTTP/1.1\r"),
    };
    powerless(Deed::raw(bytes))
}

/// Heads beyond what is taken.
pub(super) fn large(maker: &mut Maker<'_>) -> Deed {
    let mark = maker.forbidden();
    let mut request = maker.write(&mark);
    match maker.chance.between(0, 4) {
        0 => request = request.with("x-long", "y".repeat(600_000)),
        1 => request.target = format!("/api/call?{}", "z".repeat(70_000)).into_bytes(),
        2 => request.headers.extend((0..300).map(|number| (format!("x-{number}"), b"y".to_vec()))),
        _ => request.headers.extend((0..60).map(|_| ("cookie".to_owned(), "a=b; ".repeat(5_000).into_bytes()))),
    }
    powerless(Deed::raw(request.bytes()))
}

/// Several at once: each is answered, in their order.
pub(super) fn pipelined(maker: &mut Maker<'_>) -> Deed {
    let (mut bytes, answers) = (Vec::new(), maker.chance.between(2, 7));
    for _ in 0..answers {
        let operation = maker.operation(|it| Operation::is_safe(it) && !it.name.contains("stream"));
        let request = maker.fitting(operation, "").bearer(&maker.world.people.operator);
        bytes.extend(request.bytes());
    }
    Deed { answers: usize::try_from(answers).unwrap_or(2), whole: true, ..Deed::raw(bytes) }
}
