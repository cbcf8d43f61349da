//! Paths, queries and headers: ids that are none, ways around the routes, values that fit nowhere.

use super::super::request::{Deed, Request};
use super::super::surface::Operation;
use super::{Maker, powerless};

/// What stands where an id is due.
const IDS: [&str; 40] = [
    "%00",
    "%1b%5b2J",
    "%ff%fe",
    "%c0%ae%c0%ae%c0%af",
    "..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e",
    "%2e%2e%2f%2e%2e",
    "../../../../etc/passwd",
    "..",
    ".",
    "",
    "/",
    "//",
    "%2f",
    "%5c..%5c",
    "-1",
    "1.5",
    "1e9",
    "0",
    "99999999999999999999",
    "9223372036854775808",
    "%",
    "%zz",
    "%u0041",
    "%E2%80%AE",
    "%0d%0aX-Injected:%20yes",
    "%0aSet-Cookie:%20a=b",
    "%3Cscript%3Ezzhtml()%3C/script%3E",
    "%22%3E%3Cimg%20src=x%20onerror=zzhtml()%3E",
    "{id}",
    "*",
    "null",
    "undefined",
    "'%20or%201=1%20--",
    "%25%30%30",
    "a%20b",
    "a+b",
    ";",
    "user_00000000000000000000000000",
    "call_00000000000000000000000000",
];

/// Ways that are not the ones of the routes, and might lead to the same place.
const WAYS: [&str; 40] = [
    "/API/status",
    "//api/status",
    "/./api/status",
    "/api//status",
    "/api/status/",
    "/api/status;x=y",
    "/x/../api/status",
    "/api/../api/status",
    "/api/%73tatus",
    "/%61pi/status",
    "/api%2fstatus",
    "/api/status%00",
    "/api/status%20",
    "/api/status%3f",
    "/api/./status",
    "/assets/../api/status",
    "/assets/..%2f..%2fkeys%2faudit.key",
    "/assets/%2e%2e/%2e%2e/jarvis.db",
    "/../../../../etc/passwd",
    "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/..%5c..%5cetc%5cpasswd",
    "/.%2e/.%2e/etc/passwd",
    "/....//....//etc/passwd",
    "/etc/passwd",
    "/jarvis.db",
    "/keys/audit.key",
    "/.git/config",
    "/mcp/",
    "/mcp/../api/status",
    "/mcp/x",
    "/MCP",
    "/api",
    "/api/",
    "/api/nothing",
    "/healthz/../api/status",
    "/metrics/",
    "/index.html%00.js",
    "/%3Cscript%3Ezzhtml()%3C/script%3E",
    "/?x=<script>",
    "/sw.js%2f..%2f",
];

pub(super) fn id(maker: &mut Maker<'_>) -> Deed {
    let mark = maker.allowed();
    let operation = maker.operation(|it| it.folder().is_some() && it.name != "keep_secret");
    let id = match maker.chance.between(0, 20) {
        0 => "x".repeat(8_000),
        1 => "%41".repeat(3_000),
        2 => format!("{}%00", maker.world.id(operation.folder().unwrap_or_default())),
        _ => maker.one(&IDS).to_owned(),
    };
    // One byte more of what an address cannot hold.
    let mut target = operation.at(&id).into_bytes();
    let byte = maker.one(&[b"" as &[u8], b"", b"", b"", b"\x80", b"\xff", b"\x7f", b"\"", b"<zzhtml>"]);
    target.extend(byte);
    let request = Request::new(&operation.method, target, &maker.world.host).bearer(&maker.world.people.operator);
    let request = match operation.fit(&mark, &mut maker.chance) {
        Some(body) => request.json(body.to_string()),
        None => request,
    };
    Deed::one(&request)
}

