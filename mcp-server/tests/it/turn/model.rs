//! An OpenAI-compatible model server that follows a script, and can be made to hold its breath.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use crate::app::TestApp;

/// A part of an answer.
#[derive(Clone)]
pub(crate) enum Piece {
    /// Text, word by word.
    Words(String),
    /// Silence, until [`ModelServer::go_on`].
    Silence,
    /// A call.
    Call(&'static str, Value),
}

/// What the server answers to one request.
#[derive(Clone)]
pub(crate) enum Answer {
    Stream(Vec<Piece>),
    /// A status and the sentence of an error.
    Error(u16, String),
}

pub(crate) fn words(text: &str) -> Answer {
    Answer::Stream(vec![Piece::Words(text.to_owned())])
}

pub(crate) fn call(tool: &'static str, args: Value) -> Answer {
    Answer::Stream(vec![Piece::Call(tool, args)])
}

/// A request as the server saw it.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) authorization: Option<String>,
    /// The other headers and the body, as text.
    pub(crate) rest: String,
    body: Value,
}

impl Seen {
    /// What the model is told of the outcomes of its calls.
    pub(crate) fn outcomes(&self) -> Vec<String> {
        let messages = self.body["messages"].as_array().unwrap().iter();
        let outcomes = messages.filter(|message| message["role"] == "tool");
        outcomes.map(|message| message["content"].as_str().unwrap().to_owned()).collect()
    }
}

/// The server. It ends with the test.
pub(crate) struct ModelServer {
    url: String,
    shared: Shared,
}

#[derive(Clone)]
struct Shared {
    script: Arc<Vec<Answer>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    breath: Arc<Semaphore>,
}

impl ModelServer {
    /// Answers the requests in this order, and the last answer from then on.
    pub(crate) async fn start(script: Vec<Answer>) -> Self {
        let shared = Shared { script: Arc::new(script), seen: Arc::default(), breath: Arc::new(Semaphore::new(0)) };
        let app = Router::new().route("/v1/chat/completions", post(answer)).with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, shared }
    }

    /// Ends one silence.
    pub(crate) fn go_on(&self) {
        self.shared.breath.add_permits(1);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Sets it as the model of this Jarvis.
    pub(crate) async fn connect(&self, app: &TestApp, key: Option<&str>) {
        let operator = app.operator().await;
        let mut settings: Value = operator.get("/api/settings").await.unwrap();
        settings["model"] = json!({ "url": self.url, "name": "scripted", "key": key, "context": 16_384 });
        let _: Value = operator.put("/api/settings", &settings).await.unwrap();
    }
}

async fn answer(State(shared): State<Shared>, mut headers: HeaderMap, body: Bytes) -> Response {
    let authorization = headers.remove(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    let rest = format!("{headers:?}\n{}", String::from_utf8_lossy(&body));
    let number = {
        let mut seen = shared.seen.lock().unwrap();
        seen.push(Seen { authorization, rest, body: serde_json::from_slice(&body).unwrap() });
        seen.len() - 1
    };
    match shared.script[number.min(shared.script.len() - 1)].clone() {
        Answer::Error(status, message) => {
            let body = axum::Json(json!({ "error": { "message": message } }));
            (StatusCode::from_u16(status).unwrap(), body).into_response()
        }
        Answer::Stream(pieces) => {
            let (out, chunks) = mpsc::channel(1);
            tokio::spawn(speak(pieces, shared.breath, out));
            let body = Body::from_stream(ReceiverStream::new(chunks));
            ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
        }
    }
}

type Out = mpsc::Sender<Result<Bytes, Infallible>>;

async fn speak(pieces: Vec<Piece>, breath: Arc<Semaphore>, out: Out) {
    let mut calls = 0;
    for piece in pieces {
        match piece {
            Piece::Silence => breath.acquire().await.unwrap().forget(),
            Piece::Words(text) => {
                for word in text.split_inclusive(' ') {
                    send(&out, &delta(&json!({ "content": word }))).await;
                }
            }
            Piece::Call(tool, args) => {
                let function = json!({ "name": tool, "arguments": args.to_string() });
                let call =
                    json!({ "index": calls, "id": format!("call-{calls}"), "type": "function", "function": function });
                send(&out, &delta(&json!({ "tool_calls": [call] }))).await;
                calls += 1;
            }
        }
    }
    let reason = if calls > 0 { "tool_calls" } else { "stop" };
    let end = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] });
    send(&out, &end.to_string()).await;
    send(&out, &json!({ "choices": [], "usage": { "prompt_tokens": 321, "completion_tokens": 12 } }).to_string()).await;
    send(&out, "[DONE]").await;
}

fn delta(delta: &Value) -> String {
    json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] }).to_string()
}

async fn send(out: &Out, data: &str) {
    // Whoever asked may have been killed.
    let _ = out.send(Ok(Bytes::from(format!("data: {data}\n\n")))).await;
}
