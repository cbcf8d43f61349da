//! Several servers on one PostgreSQL, and the move to it.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use jarvis_client::Message;
use jarvis_client::wire::{ApprovalInfo, JobInfo, JobPage, StatusInfo};
use serde_json::{Value, json};

use crate::app::{TestApp, call, code};
use crate::needs;

/// A database of its own on the server that is there.
pub(crate) struct Scratch {
    server: String,
    name: String,
    url: String,
}

impl Scratch {
    pub(crate) fn new() -> Option<Self> {
        Self::over("JARVIS_TEST_POSTGRES")
    }

    /// One that is reached by another way.
    fn over(way: &str) -> Option<Self> {
        let server = needs::part("JARVIS_TEST_POSTGRES", "PostgreSQL")?;
        let way = needs::part(way, "PostgreSQL, over TLS and behind PgBouncer")?;
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("jarvis_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let scratch = Self { url: format!("{}/{name}", way.rsplit_once('/').unwrap().0), server, name };
        scratch.say(&format!("create database {} encoding 'UTF8' template template0", scratch.name));
        Some(scratch)
    }

    fn say(&self, sql: &str) {
        let said = Command::new("psql").args([&self.server, "-qc", sql]).output().unwrap();
        assert!(said.status.success(), "{said:?}");
    }

    /// The first server on it.
    pub(crate) fn first(&self, more: &[(&str, &str)]) -> TestApp {
        TestApp::start_with(&[more, &[("JARVIS_DATABASE", &self.url)]].concat())
    }

    /// Another one, with the keys of one that is there.
    pub(crate) fn beside(&self, other: &TestApp, more: &[(&str, &str)]) -> TestApp {
        TestApp::start_on(keys_of(other), &[more, &[("JARVIS_DATABASE", &self.url)]].concat())
    }
}

/// A data directory with the keys of a server.
fn keys_of(other: &TestApp) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("keys")).unwrap();
    // The vault has one once it is used.
    let keys = ["audit.key", "vault.key"].map(|key| (other.data().join("keys").join(key), key));
    for (from, key) in keys.iter().filter(|(from, _)| from.exists()) {
        std::fs::copy(from, directory.path().join("keys").join(key)).unwrap();
    }
    directory
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.say(&format!("drop database if exists {} with (force)", self.name));
    }
}

async fn ask_for_everything(app: &TestApp) {
    let operator = app.operator().await;
    let mut settings: Value = operator.get("/api/settings").await.unwrap();
    settings["autonomy"] = json!({ "default": 1, "rules": [] });
    let _: Value = operator.put("/api/settings", &settings).await.unwrap();
}

