//! A stranger's start: the one-time link, one process a data directory, and files with mistakes in them.

mod conversation;
mod policy;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use jarvis_client::ClientError;
use jarvis_client::wire::{SessionInfo, SetupBody, StatusInfo};
use serde_json::{Value, json};

use crate::app::{PASSWORD, TestApp, call, code};

/// The code in the link that the start printed.
fn printed_code(app: &TestApp) -> String {
    let line = app.printed.line("Set the operator's password once: ");
    let (address, code) = line.split_once("/setup#code=").unwrap();
    assert!(address.ends_with(&app.url), "{line}");
    code.to_owned()
}

async fn set_up(app: &TestApp, code: &str, password: &str) -> Result<SessionInfo, ClientError> {
    let body = SetupBody { code: code.to_owned(), password: password.to_owned() };
    app.over_tcp(None).post("/api/setup", &body, None).await
}

fn jarvis(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jarvis"));
    command.env("JARVIS_DATA", data).env("JARVIS_LISTEN", "127.0.0.1:0").stdin(Stdio::null());
    command.env_remove("JARVIS_OPERATOR_PASSWORD").env_remove("JARVIS_URL").env_remove("JARVIS_TOKEN");
    command
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_doctor_looks_at_the_data_directory_itself() {
    let app = TestApp::start();
    let state = |(_, report): (i32, Value)| {
        let findings = report["findings"].as_array().unwrap().clone();
        let found = findings.into_iter().find(|finding| finding["what"] == "data directory").unwrap();
        found["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state(app.cli_json(&["doctor"])), "ok");
    let empty = tempfile::tempdir().unwrap();
    let nowhere = empty.path().join("nowhere");
    assert_eq!(state(app.cli_json(&["doctor", "--data", nowhere.to_str().unwrap()])), "missing");
    // Where a file should be there is a folder, which nobody can write.
    std::fs::create_dir(empty.path().join("lock")).unwrap();
    assert_eq!(state(app.cli_json(&["doctor", "--data", empty.path().to_str().unwrap()])), "warning");
}

#[tokio::test]
async fn the_printed_link_sets_the_password_once_and_signs_in() {
    let app = TestApp::start_fresh();
    let right = printed_code(&app);
    let unknown: SessionInfo = app.over_tcp(None).get("/api/session").await.unwrap();
    assert!(unknown.setup_needed && !unknown.signed_in);
    let fetch = json!({ "url": "https://example.org/" });
    assert_eq!(code(call(&app.local(), "http_fetch", fetch).await), "no_approver", "orange, and nobody to ask");

    let mut wrong = right.clone().into_bytes();
    wrong[0] ^= 1;
    assert_eq!(code(set_up(&app, &String::from_utf8(wrong).unwrap(), PASSWORD).await), "unauthenticated");
    assert_eq!(code(set_up(&app, &right, "too short").await), "invalid_arguments");
    let body = json!({ "code": right, "password": PASSWORD });
    let answer = reqwest::Client::new().post(format!("{}/api/setup", app.url)).json(&body).send().await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    for part in ["HttpOnly", "SameSite=Strict"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let session: SessionInfo = answer.json().await.unwrap();
    assert!(session.signed_in && session.operator && !session.setup_needed);
    let cookie = cookie.split(';').next().unwrap();
    let known = reqwest::Client::new().get(format!("{}/api/session", app.url)).header("cookie", cookie);
    assert!(known.send().await.unwrap().json::<SessionInfo>().await.unwrap().signed_in);

    assert_eq!(code(set_up(&app, &right, "another password").await), "already_decided");
    app.operator().await;
    let fetch = json!({ "url": "https://example.org/" });
    assert_eq!(call(&app.local(), "http_fetch", fetch).await.unwrap().state, "waiting", "now somebody can be asked");
}

#[tokio::test]
async fn the_link_is_printed_until_it_was_used() {
    let mut app = TestApp::start_fresh();
    let first = printed_code(&app);
    app.kill_and_restart();
    assert_eq!(printed_code(&app), first);
    set_up(&app, &first, PASSWORD).await.unwrap();
    app.stop();
    app.start_again();
    app.operator().await;
    app.stop();
    assert!(!app.printed.whole().contains("/setup"), "no link once the password is set");
}

#[tokio::test]
async fn a_second_server_on_the_same_data_is_refused() {
    let app = TestApp::start();
    let second = jarvis(&app.data()).arg("serve").output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let told = errors(&second);
    for part in ["in use by another Jarvis", &format!("process {}", app.pid()), "--data"] {
        assert!(told.contains(part), "{told}");
    }
    assert!(app.local().get::<StatusInfo>("/api/status").await.is_ok(), "the first one goes on");
}

#[tokio::test]
async fn a_forgotten_password_is_reset_on_the_machine_and_only_while_nothing_runs() {
    let mut app = TestApp::start_fresh();
    let first = printed_code(&app);
    set_up(&app, &first, PASSWORD).await.unwrap();
    let token = app.operator().await;
    let refused = app.cli(&["operator", "reset"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    for part in [&format!("process {}", app.pid()), "needs it ended", "Nothing was changed", "kill switch"] {
        assert!(errors(&refused).contains(part), "{refused:?}");
    }
    let (exit, refused) = app.cli_json(&["operator", "reset"]);
    assert_eq!((exit, refused["code"].as_str()), (2, Some("data_in_use")), "{refused}");
    assert!(token.get::<Value>("/api/settings").await.is_ok(), "nothing was reset");

    app.stop();
    let (exit, reset) = app.cli_json(&["operator", "reset"]);
    assert_eq!(exit, 0, "{reset}");
    let second = reset["code"].as_str().unwrap().to_owned();
    app.start_again();
    assert_eq!(printed_code(&app), second);
    let body = json!({ "password": PASSWORD, "bearer": true });
    let old = app.over_tcp(None).post::<_, Value>("/api/session", &body, None).await;
    assert_eq!(code(old), "unauthenticated", "the old password is forgotten");
    assert_eq!(code(set_up(&app, &first, PASSWORD).await), "unauthenticated", "and so is the first code");
    assert!(set_up(&app, &second, PASSWORD).await.unwrap().signed_in);
    app.operator().await;
}

#[test]
fn a_typing_error_in_the_configuration_is_named_with_its_line_and_nothing_starts() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("jarvis.toml"), "docker = \"unix:///run/docker.sock\"\nlisen = \"x\"\n").unwrap();
    let output = jarvis(data.path()).arg("serve").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = errors(&output);
    for part in ["jarvis.toml", "line 2", "lisen", "listen"] {
        assert!(told.contains(part), "{told}");
    }
    assert!(!data.path().join("jarvis.db").exists(), "nothing was started");
}

/// A server that was started by somebody else; ended when dropped, and waited for.
struct Detached<'a> {
    data: &'a Path,
    pid: u32,
}

impl Drop for Detached<'_> {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.pid.to_string()]).status();
        // It holds the lock until its end.
        let lock = std::fs::File::open(self.data.join("lock"));
        let _ = lock.and_then(|lock| lock.lock());
    }
}

/// Sends one line over the pipe and reads one back.
fn exchange(pipe: &mut Child, request: &Value) -> Value {
    let mut to = pipe.stdin.take().unwrap();
    writeln!(to, "{request}").unwrap();
    let mut answer = String::new();
    BufReader::new(pipe.stdout.take().unwrap()).read_line(&mut answer).unwrap();
    serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{answer}"))
}

#[test]
fn an_ide_that_finds_no_server_starts_one_and_says_so() {
    let home = tempfile::tempdir().unwrap();
    // As on a machine on which Jarvis never ran, it is not even there.
    let data = home.path().join("share/jarvis");
    let mut pipe = jarvis(&data);
    pipe.arg("mcp").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut pipe = pipe.spawn().unwrap();
    let mut told = String::new();
    let mut said = BufReader::new(pipe.stderr.take().unwrap());
    said.read_line(&mut told).unwrap();
    let pid = told.split_once("(process ").and_then(|(_, rest)| rest.split_once(',')).map(|(pid, _)| pid.to_owned());
    let pid: u32 = pid.and_then(|pid| pid.parse().ok()).unwrap_or_else(|| panic!("{told}"));
    let server = Detached { data: &data, pid };
    assert!(told.contains("no server ran, so one was started") && told.contains("serve.log"), "{told}");

    let client = json!({ "name": "ide", "version": "1" });
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
    let hello = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
    assert_eq!(exchange(&mut pipe, &hello)["result"]["protocolVersion"], "2025-11-25");
    // The client has gone; what it started stays for whoever comes next.
    assert!(pipe.wait().unwrap().success());
    assert!(jarvis(&data).args(["call", "system_info"]).output().unwrap().status.success());
    let log = std::fs::read_to_string(data.join("serve.log")).unwrap();
    assert!(log.contains("Jarvis listens on") && log.contains("/setup#code="), "{log}");
    drop(server);
    let verified = jarvis(&data).args(["audit", "verify"]).output().unwrap();
    assert!(verified.status.success(), "{verified:?}");
}
