//! A client of MCP that is cut off within a call, and comes again with the same idempotency key.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use jarvis_client::Client;
use jarvis_client::wire::EventPage;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::app::{FIXTURES, TestApp};

const ACCEPT: &str = "application/json, text/event-stream";

/// How a call comes in.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// Modern, in one piece.
    Straight,
    /// Modern, through the protocol's own library, because it wants to hear how far the call is.
    Around,
    /// Within a session of the old era.
    Session,
}

struct Caller {
    http: reqwest::Client,
    url: String,
    token: String,
    way: Way,
}

impl Caller {
    async fn new(app: &TestApp, way: Way) -> Self {
        let token = app.token("ide", "yellow", "client").await.secret.unwrap();
        Self { http: reqwest::Client::new(), url: format!("{}/mcp", app.url), token, way }
    }

    fn post(&self, body: &Value) -> RequestBuilder {
        self.http.post(&self.url).bearer_auth(&self.token).header("accept", ACCEPT).json(body)
    }

    /// The session that this call is made in: a new one each time, as a client has that was started again.
    async fn session(&self) -> String {
        let opening = json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "old", "version": "1" },
        });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": opening });
        let opened = self.post(&body).send().await.unwrap();
        let session = opened.headers()["mcp-session-id"].to_str().unwrap().to_owned();
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        self.post(&initialized).header("mcp-session-id", &session).send().await.unwrap();
        session
    }

    async fn request(&self, millis: u64) -> RequestBuilder {
        let mut meta = json!({ "jarvis/idempotency-key": format!("{:?}", self.way) });
        if !matches!(self.way, Way::Session) {
            meta["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
            meta["io.modelcontextprotocol/clientInfo"] = json!({ "name": "c", "version": "1" });
            meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
        }
        if matches!(self.way, Way::Around) {
            meta["progressToken"] = 7.into();
        }
        let arguments = json!({ "name": format!("{:?}", self.way), "millis": millis });
        let params = json!({ "name": "wait", "arguments": arguments, "_meta": meta });
        let request = self.post(&json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params }));
        match self.way {
            Way::Session => {
                request.header("mcp-session-id", self.session().await).header("mcp-protocol-version", "2025-11-25")
            }
            Way::Straight | Way::Around => request
                .header("mcp-protocol-version", "2026-07-28")
                .header("mcp-method", "tools/call")
                .header("mcp-name", "wait"),
        }
    }

    /// What came of it; nothing while it runs.
    async fn ask(&self, millis: u64) -> Option<Value> {
        let answer = self.request(millis).await.send().await.unwrap().text().await.unwrap();
        // A stream tells it in its last event.
        let said = answer.lines().rev().find_map(|line| line.strip_prefix("data: ")).unwrap_or(&answer);
        let said: Value = serde_json::from_str(said).unwrap_or_else(|error| panic!("{error}: {answer}"));
        let result = &said["result"];
        let running = result["content"][0]["text"].as_str().is_some_and(|text| text.contains("is still running"));
        (!running).then(|| result.clone())
    }
}

/// The calls of `wait` that were begun.
async fn begun(operator: &Client) -> BTreeSet<String> {
    let page: EventPage = operator.get("/api/history?limit=100").await.unwrap();
    let intents =
        page.events.into_iter().filter(|row| row.kind == "call.intent" && row.tool.as_deref() == Some("wait"));
    intents.map(|row| row.subject).collect()
}

#[tokio::test]
async fn a_client_that_is_cut_off_and_comes_again_gets_the_one_answer_in_both_eras() {
    let app = TestApp::start_with(&[FIXTURES]);
    let operator = app.operator().await;
    let mut before = BTreeSet::new();
    for way in [Way::Straight, Way::Around, Way::Session] {
        let caller = Caller::new(&app, way).await;
        let first = caller.request(1_500).await;
        let first = tokio::spawn(async move { first.send().await?.text().await });
        let started = Instant::now();
        let call = loop {
            let now = begun(&operator).await;
            if let Some(call) = now.difference(&before).next() {
                break call.clone();
            }
            assert!(started.elapsed() < Duration::from_secs(20), "{way:?}: it never began");
        };
        assert!(!first.is_finished(), "{way:?}: it was answered before it could be cut off");
        first.abort();

        let mut answers = Vec::new();
        while answers.len() < 2 {
            answers.extend(caller.ask(1_500).await);
            assert!(started.elapsed() < Duration::from_secs(30), "{way:?}: there is never an answer");
        }
        for answer in &answers {
            assert_eq!(answer["_meta"]["jarvis/call"], json!(call), "{way:?}: {answer}");
        }
        assert_eq!(answers[0], answers[1], "{way:?}");
        let other = caller.ask(1_501).await.unwrap();
        assert!(other.to_string().contains("key_reused"), "{way:?}: {other}");
        before.insert(call);
        assert_eq!(begun(&operator).await, before, "{way:?}: it began once");
    }
}
