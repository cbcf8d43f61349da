//! A full disk: new effects are refused before it is too late, what has begun is recorded, and it heals by itself.
//!
//! On a small file system of its own, which is really filled.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use jarvis_safety::call::CallState;
use jarvis_safety::event::EventKind;
use jarvis_safety::job::{JobState, Jobs as _, Missed, Submission};
use jarvis_safety::port::{Feed as _, Identities as _, Ledger as _, StoreError};
use jarvis_safety::setting::AuditReads;
use serde_json::json;

use crate::job_call::{Calling, Things};
use crate::world::{START, World, outcome, read, row};

/// A file system in memory.
struct Disk(tempfile::TempDir);

impl Disk {
    /// `None`, told, where nothing may be mounted.
    #[expect(clippy::print_stdout, reason = "whoever runs the tests must see what was not tested")]
    fn mount(mebibytes: u32) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let size = format!("size={mebibytes}m,mode=700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(dir.path()).output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self(dir));
        }
        assert!(std::env::var_os("JARVIS_CI").is_none(), "a file system must be mounted in CI");
        println!("skipped: needs root (to mount a small file system)");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes until so many bytes are left, or nothing is.
    fn fill(&self, left: u64) -> PathBuf {
        let path = self.path().join("ballast");
        let mut file = File::create(&path).unwrap();
        let block = vec![7_u8; 64 * 1024];
        while self.free() > left {
            let size = block.len().min(usize::try_from(self.free() - left).unwrap());
            if file.write_all(&block[..size]).is_err() {
                break;
            }
        }
        path
    }

