//! The terminal as scripts and people use it: exit codes, one JSON document, and a sentence for every mistake.

mod address;
mod follow;
mod odd;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::app::{PASSWORD, TestApp, call};

/// `jarvis` on a data directory, with nothing else in its environment.
fn jarvis(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jarvis"));
    command.env_clear().env("JARVIS_DATA", data).stdin(Stdio::null());
    command
}

fn run(command: &mut Command, words: &[&str]) -> Output {
    command.args(words).output().unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Exit code and the one document that was printed, on one line.
fn document(output: &Output) -> (i32, Value) {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let document = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text:?} {output:?}"));
    assert_eq!(text.lines().count(), 1, "{text}");
    (output.status.code().unwrap(), document)
}

/// Every command, and how it ends without a server.
const EVERY: &[(&[&str], i32)] = &[
    (&["say", "how is this machine?"], 4),
    (&["say", "--plan", "how is this machine?"], 4),
    (&["call", "system_info"], 4),
    (&["call", "system_info", "{"], 2),
    (&["undo", "call_01m7y6xyqgexgr2hgw96rave6j"], 4),
    (&["undo", "turn_01m7y6xyqgexgr2hgw96rave6j", "--show"], 4),
    (&["replay", "conv_01m7y6xxp5e1e8zhdc4y25vbg6"], 4),
    (&["tools"], 4),
    (&["tools", "system_info"], 4),
    (&["approvals"], 4),
    (&["approve", "appr_01m7y6xyr1e6zvh3rtvc83t39m"], 4),
    (&["approve", "appr_01m7y6xyr1e6zvh3rtvc83t39m", "--without", "1,2"], 4),
    (&["deny", "appr_01m7y6xyr1e6zvh3rtvc83t39m", "--because", "no"], 4),
    (&["doubts"], 4),
    (&["acknowledge", "call_01m7y6xyqgexgr2hgw96rave6j"], 4),
    (&["stop"], 4),
    (&["resume"], 4),
    (&["audit", "tail"], 4),
    (&["audit", "tail", "--follow"], 4),
    (&["audit", "export"], 4),
    (&["audit", "export", "--after", "9"], 4),
    (&["audit", "verify"], 4),
    (&["backup", "no-such-place/jarvis.backup"], 2),
    (&["restore", "no-such-place/jarvis.backup"], 1),
    (&["restore", "--dumped"], 2),
    (&["token", "create", "ide", "--ceiling", "yellow", "--target", "web*", "--expires", "30d"], 4),
    (&["token", "create", "wall", "--role", "viewer", "--per-minute", "60"], 4),
    (&["session", "list"], 4),
    (&["session", "revoke", "sess_01m7y712k7etmvpk3cb77ryrd6"], 4),
    (&["session", "revoke", "--all"], 4),
    (&["token", "list"], 4),
    (&["token", "revoke", "tok_01m7y712k7etmvpk3cb77ryrd6"], 4),
    (&["secret", "set", "github", "--file", "Cargo.toml", "--note", "n", "--allow", "http_fetch=api.github.com"], 4),
    (&["secret", "allow", "github", "http_fetch=api.github.com"], 4),
    (&["secret", "list"], 4),
    (&["secret", "remove", "github"], 4),
    (&["secret", "import", "Cargo.toml", "--replace"], 4),
    (&["grant", "create", "docker_stop", "--target", "web", "--calls", "5", "--for", "8h"], 4),
    (&["grant", "create", "--of", "appr_01m7y6xyr1e6zvh3rtvc83t39m", "--try"], 4),
    (&["grant", "list"], 4),
    (&["grant", "revoke", "grant_01m7y712k7etmvpk3cb77ryrd6"], 4),
    (&["mount", "list"], 4),
    (&["mount", "show", "lab"], 4),
    (&["mount", "add", "lab", "--url", "http://127.0.0.1:9/mcp", "--key", "secret://lab"], 4),
    (&["mount", "add", "lab", "--reads", "/srv", "--network", "--env", "A=1", "--", "node", "server.js"], 4),
    (&["mount", "review", "lab", "--tier", "green", "echo@3f9a12c4"], 4),
    (&["mount", "retry", "lab"], 4),
    (&["mount", "remove", "lab"], 4),
    (&["migrate-database", "postgres://jarvis@localhost/jarvis"], 2),
    (&["jobs"], 4),
    (&["job", "start", "system_info"], 4),
    (&["job", "show", "job_01m7y6xyqgexgr2hgw96rave6j"], 4),
    (&["job", "output", "job_01m7y6xyqgexgr2hgw96rave6j"], 4),
    (&["job", "cancel", "job_01m7y6xyqgexgr2hgw96rave6j"], 4),
    (&["schedules"], 4),
    (&["schedule", "add", "n", "--cron", "* * * * *", "system_info"], 4),
    (&["schedule", "pause", "sched_01m7y6xyqgexgr2hgw96rave6j"], 4),
    (&["schedule", "resume", "sched_01m7y6xyqgexgr2hgw96rave6j"], 4),
    (&["schedule", "remove", "sched_01m7y6xyqgexgr2hgw96rave6j"], 4),
    (&["operator", "reset"], 2),
    (&["doctor"], 0),
    (&["serve", "--listen", "nowhere"], 2),
    (&["completions", "bash"], 0),
    (&["help"], 0),
    (&["token", "--help"], 0),
    (&["--version"], 0),
    (&["token"], 2),
    (&["session", "revoke"], 2),
    (&["session", "revoke", "sess_01m7y712k7etmvpk3cb77ryrd6", "--all"], 2),
    (&["no-such-word"], 2),
    (&["say"], 2),
    (&["token", "create", "ide"], 2),
    (&["token", "create", "ide", "--role", "approver"], 2),
    (&["token", "create", "ide", "--role", "operator", "--ceiling", "red"], 2),
    (&["token", "create", "ide", "--ceiling", "green", "--expires", "6y"], 2),
    (&["token", "create", "ide", "--ceiling", "purple"], 2),
    (&["approve", "appr_01m7y6xyr1e6zvh3rtvc83t39m", "--without", "0"], 2),
    (&["secret", "set"], 2),
    (&["secret", "allow", "github", "http_fetch"], 2),
    (&["grant", "create"], 2),
    (&["mount", "add", "lab"], 2),
    (&["mount", "add", "lab", "--url", "http://lab", "--", "node"], 2),
    (&["mount", "review", "lab", "--tier", "green"], 2),
    (&["grant", "create", "docker_stop", "--of", "appr_01m7y6xyr1e6zvh3rtvc83t39m"], 2),
    (&["grant", "create", "docker_stop", "--for", "31d"], 2),
    (&["grant", "create", "docker_stop", "--for", "8ü"], 2),
    (&["grant", "create", "docker_stop", "--calls", "1001"], 2),
    (&["audit", "tail", "-n", "501"], 2),
    (&["call", "system_info", "--wait", "51"], 2),
    (&["say", "--plan", "--conversation", "conv_01m7y6xxp5e1e8zhdc4y25vbg6", "hello"], 2),
];

