//! The program that is beset, and everybody and everything in it that a stranger could be after.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::raw::Line;
use super::request::{Deed, Request};
use super::surface::{Surface, meta};
use crate::chance::Chance;
use crate::server::{House, PASSWORD};
use crate::wire::{Ask, Wire};

/// Sessions of the old era of MCP.
const SESSIONS: u64 = 8;

/// Makes some paths ask, so that there is an open question; and shuts what reaches machines that are not ours.
const POLICY: &str = r#"[[rule]]
name = "asked ones ask"
tool = "file_write"
when = { path = "asked-*" }
then = "ask"
refused = [{ tool = "file_write", args = { path = "asked-1" } }]
"#;

/// Secrets of everybody.
#[derive(Debug, Clone, Default)]
pub(super) struct People {
    pub(super) operator: String,
    /// A session of the operator's browser.
    pub(super) cookie: String,
    pub(super) green: String,
    pub(super) yellow: String,
    /// May approve, and so may not come in by MCP.
    pub(super) approver: String,
    pub(super) revoked: String,
    /// A session that was signed out.
    pub(super) closed: String,
}

/// Everything that requests are made from.
#[derive(Debug, Clone)]
pub(super) struct World {
    /// How the program is called.
    pub(super) host: String,
    /// Where it is reached.
    pub(super) to: SocketAddr,
    pub(super) people: People,
    pub(super) surface: Surface,
    /// Ids of things that are there, by the folder of their path.
    pub(super) ids: BTreeMap<&'static str, String>,
    /// Sessions of the old era, of the yellow token.
    pub(super) sessions: Vec<String>,
}

/// What marks everything that a request would make: its number, and whether anybody allowed it.
pub(super) fn mark(number: u64, powerless: bool) -> String {
    format!("zz{}{number}x", if powerless { "no" } else { "ok" })
}

/// Lays the data directory out: Docker and the system's bus are not there, so that no guess reaches this machine.
pub(crate) fn lay_out(house: &House) -> anyhow::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(&house.data)?;
    let nowhere = house.data.join("nowhere");
    let shut = format!("docker = \"unix://{0}\"\ndbus = \"unix:path={0}\"\n", nowhere.display());
    std::fs::write(house.data.join("jarvis.toml"), shut)?;
    std::fs::write(house.data.join("policy.toml"), POLICY)?;
    Ok(())
}

impl World {
    /// Furnishes a program that has just begun to listen.
    pub(super) async fn furnish(host: &str, data: &Path) -> anyhow::Result<Self> {
        let to: SocketAddr = host.parse().context("the address of the program")?;
        let mut wire = Wire::connect(host).await?;
        let operator = sign_in(&mut wire).await?;
        let mut settings = wire.ask(Ask::get("/api/settings", &operator)).await?.body;
        settings["mcp_hold_seconds"] = json!(0);
        // The open question is to be open at the end of a long run, too.
        settings["approval_minutes"] = json!(1_440);
        done(&mut wire, Ask::put("/api/settings", &operator, settings)).await?;
        let (cookie, closed) = (sign_in(&mut wire).await?, sign_in(&mut wire).await?);
        let mut people = People { operator, cookie, closed, ..People::default() };
        let mut ids = BTreeMap::new();
        people.tokens(&mut wire, &mut ids).await?;
        people.things(&mut wire, &mut ids).await?;
        let surface = Surface::read(&mut wire, &people.yellow).await?;
        let mut world = Self { host: host.to_owned(), to, people, surface, ids, sessions: Vec::new() };
        world.close(&mut wire).await?;
        for number in 0..SESSIONS {
            let session = world.open_session(number).await?;
            world.sessions.push(session);
        }
        ensure!(data.join("files/prop.txt").exists(), "the first file was not written");
        Ok(world)
    }

    /// Writes another file and asks to take that back: the version that the first one left is gone after 5,000 others.
    pub(super) async fn undoing(&self) -> anyhow::Result<Option<Request>> {
        let mut wire = Wire::connect(&self.host).await?;
        let call = done(&mut wire, Ask::post("/api/call", &self.people.operator, Some(write("last.txt")))).await?;
        let operation = self.surface.operation("undo_call");
        Ok(operation.map(|operation| Request::new(&operation.method, operation.at(&text(&call, "call")), &self.host)))
    }

    /// A real id for a folder of paths.
    pub(super) fn id(&self, folder: &str) -> &str {
        self.ids.get(folder).map_or("1", String::as_str)
    }

    /// Signs the session out that is to be dead.
    async fn close(&self, wire: &mut Wire) -> anyhow::Result<()> {
        let closed = &self.people.closed;
        let out = Request::new("DELETE", "/api/session", &self.host).bearer(closed);
        let (heard, _) = Line::open(self.to, 0).await?.carry_out(&Deed::one(&out)).await;
        ensure!(heard.answers.first().is_some_and(|answer| answer.status == 204), "nobody can sign out");
        let left = wire.ask(Ask::get("/api/status", closed)).await?;
        ensure!(left.status == 401, "a session outlives its end");
        Ok(())
    }