    fn free(&self) -> u64 {
        let found = rustix::fs::statvfs(self.path()).unwrap();
        found.f_bavail * found.f_frsize
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

async fn intend(world: &World) -> Result<jarvis_safety::call::CallRecord, StoreError> {
    let record = world.record(None);
    world.store.intend(&record, None, row(EventKind::CallIntent, record.id.as_str())).await.map(|_| record)
}

async fn settle(world: &World, record: &jarvis_safety::call::CallRecord) -> Result<(), StoreError> {
    let told = row(EventKind::CallDone, record.id.as_str());
    world.store.settle(&outcome(record, CallState::Done), None, None, START + 1, told).await
}

#[tokio::test]
async fn on_a_full_disk_new_effects_are_refused_what_has_begun_is_recorded_and_it_heals_by_itself() {
    let Some(disk) = Disk::mount(64) else { return };
    let world = World::at(disk.path().join("data"), 1).await.unwrap();
    let begun = intend(&world).await.unwrap();
    assert_eq!(world.store.disk_fault(), None);
    // Inside the reserve, an eighth of this small disk.
    let ballast = disk.fill(4 * 1024 * 1024);
    let refused = intend(&world).await.unwrap_err();
    let said = refused.to_string();
    assert!(matches!(refused, StoreError::Unavailable(_)), "{said}");
    assert!(said.contains("the disk under") && said.contains("is full") && said.contains("nothing was kept"), "{said}");
    assert_eq!(world.store.disk_fault().map(|fault| said.ends_with(&fault)), Some(true));
    let card = world.card("q", 1);
    let asked = world.store.ask(&card, 100, row(EventKind::ApprovalAsked, card.id.as_str())).await;
    assert!(matches!(asked, Err(StoreError::Unavailable(_))), "{asked:?}");
    settle(&world, &begun).await.unwrap();
    let seq = world.append(read("reads go on")).await;
    assert!(world.store.event(seq).await.unwrap().is_some());
    let found = world.whole().await;
    assert_eq!(found.rows, 3, "what was refused left nothing");
    std::fs::remove_file(ballast).unwrap();
    assert_eq!(world.store.disk_fault(), None);
    let record = intend(&world).await.unwrap();
    settle(&world, &record).await.unwrap();
    world.whole().await;
    world.store.close().await;
}

#[tokio::test]
async fn a_schedule_and_a_job_wait_for_room_and_nothing_of_them_is_lost() {
    let Some(disk) = Disk::mount(64) else { return };
    let world = World::at(disk.path().join("data"), 1).await.unwrap();
    world.store.set_password("correct horse battery", row(EventKind::OperatorSet, "operator")).await.unwrap();
    let calling = Calling::over(world, Things::new());
    let schedule = calling.jobbing.hourly(Missed::CatchUp(1)).await;
    let due = schedule.next_at.unwrap();
    let job = calling.submit("thing_touch", json!({ "name": "a" })).await;
    let later = Submission { run_at: Some(due), ..calling.submission("thing_touch", json!({ "name": "b" })) };
    let later = calling.jobbing.queue.submit(later).await.unwrap().job;
    assert_eq!(calling.jobbing.jobs.due().await.unwrap().job, Some(due));
    let ballast = disk.fill(4 * 1024 * 1024);
    calling.jobbing.turn_to(due);
    // A worker that looks again and again, as it does when a place is free or something is told.
    for _ in 0..3 {
        let working = calling.work();
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        working.stop().await;
    }
    assert_eq!(calling.jobbing.jobs.due().await.unwrap().job, None, "nobody is told to hurry");
    let rested = calling.jobbing.job(&job.id).await;
    assert_eq!((rested.state, rested.attempt, rested.epoch), (JobState::Queued, 0, 0), "it was not even tried");
    let waits = calling.jobbing.jobs.schedule(&schedule.id).await.unwrap().unwrap();
    assert_eq!(waits.next_at, Some(due), "no job was added to a full disk");
    std::fs::remove_file(ballast).unwrap();
    let working = calling.work();
    assert_eq!(calling.jobbing.fired(&schedule, due).await.len(), 1);
    assert_eq!(calling.ended(&job.id).await.state, JobState::Done);
    assert_eq!(calling.ended(&later.id).await.state, JobState::Done);
    assert_eq!((calling.things.touches("a"), calling.things.touches("b")), (1, 1));
    working.stop().await;
    calling.jobbing.world.whole().await;
}

#[tokio::test]
async fn on_a_disk_without_a_byte_nothing_is_acknowledged_that_is_not_kept() {
    let Some(disk) = Disk::mount(48) else { return };
    let world = World::at(disk.path().join("data"), 1).await.unwrap();
    let begun = intend(&world).await.unwrap();
    let ballast = disk.fill(0);
    let (mut acked, mut refusals) = (Vec::new(), 0);
    // The log file has room for a few; then every answer is a refusal.
    while refusals < 20 {
        match world.store.append(read(&"x".repeat(4000)), AuditReads::Wal).await {
            Ok(seq) => acked.push(seq),
            Err(StoreError::Unavailable(_) | StoreError::Unknown(_)) => refusals += 1,
            Err(other) => panic!("{other}"),
        }
        assert!(acked.len() < 10_000, "the disk is not full");
    }
    assert!(intend(&world).await.is_err());
    assert!(settle(&world, &begun).await.is_err(), "an outcome that is not kept is not acknowledged");
    assert!(world.store.event(1).await.unwrap().is_some(), "what is there can still be read");
    assert_eq!(world.store.unsettled_calls().await.unwrap().len(), 1);
    std::fs::remove_file(ballast).unwrap();
    settle(&world, &begun).await.unwrap();
    acked.push(world.append(read("after")).await);
    let found = world.whole().await;
    assert!(acked.iter().all(|seq| *seq <= found.head));
    let world = world.restart().await;
    for seq in acked {
        assert!(world.store.event(seq).await.unwrap().is_some(), "row {seq} was acknowledged");
    }
    world.whole().await;
    world.store.close().await;
}

#[tokio::test]
async fn a_start_on_a_full_disk_after_a_crash_loses_nothing() {
    let Some(disk) = Disk::mount(48) else { return };
    let world = World::at(disk.path().join("data"), 1).await.unwrap();
    let head = world.append(read("kept")).await;
    // As a killed process leaves it: the log not folded in, and no room for a byte.
    let crashed = disk.path().join("crashed");
    std::fs::create_dir(&crashed).unwrap();
    for name in ["jarvis.db", "jarvis.db-wal", "audit.seal"] {
        std::fs::copy(world.data.join(name), crashed.join(name)).unwrap();
    }
    std::fs::create_dir(crashed.join("keys")).unwrap();
    std::fs::copy(world.data.join("keys/audit.key"), crashed.join("keys/audit.key")).unwrap();
    let ballast = disk.fill(0);
    let started = World::at(crashed.clone(), 1).await;
    if let Ok(started) = &started {
        assert_eq!(started.verify().await.rows, head);
        started.store.close().await;
    }
    drop(started);
    std::fs::remove_file(ballast).unwrap();
    let started = World::at(crashed, 1).await.unwrap();
    assert_eq!(started.whole().await.rows, head);
    started.store.close().await;
    world.store.close().await;
}
