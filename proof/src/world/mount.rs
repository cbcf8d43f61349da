//! MCP servers, from both sides: what one answers, by the letter of Streamable HTTP of 2025-11-25, and how the operator
//! mounts it.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use hyper::Method;
use serde_json::{Value, json};

use super::serve::{Asked, Told};
use crate::wire::{Ask, Wire};

/// Longest wait until the program has seen what a server is now.
const SEEN: Duration = Duration::from_secs(20);

/// What a server answers that has these tools; `call` carries out one of them, by its name and arguments.
pub(super) fn answer(asked: &Asked, tools: impl FnOnce() -> Value, call: impl FnOnce(&str, &Value) -> Value) -> Told {
    if asked.method != Method::POST {
        return Told::new(405, "text/plain", "");
    }
    let message: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let Some(id) = message.get("id") else { return Told::new(202, "text/plain", "") };
    let params = &message["params"];
    let result = match message["method"].as_str() {
        Some("initialize") => json!({
            "protocolVersion": "2025-11-25", "capabilities": { "tools": {} },
            "serverInfo": { "name": "a stranger", "version": "1" },
        }),
        Some("tools/list") => json!({ "tools": tools() }),
        Some("tools/call") => call(params["name"].as_str().unwrap_or_default(), &params["arguments"]),
        _ => {
            let error = json!({ "code": -32601, "message": "no such method" });
            return told(&json!({ "jsonrpc": "2.0", "id": id, "error": error }));
        }
    };
    told(&json!({ "jsonrpc": "2.0", "id": id, "result": result }))
}

fn told(body: &Value) -> Told {
    Told::new(200, "application/json", body.to_string())
}

/// The operator mounts a server.
pub(super) async fn mount(wire: &mut Wire, secret: &str, server: &str, port: u16) -> anyhow::Result<()> {
    let path = format!("/api/mounts/{server}");
    let line = json!({ "url": format!("http://127.0.0.1:{port}/{server}") });
    let kept = wire.ask(Ask::put(&path, secret, line)).await?;
    ensure!(kept.status < 300, "{server} is not mounted: {}", kept.body);
    Ok(())
}

/// The operator has a server looked at again.
pub(super) async fn retry(wire: &mut Wire, secret: &str, server: &str) -> anyhow::Result<()> {
    let asked = wire.ask(Ask::post(&format!("/api/mounts/{server}/retry"), secret, None)).await?;
    ensure!(asked.status < 300, "{server} cannot be tried again: {}", asked.body);
    Ok(())
}

/// The operator reads these tools, as they are now, and gives each a tier.
pub(super) async fn review(
    wire: &mut Wire,
    secret: &str,
    server: &str,
    tools: &[Value],
    tier: impl Fn(&str) -> Option<&'static str>,
) -> anyhow::Result<()> {
    let reviews: Vec<_> = tools
        .iter()
        .filter_map(|tool| {
            let tier = tier(tool["name"].as_str()?)?;
            Some(json!({ "tool": tool["name"], "digest": tool["digest"], "tier": tier }))
        })
        .collect();
    let path = format!("/api/mounts/{server}/reviews");
    let read = wire.ask(Ask::post(&path, secret, Some(json!({ "reviews": reviews })))).await?;
    ensure!(read.status < 300, "the tools of {server} cannot be reviewed: {}", read.body);
    Ok(())
}

/// The tools of a server, once the program has seen that one of them is described so.
pub(super) async fn listed(
    wire: &mut Wire,
    secret: &str,
    server: &str,
    (name, words): (&str, &str),
) -> anyhow::Result<Vec<Value>> {
    let (begun, mut tried) = (Instant::now(), false);
    loop {
        let seen = wire.ask(Ask::get("/api/mounts", secret)).await?.body;
        let mounts = seen["mounts"].as_array().into_iter().flatten();
        let mount = mounts.into_iter().find(|mount| mount["name"] == server).cloned().unwrap_or_default();
        let tools = mount["tools"].as_array().cloned().unwrap_or_default();
        let as_now = tools.iter().any(|tool| tool["name"] == name && tool["description"] == words);
        if mount["state"] == "up" && as_now {
            return Ok(tools);
        }
        // Let go of, it waits until it is reached again; once told, it does not.
        let down = mount["state"] == "down";
        if down && !tried {
            retry(wire, secret, server).await?;
        }
        tried = down;
        if begun.elapsed() > SEEN {
            bail!("{server} was not seen as it is: {mount}");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Comes back once a server is up, which nobody helps.
pub(super) async fn up(wire: &mut Wire, secret: &str, server: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let seen = wire.ask(Ask::get("/api/mounts", secret)).await?.body;
        let mount = seen["mounts"].as_array().into_iter().flatten().find(|mount| mount["name"] == server);
        if mount.is_some_and(|mount| mount["state"] == "up") {
            return Ok(());
        }
        ensure!(begun.elapsed() < SEEN, "{server} did not come back: {mount:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
