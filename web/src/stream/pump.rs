//! One client's stream: subscribed first, then replayed from the store, then live.
//!
//! Because the subscription stands before the replay begins, whatever is committed meanwhile arrives twice rather than
//! never, and the position drops the second. A subscription that fell behind reads the store again. Nothing waits in
//! memory for a slow client: without room for a while it is let go, and resumes when it comes back.

use std::sync::Arc;
use std::time::Duration;

use jarvis_safety::ActorId;
use jarvis_safety::event::Event;
use jarvis_safety::frame::Frame;
use jarvis_safety::port::{EventFilter, Feed, Live};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use super::Topics;

/// Rows that are read at once. They stay in memory while the client takes them, so there are few.
const PAGE: u32 = 100;

/// One message to a client. What happens now is one event for all streams, and not a copy for each.
#[derive(Debug, Clone)]
pub enum Message {
    /// The stream stands; the newest event is this one.
    Hello {
        /// Sequence.
        head: u64,
    },
    /// A durable event.
    Event(Arc<Event>),
    /// A live frame.
    Frame(Arc<Frame>),
}

/// Why a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The session or token was ended.
    Revoked,
    /// The session's time is over.
    Expired,
    /// The server stops.
    Stopping,
    /// The client did not keep up.
    Slow,
    /// The client went away.
    Gone,
    /// The store could not be read, or gives no more events.
    Broken,
}

/// What ends a stream from outside.
pub struct Ends {
    /// Ids of sessions and tokens that end. Subscribe before the caller is looked up, or an end in between is missed.
    pub ended: broadcast::Receiver<String>,
    /// The session or token that the stream is held by; the local socket is held by none.
    pub held_by: Option<String>,
    /// Time until the session is over.
    pub expires_in: Option<Duration>,
    /// The server's end.
    pub shutdown: CancellationToken,
}

/// One client's stream.
pub struct Pump {
    /// Events.
    pub feed: Arc<dyn Feed>,
    /// Frames.
    pub live: Arc<dyn Live>,
    /// The event after which the client wants to go on; none means from now on.
    pub after: Option<u64>,
    /// Wanted frames.
    pub topics: Topics,
    /// Whose events and frames are shown; none means all.
    pub audience: Option<ActorId>,
    /// How long the client may take to make room for the next message.
    pub patience: Duration,
}

impl Pump {
    /// Feeds `out` until something ends the stream.
    pub async fn run(self, ends: Ends, out: mpsc::Sender<Message>) -> End {
        tokio::select! {
            biased;
            end = ends.come() => end,
            // Without this the stream of a client that went away would live on until something happens.
            () = out.closed() => End::Gone,
            end = self.flow(&out) => end,
        }
    }

    async fn flow(self, out: &mpsc::Sender<Message>) -> End {
        match self.try_flow(out).await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn try_flow(self, out: &mpsc::Sender<Message>) -> Result<std::convert::Infallible, End> {
        let mut events = self.feed.subscribe();
        let mut frames = self.topics.any().then(|| self.live.subscribe());
        let head = self.feed.head();
        let mut position = self.after.unwrap_or(head).min(head);
        self.send(out, Message::Hello { head }).await?;
        self.snapshot(out).await?;
        self.replay(&mut position, out).await?;
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Ok(event) => self.event(event, &mut position, out).await?,
                    Err(RecvError::Lagged(_)) => self.replay(&mut position, out).await?,
                    Err(RecvError::Closed) => return Err(End::Broken),
                },
                frame = next(&mut frames) => match frame {
                    Some(frame) => self.frame(frame, out).await?,
                    // Text continues at an offset: who missed a piece needs the whole.
                    None => self.snapshot(out).await?,
                },
            }
        }
    }

    async fn snapshot(&self, out: &mpsc::Sender<Message>) -> Result<(), End> {
        if self.topics.any() {
            for frame in self.live.snapshot() {
                self.frame(frame, out).await?;
            }
        }
        Ok(())
    }

    async fn replay(&self, position: &mut u64, out: &mpsc::Sender<Message>) -> Result<(), End> {
        let filter = EventFilter { audience: self.audience.clone(), ..EventFilter::default() };
        loop {
            let page = self.feed.after(*position, &filter, PAGE).await.map_err(|error| {
                tracing::warn!(%error, "events cannot be read for a stream; it ends and the client resumes");
                End::Broken
            })?;
            if page.is_empty() {
                return Ok(());
            }
            for event in page {
                self.event(Arc::new(event), position, out).await?;
            }
        }
    }

    async fn event(&self, event: Arc<Event>, position: &mut u64, out: &mpsc::Sender<Message>) -> Result<(), End> {
        if event.seq <= *position {
            return Ok(());
        }
        *position = event.seq;
        if self.may_see(&[&event.owner, &event.actor]) {
            self.send(out, Message::Event(event)).await?;
        }
        Ok(())
    }

    async fn frame(&self, frame: Arc<Frame>, out: &mpsc::Sender<Message>) -> Result<(), End> {
        if self.topics.want(&frame) && self.may_see(&[&frame.owner]) {
            self.send(out, Message::Frame(frame)).await?;
        }
        Ok(())
    }

    async fn send(&self, out: &mpsc::Sender<Message>, message: Message) -> Result<(), End> {
        out.send_timeout(message, self.patience).await.map_err(|error| match error {
            mpsc::error::SendTimeoutError::Timeout(_) => End::Slow,
            mpsc::error::SendTimeoutError::Closed(_) => End::Gone,
        })
    }

    fn may_see(&self, whose: &[&ActorId]) -> bool {
        self.audience.as_ref().is_none_or(|own| whose.contains(&own))
    }
}

/// The next frame; nothing when some were missed. Without frames it never comes.
async fn next(frames: &mut Option<broadcast::Receiver<Arc<Frame>>>) -> Option<Arc<Frame>> {
    let Some(receiver) = frames else { return std::future::pending().await };
    match receiver.recv().await {
        Ok(frame) => Some(frame),
        Err(RecvError::Lagged(_)) => None,
        Err(RecvError::Closed) => {
            *frames = None;
            std::future::pending().await
        }
    }
}

impl Ends {
    /// Comes when one of them does.
    pub(crate) async fn come(mut self) -> End {
        let expired = async {
            match self.expires_in {
                Some(left) => tokio::time::sleep(left).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.shutdown.cancelled() => End::Stopping,
            () = expired => End::Expired,
            () = revoked(&mut self.ended, self.held_by.as_deref()) => End::Revoked,
        }
    }
}

/// Comes when the holder ends, and also when that may have been missed: the client resumes and is looked up anew.
async fn revoked(ended: &mut broadcast::Receiver<String>, held_by: Option<&str>) {
    let Some(own) = held_by else { return std::future::pending().await };
    loop {
        match ended.recv().await {
            Ok(id) if id != own => {}
            Ok(_) | Err(RecvError::Lagged(_) | RecvError::Closed) => return,
        }
    }
}