/// Nobody has signed it: at most it may see the page.
pub(super) fn way(maker: &mut Maker<'_>) -> Deed {
    let way = maker.one(&WAYS);
    let method = maker.one(&["GET", "GET", "GET", "HEAD", "POST", "OPTIONS"]);
    let request = Request::new(method, way, &maker.world.host);
    let request = match maker.chance.between(0, 5) {
        0 => request.with("accept-encoding", "gzip, br;q=1.0, *;q=0"),
        1 => request.with("range", "bytes=0-99999999999999999999,-1"),
        2 => request.with("if-none-match", "*").with("if-modified-since", "never"),
        _ => request.with("x-original-url", "/api/status").with("x-rewrite-url", "/api/status"),
    };
    powerless(Deed::one(&request).page())
}

pub(super) fn query(maker: &mut Maker<'_>) -> Deed {
    let operation = maker.operation(Operation::is_safe);
    let id = maker.world.id(operation.folder().unwrap_or_default());
    let mut target = operation.at(id).into_bytes();
    for mark in 0..maker.chance.between(1, 4) {
        target.push(if mark == 0 { b'?' } else { b'&' });
        let name = maker.chance.pick(&operation.queries).map_or("surprise", String::as_str);
        target.extend(name.bytes());
        target.push(b'=');
        let value = maker.one(&[
            "",
            "-1",
            "0",
            "1e9",
            "1.5",
            "99999999999999999999",
            "%00",
            "%ff",
            "%1b%5b2J",
            "%E2%80%AE",
            "a,b,,",
            "all",
            "*",
            "true",
            "%",
            "%25",
            "'%20or%201=1",
            "%5B%5D",
            "[]",
            "%_%25",
            "\\",
            "kill,events,turns,jobs",
            "18446744073709551615",
            "4294967296",
            "+",
            "%3Cscript%3Ezzhtml()%3C/script%3E",
        ]);
        target.extend(value.bytes());
    }
    if maker.chance.percent(3) {
        target.extend("&limit=1".repeat(2_000).bytes());
    }
    Deed::one(&Request::new("GET", target, &maker.world.host).bearer(&maker.world.people.operator))
}

pub(super) fn header(maker: &mut Maker<'_>) -> Deed {
    let mark = maker.allowed();
    let operation = maker.operation(|it| !it.is_grave() && (it.is_safe() || it.name == "make_call"));
    let request = maker.fitting(operation, &mark).bearer(&maker.world.people.operator);
    let long = "z".repeat(4_000);
    let (name, value): (&str, &[u8]) = maker.one(&[
        ("", b""),
        ("prefer", b"wait=banana, wait=-1; wait"),
        ("prefer", b"\xff\xfe"),
        ("prefer", b"wait=99999999999999999999"),
        ("last-event-id", b"newest"),
        ("last-event-id", b"-1"),
        ("idempotency-key", b"\xff\xfe"),
        ("idempotency-key", b""),
        ("idempotency-key", b"\"a\" b"),
        ("accept", b"\xff/*;q=2"),
        ("accept", b"text/html"),
        ("accept-encoding", b"gzip;q=-1, \xff"),
        ("accept-language", b"*;q=1e9"),
        ("range", b"bytes=-1-,0-0,0-0"),
        ("if-none-match", b"W/\"\xff\""),
        ("if-match", b"*"),
        ("expect", b"200-maybe"),
        ("connection", b"host, authorization, content-length"),
        ("upgrade", b"websocket"),
        ("upgrade", b"h2c"),
        ("te", b"trailers, deflate"),
        ("trailer", b"authorization"),
        ("max-forwards", b"-1"),
        ("via", b"1.1 evil.example"),
        ("x-forwarded-for", b"127.0.0.1, ::1, \xff"),
        ("x-http-method-override", b"DELETE"),
        ("x-correlation-id", b"<script>zzhtml()</script>"),
        ("traceparent", b"00-zz-zz-zz"),
        ("sec-websocket-key", b"x"),
        ("referer", b"http://evil.example/"),
    ]);
    let request = match name {
        "" => request.with("idempotency-key", long),
        name => request.with(name, value),
    };
    Deed::one(&request)
}
