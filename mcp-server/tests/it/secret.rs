//! Secrets in the real program: kept by one door, and found nowhere behind any other.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jarvis_client::wire::{DoctorReport, ImportReport, SecretBody, SecretInfo, SecretList};
use serde_json::{Value, json};

use crate::app::{self, TestApp};
use crate::turn::model::{ModelServer, call, words};

const VALUE: &str = "ghp_Canary/0123456789+\"x\"";
const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

async fn keep(app: &TestApp, name: &str, value: &str) -> SecretInfo {
    let body = SecretBody { value: Some(value.to_owned()), note: None, uses: None };
    app.operator().await.put(&format!("/api/secrets/{name}"), &body).await.unwrap()
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// A file with the secret in it, as programs would have written it.
fn leaky() -> String {
    let shifted = |by: &str| STANDARD.encode(format!("{by}{VALUE} and more"));
    format!(
        "raw {VALUE}\nbase64 {} {} {}\nhex {}\njson {}\nend\n",
        shifted(""),
        shifted("a"),
        shifted("ab"),
        hex(VALUE),
        json!(VALUE)
    )
}

/// Parts of what may be left of it: more than an accident holds.
fn traces() -> Vec<String> {
    let shifted = |by: &str| STANDARD.encode(format!("{by}{VALUE}"));
    let middle = |text: String| text[8..20].to_owned();
    vec![
        VALUE.to_owned(),
        "Canary/01234".to_owned(),
        middle(shifted("")),
        middle(shifted("a")),
        middle(shifted("ab")),
        hex("Canary/0123"),
        "Canary\\/0123".to_owned(),
    ]
}

fn clean(what: &str, text: &str) {
    for trace in traces() {
        assert!(!text.contains(&trace), "{what} holds {trace}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tool_finds_of_a_secret_is_struck_out_of_every_way_out() {
    let mut app = TestApp::start();
    std::fs::create_dir_all(app.data().join("files")).unwrap();
    std::fs::write(app.data().join("files/leak.txt"), leaky()).unwrap();
    keep(&app, "github", VALUE).await;
    let server =
        ModelServer::start(vec![call("file_read", json!({ "path": "leak.txt" })), words("I have read it.")]).await;
    server.connect(&app, None).await;

    let local = app.local();
    let answer = app::call(&local, "file_read", json!({ "path": "leak.txt" })).await.unwrap();
    let told = serde_json::to_string(&answer).unwrap();
    assert!(told.matches("[secret github]").count() >= 5, "{told}");
    clean("the answer", &told);
    let (code, said) = app.cli_json(&["say", "tell me what a model makes of the leaky file"]);
    assert_eq!(code, 0, "{said}");
    clean("the chat", &said.to_string());
    let (code, job) = app.cli_json(&["job", "start", "file_read", r#"{"path":"leak.txt"}"#, "--follow"]);
    clean("the job", &job.to_string());
    assert_eq!(code, 0, "{job}");
    for seen in server.seen() {
        clean("the prompt", &seen.rest);
    }
    assert!(server.seen().iter().any(|seen| seen.outcomes().concat().contains("[secret github]")));
    let operator = app.operator().await;
    let history: Value = operator.get("/api/history?limit=200").await.unwrap();
    for event in history["events"].as_array().unwrap() {
        let whole: Value = operator.get(&format!("/api/events/{}", event["seq"])).await.unwrap();
        clean("an event", &whole.to_string());
    }
    let metrics = app.cli(&["audit", "tail", "-n", "100"]);
    clean("the tail", &String::from_utf8_lossy(&metrics.stdout));
    app.stop();
    clean("the log", &app.logged.whole());
    for trace in traces() {
        let found = app.files_with(&trace);
        assert!(found.iter().all(|path| path.ends_with("files/leak.txt")), "{trace} stands in {found:?}");
    }
    app.start_again();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_spells_a_secret_out_is_refused_and_words_lose_it() {
    let app = TestApp::start();
    keep(&app, "github", VALUE).await;
    for content in [VALUE.to_owned(), STANDARD.encode(format!("x{VALUE}")), hex(VALUE)] {
        let write = json!({ "path": "out.txt", "content": format!("token={content}") });
        let (code, refused) = app.cli_json(&["call", "file_write", &write.to_string()]);
        assert_eq!((code, refused["code"].as_str()), (2, Some("invalid_arguments")), "{refused}");
        let said = refused.to_string();
        assert!(said.contains("secret://github") && said.contains("Nothing was done"), "{said}");
        clean("the refusal", &refused.to_string());
        let (code, refused) = app.cli_json(&["job", "start", "file_write", &write.to_string()]);
        assert_eq!((code, refused["code"].as_str()), (2, Some("invalid_arguments")), "{refused}");
    }
    assert!(!app.data().join("files/out.txt").exists());
    app.cli(&["say", &format!("remember that my token is {VALUE}")]);
    let conversations: Value = app.operator().await.get("/api/conversations").await.unwrap();
    let told = conversations.to_string();
    assert!(told.contains("[secret github]"), "{told}");
    clean("the conversation", &told);
    assert_eq!(app.files_with("Canary"), Vec::<std::path::PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_a_model_lies_in_the_vault_and_goes_to_its_server_alone() {
    let app = TestApp::start();
    keep(&app, "model-key", "sk-Model-0123456789").await;
    let echo = words("Your key is sk-Model-0123456789, is it not?");
    let server = ModelServer::start(vec![echo]).await;
    server.connect(&app, Some("secret://model-key")).await;
    let (_, said) = app.cli_json(&["say", "tell me something only a model can know"]);
    assert!(said.to_string().contains("Your key is [secret model-key], is it not?"), "{said}");
    assert_eq!(server.seen()[0].authorization.as_deref(), Some("Bearer sk-Model-0123456789"));
    assert_eq!(app.cli_json(&["secret", "remove", "model-key"]).0, 0);
    let (_, said) = app.cli_json(&["say", "tell me something else that only a model can know"]);
    assert!(said.to_string().contains("there is no secret model-key"), "{said}");
    assert_eq!(server.seen().len(), 1, "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_terminal_keeps_lists_allows_imports_and_removes() {
    let app = TestApp::start();
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("token");
    std::fs::write(&file, format!("{VALUE}\n")).unwrap();
    let file = file.to_str().unwrap();
    let (code, kept) = app.cli_json(&["secret", "set", "github", "--file", file, "--note", "for CI"]);
    assert_eq!((code, kept["version"].as_u64(), kept["note"].as_str()), (0, Some(1), Some("for CI")), "{kept}");
    let (_, allowed) = app.cli_json(&["secret", "allow", "github", "http_fetch=api.github.com"]);
    assert_eq!(allowed["uses"], json!([{ "tool": "http_fetch", "target": "api.github.com" }]));
    let dotenv = scratch.path().join(".env");
    std::fs::write(&dotenv, "DB_PASSWORD='Long-enough 1'\nPORT=5432\nbroken\ngithub=Another-value-9\n").unwrap();
    let (code, report) = app.cli_json(&["secret", "import", dotenv.to_str().unwrap()]);
    let report: ImportReport = serde_json::from_value(report).unwrap();
    assert_eq!((code, report.kept), (0, vec!["DB_PASSWORD".to_owned()]));
    let skipped: Vec<_> = report.skipped.iter().map(|skipped| (skipped.line, skipped.name.as_str())).collect();
    assert_eq!(skipped, [(2, "PORT"), (3, ""), (4, "github")]);
    let listed = app.cli(&["secret", "list"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("DB_PASSWORD") && listed.contains("http_fetch=api.github.com"), "{listed}");
    clean("the list", &listed);
    assert_eq!(app.cli_json(&["secret", "remove", "github"]).0, 0);
    assert_eq!(app.cli_json(&["secret", "remove", "github"]).1["code"], "not_found");
    for (value, why) in [("short", "8 to 16384 bytes"), ("postgres", "ordinary word"), ("123456789", "ordinary")] {
        std::fs::write(file, value).unwrap();
        let (code, refused) = app.cli_json(&["secret", "set", "weak", "--file", file]);
        assert_eq!(code, 2, "{refused}");
        assert!(refused.to_string().contains(why), "{refused}");
    }
    let local: SecretList = app.operator().await.get("/api/secrets").await.unwrap();
    assert!(local.key.ends_with("keys/vault.key") && local.fault.is_none(), "{local:?}");
    let refused = app.local().get::<SecretList>("/api/secrets").await.unwrap_err();
    assert!(refused.to_string().contains("operator"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_whose_key_is_another_one_stays_closed_and_says_so() {
    let mut app = TestApp::start_with(&[("JARVIS_VAULT_KEY", KEY)]);
    keep(&app, "github", VALUE).await;
    app.stop();
    app.start_again();
    let list: SecretList = app.operator().await.get("/api/secrets").await.unwrap();
    assert_eq!((list.secrets.len(), list.key.as_str(), list.fault), (1, "env:JARVIS_VAULT_KEY", None));
    app.stop();
    app.set("JARVIS_VAULT_KEY", &KEY.replace("00", "ff"));
    app.start_again();
    let operator = app.operator().await;
    let list: SecretList = operator.get("/api/secrets").await.unwrap();
    assert!(list.secrets.len() == 1 && list.fault.unwrap().contains("another key"), "what is there can be removed");
    let report: DoctorReport = operator.get("/api/doctor").await.unwrap();
    assert!(report.findings.iter().any(|found| found.found.contains("the vault is closed")), "{report:?}");
    let body = SecretBody { value: Some("brand-New-1".to_owned()), note: None, uses: None };
    let refused = operator.put::<_, SecretInfo>("/api/secrets/new", &body).await.unwrap_err();
    assert!(refused.to_string().contains("vault is closed"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_before_a_secret_was_known_is_struck_out_when_it_is_shown() {
    let app = TestApp::start();
    let write = json!({ "path": "old.txt", "content": format!("token={VALUE}") });
    assert_eq!(app.cli_json(&["call", "file_write", &write.to_string()]).0, 0);
    let (code, job) = app.cli_json(&["job", "start", "file_read", r#"{"path":"old.txt"}"#, "--follow"]);
    assert_eq!(code, 0, "{job}");
    app.cli(&["say", &format!("is {VALUE} a good token?")]);
    keep(&app, "github", VALUE).await;
    let operator = app.operator().await;
    let history: Value = operator.get("/api/history?limit=200").await.unwrap();
    clean("the history", &history.to_string());
    for event in history["events"].as_array().unwrap() {
        let whole: Value = operator.get(&format!("/api/events/{}", event["seq"])).await.unwrap();
        clean("an event", &whole.to_string());
    }
    let conversations: Value = operator.get("/api/conversations").await.unwrap();
    clean("the conversations", &conversations.to_string());
    let mut stream = operator.stream(0, "jobs").await.unwrap();
    let status: jarvis_client::wire::StatusInfo = operator.get("/api/status").await.unwrap();
    loop {
        let jarvis_client::Message::Event(event) = stream.next().await.unwrap() else { continue };
        clean("the stream", &format!("{event:?}"));
        if event.seq >= status.head {
            break;
        }
    }
    let refused = operator
        .get::<Value>(&format!("/api/jobs?state={}", VALUE.replace('+', "%2B").replace('"', "%22")))
        .await
        .unwrap_err();
    clean("a problem", &refused.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_back_in_place_of_a_secret_and_no_schedule_spells_one_out() {
    let app = TestApp::start();
    keep(&app, "github", VALUE).await;
    let back = json!({ "path": "a.env", "content": "TOKEN=[secret github]" });
    let (code, refused) = app.cli_json(&["call", "file_write", &back.to_string()]);
    assert_eq!((code, refused["code"].as_str()), (2, Some("invalid_arguments")), "{refused}");
    let other = json!({ "path": "a.env", "content": "TOKEN=[secret of mine]" });
    assert_eq!(app.cli_json(&["call", "file_write", &other.to_string()]).0, 0);
    let schedule = json!({
        "name": "nightly", "cron": "0 3 * * *", "zone": "UTC",
        "tool": "file_write", "args": { "path": "b.txt", "content": VALUE },
    });
    let refused = app.operator().await.post::<_, Value>("/api/schedules", &schedule, None).await.unwrap_err();
    assert!(refused.to_string().contains("secret://github"), "{refused}");
    assert!(app.files_with("Canary").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_secret_does_not_come_out_by_the_pieces_that_a_search_shows() {
    let app = TestApp::start();
    let long: String = (0..400).map(|at| char::from(b'A' + (at * 7 % 25) as u8)).collect::<String>() + "-0123456789";
    std::fs::create_dir_all(app.data().join("files")).unwrap();
    std::fs::write(app.data().join("files/jwt.txt"), format!("x=1;token={long};y=2\n")).unwrap();
    keep(&app, "jwt", &long).await;
    for text in ["token", "y=2", &long[100..120], &long[300..330]] {
        let (_, found) = app.cli_json(&["call", "file_search", &json!({ "text": text }).to_string()]);
        assert!(!found.to_string().contains(&long[200..230]), "{text}: {found}");
        assert!(!found.to_string().contains(&long[20..50]), "{text}: {found}");
    }
    let (_, found) = app.cli_json(&["call", "file_search", r#"{"text":"token"}"#]);
    assert!(found.to_string().contains("x=1;token=[secret jwt];y=2"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_the_log_quotes_stands_there_by_its_mark() {
    let mut app = TestApp::start();
    keep(&app, "github", VALUE).await;
    app.stop();
    // What cannot be read is told with the line in which it stands.
    std::fs::write(app.data().join("policy.toml"), format!("token = {VALUE}\n")).unwrap();
    app.start_again();
    let line = app.logged.line("policy.toml cannot be read");
    assert!(line.contains("token = [secret github]"), "{line}");
    let history: Value = app.operator().await.get("/api/history?kind=policy.unreadable&limit=9").await.unwrap();
    assert!(history.to_string().contains("[secret github]"), "{history}");
    clean("the history", &history.to_string());
    app.stop();
    clean("the log", &app.logged.whole());
    let found = app.files_with("Canary/0");
    assert!(found.iter().all(|path| path.ends_with("policy.toml")), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_names_what_a_secret_names_holds_its_mark() {
    let mut app = TestApp::start();
    // A link that leads to a folder: whoever takes it for a file is told which folder that is.
    let files = app.data().join("files");
    std::fs::create_dir_all(files.join(VALUE)).unwrap();
    std::os::unix::fs::symlink(VALUE, files.join("door")).unwrap();
    keep(&app, "github", VALUE).await;
    let (code, refused) = app.cli_json(&["call", "file_read", r#"{"path":"door"}"#]);
    assert_eq!((code, refused["code"].as_str()), (2, Some("invalid_arguments")), "{refused}");
    let operator = app.operator().await;
    let read = json!({ "tool": "file_read", "args": { "path": "door" } });
    let job: Value = operator.post("/api/jobs", &read, None).await.unwrap();
    let job = format!("/api/jobs/{}", job["id"].as_str().unwrap());
    let job: Value = operator.get_waiting(&job, 30).await.unwrap();
    assert_eq!(job["state"], "failed", "{job}");
    let history: Value = operator.get("/api/history?kind=call.refused&limit=9").await.unwrap();
    for (what, told) in [("the refusal", &refused), ("the job", &job), ("the history", &history)] {
        let told = told.to_string();
        assert!(told.contains("`[secret github]` is a folder"), "{what}: {told}");
        clean(what, &told);
    }
    app.stop();
    clean("the log", &app.logged.whole());
    assert_eq!(app.files_with("Canary/0"), Vec::<std::path::PathBuf>::new());
}

/// A row holds 300 characters. What is cut before its secrets are struck out keeps the half of one that stands there.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_secret_at_the_end_of_what_a_row_holds_no_half_is_kept() {
    let mut app = TestApp::start();
    keep(&app, "github", VALUE).await;
    let field = format!("{}{VALUE}", "x".repeat(237));
    let (code, refused) = app.cli_json(&["call", "file_read", &json!({ field: 1 }).to_string()]);
    assert_eq!((code, refused["code"].as_str()), (2, Some("invalid_arguments")), "{refused}");
    clean("the refusal", &refused.to_string());
    app.stop();
    assert_eq!(app.files_with("Canary/0"), Vec::<std::path::PathBuf>::new());
    std::fs::write(app.data().join("policy.toml"), format!("token = {}{VALUE}\n", "x".repeat(209))).unwrap();
    app.start_again();
    app.logged.line("policy.toml cannot be read");
    app.stop();
    let found = app.files_with("Canary/0");
    assert!(found.iter().all(|path| path.ends_with("policy.toml")), "{found:?}");
}
