//! Request bodies: bounded, JSON, and read strictly.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, HttpBody as _};
use axum::extract::{FromRequest, Request};
use axum::middleware::Next;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use http::{HeaderMap, StatusCode, header};
use jarvis_safety::json;
use jarvis_safety::plain::{shorten, visible};
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;

use crate::problem::Fault;

/// Largest body, in bytes.
pub const MAX_BODY: usize = 2 * 1024 * 1024;
/// How much of a body that is too large is still read and thrown away, so that the client reads the answer instead of a
/// broken connection.
const MAX_DRAIN: usize = 16 * 1024 * 1024;
/// Longest time in which what nobody reads is read and thrown away.
const LINGER: Duration = Duration::from_secs(5);
/// Longest time for a body to arrive.
const ARRIVAL: Duration = Duration::from_secs(30);

/// Reads a body to its end.
///
/// # Errors
/// 413 when it is larger than [`MAX_BODY`], 408 when it does not arrive, 400 when it breaks off.
pub async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Fault> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > MAX_DRAIN) {
        return Err(too_large(MAX_BODY));
    }
    tokio::time::timeout(ARRIVAL, collect(body)).await.map_err(|_| late(ARRIVAL))?
}

/// The layer that reads on what a route left unread of its body, within [`MAX_DRAIN`] and [`LINGER`], while the answer is on
/// its way: a connection that is closed with unread bytes takes the answer with it.
pub async fn layer(request: Request, next: Next) -> Response {
    let lingering = |body: Body| Body::from_stream(Lingering(Some(body.into_data_stream())));
    next.run(request.map(|body| if body.is_end_stream() { body } else { lingering(body) })).await
}

/// A body that is read to its end when nobody wants it any more.
struct Lingering(Option<BodyDataStream>);

impl Stream for Lingering {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(body) = self.0.as_mut() else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_next(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.0 = None;
        }
        polled
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        if let (Some(left), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(tokio::time::timeout(LINGER, drain(left)));
        }
    }
}

async fn drain(mut left: BodyDataStream) {
    let mut length = 0;
    while let Some(Ok(chunk)) = left.next().await {
        length += chunk.len();
        if length > MAX_DRAIN {
            return;
        }
    }
}

async fn collect(body: Body) -> Result<Bytes, Fault> {
    let mut chunks = body.into_data_stream();
    let mut kept = BytesMut::new();
    let mut length = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Fault::invalid("the body broke off. Nothing was done"))?;
        length += chunk.len();
        if length > MAX_DRAIN {
            break;
        }
        if length <= MAX_BODY {
            kept.extend_from_slice(&chunk);
        }
    }
    if length > MAX_BODY { Err(too_large(MAX_BODY)) } else { Ok(kept.freeze()) }
}

fn late(longest: Duration) -> Fault {
    let said = format!("the body did not arrive within {} s. Nothing was done", longest.as_secs());
    Fault::door(StatusCode::REQUEST_TIMEOUT, "timeout", said)
}

fn too_large(most: usize) -> Fault {
    Fault::door(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large",
        format!("the body is larger than {most} bytes; send less. Nothing was done"),
    )
}

/// JSON of a type from somebody who is not known yet: a few fields, and quickly, so that strangers cannot fill memory.
#[derive(Debug)]
pub struct Brief<T>(pub T);

/// Largest body of a stranger, in bytes.
const MAX_BRIEF: usize = 8 * 1024;
/// Longest time for it to arrive.
const BRIEF_ARRIVAL: Duration = Duration::from_secs(5);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Brief<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &S) -> Result<Self, Fault> {
        let (parts, body) = request.into_parts();
        let collected = axum::body::to_bytes(body, MAX_BRIEF);
        match tokio::time::timeout(BRIEF_ARRIVAL, collected).await {
            Ok(Ok(bytes)) => decode(&parts.headers, &bytes).map(Self),
            Ok(Err(_)) => Err(too_large(MAX_BRIEF)),
            Err(_) => Err(late(BRIEF_ARRIVAL)),
        }
    }
}

/// JSON of a type. Unknown and repeated fields are refused by the types themselves; an empty body is an empty object.
#[derive(Debug)]
pub struct Sent<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Sent<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &S) -> Result<Self, Fault> {
        let (parts, body) = request.into_parts();
        let bytes = read(&parts.headers, body).await?;
        decode(&parts.headers, &bytes).map(Self)
    }
}

/// Reads a body that has arrived.
///
/// # Errors
/// 415 when it does not say that it is JSON, 400 when it does not fit the type or holds too many values.
pub fn decode<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8]) -> Result<T, Fault> {
    let bytes = if bytes.is_empty() { b"{}" } else { said_to_be_json(headers, bytes)? };
    // A list would be taken for the fields in their order.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(Fault::invalid("the body must be a JSON object"));
    }
    if !json::is_modest(bytes) {
        let said = format!("the body holds more than {} values; send less. Nothing was done", json::MOST_VALUES);
        return Err(Fault::invalid(said));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        Fault::invalid(format!("the body does not fit: {}", shorten(&visible(&error.to_string()), 400)))
    })
}

/// A form of a stranger's page cannot say that it is JSON, so this is part of the defence and not pedantry.
fn said_to_be_json<'a>(headers: &HeaderMap, bytes: &'a [u8]) -> Result<&'a [u8], Fault> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || essence.ends_with("+json") {
        return Ok(bytes);
    }
    Err(Fault::door(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        "send JSON with the header `content-type: application/json`",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Named {
        #[serde(default)]
        name: String,
    }

    fn decoded(kind: &str, text: &str) -> Result<String, u16> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
        decode::<Named>(&headers, text.as_bytes()).map(|named| named.name).map_err(|fault| fault.status().as_u16())
    }

    #[test]
    fn repeated_and_unknown_fields_are_refused() {
        assert_eq!(decoded("application/json; charset=utf-8", r#"{"name":"a"}"#), Ok("a".to_owned()));
        assert_eq!(decoded("application/json", r#"{"name":"a","name":"b"}"#), Err(400));
        assert_eq!(decoded("application/json", r#"{"nmae":"a"}"#), Err(400));
        assert_eq!(decoded("application/json", r#"["a"]"#), Err(400));
        assert_eq!(decoded("application/json", ""), Ok(String::new()));
        assert_eq!(decoded("text/plain", r#"{"name":"a"}"#), Err(415));
    }

    #[test]
    fn a_body_of_too_many_values_is_not_read() {
        let text = format!(r#"{{"args":[{}0]}}"#, "0,".repeat(json::MOST_VALUES));
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        let fault = decode::<serde_json::Value>(&headers, text.as_bytes()).unwrap_err();
        assert_eq!(fault.status().as_u16(), 400);
        assert!(decode::<serde_json::Value>(&headers, br#"{"args":[0]}"#).is_ok());
    }

    #[tokio::test]
    async fn what_nobody_reads_of_a_body_is_read_to_its_end() {
        let (sent, received) = tokio::sync::mpsc::channel::<Result<Bytes, axum::Error>>(1);
        let body = Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(received));
        drop(Lingering(Some(body.into_data_stream())));
        for _ in 0..100 {
            sent.send(Ok(Bytes::from_static(b"more"))).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_body_is_taken_up_to_its_limit_and_no_byte_further() {
        let headers = HeaderMap::new();
        assert_eq!(read(&headers, Body::from(vec![0; MAX_BODY])).await.unwrap().len(), MAX_BODY);
        let fault = read(&headers, Body::from(vec![0; MAX_BODY + 1])).await.unwrap_err();
        assert_eq!((fault.status().as_u16(), fault.code()), (413, "too_large"));
    }
}
