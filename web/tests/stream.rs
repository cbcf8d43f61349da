//! The event stream: in order, without gap or repetition, whatever happens between store and subscription.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

mod world;

use std::sync::Arc;
use std::time::Duration;

use jarvis_memory::LiveHub;
use jarvis_safety::frame::Frame;
use jarvis_safety::port::{Feed as _, Live as _};
use jarvis_safety::{ActorId, Tier};
use jarvis_web::stream::{End, Ends, Message, Pump, Topics};
use serde_json::json;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use world::house::{Answer, House, get};
use world::store::Kept;

struct Client {
    messages: mpsc::Receiver<Message>,
    end: tokio::task::JoinHandle<End>,
    ended: broadcast::Sender<String>,
    shutdown: CancellationToken,
}

struct Wish {
    after: Option<u64>,
    topics: &'static str,
    audience: Option<&'static str>,
    room: usize,
    expires_in: Option<Duration>,
    patience: Duration,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            after: Some(0),
            topics: "",
            audience: None,
            room: 64,
            expires_in: None,
            patience: Duration::from_secs(60),
        }
    }
}

fn connect(kept: &Kept, live: &LiveHub, wish: &Wish) -> Client {
    let (out, messages) = mpsc::channel(wish.room);
    let (pump, ends, client) = pump(kept, live, wish);
    let end = tokio::spawn(pump.run(ends, out));
    Client { messages, end, ended: client.0, shutdown: client.1 }
}

/// A pump that does not run yet, and what ends it.
fn pump(kept: &Kept, live: &LiveHub, wish: &Wish) -> (Pump, Ends, (broadcast::Sender<String>, CancellationToken)) {
    let (ended, receiver) = broadcast::channel(4);
    let shutdown = CancellationToken::new();
    let ends = Ends {
        ended: receiver,
        held_by: Some("sess_1".to_owned()),
        expires_in: wish.expires_in,
        shutdown: shutdown.clone(),
    };
    let pump = Pump {
        feed: Arc::new(kept.store.clone()),
        live: Arc::new(live.clone()),
        after: wish.after,
        topics: Topics::parse(wish.topics).unwrap(),
        audience: wish.audience.map(ActorId::new),
        patience: wish.patience,
    };
    (pump, ends, (ended, shutdown))
}

impl Client {
    async fn next(&mut self) -> Message {
        tokio::time::timeout(Duration::from_secs(5), self.messages.recv())
            .await
            .expect("a message within 5 s")
            .expect("the stream goes on")
    }

    async fn hello(&mut self) -> u64 {
        match self.next().await {
            Message::Hello { head } => head,
            other => panic!("hello comes first, not {other:?}"),
        }
    }

    async fn seq(&mut self) -> u64 {
        match self.next().await {
            Message::Event(event) => event.seq,
            other => panic!("an event, not {other:?}"),
        }
    }

    async fn seqs(&mut self, count: usize) -> Vec<u64> {
        let mut seqs = Vec::with_capacity(count);
        for _ in 0..count {
            seqs.push(self.seq().await);
        }
        seqs
    }
}

fn text(subject: &str, owner: &str, text: &str) -> Frame {
    Frame {
        subject: subject.to_owned(),
        kind: "text".to_owned(),
        offset: 0,
        data: json!({ "text": text }),
        owner: ActorId::new(owner),
    }
}

#[tokio::test]
async fn a_client_that_comes_back_gets_what_it_missed_and_then_what_happens() {
    let (kept, live) = (Kept::new().await, LiveHub::new());
    kept.commit_many("operator", 5).await;
    let mut client = connect(&kept, &live, &Wish { after: Some(2), ..Wish::default() });
    assert_eq!(client.hello().await, 5);
    assert_eq!(client.seqs(3).await, [3, 4, 5]);
    kept.commit("operator").await;
    assert_eq!(client.seq().await, 6);
}

#[tokio::test]
async fn without_a_position_the_stream_begins_now() {
    let (kept, live) = (Kept::new().await, LiveHub::new());
    kept.commit_many("operator", 3).await;
    let mut client = connect(&kept, &live, &Wish { after: None, ..Wish::default() });
    assert_eq!(client.hello().await, 3);
    kept.commit("operator").await;
    assert_eq!(client.seq().await, 4);
}

