//! Who may do what: every operation of the document, asked by everybody.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

mod world;

use std::collections::BTreeSet;

use http::Request;
use jarvis_safety::identity::TokenGrant;
use jarvis_safety::{Reach, Role, Tier};
use serde_json::{Value, json};
use world::house::{Answer, House, get, post};

/// Whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Nobody,
    Guest,
    Viewer,
    Client,
    Approver,
    Local,
    Operator,
}

use Who::{Approver, Client, Guest, Local, Nobody, Operator, Viewer};

const ALL: [Who; 7] = [Nobody, Guest, Viewer, Client, Approver, Local, Operator];
const KNOWN: &[Who] = &[Guest, Viewer, Client, Approver, Local, Operator];
const ASK: &[Who] = KNOWN;
const TALK: &[Who] = &[Guest, Client, Approver, Local, Operator];
const WATCH: &[Who] = &[Viewer, Client, Approver, Local, Operator];
const ACT: &[Who] = &[Client, Approver, Local, Operator];
const OVERSEE: &[Who] = &[Local, Operator];
const RULE: &[Who] = &[Operator];

/// Who is let in by which operation. What the gate says behind the door is another matter: a tier, a target, a card.
const MAY: [(&str, &[Who]); 63] = [
    ("health", &ALL),
    ("resource_metadata", &ALL),
    ("resource_metadata_mcp", &ALL),
    ("resource_metadata_compact", &ALL),
    ("openapi_json", &ALL),
    ("session_info", &ALL),
    ("sign_in", &ALL),
    ("set_up", &ALL),
    ("sign_out", KNOWN),
    ("list_tools", ASK),
    ("make_call", ASK),
    ("preview_call", ASK),
    ("get_call", ASK),
    ("list_approvals", ASK),
    ("get_approval", ASK),
    ("stream", ASK),
    ("history", ASK),
    ("get_event", ASK),
    ("say", TALK),
    ("get_turn", TALK),
    ("stop_turn", TALK),
    ("retry_turn", TALK),
    ("list_conversations", TALK),
    ("get_conversation", TALK),
    ("replay_conversation", TALK),
    ("status", WATCH),
    ("metrics", WATCH),
    ("list_doubts", WATCH),
    ("show_undo_call", ACT),
    ("undo_call", ACT),
    ("show_undo_turn", ACT),
    ("undo_turn", ACT),
    ("cancel_call", ACT),
    ("make_plan", ACT),
    ("approve", ACT),
    ("deny", ACT),
    ("list_jobs", ACT),
    ("submit_job", ACT),
    ("get_job", ACT),
    ("cancel_job", ACT),
    ("job_output", ACT),
    ("job_stream", ACT),
    ("list_schedules", ACT),
    ("create_schedule", ACT),
    ("change_schedule", ACT),
    ("remove_schedule", ACT),
    ("rename_conversation", ACT),
    ("delete_conversation", ACT),
    ("last_report", OVERSEE),
    ("verify", OVERSEE),
    ("doctor", OVERSEE),
    ("acknowledge", RULE),
    ("get_settings", RULE),
    ("put_settings", RULE),
    ("stop", RULE),
    ("resume", RULE),
    ("list_tokens", RULE),
    ("create_token", RULE),
    ("revoke_token", RULE),
    ("list_grants", RULE),
    ("give_grant", RULE),
    ("try_grant", RULE),
    ("revoke_grant", RULE),
];

/// The rest of them, so that the list above stays readable.
const MAY_TOO: [(&str, &[Who]); 17] = [
    ("factor_info", RULE),
    ("propose_factor", RULE),
    ("turn_on_factor", RULE),
    ("turn_off_factor", RULE),
    ("list_sessions", RULE),
    ("revoke_session", RULE),
    ("revoke_other_sessions", RULE),
    ("proposed_grant", RULE),
    ("list_secrets", RULE),
    ("keep_secret", RULE),
    ("remove_secret", RULE),
    ("import_secrets", RULE),
    ("list_mounts", RULE),
    ("keep_mount", RULE),
    ("remove_mount", RULE),
    ("retry_mount", RULE),
    ("review_tools", RULE),
];

fn may() -> impl Iterator<Item = (&'static str, &'static [Who])> {
    MAY.into_iter().chain(MAY_TOO)
}

