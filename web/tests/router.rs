//! The real router: who comes in, how calls and refusals look, and that each refusal leaves a row.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

mod world;

use std::sync::atomic::Ordering;

use http::header;
use jarvis_safety::Tier;
use jarvis_safety::port::{Feed as _, Identities as _};
use jarvis_web::Door;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use world::house::{House, PASSWORD, actor_of, delete, get, post, send, with};

const READ: &str = r#"{"tool":"demo_read","args":{"name":"a"}}"#;
const WIPE: &str = r#"{"tool":"demo_wipe","args":{"name":"a"}}"#;

#[tokio::test]
async fn the_first_sign_in_takes_the_code_once_and_a_password_that_is_long_enough() {
    let house = House::with_password(None).await;
    let code = house.setup_code().await.unwrap().expect("a code, until it was used");
    let set_up = |code: &str, password: &str| {
        post("/api/setup", None, &format!(r#"{{"code":"{code}","password":"{password}"}}"#))
    };
    assert_eq!(house.ask(set_up("guess", "long enough pass")).await.problem(), (401, "unauthenticated"));
    assert_eq!(house.newest().await.0, "session.refused");
    assert_eq!(house.ask(set_up(&code, "short")).await.problem(), (400, "invalid_arguments"));
    let opened = house.ask(set_up(&code, "long enough pass")).await;
    let cookie = opened.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("HttpOnly; SameSite=Strict") && cookie.contains("Max-Age=86400"), "{cookie}");
    assert_eq!(house.ask(set_up(&code, "another password")).await.problem(), (409, "already_decided"));
}

#[tokio::test]
async fn guessing_a_password_is_recorded_and_stopped_after_five_within_a_minute() {
    let house = House::new().await;
    // The penalty ends with the server, so the test does not wait for it.
    house.shutdown.cancel();
    let guess = || post("/api/session", None, r#"{"password":"wrong"}"#);
    for _ in 0..5 {
        assert_eq!(house.ask(guess()).await.problem(), (401, "unauthenticated"));
    }
    let many = house.ask(guess()).await;
    assert_eq!(many.problem(), (429, "rate_limited"));
    assert_eq!(many.headers[header::RETRY_AFTER], "60");
    let right = post("/api/session", None, &format!(r#"{{"password":"{PASSWORD}"}}"#));
    assert_eq!(house.ask(right).await.problem(), (429, "rate_limited"));
    assert_eq!(house.rows().await.iter().filter(|row| row.kind.as_str() == "session.refused").count(), 7);
    house.clock.turn(60_000);
    house.operator().await;
}

#[tokio::test]
async fn a_cookie_needs_our_own_page_to_change_something_and_ends_with_signing_out() {
    let house = House::new().await;
    let opened = house.ask(post("/api/session", None, &format!(r#"{{"password":"{PASSWORD}"}}"#))).await;
    assert!(opened.body.get("secret").is_none());
    let cookie = opened.headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let call = || with(post("/api/call", None, READ), "cookie", &cookie);
    assert_eq!(house.ask(call()).await.problem(), (403, "forbidden"));
    assert_eq!(house.newest().await.0, "session.refused");
    assert_eq!(house.ask(with(call(), "sec-fetch-site", "cross-site")).await.problem(), (403, "forbidden"));
    assert_eq!(house.ask(with(call(), "sec-fetch-site", "same-origin")).await.status, 200);
    assert_eq!(house.ask(with(call(), "origin", "http://localhost:7878")).await.status, 200);
    assert_eq!(house.ask(with(call(), "origin", "http://evil.example")).await.problem(), (403, "forbidden"));

    let out = with(with(delete("/api/session", None), "cookie", &cookie), "sec-fetch-site", "same-origin");
    assert_eq!(house.ask(out).await.status, 204);
    let again = house.ask(with(get("/api/status", None), "cookie", &cookie)).await;
    assert_eq!(again.problem(), (401, "unauthenticated"));
}

#[tokio::test]
async fn a_name_that_is_not_ours_is_not_answered_whatever_is_asked() {
    let house = House::new().await;
    for path in ["/", "/healthz", "/api/session", "/mcp", "/api/nothing"] {
        let asked = with(get(path, None), "host", "evil.example");
        assert_eq!(house.ask(asked).await.problem(), (421, "misdirected"), "{path}");
    }
    assert_eq!(house.newest().await.0, "session.refused");
    assert_eq!(house.ask(with(get("/healthz", None), "host", "jarvis.lan:7878")).await.status, 200);
    let local = with(get("/healthz", None), "host", "anything");
    assert_eq!(house.ask_locally(local).await.status, 200);
}

#[tokio::test]
async fn calls_that_cannot_be_read_are_refused_recorded_and_do_nothing() {
    let house = House::new().await;
    let secret = house.operator().await;
    let big = format!(r#"{{"tool":"demo_wipe","args":{{"name":"{}"}}}}"#, "x".repeat(5_000_000));
    let bad = [
        (r#"{"tool":"demo_wipe","tool":"demo_read"}"#.to_owned(), 400),
        (r#"{"tool":"demo_wipe","args":{"name":"a","name":"b"}}"#.to_owned(), 400),
        (r#"{"tool":"demo_wipe","args":{"name":9007199254740993}}"#.to_owned(), 400),
        (r#"{"tool":"demo_wipe","args":{"name":"a"},"force":true}"#.to_owned(), 400),
        (r#"{"tool":"demo_wipe","args":{"name":"a","force":true}}"#.to_owned(), 400),
        (r#"{"tool":"demo_wipe","args":[1]}"#.to_owned(), 400),
        (r#"{"tool":"no_such","args":{}}"#.to_owned(), 404),
        ("not json".to_owned(), 400),
        (big, 413),
    ];
    for (body, status) in &bad {
        for path in ["/api/call", "/api/plan"] {
            let body = if path == "/api/plan" { format!(r#"{{"steps":[{body}]}}"#) } else { body.clone() };
            let before = house.head();
            let answer = house.ask(post(path, Some(&secret), &body)).await;
            let shown: String = body.chars().take(80).collect();
            assert_eq!(answer.problem().0, *status, "{path} {shown}: {}", answer.text);
            assert_eq!(house.head(), before + 1, "{path} {shown}");
            let correlation = answer.body["correlation"].as_str().unwrap().to_owned();
            assert_eq!(house.newest().await, ("call.refused".to_owned(), "operator".to_owned(), correlation));
        }
    }
    assert_eq!(house.wiped.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_red_call_waits_for_the_operator_and_runs_once() {
    let house = House::new().await;
    let (operator, token) = (house.operator().await, house.token(1, Tier::Red, false).await);
    let mut events = house.subscribe();
    let patient = with(with(post("/api/call", Some(&token), WIPE), "prefer", "wait=20"), "host", "localhost");
    let patient = tokio::spawn(tower::ServiceExt::oneshot(house.router(Door::Tcp), patient));
    while events.recv().await.unwrap().kind.as_str() != "approval.asked" {}
    let waiting = house.ask(post("/api/call", Some(&token), WIPE)).await;
    assert_eq!((waiting.status.as_u16(), waiting.body["state"].as_str()), (202, Some("waiting")));
    let card = waiting.headers[header::LOCATION].to_str().unwrap().to_owned();
    assert_eq!(card, format!("/api/approvals/{}", waiting.body["approval"].as_str().unwrap()));

    let approve = |secret: &str| post(&format!("{card}/approve"), Some(secret), "");
    assert_eq!(house.ask(approve(&token)).await.problem(), (403, "forbidden"));
    assert_eq!(house.newest().await.0, "approval.refused");
    let local = house.ask_locally(post(&format!("{card}/approve"), None, "")).await;
    assert_eq!(local.problem(), (403, "forbidden"));
    assert!(local.body["detail"].as_str().unwrap().contains("password"));

    assert_eq!(house.ask(approve(&operator)).await.status, 200);
    assert_eq!(patient.await.unwrap().unwrap().status(), 200);
    assert_eq!(house.ask(approve(&operator)).await.problem(), (409, "already_decided"));
    assert_eq!(house.wiped.load(Ordering::SeqCst), 1);
    let seen = house.ask(get(&card, Some(&token))).await;
    assert_eq!((seen.body["state"].as_str(), seen.body["decided_by"].as_str()), (Some("done"), Some("operator")));
}

#[tokio::test]
async fn a_denial_comes_back_to_the_caller_with_its_word() {
    let house = House::new().await;
    let operator = house.operator().await;
    let card = house.ask_locally(post("/api/call", None, WIPE)).await.headers[header::LOCATION].clone();
    let deny = post(&format!("{}/deny", card.to_str().unwrap()), Some(&operator), r#"{"because":"keep it"}"#);
    let denied = house.ask(deny).await;
    assert_eq!((denied.body["state"].as_str(), denied.body["because"].as_str()), (Some("denied"), Some("keep it")));
    assert_eq!(house.wiped.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_token_sees_what_is_its_own_and_governs_nothing() {
    let house = House::new().await;
    let (one, other) = (house.token(1, Tier::Red, false).await, house.token(2, Tier::Green, false).await);
    let card = house.ask(post("/api/call", Some(&one), WIPE)).await.headers[header::LOCATION].clone();
    let card = card.to_str().unwrap();
    assert_eq!(house.ask(get(card, Some(&other))).await.problem(), (404, "unknown_approval"));
    let count = |answer: &world::house::Answer| answer.body["approvals"].as_array().unwrap().len();
    assert_eq!(count(&house.ask(get("/api/approvals", Some(&one))).await), 1);
    assert_eq!(count(&house.ask(get("/api/approvals", Some(&other))).await), 0);
    let history = house.ask(get("/api/history", Some(&other))).await;
    assert!(history.body["events"].as_array().unwrap().iter().all(|row| row["actor"] != actor_of(1).as_str()));
    assert_eq!(house.ask(post("/api/call", Some(&other), WIPE)).await.problem(), (403, "above_ceiling"));
    let tools = house.ask(get("/api/tools", Some(&other))).await;
    assert_eq!(tools.body["tools"].as_array().unwrap().len(), 1);
    for request in [
        get("/api/tokens", Some(&one)),
        get("/api/settings", Some(&one)),
        get("/api/doctor", Some(&one)),
        post("/api/audit/verify", Some(&one), ""),
        post("/api/kill", Some(&one), ""),
        delete("/api/kill", Some(&one)),
    ] {
        let at = format!("{} {}", request.method(), request.uri());
        assert_eq!(house.ask(request).await.problem(), (403, "forbidden"), "{at}");
        assert_eq!(house.newest().await.0, "session.refused", "{at}");
    }
}

#[tokio::test]
async fn mcp_takes_tokens_that_cannot_approve_and_nobody_else() {
    let house = House::new().await;
    let operator = house.operator().await;
    let (client, bot) = (house.token(1, Tier::Orange, false).await, house.token(2, Tier::Red, true).await);
    assert!(house.ask(post("/mcp", Some(&client), "{}")).await.text.starts_with("token:tok_"));
    assert_eq!(house.ask(post("/mcp", Some(&bot), "{}")).await.problem(), (403, "forbidden"));
    assert_eq!(house.ask(post("/mcp", Some(&operator), "{}")).await.problem(), (403, "forbidden"));
    let cookie = with(post("/mcp", None, "{}"), "cookie", &format!("jarvis_session={operator}"));
    assert_eq!(house.ask(cookie).await.problem(), (403, "forbidden"));
    let unknown = house.ask(post("/mcp", Some("guess"), "{}")).await;
    assert_eq!(unknown.problem(), (401, "unauthenticated"));
    let challenge = unknown.headers[header::WWW_AUTHENTICATE].to_str().unwrap();
    let place = challenge.split_once("resource_metadata=\"").unwrap().1.trim_end_matches('"');
    let path = place.strip_prefix("http://localhost:7878").unwrap_or_else(|| panic!("{challenge}"));
    // Whoever was turned away finds out there what it was turned away from.
    let described = house.ask(get(path, None)).await;
    assert_eq!(described.status, 200);
    assert_eq!(described.body["resource"], "http://localhost:7878/mcp", "{}", described.text);
    assert_eq!(described.body["bearer_methods_supported"], json!(["header"]));
    assert!(described.body.get("authorization_servers").is_none(), "there is none");
    assert_eq!(house.ask_locally(post("/mcp", None, "{}")).await.text, "local");
    let stdio = || with(post("/mcp", None, "{}"), "x-jarvis-actor", "mcp:stdio");
    assert_eq!(house.ask_locally(stdio()).await.text, "mcp:stdio");
    assert_eq!(house.ask(stdio()).await.problem(), (401, "unauthenticated"));
    let big = "x".repeat(3_000_000);
    assert_eq!(house.ask(post("/mcp", Some(&client), &big)).await.problem(), (413, "too_large"));
    assert_eq!(house.newest().await.0, "call.refused");
}

#[tokio::test]
async fn a_revoked_token_opens_nothing_and_leaves_a_row() {
    let house = House::new().await;
    let operator = house.operator().await;
    let made = house.ask(post("/api/tokens", Some(&operator), r#"{"name":"ide","ceiling":"yellow"}"#)).await;
    let (id, secret) = (made.body["id"].as_str().unwrap(), made.body["secret"].as_str().unwrap());
    assert_eq!(house.newest().await.0, "token.created");
    assert_eq!(house.ask(post("/api/call", Some(secret), READ)).await.status, 200);
    let revoke = || delete(&format!("/api/tokens/{id}"), Some(&operator));
    assert_eq!(house.ask(revoke()).await.status, 204);
    let row = house.newest().await;
    assert_eq!((row.0.as_str(), row.1.as_str()), ("token.revoked", "operator"));
    assert_eq!(house.ask(revoke()).await.problem(), (404, "not_found"));
    assert_eq!(house.ask(post("/api/call", Some(secret), READ)).await.problem(), (401, "unauthenticated"));
    let row = house.newest().await;
    assert_eq!((row.0.as_str(), row.1.as_str()), ("session.refused", "unknown"));
    let listed = house.ask(get("/api/tokens", Some(&operator))).await;
    assert!(listed.body["tokens"][0]["revoked_at"].is_number() && !listed.text.contains(secret));
}

#[tokio::test]
async fn the_kill_switch_refuses_until_the_operator_releases_it() {
    let house = House::new().await;
    let operator = house.operator().await;
    assert_eq!(house.ask_locally(post("/api/kill", None, "")).await.problem(), (403, "forbidden"));
    assert_eq!(house.ask(post("/api/kill", Some(&operator), r#"{"level":"all"}"#)).await.status, 204);
    assert_eq!(house.ask_locally(post("/api/call", None, READ)).await.problem(), (403, "stopped"));
    assert_eq!(house.ask_locally(get("/api/status", None)).await.body["kill"], "all");
    assert_eq!(house.ask(delete("/api/kill", Some(&operator))).await.status, 204);
    assert_eq!(house.ask_locally(post("/api/call", None, READ)).await.status, 200);
}

#[tokio::test]
async fn settings_are_in_force_when_they_are_answered_and_a_wrong_one_changes_nothing() {
    let house = House::new().await;
    let operator = house.operator().await;
    let mut settings = house.ask(get("/api/settings", Some(&operator))).await.body;
    settings["approval_minutes"] = 2.into();
    let saved = house.ask(send("PUT", "/api/settings", Some(&operator), &settings.to_string())).await;
    assert_eq!((saved.status.as_u16(), &saved.body), (200, &settings));
    assert_eq!(house.settings.borrow().approval_minutes, 2);
    assert_eq!(house.web.gate.settings().approval_minutes, 2);
    let row = house.rows().await.pop().unwrap();
    assert_eq!((row.kind.as_str(), row.summary.as_str()), ("setting.changed", "changed: approval_minutes"));

    settings["mcp_hold_seconds"] = 99.into();
    let wrong = house.ask(send("PUT", "/api/settings", Some(&operator), &settings.to_string())).await;
    assert_eq!(wrong.problem(), (400, "invalid_arguments"));
    assert_eq!(house.settings.borrow().mcp_hold_seconds, 20);
}

#[tokio::test]
async fn an_autonomy_rule_for_tools_that_do_not_exist_is_refused_and_the_nearest_are_named() {
    let house = House::new().await;
    let operator = house.operator().await;
    let mut settings = house.ask(get("/api/settings", Some(&operator))).await.body;
    let mut save = async |capability: &str| {
        settings["autonomy"]["rules"] = serde_json::json!([{ "capability": capability, "level": 0 }]);
        house.ask(send("PUT", "/api/settings", Some(&operator), &settings.to_string())).await
    };
    let wrong = save("demi").await;
    assert_eq!(wrong.problem(), (400, "invalid_arguments"));
    let said = wrong.body["detail"].as_str().unwrap();
    assert!(said.contains("the nearest are `demo`") && said.ends_with("Nothing was changed"), "{said}");
    assert!(house.web.gate.settings().autonomy.rules.is_empty());

    assert_eq!(save("demo_*").await.body["autonomy"]["rules"][0]["capability"], "demo");
    let wipe = post("/api/call", Some(&operator), WIPE);
    assert_eq!(house.ask(wipe).await.problem(), (403, "autonomy_level"), "the pattern is in force");
}

#[tokio::test]
async fn a_call_that_cannot_be_read_stands_in_the_history_with_the_tier_of_its_tool() {
    let house = House::new().await;
    let operator = house.operator().await;
    let twice = r#"{"tool":"demo_wipe","args":{"name":"a","name":"b"}}"#;
    for (path, body) in [("/api/call", twice.to_owned()), ("/api/plan", format!(r#"{{"steps":[{twice}]}}"#))] {
        assert_eq!(house.ask(post(path, Some(&operator), &body)).await.problem(), (400, "invalid_arguments"));
        let row = &house.ask(get("/api/history?limit=1", Some(&operator))).await.body["events"][0];
        assert_eq!((row["kind"].as_str(), row["tool"].as_str()), (Some("call.refused"), Some("demo_wipe")), "{path}");
        assert_eq!(row["tier"], "red", "{path}");
    }
}

#[tokio::test]
async fn what_an_answer_repeats_of_a_request_hides_nothing_and_is_short() {
    let house = House::new().await;
    let operator = house.operator().await;
    let long = "%1b%5b2J".repeat(500);
    for path in [
        "/api/stream?topics=",
        "/api/history?kind=",
        "/api/history?limit=",
        "/api/events/",
        "/api/calls/",
        "/api/jobs?state=",
        "/api/jobs?before=",
        "/api/jobs/",
        "/api/schedules/",
    ] {
        let answer = house.ask(get(&format!("{path}{long}"), Some(&operator))).await;
        assert!(answer.problem().0 < 500, "{path}");
        let said = answer.body["detail"].as_str().unwrap();
        assert!(said.len() < 700 && !said.contains('\u{1b}'), "{path}: {said}");
    }
    let call = format!(r#"{{"tool":"{}","args":{{"a":1,"a":2}}}}"#, r"\u001b[2J".repeat(500));
    let answer = house.ask(post("/api/call", Some(&operator), &call)).await;
    let said = answer.body["detail"].as_str().unwrap();
    assert!(said.contains(r"\u{1b}[2J") && said.len() < 700 && !said.contains('\u{1b}'), "{said}");
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_hold_a_page_to_itself() {
    let house = House::new().await;
    for path in ["/", "/healthz", "/api/status", "/api/nothing", "/chat/anything"] {
        let answer = house.ask(get(path, None)).await;
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{path}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(answer.headers["x-correlation-id"].len(), 32, "{path}");
    }
    assert_eq!(house.ask(get("/api/nothing", None)).await.problem(), (404, "not_found"));
    assert_eq!(house.ask(delete("/api/status", None)).await.problem(), (405, "method_not_allowed"));
    let page = house.ask(get("/chat/anything", None)).await;
    assert!(page.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/html"));
}

#[tokio::test]
async fn a_panic_in_a_handler_is_a_500_without_its_words() {
    let house = House::new().await;
    let broken = || async {
        assert!(house_is_sound(), "a secret in a panic");
    };
    let mcp = axum::Router::new().route("/mcp", axum::routing::any(broken));
    let request = post("/mcp", None, "");
    let answer = tower::ServiceExt::oneshot(house.web.router(Door::Local, mcp), request).await.unwrap();
    let answer = world::house::Answer::read(answer).await;
    assert_eq!(answer.problem(), (500, "internal"));
    assert!(!answer.text.contains("secret"));
}

fn house_is_sound() -> bool {
    std::hint::black_box(false)
}

#[tokio::test]
async fn what_is_said_becomes_a_turn_of_its_own_conversation() {
    let house = House::new().await;
    let (operator, token) = (house.operator().await, house.token(1, Tier::Green, false).await);
    let said = with(post("/api/say", Some(&operator), r#"{"text":"zzz unknown words"}"#), "prefer", "wait=20");
    let turn = house.ask(said).await;
    assert_eq!((turn.status.as_u16(), turn.body["asked"].as_str()), (200, Some("zzz unknown words")));
    let conversation = format!("/api/conversations/{}", turn.body["conversation"].as_str().unwrap());
    assert_eq!(house.ask(get(&conversation, Some(&token))).await.problem(), (404, "not_found"));
    let renamed = send("PATCH", &conversation, Some(&operator), r#"{"title":"Words"}"#);
    assert_eq!(house.ask(renamed).await.body["title"], "Words");
    let seen = house.ask(get(&conversation, Some(&operator))).await;
    assert_eq!(seen.body["turns"][0]["id"], turn.body["id"]);
    assert_eq!(house.ask(delete(&conversation, Some(&operator))).await.status, 204);
    assert_eq!(house.ask(get(&conversation, Some(&operator))).await.problem(), (404, "not_found"));
}

#[tokio::test]
async fn measurements_are_for_known_callers() {
    let house = House::new().await;
    assert_eq!(house.ask(get("/metrics", None)).await.problem(), (401, "unauthenticated"));
    house.ask_locally(post("/api/call", None, READ)).await;
    let page = house.ask_locally(get("/metrics", None)).await;
    assert!(
        page.text
            .contains(r#"jarvis_http_request_duration_seconds_count{method="POST",route="/api/call",status="200"} 1"#)
    );
    assert!(page.text.contains("jarvis_resident_memory_bytes") && page.text.trim_end().ends_with("# EOF"));
}

/// Reads from a connection until the text holds what is looked for.
async fn until(stream: &mut tokio::net::TcpStream, text: &mut String, wanted: &str) {
    let mut buffer = [0; 4096];
    while !text.contains(wanted) {
        let read = tokio::time::timeout(std::time::Duration::from_secs(10), stream.read(&mut buffer)).await;
        let read = read.unwrap_or_else(|_| panic!("no {wanted} in\n{text}")).unwrap();
        assert!(read > 0, "ended without {wanted}:\n{text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
}

#[tokio::test]
async fn over_a_real_connection_the_stream_tells_what_happens_and_ends_with_its_session() {
    let house = House::new().await;
    let operator = house.operator().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = house.router(Door::Tcp).into_make_service_with_connect_info::<std::net::SocketAddr>();
    let server = tokio::spawn(async move { axum::serve(listener, service).await });

    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = house.head();
    let request = format!(
        "GET /api/stream?after=0&topics=turns HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {operator}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    until(&mut stream, &mut text, &format!("event: hello\ndata: {{\"head\":{head}}}")).await;
    until(&mut stream, &mut text, "id: 1\n").await;
    house.ask(post("/api/call", Some(&operator), READ)).await;
    until(&mut stream, &mut text, "\"kind\":\"call.read\"").await;
    house.ask(delete("/api/session", Some(&operator))).await;
    // The last chunk of the body is empty.
    until(&mut stream, &mut text, "\r\n0\r\n\r\n").await;
    server.abort();
}

#[tokio::test]
async fn the_built_dashboard_is_sent_compressed_and_its_files_are_kept() {
    let built = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/dist/assets");
    let script = std::fs::read_dir(built).ok().and_then(|files| {
        let mut names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.find(|name| name.ends_with(".js"))
    });
    let Some(script) = script else {
        assert!(std::env::var_os("JARVIS_CI").is_none(), "skipped: needs web/ui/dist");
        println!("skipped: needs web/ui/dist (cargo xtask run builds it)");
        return;
    };
    let house = House::new().await;
    let path = format!("/assets/{script}");
    let sent = house.ask(with(get(&path, None), "accept-encoding", "gzip")).await;
    assert_eq!((sent.status.as_u16(), &sent.headers[header::CONTENT_ENCODING]), (200, &"gzip".parse().unwrap()));
    assert!(sent.headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
    let tag = sent.headers[header::ETAG].to_str().unwrap();
    assert_eq!(house.ask(with(get(&path, None), "if-none-match", tag)).await.status, 304);
    let page = house.ask(get("/chat", None)).await;
    assert!(page.text.contains("/assets/") && page.headers[header::CACHE_CONTROL] == "no-cache");
    assert_eq!(house.ask(get("/assets/none.js", None)).await.problem(), (404, "not_found"));
    assert!(!house.ask(get("/../Cargo.toml", None)).await.text.contains("jarvis-web"));
}

#[tokio::test]
async fn sessions_are_listed_with_where_they_are_from_and_ended_one_by_one_or_all_others() {
    let house = House::new().await;
    let (own, other, third) = (house.operator().await, house.operator().await, house.operator().await);
    let list = async || house.ask(get("/api/sessions", Some(&own))).await.body["sessions"].as_array().unwrap().clone();
    house.clock.turn(61_000);
    let listed = list().await;
    let current: Vec<_> = listed.iter().filter(|session| session["current"] == true).collect();
    assert_eq!((listed.len(), current.len()), (3, 1));
    assert_eq!((&current[0]["face"], &current[0]["place"]), (&json!("cli"), &json!("192.0.2.9")));
    let moment = |session: &Value, field: &str| session[field].as_i64().unwrap();
    assert_eq!(moment(current[0], "used_at"), moment(current[0], "created_at") + 61_000, "it asked just now");
    assert!(!house.ask(get("/api/sessions", Some(&own))).await.text.contains(&own), "no secret is shown");

    let newest = listed[0]["id"].as_str().unwrap();
    let end = || delete(&format!("/api/sessions/{newest}"), Some(&own));
    assert_eq!(house.ask(end()).await.status, 204);
    assert_eq!(house.newest().await.0, "session.closed");
    assert_eq!(house.ask(end()).await.problem(), (404, "not_found"));
    assert_eq!(house.ask(get("/api/settings", Some(&third))).await.problem(), (401, "unauthenticated"));

    assert_eq!(house.ask(delete("/api/sessions", Some(&own))).await.status, 204);
    assert_eq!(house.ask(get("/api/settings", Some(&other))).await.problem(), (401, "unauthenticated"));
    assert_eq!(list().await.len(), 1);
    assert_eq!(house.ask(get("/api/settings", Some(&own))).await.status, 200, "whoever asked stays signed in");
}

#[tokio::test]
async fn what_clients_look_for_and_we_are_not_is_not_found_instead_of_the_page() {
    let house = House::new().await;
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource/other"] {
        assert_eq!(house.ask(get(path, None)).await.problem(), (404, "not_found"), "{path}");
    }
}
