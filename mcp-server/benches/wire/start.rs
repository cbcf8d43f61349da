//! From the start of the process to the first answer: on a new directory, on one that was there, and on one with very
//! many jobs.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use super::Plan;
use super::contestant::{Server, directory};
use super::jarvis;
use super::row::{Row, doing, median, percentile, time};

const STARTS: usize = 10;

pub(crate) fn measure(plan: Plan<'_>) {
    doing("the start");
    let empty = directory();
    first_answer(empty.path());
    // A copy would be as large again, and the measurement leaves it as it was but for ten starts in the audit.
    let full = plan.full.map(Path::new);
    full.map(first_answer);
    let mut took: [Vec<f64>; 3] = Default::default();
    for _ in 0..STARTS {
        let new = directory();
        for (took, data) in took.iter_mut().zip([Some(new.path()), Some(empty.path()), full]) {
            took.extend(data.map(first_answer));
        }
    }
    let [new, empty, full] = &mut took;
    row("first answer, new directory", new, "≤ 25 ms", 25_000.0);
    row("first answer, empty database", empty, "≤ 25 ms", 25_000.0);
    if !full.is_empty() {
        let jobs = plan.pick("1,000,000", "20,000 (a million are meant)");
        row(&format!("first answer, ended jobs: {jobs}"), full, "≤ 150 ms", 150_000.0);
    }
}

fn row(what: &str, took: &mut [f64], goal: &str, most: f64) {
    let p50 = median(took.iter().copied());
    Row::new(what).latency(p50, percentile(took, 99)).goal(goal, time(p50), p50 <= most).print();
}

/// Microseconds from starting the program to the first 200 of `/healthz`.
fn first_answer(data: &Path) -> f64 {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut command = jarvis::command(data);
    command.args(["serve", "--listen", &address]);
    let begun = Instant::now();
    let mut server = Server::start_at(&mut command, address);
    let longest = begun + Duration::from_secs(60);
    while !healthy(&server.address) {
        assert!(server.lives(), "the server ended before it answered");
        assert!(Instant::now() < longest, "no answer within a minute");
        std::thread::sleep(Duration::from_micros(200));
    }
    let took = begun.elapsed();
    server.stop();
    took.as_secs_f64() * 1e6
}

fn healthy(address: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let mut answer = Vec::new();
    stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_end(&mut answer)).is_ok()
        && answer.starts_with(b"HTTP/1.1 200")
}
