//! A full disk under the real server: effects are refused with a sentence, reads go on, and it heals by itself.

use std::io::Write as _;
use std::process::Command;

use serde_json::json;

use crate::app::{TestApp, call};
use crate::needs;

/// A file system in memory; `None`, told, where nothing may be mounted.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let words = ["-t", "tmpfs", "-o", "size=64m,mode=700", "tmpfs"];
        let mounted = Command::new("mount").args(words).arg(dir.path()).output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self(dir));
        }
        needs::told("root, to mount a small file system");
        None
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn on_a_full_disk_effects_are_refused_with_a_sentence_reads_go_on_and_it_heals_by_itself() {
    let Some(disk) = Disk::mount() else { return };
    let app = TestApp::start_on(tempfile::tempdir_in(disk.0.path()).unwrap(), &[]);
    let write = |text: &str| json!({ "path": "a.txt", "content": text });
    call(&app.local(), "file_write", write("before")).await.unwrap();
    let mut ballast = std::fs::File::create(disk.0.path().join("ballast")).unwrap();
    ballast.write_all(&vec![1; 58 * 1024 * 1024]).unwrap();

    let (exit, refused) = app.cli_json(&["call", "file_write", &write("during").to_string()]);
    let told = refused["error"].as_str().unwrap();
    assert_eq!((exit, refused["code"].as_str()), (1, Some("store_unavailable")), "{refused}");
    assert!(
        told.contains("nothing was kept") && told.contains("the disk under") && told.contains("free some"),
        "{told}"
    );
    let asked = app.cli_json(&["call", "http_fetch", r#"{"url":"https://example.org/"}"#]);
    assert_eq!(asked.1["code"], "store_unavailable", "no card is put up that could not be carried out: {asked:?}");
    assert_eq!(std::fs::read_to_string(app.data().join("files/a.txt")).unwrap(), "before");
    let read = call(&app.local(), "file_read", json!({ "path": "a.txt" })).await.unwrap();
    assert_eq!(read.state, "done");
    assert_eq!(app.cli_json(&["audit", "verify"]).0, 0);

    drop(ballast);
    std::fs::remove_file(disk.0.path().join("ballast")).unwrap();
    let after = call(&app.local(), "file_write", write("after")).await.unwrap();
    assert_eq!(after.state, "done");
    // The server ends, and its audit is verified, before the file system goes.
    drop(app);
}
