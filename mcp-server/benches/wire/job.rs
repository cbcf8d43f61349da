//! Durable jobs over HTTP: handed in, and carried out. In process they are measured by `memory/benches/job.rs`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Plan;
use super::api::{self, Connection};
use super::jarvis::Jarvis;
use super::load::{self, Asked, Until};
use super::row::{Row, doing, median, percentile};

/// Submissions a second while the wait for a worker is measured: a rate that leaves room.
const CALM: u32 = 500;

struct Round {
    rate: f64,
    p50: f64,
    p99: f64,
    cpu: f64,
    whole: f64,
    memory: f64,
}

pub(crate) fn measure(plan: Plan<'_>) {
    let jarvis = Jarvis::start();
    let token = jarvis.token("bench", "green");
    for clients in [16, 128] {
        doing(&format!("jobs over HTTP of {clients} clients"));
        let jobs = plan.pick(5_000, 1_000);
        let rounds: Vec<_> = (0..=Plan::ROUNDS).map(|_| round(&jarvis, &token, clients, jobs)).skip(1).collect();
        let of = |part: fn(&Round) -> f64| median(rounds.iter().map(part));
        Row::new("job handed in over HTTP, others running")
            .clients(clients)
            .rate(of(|round| round.rate))
            .latency(of(|round| round.p50), of(|round| round.p99))
            .print();
        let row = Row::new("job of `echo`, handed in to ended").clients(clients).rate(of(|round| round.whole));
        row.cpu(of(|round| round.cpu)).memory(of(|round| round.memory)).print();
    }
    doing("how soon a job is begun");
    let jobs = plan.pick(1_500, 300);
    let mut rounds: Vec<_> = (0..Plan::ROUNDS).map(|_| pickup(&jarvis, &token, jobs)).collect();
    let p50 = median(rounds.iter_mut().map(|round| percentile(round, 50)));
    let p99 = median(rounds.iter_mut().map(|round| percentile(round, 99)));
    Row::new(format!("job over HTTP, kept to begun, {CALM} a second"))
        .clients(1)
        .latency(p50, p99)
        .goal("p99 ≤ 10 ms", format!("{:.0} ms (told in whole ms)", p99 / 1000.0), p99 <= 10_000.0)
        .print();
}

fn submission(address: &str, token: &str) -> Vec<u8> {
    let body = json!({ "tool": "echo", "args": { "text": "hello" } });
    api::request(address, Some(token), "POST", "/api/jobs", "", Some(&body))
}

fn submit(jarvis: &Jarvis, token: &str, clients: usize, jobs: usize) -> load::Took {
    let requests = [submission(&jarvis.server.address, token)];
    let asked = Asked { requests: &requests, status: b"HTTP/1.1 202", part: b"\"state\":\"queued\"" };
    load::run(&jarvis.server.address, &asked, clients, Until::Answered(jobs))
}

fn round(jarvis: &Jarvis, token: &str, clients: usize, jobs: usize) -> Round {
    let (begun, before) = (Instant::now(), jarvis.server.cpu());
    let mut took = submit(jarvis, token, clients, jobs);
    drained(&mut jarvis.operator());
    let (whole, cpu) = (begun.elapsed(), jarvis.server.cpu().saturating_sub(before));
    Round {
        rate: jobs as f64 / took.spent.as_secs_f64(),
        p50: percentile(&mut took.each, 50),
        p99: percentile(&mut took.each, 99),
        cpu: cpu.as_secs_f64() * 1e6 / jobs as f64,
        whole: jobs as f64 / whole.as_secs_f64(),
        memory: jarvis.server.resident(),
    }
}

/// Waits until nothing is open any more.
fn drained(operator: &mut Connection) {
    let longest = Instant::now() + Duration::from_secs(120);
    loop {
        let counts = operator.ask("GET", "/api/jobs?limit=1", None)["counts"].clone();
        if counts["queued"] == 0 && counts["running"] == 0 {
            return;
        }
        assert!(Instant::now() < longest, "the jobs did not end within two minutes: {counts}");
        // The question costs the server more than a job does, so it is asked seldom.
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Jobs that have ended.
pub(crate) fn ended(jarvis: &Jarvis, token: &str, jobs: usize) -> Vec<String> {
    submit(jarvis, token, 16, jobs);
    let mut operator = jarvis.operator();
    drained(&mut operator);
    listed(&mut operator, jobs).iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
}

/// The newest jobs.
fn listed(operator: &mut Connection, most: usize) -> Vec<Value> {
    let mut jobs: Vec<Value> = Vec::new();
    while jobs.len() < most {
        let before = jobs.last().map(|job| format!("&before={}", job["id"].as_str().unwrap())).unwrap_or_default();
        let page = operator.ask("GET", &format!("/api/jobs?limit=200{before}"), None);
        let page = page["jobs"].as_array().unwrap();
        assert!(!page.is_empty(), "there are only {} jobs", jobs.len());
        jobs.extend(page.iter().cloned());
    }
    jobs.truncate(most);
    jobs
}

/// From when a job was kept to when it was begun, in microseconds.
fn pickup(jarvis: &Jarvis, token: &str, jobs: u32) -> Vec<f64> {
    let mut client = Connection::new(&jarvis.server.address, None);
    let (request, begun) = (submission(&jarvis.server.address, token), Instant::now());
    for index in 0..jobs {
        let due = Duration::from_secs(1) * index / CALM;
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
        let answer = client.send(&request);
        assert!(answer.starts_with(b"HTTP/1.1 202"), "{}", String::from_utf8_lossy(&answer));
    }
    let mut operator = jarvis.operator();
    drained(&mut operator);
    let at = |job: &Value, field: &str| job[field].as_i64().unwrap_or_else(|| panic!("no {field} in {job}"));
    let waited = |job: &Value| (at(job, "started_at") - at(job, "created_at")) as f64 * 1000.0;
    listed(&mut operator, jobs as usize).iter().map(waited).collect()
}
