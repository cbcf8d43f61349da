//! What a governed `tools/call` costs over HTTP, beside bare servers in the same run: `cargo xtask bench`. Rounds
//! alternate between the contestants, and each figure is the median of its rounds. Prints and asserts nothing.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a measurement, not a product")]

mod contestant;
mod load;
mod reference;

use std::time::Duration;

use contestant::Contestant;
use load::Figures;

/// Rounds of each contestant at each number of clients.
const ROUNDS: usize = 5;
/// Length of one round.
const ROUND: Duration = Duration::from_secs(2);
const CLIENTS: [usize; 3] = [1, 16, 128];

fn main() {
    if std::env::args().any(|word| word == reference::FLAG) {
        return reference::serve();
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let rounds = number("BENCH_ROUNDS").unwrap_or(ROUNDS);
    let mut contestants = Contestant::all();
    println!(
        "{:<34} {:>7} {:>10} {:>9} {:>9} {:>10} {:>9}",
        "server", "clients", "calls/s", "p50 µs", "p99 µs", "CPU µs", "RSS MiB"
    );
    for clients in CLIENTS {
        let mut figures: Vec<Vec<Figures>> = contestants.iter().map(|_| Vec::new()).collect();
        for round in 0..=rounds {
            for (contestant, figures) in contestants.iter_mut().zip(&mut figures) {
                let measured = contestant.round(clients, ROUND);
                // The first one only warms up.
                if round > 0 {
                    figures.push(measured);
                }
            }
        }
        for (contestant, figures) in contestants.iter().zip(figures) {
            let of = |part: fn(&Figures) -> f64| load::median(figures.iter().map(part));
            println!(
                "{:<34} {clients:>7} {:>10.0} {:>9.0} {:>9.0} {:>10.1} {:>9.1}",
                contestant.name,
                of(|figures| figures.rate),
                of(|figures| figures.p50),
                of(|figures| figures.p99),
                of(|figures| figures.cpu),
                contestant.memory(),
            );
        }
    }
}

fn number(variable: &str) -> Option<usize> {
    std::env::var(variable).ok()?.parse().ok()
}