/// Waits until a server says so of itself.
async fn until(app: &TestApp, what: &str, holds: impl Fn(&StatusInfo) -> bool) {
    let client = app.operator().await;
    for _ in 0..200 {
        if holds(&client.get::<StatusInfo>("/api/status").await.unwrap()) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("never: {what}");
}

#[tokio::test]
async fn what_is_set_asked_and_decided_on_one_server_holds_on_the_other() {
    let Some(scratch) = Scratch::new() else { return };
    let one = scratch.first(&[]);
    let other = scratch.beside(&one, &[]);
    ask_for_everything(&one).await;
    until(&other, "the settings follow", |status| status.level == 1).await;
    let token = one.token("ci", "red", "client").await.secret.unwrap();
    let client = other.over_tcp(Some(&token));
    let asked = call(&client, "file_write", json!({ "path": "x", "content": "y" })).await.unwrap();
    let waits = one.over_tcp(Some(&token));
    let card = format!("/api/approvals/{}", asked.approval.unwrap());
    let waiting = tokio::spawn({
        let card = card.clone();
        async move { waits.get_waiting::<ApprovalInfo>(&card, 30).await.unwrap() }
    });
    let begun = std::time::Instant::now();
    let _: ApprovalInfo = other.operator().await.post(&format!("{card}/approve"), &json!({}), Some(20)).await.unwrap();
    let seen = waiting.await.unwrap();
    assert_eq!(seen.state, "done");
    assert!(begun.elapsed().as_secs() < 10, "who waits on another server hears of the decision");
    let stopped = one.cli(&["stop"]);
    assert!(stopped.status.success(), "{stopped:?}");
    until(&other, "the brake is felt", |status| status.kill == "effects").await;
    let refused = call(&other.over_tcp(Some(&token)), "file_write", json!({ "path": "z", "content": "y" })).await;
    assert_eq!(code(refused), "stopped");
    assert!(other.cli(&["resume"]).status.success());
    until(&one, "the release is heard", |status| status.kill == "off").await;
}

#[tokio::test]
async fn when_a_server_is_killed_another_goes_on_with_its_jobs_and_cards_and_repeats_nothing() {
    let Some(scratch) = Scratch::new() else { return };
    let mut one = scratch.first(&[]);
    let other = scratch.beside(&one, &[]);
    ask_for_everything(&one).await;
    // What both machines can reach.
    let shared = tempfile::tempdir().unwrap();
    let operator = one.operator().await;
    let mut settings: Value = operator.get("/api/settings").await.unwrap();
    settings["roots"] = json!([{ "path": shared.path(), "write": true }]);
    let _: Value = operator.put("/api/settings", &settings).await.unwrap();
    let token = one.token("ci", "red", "client").await.secret.unwrap();
    let client = one.over_tcp(Some(&token));
    let mut jobs = Vec::new();
    for number in 0..4 {
        let args = json!({ "path": shared.path().join(number.to_string()), "content": "once" });
        let body = json!({ "tool": "file_write", "args": args });
        let job: JobInfo = client.post("/api/jobs", &body, None).await.unwrap();
        jobs.push(job.id);
    }
    one.kill();
    let survivor = other.over_tcp(Some(&token));
    let operator = other.operator().await;
    // The cards stand; each is decided where a server is.
    for id in &jobs {
        let mut approved = false;
        loop {
            let job: JobInfo = survivor.get_waiting(&format!("/api/jobs/{id}"), 5).await.unwrap();
            if job.ended_at.is_some() {
                assert_eq!(job.state, "done", "{job:?}");
                break;
            }
            if let Some(card) = job.approval.filter(|_| !approved) {
                let path = format!("/api/approvals/{card}/approve");
                approved = operator.post::<_, ApprovalInfo>(&path, &json!({}), Some(20)).await.is_ok();
            }
        }
    }
    assert_eq!(std::fs::read_dir(shared.path()).unwrap().count(), jobs.len());
    let page: JobPage = survivor.get("/api/jobs?state=open").await.unwrap();
    assert!(page.jobs.is_empty(), "{page:?}");
}

#[tokio::test]
async fn a_job_is_seen_to_go_on_at_whichever_server_it_is_followed() {
    let Some(scratch) = Scratch::new() else { return };
    let one = scratch.first(&[]);
    let other = scratch.beside(&one, &[]);
    ask_for_everything(&one).await;
    until(&other, "the settings follow", |status| status.level == 1).await;
    let token = one.token("ci", "red", "client").await.secret.unwrap();
    let submit = async |run_at: i64| -> JobInfo {
        let args = json!({ "path": "x", "content": "y" });
        let body = json!({ "tool": "file_write", "args": args, "run_at": run_at });
        one.over_tcp(Some(&token)).post("/api/jobs", &body, None).await.unwrap()
    };
    let now = submit(9_999_999_999_999).await.created_at;
    let job = submit(now + 12_000).await;
    let mut streams = Vec::new();
    for server in [&one, &other] {
        let mut stream = server.over_tcp(Some(&token)).job_stream(&job.id, 0).await.unwrap();
        let Some(Message::Job(first)) = stream.next().await else { panic!("no job") };
        assert_eq!(first.state, "queued", "{first:?}");
        streams.push(stream);
    }
    // One of them works on it; no row tells the other that it waits for a person.
    for mut stream in streams {
        let waits = async {
            loop {
                match stream.next().await.unwrap() {
                    Message::Job(seen) if seen.state == "waiting" => return seen.approval,
                    _ => {}
                }
            }
        };
        let card = tokio::time::timeout(std::time::Duration::from_secs(40), waits).await.unwrap();
        assert!(card.is_some_and(|card| card.starts_with("appr_")));
    }
}

#[tokio::test]
async fn what_a_dump_brings_back_is_void_before_anything_runs_on_it() {
    let (Some(scratch), Some(fresh)) = (Scratch::new(), Scratch::new()) else { return };
    let one = scratch.first(&[]);
    ask_for_everything(&one).await;
    let token = one.token("ci", "red", "client").await.secret.unwrap();
    let client = one.over_tcp(Some(&token));
    let args = json!({ "path": "x", "content": "y" });
    let later = json!({ "tool": "file_write", "args": args, "run_at": 9_999_999_999_999_u64 });
    let job: JobInfo = client.post("/api/jobs", &later, None).await.unwrap();
    let card = call(&client, "file_write", args).await.unwrap().approval.unwrap();
    let dump = Command::new("pg_dump").arg(&scratch.url).output().unwrap();
    assert!(dump.status.success(), "{dump:?}");
    let dumped = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(dumped.path(), &dump.stdout).unwrap();
    let read = Command::new("psql").args([&fresh.url, "-qf"]).arg(dumped.path()).output().unwrap();
    assert!(read.status.success(), "{read:?}");

    let directory = keys_of(&one);
    let restore = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jarvis"));
        command.args(["restore", "--dumped", "--json"]);
        command.env("JARVIS_DATA", directory.path()).env("JARVIS_DATABASE", &fresh.url).output().unwrap()
    };
    let served = restore();
    assert_eq!(served.status.code(), Some(2), "{served:?}");
    assert!(String::from_utf8_lossy(&served.stdout).contains("a server runs on this database"), "{served:?}");
    // As half a minute later.
    let lapsed = Command::new("psql").args([&fresh.url, "-qc", "update replica set lapses_at = 0"]).output().unwrap();
    assert!(lapsed.status.success(), "{lapsed:?}");
    let restored = restore();
    assert_eq!(restored.status.code(), Some(0), "{restored:?}");
    let told: Value = serde_json::from_slice(&restored.stdout).unwrap();
    assert_eq!((&told["lapsed"], &told["jobs"], &told["tokens"]), (&json!(1), &json!(1), &json!(1)), "{told}");
    let app = TestApp::start_on(directory, &[("JARVIS_DATABASE", &fresh.url)]);
    let client = app.over_tcp(Some(&token));
    assert_eq!(client.get::<JobInfo>(&format!("/api/jobs/{}", job.id)).await.unwrap().state, "unknown");
    assert_eq!(client.get::<ApprovalInfo>(&format!("/api/approvals/{card}")).await.unwrap().state, "expired");
    assert_eq!(app.cli(&["audit", "verify"]).status.code(), Some(0));
}

