//! Asking a model server over HTTP.
//!
//! The key is opened from the vault when a request is sent, goes into one header that is marked sensitive, and is struck
//! out of whatever the server says back. No secret goes out in the words of a request. Redirects are not followed and proxies of the environment are not used: the
//! words go to the address that the operator set and nowhere else.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_openai::types::chat::CreateChatCompletionRequest;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::secret::{Redactor, Secret, Secrets};
use jarvis_safety::setting::ModelSetting;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tokio::time::{Instant, timeout, timeout_at};

use super::openai::{Decoder, fault_words};
use super::scrub::Scrub;
use super::{ModelEvent, Patience, ProviderError, place};

/// Longest pause that a server may ask for before the turn gives up instead.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Most bytes read of an error page.
const MAX_ERROR: usize = 8 * 1024;

/// Client of one model server at a time.
pub struct Client {
    /// Made when a model is first asked: it reads the machine's CA certificates, which takes longer than all else at a
    /// start.
    http: OnceLock<Result<reqwest::Client, String>>,
    secrets: Secrets,
    patience: Patience,
    /// Address and first model of the server that was asked last for its models.
    listed: Mutex<Option<(String, String)>>,
}

impl Client {
    /// Makes a client. A machine that cannot do TLS is told so when a model is asked, not at start.
    #[must_use]
    pub fn new(secrets: Secrets, patience: Patience) -> Self {
        Self { http: OnceLock::new(), secrets, patience, listed: Mutex::new(None) }
    }

    /// How long it waits.
    #[must_use]
    pub const fn patience(&self) -> &Patience {
        &self.patience
    }

    /// Name of the model to ask: the one in the settings, or the first that the server lists.
    ///
    /// # Errors
    /// If the server cannot be asked or lists none.
    pub async fn model(&self, setting: &ModelSetting) -> Result<String, ProviderError> {
        let base = place::checked(setting)?;
        if !setting.name.trim().is_empty() {
            return Ok(setting.name.trim().to_owned());
        }
        let known = self.listed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, name)) = known.filter(|(url, _)| *url == setting.url) {
            return Ok(name);
        }
        let key = self.key(setting)?;
        let call = self.http()?.get(endpoint(&base, "models"));
        let answer = self.send(call, key.as_ref(), Duration::from_secs(10)).await?;
        let body = read(answer, 256 * 1024).await;
        let list: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let first = list.pointer("/data/0/id").and_then(Value::as_str).filter(|name| !name.is_empty());
        // The name is kept in the turn's log.
        let Some(first) = first.map(|name| self.secrets.redactor.text(name).into_owned()) else {
            return Err(ProviderError::Rejected(
                "the model server lists no model; load one there, or name it in the settings".to_owned(),
            ));
        };
        *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = Some((setting.url.clone(), first.clone()));
        Ok(first)
    }

    /// Asks for an answer and streams it.
    ///
    /// # Errors
    /// If nothing was sent, or the server did not begin to answer.
    pub async fn open(
        &self,
        setting: &ModelSetting,
        request: &CreateChatCompletionRequest,
    ) -> Result<Answering, ProviderError> {
        let base = place::checked(setting)?;
        let key = self.key(setting)?;
        let call = self.http()?.post(endpoint(&base, "chat/completions")).json(&self.struck(request)?);
        let begun = Instant::now();
        let answer = self.send(call, key.as_ref(), self.patience.first).await?;
        let kind = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.unwrap_or_default().to_owned();
        if kind.starts_with("application/json") || kind.starts_with("text/html") {
            let body = read(answer, MAX_ERROR).await;
            let told: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
            let why = if told.get("error").is_some_and(|error| !error.is_null()) {
                fault_words(&told)
            } else {
                format!("it answered {kind} where a stream was asked for; is the address right?")
            };
            let why = scrubbed(&why, &self.secrets.redactor);
            return Err(ProviderError::Rejected(format!("the model server refused: {why}")));
        }
        Ok(Answering {
            bytes: Box::pin(answer.bytes_stream()),
            decoder: Decoder::new(),
            ready: VecDeque::new(),
            deadline: begun + self.patience.first,
            idle: self.patience.idle,
            last: begun + self.patience.longest,
            ended: false,
            broken: None,
            scrub: Scrub::new(&self.secrets.redactor),
            redactor: self.secrets.redactor.clone(),
        })
    }

    /// What is sent: no secret that Jarvis knows, wherever in the conversation it stands.
    fn struck(&self, request: &CreateChatCompletionRequest) -> Result<Value, ProviderError> {
        let unsent = |error: serde_json::Error| ProviderError::NotSent(format!("the request is no JSON: {error}"));
        let mut request = serde_json::to_value(request).map_err(unsent)?;
        self.secrets.redactor.value(&mut request);
        Ok(request)
    }

    fn http(&self) -> Result<&reqwest::Client, ProviderError> {
        self.http
            .get_or_init(|| made(&self.patience))
            .as_ref()
            .map_err(|error| ProviderError::NotSent(format!("this machine cannot make HTTP requests: {error}")))
    }

    fn key(&self, setting: &ModelSetting) -> Result<Option<Secret>, ProviderError> {
        let Some(reference) = setting.key.as_deref().filter(|reference| !reference.is_empty()) else {
            return Ok(None);
        };
        let Secrets { vault, redactor } = &self.secrets;
        let opened = vault.open(reference).and_then(|key| redactor.learn(reference, &key).map(|()| Some(key)));
        opened
            .map_err(|why| ProviderError::NotSent(format!("the model's key cannot be opened: {why}. Nothing was sent")))
    }

    async fn send(
        &self,
        mut call: RequestBuilder,
        key: Option<&Secret>,
        longest: Duration,
    ) -> Result<Response, ProviderError> {
        if let Some(key) = key {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose()))
                .map_err(|_| ProviderError::NotSent("the model's key holds characters that no key has".to_owned()))?;
            value.set_sensitive(true);
            call = call.header(AUTHORIZATION, value);
        }
        let answer = match timeout(longest, call.send()).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(unreachable(error, &self.secrets.redactor)),
            Err(_) => {
                let message = format!("the model server did not answer within {} s", longest.as_secs_f32());
                return Err(ProviderError::Busy { message, after: None });
            }
        };
        if answer.status().is_success() { Ok(answer) } else { Err(rejected(answer, &self.secrets.redactor).await) }
    }
}

