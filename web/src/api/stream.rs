//! The event stream over HTTP (`text/event-stream`).

use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use http::HeaderMap;
use jarvis_safety::plain::visible;
use jarvis_safety::refusal::Code;
use jarvis_safety::secret::Redactor;
use jarvis_safety::{Actor, Refusal};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tracing::Instrument as _;
use utoipa::IntoParams;

use super::session::From;
use crate::auth::{Asker, Caller, authenticate};
use crate::guard::locate::Asked;
use crate::problem::{Answered, Fault, quote};
use crate::stream::{Ends, Full, Message, Pump, Topics};
use crate::view;
use crate::web::Web;

/// Messages that may wait for one client.
const BUFFER: usize = 64;
/// How long a client may take to make room for one more.
const PATIENCE: Duration = Duration::from_secs(20);
/// Time between comments that keep proxies from giving up.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Sequence of the last event that the client has; without it the stream begins now. `Last-Event-ID` counts more.
    #[param(format = "uint64")]
    after: Option<u64>,
    /// Live frames beside the events: `turns`, `gauges`, `jobs`, with commas between them.
    #[serde(default)]
    topics: String,
}

/// Events in order without gap or repetition, and live frames. Begins with `hello` (`{"head": N}`), then the latest frame
/// of each subject, then events. `event` holds an EventInfo and `frame` a FrameInfo. Ends with the session or token.
#[utoipa::path(get, path = "/api/stream", tag = "events", params(Wanted),
    responses((status = 200, description = "Server-sent events", body = String, content_type = "text/event-stream")))]
pub(super) async fn stream(
    State(web): State<Web>,
    Asker(first): Asker,
    from: From,
    headers: HeaderMap,
    Asked(wanted): Asked<Wanted>,
) -> Answered<Response> {
    let topics = Topics::parse(&wanted.topics).map_err(|word| {
        Fault::invalid(format!("there is no topic {}; there are turns, gauges and jobs", quote(&word)))
    })?;
    let seat = web.seats.take(&first.actor).map_err(|full| too_many(&first.actor, full))?;
    let (caller, ends) = ends(&web, &headers, &from).await?;
    let pump = Pump {
        feed: web.feed.clone(),
        live: web.live.clone(),
        after: last_event_id(&headers).or(wanted.after),
        topics,
        audience: (!caller.sees_all()).then(|| caller.actor.id.clone()),
        patience: PATIENCE,
    };
    drop(first);
    let (out, messages) = mpsc::channel(BUFFER);
    let pumping = async move {
        let end = pump.run(ends, out).await;
        tracing::debug!(?end, "an event stream ended");
    };
    tokio::spawn(pumping.in_current_span());
    let redactor = web.redactor.clone();
    let events = ReceiverStream::new(messages).map(move |message| {
        // The seat lives as long as the body: a client that does not read holds memory after its pump has let it go.
        let _held = &seat;
        Ok::<_, axum::Error>(written(&redactor, &message))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE).text("alive")).into_response())
}

/// What will end a stream of this caller. Looked up again after the subscription: a session that ends in between would
/// otherwise live on here.
pub(super) async fn ends(web: &Web, headers: &HeaderMap, from: &From) -> Answered<(Caller, Ends)> {
    let ended = web.identities.ended();
    let caller = authenticate(&web.auth(), headers, from.door).await?;
    let ends = Ends {
        ended,
        held_by: caller.held_by.clone(),
        expires_in: caller.expires_at.map(|at| left(at - web.clock.now())),
        shutdown: web.shutdown.clone(),
    };
    Ok((caller, ends))
}

fn left(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

pub(super) fn last_event_id(headers: &HeaderMap) -> Option<u64> {
    headers.get("last-event-id")?.to_str().ok()?.trim().parse().ok()
}

#[derive(Serialize)]
struct Hello {
    head: u64,
}

fn written(redactor: &Redactor, message: &Message) -> Event {
    let (event, data) = match message {
        Message::Hello { head } => (Event::default().event("hello"), serde_json::to_string(&Hello { head: *head })),
        Message::Event(event) => (
            Event::default().event("event").id(event.seq.to_string()),
            serde_json::to_string(&view::event::event(event)),
        ),
        Message::Frame(frame) => (Event::default().event("frame"), serde_json::to_string(&view::event::frame(frame))),
    };
    // Wire types are plain strings, numbers and JSON values: they can be written.
    event.data(redactor.json(data.unwrap_or_default()))
}

pub(super) fn too_many(actor: &Actor, full: Full) -> Fault {
    let message = match full {
        Full::Own(most) => format!(
            "{} has {most} event streams open, the most that one caller may have; close one and ask again. One stream \
             tells of everything, so a program or a browser needs only one",
            visible(&actor.name)
        ),
        Full::All(most) => format!(
            "{most} event streams of tokens and programs are open, the most that this server holds; close those that \
             nobody reads, or revoke tokens that are not used any more"
        ),
    };
    Fault::from(Refusal::new(Code::RateLimited, "streams", message)).after(5)
}