/// A start that must fail, and what it says.
fn refused(url: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let mut serve = Command::new(env!("CARGO_BIN_EXE_jarvis"));
    serve.args(["serve", "--listen", "127.0.0.1:0"]).env("JARVIS_DATA", directory.path()).env("JARVIS_DATABASE", url);
    let ended = serve.output().unwrap();
    assert!(!ended.status.success(), "{ended:?}");
    String::from_utf8_lossy(&ended.stderr).into_owned()
}

#[tokio::test]
async fn a_database_that_is_reached_over_tls_alone_is_used_and_its_certificate_is_looked_at() {
    let Some(scratch) = Scratch::over("JARVIS_TEST_POSTGRES_TLS") else { return };
    let Some(authority) = needs::part("JARVIS_TEST_POSTGRES_CA", "the authority of its certificate") else { return };
    let url = format!("{}?sslmode=verify-full&sslrootcert={authority}", scratch.url);
    let app = TestApp::start_with(&[("JARVIS_DATABASE", &url)]);
    let token = app.token("ci", "red", "client").await.secret.unwrap();
    let written = call(&app.over_tcp(Some(&token)), "file_write", json!({ "path": "x", "content": "y" })).await;
    assert_eq!(written.unwrap().state, "done");
    let sql = "select count(*) filter (where not s.ssl) || ' ' || count(*) from pg_stat_activity a \
               join pg_stat_ssl s using (pid) where a.datname = current_database() and a.application_name = 'jarvis'";
    let seen = Command::new("psql").args([&scratch.url, "-qtAc", sql]).output().unwrap();
    let seen = String::from_utf8(seen.stdout).unwrap();
    let (plain, all) = seen.trim().split_once(' ').unwrap();
    assert!(plain == "0" && all.parse::<u32>().unwrap() >= 3, "{seen}");
    let none = tempfile::NamedTempFile::new().unwrap();
    for (settings, why) in [
        ("sslmode=disable".to_owned(), "pg_hba.conf"),
        // Its authority is nobody whom this machine knows.
        ("sslmode=verify-full".to_owned(), "certificate"),
        (format!("sslmode=verify-full&sslrootcert={}", none.path().display()), "certificate"),
    ] {
        let said = refused(&format!("{}?{settings}", scratch.url));
        assert!(said.contains("PostgreSQL cannot be used") && said.contains(why), "{settings}: {said}");
    }
}

