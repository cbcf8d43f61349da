//! The client of a server over HTTP, that opens no stream as often as the server likes.
//!
//! A stream that ends is opened again, after as long a wait as the server says: one that says none would be asked without
//! end. The first few openings are free, because an answer may come over several streams; then there is one a second.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use rmcp::model::ClientJsonRpcMessage;
use rmcp::transport::common::client_side_sse::BoxedSseResponse;
use rmcp::transport::streamable_http_client::{StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse};
use tokio::time::Instant;

use super::pace::MOST_BYTES;

/// Openings at once.
const BURST: u32 = 16;
/// Time between two, for as long as one likes.
const STEADY: Duration = Duration::from_secs(1);

type Headers = HashMap<HeaderName, HeaderValue>;
type Fault = StreamableHttpError<reqwest::Error>;

/// Cheap to clone: all clones count together.
#[derive(Clone)]
pub(super) struct Unhurried {
    client: reqwest::Client,
    turns: Arc<Turns>,
}

impl Unhurried {
    pub(super) fn new(client: reqwest::Client) -> Self {
        Self { client, turns: Arc::default() }
    }
}

/// When the last opening so far would have had its turn, if there were none at once.
#[derive(Default)]
struct Turns(Mutex<Option<Instant>>);

impl Turns {
    /// When the next stream may be opened.
    fn next(&self, now: Instant) -> Instant {
        let mut turn = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = turn.map_or(now, |last| now.max(last + STEADY));
        *turn = Some(next);
        now.max(next.checked_sub(STEADY * (BURST - 1)).unwrap_or(now))
    }
}

impl StreamableHttpClient for Unhurried {
    type Error = reqwest::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        key: Option<String>,
        headers: Headers,
    ) -> Result<StreamableHttpPostResponse, Fault> {
        self.post_message_with_max_sse_event_size(uri, message, session, key, headers, MOST_BYTES).await
    }

    async fn post_message_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        key: Option<String>,
        headers: Headers,
        most: usize,
    ) -> Result<StreamableHttpPostResponse, Fault> {
        self.client.post_message_with_max_sse_event_size(uri, message, session, key, headers, most).await
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        key: Option<String>,
        headers: Headers,
    ) -> Result<(), Fault> {
        self.client.delete_session(uri, session, key, headers).await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last: Option<String>,
        key: Option<String>,
        headers: Headers,
    ) -> Result<BoxedSseResponse, Fault> {
        self.get_stream_with_max_sse_event_size(uri, session, last, key, headers, MOST_BYTES).await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last: Option<String>,
        key: Option<String>,
        headers: Headers,
        most: usize,
    ) -> Result<BoxedSseResponse, Fault> {
        tokio::time::sleep_until(self.turns.next(Instant::now())).await;
        self.client.get_stream_with_max_sse_event_size(uri, session, last, key, headers, most).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_streams_are_opened_at_once_and_then_one_a_second() {
        let streams = Turns::default();
        let now = Instant::now();
        let waits: Vec<_> = (0..BURST + 3).map(|_| streams.next(now) - now).collect();
        assert!(waits[..BURST as usize].iter().all(Duration::is_zero), "{waits:?}");
        assert_eq!(waits[BURST as usize..], [1, 2, 3].map(Duration::from_secs));
        // A server that let a while go by has its few again.
        let later = now + Duration::from_secs(60);
        assert!((0..BURST).all(|_| streams.next(later) == later));
        assert_eq!(streams.next(later) - later, STEADY);
    }
}
