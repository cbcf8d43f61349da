//! What is so on SQLite alone: its files, and columns that hold what they were not declared for.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jarvis_safety::event::EventKind;
use jarvis_safety::port::{Conversations as _, EventFilter, Feed as _, Ledger as _};
use jarvis_safety::setting::AuditReads;
use sqlx::Row as _;

use crate::chain::found_after;
use crate::conversation::{SECRET, talkative};
use crate::world::{World, read, row};

#[tokio::test]
async fn what_was_erased_stands_in_no_file_any_more() {
    let world = World::new().await;
    let (conversation, _, _) = talkative(&world).await;
    let holding = || {
        let mut holding = Vec::new();
        for entry in std::fs::read_dir(&world.data).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file())
        {
            let bytes = std::fs::read(entry.path()).unwrap();
            if bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()) {
                holding.push(entry.file_name().into_string().unwrap());
            }
        }
        holding
    };
    assert_eq!(holding(), ["jarvis.db-wal"], "it has not been written back yet");
    world.store.delete(&conversation.id, row(EventKind::ConversationDeleted, conversation.id.as_str())).await.unwrap();
    assert_eq!(holding(), [""; 0]);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_a_fault_and_no_end() {
    let faults = found_after("update event set at = 'soon' where seq = 4").await;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].contains("row 4 was altered and cannot be read"), "{faults:?}");
}

/// A row over the one connection that writes, one over the other, one fsynced and one not.
async fn in_turn(world: &World, index: u64) -> u64 {
    let reads = if index.is_multiple_of(2) { AuditReads::Wal } else { AuditReads::Fsync };
    if index.is_multiple_of(3) {
        return world.store.append(read("x"), reads).await.unwrap();
    }
    crate::grant::give(world, 5).await;
    world.store.head()
}

#[tokio::test]
async fn rows_that_are_appended_and_rows_of_changes_are_one_chain() {
    let world = World::new().await;
    let first = in_turn(&world, 0).await;
    for index in 1..100 {
        assert_eq!(in_turn(&world, index).await, first + index);
    }
    assert_eq!(world.verify().await.faults, [""; 0]);
}

#[tokio::test]
async fn a_row_waits_for_whoever_else_holds_the_database_and_holds_nobody_up() {
    let world = World::new().await;
    let last = quietly(&world).await;
    let mut other = world.burglar().await;
    sqlx::raw_sql("begin immediate").execute(&mut other).await.unwrap();
    let store = world.store.clone();
    let waiting = tokio::spawn(async move { store.append(read("x"), AuditReads::Wal).await });
    // The one thread of this test is free meanwhile.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished());
    sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), last + 1);
    assert_eq!(in_turn(&world, 0).await, last + 2);
    assert_eq!(world.verify().await.faults, [""; 0]);
}

#[tokio::test]
async fn the_log_of_rows_that_are_written_one_by_one_stays_small() {
    let world = World::new().await;
    for _ in 0..3000 {
        world.store.append(read("x"), AuditReads::Wal).await.unwrap();
    }
    // Of about 12,000 pages with their heads.
    let log = std::fs::metadata(world.data.join("jarvis.db-wal")).unwrap().len();
    assert!(log < 8 << 20, "{log} bytes");
}

/// Somebody else adds a row and moves the head.
const MOVED: &str = "insert into event select seq + 1, at, kind, actor, owner, subject, correlation, tool, tier, summary, \
                     null, hash from event where seq = (select seq from head); \
                     update head set seq = seq + 1 where id = 1";

#[tokio::test]
async fn a_head_that_somebody_else_moved_is_found_at_once_or_after_one_refusal() {
    let world = World::new().await;
    let last = quietly(&world).await;
    world.tamper(MOVED).await;
    // Whoever appends it there and then leaves it to the writer, which looks first.
    assert_eq!(world.store.append(read("x"), AuditReads::Wal).await.unwrap(), last + 2);
    world.tamper(MOVED).await;
    assert!(world.store.append(read("x"), AuditReads::Fsync).await.is_err());
    assert_eq!(world.store.append(read("x"), AuditReads::Fsync).await.unwrap(), last + 4);
}

