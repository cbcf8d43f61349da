//! Ways out of the program: each is driven with every secret, and everything that comes out of it is kept.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::client::conn::http1::handshake;
use hyper::header::{AUTHORIZATION, HOST};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::canary::Canary;
use super::mouth::Mouth;
use super::{leak, told};
use crate::report::{Kind, Violation};
use crate::wire::{Ask, Wire};

/// Longest wait for a job or an answer of a model, in seconds.
const WAIT: u32 = 50;

/// What came out, by way.
#[derive(Default)]
pub(super) struct Ways(BTreeMap<&'static str, String>);

impl Ways {
    pub(super) fn hear(&mut self, way: &'static str, text: &str) {
        let heard = self.0.entry(way).or_default();
        heard.push_str(text);
        heard.push('\n');
    }

    pub(super) fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// Every secret of which a form stands on a way, and every way on which one was never struck out.
    pub(super) fn judge(&self, canaries: &[Canary]) -> Vec<Violation> {
        let mut found = Vec::new();
        for (way, text) in &self.0 {
            for canary in canaries {
                let at = canary.traces().iter().find_map(|trace| text.find(trace.as_str()));
                if let Some(at) = at {
                    found.push(leak(way, canary, text, at));
                } else if !text.contains(&canary.mark()) {
                    found.push(Violation::new(Kind::Untried, format!("{way}: nothing of {} came there", canary.name)));
                }
            }
        }
        found
    }
}

/// Drives all ways over HTTP.
pub(super) async fn drive(
    host: &str,
    secret: &str,
    canaries: &[Canary],
    ear: watch::Sender<String>,
    ways: &mut Ways,
) -> anyhow::Result<()> {
    let stream = listen(host, secret, ear).await?;
    let mut wire = Wire::connect(host).await?;
    let token = json!({ "name": "client", "ceiling": "green" });
    let token = wire.ask(Ask::post("/api/tokens", secret, Some(token))).await?.text("secret").to_owned();
    for (number, canary) in canaries.iter().enumerate() {
        let path = json!({ "path": format!("{}.txt", canary.name) });
        let call = json!({ "tool": "file_read", "args": path });
        let answer = wire.ask(Ask::post("/api/call", secret, Some(call.clone()))).await?;
        ensure!(answer.status == 200, "{} was not read: {}", canary.name, answer.body);
        ways.hear("answers", &told(&answer.body));
        let over = json!({ "path": format!("{}.txt", canary.name), "content": "gone" });
        let over = json!({ "tool": "file_write", "args": over });
        let preview = wire.ask(Ask::post("/api/preview", secret, Some(over))).await?;
        ways.hear("previews", &told(&preview.body));
        let job = wire.ask(Ask::post("/api/jobs", secret, Some(call))).await?;
        let id = job.text("id").to_owned();
        ensure!(!id.is_empty(), "no job was made: {}", job.body);
        let path = format!("/api/jobs/{id}");
        ways.hear("jobs", &told(&wire.ask(Ask::get(&path, secret).wait(WAIT)).await?.body));
        ways.hear("jobs", &told(&wire.ask(Ask::get(&format!("{path}/output"), secret)).await?.body));
        mistake(&mut wire, secret, canary, ways).await?;
        for form in canary.forms() {
            let call = json!({ "tool": "file_write", "args": { "path": "x.txt", "content": &form } });
            let refused = wire.ask(Ask::post("/api/call", secret, Some(call.clone()))).await?;
            if refused.status != 400 {
                ways.hear("refusals", &form);
            }
            ways.hear("refusals", &told(&refused.body));
            let refused = wire.ask(Ask::post("/api/jobs", secret, Some(call))).await?;
            ways.hear("refusals", &told(&refused.body));
        }
        ways.hear("MCP", &mcp(&mut wire, &token, canary).await?);
        talk(&mut wire, secret, &Mouth::words(number), ways).await?;
        talk(&mut wire, secret, &format!("remember this: {}", canary.forms().join(" ")), ways).await?;
    }
    audit(&mut wire, secret, ways).await?;
    ways.hear("the event stream", &stream.end().await?);
    Ok(())
}

/// Takes the link for a file, at once and in a job. Whoever does is told by its name to which folder it leads.
async fn mistake(wire: &mut Wire, secret: &str, canary: &Canary, ways: &mut Ways) -> anyhow::Result<()> {
    let call = json!({ "tool": "file_read", "args": { "path": canary.link() } });
    let refused = wire.ask(Ask::post("/api/call", secret, Some(call.clone()))).await?;
    ensure!(refused.status == 400, "a folder was read as a file: {}", refused.body);
    ways.hear("refusals", &told(&refused.body));
    let job = wire.ask(Ask::post("/api/jobs", secret, Some(call))).await?;
    let path = format!("/api/jobs/{}", job.text("id"));
    let failed = wire.ask(Ask::get(&path, secret).wait(WAIT)).await?;
    ensure!(failed.text("state") == "failed", "a job read a folder as a file: {}", failed.body);
    ways.hear("failures of jobs", &told(&failed.body));
    Ok(())
}

async fn mcp(wire: &mut Wire, secret: &str, canary: &Canary) -> anyhow::Result<String> {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "proof", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({ "name": "file_read", "arguments": { "path": format!("{}.txt", canary.name) }, "_meta": meta });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let answer = wire.ask(Ask::mcp(secret, "tools/call", "file_read", body)).await?;
    ensure!(answer.body.get("result").is_some(), "MCP answered {}", answer.body);
    Ok(told(&answer.body))
}

async fn talk(wire: &mut Wire, secret: &str, words: &str, ways: &mut Ways) -> anyhow::Result<()> {
    let said = wire.ask(Ask::post("/api/say", secret, Some(json!({ "text": words }))).wait(WAIT)).await?;
    let (turn, conversation) = (said.text("id").to_owned(), said.text("conversation").to_owned());
    ensure!(!turn.is_empty(), "nothing was said: {}", said.body);
    let turn = wire.ask(Ask::get(&format!("/api/turns/{turn}"), secret)).await?;
    ways.hear("conversations", &told(&turn.body));
    ways.hear(
        "conversations",
        &told(&wire.ask(Ask::get(&format!("/api/conversations/{conversation}"), secret)).await?.body),
    );
    Ok(())
}

/// Every row of the audit, with its body.
async fn audit(wire: &mut Wire, secret: &str, ways: &mut Ways) -> anyhow::Result<()> {
    let status = wire.ask(Ask::get("/api/status", secret)).await?.body;
    let head = status.get("head").and_then(Value::as_u64).context("the status has no head")?;
    for seq in 1..=head {
        ways.hear("the audit", &told(&wire.ask(Ask::get(&format!("/api/events/{seq}"), secret)).await?.body));
    }
    for path in ["/api/secrets", "/api/jobs", "/api/conversations", "/api/approvals"] {
        ways.hear("the audit", &told(&wire.ask(Ask::get(path, secret)).await?.body));
    }
    Ok(())
}

/// Somebody who listens to everything that happens.
struct Listener(JoinHandle<anyhow::Result<String>>, oneshot::Sender<()>);

impl Listener {
    async fn end(self) -> anyhow::Result<String> {
        let _ = self.1.send(());
        self.0.await?
    }
}

async fn listen(host: &str, secret: &str, ear: watch::Sender<String>) -> anyhow::Result<Listener> {
    let stream = TcpStream::connect(host).await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move { connection.await.ok() });
    let request = Request::get("/api/stream?topics=turns,jobs").header(HOST, host);
    let request = request.header(AUTHORIZATION, format!("Bearer {secret}")).body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    ensure!(response.status() == 200, "the stream answered {}", response.status());
    let (stop, mut stopped) = oneshot::channel();
    let task = tokio::spawn(async move {
        let (mut body, _sender) = (response.into_body(), sender);
        loop {
            tokio::select! {
                _ = &mut stopped => return Ok(ear.borrow().clone()),
                frame = body.frame() => match frame {
                    Some(frame) => {
                        let frame = frame?;
                        let bytes = frame.data_ref().map_or(&[][..], |bytes| bytes);
                        ear.send_modify(|heard| heard.push_str(&String::from_utf8_lossy(bytes)));
                    }
                    None => return Ok(ear.borrow().clone()),
                },
            }
        }
    });
    Ok(Listener(task, stop))
}
