//! Jobs over HTTP: handed in once, looked at by their own, stopped, and followed to their end.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

mod world;

use std::sync::atomic::Ordering;

use http::header;
use jarvis_safety::Tier;
use jarvis_safety::port::Feed as _;
use serde_json::{Value, json};
use world::house::{Answer, House, actor_of, delete, get, post, with};
use world::sse::Stream;

const READ: &str = r#"{"tool":"demo_read","args":{"name":"a"}}"#;
const WIPE: &str = r#"{"tool":"demo_wipe","args":{"name":"a"}}"#;
const TEND: &str = r#"{"tool":"demo_tend","args":{"name":"a"}}"#;
/// Long after the tests.
const LATER: &str = r#"{"tool":"demo_read","args":{"name":"a"},"run_at":1900000000000}"#;

/// Hands in a call, and answers where its job is.
async fn submit(house: &House, bearer: &str, body: &str) -> String {
    let answer = house.ask(post("/api/jobs", Some(bearer), body)).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.headers[header::LOCATION].to_str().unwrap().to_owned()
}

async fn open(house: &House, bearer: &str, job: &str) -> Stream {
    Stream::of(house.send(get(&format!("{job}/stream"), Some(bearer))).await)
}

/// The job once it has ended.
async fn ended(house: &House, bearer: &str, job: &str) -> Value {
    house.ask(with(get(job, Some(bearer)), "prefer", "wait=30")).await.body
}

async fn listed(house: &House, bearer: &str, query: &str) -> Vec<String> {
    let page = house.ask(get(&format!("/api/jobs{query}"), Some(bearer))).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let places = page.body["jobs"].as_array().unwrap().iter();
    places.map(|job| format!("/api/jobs/{}", job["id"].as_str().unwrap())).collect()
}

async fn cancel(house: &House, bearer: &str, job: &str) -> Answer {
    house.ask(post(&format!("{job}/cancel"), Some(bearer), "")).await
}

#[tokio::test]
async fn a_call_that_is_handed_in_is_durable_with_the_answer_and_ends_with_what_came_of_it() {
    let house = House::new().await;
    let operator = house.operator().await;
    let taken = house.ask(post("/api/jobs", Some(&operator), READ)).await;
    assert_eq!((taken.status.as_u16(), taken.body["state"].as_str()), (202, Some("queued")));
    let place = format!("/api/jobs/{}", taken.body["id"].as_str().unwrap());
    assert_eq!(taken.headers[header::LOCATION], place);
    assert!(house.rows().await.iter().any(|row| row.kind.as_str() == "job.submitted" && place.ends_with(&row.subject)));

    let done = ended(&house, &operator, &place).await;
    assert_eq!((done["state"].as_str(), done["actor"].as_str()), (Some("done"), Some("operator")));
    assert_eq!((&done["kind"], &done["title"]), (&json!("tool_call"), &json!("demo_read")));
    assert_eq!(done["payload"], json!({ "tool": "demo_read", "args": { "name": "a" } }));
    let answer = &done["answer"];
    assert_eq!((answer["state"].as_str(), answer["words"].as_str()), (Some("done"), Some("a")));
    assert_eq!((answer["tier"].as_str(), answer["output"]["name"].as_str()), (Some("green"), Some("a")));
    assert!(done["started_at"].is_number() && done["ended_at"].is_number() && done.get("error").is_none());

    let patient = house.ask(with(post("/api/jobs", Some(&operator), READ), "prefer", "wait=30")).await;
    assert_eq!((patient.status.as_u16(), patient.body["state"].as_str()), (200, Some("done")));
    assert!(patient.headers.contains_key(header::LOCATION));
}

