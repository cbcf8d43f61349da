//! A restore that is killed leaves the directory unmade, and the next one succeeds.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use jarvis_memory::{BackupOptions, RestoreOptions};

use crate::world::World;

const FILE: &str = "JARVIS_MEMORY_RESTORE_FILE";
const DATA: &str = "JARVIS_MEMORY_RESTORE_DATA";

/// The process that is killed: does nothing unless the test below starts it.
#[tokio::test]
async fn child() {
    let (Ok(file), Ok(data)) = (std::env::var(FILE), std::env::var(DATA)) else { return };
    let other = World::new().await;
    super::restore(&other, Path::new(&file), Path::new(&data)).await;
}

/// Restores in a child that is killed as soon as this is so; answers whether it came to that.
fn killed_when(file: &Path, data: &Path, is_so: impl Fn() -> bool) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "backup::killed::child", "--test-threads=1"])
        .env(FILE, file)
        .env(DATA, data)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !is_so() && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    let _ = child.kill();
    !child.wait().unwrap().success()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_is_killed_leaves_no_half_directory_and_the_next_one_succeeds() {
    let (world, dir) = super::world().await;
    std::fs::create_dir(world.data.join("files")).unwrap();
    super::ballast(&world.data.join("files"), "large", 16);
    let file = dir.path().join("file");
    let all = BackupOptions { files: true, ..super::options(&world, &file) };
    let taken = jarvis_memory::backup(all).await.unwrap();
    let data = dir.path().join("data");
    let site = dir.path().join(".data.restoring");
    let mut kills = 0;
    for stage in ["", "jarvis.db", "files/large", "lock", "jarvis.db-wal"] {
        kills += u32::from(killed_when(&file, &data, || site.join(stage).exists()));
        if data.exists() {
            // It was faster than the kill: then everything is there.
            World::at(data.clone(), 1).await.unwrap().whole().await;
            std::fs::remove_dir_all(&data).unwrap();
        }
    }
    assert!(kills >= 3, "{kills}");
    assert!(killed_when(&file, &data, || site.join("files/large").exists()) && site.exists() && !data.exists());
    let options = RestoreOptions { ids: Arc::clone(&world.ids) as _, ..super::from(&world, &file, &data) };
    assert_eq!(jarvis_memory::restore(options).await.unwrap().rows, taken.rows);
    assert!(!site.exists(), "what was killed is cleared away");
    assert!(data.join("files/large").exists());
}