#[tokio::test]
async fn a_position_beyond_the_head_is_told_by_hello_and_does_not_swallow_events() {
    let (kept, live) = (Kept::new().await, LiveHub::new());
    kept.commit("operator").await;
    let mut client = connect(&kept, &live, &Wish { after: Some(900), ..Wish::default() });
    assert_eq!(client.hello().await, 1);
    kept.commit("operator").await;
    assert_eq!(client.seq().await, 2);
}

#[tokio::test]
async fn what_is_committed_while_the_store_is_read_comes_once_and_in_order() {
    let (kept, live) = (Kept::new().await, LiveHub::new());
    kept.commit_many("operator", 3).await;
    let (pump, ends, (ended, shutdown)) = pump(&kept, &live, &Wish::default());
    // There is no room even for hello: the pump has subscribed and waits before its first reading.
    let (out, messages) = mpsc::channel(1);
    out.try_send(Message::Hello { head: 0 }).unwrap();
    let mut running = Box::pin(pump.run(ends, out));
    assert!(futures_util::poll!(&mut running).is_pending());
    kept.commit_many("operator", 2).await;
    let mut client = Client { messages, end: tokio::spawn(running), ended, shutdown };
    assert_eq!((client.hello().await, client.hello().await), (0, 3));
    // The first page was read as soon as something of it is here, and the rest of it waits for room.
    assert_eq!(client.seq().await, 1);
    kept.commit_many("operator", 2).await;
    assert_eq!(client.seqs(6).await, [2, 3, 4, 5, 6, 7]);
    kept.commit("operator").await;
    assert_eq!(client.seq().await, 8);
}