#[tokio::test]
async fn the_same_key_and_the_same_call_are_the_same_job_and_another_call_is_refused() {
    let house = House::new().await;
    let (operator, token) = (house.operator().await, house.token(1, Tier::Yellow, false).await);
    let keyed = |body: &str| with(post("/api/jobs", Some(&operator), body), "idempotency-key", "k");
    let first = house.ask(keyed(TEND)).await;
    assert_eq!(first.status, 202);
    house.bench.begun.notified().await;
    let again = house.ask(keyed(TEND)).await;
    assert_eq!((again.status.as_u16(), &again.body["id"]), (200, &first.body["id"]));
    assert_eq!(again.headers[header::LOCATION], first.headers[header::LOCATION]);
    let in_body = r#"{"tool":"demo_tend","args":{"name":"a","code":null},"key":"k"}"#;
    let in_body = house.ask(post("/api/jobs", Some(&operator), in_body)).await;
    assert_eq!((in_body.status.as_u16(), &in_body.body["id"]), (200, &first.body["id"]), "the same, written otherwise");

    for other in [READ, r#"{"tool":"demo_tend","args":{"name":"b"}}"#] {
        let refused = house.ask(keyed(other)).await;
        assert_eq!(refused.problem(), (409, "key_reused"), "{other}");
        assert!(refused.body["detail"].as_str().unwrap().contains(first.body["id"].as_str().unwrap()));
        assert_eq!(house.newest().await.0, "call.refused", "{other}");
    }
    assert_eq!(listed(&house, &operator, "").await.len(), 1, "nothing else was kept");
    let own = house.ask(with(post("/api/jobs", Some(&token), READ), "idempotency-key", "k")).await;
    assert_eq!(own.status, 202, "everybody has keys of their own");

    house.bench.go.add_permits(9);
    let place = first.headers[header::LOCATION].to_str().unwrap();
    assert_eq!(ended(&house, &operator, place).await["answer"]["words"], "tended a");
    let after = house.ask(keyed(TEND)).await;
    assert_eq!((after.status.as_u16(), after.body["state"].as_str()), (200, Some("done")));
    assert_eq!(house.bench.tended.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_token_sees_follows_and_cancels_its_own_jobs_and_the_operator_all() {
    let house = House::new().await;
    let operator = house.operator().await;
    let (one, other) = (house.token(1, Tier::Yellow, false).await, house.token(2, Tier::Yellow, false).await);
    let (of_one, of_other) = (submit(&house, &one, LATER).await, submit(&house, &other, LATER).await);
    assert_eq!(house.ask(get(&of_one, Some(&one))).await.body["actor"], actor_of(1).as_str());

    let before = house.head();
    for request in [
        get(&of_one, Some(&other)),
        with(get(&of_one, Some(&other)), "prefer", "wait=30"),
        get(&format!("{of_one}/output"), Some(&other)),
        get(&format!("{of_one}/stream"), Some(&other)),
        post(&format!("{of_one}/cancel"), Some(&other), ""),
    ] {
        let at = format!("{} {}", request.method(), request.uri());
        let own = house.ask(request).await;
        assert_eq!(own.problem(), (404, "not_found"), "{at}");
        let said = own.body["detail"].as_str().unwrap();
        let nobodys = house.ask(get(&format!("/api/jobs/job_{}", "0".repeat(26)), Some(&other))).await;
        let nobodys =
            nobodys.body["detail"].as_str().unwrap().replace(&"0".repeat(26), &of_one["/api/jobs/job_".len()..]);
        assert_eq!(said, nobodys, "{at}: nobody learns whether it is there");
    }
    assert_eq!(house.head(), before);
    assert_eq!(listed(&house, &other, "").await, [of_other.as_str()]);
    assert_eq!(house.ask(get("/api/jobs", Some(&other))).await.body.get("counts"), None);

    assert_eq!(listed(&house, &operator, "").await, [of_other.as_str(), of_one.as_str()]);
    let counts = &house.ask(get("/api/jobs", Some(&operator))).await.body["counts"];
    assert_eq!(*counts, json!({ "queued": 2, "running": 0, "waiting": 0, "unknown": 0 }));
    assert_eq!(cancel(&house, &one, &of_one).await.body["state"], "cancelled");
    assert_eq!(cancel(&house, &operator, &of_other).await.body["state"], "cancelled");
    let seen = house.ask(get(&of_other, Some(&other))).await.body;
    assert_eq!((seen["state"].as_str(), seen["cancelled_by"].as_str()), (Some("cancelled"), Some("operator")));
    assert_eq!(cancel(&house, &operator, &of_one).await.body["state"], "cancelled", "it had ended so");
}

#[tokio::test]
async fn the_job_of_a_red_call_waits_with_its_card_and_is_done_once_it_is_approved() {
    let house = House::new().await;
    let (operator, token) = (house.operator().await, house.token(1, Tier::Red, false).await);
    let job = submit(&house, &token, WIPE).await;
    let waiting = open(&house, &token, &job).await.until("waiting").await;
    let card = format!("/api/approvals/{}", waiting["approval"].as_str().unwrap());
    assert_eq!(house.ask(get(&card, Some(&token))).await.body["state"], "pending");
    assert_eq!(listed(&house, &token, "?state=waiting").await, [job.as_str()]);
    assert_eq!(house.wiped.load(Ordering::SeqCst), 0);

    assert_eq!(house.ask(post(&format!("{card}/approve"), Some(&operator), "")).await.status, 200);
    let done = ended(&house, &token, &job).await;
    assert_eq!((done["state"].as_str(), &done["approval"]), (Some("done"), &waiting["approval"]));
    let answer = &done["answer"];
    assert_eq!((answer["words"].as_str(), answer["tier"].as_str()), (Some("wiped a"), Some("red")));
    assert_eq!(answer["approval"], waiting["approval"]);
    assert_eq!(house.wiped.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_denied_job_has_failed_and_gives_the_word_back() {
    let house = House::new().await;
    let (operator, token) = (house.operator().await, house.token(1, Tier::Red, false).await);
    let job = submit(&house, &token, WIPE).await;
    let waiting = open(&house, &token, &job).await.until("waiting").await;
    let deny = format!("/api/approvals/{}/deny", waiting["approval"].as_str().unwrap());
    assert_eq!(house.ask(post(&deny, Some(&operator), r#"{"because":"keep it"}"#)).await.status, 200);
    let failed = ended(&house, &token, &job).await;
    assert_eq!(failed["state"], "failed");
    assert!(failed["error"].as_str().unwrap().contains("keep it"), "{failed}");
    let answer = &failed["answer"];
    assert_eq!((answer["state"].as_str(), answer["error"].as_str()), (Some("refused"), Some("denied")));
    assert!(answer["words"].as_str().unwrap().contains("keep it") && answer["tier"] == "red", "{answer}");
    assert_eq!(house.wiped.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn cancelling_a_job_that_waits_takes_its_card_down() {
    let house = House::new().await;
    let (operator, token) = (house.operator().await, house.token(1, Tier::Red, false).await);
    let job = submit(&house, &token, WIPE).await;
    let waiting = open(&house, &token, &job).await.until("waiting").await;
    assert_eq!(cancel(&house, &token, &job).await.body["state"], "stopping");
    let gone = ended(&house, &token, &job).await;
    assert_eq!(
        (gone["state"].as_str(), gone["cancelled_by"].as_str()),
        (Some("cancelled"), Some(actor_of(1).as_str()))
    );

    let card = format!("/api/approvals/{}", waiting["approval"].as_str().unwrap());
    let seen = house.ask(get(&card, Some(&token))).await.body;
    assert_eq!((seen["state"].as_str(), seen["decided_by"].as_str()), (Some("denied"), Some(actor_of(1).as_str())));
    let late = house.ask(post(&format!("{card}/approve"), Some(&operator), "")).await;
    assert_eq!(late.problem(), (409, "already_decided"));
    assert_eq!(house.wiped.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn cancelling_a_job_that_runs_stops_its_call_and_tells_what_came_of_it() {
    let house = House::new().await;
    let operator = house.operator().await;
    let job = submit(&house, &operator, TEND).await;
    house.bench.begun.notified().await;
    assert_eq!(cancel(&house, &operator, &job).await.body["state"], "stopping");
    let gone = ended(&house, &operator, &job).await;
    assert_eq!((gone["state"].as_str(), gone["answer"]["state"].as_str()), (Some("cancelled"), Some("cancelled")));
    assert_eq!(gone["progress"], json!({ "done": 1.0, "total": 2.0, "text": "reaching out" }));
    assert_eq!(house.bench.tended.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_call_that_makes_no_sense_is_refused_with_a_sentence_and_a_row_and_nothing_is_kept() {
    let house = House::new().await;
    let operator = house.operator().await;
    let long = |key: usize| format!(r#"{{"tool":"demo_read","args":{{"name":"a"}},"key":"{}"}}"#, "x".repeat(key));
    let large = format!(r#"{{"tool":"demo_read","args":{{"name":"{}"}}}}"#, "x".repeat(300_000));
    let bad = [
        (r#"{"tool":"no_such"}"#, "no_such"),
        (r#"{"tool":"demo_reed","args":{"name":"a"}}"#, "there is: demo_read"),
        (r#"{"tool":"demo_read"}"#, "`name`"),
        (r#"{"tool":"demo_read","args":{"name":"a","force":true}}"#, "`force`"),
        (r#"{"tool":"demo_read","args":{"name":7}}"#, "string"),
        (r#"{"tool":"demo_read","args":[1]}"#, "JSON object"),
        (r#"{"tool":"demo_read","args":{"name":"a","name":"b"}}"#, "name"),
        (r#"{"tool":"demo_tend","args":{"name":"a","code":"hunter2"}}"#, "a secret cannot wait in a job"),
        (r#"{"tool":"demo_read","args":{"name":"a"},"run_at":"soon"}"#, "expected i64 at line 1 column"),
        (r#"{"tool":"demo_read","args":{"name":"a"},"run_at":9223372036854775808}"#, "expected i64 at line 1 column"),
        (r#"{"tool":"demo_read","args":{"name":"a"},"key":""}"#, "1 to 200"),
        (r#"{"tool":"demo_read","args":{"name":"a"},"key":"schedule:1"}"#, "`schedule:`"),
        (&long(201), "1 to 200"),
        (&large, "at most 262144"),
    ];
    for (body, named) in bad {
        let before = house.head();
        let answer = house.ask(post("/api/jobs", Some(&operator), body)).await;
        let shown = &body[..body.len().min(80)];
        assert_eq!(answer.problem(), (400, "invalid_arguments"), "{shown}: {}", answer.text);
        let said = answer.body["detail"].as_str().unwrap();
        assert!(said.contains(named) && !said.contains("hunter2"), "{shown}: {said}");
        let correlation = answer.body["correlation"].as_str().unwrap().to_owned();
        assert_eq!(house.newest().await, ("call.refused".to_owned(), "operator".to_owned(), correlation), "{shown}");
        assert_eq!(house.head(), before + 1, "{shown}");
        if body.starts_with(r#"{"tool":"demo_read","args":{"name":"a","force"#) {
            assert_eq!(house.rows().await.last().unwrap().tool.as_deref(), Some("demo_read"), "the row names the tool");
        }
    }
    let differ = with(post("/api/jobs", Some(&operator), &long(3)), "idempotency-key", "other");
    assert_eq!(house.ask(differ).await.problem(), (400, "invalid_arguments"));
    assert!(listed(&house, &operator, "").await.is_empty());
    let rows = format!("{:?}", house.rows().await);
    assert!(!rows.contains("hunter2") && !rows.contains("JobSubmitted"));
}

#[tokio::test]
async fn a_question_about_jobs_that_makes_no_sense_is_refused_and_what_is_wrong_is_named() {
    let house = House::new().await;
    let operator = house.operator().await;
    let job = submit(&house, &operator, LATER).await;
    let bad = [
        ("/api/jobs?state=later".to_owned(), "use all, open, or one of queued, running, waiting"),
        ("/api/jobs?state=Done".to_owned(), "`Done`"),
        ("/api/jobs?limit=0".to_owned(), "limit is 0; use 1 to 200"),
        ("/api/jobs?limit=201".to_owned(), "limit is 201; use 1 to 200"),
        ("/api/jobs?before=call_00000000000000000000000000".to_owned(), "before: "),
        ("/api/jobs?schedule=x".to_owned(), "schedule: "),
        ("/api/jobs?order=age".to_owned(), "`order`"),
        (format!("{job}/output?limit=0"), "limit is 0; use 1 to 500"),
        (format!("{job}/output?limit=501"), "limit is 501; use 1 to 500"),
        (format!("{job}/output?after=-1"), "after"),
        (format!("{job}/stream?after=last"), "after"),
    ];
    for (path, named) in bad {
        let answer = house.ask(get(&path, Some(&operator))).await;
        assert_eq!(answer.problem(), (400, "invalid_arguments"), "{path}");
        assert!(answer.body["detail"].as_str().unwrap().contains(named), "{path}: {}", answer.text);
    }
    for path in ["/api/jobs/9", "/api/jobs/call_00000000000000000000000000/output", "/api/jobs/x/stream"] {
        assert_eq!(house.ask(get(path, Some(&operator))).await.problem(), (404, "not_found"), "{path}");
    }
}

#[tokio::test]
async fn jobs_are_listed_by_state_and_page_by_page_the_newest_first() {
    let house = House::new().await;
    let operator = house.operator().await;
    let mut jobs = Vec::new();
    for _ in 0..5 {
        jobs.push(submit(&house, &operator, LATER).await);
    }
    cancel(&house, &operator, &jobs[1]).await;
    jobs.reverse();
    let (mut seen, mut before) = (Vec::new(), String::new());
    loop {
        let page = house.ask(get(&format!("/api/jobs?limit=2{before}"), Some(&operator))).await.body;
        seen.extend(page["jobs"].as_array().unwrap().iter().map(|job| job["id"].clone()));
        let Some(next) = page.get("next") else { break };
        before = format!("&before={}", next.as_str().unwrap());
    }
    let seen: Vec<_> = seen.iter().map(|id| format!("/api/jobs/{}", id.as_str().unwrap())).collect();
    assert_eq!(seen, jobs);
    assert_eq!(listed(&house, &operator, "?state=cancelled").await, [jobs[3].as_str()]);
    assert_eq!(listed(&house, &operator, "?state=open").await.len(), 4);
    assert!(listed(&house, &operator, "?state=done").await.is_empty());
}

#[tokio::test]
async fn what_a_job_has_put_out_is_read_on_from_any_piece() {
    let house = House::new().await;
    let operator = house.operator().await;
    let job = house.talk(None).await;
    (1..=4).for_each(|number| house.say(format!("piece {number} \u{1b}[2J")));
    open(&house, &operator, &job).await.pieces(4).await;
    let read = async |query: &str| {
        let page = house.ask(get(&format!("{job}/output{query}"), Some(&operator))).await.body;
        let numbers = page["output"].as_array().unwrap().iter().map(|piece| piece["number"].as_u64().unwrap());
        numbers.collect::<Vec<_>>()
    };
    assert_eq!(read("").await, [1, 2, 3, 4]);
    assert_eq!(read("?after=1&limit=2").await, [2, 3]);
    assert!(read("?after=4").await.is_empty() && read("?after=18446744073709551615").await.is_empty());
    let page = house.ask(get(&format!("{job}/output?limit=1"), Some(&operator))).await;
    assert_eq!(page.body["output"][0]["text"], r"piece 1 \u{1b}[2J", "what strangers wrote steers no terminal");
}

#[tokio::test]
async fn a_client_that_comes_back_goes_on_after_its_last_piece_without_gap_or_repetition() {
    let house = House::new().await;
    let operator = house.operator().await;
    let job = house.talk(None).await;
    let texts = |pieces: &[(u64, String)]| pieces.iter().map(|(_, text)| text.clone()).collect::<Vec<_>>();
    let mut stream = open(&house, &operator, &job).await;
    for piece in ["one", "two", "three"] {
        house.say(piece);
    }
    assert_eq!(texts(&stream.pieces(3).await), ["one", "two", "three"]);
    drop(stream);
    // More than are read at once.
    (4..=250).for_each(|number| house.say(format!("piece {number}")));
    let path = format!("{job}/stream?after=1");
    let back = with(get(&path, Some(&operator)), "last-event-id", "3");
    let mut stream = Stream::of(house.send(back).await);
    let pieces = stream.pieces(247).await;
    assert_eq!(pieces.iter().map(|(number, _)| *number).collect::<Vec<_>>(), (4..=250).collect::<Vec<_>>());
    assert_eq!((pieces[0].1.as_str(), pieces[246].1.as_str()), ("piece 4", "piece 250"));
    house.say("live");
    assert_eq!(stream.pieces(1).await, [(251, "live".to_owned())]);

    let mut by_query = Stream::of(house.send(get(&path, Some(&operator))).await);
    assert_eq!(texts(&by_query.pieces(2).await), ["two", "three"]);
}

#[tokio::test]
async fn a_stream_tells_all_that_was_put_out_and_the_end_of_its_job_and_then_ends() {
    let mut house = House::new().await;
    let operator = house.operator().await;
    let job = house.talk(None).await;
    let mut stream = open(&house, &operator, &job).await;
    stream.until("running").await;
    (1..=120).for_each(|number| house.say(number.to_string()));
    house.fall_silent();
    // As it goes on, and long after it has ended.
    for stream in [stream, open(&house, &operator, &job).await] {
        let all = stream.rest().await;
        let pieces: Vec<_> = all.iter().filter_map(|sent| sent.id).collect();
        assert_eq!(pieces, (1..=120).collect::<Vec<_>>());
        let last = all.last().unwrap();
        assert_eq!(
            (last.event.as_str(), &last.data["state"], &last.data["chunks"]),
            ("job", &json!("done"), &json!(120))
        );
        assert_eq!(all.iter().filter(|sent| sent.data["state"] == "done").count(), 1);
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_token_and_not_with_another_and_its_job_goes_on() {
    let house = House::new().await;
    let (own, _other) = (house.token(1, Tier::Green, false).await, house.token(2, Tier::Green, false).await);
    let job = house.talk(Some(1)).await;
    let mut stream = open(&house, &own, &job).await;
    stream.until("running").await;
    house.revoke(2).await;
    house.say("still here");
    assert_eq!(stream.pieces(1).await, [(1, "still here".to_owned())]);
    house.revoke(1).await;
    assert!(stream.rest().await.iter().all(|sent| sent.event == "job"), "nothing but the piece's own echo");
    assert_eq!(house.ask(get(&format!("{job}/stream"), Some(&own))).await.problem(), (401, "unauthenticated"));
    let operator = house.operator().await;
    assert_eq!(house.ask(get(&job, Some(&operator))).await.body["state"], "running");
}

#[tokio::test]
async fn after_its_token_is_revoked_a_stream_tells_nothing_though_its_client_had_not_read_yet() {
    let house = House::new().await;
    let (own, operator) = (house.token(1, Tier::Green, false).await, house.operator().await);
    let job = house.talk(Some(1)).await;
    let (stream, mut watched) = (open(&house, &own, &job).await, open(&house, &operator, &job).await);
    house.revoke(1).await;
    house.say("not for them");
    watched.pieces(1).await;
    assert!(stream.rest().await.is_empty());
}

#[tokio::test]
async fn a_stream_ends_with_its_session_and_with_the_server() {
    let house = House::new().await;
    let (leaves, stays) = (house.operator().await, house.operator().await);
    let job = submit(&house, &stays, LATER).await;
    let (mut left, mut stayed) = (open(&house, &leaves, &job).await, open(&house, &stays, &job).await);
    left.until("queued").await;
    stayed.until("queued").await;
    assert_eq!(house.ask(delete("/api/session", Some(&leaves))).await.status, 204);
    assert!(left.rest().await.is_empty());
    house.shutdown.cancel();
    assert!(stayed.rest().await.is_empty());
}

#[tokio::test]
async fn streams_of_jobs_take_the_same_seats_as_all_others() {
    let house = House::new().await;
    let (token, other) = (house.token(1, Tier::Yellow, false).await, house.token(2, Tier::Yellow, false).await);
    let (job, of_other) = (submit(&house, &token, LATER).await, submit(&house, &other, LATER).await);
    let path = format!("{job}/stream");
    let mut held = Vec::new();
    for at in 0..16 {
        let path = if at % 2 == 0 { "/api/stream" } else { &path };
        held.push(house.send(get(path, Some(&token))).await);
    }
    assert!(held.iter().all(|stream| stream.status() == 200));
    let full = house.ask(get(&path, Some(&token))).await;
    assert_eq!(full.problem(), (429, "rate_limited"));
    assert_eq!(full.headers[header::RETRY_AFTER], "5");
    assert_eq!(house.ask(get("/api/stream", Some(&token))).await.problem(), (429, "rate_limited"));
    assert_eq!(house.ask(get(&format!("{of_other}/stream"), Some(&token))).await.problem(), (404, "not_found"));

    open(&house, &other, &of_other).await;
    held.pop();
    open(&house, &token, &job).await;
}
