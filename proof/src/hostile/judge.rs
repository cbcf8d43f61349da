//! What each answer must be, whatever was asked.

use serde_json::Value;

use super::raw::{Answer, HANG, Heard};
use super::request::{Deed, Expect};
use super::world::VAULTED;
use crate::report::{Kind, Violation};

/// Headers without which a page could be framed, sniffed or made to run what is not ours.
const PAGE: [&str; 4] =
    ["content-security-policy", "x-content-type-options", "referrer-policy", "cross-origin-opener-policy"];
/// What no answer may hold: a secret of the vault, the machine's users, and markup that was sent.
const NEVER: [(&str, &str); 2] = [(VAULTED, "a secret of the vault"), ("root:x:0:0", "/etc/passwd")];
/// Code of JSON-RPC for a fault of the server's own.
const INTERNAL: i64 = -32_603;

/// Everything that is wrong with what came back.
pub(super) fn judge(deed: &Deed, heard: &Heard) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut wrong = |kind, what: String| {
        found
            .push(Violation::new(kind, format!("{what}; request {} ({}): {}", deed.number, deed.family, deed.shown())));
    };
    if heard.hung {
        wrong(Kind::Hang, format!("no answer within {} s", HANG.as_secs()));
    }
    if let Some(garbled) = &heard.garbled {
        wrong(Kind::WrongAnswer, format!("what came back is no HTTP ({garbled})"));
    }
    // Whoever refuses a body early may close before he has heard it all, and then his answer can be lost.
    if deed.whole && heard.cut && heard.answers.is_empty() && !is_large(deed) {
        wrong(Kind::WrongAnswer, "the connection ended without an answer".to_owned());
    }
    for answer in &heard.answers {
        for (kind, what) in faults(deed, answer) {
            let body = String::from_utf8_lossy(&answer.body[..answer.body.len().min(300)]).escape_debug().to_string();
            wrong(kind, format!("{what}: {} {body}", answer.status));
        }
    }
    found
}

fn is_large(deed: &Deed) -> bool {
    deed.steps.iter().any(|step| matches!(step, super::request::Step::Send(bytes) if bytes.len() > 16 << 10))
}

fn faults(deed: &Deed, answer: &Answer) -> Vec<(Kind, &'static str)> {
    let mut found = Vec::new();
    let json: Option<Value> = serde_json::from_slice(&answer.body).ok();
    if answer.status >= 500 || internal(json.as_ref()) {
        found.push((Kind::ServerError, "a fault of its own"));
    }
    let taken = answer.status < 400;
    match deed.expect {
        Expect::Refused if taken && deed.powerless => found.push((Kind::Opened, "what nobody allowed was answered")),
        Expect::Refused if taken => found.push((Kind::WrongAnswer, "what makes no sense was taken")),
        Expect::Page if taken && is_data(answer) => found.push((Kind::Opened, "more than the page was shown")),
        _ => {}
    }
    if let Some(what) = misshapen(deed, answer, json.as_ref()) {
        found.push((Kind::WrongAnswer, what));
    }
    if let Some(what) = unsafe_in(answer, json.as_ref()) {
        found.push((Kind::Unsafe, what));
    }
    found.extend(NEVER.iter().filter(|(text, _)| holds(answer, text)).map(|(_, what)| (Kind::Leak, *what)));
    found
}

fn internal(json: Option<&Value>) -> bool {
    json.and_then(|json| json.pointer("/error/code")).and_then(Value::as_i64) == Some(INTERNAL)
}

/// Whether it tells of anything but the page: the two that everybody may ask are data, but say nothing.
fn is_data(answer: &Answer) -> bool {
    answer.status != 204 && answer.status != 304 && answer.header("content-type").starts_with("application/json")
}

/// A refusal under `/api` is a problem that a program can read and a person can understand.
fn misshapen(deed: &Deed, answer: &Answer, json: Option<&Value>) -> Option<&'static str> {
    if !deed.api || answer.status < 400 || deed.headless {
        return None;
    }
    if answer.header("content-type") != "application/problem+json" {
        // What is no HTTP never reaches the routes: it is refused without words.
        let wordless = answer.body.is_empty() && matches!(answer.status, 400 | 414 | 431);
        return (!wordless).then_some("a refusal that is no problem");
    }
    let text = |field: &str| json.and_then(|json| json.get(field)).and_then(Value::as_str).unwrap_or_default();
    let code = text("code");
    let known = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let status = json.and_then(|json| json.get("status")).and_then(Value::as_u64);
    let fits = known && text("detail").chars().count() >= 10 && status == Some(u64::from(answer.status));
    (!fits).then_some("a problem without code, sentence or status")
}

/// Whether it could steer whoever reads it.
fn unsafe_in(answer: &Answer, json: Option<&Value>) -> Option<&'static str> {
    let control = |byte: &u8| *byte < 0x20 && !b"\t\r\n".contains(byte);
    let kind = answer.header("content-type");
    let plain = answer.header("content-encoding").is_empty();
    if answer.headers.iter().any(|(name, value)| name == "x-injected" || value.iter().any(control)) {
        return Some("a header that was sent as a value");
    }
    if plain && (kind.contains("json") || kind.starts_with("text/")) && answer.body.iter().any(control) {
        return Some("raw control characters");
    }
    if kind.starts_with("application/problem") {
        let said = json.and_then(|json| json.get("detail")).and_then(Value::as_str).unwrap_or_default();
        if said.chars().any(|letter| hidden(letter) && letter != '\n') {
            return Some("a sentence with hidden characters");
        }
    }
    if kind.starts_with("text/html") {
        if holds(answer, "zzhtml") || holds(answer, "zzno") {
            return Some("a page with text of the request");
        }
        if PAGE.iter().any(|name| answer.header(name).is_empty()) {
            return Some("a page without its guards");
        }
    }
    let bare = !answer.body.is_empty() && answer.header("x-content-type-options") != "nosniff";
    bare.then_some("an answer whose kind may be guessed")
}

/// Characters that change what is seen around them.
fn hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn holds(answer: &Answer, text: &str) -> bool {
    answer.body.windows(text.len()).any(|window| window == text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::request::Request;
    use super::*;

    fn told(status: u16, kind: &str, body: &str) -> Vec<Kind> {
        let deed = Deed { powerless: true, ..Deed::one(&Request::new("GET", "/api/x", "localhost")).refused() };
        let headers = vec![
            ("content-type".to_owned(), kind.as_bytes().to_vec()),
            ("x-content-type-options".to_owned(), b"nosniff".to_vec()),
        ];
        let heard = Heard { answers: vec![Answer { status, headers, body: body.into() }], ..Heard::default() };
        judge(&deed, &heard).into_iter().map(|violation| violation.kind).collect()
    }

    #[test]
    fn a_refusal_is_a_problem_and_anything_else_is_told() {
        let said = r#"{"code":"not_found","status":404,"detail":"there is no such path"}"#;
        assert_eq!(told(404, "application/problem+json", said), []);
        assert_eq!(told(500, "application/problem+json", &said.replace("404", "500")), [Kind::ServerError]);
        assert_eq!(told(200, "application/json", "{}"), [Kind::Opened]);
        assert_eq!(told(404, "application/json", said), [Kind::WrongAnswer]);
        assert_eq!(told(404, "application/problem+json", &said.replace("such", "\u{202e}")), [Kind::Unsafe]);
        let html = told(404, "text/html", "<b>zzhtml()</b>");
        assert_eq!(html, [Kind::WrongAnswer, Kind::Unsafe]);
        assert_eq!(told(404, "application/problem+json", &said.replace("such", VAULTED)), [Kind::Leak]);
    }
}
