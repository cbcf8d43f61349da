//! Schedules over HTTP: made, changed, paused and removed by their own, and what makes no sense is named.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

mod world;

use jarvis_safety::Tier;
use jarvis_safety::port::Feed as _;
use serde_json::{Value, json};
use world::house::{Answer, House, actor_of, delete, get, post, send};

fn nightly() -> Value {
    json!({ "name": "nightly", "tool": "demo_read", "args": { "name": "a" }, "cron": "30 4 * * *", "zone": "Europe/Berlin" })
}

fn with_field(field: &str, value: Value) -> String {
    let mut body = nightly();
    body[field] = value;
    body.to_string()
}

async fn create(house: &House, bearer: &str, body: &str) -> Answer {
    house.ask(post("/api/schedules", Some(bearer), body)).await
}

async fn change(house: &House, bearer: &str, place: &str, body: &str) -> Answer {
    house.ask(send("PUT", place, Some(bearer), body)).await
}

fn place(schedule: &Value) -> String {
    format!("/api/schedules/{}", schedule["id"].as_str().unwrap())
}

async fn listed(house: &House, bearer: &str) -> Vec<Value> {
    let list = house.ask(get("/api/schedules", Some(bearer))).await;
    assert_eq!(list.status, 200, "{}", list.text);
    list.body["schedules"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_schedule_is_made_changed_paused_and_removed_and_each_leaves_a_row() {
    let house = House::new().await;
    let operator = house.operator().await;
    let made = create(&house, &operator, &nightly().to_string()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(house.newest().await.0, "schedule.saved");
    let made = made.body;
    assert_eq!((made["name"].as_str(), made["actor"].as_str()), (Some("nightly"), Some("operator")));
    assert_eq!(made["payload"], json!({ "tool": "demo_read", "args": { "name": "a" } }));
    assert_eq!((&made["cron"], &made["zone"]), (&json!("30 4 * * *"), &json!("Europe/Berlin")));
    assert_eq!((&made["catch_up"], &made["active"]), (&json!(0), &json!(true)));
    // The clock stands at 2026-11-18T09:06:40Z; half past four in Berlin is half past three there.
    assert_eq!(made["next_at"], json!(1_795_059_000_000_i64));
    assert_eq!(listed(&house, &operator).await, std::slice::from_ref(&made));

    let changed = change(&house, &operator, &place(&made), &with_field("catch_up", json!(3))).await;
    assert_eq!((changed.status.as_u16(), &changed.body["catch_up"]), (200, &json!(3)));
    let paused = change(&house, &operator, &place(&made), &with_field("active", json!(false))).await.body;
    assert_eq!((&paused["active"], &paused["catch_up"], paused.get("next_at")), (&json!(false), &json!(0), None));
    assert_eq!(paused["created_at"], made["created_at"]);
    assert_eq!(listed(&house, &operator).await, [paused], "it is still the same one");

    assert_eq!(house.ask(delete(&place(&made), Some(&operator))).await.status, 204);
    assert_eq!(house.newest().await.0, "schedule.removed");
    assert!(listed(&house, &operator).await.is_empty());
    assert_eq!(house.ask(delete(&place(&made), Some(&operator))).await.problem(), (404, "not_found"));
    let late = change(&house, &operator, &place(&made), &nightly().to_string()).await;
    assert_eq!(late.problem(), (404, "not_found"));
}

#[tokio::test]
async fn a_run_is_a_job_of_whoever_made_the_schedule() {
    let house = House::new().await;
    let (operator, token) = (house.operator().await, house.token(1, Tier::Green, false).await);
    let made = create(&house, &token, &with_field("cron", json!("* * * * *"))).await.body;
    house.clock.turn(made["next_at"].as_i64().unwrap() - made["created_at"].as_i64().unwrap());
    // The worker looks at the clock when something is handed in.
    let mut rows = house.subscribe();
    let read = r#"{"tool":"demo_read","args":{"name":"b"}}"#;
    assert_eq!(house.ask(post("/api/jobs", Some(&operator), read)).await.status, 202);
    loop {
        let row = rows.recv().await.unwrap();
        if row.kind.as_str() == "job.done" && row.owner == actor_of(1) {
            break;
        }
    }
    let path = format!("/api/jobs?schedule={}", made["id"].as_str().unwrap());
    let jobs = house.ask(get(&path, Some(&operator))).await.body["jobs"].as_array().unwrap().clone();
    assert_eq!(jobs.len(), 1);
    assert_eq!((&jobs[0]["schedule"], &jobs[0]["actor"]), (&made["id"], &json!(actor_of(1).as_str())));
    assert_eq!((&jobs[0]["face"], &jobs[0]["answer"]["words"]), (&json!("schedule"), &json!("a")));
    let after = &listed(&house, &token).await[0];
    assert_eq!(after["last_at"], made["next_at"]);
    assert!(after["next_at"].as_i64() > made["next_at"].as_i64());
}

#[tokio::test]
async fn a_schedule_that_makes_no_sense_is_refused_what_is_wrong_is_named_and_nothing_is_kept() {
    let house = House::new().await;
    let operator = house.operator().await;
    let made = create(&house, &operator, &nightly().to_string()).await.body;
    let bad = [
        ("cron", json!("61 * * * *"), "cron: "),
        ("cron", json!("* * * * * *"), "cron: "),
        ("cron", json!(""), "cron: "),
        ("cron", json!("0 0 30 2 *"), "cron: "),
        ("cron", json!(7), "expected a string at line 1 column"),
        ("zone", json!("Mars/Olympus"), "zone: "),
        ("zone", json!(""), "zone: "),
        ("catch_up", json!(101), "catch_up is 101"),
        ("catch_up", json!(-1), "expected u32 at line 1 column"),
        ("active", json!("yes"), "expected a boolean at line 1 column"),
        ("name", json!(" "), "needs a name"),
        ("tool", json!("no_such"), "no_such"),
        ("args", json!({ "name": "a", "force": true }), "`force`"),
        ("args", json!([]), "JSON object"),
        ("often", json!(true), "`often`"),
    ];
    for (field, value, named) in bad {
        let body = with_field(field, value);
        for answer in [create(&house, &operator, &body).await, change(&house, &operator, &place(&made), &body).await] {
            assert_eq!(answer.problem(), (400, "invalid_arguments"), "{body}: {}", answer.text);
            let said = answer.body["detail"].as_str().unwrap();
            assert!(said.contains(named), "{body}: {said}");
        }
        assert_eq!(house.newest().await.0, "call.refused", "{body}");
    }
    let secret = r#"{"name":"n","tool":"demo_tend","args":{"name":"a","code":"hunter2"},"cron":"0 4 * * *"}"#;
    let refused = create(&house, &operator, secret).await;
    assert_eq!(refused.problem(), (400, "invalid_arguments"));
    assert!(refused.text.contains("a secret cannot wait") && !refused.text.contains("hunter2"), "{}", refused.text);
    assert_eq!(listed(&house, &operator).await, [made]);
}

#[tokio::test]
async fn a_token_cannot_touch_the_schedule_of_another_and_the_operator_may_change_any_for_its_owner() {
    let house = House::new().await;
    let operator = house.operator().await;
    let (one, other) = (house.token(1, Tier::Green, false).await, house.token(2, Tier::Green, false).await);
    let made = create(&house, &one, &nightly().to_string()).await.body;
    assert_eq!(made["actor"], actor_of(1).as_str());
    let before = house.head();
    let changed = change(&house, &other, &place(&made), &nightly().to_string()).await;
    assert_eq!(changed.problem(), (404, "not_found"));
    assert_eq!(house.ask(delete(&place(&made), Some(&other))).await.problem(), (404, "not_found"));
    assert!(listed(&house, &other).await.is_empty());
    let told = house.rows().await.into_iter().filter(|row| row.seq > before);
    assert!(told.clone().all(|row| row.kind.as_str() == "call.refused" && row.actor == actor_of(2)), "{told:?}");
    assert_eq!(listed(&house, &one).await, std::slice::from_ref(&made));

    let changed = change(&house, &operator, &place(&made), &with_field("name", json!("weekly"))).await.body;
    assert_eq!((&changed["name"], &changed["actor"]), (&json!("weekly"), &made["actor"]));
    assert_eq!(listed(&house, &one).await, [changed]);
    assert_eq!(house.ask(delete(&place(&made), Some(&operator))).await.status, 204);
    assert!(listed(&house, &one).await.is_empty());
}
