//! A model that reads the file which it is asked about, and then says aloud what it ought to hide, in small pieces.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::canary::Canary;
use crate::speech::Speech;

/// How long it waits at most before its last words, until whoever listens has heard the others.
const PATIENCE: Duration = Duration::from_secs(10);
/// Characters in a piece of what it says.
const PIECE: usize = 3;

/// The server. It ends with whoever holds it.
pub(super) struct Mouth {
    url: String,
    /// Everything that it was sent.
    heard: Arc<Mutex<String>>,
    /// What the listener on the event stream has heard.
    ear: watch::Sender<String>,
    _server: JoinSet<()>,
}

impl Mouth {
    pub(super) async fn start(canaries: Arc<Vec<Canary>>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/v1", listener.local_addr()?);
        let heard = Arc::new(Mutex::new(String::new()));
        let (mut server, hears, ear) = (JoinSet::new(), Arc::clone(&heard), watch::Sender::default());
        let listens = ear.clone();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (canaries, hears, ear) = (Arc::clone(&canaries), Arc::clone(&hears), listens.clone());
                connections.spawn(async move {
                    let answer = service_fn(move |request| {
                        answer(request, Arc::clone(&canaries), Arc::clone(&hears), ear.subscribe())
                    });
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { url, heard, ear, _server: server })
    }

    /// What stands in the settings.
    pub(super) fn setting(&self) -> Value {
        json!({ "url": self.url, "name": "mouth", "context": 32_768 })
    }

    /// What a person says so that it reads the file of this number.
    pub(super) fn words(number: usize) -> String {
        format!("what would a poet make of the file of number {number}?")
    }

    /// Where the listener on the event stream writes what it hears.
    pub(super) fn ear(&self) -> watch::Sender<String> {
        self.ear.clone()
    }

    pub(super) fn heard(&self) -> String {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn answer(
    request: Request<Incoming>,
    canaries: Arc<Vec<Canary>>,
    heard: Arc<Mutex<String>>,
    ear: watch::Receiver<String>,
) -> Result<Response<Speech>, Infallible> {
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    heard.lock().unwrap_or_else(PoisonError::into_inner).push_str(&String::from_utf8_lossy(&body));
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let messages = asked.get("messages").and_then(Value::as_array).cloned().unwrap_or_default();
    let person = messages.iter().rev().find(|message| message["role"] == "user");
    let words = person.and_then(|message| message["content"].as_str()).unwrap_or_default();
    let number: usize = words.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0);
    let read = messages.last().is_some_and(|message| message["role"] == "tool");
    let (out, speech) = mpsc::channel(1);
    let mut text = String::new();
    let mut say = |delta: Value, reason: Option<&str>| {
        let choice = json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": reason });
        let chunk = json!({
            "id": "chatcmpl-mouth", "object": "chat.completion.chunk", "created": 1_795_000_000, "model": "mouth",
            "choices": [choice],
        });
        text.push_str(&format!("data: {chunk}\n\n"));
    };
    say(json!({ "role": "assistant", "content": "" }), None);
    if read {
        let told = canaries.get(number).map(|canary| canary.forms().join(" and ")).unwrap_or_default();
        let told: Vec<char> = format!("It holds {told}.").chars().collect();
        for piece in told.chunks(PIECE) {
            say(json!({ "content": piece.iter().collect::<String>() }), None);
        }
        say(json!({}), Some("stop"));
        tokio::spawn(speak(text, canaries.get(number).cloned(), ear, out));
    } else {
        let args = json!({ "path": format!("canary-{number}.txt") }).to_string();
        let call = json!({ "index": 0, "id": format!("call_{number}"), "type": "function",
            "function": { "name": "file_read", "arguments": args } });
        say(json!({ "tool_calls": [call] }), None);
        say(json!({}), Some("tool_calls"));
        tokio::spawn(speak(text, None, ear, out));
    }
    let mut response = Response::new(Speech(speech));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    Ok(response)
}

/// Says everything but the end, waits until the listener has heard of the secret, struck out or not, and ends.
async fn speak(text: String, canary: Option<Canary>, mut ear: watch::Receiver<String>, out: mpsc::Sender<Bytes>) {
    let end = text.rfind("data: ").unwrap_or(0);
    let (words, end) = text.split_at(end);
    let from = ear.borrow_and_update().len();
    let _ = out.send(Bytes::from(words.to_owned())).await;
    if let Some(canary) = canary {
        let mut traces = canary.traces();
        traces.push(canary.mark());
        let heard = |heard: &String| traces.iter().any(|trace| heard[from..].contains(trace.as_str()));
        let _ = timeout(PATIENCE, ear.wait_for(heard)).await;
    }
    let _ = out.send(Bytes::from(format!("{end}data: [DONE]\n\n"))).await;
}