/// Name, method and a path with ids of its kinds that nothing has.
fn operations() -> Vec<(String, String, String)> {
    let document = serde_json::to_value(jarvis_web::openapi()).unwrap();
    let kinds = [
        ("calls", "call"),
        ("approvals", "appr"),
        ("turns", "turn"),
        ("conversations", "conv"),
        ("tokens", "tok"),
        ("grants", "grant"),
        ("jobs", "job"),
        ("schedules", "sched"),
        ("sessions", "sess"),
    ];
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, described) in item.as_object().unwrap() {
            let kind = kinds.into_iter().find(|(folder, _)| path.contains(&format!("/{folder}/")));
            let id = kind.map_or_else(|| "9".to_owned(), |(_, kind)| format!("{kind}_{}", "0".repeat(26)));
            let place = path.replace("{id}", &id).replace("{seq}", "9").replace("{name}", "nothing");
            operations.push((described["operationId"].as_str().unwrap().to_owned(), method.to_uppercase(), place));
        }
    }
    operations
}

async fn secret(house: &House, who: Who) -> Option<String> {
    let web = Reach::new(vec!["web*".to_owned()]).unwrap();
    let grant = |role: Role, reach: Reach| TokenGrant { role, reach, ..TokenGrant::client("somebody", Tier::Red) };
    Some(match who {
        Nobody | Local => return None,
        Guest => house.token_of(1, grant(Role::Guest, web)).await,
        Viewer => house.token_of(2, grant(Role::Viewer, Reach::default())).await,
        Client => house.token_of(3, grant(Role::Client, Reach::default())).await,
        Approver => house.token_of(4, grant(Role::Approver, Reach::default())).await,
        Operator => house.session().await,
    })
}

#[tokio::test]
async fn every_operation_lets_in_whom_the_table_names_and_nobody_else() {
    let operations = operations();
    let named: BTreeSet<_> = may().map(|(name, _)| name.to_owned()).collect();
    let there: BTreeSet<_> = operations.iter().map(|(name, ..)| name.clone()).collect();
    assert_eq!(named, there, "the table names every operation");
    for who in ALL {
        let house = House::new().await;
        let held = secret(&house, who).await;
        for (name, method, place) in &operations {
            // What ends the asker's own session comes by itself.
            let own = if who == Operator && name == "sign_out" { secret(&house, who).await } else { held.clone() };
            let mut request = Request::builder().method(method.as_str()).uri(place).header("host", "localhost");
            if let Some(secret) = &own {
                request = request.header("authorization", format!("Bearer {secret}"));
            }
            // No body: whoever is let in and must send one hears of that, and nothing is done.
            let request = request.body(axum::body::Body::empty()).unwrap();
            let at = format!("{who:?} {method} {place}");
            let (_, allowed) = may().find(|(of, _)| of == name).unwrap();
            if allowed.contains(&who) && ["stream", "job_stream", "resume"].contains(&name.as_str()) {
                // It would go on, or is done at once.
                continue;
            }
            let answer = if who == Local { house.ask_locally(request).await } else { house.ask(request).await };
            let rule = answer.body["rule"].as_str().unwrap_or_default();
            let closed = answer.status == 401 || ["role", "operator only"].contains(&rule);
            assert_eq!(closed, !allowed.contains(&who), "{at}: {} {}", answer.status, answer.text);
            if closed {
                let code = if who == Nobody { (401, "unauthenticated") } else { (403, "forbidden") };
                assert_eq!(answer.problem(), code, "{at}");
                assert!(answer.body["detail"].as_str().unwrap().len() > 30, "{at}: a sentence to act on");
            }
        }
    }
}

fn call(tool: &str, name: &str) -> String {
    json!({ "tool": tool, "args": { "name": name } }).to_string()
}