    async fn open_session(&self, number: u64) -> anyhow::Result<String> {
        let mut line = Line::open(self.to, number).await?;
        let params = json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "proof", "version": "1" },
        });
        let asked = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
        let request = self.legacy("", &asked.to_string());
        let (heard, _) = line.carry_out(&Deed::one(&request)).await;
        let session = heard.answers.first().map(|answer| answer.header("mcp-session-id").to_owned());
        let session = session.filter(|session| !session.is_empty()).context("no session was opened")?;
        let told = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        line.carry_out(&Deed::one(&self.legacy(&session, told))).await;
        Ok(session)
    }

    /// A request of the old era, in a session.
    pub(super) fn legacy(&self, session: &str, body: &str) -> Request {
        let request = Request::new("POST", "/mcp", &self.host).bearer(&self.people.yellow);
        let request = request.with("accept", "application/json, text/event-stream");
        let request = request.with("mcp-protocol-version", "2025-11-25").json(body);
        if session.is_empty() { request } else { request.with("mcp-session-id", session) }
    }

    /// A request of the new era.
    pub(super) fn modern(&self, secret: &str, method: &str, name: &str, body: impl Into<Vec<u8>>) -> Request {
        let request = Request::new("POST", "/mcp", &self.host).bearer(secret);
        let request = request.with("accept", "application/json, text/event-stream");
        let request = request.with("mcp-protocol-version", "2026-07-28").with("mcp-method", method).json(body);
        if name.is_empty() { request } else { request.with("mcp-name", name) }
    }

    /// A call of a tool in the new era.
    pub(super) fn call(number: u64, name: &str, arguments: &Value) -> Value {
        let params = json!({ "name": name, "arguments": arguments, "_meta": meta() });
        json!({ "jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params })
    }

    /// A request for an operation that fits in every way but that nobody signed it.
    pub(super) fn fitting(&self, name: &str, mark: &str, chance: &mut Chance) -> Option<Request> {
        let operation = self.surface.operation(name)?;
        // A secret has a name that is free.
        let id = if operation.name == "keep_secret" { mark } else { self.id(operation.folder().unwrap_or_default()) };
        let request = Request::new(&operation.method, operation.at(id), &self.host);
        Some(match operation.fit(mark, chance) {
            Some(body) => request.json(body.to_string()),
            None => request,
        })
    }
}

impl People {
    async fn tokens(&mut self, wire: &mut Wire, ids: &mut BTreeMap<&'static str, String>) -> anyhow::Result<()> {
        let mut made = Vec::new();
        for (name, ceiling, role) in [
            ("green", "green", "client"),
            ("yellow", "yellow", "client"),
            ("approver", "yellow", "approver"),
            ("revoked", "orange", "client"),
            ("bystander", "green", "client"),
        ] {
            let body = json!({ "name": name, "ceiling": ceiling, "role": role });
            let token = done(wire, Ask::post("/api/tokens", &self.operator, Some(body))).await?;
            made.push((text(&token, "id"), text(&token, "secret")));
        }
        let [green, yellow, approver, revoked, bystander] = <[_; 5]>::try_from(made).unwrap_or_default();
        let path = format!("/api/tokens/{}", revoked.0);
        let dropped = wire.ask(Ask::delete(&path, &self.operator)).await?;
        ensure!(dropped.status == 204, "the token is not revoked: {}", dropped.body);
        (self.green, self.yellow, self.approver, self.revoked) = (green.1, yellow.1, approver.1, revoked.1);
        ids.insert("tokens", bystander.0);
        Ok(())
    }

    async fn things(&self, wire: &mut Wire, ids: &mut BTreeMap<&'static str, String>) -> anyhow::Result<()> {
        let call = done(wire, Ask::post("/api/call", &self.operator, Some(write("prop.txt")))).await?;
        ids.insert("calls", text(&call, "call"));
        let job = done(wire, Ask::post("/api/jobs", &self.operator, Some(write("job.txt")))).await?;
        ids.insert("jobs", text(&job, "id"));
        let asked = done(wire, Ask::post("/api/call", &self.yellow, Some(write("asked-1.txt")))).await?;
        ids.insert("approvals", text(&asked, "approval"));
        let said = json!({ "text": "how is this machine?" });
        let said = done(wire, Ask::post("/api/say", &self.operator, Some(said)).wait(20)).await?;
        ids.insert("turns", text(&said, "id"));
        ids.insert("conversations", text(&said, "conversation"));
        let grant = json!({ "tool": "file_write", "target": "granted.txt", "calls": 1, "minutes": 50 });
        let grant = done(wire, Ask::post("/api/grants", &self.operator, Some(grant))).await?;
        ids.insert("grants", text(&grant, "id"));
        let plan = json!({ "name": "yearly", "tool": "file_list", "args": {}, "cron": "0 4 1 1 *", "active": false });
        let schedule = done(wire, Ask::post("/api/schedules", &self.operator, Some(plan))).await?;
        ids.insert("schedules", text(&schedule, "id"));
        let secret = Ask::put("/api/secrets/kept", &self.operator, json!({ "value": VAULTED }));
        done(wire, secret).await?;
        ids.insert("secrets", "kept".to_owned());
        ids.insert("events", "1".to_owned());
        let empty = ids.iter().find(|(_, id)| id.is_empty());
        ensure!(empty.is_none(), "something has no id: {empty:?}");
        Ok(())
    }
}

/// A call that makes a file.
fn write(path: &str) -> Value {
    json!({ "tool": "file_write", "args": { "path": path, "content": "a prop" } })
}

/// What lies in the vault. It stands in no answer.
pub(super) const VAULTED: &str = "kT7vaulted9qLm2Xw";

pub(crate) async fn sign_in(wire: &mut Wire) -> anyhow::Result<String> {
    let body = json!({ "password": PASSWORD, "bearer": true });
    Ok(text(&done(wire, Ask::post("/api/session", "", Some(body))).await?, "secret"))
}

async fn done(wire: &mut Wire, ask: Ask<'_>) -> anyhow::Result<Value> {
    let told = ask.shown();
    let reply = wire.ask(ask).await?;
    ensure!((200..300).contains(&reply.status), "{told} was answered with {}: {}", reply.status, reply.body);
    Ok(reply.body)
}

fn text(value: &Value, field: &str) -> String {
    value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}
