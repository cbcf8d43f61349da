//! Green calls in default mode, beside bare servers.

use serde_json::json;

use super::contestant::Server;
use super::jarvis::Jarvis;
use super::load::{self, Asked, Until};
use super::row::{Row, doing, median, percentile};
use super::{Plan, api, stock};

const CLIENTS: [usize; 3] = [1, 16, 128];

/// A contestant.
struct Contestant<'a> {
    name: &'static str,
    server: &'a Server,
    request: Vec<u8>,
}

/// What one round came to.
struct Round {
    rate: f64,
    p50: f64,
    p99: f64,
    cpu: f64,
    memory: f64,
    /// CPU time of the clients, for one call.
    own: f64,
}

pub(crate) fn measure(plan: Plan<'_>) {
    let (jarvis, rmcp, stream) = (Jarvis::start(), stock::rmcp(true), stock::rmcp(false));
    let bare = [("TypeScript SDK", stock::typescript()), ("Python SDK", stock::python())];
    let echo = |server: &Server| api::tools_call(&server.address, None, "echo", &json!({ "text": "hello" }));
    let request = jarvis.echo(&jarvis.token("bench", "green"));
    let mut contestants = vec![
        Contestant { name: "jarvis", server: &jarvis.server, request },
        Contestant { name: "rmcp alone, in one piece", request: echo(&rmcp), server: &rmcp },
        Contestant { name: "rmcp alone, as it comes", request: echo(&stream), server: &stream },
    ];
    for (name, server) in &bare {
        match server {
            Ok(server) => contestants.push(Contestant { name, request: echo(server), server }),
            Err(why) => Row::new(format!("green call, {name}")).told(format!("not measured: {why}")).print(),
        }
    }
    let mut own = Vec::new();
    for clients in CLIENTS {
        doing(&format!("green calls of {clients} clients"));
        own.push(among(&contestants, clients, plan));
    }
    let words: Vec<_> = CLIENTS.iter().zip(own).map(|(clients, own)| format!("{own:.1} at {clients}")).collect();
    println!("note\tThe clients are one thread; a call costs it (µs of CPU): {}.", words.join(", "));
}

/// Measures them in turns, prints a row of each, and answers what a call cost the clients.
fn among(contestants: &[Contestant<'_>], clients: usize, plan: Plan<'_>) -> f64 {
    let mut rounds: Vec<Vec<Round>> = contestants.iter().map(|_| Vec::new()).collect();
    for round in 0..=Plan::ROUNDS {
        for (contestant, rounds) in contestants.iter().zip(&mut rounds) {
            let measured = contestant.round(clients, plan);
            // The first one only warms up.
            if round > 0 {
                rounds.push(measured);
            }
        }
    }
    let of = |index: usize, part: fn(&Round) -> f64| median(rounds[index].iter().map(part));
    for (index, contestant) in contestants.iter().enumerate() {
        let row = Row::new(format!("green call, {}", contestant.name))
            .clients(clients)
            .rate(of(index, |round| round.rate))
            .latency(of(index, |round| round.p50), of(index, |round| round.p99))
            .cpu(of(index, |round| round.cpu))
            .memory(of(index, |round| round.memory));
        // Round by round: what disturbs the machine disturbs both halves of a ratio.
        let ratio = |part: fn(&Round) -> f64| {
            median(rounds[0].iter().zip(&rounds[1]).map(|(ours, theirs)| part(ours) / part(theirs)))
        };
        let (rate, cpu) = (ratio(|round| round.rate), ratio(|round| round.cpu));
        let beside = format!("{rate:.2} ×, {cpu:.2} ×");
        match (index, clients) {
            (0, 1) => {
                let p50 = of(0, |round| round.p50);
                row.goal("p50 ≤ 150 µs", format!("{p50:.0} µs ({beside} of rmcp)"), p50 <= 150.0)
            }
            (0, 128) => row.goal("rate ≥ 2 ×, CPU ≤ 0.5 × of rmcp", beside, rate >= 2.0 && cpu <= 0.5),
            (0, _) => row.told(format!("rate {rate:.2} ×, CPU {cpu:.2} × of rmcp")),
            _ => row,
        }
        .print();
    }
    of(0, |round| round.own)
}

impl Contestant<'_> {
    fn round(&self, clients: usize, plan: Plan<'_>) -> Round {
        let requests = [self.request.clone()];
        let asked = Asked { requests: &requests, status: b"HTTP/1.1 200", part: b"hello" };
        let before = self.server.cpu();
        let mut took = load::run(&self.server.address, &asked, clients, Until::Passed(plan.round()));
        let cpu = self.server.cpu().saturating_sub(before);
        let calls = took.each.len() as f64;
        Round {
            rate: calls / took.spent.as_secs_f64(),
            p50: percentile(&mut took.each, 50),
            p99: percentile(&mut took.each, 99),
            cpu: cpu.as_secs_f64() * 1e6 / calls,
            memory: self.server.resident(),
            own: took.own.as_secs_f64() * 1e6 / calls,
        }
    }
}
