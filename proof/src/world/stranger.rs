//! An MCP server that a stranger runs: its tools say whatever was put into its mouth.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::mount;
use super::serve::{Asked, Served, Told, on_port};
use crate::wire::Wire;

/// What the tools of a server say and how one is described, by the server's name.
type Words = Arc<Mutex<HashMap<String, String>>>;

/// As many servers as are named, on one port.
pub(crate) struct Strangers {
    port: u16,
    says: Words,
    described: Words,
    _server: Served,
}

impl Strangers {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let (says, described) = (Words::default(), Words::default());
        let (said, shown) = (Arc::clone(&says), Arc::clone(&described));
        let answerer = Arc::new(move |asked: Asked| {
            let server = asked.target.trim_start_matches('/');
            answer(&asked, &of(&said, server), &of(&shown, server))
        });
        let (server, port) = on_port(answerer).await?;
        Ok(Self { port, says, described, _server: server })
    }

    /// What its tools say from now on.
    pub(crate) fn say(&self, server: &str, text: &str) {
        put(&self.says, server, text);
    }

    /// Mounts a server, and has the operator read its tools and call them harmless.
    pub(crate) async fn mount(&self, wire: &mut Wire, secret: &str, server: &str) -> anyhow::Result<()> {
        mount::mount(wire, secret, server, self.port).await?;
        self.read(wire, secret, server).await
    }

    /// Describes a tool of it anew, and waits until the program has seen that.
    pub(crate) async fn describe(&self, wire: &mut Wire, secret: &str, server: &str, text: &str) -> anyhow::Result<()> {
        put(&self.described, server, text);
        mount::retry(wire, secret, server).await?;
        self.listed(wire, secret, server).await?;
        Ok(())
    }

    /// The operator reads all its tools, as they are now, and calls them green.
    pub(crate) async fn read(&self, wire: &mut Wire, secret: &str, server: &str) -> anyhow::Result<()> {
        let tools = self.listed(wire, secret, server).await?;
        mount::review(wire, secret, server, &tools, |_| Some("green")).await
    }

    /// Its tools, once the program has seen them as they are now.
    async fn listed(&self, wire: &mut Wire, secret: &str, server: &str) -> anyhow::Result<Vec<Value>> {
        mount::listed(wire, secret, server, ("note", &of(&self.described, server))).await
    }
}

fn of(words: &Words, server: &str) -> String {
    words.lock().unwrap_or_else(PoisonError::into_inner).get(server).cloned().unwrap_or_default()
}

fn put(words: &Words, server: &str, text: &str) {
    words.lock().unwrap_or_else(PoisonError::into_inner).insert(server.to_owned(), text.to_owned());
}

fn answer(asked: &Asked, says: &str, described: &str) -> Told {
    let schema = json!({ "type": "object", "properties": {} });
    let tool = |name: &str, words: &str| json!({ "name": name, "description": words, "inputSchema": schema });
    mount::answer(
        asked,
        || json!([tool("ask", "Answers."), tool("fail", "Answers, too."), tool("note", described)]),
        |name, _| json!({ "content": [{ "type": "text", "text": says }], "isError": name == "fail" }),
    )
}
