//! A killed process loses nothing that it has acknowledged.
//!
//! This test binary starts itself again as a child that appends and intends as fast as it can and prints every
//! acknowledged sequence; the parent kills it with SIGKILL in the middle and looks at what is there.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use jarvis_safety::event::EventKind;
use jarvis_safety::port::{EventFilter, Feed as _, Ledger as _};
use jarvis_safety::setting::AuditReads;

use crate::world::{World, read, row};

const DATA: &str = "JARVIS_MEMORY_CRASH_DATA";
const FIRST: &str = "JARVIS_MEMORY_CRASH_FIRST_ID";

/// The process that is killed: does nothing unless the tests below start it.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(data) = std::env::var(DATA) else { return };
    let first = std::env::var(FIRST).unwrap().parse().unwrap();
    let world = World::at(data.into(), first).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..8 {
        let store = world.store.clone();
        let records: Vec<_> = (0..2000).map(|_| world.record(None)).collect();
        tasks.spawn(async move {
            for (index, record) in records.iter().enumerate() {
                if index % 4 == worker % 4 {
                    store.intend(record, None, row(EventKind::CallIntent, record.id.as_str())).await.unwrap();
                    tell(&format!("intent {}", record.id));
                } else {
                    let reads = if index % 3 == 0 { AuditReads::Fsync } else { AuditReads::Wal };
                    tell(&format!("row {}", store.append(read("x"), reads).await.unwrap()));
                }
            }
        });
    }
    tasks.join_all().await;
}

fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "acked {line}").unwrap();
    out.flush().unwrap();
}

/// Lets a child run until so many acknowledgements, kills it, and answers all that it had printed.
fn killed_after(data: &Path, first: u64, acks: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture", "--test-threads=1"])
        .env(DATA, data)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acked = Vec::new();
    let mut killed = false;
    // After the kill the pipe still holds what was acknowledged before it.
    while let Some(Ok(line)) = lines.next() {
        if let Some((_, ack)) = line.split_once("acked ") {
            acked.push(ack.to_owned());
        }
        if !killed && acked.len() >= acks {
            child.kill().unwrap();
            killed = true;
        }
    }
    child.wait().unwrap();
    assert!(killed, "the child ended by itself after {} acknowledgements", acked.len());
    // The last line may be torn.
    acked.retain(|ack| ack.starts_with("row ") || ack.len() == "intent call_".len() + 26);
    acked
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_loses_nothing_that_it_has_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (mut rows, mut intents) = (BTreeSet::new(), BTreeSet::new());
    for (round, acks) in [1, 40, 700].into_iter().enumerate() {
        let first = (round as u64 + 1) * 1_000_000;
        for ack in killed_after(&data, first, acks) {
            match ack.split_once(' ').unwrap() {
                ("row", seq) => rows.insert(seq.parse::<u64>().unwrap()),
                (_, id) => intents.insert(id.to_owned()),
            };
        }
        let world = World::at(data.clone(), 1).await.unwrap();
        let found = world.whole().await;
        assert!(rows.last().is_none_or(|last| *last <= found.head));
        let mut kept = BTreeSet::new();
        let mut last = 0;
        while last < found.head {
            let page = world.store.after(last, &EventFilter::default(), 5000).await.unwrap();
            last = page.last().unwrap().seq;
            kept.extend(page.into_iter().filter(|event| event.kind == EventKind::CallRead).map(|event| event.seq));
        }
        assert!(rows.is_subset(&kept), "{:?}", rows.difference(&kept).collect::<Vec<_>>());
        let unsettled = world.store.unsettled_calls().await.unwrap();
        let unsettled: BTreeSet<_> = unsettled.into_iter().map(|record| record.id.to_string()).collect();
        assert!(intents.is_subset(&unsettled), "{:?}", intents.difference(&unsettled).collect::<Vec<_>>());
        world.store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_is_refused_while_one_owns_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture", "--test-threads=1"])
        .env(DATA, &data)
        .env(FIRST, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.by_ref().map_while(Result::ok).find(|line| line.contains("acked ")).unwrap();
    let refused = World::at(data.clone(), 1).await.err().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(refused.code(), "data_in_use");
    assert!(refused.to_string().contains(&child.id().to_string()), "{refused}");
    // The lock of a dead process is no lock.
    World::at(data, 1).await.unwrap().whole().await;
}