fn made(patience: &Patience) -> Result<reqwest::Client, String> {
    // Whoever was first has set the provider; it is the same one everywhere in this program.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = || {
        reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(patience.connect)
            .user_agent(concat!("jarvis/", env!("CARGO_PKG_VERSION")))
    };
    // A machine without CA certificates can still ask a model in its own house, without TLS.
    let client = builder().build().or_else(|_| builder().tls_certs_only([]).build());
    client.map_err(|error| error.to_string())
}

/// An answer that is being streamed.
pub struct Answering {
    bytes: Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>,
    decoder: Decoder,
    ready: VecDeque<ModelEvent>,
    deadline: Instant,
    idle: Duration,
    last: Instant,
    ended: bool,
    /// Why it ended before its time; told once all that came before is.
    broken: Option<ProviderError>,
    scrub: Scrub,
    redactor: Redactor,
}

impl Answering {
    /// The next event, without the key; `None` once the answer has ended. Dropping the future loses nothing.
    ///
    /// # Errors
    /// If the connection breaks or stays silent for too long.
    pub async fn next(&mut self) -> Result<Option<ModelEvent>, ProviderError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(match event {
                    ModelEvent::Fault(words) => ModelEvent::Fault(scrubbed(&words, &self.redactor)),
                    event => event,
                }));
            }
            if self.ended {
                return self.broken.take().map_or(Ok(None), Err);
            }
            match timeout_at(self.deadline.min(self.last), self.bytes.next()).await {
                Err(_) => self.broken = Some(ProviderError::Broken("the model server fell silent".to_owned())),
                Ok(Some(Err(_))) => {
                    let why = "the connection to the model server broke off";
                    self.broken = Some(ProviderError::Broken(why.to_owned()));
                }
                Ok(None) => {
                    let rest = self.decoder.finish();
                    self.hear(rest);
                }
                Ok(Some(Ok(chunk))) => {
                    self.deadline = Instant::now() + self.idle;
                    let events = self.decoder.push(&chunk);
                    self.hear(events);
                }
            }
            self.ended = self.decoder.ended() || self.broken.is_some();
            if self.ended {
                self.ready.extend(self.scrub.finish());
            }
        }
    }

    fn hear(&mut self, events: Vec<ModelEvent>) {
        let scrub = &mut self.scrub;
        self.ready.extend(events.into_iter().map(|event| scrub.event(event)));
    }
}

fn endpoint(base: &url::Url, path: &str) -> String {
    format!("{}/{path}", base.as_str().trim_end_matches('/'))
}

fn unreachable(error: reqwest::Error, redactor: &Redactor) -> ProviderError {
    let error = error.without_url();
    // The outermost error says only that sending failed; the innermost says why.
    let mut innermost: &dyn std::error::Error = &error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let why = innermost.to_string();
    ProviderError::Busy {
        message: format!("the model server cannot be reached: {}", scrubbed(&why, redactor)),
        after: None,
    }
}

async fn rejected(answer: Response, redactor: &Redactor) -> ProviderError {
    let status = answer.status();
    let after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let after = after.map(Duration::from_secs);
    let body = read(answer, MAX_ERROR).await;
    let told: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let why = match &told {
        Value::Null => String::from_utf8_lossy(&body).lines().next().unwrap_or_default().to_owned(),
        told => fault_words(told),
    };
    let why = scrubbed(&why, redactor);
    let colon = if why.is_empty() { "" } else { ": " };
    let message = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            format!("the model server does not accept the key ({status}){colon}{why}; check the key in the settings")
        }
        StatusCode::TOO_MANY_REQUESTS => format!("the model server is overrun ({status}){colon}{why}"),
        status if status.is_redirection() => {
            format!("the model server answers elsewhere ({status}); put the final address into the settings")
        }
        status => format!("the model server refused ({status}){colon}{why}"),
    };
    let again =
        status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::REQUEST_TIMEOUT || status.is_server_error();
    match after {
        Some(after) if again && after > LONGEST_PAUSE => {
            ProviderError::Rejected(format!("{message}; it asks to be left alone for {} s", after.as_secs()))
        }
        after if again => ProviderError::Busy { message, after },
        _ => ProviderError::Rejected(message),
    }
}

/// The beginning of a body; what cannot be read within 5 s is not worth reading.
async fn read(mut answer: Response, limit: usize) -> Vec<u8> {
    let mut body = Vec::new();
    let until = Instant::now() + Duration::from_secs(5);
    while let Ok(Ok(Some(chunk))) = timeout_at(until, answer.chunk()).await {
        let room = limit.saturating_sub(body.len());
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            break;
        }
    }
    body
}

/// Words of a server, fit to be shown and kept: one line, bounded, without secrets.
fn scrubbed(words: &str, redactor: &Redactor) -> String {
    shorten(&visible(redactor.text(words.trim()).as_ref()), 300)
}
