//! The journal of a real systemd host, and log files in a directory of the test's own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use jarvis_safety::Actor;
use jarvis_safety::kernel::RegistryBuilder;
use jarvis_safety::refusal::Code;
use jarvis_safety::tool::ToolErrorKind;
use jarvis_tools::log::{LogOptions, register};
use serde_json::{Value, json};
use support::House;

async fn gate(options: LogOptions) -> House {
    support::gate(register(RegistryBuilder::default(), options)).await
}

async fn journal() -> Option<House> {
    let root = PathBuf::from(support::part("JARVIS_TEST_HOST_ROOT")?);
    let kept = root.join("var/log/journal");
    let has_files = fs::read_dir(&kept).is_ok_and(|entries| entries.count() > 0);
    let directory = if has_files { kept } else { root.join("run/log/journal") };
    Some(gate(LogOptions { journal_directory: Some(directory), ..LogOptions::default() }).await)
}

/// Writes to the journal of the host and waits until it is in the file.
fn tell(identifier: &str, priority: &str, text: &str) {
    let prefix = std::env::var("JARVIS_TEST_HOST_EXEC").unwrap();
    let script = "printf '%s\\n' \"$1\" | systemd-cat -t \"$2\" -p \"$3\" && journalctl --sync";
    let mut words = prefix.split_whitespace();
    let status = Command::new(words.next().unwrap())
        .args(words)
        .args(["sh", "-c", script, "sh", text, identifier, priority])
        .status()
        .unwrap();
    assert!(status.success());
}

