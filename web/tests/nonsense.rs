//! Nonsense, to every route that the document names: it is refused in the one shape of errors, and breaks nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

mod world;

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use axum::body::Body;
use http::{Request, Response, header};
use jarvis_safety::setting::Settings;
use serde_json::{Map, Value};
use world::house::{Answer, House, PASSWORD};

const SCHEDULE: &str = r#"{"name":"nightly","tool":"demo_wipe","args":{"name":"a"},"cron":"0 4 * * *","zone":"UTC","catch_up":1,"active":true}"#;

const GRANT: &str =
    r#"{"tool":"demo_wipe","target":"a","target_id":"b","actor":"local","when":{"name":"a"},"calls":1,"minutes":5}"#;

/// A body that fits, for every operation that takes one: nonsense is made from it by one change.
const FITTING: [(&str, &str); 23] = [
    ("sign_in", r#"{"password":"correct horse battery","bearer":true}"#),
    (
        "turn_on_factor",
        r#"{"password":"correct horse battery","secret":"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ","code":"123456"}"#,
    ),
    ("turn_off_factor", r#"{"password":"correct horse battery","code":"123456"}"#),
    ("set_up", r#"{"code":"one-time-code","password":"long enough pass"}"#),
    ("make_call", r#"{"tool":"demo_wipe","args":{"name":"a"}}"#),
    ("preview_call", r#"{"tool":"demo_wipe","args":{"name":"a"}}"#),
    ("make_plan", r#"{"steps":[{"tool":"demo_wipe","args":{"name":"a"}}]}"#),
    ("submit_job", r#"{"tool":"demo_wipe","args":{"name":"a"},"key":"k","run_at":5}"#),
    ("create_schedule", SCHEDULE),
    ("change_schedule", SCHEDULE),
    ("approve", r#"{"without":[2]}"#),
    ("deny", r#"{"because":"keep it"}"#),
    ("say", r#"{"text":"read a"}"#),
    ("rename_conversation", r#"{"title":"Words"}"#),
    ("stop", r#"{"level":"all"}"#),
    ("create_token", r#"{"name":"ide","ceiling":"yellow"}"#),
    ("give_grant", GRANT),
    ("try_grant", GRANT),
    ("keep_secret", r#"{"note":"a note","uses":[{"tool":"http_fetch","target":"example.org"}]}"#),
    ("keep_mount", r#"{"program":"node","args":["server.js"],"network":true,"seconds":30}"#),
    ("review_tools", r#"{"reviews":[{"tool":"echo","digest":"00","tier":"green"}]}"#),
    ("import_secrets", r#"{"text":"A=1","replace":false}"#),
    (
        "put_settings",
        r#"{"autonomy":{"default":3},"approval_minutes":2,"mcp_hold_seconds":20,"audit_reads":"wal","roots":[],"hosts":[]}"#,
    ),
];

/// One operation of the document.
struct Operation {
    name: String,
    method: String,
    path: String,
    queries: Vec<String>,
    takes_body: bool,
}

fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(jarvis_web::openapi()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, described) in item.as_object().unwrap() {
            let parameters = described["parameters"].as_array().cloned().unwrap_or_default();
            let queries = parameters.iter().filter(|parameter| parameter["in"] == "query");
            operations.push(Operation {
                name: described["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase(),
                path: path.clone(),
                queries: queries.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect(),
                takes_body: described.get("requestBody").is_some(),
            });
        }
    }
    assert!(operations.len() > 30, "the document is there");
    operations
}

impl Operation {
    /// The path, with an id of its kind that nothing has.
    fn place(&self) -> String {
        let kinds = [
            ("calls", "call"),
            ("approvals", "appr"),
            ("turns", "turn"),
            ("conversations", "conv"),
            ("tokens", "tok"),
            ("sessions", "sess"),
            ("jobs", "job"),
            ("schedules", "sched"),
        ];
        let kind = kinds.into_iter().find(|(folder, _)| self.path.contains(&format!("/{folder}/")));
        let other = if self.path.contains("{name}") { "a" } else { "9" };
        let id = kind.map_or_else(|| other.to_owned(), |(_, kind)| format!("{kind}_{}", "0".repeat(26)));
        self.at(&id)
    }

    fn at(&self, id: &str) -> String {
        self.path.replace("{id}", id).replace("{seq}", id).replace("{name}", id)
    }

    fn fitting(&self) -> Map<String, Value> {
        let (_, text) = FITTING.iter().find(|(name, _)| *name == self.name).expect(&self.name);
        serde_json::from_str(text).unwrap()
    }
}

/// Asks as the operator, with a session of its own: one of the routes ends it.
async fn ask(house: &House, method: &str, path: &str, kind: Option<&str>, body: impl Into<Body>) -> Response<Body> {
    let secret = house.session().await;
    let mut request =
        Request::builder().method(method).uri(path).header(header::AUTHORIZATION, format!("Bearer {secret}"));
    if let Some(kind) = kind {
        request = request.header(header::CONTENT_TYPE, kind);
    }
    house.send(request.body(body.into()).unwrap()).await
}

/// Whatever came: it is no fault of the server's, and an error has the shape that clients can read.
async fn sound(response: Response<Body>, what: &str) -> u16 {
    let status = response.status().as_u16();
    assert!(status < 500, "{what}: {status}");
    if status < 400 {
        return status;
    }
    let answer = Answer::read(response).await;
    let (_, code) = answer.problem();
    assert!(!code.is_empty() && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{what}: {code}");
    assert_eq!(answer.body["status"], status, "{what}");
    let said = answer.body["detail"].as_str().unwrap();
    assert!((10..=2_001).contains(&said.chars().count()) && !said.chars().any(char::is_control), "{what}: {said}");
    status
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_refused_and_those_that_it_takes_are_named() {
    let house = House::new().await;
    let operations = operations();
    for path in operations.iter().map(|operation| &operation.path).collect::<BTreeSet<_>>() {
        let taken: Vec<_> = operations.iter().filter(|operation| operation.path == *path).collect();
        for method in ["GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
            if taken.iter().any(|operation| operation.method == method) {
                continue;
            }
            let what = format!("{method} {path}");
            let response = ask(&house, method, &taken[0].place(), Some("application/json"), "{}").await;
            let allow = response.headers()[header::ALLOW].to_str().unwrap().to_owned();
            assert!(taken.iter().all(|operation| allow.contains(&operation.method)), "{what}: {allow}");
            assert_eq!(sound(response, &what).await, 405, "{what}");
        }
    }
}

#[tokio::test]
async fn a_body_that_does_not_fit_is_refused_by_every_route_that_takes_one() {
    let house = House::new().await;
    let taking: Vec<_> = operations().into_iter().filter(|operation| operation.takes_body).collect();
    assert_eq!(taking.len(), FITTING.len(), "every operation with a body has one that fits");
    // What is changed is looked up before the arguments of its tool are: it must be there.
    let made = ask(&house, "POST", "/api/schedules", Some("application/json"), SCHEDULE).await;
    let made = Answer::read(made).await.body;
    let schedule = made["id"].as_str().unwrap();
    for operation in &taking {
        let fitting = operation.fitting();
        let text = Value::Object(fitting.clone()).to_string();
        let (first, value) = fitting.iter().next().unwrap();
        let mut bad: Vec<(Option<&str>, Vec<u8>, u16)> = vec![
            (Some("text/plain"), text.clone().into(), 415),
            (Some("application/x-www-form-urlencoded"), "a=b".into(), 415),
            (None, text.clone().into(), 415),
            (Some("application/json"), text[..text.len() - 1].into(), 400),
            (Some("application/json"), format!("{text}{text}").into(), 400),
            (Some("application/json"), "not json".into(), 400),
            (Some("application/json"), b"{\"\xff\xfe\":1}".to_vec(), 400),
            (Some("application/json"), b"{\"a\":\"\0\"}".to_vec(), 400),
            (Some("application/json"), format!("[{text}]").into(), 400),
            (Some("application/json"), "null".into(), 400),
            (Some("application/json"), format!("{{\"a\":{}", "[".repeat(5_000)).into(), 400),
            (Some("application/json"), format!("{{\"{first}\":{value},{}", &text[1..]).into(), 400),
            (Some("application/json"), format!("{{\"surprise\":1,{}", &text[1..]).into(), 400),
            (Some("application/json"), format!("{{\"\\u001b[2J{}\":1}}", "x".repeat(4_000)).into(), 400),
            (Some("application/json"), format!("{{\"{first}\":\"{}\"}}", "x".repeat(5_000_000)).into(), 413),
        ];
        for key in fitting.keys() {
            for wrong in [serde_json::json!([[{ "deep": 1 }]]), serde_json::json!(-1.5)] {
                let mut body = fitting.clone();
                body.insert(key.clone(), wrong);
                bad.push((Some("application/json"), Value::Object(body).to_string().into(), 400));
            }
        }
        for (kind, body, status) in bad {
            let shown: String = String::from_utf8_lossy(&body).chars().take(120).collect();
            let what = format!("{} {} {kind:?} {shown}", operation.method, operation.path);
            let place = if operation.name == "change_schedule" { operation.at(schedule) } else { operation.place() };
            let response = ask(&house, &operation.method, &place, kind, body).await;
            assert_eq!(sound(response, &what).await, status, "{what}");
        }
    }
    assert_eq!(house.wiped.load(Ordering::SeqCst), 0);
    assert_eq!(house.web.gate.kill_switch().as_str(), "off");
    assert_eq!(*house.settings.borrow(), Settings::default());
    let jobs = Answer::read(ask(&house, "GET", "/api/jobs", None, "").await).await.body;
    assert_eq!(jobs["jobs"], serde_json::json!([]));
    let schedules = Answer::read(ask(&house, "GET", "/api/schedules", None, "").await).await.body;
    assert_eq!(schedules["schedules"], serde_json::json!([made]));
}

#[tokio::test]
async fn a_body_where_none_is_taken_breaks_nothing() {
    let house = House::new().await;
    for operation in operations().iter().filter(|operation| !operation.takes_body) {
        for (kind, body) in [
            (Some("application/json"), b"{".to_vec()),
            (Some("text/plain"), b"\xff\x00".to_vec()),
            (None, vec![b'x'; 5_000_000]),
        ] {
            let what = format!("{} {} with {} bytes", operation.method, operation.path, body.len());
            let response = ask(&house, &operation.method, &operation.place(), kind, body).await;
            sound(response, &what).await;
        }
    }
}

#[tokio::test]
async fn an_id_that_is_none_is_not_found() {
    let house = House::new().await;
    let long = "x".repeat(20_000);
    let wrong = [
        "x",
        "%00",
        "%1b%5b2J",
        "%ff%fe",
        "..%2f..%2fetc",
        "-1",
        "1.5",
        "99999999999999999999",
        "user_00000000000000000000000000",
        "%E2%80%AE",
        &long,
    ];
    for operation in operations().iter().filter(|operation| operation.path.contains('{')) {
        let body = if operation.takes_body { Value::Object(operation.fitting()).to_string() } else { String::new() };
        for id in wrong {
            // A name is chosen by whoever keeps something under it.
            if operation.path.contains("{name}") && id.len() < 64 && !id.contains('%') && !id.contains("..") {
                continue;
            }
            let what = format!("{} {} with {}", operation.method, operation.path, &id[..id.len().min(40)]);
            let response =
                ask(&house, &operation.method, &operation.at(id), Some("application/json"), body.clone()).await;
            assert_eq!(sound(response, &what).await, 404, "{what}");
        }
    }
}

#[tokio::test]
async fn a_query_that_is_not_known_or_repeated_is_refused_and_none_breaks_anything() {
    let house = House::new().await;
    let long = "y".repeat(20_000);
    for operation in operations().iter().filter(|operation| !operation.queries.is_empty()) {
        let place = operation.place();
        for query in &operation.queries {
            let mut asked = vec![(format!("{query}=1&{query}=1"), Some(400)), ("surprise=1".to_owned(), Some(400))];
            for value in ["", "%1b%5b2J", "%ff", "-1", "1e9", "99999999999999999999", "%00", "a,b", &long] {
                asked.push((format!("{query}={value}"), None));
            }
            for (text, expected) in asked {
                let what = format!("{} {place}?{}", operation.method, &text[..text.len().min(60)]);
                let response = ask(&house, &operation.method, &format!("{place}?{text}"), None, "").await;
                let status = sound(response, &what).await;
                assert!(expected.is_none_or(|expected| expected == status), "{what}: {status}");
            }
        }
    }
}

#[tokio::test]
async fn headers_that_make_no_sense_break_nothing_and_open_nothing() {
    let house = House::new().await;
    let secret = format!("Bearer {}", house.operator().await);
    let long = "z".repeat(4_000);
    let wrong: [(&str, &[u8]); 8] = [
        ("prefer", b"wait=banana, wait=-1; wait"),
        ("prefer", b"\xff\xfe"),
        ("last-event-id", b"newest"),
        ("idempotency-key", b"\xff\xfe"),
        ("idempotency-key", long.as_bytes()),
        ("content-length", b"many"),
        ("if-none-match", long.as_bytes()),
        ("cookie", b"jarvis_session=\xff; ;;=;jarvis_session"),
    ];
    for operation in operations().iter().filter(|operation| operation.name != "sign_out") {
        for (name, value) in wrong {
            let request = Request::builder().method(operation.method.as_str()).uri(operation.place());
            let request =
                request.header(header::AUTHORIZATION, &secret).header(name, value).body(Body::empty()).unwrap();
            sound(house.send(request).await, &format!("{} {} with {name}", operation.method, operation.path)).await;
        }
        let open = ["health", "openapi_json", "session_info", "sign_in", "set_up"].contains(&operation.name.as_str())
            || operation.name.starts_with("resource_metadata");
        for credential in
            ["Bearer", "Basic YTpi", "Bearer \u{7f}", &format!("Bearer {PASSWORD}"), &format!("Bearer {long}")]
        {
            let request = Request::builder().method(operation.method.as_str()).uri(operation.place());
            let Ok(request) = request.header(header::AUTHORIZATION, credential).body(Body::empty()) else { continue };
            let what = format!("{} {} as {credential:.20}", operation.method, operation.path);
            let status = sound(house.send(request).await, &what).await;
            assert!(open || status == 401, "{what}: {status}");
        }
    }
}