#[test]
fn every_command_without_a_server_ends_with_its_code_and_one_document() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("jarvis");
    for (words, exit) in EVERY {
        let told = run(jarvis(&data).arg("--json"), words);
        let (found, document) = document(&told);
        assert_eq!(found, *exit, "{words:?}: {document}");
        if *exit != 0 {
            assert!(document["error"].as_str().unwrap().len() > 10, "{words:?}: {document}");
            assert_eq!((document["exit"].as_i64(), document["code"].is_string()), (Some((*exit).into()), true));
        }
        let said = run(&mut jarvis(&data), words);
        assert_eq!(said.status.code(), Some(*exit), "{words:?}: {said:?}");
        let out = if *exit == 0 { &said.stdout } else { &said.stderr };
        assert!(out.len() > 10, "{words:?}: {said:?}");
    }
    assert!(!data.exists(), "asking makes nothing");
}

/// What `jarvis … --json` prints when it does what it was told.
fn done(app: &TestApp, words: &[&str]) -> Value {
    let (exit, document) = app.cli_json(words);
    assert_eq!(exit, 0, "{words:?}: {document}");
    document
}

#[test]
fn what_is_said_called_and_taken_back_is_one_document() {
    let app = TestApp::start();
    let done = |words: &[&str]| done(&app, words);
    assert_eq!(done(&["say", "how is this machine?"])["state"], "done");
    let plan = done(&["say", "--plan", "how is this machine?"]);
    assert_eq!(plan, json!({ "calls": [{ "tool": "system_info", "args": {}, "tier": "green" }], "question": null }));
    assert!(done(&["tools"])["tools"].as_array().unwrap().len() > 20);
    assert_eq!(done(&["tools", "system_info"])["tier"], "green");
    let write = done(&["call", "file_write", r#"{"path":"a.txt","content":"hi"}"#]);
    let call = write["call"].as_str().unwrap();
    assert_eq!(done(&["undo", call])["state"], "done");
    assert_eq!(app.cli_json(&["undo", call]).0, 2, "a call is taken back once");
}

#[test]
fn what_waits_is_named_and_decided_once() {
    let app = TestApp::start();
    let fetch = ["call", "http_fetch", r#"{"url":"https://example.org/"}"#];
    let (exit, asked) = app.cli_json(&fetch);
    let card = asked["approval"].as_str().unwrap();
    assert_eq!((exit, asked["state"].as_str()), (3, Some("waiting")));
    let words = app.cli(&fetch);
    let told = String::from_utf8_lossy(&words.stdout).into_owned();
    assert!(words.status.code() == Some(3) && told.contains(card), "the id is printed: {told}");
    assert_eq!(done(&app, &["approvals"])["approvals"][0]["id"], card);
    assert_eq!(done(&app, &["deny", card, "--because", "not today"])["because"], "not today");
    assert_eq!(app.cli_json(&["approve", card]).0, 2, "it was decided");
    assert_eq!(done(&app, &["approvals", "--all"])["approvals"][0]["state"], "denied");
}

#[tokio::test]
async fn whoever_made_a_call_is_told_how_to_take_it_back() {
    let app = TestApp::start();
    let undone = |told: &Output| {
        let told = errors(told);
        let id = told.split_once("`jarvis undo ").and_then(|(_, rest)| rest.split_once('`')).map(|(id, _)| id);
        assert_eq!(done(&app, &["undo", id.unwrap_or_else(|| panic!("{told}"))])["state"], "done");
    };
    let write = ["call", "file_write", r#"{"path":"a.txt","content":"hi"}"#];
    undone(&app.cli(&write));
    undone(&app.cli(&["say", "write hello into a.txt"]));
    let program = app.cli(&["say", "write hello into b.txt", "--json"]);
    assert!(program.stderr.is_empty(), "a program reads it in the answer: {program:?}");
    let operator = app.operator().await;
    let mut settings: Value = operator.get("/api/settings").await.unwrap();
    settings["autonomy"]["default"] = 1.into();
    let _: Value = operator.put("/api/settings", &settings).await.unwrap();
    let card = app.cli_json(&write).1["approval"].as_str().unwrap().to_owned();
    let approved = app.cli(&["approve", &card]);
    assert!(approved.status.success() && errors(&approved).contains("`jarvis undo call_"), "{approved:?}");
}

#[test]
fn tokens_audit_and_findings_are_one_document_each() {
    let app = TestApp::start();
    let done = |words: &[&str]| done(&app, words);
    let token = done(&["token", "create", "ide", "--ceiling", "orange", "--confirm", "orange", "--role", "approver"]);
    assert!(token["secret"].as_str().unwrap().starts_with("jrv_"), "{token}");
    let id = token["id"].as_str().unwrap();
    assert_eq!(done(&["token", "list"])["tokens"][0]["id"], id);
    assert_eq!(done(&["token", "revoke", id]), json!({ "revoked": id }));
    assert_eq!(app.cli_json(&["token", "revoke", id]).1["code"], "not_found");
    let rows = done(&["audit", "tail", "-n", "3"]);
    let rows: Vec<_> = rows["events"].as_array().unwrap().iter().map(|row| row["seq"].as_u64().unwrap()).collect();
    assert_eq!(rows, [rows[0], rows[0] + 1, rows[0] + 2], "the oldest first");
    let exported = |words: &[&str]| -> Vec<Value> {
        let exported = app.cli(&[&["audit", "export"], words].concat());
        assert!(exported.status.success(), "{exported:?}");
        String::from_utf8(exported.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    // What a terminal is not shown as it is stays JSON all the same.
    done(&["call", "file_write", r#"{ "path": "a.txt", "content": "a\ufe0f\u200b" }"#]);
    done(&["call", "file_list"]);
    let all = exported(&[]);
    let seqs: Vec<_> = all.iter().map(|row| row["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "all of them, the oldest first");
    assert!(all.iter().any(|row| row["body"].to_string().contains("a\u{fe0f}\u{200b}")), "{all:?}");
    let read = all.iter().find(|row| row["kind"] == "call.read").unwrap();
    assert!(read["body"]["output"].is_object() && read["hash"].as_str().unwrap().len() == 64, "{read}");
    assert_eq!(exported(&["--after", &(seqs.len() - 2).to_string()]), all[seqs.len() - 2..]);
    assert_eq!(done(&["audit", "verify"])["ok"], true);
    assert!(done(&["doctor"])["findings"].is_array());
}

#[tokio::test]
async fn a_grant_spares_the_question_of_a_card_and_can_be_taken_back() {
    let app = TestApp::start();
    let operator = app.operator().await;
    let mut settings: Value = operator.get("/api/settings").await.unwrap();
    settings["autonomy"]["default"] = 1.into();
    let _: Value = operator.put("/api/settings", &settings).await.unwrap();
    let write = ["call", "file_write", r#"{"path":"a.txt","content":"hi"}"#];
    let card = app.cli_json(&write).1["approval"].as_str().unwrap().to_owned();
    assert_eq!(app.cli_json(&["deny", &card]).0, 0);

    let tried = done(&app, &["grant", "create", "--of", &card, "--try"]);
    assert_eq!((tried["looked"].as_u64(), tried["spared"][0]["answer"].as_str()), (Some(1), Some("denied")), "{tried}");
    assert_eq!(done(&app, &["grant", "list"]), json!({ "grants": [] }), "a trial gives nothing");
    let words = app.cli(&["grant", "create", "--of", &card, "--try"]);
    assert!(String::from_utf8_lossy(&words.stdout).contains("would have answered 1 call of the newest 1"), "{words:?}");

    let grant = done(&app, &["grant", "create", "--of", &card, "--calls", "1", "--for", "8h"]);
    assert_eq!((grant["tool"].as_str(), grant["state"].as_str()), (Some("file_write"), Some("live")), "{grant}");
    let id = grant["id"].as_str().unwrap();
    // The outcome of the card is fetched first: it was denied.
    assert_eq!(app.cli_json(&write).1["code"], "denied");
    assert_eq!(done(&app, &write)["state"], "done");
    assert_eq!(done(&app, &["grant", "list"])["grants"][0]["state"], "used_up");
    assert!(app.cli_json(&write).1["approval"].is_string(), "one call was granted");
    assert_eq!(done(&app, &["grant", "revoke", id]), json!({ "revoked": id }));
    assert_eq!(app.cli_json(&["grant", "revoke", id]).1["code"], "not_found");

    let more = ["grant", "create", "file_*", "--actor", "local", "--like", "path=a*", "--when", "content=hi"];
    assert_eq!(done(&app, &more)["when"], json!({ "path": { "like": "a*" }, "content": "hi" }));
    assert_eq!(done(&app, &["call", "file_write", r#"{"path":"ab.txt","content":"hi"}"#])["state"], "done");
    for (words, code) in [
        (&["grant", "create", "lamb_*"][..], "invalid_arguments"),
        (&["grant", "create", "file_write", "--when", "content"], "invalid_arguments"),
        (&["grant", "create", "--of", "appr_01m7y6xyr1e6zvh3rtvc83t39m"], "unknown_approval"),
        (&["grant", "revoke", "nonsense"], "not_found"),
    ] {
        assert_eq!(app.cli_json(words).1["code"], code, "{words:?}");
    }
}

#[test]
fn nonsense_is_refused_with_a_code() {
    let app = TestApp::start();
    for (words, code) in [
        (&["call", "no_such_tool"][..], "unknown_tool"),
        (&["call", "system_info", "[]"], "invalid_arguments"),
        (&["call", "file_read", r#"{"path":"a","path":"b"}"#], "invalid_arguments"),
        (&["approve", "../../kill"], "not_found"),
        (&["undo", "nonsense"], "not_found"),
        (&["say", ""], "invalid_arguments"),
        (&["tools", "no_such_tool"], "unknown_tool"),
    ] {
        let (exit, document) = app.cli_json(words);
        assert_eq!((exit, document["code"].as_str()), (2, Some(code)), "{words:?}: {document}");
    }
}

#[test]
fn text_that_deceives_a_terminal_stays_json_and_comes_back_unchanged() {
    let app = TestApp::start();
    std::fs::write(app.data().join("files/odd.txt"), "a\u{202e}b \u{9b} größe\n").unwrap();
    let told = app.cli(&["call", "file_read", r#"{"path":"odd.txt"}"#, "--json"]);
    assert!(!String::from_utf8_lossy(&told.stdout).contains('\u{202e}'));
    assert!(document(&told).1["output"].to_string().contains("a\u{202e}b \u{9b} größe"), "{told:?}");
}

#[test]
fn the_help_is_reviewed() {
    let data = tempfile::tempdir().unwrap();
    let mut pages = String::new();
    let commands = "serve mcp say replay call undo tools approvals approve deny doubts acknowledge jobs job schedules schedule stop resume audit \
                    backup restore migrate-database token grant operator doctor openapi completions";
    let below = [
        "audit tail",
        "audit verify",
        "job start",
        "job show",
        "job output",
        "job cancel",
        "schedule add",
        "schedule pause",
        "schedule resume",
        "schedule remove",
        "token create",
        "token list",
        "token revoke",
        "grant create",
        "grant list",
        "grant revoke",
        "operator reset",
    ];
    for command in [""].into_iter().chain(commands.split_whitespace()).chain(below) {
        let words: Vec<_> = command.split_whitespace().chain(["--help"]).collect();
        let page = String::from_utf8(run(&mut jarvis(data.path()), &words).stdout).unwrap();
        pages.extend([format!("$ jarvis {}\n", words.join(" ")), page, "\n".to_owned()]);
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "terminal", omit_expression => true }, {
        insta::assert_snapshot!("help", pages);
    });
}

#[test]
fn the_openapi_document_is_one_line_like_every_other() {
    let data = tempfile::tempdir().unwrap();
    let (exit, document) = document(&run(jarvis(data.path()).arg("--json"), &["openapi"]));
    assert!(exit == 0 && document["paths"].is_object());
}

#[tokio::test]
async fn the_kill_switch_is_thrown_and_released() {
    let app = TestApp::start();
    let fetch = json!({ "path": "a.txt", "content": "hi" });
    for (words, kill, green) in [(&["stop"][..], "effects", 0), (&["stop", "--all"], "all", 2)] {
        assert_eq!(app.cli_json(words), (0, json!({ "kill": kill })));
        assert_eq!(app.cli_json(&["call", "file_write", &fetch.to_string()]).1["code"], "stopped");
        assert_eq!(app.cli_json(&["call", "system_temperatures"]).0, green, "{kill}");
        let said = app.cli(words);
        assert!(String::from_utf8_lossy(&said.stdout).contains("`jarvis resume` releases it"), "{said:?}");
    }
    assert_eq!(app.cli_json(&["resume"]), (0, json!({ "kill": "off" })));
    assert_eq!(call(&app.local(), "file_write", fetch).await.unwrap().state, "done");
}

#[test]
fn who_decides_is_asked_for_only_where_a_server_can_hear_it() {
    let app = TestApp::start_fresh();
    let early = run(&mut jarvis(&app.data()), &["stop"]);
    assert_eq!(early.status.code(), Some(2));
    assert!(errors(&early).contains("nobody has set the operator's password yet"), "{early:?}");
    drop(app);
    let app = TestApp::start();
    let nobody = run(&mut jarvis(&app.data()), &["stop"]);
    assert_eq!(nobody.status.code(), Some(2));
    assert!(errors(&nobody).contains("JARVIS_OPERATOR_PASSWORD"), "{nobody:?}");
    let wrong = run(jarvis(&app.data()).env("JARVIS_OPERATOR_PASSWORD", "wrong wrong"), &["stop", "--json"]);
    assert_eq!(document(&wrong).1["code"], "unauthenticated");
    let right = run(jarvis(&app.data()).env("JARVIS_OPERATOR_PASSWORD", PASSWORD), &["resume"]);
    assert!(right.status.success(), "{right:?}");
}

#[test]
fn a_server_tells_in_json_where_it_listens() {
    use std::io::{BufRead as _, BufReader};
    let data = tempfile::tempdir().unwrap();
    let mut server = jarvis(data.path());
    let mut server =
        server.args(["serve", "--listen", "127.0.0.1:0", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let told: Value = serde_json::from_str(&first).unwrap();
    let url = told["url"].as_str().unwrap();
    assert!(url.starts_with("http://127.0.0.1:") && told["setup"].as_str().unwrap().starts_with(url), "{told}");
    let _ = Command::new("kill").args(["-TERM", &server.id().to_string()]).status();
    assert!(server.wait().unwrap().success());
}

#[test]
fn the_sockets_go_with_the_server_also_while_clients_hold_them() {
    let mut app = TestApp::start();
    let sockets = ["jarvis.sock", "mcp.sock"].map(|name| app.data().join(name));
    let held: Vec<_> = sockets.iter().map(|path| std::os::unix::net::UnixStream::connect(path).unwrap()).collect();
    app.stop();
    for socket in &sockets {
        assert!(!socket.exists(), "{}", socket.display());
    }
    drop(held);
    let verified = run(&mut jarvis(&app.data()), &["audit", "verify", "--json"]);
    assert_eq!(document(&verified).0, 0, "without a server it is verified on the files: {verified:?}");
}