/// Rows one by one, until each is appended by whoever brings it.
async fn quietly(world: &World) -> u64 {
    let mut last = 0;
    for _ in 0..40 {
        last = world.store.append(read("x"), AuditReads::Wal).await.unwrap();
    }
    last
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_comes_alone_and_many_at_once_write_one_chain() {
    let world = World::new().await;
    for round in 0..10 {
        let before = quietly(&world).await;
        // Changes too are carried out where they come.
        assert_eq!(in_turn(&world, 1).await, before + 1);
        let mut together = tokio::task::JoinSet::new();
        for index in 0..50 {
            let store = world.store.clone();
            let reads = if index % 3 == round % 3 { AuditReads::Fsync } else { AuditReads::Wal };
            together.spawn(async move { store.append(read("x"), reads).await.unwrap() });
        }
        let mut given = together.join_all().await;
        given.sort_unstable();
        assert_eq!(given, (before + 2..before + 52).collect::<Vec<_>>());
    }
    let seen = world.store.after(0, &EventFilter::default(), 1000).await.unwrap();
    assert!(seen.iter().zip(1..).all(|(event, seq)| event.seq == seq), "one after the other");
    assert_eq!(world.verify().await.faults, [""; 0]);
}

#[tokio::test]
async fn of_rows_that_come_together_those_that_can_be_written_are() {
    let world = World::new().await;
    world
        .tamper(
            "create trigger t before insert on event when new.subject = 'call_7' begin select raise(abort, 'no'); end",
        )
        .await;
    let mut together = tokio::task::JoinSet::new();
    for index in 0..50 {
        let store = world.store.clone();
        together
            .spawn(async move { (index, store.append(read(&format!("call_{index}")), AuditReads::Wal).await.is_ok()) });
    }
    let kept = together.join_all().await;
    assert_eq!(kept.iter().filter(|(_, kept)| !kept).map(|(index, _)| *index).collect::<Vec<i32>>(), [7]);
    assert_eq!(world.verify().await.faults, [""; 0]);
}

#[tokio::test]
async fn after_a_failed_commit_the_log_begins_anew_before_anything_is_acknowledged() {
    let world = World::new().await;
    // The salts in the log's header are others each time it begins.
    let salts = || std::fs::read(world.data.join("jarvis.db-wal")).unwrap()[16..24].to_vec();
    world.append(read("before")).await;
    world
        .tamper(
            "create table nowhere (id integer primary key); \
             create table pointer (id references nowhere (id) deferrable initially deferred); \
             create trigger stop after insert on event when new.subject = 'boom' begin \
             insert into pointer values (7); end",
        )
        .await;
    let before = salts();
    world.append(read("still before")).await;
    assert_eq!(salts(), before);
    world.store.append(read("boom"), AuditReads::Wal).await.unwrap_err();
    world.append(read("after")).await;
    assert_ne!(salts(), before);
    assert_eq!(world.whole().await.rows, 3);
}

/// Lets no fsync of a file of this process go well, for as long as it lives. Tests run each in a process of its own.
struct Unsynced(Child);

impl Unsynced {
    #[expect(clippy::print_stdout, reason = "whoever runs the tests must see what was not tested")]
    fn begin(file: &std::path::Path) -> Option<Self> {
        let words = ["-f", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO"];
        let process = std::process::id().to_string();
        let begun = Command::new("strace")
            .args(words)
            .arg("-P")
            .arg(file)
            .args(["-p", &process])
            .stderr(Stdio::piped())
            .spawn();
        // One that may not trace ends at once (`kernel.yama.ptrace_scope`).
        let attached = |strace: &mut Child| {
            let messages = BufReader::new(strace.stderr.take().unwrap());
            messages.lines().map_while(Result::ok).any(|line| line.contains("attached"))
        };
        let begun = begun.ok().map(Self);
        let Some(tracing) = begun.and_then(|mut it| attached(&mut it.0).then_some(it)) else {
            assert!(std::env::var_os("JARVIS_CI").is_none(), "strace must be there in CI, and may trace");
            println!("skipped: needs strace, and leave to trace");
            return None;
        };
        Some(tracing)
    }
}

impl Drop for Unsynced {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_checkpoint_began_and_the_disk_lost_is_kept_in_the_log_until_a_restart() {
    let world = World::new().await;
    let rows = async |count: u32| {
        for _ in 0..count {
            world.store.append(read("x"), AuditReads::Wal).await.unwrap();
        }
    };
    rows(100).await;
    let mut reader = world.burglar().await;
    sqlx::raw_sql("begin; select count(*) from event").execute(&mut reader).await.unwrap();
    rows(600).await;
    let mut other = world.burglar().await;
    let looked = sqlx::query("pragma wal_checkpoint(noop)").fetch_one(&mut other).await.unwrap();
    let (log, brought): (i64, i64) = (looked.get(1), looked.get(2));
    assert!(0 < brought && brought < log, "a checkpoint has begun and cannot end: {brought} of {log}");
    let Some(unsynced) = Unsynced::begin(&world.data.join("jarvis.db")) else { return };
    sqlx::raw_sql("rollback").execute(&mut reader).await.unwrap();
    let refused = loop {
        if let Err(error) = world.store.append(read("y"), AuditReads::Fsync).await {
            break error;
        }
    };
    drop(unsynced);
    // The next fsync of the database would go well, and what it did not write be gone with the log.
    for reads in [AuditReads::Wal, AuditReads::Fsync] {
        let error = world.store.append(read("z"), reads).await.unwrap_err();
        assert!(error.to_string().contains("restart Jarvis"), "{refused} {error}");
    }
    let kept = std::fs::metadata(world.data.join("jarvis.db-wal")).unwrap().len();
    world.store.close().await;
    assert_eq!(std::fs::metadata(world.data.join("jarvis.db-wal")).unwrap().len(), kept);
}
