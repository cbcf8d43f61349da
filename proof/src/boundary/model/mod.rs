//! A model that follows a script, as the server of a vendor: chat completions, streamed.
//!
//! What it answers is a function of the messages alone, so a program that starts again and asks again is answered the
//! same. It writes down what it was asked, and holds its breath once in a conversation, so that the program has words
//! to keep before they are whole.

mod talk;
mod vendor;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::speech::Speech;

pub(super) use self::talk::{Answer, answers, words};

/// What it is called in the settings.
pub(super) const NAME: &str = "scripted";
/// Longest that it holds its breath.
const BREATH: Duration = Duration::from_secs(60);

/// The server. It ends with whoever holds it.
pub(super) struct Model {
    url: String,
    talks: Talks,
    _server: JoinSet<()>,
}

/// A conversation, as the model knows it.
#[derive(Default)]
struct Talk {
    heard: Vec<Heard>,
    life: u32,
    breath: watch::Sender<bool>,
}

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    /// How often the program had been started again by then.
    pub(super) life: u32,
    /// Which answer it asks for, from 0; or what is wrong with it.
    pub(super) step: Result<usize, String>,
}

/// All of them, by what the person said.
#[derive(Clone, Default)]
struct Talks(Arc<Mutex<HashMap<String, Talk>>>);

impl Talks {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Talk>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Model {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/v1", listener.local_addr()?);
        let talks = Talks::default();
        let mut server = JoinSet::new();
        server.spawn(serve(listener, talks.clone()));
        Ok(Self { url, talks, _server: server })
    }

    /// What stands in the settings.
    pub(super) fn setting(&self) -> Value {
        json!({ "url": self.url, "name": NAME, "context": 16_384 })
    }

    /// Goes on speaking.
    pub(super) fn breathe(&self, words: &str) {
        self.talks.all().entry(words.to_owned()).or_default().breath.send_replace(true);
    }

    /// The program is about to be started again. From now on nothing is held back.
    pub(super) fn next_life(&self, words: &str) {
        self.breathe(words);
        self.talks.all().entry(words.to_owned()).or_default().life += 1;
    }

    /// Everything that it was asked about these words.
    pub(super) fn heard(&self, words: &str) -> Vec<Heard> {
        self.talks.all().get(words).map(|talk| talk.heard.clone()).unwrap_or_default()
    }
}

async fn serve(listener: TcpListener, talks: Talks) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let talks = talks.clone();
        connections.spawn(async move {
            let answer = service_fn(move |request| answered(request, talks.clone()));
            // A program that was killed ends it in the middle.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answered(request: Request<Incoming>, talks: Talks) -> Result<Response<Speech>, Infallible> {
    if (request.method(), request.uri().path()) != (&Method::POST, "/v1/chat/completions") {
        return Ok(refused(StatusCode::NOT_FOUND, "there is no such endpoint"));
    }
    let Ok(body) = request.into_body().collect().await else {
        return Ok(refused(StatusCode::BAD_REQUEST, "the request broke off"));
    };
    let request: Value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
    let said = vendor::messages(&request).and_then(|messages| talk::next(messages, &vendor::offered(&request)));
    let words = talk::said_by_person(&request);
    let breath = {
        let mut all = talks.all();
        let talk = all.entry(words).or_default();
        let step = said.as_ref().map(|(step, _)| *step).map_err(Clone::clone);
        talk.heard.push(Heard { life: talk.life, step });
        talk.breath.subscribe()
    };
    Ok(match said {
        Ok((_, answer)) => {
            let (out, speech) = mpsc::channel(1);
            tokio::spawn(speak(answer, breath, out));
            let mut response = Response::new(Speech(speech));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
            response
        }
        Err(why) => refused(StatusCode::BAD_REQUEST, &why),
    })
}

/// Speaks, as long as anybody listens.
async fn speak(answer: Answer, mut breath: watch::Receiver<bool>, out: mpsc::Sender<Bytes>) {
    for event in vendor::events(&answer) {
        match event {
            vendor::Event::Data(data) => {
                if out.send(Bytes::from(format!("data: {data}\n\n"))).await.is_err() {
                    return;
                }
            }
            vendor::Event::Breath => {
                tokio::select! {
                    () = out.closed() => return,
                    _ = timeout(BREATH, breath.wait_for(|free| *free)) => {}
                }
            }
        }
    }
}

fn refused(status: StatusCode, why: &str) -> Response<Speech> {
    let (out, speech) = mpsc::channel(1);
    let error = json!({ "message": why, "type": "invalid_request_error", "param": null, "code": null });
    // There is room for one.
    let _ = out.try_send(Bytes::from(json!({ "error": error }).to_string()));
    let mut response = Response::new(Speech(speech));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