#[tokio::test]
async fn a_client_that_falls_behind_the_live_feed_reads_the_store_and_misses_nothing() {
    let (kept, live) = (Kept::new().await, LiveHub::new());
    let mut behind = kept.subscribe();
    let mut client = connect(&kept, &live, &Wish { room: 1, ..Wish::default() });
    client.hello().await;
    kept.commit_many("operator", 5_000).await;
    let lagged = Err(broadcast::error::TryRecvError::Lagged(5_000 - 4_096));
    assert_eq!(behind.try_recv().map(|event| event.seq), lagged, "more than the feed holds for anybody");
    assert_eq!(client.seqs(5_000).await, (1..=5_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_token_sees_what_it_did_and_what_concerns_it() {
    let (kept, live) = (Kept::new().await, LiveHub::new());
    for actor in ["operator", "token:a", "token:b", "token:a"] {
        kept.commit(actor).await;
    }
    let wish = Wish { audience: Some("token:a"), topics: "turns", ..Wish::default() };
    let mut client = connect(&kept, &live, &wish);
    client.hello().await;
    assert_eq!(client.seqs(2).await, [2, 4]);
    live.publish(text("turn:1", "operator", "secret"));
    live.publish(text("turn:2", "token:a", "own"));
    assert!(matches!(client.next().await, Message::Frame(frame) if frame.subject == "turn:2"));
    kept.commit("token:b").await;
    kept.commit("token:a").await;
    assert_eq!(client.seq().await, 6);
}

#[tokio::test]
async fn frames_come_only_when_asked_for_and_the_latest_ones_first() {
    let (kept, live) = (Kept::new().await, LiveHub::new());
    kept.commit("operator").await;
    live.publish(text("turn:1", "operator", "so far"));
    live.publish(text("host", "operator", "gauges"));
    let mut client = connect(&kept, &live, &Wish { topics: "turns", ..Wish::default() });
    client.hello().await;
    assert!(matches!(client.next().await, Message::Frame(frame) if frame.subject == "turn:1"));
    assert_eq!(client.seq().await, 1);
    // Of another kind than the frame before, so that it is not held back: were it wanted, it would come first.
    live.publish(Frame { kind: "gauges".to_owned(), ..text("host", "operator", "gauges") });
    live.publish(text("job:1", "operator", "its output"));
    live.publish(text("call:1", "operator", "half"));
    assert!(matches!(client.next().await, Message::Frame(frame) if frame.subject == "call:1"));

    let mut of_jobs = connect(&kept, &live, &Wish { topics: "jobs", ..Wish::default() });
    of_jobs.hello().await;
    assert!(matches!(of_jobs.next().await, Message::Frame(frame) if frame.subject == "job:1"));
    assert_eq!(of_jobs.seq().await, 1);

    let mut plain = connect(&kept, &live, &Wish::default());
    plain.hello().await;
    assert_eq!(plain.seq().await, 1);
    assert!(Topics::parse("turns,everything").is_err());
}

#[tokio::test]
async fn the_stream_ends_when_its_session_is_ended_and_not_when_another_is() {
    let (kept, live) = (Kept::new().await, LiveHub::new());
    let mut client = connect(&kept, &live, &Wish::default());
    client.hello().await;
    client.ended.send("sess_2".to_owned()).unwrap();
    kept.commit("operator").await;
    assert_eq!(client.seq().await, 1);
    client.ended.send("sess_1".to_owned()).unwrap();
    assert_eq!(client.end.await.unwrap(), End::Revoked);
}

#[tokio::test]
async fn the_stream_ends_with_the_server() {
    let (kept, live) = (Kept::new().await, LiveHub::new());
    let client = connect(&kept, &live, &Wish::default());
    client.shutdown.cancel();
    assert_eq!(client.end.await.unwrap(), End::Stopping);
}

#[tokio::test]
async fn the_stream_ends_when_the_session_is_over() {
    let (kept, live) = (Kept::new().await, LiveHub::new());
    let expires_in = Some(Duration::from_millis(20));
    let client = connect(&kept, &live, &Wish { expires_in, ..Wish::default() });
    assert_eq!(client.end.await.unwrap(), End::Expired);
}

#[tokio::test]
async fn the_stream_of_a_client_that_went_away_ends_though_nothing_happens() {
    let (kept, live) = (Kept::new().await, LiveHub::new());
    let mut client = connect(&kept, &live, &Wish::default());
    client.hello().await;
    drop(client.messages);
    let end = tokio::time::timeout(Duration::from_secs(5), client.end).await.expect("an end within 5 s");
    assert_eq!(end.unwrap(), End::Gone);
}

#[tokio::test]
async fn one_token_cannot_take_the_streams_of_everybody() {
    let house = House::new().await;
    let (token, other) = (house.token(1, Tier::Green, false).await, house.token(2, Tier::Green, false).await);
    let open = async |secret: &str| house.send(get("/api/stream", Some(secret))).await;
    let mut held = Vec::new();
    for _ in 0..16 {
        let stream = open(&token).await;
        assert_eq!(stream.status(), 200);
        held.push(stream);
    }
    let full = Answer::read(open(&token).await).await;
    assert_eq!(full.problem(), (429, "rate_limited"));
    assert_eq!(full.headers["retry-after"], "5");
    let said = full.body["detail"].as_str().unwrap();
    assert!(said.contains("16 event streams") && said.contains("close one"), "{said}");

    assert_eq!(open(&other).await.status(), 200);
    assert_eq!(open(&house.operator().await).await.status(), 200);
    held.pop();
    assert_eq!(open(&token).await.status(), 200);
}

#[tokio::test]
async fn all_sessions_of_the_operator_share_sixty_four_streams() {
    let house = House::new().await;
    let (one, other) = (house.operator().await, house.operator().await);
    let mut held = Vec::new();
    for at in 0..64 {
        let secret = if at % 2 == 0 { &one } else { &other };
        held.push(house.send(get("/api/stream", Some(secret))).await);
    }
    assert!(held.iter().all(|stream| stream.status() == 200));
    assert_eq!(house.ask(get("/api/stream", Some(&other))).await.problem(), (429, "rate_limited"));
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_let_go_instead_of_buffered() {
    let (kept, live) = (Kept::new().await, LiveHub::new());
    kept.commit_many("operator", 10).await;
    let client = connect(&kept, &live, &Wish { room: 2, patience: Duration::from_millis(20), ..Wish::default() });
    assert_eq!(client.end.await.unwrap(), End::Slow);
    assert_eq!(kept.head(), 10);
}
