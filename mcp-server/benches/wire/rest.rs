//! Memory: at rest, and what stays of many calls and of sessions that nobody closed.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::api::{self, Connection};
use super::contestant::Server;
use super::jarvis::Jarvis;
use super::load::{self, Asked, Until};
use super::row::{Row, doing};
use super::{Plan, reference, stock};

/// More than this is growth: less comes and goes by itself.
const NOISE: f64 = 1.0;
/// So many tools are meant where memory at rest is promised.
const MEANT: usize = 200;

pub(crate) fn measure(plan: Plan<'_>) {
    doing("memory");
    at_rest(Jarvis::start(), &[]);
    let others = [stock::rmcp(false), stock::rmcp(false)];
    at_rest(Jarvis::start(), &others);
    drop(others);
    let jarvis = Jarvis::start();
    let token = jarvis.token("bench", "green");
    let calls = plan.pick(100_000, 10_000);
    grown(&jarvis, "calls", calls, &jarvis.echo(&token), b"hello");
    let sessions = plan.pick(10_000, 1_000);
    let opening = api::initialize(&jarvis.server.address, &token);
    grown(&jarvis, "abandoned sessions of 2025-11-25", sessions, &opening, b"protocolVersion");
}

/// Mounts servers, starts anew, and weighs what came to rest. With two of them there are as many tools as are meant.
fn at_rest(jarvis: Jarvis, others: &[Server]) {
    for (index, other) in others.iter().enumerate() {
        mount(&jarvis, &format!("other{index}"), other);
    }
    let jarvis = jarvis.anew();
    let (resident, proportional) = settled(&jarvis.server);
    let (tools, mounted) = (tools(&jarvis), others.len() * reference::LISTED);
    assert!(tools > mounted, "only {tools} tools, though {mounted} were mounted");
    let came_to = format!("{resident:.1} MiB, PSS {proportional:.1}");
    let row = Row::new(format!("memory at rest with {tools} tools, {mounted} of them mounted")).memory(resident);
    let row = if tools < MEANT { row.told(came_to) } else { row.goal("RSS ≤ 20 MiB", came_to, resident <= 20.0) };
    row.print();
}

/// Mounts a server, and takes all of its tools as they are.
fn mount(jarvis: &Jarvis, name: &str, other: &Server) {
    let mut operator = jarvis.operator();
    let body = json!({ "url": format!("http://{}/mcp", other.address) });
    operator.ask("PUT", &format!("/api/mounts/{name}"), Some(&body));
    let longest = Instant::now() + Duration::from_secs(30);
    let found = loop {
        let list = operator.ask("GET", "/api/mounts", None);
        let mut mounts = list["mounts"].as_array().unwrap().iter();
        if let Some(mount) = mounts.find(|mount| mount["name"] == name && mount["state"] == "up") {
            break mount["tools"].clone();
        }
        assert!(Instant::now() < longest, "a server could not be mounted: {list}");
        std::thread::sleep(Duration::from_millis(20));
    };
    let review = |tool: &Value| json!({ "tool": tool["name"], "digest": tool["digest"], "tier": "green" });
    let reviews: Vec<_> = found.as_array().unwrap().iter().map(review).collect();
    operator.ask("POST", &format!("/api/mounts/{name}/reviews"), Some(&json!({ "reviews": reviews })));
}

/// Asks so often twice: the first time fills what is kept on purpose, the second shows what grows.
fn grown(jarvis: &Jarvis, what: &str, count: usize, request: &[u8], part: &[u8]) {
    let requests = [request.to_vec()];
    let asked = Asked { requests: &requests, status: b"HTTP/1.1 200", part };
    let after = [(), ()].map(|()| {
        load::run(&jarvis.server.address, &asked, 16, Until::Answered(count));
        settled(&jarvis.server).0
    });
    let more = after[1] - after[0];
    Row::new(format!("growth over {count} {what}, after as many"))
        .clients(16)
        .memory(after[1])
        .goal("none (≤ 1 MiB)", format!("{more:+.1} MiB"), more <= NOISE)
        .print();
}

/// RSS and PSS once the server has nothing to do any more.
pub(crate) fn settled(server: &Server) -> (f64, f64) {
    let longest = Instant::now() + Duration::from_secs(8);
    let mut before = server.cpu();
    loop {
        std::thread::sleep(Duration::from_millis(1_000));
        let now = server.cpu();
        let busy = now.saturating_sub(before);
        if busy < Duration::from_millis(2) || Instant::now() > longest {
            return (server.resident(), server.proportional());
        }
        before = now;
    }
}

fn tools(jarvis: &Jarvis) -> usize {
    let mut operator: Connection = jarvis.operator();
    operator.ask("GET", "/api/tools", None)["tools"].as_array().map_or(0, Vec::<Value>::len)
}
