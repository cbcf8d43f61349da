//! The event stream: whoever comes back gets on with it, and nobody sees what is not theirs.

use std::time::Duration;

use futures_util::future::join_all;
use jarvis_client::wire::{EventInfo, EventPage, SayBody, StatusInfo};
use jarvis_client::{Client, EventStream, Message};
use serde_json::{Value, json};

use crate::app::{TestApp, call, code};

/// Longest wait for something that must come.
const LONGEST: Duration = Duration::from_secs(60);
/// The tool whose call ends what is read.
const LAST: &str = "file_list";

async fn next(stream: &mut EventStream) -> Option<Message> {
    tokio::time::timeout(LONGEST, stream.next()).await.unwrap()
}

async fn head(client: &Client) -> u64 {
    client.get::<StatusInfo>("/api/status").await.unwrap().head
}

/// Reads up to the call of [`LAST`], and loses the connection after each of so many messages, over and over.
async fn read_with_losses(client: &Client, mut after: u64, losses: &[usize]) -> Vec<EventInfo> {
    let mut read: Vec<EventInfo> = Vec::new();
    for &messages in losses.iter().cycle() {
        let mut stream = client.stream(after, "turns,gauges").await.unwrap();
        for _ in 0..messages {
            let Some(Message::Event(event)) = next(&mut stream).await else { continue };
            let ends = event.tool.as_deref() == Some(LAST);
            after = event.seq;
            read.push(*event);
            if ends {
                return read;
            }
        }
    }
    read
}

/// The rows of the audit from the one after `seq` on, oldest first.
async fn rows(client: &Client, seq: u64) -> Vec<EventInfo> {
    let page: EventPage = client.get("/api/history?limit=500").await.unwrap();
    let mut rows: Vec<_> = page.events.into_iter().filter(|event| event.seq > seq).collect();
    rows.reverse();
    rows
}

fn places(events: &[EventInfo]) -> Vec<(u64, &str)> {
    events.iter().map(|event| (event.seq, event.hash.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_loses_the_connection_reads_every_event_once_and_in_order() {
    let app = TestApp::start();
    let client = app.local();
    let start = head(&client).await;
    // From two messages at a time (the first may be a gauge) to longer and longer stretches, and giving up before the first.
    let manners: [&[usize]; 4] = [&[2], &[3, 0, 1, 7, 2], &[13, 1, 29, 5], &[64, 2, 11]];
    let readers = manners.map(|losses| {
        let client = client.clone();
        tokio::spawn(async move { read_with_losses(&client, start, losses).await })
    });
    let calls = join_all((0..200).map(|_| call(&client, "system_temperatures", json!({})))).await;
    call(&client, LAST, json!({})).await.unwrap();
    let rows = rows(&client, start).await;
    let (first, last) = (rows.first().unwrap().seq, rows.last().unwrap().seq);
    assert_eq!((first, last, rows.len() as u64), (start + 1, head(&client).await, last - start), "no gap");
    for answer in calls {
        let id = answer.unwrap().call.unwrap();
        assert_eq!(rows.iter().filter(|row| row.subject == id).count(), 1, "{id}");
    }
    for reader in readers {
        assert_eq!(places(&reader.await.unwrap()), places(&rows));
    }
}

#[tokio::test]
async fn a_client_reads_on_over_a_kill_of_the_server() {
    let mut app = TestApp::start();
    let start = head(&app.local()).await;
    let client = app.local();
    let mut stream = client.stream(start, "").await.unwrap();
    let mut read = Vec::new();
    for _ in 0..40 {
        call(&client, "system_temperatures", json!({})).await.unwrap();
    }
    while read.len() < 25 {
        let Some(Message::Event(event)) = next(&mut stream).await else { panic!("no event") };
        read.push(*event);
    }
    app.kill_and_restart();
    let client = app.local();
    call(&client, LAST, json!({})).await.unwrap();
    let after = read.last().unwrap().seq;
    read.extend(read_with_losses(&client, after, &[2, 5]).await);
    assert_eq!(places(&read), places(&rows(&client, start).await), "what was read stands, and nothing twice");
}

#[tokio::test]
async fn a_token_sees_what_is_its_own() {
    let app = TestApp::start();
    let (local, operator) = (app.local(), app.operator().await);
    let (ours, theirs) = (app.token("ours", "red", "client").await, app.token("theirs", "red", "client").await);
    let (one, other) = (app.over_tcp(ours.secret.as_deref()), app.over_tcp(theirs.secret.as_deref()));
    let mut stream = one.stream(0, "turns,gauges").await.unwrap();
    let mut own = Vec::new();
    for _ in 0..5 {
        call(&other, "system_temperatures", json!({})).await.unwrap();
        own.push(call(&one, "system_temperatures", json!({})).await.unwrap().call.unwrap());
        call(&local, "system_temperatures", json!({})).await.unwrap();
    }
    // The operator's decision about a card concerns who asked for it.
    let card = call(&one, "http_fetch", json!({ "url": "https://example.org/" })).await.unwrap().approval.unwrap();
    let path = format!("/api/approvals/{card}/deny");
    let _: Value = operator.post(&path, &json!({ "because": "no" }), None).await.unwrap();
    let say = SayBody { text: "how is this machine?".to_owned(), ..SayBody::default() };
    let _: Value = operator.post("/api/say", &say, Some(20)).await.unwrap();
    own.push(call(&one, LAST, json!({})).await.unwrap().call.unwrap());

    let mut seen = Vec::new();
    while seen.last() != own.last() {
        match next(&mut stream).await.unwrap() {
            Message::Event(event) => {
                let concerns = event.actor == format!("token:{}", ours.id) || event.subject == card;
                assert!(concerns, "{event:?}");
                seen.push(event.subject);
            }
            // Gauges of the machine are everybody's; of turns there were only those of others.
            Message::Frame(frame) => assert_eq!(frame.subject, "host", "{frame:?}"),
            other => panic!("nobody asked for {other:?}"),
        }
    }
    assert!(seen.contains(&card));
    seen.retain(|subject| own.contains(subject));
    assert_eq!(seen, own);
    let page: EventPage = other.get("/api/history?limit=200").await.unwrap();
    assert!(page.events.iter().all(|event| event.actor == format!("token:{}", theirs.id)), "{page:?}");
}

#[tokio::test]
async fn a_revoked_token_loses_its_stream() {
    let app = TestApp::start();
    let token = app.token("ide", "green", "client").await;
    let kept = app.token("kept", "green", "client").await;
    let client = app.over_tcp(token.secret.as_deref());
    let other = app.over_tcp(kept.secret.as_deref());
    let (mut stream, mut stays) = (client.stream(0, "").await.unwrap(), other.stream(0, "").await.unwrap());
    call(&client, "system_temperatures", json!({})).await.unwrap();
    assert!(matches!(next(&mut stream).await, Some(Message::Event(_))));
    app.operator().await.delete(&format!("/api/tokens/{}", token.id)).await.unwrap();
    while next(&mut stream).await.is_some() {}
    let again = client.stream(0, "").await.map(|_| ());
    assert_eq!(code(again), "unauthenticated");
    call(&other, "system_temperatures", json!({})).await.unwrap();
    assert!(matches!(next(&mut stays).await, Some(Message::Event(_))), "the others' go on");
}
