//! Memory: at rest, and what stays of many calls and of sessions that nobody closed.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::Plan;
use super::api::{self, Connection};
use super::contestant::{Server, directory};
use super::jarvis::{self, Jarvis};
use super::load::{self, Asked, Until};
use super::row::{Row, doing};

/// More than this is growth: less comes and goes by itself.
const NOISE: f64 = 1.0;

pub(crate) fn measure(plan: Plan<'_>) {
    doing("memory");
    let data = directory();
    let idle = Server::start(jarvis::command(data.path()).args(["serve", "--listen", "127.0.0.1:0"]));
    let (resident, proportional) = settled(&idle);
    drop(idle);
    let jarvis = Jarvis::start();
    let token = jarvis.token("bench", "green");
    // One of them is `echo`, which is not there by default.
    let tools = tools(&jarvis) - 1;
    Row::new(format!("memory at rest with {tools} tools (200 are meant)"))
        .memory(resident)
        .goal("RSS ≤ 20 MiB", format!("{resident:.1} MiB, PSS {proportional:.1}"), resident <= 20.0)
        .print();
    let calls = plan.pick(100_000, 10_000);
    grown(&jarvis, "calls", calls, &jarvis.echo(&token), b"hello");
    let sessions = plan.pick(10_000, 1_000);
    let opening = api::initialize(&jarvis.server.address, &token);
    grown(&jarvis, "abandoned sessions of 2025-11-25", sessions, &opening, b"protocolVersion");
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
