//! A scripted model server that speaks the wire format over a real socket, and can break off anywhere.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

/// What the server does with one request.
#[derive(Clone)]
pub(crate) enum Reply {
    /// Streams these pieces and ends the body properly.
    Stream(Vec<Vec<u8>>),
    /// Streams these pieces and tears the connection.
    Torn(Vec<Vec<u8>>),
    /// Streams these pieces and says no more, without ending.
    Stalled(Vec<Vec<u8>>),
    /// Answers with a status, headers and a body.
    Status(u16, Vec<(&'static str, String)>, String),
}

/// A request as the server saw it.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) body: Value,
    pub(crate) bytes: usize,
    pub(crate) authorization: Option<String>,
}

impl Seen {
    /// The messages of a role, their contents as text.
    pub(crate) fn said(&self, role: &str) -> Vec<String> {
        let all = self.body["messages"].as_array().expect("messages");
        let of_role = all.iter().filter(|message| message["role"] == role);
        of_role.map(|message| message["content"].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub(crate) fn tools(&self) -> Vec<String> {
        let tools = self.body["tools"].as_array().into_iter().flatten();
        tools.map(|tool| tool["function"]["name"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

type Script = Arc<dyn Fn(&Seen, usize) -> Reply + Send + Sync>;

#[derive(Clone)]
struct Served {
    script: Script,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// The server. It ends with the test's runtime.
pub(crate) struct ModelServer {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl ModelServer {
    /// Serves answers that the script makes of the request and its number, from 0.
    pub(crate) async fn start(script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let served = Served { script: Arc::new(script), seen: Arc::clone(&seen) };
        let app = Router::new()
            .route("/v1/chat/completions", post(answer))
            .route("/v1/models", get(|| async { axum::Json(json!({ "data": [{ "id": "first-model" }] })) }))
            .with_state(served);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, seen }
    }

    /// Serves these answers one after the other, and the last one from then on.
    pub(crate) async fn replies(replies: Vec<Reply>) -> Self {
        Self::start(move |_, number| replies[number.min(replies.len() - 1)].clone()).await
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn answer(State(served): State<Served>, headers: HeaderMap, body: Bytes) -> Response {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let seen = Seen {
        body: serde_json::from_slice(&body).expect("a JSON request"),
        bytes: body.len(),
        authorization: authorization.map(str::to_owned),
    };
    let number = {
        let mut all = served.seen.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(seen.clone());
        all.len() - 1
    };
    let pieces = |all: Vec<Vec<u8>>| stream::iter(all).map(|piece| Ok::<_, std::io::Error>(Bytes::from(piece)));
    let body = match (served.script)(&seen, number) {
        Reply::Status(code, headers, body) => {
            let mut response = (StatusCode::from_u16(code).expect("a status"), body).into_response();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().expect("a header"));
            }
            return response;
        }
        Reply::Stream(all) => Body::from_stream(pieces(all)),
        Reply::Torn(all) => {
            // What came before is sent first: the connection is torn between two packets.
            let torn = stream::once(async {
                tokio::task::yield_now().await;
                Err(std::io::Error::other("torn"))
            });
            Body::from_stream(pieces(all).chain(torn))
        }
        Reply::Stalled(all) => Body::from_stream(pieces(all).chain(stream::pending())),
    };
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

/// One event.
pub(crate) fn sse(value: &Value) -> Vec<u8> {
    format!("data: {value}\n\n").into_bytes()
}

/// A chunk with this delta.
pub(crate) fn delta(delta: Value) -> Vec<u8> {
    sse(
        &json!({ "object": "chat.completion.chunk", "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] }),
    )
}

/// The chunks that end an answer.
pub(crate) fn finish(reason: &str) -> Vec<Vec<u8>> {
    vec![
        sse(&json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] })),
        sse(&json!({ "choices": [], "usage": { "prompt_tokens": 321, "completion_tokens": 12 } })),
        b"data: [DONE]\n\n".to_vec(),
    ]
}

/// A whole answer in words.
pub(crate) fn text(words: &str) -> Reply {
    let mut pieces = vec![delta(json!({ "role": "assistant", "content": "" }))];
    pieces.extend(words.split_inclusive(' ').map(|word| delta(json!({ "content": word }))));
    pieces.extend(finish("stop"));
    Reply::Stream(pieces)
}

/// The chunks of calls, their arguments in two pieces and the calls interleaved.
pub(crate) fn call_pieces(calls: &[(&str, Value)]) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    for (index, (tool, _)) in calls.iter().enumerate() {
        pieces.push(delta(
            json!({ "tool_calls": [{ "index": index, "id": format!("id-{tool}-{index}"), "type": "function",
            "function": { "name": tool, "arguments": "" } }] }),
        ));
    }
    for second in [false, true] {
        for (index, (_, args)) in calls.iter().enumerate() {
            let args = args.as_str().map_or_else(|| args.to_string(), str::to_owned);
            let (head, tail) = args.split_at(args.len() / 2);
            let part = if second { tail } else { head };
            pieces.push(delta(json!({ "tool_calls": [{ "index": index, "function": { "arguments": part } }] })));
        }
    }
    pieces
}

/// A whole answer that asks for calls.
pub(crate) fn calls(calls: &[(&str, Value)]) -> Reply {
    let mut pieces = call_pieces(calls);
    pieces.extend(finish("tool_calls"));
    Reply::Stream(pieces)
}
