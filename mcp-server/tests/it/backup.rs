//! Backup and restore with the real binary: beside a server that works, and into one that goes on.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jarvis_client::wire::EventPage;
use serde_json::{Value, json};

use crate::app::{TestApp, call, code};

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Writes files until it is told to stop, and answers how many were acknowledged.
fn busy(app: &TestApp, running: &Arc<AtomicBool>) -> tokio::task::JoinHandle<u32> {
    let (client, running) = (app.local(), Arc::clone(running));
    tokio::spawn(async move {
        let mut done = 0;
        while running.load(Ordering::SeqCst) {
            let args = json!({ "path": "busy.txt", "content": format!("{done}") });
            // The same target again and again is asked about at some point: that is an answer too.
            let _ = call(&client, "file_write", args).await.unwrap();
            done += 1;
        }
        done
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_backed_up_while_calls_run_and_goes_on_elsewhere() {
    let app = TestApp::start();
    let kept = "kept over the restore";
    let written = call(&app.local(), "file_write", json!({ "path": "a.txt", "content": kept })).await.unwrap();
    let written = written.call.unwrap();
    let asked = call(&app.local(), "http_fetch", json!({ "url": "https://example.org/" })).await.unwrap();
    let approval = asked.approval.unwrap();
    let token = app.token("ide", "yellow", "client").await.secret.unwrap();
    std::fs::write(app.data().join("policy.toml"), "# mine\n").unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("jarvis.backup");

    let running = Arc::new(AtomicBool::new(true));
    let work = [busy(&app, &running), busy(&app, &running)];
    let words = ["backup", text(&file), "--files"];
    let (exit, taken) = tokio::task::block_in_place(|| app.cli_json(&words));
    running.store(false, Ordering::SeqCst);
    for worker in work {
        assert!(worker.await.unwrap() > 0, "calls ran meanwhile");
    }
    assert_eq!(exit, 0, "{taken}");
    let head = taken["head"].as_u64().unwrap();
    assert!(taken["rows"] == head && taken["faults"] == json!([]) && taken["encrypted"] == false, "{taken}");

    let home = tempfile::tempdir().unwrap();
    let restored = app.cli(&["restore", text(&file), "--data", text(home.path())]);
    let told = String::from_utf8_lossy(&restored.stdout).into_owned();
    assert!(restored.status.success(), "{told}{}", errors(&restored));
    for part in [
        format!("{head} rows"),
        format!("head {head}"),
        "1 open approval is void".to_owned(),
        "backed up at 2".to_owned(),
    ] {
        assert!(told.contains(&part), "{part}: {told}");
    }

    let again = TestApp::start_on(home, &[]);
    assert_eq!(std::fs::read_to_string(again.data().join("policy.toml")).unwrap(), "# mine\n");
    assert_eq!(std::fs::read_to_string(again.data().join("files/a.txt")).unwrap(), kept);
    let operator = again.operator().await;
    let voided: Result<Value, _> = operator.post(&format!("/api/approvals/{approval}/approve"), &json!({}), None).await;
    assert!(voided.is_err(), "a yes from before the restore is worth nothing: {voided:?}");
    let shown: Value = operator.get(&format!("/api/approvals/{approval}")).await.unwrap();
    assert_eq!(shown["state"], "expired", "{shown}");
    // The token is the same, and the history goes on.
    assert!(call(&again.over_tcp(Some(&token)), "system_info", json!({})).await.is_ok());
    let page: EventPage = operator.get(&format!("/api/history?before={}&limit=1", head + 1)).await.unwrap();
    assert_eq!((page.events[0].seq, &json!(page.events[0].hash)), (head, &taken["hash"]));
    // What the first one wrote lies in its own directory, and this one does not reach there.
    let (exit, undone) = again.cli_json(&["undo", &written]);
    assert_eq!((exit, undone["code"].as_str()), (2, Some("forbidden")), "{undone}");
    assert!(app.data().join("files/a.txt").exists() && again.data().join("files/a.txt").exists());
    // Both verify their audit when they are dropped.
}

#[test]
fn an_encrypted_backup_needs_its_passphrase_and_an_open_one_warns() {
    let phrase = ("JARVIS_BACKUP_PASSPHRASE", "two words and more");
    let app = TestApp::start_with(&[phrase]);
    let elsewhere = tempfile::tempdir().unwrap();
    let (file, data) = (elsewhere.path().join("sealed"), elsewhere.path().join("data"));
    let sealed = app.cli(&["backup", text(&file)]);
    assert!(sealed.status.success() && errors(&sealed).is_empty(), "{sealed:?}");
    assert!(std::fs::read(&file).unwrap().starts_with(b"age-encryption.org/v1"));
    let plain = TestApp::start();
    let (exit, refused) = plain.cli_json(&["restore", text(&file), "--data", text(&data)]);
    assert_eq!((exit, &refused["code"]), (2, &json!("backup_key")), "{refused}");
    assert!(refused["error"].as_str().unwrap().contains("JARVIS_BACKUP_PASSPHRASE") && !data.exists(), "{refused}");
    assert_eq!(app.cli_json(&["restore", text(&file), "--data", text(&data)]).0, 0);
    let open = plain.cli(&["backup", text(&elsewhere.path().join("open"))]);
    let told = errors(&open);
    assert!(open.status.success() && told.contains("not encrypted") && told.lines().count() == 1, "{told}");
}

#[test]
fn what_cannot_be_backed_up_or_restored_is_one_document_that_says_what_to_do() {
    let app = TestApp::start();
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    assert_eq!(app.cli_json(&["backup", &path("good")]).0, 0);
    std::fs::write(path("list"), "bread, milk").unwrap();
    let data = app.data();
    let cases: [(&[&str], i32, &str, &str); 8] = [
        (&["backup", &path("good")], 2, "backup_exists", "another name"),
        (&["backup", &path("no/such/place")], 1, "backup_file", "no/such"),
        (&["backup", &path("x"), "--recipient", "age1nobody"], 2, "backup_key", "age-keygen"),
        (&["backup", &path("x"), "--data", &path("none")], 2, "no_database", "--data"),
        (&["restore", &path("good")], 2, "data_in_use", "--data"),
        (&["restore", &path("list"), "--data", &path("new")], 1, "backup_damaged", "no backup"),
        (&["restore", &path("none"), "--data", &path("new")], 1, "backup_file", "none"),
        (&["restore", &path("good"), "--data", text(home.path())], 2, "data_not_empty", "move this one aside"),
    ];
    for (words, exit, code, part) in cases {
        let (found, refused) = app.cli_json(words);
        assert_eq!((found, refused["code"].as_str()), (exit, Some(code)), "{words:?}: {refused}");
        assert!(refused["error"].as_str().unwrap().contains(part), "{words:?}: {refused}");
    }
    let mut left: Vec<_> = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["good", "list"], "nothing else is left");
    assert!(data.join("jarvis.db").exists());
}

#[tokio::test]
async fn another_machine_is_not_backed_up_by_mistake() {
    let app = TestApp::start_with(&[("JARVIS_TEST_UNUSED", "1")]);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_jarvis"));
    let told =
        command.args(["backup", "x"]).env("JARVIS_DATA", app.data()).env("JARVIS_URL", &app.url).output().unwrap();
    assert!(told.status.code() == Some(2) && errors(&told).contains("JARVIS_URL"), "{told:?}");
    // Whoever may not come in learns nothing of a backup: there is no route for one.
    let none: Result<Value, _> = app.local().get("/api/backup").await;
    assert_eq!(code(none), "not_found");
}
