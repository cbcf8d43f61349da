//! An event stream as a client reads it.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt as _;
use http::{Response, header};
use serde_json::Value;

/// As long as a test ever waits for what must come.
const LONG: Duration = Duration::from_secs(30);

/// An open stream. Dropping it goes away.
pub struct Stream {
    body: BodyDataStream,
    text: String,
}

/// One event.
#[derive(Debug, Default)]
pub struct Sent {
    pub event: String,
    pub id: Option<u64>,
    pub data: Value,
}

impl Stream {
    #[track_caller]
    pub fn of(response: Response<Body>) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        Self { body: response.into_body().into_data_stream(), text: String::new() }
    }

    /// The next event; none at the end of the stream.
    pub async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let sent = read(block);
                self.text = rest.to_owned();
                // A comment keeps proxies from giving up and says nothing.
                if !sent.event.is_empty() {
                    return Some(sent);
                }
                continue;
            }
            let bytes = tokio::time::timeout(LONG, self.body.next()).await.expect("an event, or the end");
            self.text.push_str(std::str::from_utf8(&bytes?.unwrap()).unwrap());
        }
    }

    /// Reads on until a job is in a state, and answers the job.
    pub async fn until(&mut self, state: &str) -> Value {
        loop {
            let sent = self.next().await.unwrap_or_else(|| panic!("the stream ended before the job was {state}"));
            if sent.event == "job" && sent.data["state"] == state {
                return sent.data;
            }
        }
    }

    /// The next so many pieces of output: their ids, which are their numbers, and their texts.
    pub async fn pieces(&mut self, count: usize) -> Vec<(u64, String)> {
        let mut pieces = Vec::with_capacity(count);
        while pieces.len() < count {
            let sent = self.next().await.expect("the stream goes on");
            if sent.event == "output" {
                assert_eq!(sent.data["number"].as_u64(), sent.id, "the id of a piece is its number");
                pieces.push((sent.id.unwrap(), sent.data["text"].as_str().unwrap().to_owned()));
            }
        }
        pieces
    }

    /// Everything up to the end.
    pub async fn rest(mut self) -> Vec<Sent> {
        let mut all = Vec::new();
        while let Some(sent) = self.next().await {
            all.push(sent);
        }
        all
    }
}

fn read(block: &str) -> Sent {
    let mut sent = Sent::default();
    for line in block.lines() {
        match line.split_once(": ") {
            Some(("event", name)) => name.clone_into(&mut sent.event),
            Some(("id", id)) => sent.id = Some(id.parse().unwrap()),
            Some(("data", data)) => sent.data = serde_json::from_str(data).unwrap(),
            _ => assert!(line.starts_with(':'), "unknown line {line}"),
        }
    }
    sent
}