fn texts(output: &Value) -> Vec<&str> {
    output["lines"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_journal_of_a_service_is_read() {
    let Some(gate) = journal().await else { return };
    let args = json!({ "service": "lab-broken", "lines": 50 });
    let outcome = support::ran(support::call(&gate, &Actor::local(), "log_read", args).await);
    let lines = outcome.output["lines"].as_array().unwrap();
    let why = lines.iter().find(|line| line["text"] == "lab-broken: /etc/lab-broken.conf is missing").unwrap();
    assert_eq!(why["unit"], "lab-broken.service");
    assert!(why["at"].as_i64().unwrap() > 1_700_000_000_000);
    let times: Vec<_> = lines.iter().map(|line| line["at"].as_i64().unwrap()).collect();
    assert!(times.is_sorted(), "oldest first");
    assert!(outcome.words.contains("/etc/lab-broken.conf is missing"), "{}", outcome.words);
    assert_eq!(outcome.target.name, "journal of lab-broken.service");
    assert!(outcome.untrusted);
}

#[tokio::test]
async fn search_priority_and_count_narrow_the_journal() {
    let Some(gate) = journal().await else { return };
    let mark = format!("jarvis-log-test-{}", std::process::id());
    for (priority, text) in [("info", "one (a+b)"), ("err", "Two (A+B)"), ("err", "three")] {
        tell(&mark, priority, &format!("{mark} {text}"));
    }
    let read = async |args: Value| support::ran(support::call(&gate, &Actor::local(), "log_read", args).await);
    let found = read(json!({ "search": format!("{mark} ") })).await;
    assert_eq!(
        texts(&found.output),
        [format!("{mark} one (a+b)"), format!("{mark} Two (A+B)"), format!("{mark} three")]
    );
    assert_eq!(found.output["cut"], false);
    let found = read(json!({ "search": format!("{mark} "), "priority": "error", "minutes": 5 })).await;
    assert_eq!(texts(&found.output).len(), 2);
    assert_eq!(found.output["lines"][0]["priority"], "error");
    let found = read(json!({ "search": format!("{mark} "), "lines": 1 })).await;
    assert_eq!(texts(&found.output), [format!("{mark} three")]);
    assert_eq!(found.output["cut"], true, "there are older ones");
    let found = read(json!({ "search": "(A+B)", "minutes": 5 })).await;
    assert!(texts(&found.output).contains(&format!("{mark} one (a+b)").as_str()), "no expression, any case");
    let found = read(json!({ "search": format!("{mark} nothing like it") })).await;
    assert_eq!(found.words, "There is no such line in the journal.");
}

#[tokio::test]
async fn what_cannot_be_printed_stays_data_and_is_shown_escaped() {
    let Some(gate) = journal().await else { return };
    let mark = format!("jarvis-escape-{}", std::process::id());
    tell(&mark, "info", &format!("{mark} \u{1b}[31mred"));
    let args = json!({ "search": mark, "lines": 5 });
    let outcome = support::ran(support::call(&gate, &Actor::local(), "log_read", args).await);
    assert_eq!(texts(&outcome.output), [format!("{mark} \u{1b}[31mred")]);
    assert!(outcome.words.contains(&format!("{mark} \\u{{1b}}[31mred")), "{}", outcome.words);
}

struct Files {
    folder: tempfile::TempDir,
    gate: House,
}

impl Files {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let gate = gate(LogOptions { files: folder.path().to_owned(), ..LogOptions::default() }).await;
        Self { folder, gate }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn refused(&self, args: Value) -> (Code, String) {
        let answer = support::call(&self.gate, &Actor::local(), "log_read", args).await;
        let refusal = support::refused(answer);
        (refusal.code, refusal.message)
    }

    async fn read(&self, args: Value) -> Value {
        support::ran(support::call(&self.gate, &Actor::local(), "log_read", args).await).output
    }
}

#[tokio::test]
async fn a_large_file_is_read_from_its_end() {
    let files = Files::new().await;
    fs::create_dir(files.path("app")).unwrap();
    let rows: String = (0..200_000).map(|number| format!("line {number} of many that fill this file\n")).collect();
    assert!(rows.len() > 5 * 1024 * 1024);
    fs::write(files.path("app/big.log"), rows).unwrap();
    let output = files.read(json!({ "path": files.path("app/big.log"), "lines": 2 })).await;
    assert_eq!(texts(&output), ["line 199998 of many that fill this file", "line 199999 of many that fill this file"]);
    assert_eq!(output["cut"], true);
    assert_eq!(output["source"], files.path("app/big.log").to_str().unwrap());
    let output = files.read(json!({ "path": "app/big.log", "search": "LINE 4242 " })).await;
    assert_eq!(texts(&output), ["line 4242 of many that fill this file"]);
    assert_eq!(output["cut"], false, "all of it was searched");
}

#[tokio::test]
async fn nothing_leads_out_of_the_log_directory() {
    let files = Files::new().await;
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "hunter2").unwrap();
    symlink(outside.path().join("secret"), files.path("absolute.log")).unwrap();
    symlink(Path::new("..").join(outside.path().file_name().unwrap()).join("secret"), files.path("up.log")).unwrap();
    symlink(outside.path(), files.path("folder")).unwrap();
    fs::write(files.path("real.log"), "inside\n").unwrap();
    symlink("real.log", files.path("link.log")).unwrap();
    for path in ["absolute.log", "up.log", "folder/secret", "../secret", "/etc/passwd"] {
        let (code, message) = files.refused(json!({ "path": path })).await;
        assert_eq!(code, Code::InvalidArguments, "{path}: {message}");
        assert!(!message.contains("hunter2"));
    }
    let output = files.read(json!({ "path": "link.log" })).await;
    assert_eq!(texts(&output), ["inside"], "a link within the directory is followed");
    assert_eq!(output["source"], files.path("real.log").to_str().unwrap(), "under its real name");
}

#[tokio::test]
async fn what_is_no_text_file_is_refused_in_words() {
    let files = Files::new().await;
    fs::write(files.path("old.log.2.gz"), [0x1f, 0x8b]).unwrap();
    fs::create_dir(files.path("nginx")).unwrap();
    fs::write(files.path("nginx/access.log"), "x\n").unwrap();
    assert!(Command::new("mkfifo").arg(files.path("pipe")).status().unwrap().success());
    for (path, word) in [
        ("old.log.2.gz", "compressed"),
        ("nginx", "is a directory; it holds: access.log"),
        ("pipe", "not a regular file"),
    ] {
        let (code, message) = files.refused(json!({ "path": path })).await;
        assert_eq!(code, Code::InvalidArguments);
        assert!(message.contains(word), "{message}");
    }
    let (code, message) = files.refused(json!({ "path": "nginx/acces.log" })).await;
    assert_eq!(code, Code::UnknownTarget);
    assert!(message.contains("near to it: access.log"), "{message}");
    fs::write(files.path("table"), [0_u8; 4096]).unwrap();
    let answer = support::call(&files.gate, &Actor::local(), "log_read", json!({ "path": "table" })).await;
    assert_eq!(support::failed(answer).error.unwrap().kind, ToolErrorKind::Invalid);
}

#[tokio::test]
async fn contradicting_arguments_are_refused() {
    let files = Files::new().await;
    fs::write(files.path("a.log"), "x\n").unwrap();
    for args in [
        json!({ "service": "nginx", "path": "a.log" }),
        json!({ "path": "a.log", "minutes": 5 }),
        json!({ "path": "a.log", "priority": "error" }),
        json!({ "service": "nginx; rm" }),
        json!({ "search": "a\nb" }),
        json!({ "lines": 2001 }),
        json!({ "lines": 0 }),
        json!({ "unit": "nginx" }),
    ] {
        let (code, _) = files.refused(args.clone()).await;
        assert_eq!(code, Code::InvalidArguments, "{args}");
    }
}

#[tokio::test]
async fn an_empty_journal_directory_is_a_clear_state() {
    let folder = tempfile::tempdir().unwrap();
    let gate = gate(LogOptions { journal_directory: Some(folder.path().to_owned()), ..LogOptions::default() }).await;
    let outcome = support::failed(support::call(&gate, &Actor::local(), "log_read", json!({})).await);
    assert_eq!(outcome.error.unwrap().kind, ToolErrorKind::Unavailable);
    assert!(outcome.words.contains("/var/log/journal"), "{}", outcome.words);
}
