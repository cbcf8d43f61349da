//! Services of a real systemd host, with the binary inside it: what a person does there on the first evening.
//!
//! Server and terminal run inside the host's namespaces, so that bus, journal and processes are the host's own.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::app::PASSWORD;
use crate::needs;

const UNIT: &str = "lab-demo.service";

/// A host in which Jarvis serves. Dropped, it is as it was found.
struct Host {
    exec: String,
    root: PathBuf,
    name: String,
    server: Option<Child>,
    /// Tests that move `lab-demo` take turns, also those of other programs.
    _turn: File,
}

impl Host {
    fn start() -> Option<Self> {
        let exec = needs::part("JARVIS_TEST_HOST_EXEC", "a host with systemd")?;
        let root = PathBuf::from(needs::part("JARVIS_TEST_HOST_ROOT", "the files of that host")?);
        let turn = File::create(root.join("run/lab-demo.turn")).unwrap();
        turn.lock().unwrap();
        let name = format!("/tmp/jarvis-it-{}", std::process::id());
        let mut host = Self { exec, root, name, server: None, _turn: turn };
        std::fs::copy(env!("CARGO_BIN_EXE_jarvis"), host.seen_from_here(&host.name)).unwrap();
        host.systemctl(&["start", UNIT]);
        let mut server = host.jarvis(&["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut first).unwrap();
        host.server = Some(server);
        assert!(first.starts_with("Jarvis listens on "), "{first}");
        Some(host)
    }

    fn seen_from_here(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    fn data(&self) -> String {
        format!("{}-data", self.name)
    }

    /// A program inside the host.
    fn inside(&self, program: &str) -> Command {
        let mut words = self.exec.split_whitespace();
        let mut command = Command::new(words.next().unwrap());
        command.args(words).arg(program).stdin(Stdio::null());
        command
    }

    fn jarvis(&self, words: &[&str]) -> Command {
        let mut command = self.inside(&self.name);
        command.args(words).env("JARVIS_DATA", self.data()).env("JARVIS_OPERATOR_PASSWORD", PASSWORD);
        command.env_remove("JARVIS_URL").env_remove("JARVIS_TOKEN").env_remove("JARVIS_DBUS");
        command
    }

    /// Exit code and what `jarvis … --json` prints.
    fn cli(&self, words: &[&str]) -> (i32, Value) {
        let output = self.jarvis(words).arg("--json").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let value = serde_json::from_str(text.trim()).unwrap_or_else(|_| panic!("{words:?} printed {text}"));
        (output.status.code().unwrap(), value)
    }

    fn say(&self, text: &str) -> String {
        let output = self.jarvis(&["say", text]).output().unwrap();
        assert!(output.status.success(), "{text}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn systemctl(&self, words: &[&str]) -> String {
        let output = self.inside("systemctl").args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn main_pid(&self) -> String {
        self.systemctl(&["show", "-P", "MainPID", UNIT])
    }

    /// Asks for the stop and has it approved; answers the id of the call.
    fn stop_demo(&self) -> String {
        let (exit, asked) = self.cli(&["call", "service_stop", &json!({ "service": "lab-demo" }).to_string()]);
        assert_eq!((exit, asked["state"].as_str(), asked["tier"].as_str()), (3, Some("waiting"), Some("orange")));
        assert_eq!(self.systemctl(&["is-active", UNIT]), "active", "asking stops nothing");
        let (exit, card) = self.cli(&["approve", asked["approval"].as_str().unwrap()]);
        assert_eq!((exit, card["state"].as_str()), (0, Some("done")), "{card}");
        card["steps"][0]["answer"]["call"].as_str().unwrap().to_owned()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            // The server is a process of the host: it is named there, and ends there.
            let end = "kill -TERM \"$(cat \"$1/lock\")\"";
            let _ = self.inside("sh").args(["-c", end, "sh", &self.data()]).status();
            let _ = server.wait();
        }
        self.systemctl(&["start", UNIT]);
        let _ = std::fs::remove_file(self.seen_from_here(&self.name));
        let _ = std::fs::remove_dir_all(self.seen_from_here(&self.data()));
    }
}

#[test]
fn a_service_is_restarted_in_plain_words() {
    let Some(host) = Host::start() else { return };
    let before = host.main_pid();
    let told = host.say("restart lab-demo");
    let after = host.main_pid();
    assert_ne!(before, after, "{told}");
    assert!(told.contains(&after), "it reports the process that systemd knows: {told}");
    let (_, tail) = host.cli(&["call", "service_status", &json!({ "service": "lab-demo" }).to_string()]);
    assert_eq!(tail["output"]["main_pid"].to_string(), after, "{tail}");
    let (exit, report) = host.cli(&["audit", "verify"]);
    assert_eq!((exit, report["ok"].as_bool()), (0, Some(true)), "{report}");
}

#[test]
fn a_service_is_stopped_once_approved_and_the_stop_is_taken_back() {
    let Some(host) = Host::start() else { return };
    let call = host.stop_demo();
    assert_eq!(host.systemctl(&["is-active", UNIT]), "inactive");
    let (exit, undone) = host.cli(&["undo", &call]);
    assert_eq!((exit, undone["state"].as_str()), (0, Some("done")), "{undone}");
    assert_eq!(host.systemctl(&["is-active", UNIT]), "active");
    let (exit, again) = host.cli(&["undo", &call]);
    assert_eq!(exit, 2, "a call is taken back once: {again}");
    let (exit, report) = host.cli(&["audit", "verify"]);
    assert_eq!((exit, report["ok"].as_bool()), (0, Some(true)), "{report}");
}

#[test]
fn what_failed_is_named_and_its_journal_says_why() {
    let Some(host) = Host::start() else { return };
    let failed = host.say("which services failed?");
    assert!(failed.contains("lab-broken"), "{failed}");
    assert!(!failed.contains("lab-demo"), "{failed}");
    let (exit, log) = host.cli(&["call", "log_read", &json!({ "service": "lab-broken" }).to_string()]);
    assert_eq!((exit, log["state"].as_str(), log["untrusted"].as_bool()), (0, Some("done"), Some(true)));
    assert!(log["words"].as_str().unwrap().contains("/etc/lab-broken.conf is missing"), "{log}");
    let told = host.say("show the log of the service lab-demo");
    assert!(told.contains("lab-demo is up"), "{told}");
    let (exit, report) = host.cli(&["audit", "verify"]);
    assert_eq!((exit, report["ok"].as_bool()), (0, Some(true)), "{report}");
}