#[tokio::test]
async fn a_pool_of_sessions_is_used_and_one_of_transactions_is_refused() {
    let (Some(sessions), Some(transactions)) =
        (Scratch::over("JARVIS_TEST_POOL_SESSION"), Scratch::over("JARVIS_TEST_POOL_TRANSACTION"))
    else {
        return;
    };
    let one = sessions.first(&[]);
    let other = sessions.beside(&one, &[]);
    let token = one.token("ci", "red", "client").await.secret.unwrap();
    let body = json!({ "tool": "file_write", "args": { "path": "x", "content": "y" } });
    let job: JobInfo = one.over_tcp(Some(&token)).post("/api/jobs", &body, None).await.unwrap();
    let seen: JobInfo = other.over_tcp(Some(&token)).get_waiting(&format!("/api/jobs/{}", job.id), 20).await.unwrap();
    assert_eq!(seen.state, "done", "{seen:?}");
    assert!(one.cli(&["stop"]).status.success());
    until(&other, "the brake is felt", |status| status.kill == "effects").await;
    let said = refused(&transactions.url);
    assert!(said.contains("a pooler that lends a connection for a transaction"), "{said}");
    let again = refused(&transactions.url);
    assert!(again.contains("a pooler that lends a connection for a transaction"), "{again}");
}

#[tokio::test]
async fn everything_moves_to_postgresql_and_is_gone_on_with_there() {
    let Some(scratch) = Scratch::new() else { return };
    let mut app = TestApp::start();
    let token = app.token("ide", "red", "client").await.secret.unwrap();
    let client = app.over_tcp(Some(&token));
    call(&client, "file_write", json!({ "path": "a.txt", "content": "before" })).await.unwrap();
    let busy = app.cli(&["migrate-database", &scratch.url]);
    assert_eq!(busy.status.code(), Some(2), "a server runs on it: {busy:?}");
    app.stop();
    let (exit, moved) = app.cli_json(&["migrate-database", &scratch.url]);
    assert_eq!(exit, 0, "{moved}");
    assert!(moved["tables"].as_array().unwrap().iter().any(|table| table["table"] == "event"), "{moved}");
    let again = app.cli(&["migrate-database", &scratch.url]);
    assert_eq!(again.status.code(), Some(2), "two histories are never mixed: {again:?}");
    let head = moved["head"].as_u64().unwrap();
    app.set("JARVIS_DATABASE", &scratch.url);
    app.start_again();
    let status: StatusInfo = app.operator().await.get("/api/status").await.unwrap();
    assert!(status.head > head);
    call(&app.over_tcp(Some(&token)), "file_read", json!({ "path": "a.txt" })).await.unwrap();
    let backup = app.cli(&["backup", "/tmp/never.backup"]);
    assert_eq!(backup.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&backup.stderr).contains("pg_dump"), "{backup:?}");
}

#[test]
fn an_address_that_is_none_is_refused_and_its_password_is_not_repeated() {
    let app = TestApp::start();
    for wrong in ["mysql://u:hunter2secret@h/d", "postgres://u:hunter2secret@h:notaport/d"] {
        let refused = app.cli(&["migrate-database", wrong]);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        let told = String::from_utf8_lossy(&refused.stderr);
        assert!(told.contains("postgres://") && !told.contains("hunter2secret"), "{told}");
    }
}
