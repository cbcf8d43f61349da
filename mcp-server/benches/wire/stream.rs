//! A thousand event streams at once: what they cost, and how late an event comes.
//!
//! A token sees its own events, so a call is told to the sixteen streams of its token, while the server looks at each
//! event for all of them. It is timed from the moment in which the call is sent, so the call is in the figure.

use std::io::Write as _;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Poll};

use super::Plan;
use super::api;
use super::contestant::Server;
use super::jarvis::Jarvis;
use super::leash;
use super::load::{self, SILENCE};
use super::rest::settled;
use super::row::{Row, doing, median, percentile, time};

/// As many as one caller may have.
const EACH: usize = 16;
const TOKENS: usize = 63;
/// What an event begins with on the wire.
const EVENT: &[u8] = b"event: event\n";

struct Bench {
    poll: Poll,
    /// First the connections for calls, one of each token; then the streams of the first token, and so on.
    open: Vec<TcpStream>,
    /// Of each, what came and was not counted: it could be the beginning of an event.
    rest: Vec<Vec<u8>>,
    requests: Vec<Vec<u8>>,
}

pub(crate) fn measure(plan: Plan<'_>) {
    doing("a thousand event streams");
    let jarvis = Jarvis::start();
    let server = &jarvis.server;
    leash::many_files();
    let requests = (0..TOKENS).map(|index| jarvis.token(&format!("bench {index}"), "green"));
    let mut bench = Bench::new(&jarvis, requests.collect());
    let rounds = |bench: &mut Bench, burst: bool, count: usize| -> Vec<Vec<f64>> {
        let round = |bench: &mut Bench| (0..count).flat_map(|index| bench.told(index, burst)).collect();
        (0..Plan::ROUNDS).map(|_| round(bench)).collect()
    };
    // What the first calls need is no cost of a stream.
    rounds(&mut bench, true, plan.pick(20, 4));
    let before = settled(server).0;
    let calm = bench.subscribe(server);
    let held = settled(server).0;
    let single = rounds(&mut bench, false, plan.pick(200, 40));
    let burst = rounds(&mut bench, true, plan.pick(20, 4));
    let after = settled(server).0;
    let streams = TOKENS * EACH;
    let each = |with: f64| (with - before) * 1024.0 / streams as f64;
    Row::new(format!("{streams} event streams"))
        .clients(streams)
        .memory(after)
        .told(format!("{:.0} KiB each at rest, {:.0} KiB after events; opened in {calm:.1} s", each(held), each(after)))
        .print();
    for (what, mut rounds) in [("call to its 16 streams, of", single), ("63 calls at once to all", burst)] {
        let p50 = median(rounds.iter_mut().map(|round| percentile(round, 50)));
        let p99 = median(rounds.iter_mut().map(|round| percentile(round, 99)));
        let row = Row::new(format!("{what} {streams}")).clients(streams).latency(p50, p99);
        row.goal("p99 ≤ 50 ms", time(p99), p99 <= 50_000.0).print();
    }
}

impl Bench {
    /// Connections for calls, one of each token.
    fn new(jarvis: &Jarvis, tokens: Vec<String>) -> Self {
        let mut bench = Self { poll: Poll::new().unwrap(), open: Vec::new(), rest: Vec::new(), requests: Vec::new() };
        for token in tokens {
            bench.requests.push(jarvis.echo(&token));
            bench.open(&jarvis.server, None);
        }
        bench
    }

    fn open(&mut self, server: &Server, first: Option<&[u8]>) {
        let mut stream = std::net::TcpStream::connect(&server.address).unwrap();
        if let Some(first) = first {
            stream.write_all(first).unwrap();
        }
        self.open.push(load::connected(&self.poll, self.open.len(), stream));
        self.rest.push(Vec::new());
    }

    /// Opens all streams and waits until each stands. Answers how many seconds that took.
    fn subscribe(&mut self, server: &Server) -> f64 {
        let begun = Instant::now();
        for index in 0..TOKENS * EACH {
            let call = String::from_utf8(self.requests[index / EACH].clone()).unwrap();
            let bearer = call.split("Bearer ").nth(1).unwrap().split('\r').next().unwrap();
            let request = api::request(&server.address, Some(bearer), "GET", "/api/stream", "", None);
            self.open(server, Some(&request));
        }
        let mut stand = 0;
        self.until(
            |_, count| {
                stand += count;
                stand == TOKENS * EACH
            },
            b"event: hello\n",
        );
        begun.elapsed().as_secs_f64()
    }

    /// Makes a call, or one of each token, and answers after how many microseconds each stream had its event.
    fn told(&mut self, index: usize, burst: bool) -> Vec<f64> {
        let callers = if burst { 0..TOKENS } else { index % TOKENS..index % TOKENS + 1 };
        let streams = self.open.len() - TOKENS;
        let mut sent = [None; TOKENS];
        for caller in callers.clone() {
            sent[caller] = Some(Instant::now());
            let request = self.requests[caller].clone();
            self.open[caller].write_all(&request).unwrap();
        }
        let expected = callers.len() * if streams > 0 { EACH } else { 0 };
        let (mut took, mut answered) = (Vec::with_capacity(expected), 0);
        self.until(
            |open, count| {
                match open.checked_sub(TOKENS) {
                    None => answered += 1,
                    Some(stream) => {
                        let begun: Option<Instant> = sent[stream / EACH];
                        let late = begun.expect("an event of somebody else").elapsed().as_secs_f64() * 1e6;
                        took.extend(std::iter::repeat_n(late, count));
                    }
                }
                answered >= callers.len() && took.len() >= expected
            },
            EVENT,
        );
        assert_eq!(took.len(), expected, "an event came twice");
        took
    }

    /// Reads until enough has come; `seen` is told who got how many.
    fn until(&mut self, mut seen: impl FnMut(usize, usize) -> bool, wanted: &[u8]) {
        let mut events = Events::with_capacity(256);
        let longest = Instant::now() + Duration::from_secs(30);
        let mut enough = false;
        while !enough {
            assert!(Instant::now() < longest, "not all of it came within half a minute");
            self.poll.poll(&mut events, Some(SILENCE)).unwrap();
            for event in &events {
                let index = event.token().0;
                load::read(&mut self.open[index], &mut self.rest[index]);
                let count =
                    if index < TOKENS { answered(&mut self.rest[index]) } else { count(&mut self.rest[index], wanted) };
                enough = (count > 0 && seen(index, count)) || enough;
            }
        }
    }
}

/// One, once the answer of a call is whole.
fn answered(rest: &mut Vec<u8>) -> usize {
    if !load::whole(rest) {
        return 0;
    }
    assert!(rest.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(rest));
    rest.clear();
    1
}

/// How often it stands in what came, also where that was cut in two.
fn count(rest: &mut Vec<u8>, wanted: &[u8]) -> usize {
    let (mut found, mut at) = (0, 0);
    while let Some(next) = rest[at..].windows(wanted.len()).position(|window| window == wanted) {
        found += 1;
        at += next + wanted.len();
    }
    let kept = (rest.len() - at).min(wanted.len() - 1);
    rest.drain(..rest.len() - kept);
    found
}
