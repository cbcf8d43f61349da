//! How fast appends are: `cargo bench -p jarvis-memory`. Prints and asserts nothing. With `JARVIS_TEST_POSTGRES` they are
//! measured there too.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a measurement, not a product")]

#[path = "../tests/it/scratch.rs"]
mod scratch;
#[path = "../tests/it/world.rs"]
#[expect(dead_code, reason = "the tests use the rest of it")]
mod world;

use std::sync::Arc;
use std::time::Instant;

use jarvis_safety::event::EventKind;
use jarvis_safety::port::{Feed as _, Ledger as _};
use jarvis_safety::setting::AuditReads;

use scratch::Scratch;
use world::{World, read, row};

#[tokio::main]
async fn main() {
    measure("SQLite", false).await;
    if std::env::var("JARVIS_TEST_POSTGRES").is_ok() {
        measure("PostgreSQL", true).await;
    }
}

async fn world(postgres: bool) -> World {
    let scratch = if postgres { Some(Arc::new(Scratch::new().await)) } else { None };
    World::on(scratch).await
}

async fn measure(name: &str, postgres: bool) {
    println!("{name}");
    for (clients, rows, reads) in [
        (1, 2000, AuditReads::Wal),
        (128, 40_000, AuditReads::Wal),
        (1, 300, AuditReads::Fsync),
        (128, 20_000, AuditReads::Fsync),
    ] {
        let world = world(postgres).await;
        let begun = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..clients {
            let store = world.store.clone();
            tasks.spawn(async move {
                let mut took = Vec::new();
                for _ in 0..rows / clients {
                    let begun = Instant::now();
                    store.append(read("call_0123456789"), reads).await.unwrap();
                    took.push(begun.elapsed());
                }
                took
            });
        }
        let mut took: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
        let spent = begun.elapsed();
        took.sort();
        let rate = took.len() as f64 / spent.as_secs_f64();
        println!(
            "{clients:4} clients {reads:?}: {rate:9.0} rows/s, p50 {:?}, p99 {:?}",
            took[took.len() / 2],
            took[took.len() * 99 / 100]
        );
        let begun = Instant::now();
        let found = world.whole().await;
        println!("     verify: {:9.0} rows/s", found.rows as f64 / begun.elapsed().as_secs_f64());
        world.store.close().await;
    }
    let world = world(postgres).await;
    let begun = Instant::now();
    for _ in 0..300 {
        let record = world.record(None);
        world.store.intend(&record, None, row(EventKind::CallIntent, "a")).await.unwrap();
    }
    println!("   1 client intents: {:9.0}/s (head {})", 300.0 / begun.elapsed().as_secs_f64(), world.store.head());
}
