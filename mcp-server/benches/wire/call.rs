//! Green calls in default and in strict mode and yellow ones, beside bare servers.
//!
//! A yellow call is `job_cancel` of a job that has ended: it has no effect, so it shows what the gate costs. Each one
//! takes a job of its own, because the third of its kind would be asked; so a round of them is so many calls, and no
//! time.

use std::time::Duration;

use serde_json::json;

use super::contestant::{Server, directory};
use super::jarvis::Jarvis;
use super::load::{self, Asked, Until};
use super::row::{Row, doing, median, percentile};
use super::{Plan, api, job, stock};

const CLIENTS: [usize; 3] = [1, 16, 128];

/// Places of those that others are compared with, and of those that are.
const JARVIS: usize = 0;
const RMCP: usize = 1;
const STRICT: usize = 3;
const YELLOW: usize = 4;
const CHAINED: usize = 5;

/// A contestant.
struct Contestant<'a> {
    name: String,
    server: &'a Server,
    asks: Asks,
}

/// What it is asked in a round.
enum Asks {
    /// The same for so long.
    Echo(Vec<u8>, Duration),
    /// Some of these, each of them once.
    Cancel(Vec<Vec<u8>>),
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
    let (jarvis, strict, yellow) = (Jarvis::start(), Jarvis::start(), Jarvis::start());
    strict.set("audit_reads", "fsync".into());
    let rows = directory();
    let (rmcp, stream, chained) = (stock::rmcp(true), stock::rmcp(false), stock::chained_row(rows.path()));
    let bare = [("TypeScript SDK", stock::typescript()), ("Python SDK", stock::python())];
    let echo = |server: &Server| api::tools_call(&server.address, None, "echo", &json!({ "text": "hello" }));
    let governed = |jarvis: &Jarvis| jarvis.echo(&jarvis.token("bench", "green"));
    let (round, durable) = (plan.round(), plan.durable_round());
    // In the order of their places.
    let mut contestants = vec![
        Contestant::green("jarvis", &jarvis.server, governed(&jarvis), round),
        Contestant::green("rmcp alone, in one piece", &rmcp, echo(&rmcp), round),
        Contestant::green("rmcp alone, as it comes", &stream, echo(&stream), round),
        Contestant::green("jarvis, strict", &strict.server, governed(&strict), durable),
        Contestant::yellow(&yellow, plan),
        Contestant::green("bare handler, a fsynced chained row", &chained, echo(&chained), durable),
    ];
    for (name, server) in &bare {
        match server {
            Ok(server) => contestants.push(Contestant::green(name, server, echo(server), round)),
            Err(why) => Row::new(format!("green call, {name}")).told(format!("not measured: {why}")).print(),
        }
    }
    let mut own = Vec::new();
    for clients in CLIENTS {
        doing(&format!("calls of {clients} clients"));
        own.push(among(&mut contestants, clients, plan));
    }
    let words: Vec<_> = CLIENTS.iter().zip(own).map(|(clients, own)| format!("{own:.1} at {clients}")).collect();
    println!("note\tThe clients are one thread; a call costs it (µs of CPU): {}.", words.join(", "));
}

/// Measures them in turns, prints a row of each, and answers what a call cost the clients.
fn among(contestants: &mut [Contestant<'_>], clients: usize, plan: Plan<'_>) -> f64 {
    let mut rounds: Vec<Vec<Round>> = contestants.iter().map(|_| Vec::new()).collect();
    for round in 0..=Plan::ROUNDS {
        for (contestant, rounds) in contestants.iter_mut().zip(&mut rounds) {
            let measured = contestant.round(clients, plan);
            // The first one only warms up.
            if round > 0 {
                rounds.push(measured);
            }
        }
    }
    let of = |index: usize, part: fn(&Round) -> f64| median(rounds[index].iter().map(part));
    // Round by round: what disturbs the machine disturbs both halves of a ratio.
    let ratio = |of: usize, to: usize, part: fn(&Round) -> f64| {
        median(rounds[of].iter().zip(&rounds[to]).map(|(ours, theirs)| part(ours) / part(theirs)))
    };
    let beside = |of: usize, to: usize| (ratio(of, to, |round| round.rate), ratio(of, to, |round| round.cpu));
    for (index, contestant) in contestants.iter().enumerate() {
        let row = Row::new(&*contestant.name)
            .clients(clients)
            .rate(of(index, |round| round.rate))
            .latency(of(index, |round| round.p50), of(index, |round| round.p99))
            .cpu(of(index, |round| round.cpu))
            .memory(of(index, |round| round.memory));
        let (rate, cpu) = beside(index, if index == JARVIS { RMCP } else { CHAINED });
        let told = format!("{rate:.2} ×, {cpu:.2} ×");
        match (index, clients) {
            (JARVIS, 1) => {
                let p50 = of(JARVIS, |round| round.p50);
                row.goal("p50 ≤ 150 µs", format!("{p50:.0} µs ({told} of rmcp)"), p50 <= 150.0)
            }
            (JARVIS, 128) => row.goal("rate ≥ 2 ×, CPU ≤ 0.5 × of rmcp", told, rate >= 2.0 && cpu <= 0.5),
            (JARVIS, _) => row.told(format!("rate {rate:.2} ×, CPU {cpu:.2} × of rmcp")),
            (STRICT | YELLOW, _) => row.told(format!("rate {rate:.2} ×, CPU {cpu:.2} × of the bare row")),
            _ => row,
        }
        .print();
    }
    of(JARVIS, |round| round.own)
}

/// Calls of a round of yellow ones.
fn yellow_calls(clients: usize, plan: Plan<'_>) -> usize {
    (clients * plan.pick(10, 2)).max(plan.pick(200, 40))
}

impl<'a> Contestant<'a> {
    fn green(name: &str, server: &'a Server, request: Vec<u8>, round: Duration) -> Self {
        Self { name: format!("green call, {name}"), server, asks: Asks::Echo(request, round) }
    }

    /// Prepares what all rounds need.
    fn yellow(jarvis: &'a Jarvis, plan: Plan<'_>) -> Self {
        doing("ended jobs for the yellow calls");
        let token = jarvis.token("effects", "yellow");
        // Yellow runs unasked at this level.
        jarvis.set("autonomy", json!({ "default": 3, "rules": [] }));
        let of_a_round: usize = CLIENTS.iter().map(|clients| yellow_calls(*clients, plan)).sum();
        let server = &jarvis.server;
        let cancel =
            |job: &String| api::tools_call(&server.address, Some(&token), "job_cancel", &json!({ "job": job }));
        let requests = job::ended(jarvis, &token, of_a_round * (Plan::ROUNDS + 1)).iter().map(cancel).collect();
        Self { name: "yellow call, jarvis, without an effect".to_owned(), server, asks: Asks::Cancel(requests) }
    }

    fn round(&mut self, clients: usize, plan: Plan<'_>) -> Round {
        let (requests, until, part) = match &mut self.asks {
            Asks::Echo(request, round) => (vec![request.clone()], Until::Passed(*round), b"hello".as_slice()),
            Asks::Cancel(left) => {
                let count = yellow_calls(clients, plan);
                let requests = left.split_off(left.len() - count);
                (requests, Until::Answered(count), b"\"isError\":false".as_slice())
            }
        };
        let asked = Asked { requests: &requests, status: b"HTTP/1.1 200", part };
        let before = self.server.cpu();
        let mut took = load::run(&self.server.address, &asked, clients, until);
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
