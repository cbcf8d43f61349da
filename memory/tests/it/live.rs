//! Live frames: coalesced, complete, and shown to those who come later.

use std::sync::Arc;
use std::time::Duration;

use jarvis_memory::LiveHub;
use jarvis_safety::ActorId;
use jarvis_safety::frame::Frame;
use jarvis_safety::port::Live as _;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::sync::broadcast;

fn frame(subject: &str, kind: &str, offset: u64, data: Value) -> Frame {
    Frame { subject: subject.to_owned(), kind: kind.to_owned(), offset, data, owner: ActorId::new("operator") }
}

fn text(offset: u64, text: &str) -> Frame {
    frame("turn:1", "text", offset, json!({ "text": text }))
}

async fn next(frames: &mut broadcast::Receiver<Arc<Frame>>) -> Frame {
    frames.recv().await.unwrap().as_ref().clone()
}

/// Everything that comes until nothing has come for a while.
async fn rest(frames: &mut broadcast::Receiver<Arc<Frame>>) -> Vec<Frame> {
    let mut all = Vec::new();
    while let Ok(Ok(frame)) = tokio::time::timeout(Duration::from_millis(500), frames.recv()).await {
        all.push(frame.as_ref().clone());
    }
    all
}

#[tokio::test]
async fn texts_that_continue_each_other_become_one() {
    let hub = LiveHub::new();
    let mut frames = hub.subscribe();
    for (offset, part) in [(0, "Grö"), (3, "ße"), (5, " ist"), (9, " gut")] {
        hub.publish(text(offset, part));
    }
    assert_eq!(next(&mut frames).await, text(0, "Grö"));
    assert_eq!(next(&mut frames).await, text(3, "ße ist gut"));
    assert_eq!(hub.snapshot(), [Arc::new(text(0, "Größe ist gut"))]);
}

#[tokio::test]
async fn a_text_that_leaves_a_hole_or_begins_again_is_not_glued() {
    let hub = LiveHub::new();
    let mut frames = hub.subscribe();
    hub.publish(text(0, "a"));
    hub.publish(text(1, "b"));
    hub.publish(text(7, "later"));
    hub.publish(text(0, "anew"));
    let seen = rest(&mut frames).await;
    assert_eq!(seen, [text(0, "a"), text(1, "b"), text(0, "anew")]);
    assert_eq!(hub.snapshot(), [Arc::new(text(0, "anew"))]);
}

#[tokio::test]
async fn of_everything_else_the_latest_wins() {
    let hub = LiveHub::new();
    let mut frames = hub.subscribe();
    for percent in 0..100 {
        hub.publish(frame("call:1", "progress", 0, json!({ "percent": percent })));
        hub.publish(frame("host", "gauges", 0, json!(percent)));
    }
    let seen = rest(&mut frames).await;
    assert_eq!(seen.len(), 4, "{seen:?}");
    assert_eq!(seen[2].data, json!({ "percent": 99 }));
    assert_eq!(seen[3].data, json!(99));
}

#[tokio::test]
async fn a_frame_is_held_back_for_a_moment_and_then_comes_by_itself() {
    let hub = LiveHub::new();
    let mut frames = hub.subscribe();
    hub.publish(frame("host", "gauges", 0, json!(1)));
    next(&mut frames).await;
    hub.publish(frame("host", "gauges", 0, json!(2)));
    assert!(frames.try_recv().is_err());
    assert_eq!(next(&mut frames).await.data, json!(2));
}

#[tokio::test]
async fn what_has_ended_is_shown_to_its_end_and_forgotten() {
    let hub = LiveHub::new();
    let mut frames = hub.subscribe();
    hub.publish(text(0, "a"));
    hub.publish(text(1, "b"));
    hub.publish(frame("host", "gauges", 0, json!(1)));
    hub.end("turn:1");
    assert_eq!(hub.snapshot().len(), 1);
    assert_eq!(rest(&mut frames).await, [text(0, "a"), frame("host", "gauges", 0, json!(1)), text(1, "b")]);
}

#[tokio::test]
async fn samplers_can_rest_when_nobody_looks() {
    let hub = LiveHub::new();
    assert!(!hub.watched());
    let frames = hub.subscribe();
    assert!(hub.watched());
    drop(frames);
    assert!(!hub.watched());
}

#[tokio::test]
async fn what_is_remembered_is_bounded() {
    let hub = LiveHub::new();
    for index in 0..5000 {
        hub.publish(frame(&format!("call:{index}"), "progress", 0, json!(index)));
    }
    assert!(hub.snapshot().len() <= 2048);
    let piece = "ä".repeat(10_000);
    for index in 0..40 {
        hub.publish(text(index * 10_000, &piece));
    }
    let shown = hub.snapshot().into_iter().find(|frame| frame.subject == "turn:1").unwrap();
    let shown_text = shown.data["text"].as_str().unwrap();
    assert!(shown_text.len() <= 256 * 1024);
    assert_eq!(shown.offset + shown_text.chars().count() as u64, 400_000);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// However a text is cut into frames, whoever applies what arrives by offset has the text.
    #[test]
    fn a_text_arrives_whole_however_it_is_cut(parts in prop::collection::vec("\\PC{0,6}", 1..40)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let hub = LiveHub::new();
            let mut frames = hub.subscribe();
            let mut whole = String::new();
            for part in &parts {
                hub.publish(text(whole.chars().count() as u64, part));
                whole.push_str(part);
            }
            assert_eq!(hub.snapshot()[0].data, json!({ "text": whole }));
            hub.end("turn:1");
            let mut seen = String::new();
            while let Ok(frame) = frames.try_recv() {
                let kept = usize::try_from(frame.offset).unwrap();
                assert!(kept <= seen.chars().count(), "a hole");
                seen = seen.chars().take(kept).collect::<String>() + frame.data["text"].as_str().unwrap();
            }
            assert_eq!(seen, whole);
        });
    }
}
