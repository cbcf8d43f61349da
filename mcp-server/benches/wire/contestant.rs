//! The servers that are measured, each a process of its own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::load::{self, Figures};
use super::reference;

const PASSWORD: &str = "a benchmark's password";

pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    process: Child,
    address: String,
    request: Vec<u8>,
    _directory: Option<tempfile::TempDir>,
}

impl Contestant {
    pub(crate) fn all() -> Vec<Self> {
        vec![Self::bare(), Self::jarvis("jarvis, green", "wal"), Self::jarvis("jarvis, green, strict", "fsync")]
    }

    /// rmcp with nothing around it.
    fn bare() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let (process, address) = start(command.arg(reference::FLAG));
        let request = request(&address, "", json!({ "name": "echo", "arguments": { "text": "hello" } }));
        Self { name: "rmcp alone", process, address, request, _directory: None }
    }

    /// The real binary: token, schema, policy, gate and audit row.
    fn jarvis(name: &'static str, reads: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let jarvis = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_jarvis"));
            command
                .env("JARVIS_DATA", directory.path())
                .env("JARVIS_OPERATOR_PASSWORD", PASSWORD)
                .env("JARVIS_LOG", "warn");
            command
        };
        let (process, address) = start(jarvis().args(["serve", "--listen", "127.0.0.1:0", "--fixtures"]));
        let made = jarvis().args(["token", "create", "bench", "--ceiling", "green", "--json"]).output().unwrap();
        let made: Value = serde_json::from_slice(&made.stdout).unwrap();
        let token = made["secret"].as_str().unwrap();
        set_reads(&address, reads);
        let head = format!("Authorization: Bearer {token}\r\n");
        let request = request(&address, &head, json!({ "name": "echo", "arguments": { "text": "hello" } }));
        Self { name, process, address, request, _directory: Some(directory) }
    }

    /// One round of calls.
    pub(crate) fn round(&self, clients: usize, length: Duration) -> Figures {
        let (begun, before) = (Instant::now(), self.cpu());
        let mut took = load::run(&self.address, &self.request, clients, length);
        let (spent, cpu) = (begun.elapsed(), self.cpu() - before);
        took.sort();
        let micros = |part: usize| took[(took.len() * part / 100).min(took.len() - 1)].as_secs_f64() * 1e6;
        Figures {
            rate: took.len() as f64 / spent.as_secs_f64(),
            p50: micros(50),
            p99: micros(99),
            cpu: cpu.as_secs_f64() * 1e6 / took.len() as f64,
        }
    }

    /// CPU time of all threads that live.
    fn cpu(&self) -> Duration {
        let mut nanos = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap() {
            let text = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap_or_default();
            nanos += text.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok()).unwrap_or(0);
        }
        Duration::from_nanos(nanos)
    }

    /// Resident memory, in MiB.
    pub(crate) fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Contestant {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts a server that prints where it listens.
fn start(command: &mut Command) -> (Child, String) {
    let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let line = lines.find_map(|line| line.ok().filter(|line| line.contains("http://"))).unwrap();
    let address = line.split("http://").nth(1).unwrap().split(['/', ' ']).next().unwrap().to_owned();
    std::thread::spawn(move || lines.for_each(drop));
    (process, address)
}

fn request(address: &str, head: &str, mut params: Value) -> Vec<u8> {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "bench", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let name = params["name"].as_str().unwrap().to_owned();
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
    format!(
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\n{head}Content-Type: application/json\r\nAccept: application/json, \
         text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: {name}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// How durable a read is before it is answered.
fn set_reads(address: &str, reads: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = |path: &str| format!("http://{address}/api/{path}");
        let signed =
            client.post(url("session")).json(&json!({ "password": PASSWORD, "bearer": true })).send().await.unwrap();
        let signed: Value = signed.json().await.unwrap();
        let secret = signed["secret"].as_str().unwrap_or_else(|| panic!("{signed}"));
        let mut settings: Value =
            client.get(url("settings")).bearer_auth(secret).send().await.unwrap().json().await.unwrap();
        settings["audit_reads"] = reads.into();
        let saved = client.put(url("settings")).bearer_auth(secret).json(&settings).send().await.unwrap();
        assert!(saved.status().is_success(), "{}", saved.text().await.unwrap());
    });
}