#[tokio::test]
async fn a_guest_reads_on_its_targets_and_a_viewer_everywhere_and_neither_goes_above_green() {
    let house = House::new().await;
    let (guest, viewer) = (secret(&house, Guest).await.unwrap(), secret(&house, Viewer).await.unwrap());
    let ask = async |secret: &str, tool: &str, name: &str| {
        let answer = house.ask(post("/api/call", Some(secret), &call(tool, name))).await;
        if answer.status == 200 { "ran".to_owned() } else { answer.problem().1.to_owned() }
    };
    assert_eq!(ask(&guest, "demo_read", "web1").await, "ran");
    assert_eq!(ask(&guest, "demo_read", "db").await, "outside_targets");
    assert_eq!(ask(&guest, "demo_wipe", "web1").await, "above_ceiling", "the token says red, the role green");
    assert_eq!(ask(&viewer, "demo_read", "db").await, "ran");
    assert_eq!(ask(&viewer, "demo_wipe", "db").await, "above_ceiling");
    let seen = house.ask(get("/api/history", Some(&guest))).await;
    let rows = seen.body["events"].as_array().unwrap().clone();
    assert!(!rows.is_empty() && rows.iter().all(|row| row["actor"] == world::house::actor_of(1).as_str()));
    let said = house.ask(post("/api/say", Some(&viewer), r#"{"text":"read web1"}"#)).await;
    assert_eq!(said.problem(), (403, "forbidden"));
    let said = house.ask(post("/api/say", Some(&guest), r#"{"text":"read web1"}"#)).await;
    assert!(said.status.is_success(), "{}", said.text);
}

#[tokio::test]
async fn whoever_decides_sees_the_cards_about_its_targets_and_its_own_and_no_other() {
    let house = House::new().await;
    let grant = |role: Role, targets: &[&str]| {
        let reach = Reach::new(targets.iter().map(|&target| target.to_owned()).collect()).unwrap();
        TokenGrant { role, reach, ..TokenGrant::client("somebody", Tier::Red) }
    };
    let asks = house.token_of(1, grant(Role::Client, &[])).await;
    let bound = house.token_of(2, grant(Role::Approver, &["web*"])).await;
    let free = house.token_of(3, grant(Role::Approver, &[])).await;
    let mut cards = Vec::new();
    for (secret, name) in [(&asks, "web1"), (&asks, "db"), (&bound, "web2")] {
        let waits = house.ask(post("/api/call", Some(secret), &call("demo_wipe", name))).await;
        cards.push(waits.body["approval"].as_str().unwrap_or_else(|| panic!("{}", waits.text)).to_owned());
    }
    for (secret, seen) in [(&asks, [true, true, false]), (&bound, [true, false, true]), (&free, [true; 3])] {
        let list = house.ask(get("/api/approvals?limit=2", Some(secret))).await;
        assert_eq!(list.body["approvals"].as_array().unwrap().len(), 2, "{}", list.text);
        for (card, seen) in cards.iter().zip(seen) {
            let one = house.ask(get(&format!("/api/approvals/{card}"), Some(secret))).await;
            assert_eq!(one.status == 200, seen, "{}", one.text);
        }
        let count = seen.iter().filter(|seen| **seen).count();
        let status = house.ask(get("/api/status", Some(secret))).await;
        assert_eq!(status.body["waiting"], json!(count), "{}", status.text);
    }
}

async fn make(house: &House, body: Value) -> Answer {
    let operator = house.session().await;
    house.ask(post("/api/tokens", Some(&operator), &body.to_string())).await
}

#[tokio::test]
async fn a_token_ends_with_its_time_and_says_so_in_the_list() {
    let house = House::new().await;
    let made = make(&house, json!({ "name": "ide", "ceiling": "green", "minutes": 1 })).await;
    let secret = made.body["secret"].as_str().unwrap();
    assert_eq!(made.body["state"], "active");
    assert_eq!(house.ask(get("/api/status", Some(secret))).await.status, 200);
    house.clock.turn(60_000);
    assert_eq!(house.ask(get("/api/status", Some(secret))).await.problem(), (401, "unauthenticated"));
    assert_eq!(house.ask(post("/mcp", Some(secret), "{}")).await.problem(), (401, "unauthenticated"));
    let listed = house.ask(get("/api/tokens", Some(&house.session().await))).await;
    assert_eq!(listed.body["tokens"][0]["state"], "expired");
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let house = House::new().await;
    let made = make(&house, json!({ "name": "script", "ceiling": "green", "per_minute": 3 })).await;
    let secret = made.body["secret"].as_str().unwrap();
    for path in ["/api/status", "/api/tools", "/api/history"] {
        assert_eq!(house.ask(get(path, Some(secret))).await.status, 200, "{path}");
    }
    for request in
        [get("/api/status", Some(secret)), post("/api/call", Some(secret), "{}"), post("/mcp", Some(secret), "{}")]
    {
        let slow = house.ask(request).await;
        assert_eq!(slow.problem(), (429, "rate_limited"));
        assert_eq!(slow.headers["retry-after"], "20");
    }
    let other = house.token(9, Tier::Green, false).await;
    assert_eq!(house.ask(get("/api/status", Some(&other))).await.status, 200, "nobody else waits");
    house.clock.turn(20_000);
    assert_eq!(house.ask(get("/api/status", Some(secret))).await.status, 200);
}

#[tokio::test]
async fn what_a_token_may_stands_in_its_row_and_in_the_list() {
    let house = House::new().await;
    let body = json!({ "name": "friend", "role": "guest", "targets": ["web*"], "minutes": 90 });
    let made = make(&house, body).await.body;
    assert_eq!((&made["role"], &made["ceiling"], &made["per_minute"]), (&json!("guest"), &json!("green"), &json!(30)));
    let history = house.ask(get("/api/history?kind=token.created", Some(&house.session().await))).await;
    let summary = history.body["events"][0]["summary"].as_str().unwrap();
    assert!(summary.contains("guest, up to green, on web*, for 90 minutes"), "{summary}");
    let made = make(&house, json!({ "name": "friend", "role": "guest" })).await;
    assert_eq!(made.problem(), (400, "invalid_arguments"));
}
