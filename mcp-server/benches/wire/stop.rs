//! The kill switch: how long until the last of what runs is called off, probed, recorded and answered.
//!
//! Calls and jobs wait on one server, and with PostgreSQL on a second one, which hears of the brake through the database.
//! It is timed from the moment in which the request to stop is sent to the last answer, so that request is in the figure.

use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use super::Plan;
use super::api::Connection;
use super::jarvis::Jarvis;
use super::row::{Row, doing, median, percentile, time};

const CALLS: usize = 32;
/// As many as a queue runs at once.
const JOBS: usize = 8;

pub(crate) fn measure(plan: Plan<'_>) {
    doing("the kill switch");
    let jarvis = Jarvis::start();
    let token = jarvis.token("bench", "yellow");
    row("on the server itself", plan, || brake(&jarvis, &jarvis, &token));
    drop(jarvis);
    let Ok(server) = std::env::var("JARVIS_TEST_POSTGRES") else { return };
    let database = Database::new(server);
    let one = Jarvis::start_on(&[("JARVIS_DATABASE", &database.url)], None);
    let other = Jarvis::start_on(&[("JARVIS_DATABASE", &database.url)], Some(&one));
    let token = one.token("bench", "yellow");
    row("thrown on another server (PostgreSQL)", plan, || brake(&one, &other, &token));
}

fn row(what: &str, plan: Plan<'_>, mut brake: impl FnMut() -> f64) {
    brake();
    let mut took: Vec<f64> = (0..plan.pick(20, 3)).map(|_| brake()).collect();
    let (p50, p99) = (median(took.iter().copied()), percentile(&mut took, 99));
    Row::new(format!("stop {CALLS} calls and {JOBS} jobs, {what}"))
        .clients(CALLS + JOBS)
        .latency(p50, p99)
        .goal("the last < 100 ms", time(p99), p99 < 100_000.0)
        .print();
}

/// Lets calls and jobs wait on one server, throws the switch on another, and answers after how many microseconds the last
/// of them was answered.
fn brake(thrown: &Jarvis, on: &Jarvis, token: &str) -> f64 {
    let mut jobs = Vec::new();
    let mut client = Connection::new(&on.server.address, Some(token));
    for _ in 0..JOBS {
        let body = json!({ "tool": "wait", "args": waiting() });
        jobs.push(client.ask("POST", "/api/jobs", Some(&body))["id"].as_str().unwrap().to_owned());
    }
    let took = std::thread::scope(|scope| {
        let mut ends = Vec::new();
        for _ in 0..CALLS {
            ends.push(scope.spawn(|| {
                let mut client = Connection::new(&on.server.address, Some(token));
                let answer = client.ask("POST", "/api/call", Some(&json!({ "tool": "wait", "args": waiting() })));
                (Instant::now(), answer)
            }));
        }
        for id in jobs {
            ends.push(scope.spawn(move || {
                let mut client = Connection::new(&on.server.address, Some(token));
                let answer = client.ask_waiting("GET", &format!("/api/jobs/{id}"), 50);
                (Instant::now(), answer)
            }));
        }
        let mut operator = thrown.operator();
        while running(&mut operator) < CALLS + JOBS {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let begun = Instant::now();
        operator.ask("POST", "/api/kill", Some(&json!({})));
        let last = ends.into_iter().map(|end| {
            let (at, answer) = end.join().unwrap();
            assert_eq!(answer["state"], "cancelled", "{answer}");
            at
        });
        last.max().unwrap() - begun
    });
    thrown.operator().ask("DELETE", "/api/kill", None);
    // The other server hears of the release as it heard of the brake.
    let mut operator = on.operator();
    while operator.ask("GET", "/api/status", None)["kill"] != "off" {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    took.as_secs_f64() * 1e6
}

/// No two alike: the third of its kind would be asked.
fn waiting() -> Value {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    json!({ "name": NEXT.fetch_add(1, Ordering::Relaxed).to_string(), "millis": 60_000 })
}

/// Calls that were begun since the switch was released.
fn running(operator: &mut Connection) -> usize {
    let page = operator.ask("GET", "/api/history?limit=400", None);
    // Newest first; what was called off in the round before lies behind.
    let rows = page["events"].as_array().unwrap().iter().take_while(|row| row["kind"] != "kill.off");
    rows.filter(|row| row["kind"] == "call.intent").count()
}

/// A database of its own on the server that is there. Gone when it is let go.
struct Database {
    server: String,
    name: String,
    url: String,
}

impl Database {
    fn new(server: String) -> Self {
        let name = format!("jarvis_bench_{}", std::process::id());
        let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
        let database = Self { server, name, url };
        database.say(&format!("create database {} encoding 'UTF8' template template0", database.name));
        database
    }

    fn say(&self, sql: &str) {
        let said = Command::new("psql").args([&self.server, "-qc", sql]).output().unwrap();
        assert!(said.status.success(), "{said:?}");
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.say(&format!("drop database if exists {} with (force)", self.name));
    }
}
