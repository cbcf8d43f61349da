//! The decoder: fed in any pieces it says the same, and it survives what servers do.

use jarvis_agents::provider::generation::{Complete, Generation, Incomplete};
use jarvis_agents::provider::openai::Decoder;
use jarvis_agents::provider::{ModelEvent, Stop};
use proptest::prelude::*;
use serde_json::json;

use crate::support::model::{call_pieces, delta, finish, sse};

fn fed(pieces: &[&[u8]]) -> Vec<ModelEvent> {
    let mut decoder = Decoder::new();
    let mut events: Vec<_> = pieces.iter().flat_map(|piece| decoder.push(piece)).collect();
    events.extend(decoder.finish());
    events
}

fn answer(bytes: &[u8]) -> Result<Complete, Incomplete> {
    let mut generation = Generation::default();
    for event in fed(&[bytes]) {
        generation.take(event);
    }
    generation.complete()
}

/// An answer with everything in it: comments, unknown events and fields, thoughts, words beyond ASCII, two interleaved
/// calls, both line endings, usage last.
fn recording() -> Vec<u8> {
    let mut bytes = b": keep-alive\n\nevent: chunk\nid: 7\nretry: 10\n".to_vec();
    bytes.extend(delta(json!({ "role": "assistant", "content": null, "x": { "unknown": [1] } })));
    bytes.extend(delta(json!({ "reasoning_content": "hm…" })));
    bytes.extend(delta(json!({ "content": "Größe 東京 🏠" })));
    bytes.extend(b": ping\r\n\r\nevent: from-the-future\r\ndata: {\"object\":\"new.kind\"}\r\n\r\n");
    let calls = call_pieces(&[("lamp_list", json!({})), ("lamp_restart", json!({ "name": "hällé" }))]);
    bytes.extend(calls.concat());
    bytes.extend(finish("tool_calls").concat());
    bytes
}

#[test]
fn split_at_every_byte_it_says_the_same_as_whole() {
    let bytes = recording();
    let whole = fed(&[&bytes]);
    let complete = answer(&bytes).unwrap();
    assert_eq!(complete.text, "Größe 東京 🏠");
    assert_eq!(complete.calls[1].args, "{\"name\":\"hällé\"}");
    assert_eq!((complete.tokens_in, complete.tokens_out), (Some(321), Some(12)));
    for at in 0..=bytes.len() {
        assert_eq!(fed(&[&bytes[..at], &bytes[at..]]), whole, "split at {at}");
    }
    let single: Vec<_> = bytes.chunks(1).collect();
    assert_eq!(fed(&single), whole);
}

proptest! {
    #[test]
    fn split_anywhere_any_number_of_times_it_says_the_same(mut cuts in prop::collection::vec(0_usize..3000, 0..40)) {
        let bytes = recording();
        cuts.iter_mut().for_each(|cut| *cut %= bytes.len());
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts {
            pieces.push(&bytes[from..cut]);
            from = cut;
        }
        pieces.push(&bytes[from..]);
        prop_assert_eq!(fed(&pieces), fed(&[&bytes]));
    }

    #[test]
    fn whatever_comes_in_it_never_panics_and_never_completes_a_call_by_accident(noise in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(answer(&noise).map_or(true, |complete| complete.calls.is_empty()));
    }
}

#[test]
fn cut_at_any_byte_a_call_is_whole_or_absent() {
    let bytes = recording();
    let whole = answer(&bytes).unwrap().calls;
    for at in 0..bytes.len() {
        if let Ok(complete) = answer(&bytes[..at]) {
            assert_eq!(complete.calls, whole, "cut at {at}");
        }
    }
}

#[test]
fn a_server_that_numbers_every_call_zero_still_asks_for_two_calls() {
    let call = |id: &str, tool: &str| {
        delta(
            json!({ "tool_calls": [{ "index": 0, "id": id, "function": { "name": tool, "arguments": { "a": 1 } } }] }),
        )
    };
    let mut bytes = [call("one", "lamp_list"), call("two", "note_read")].concat();
    bytes.extend(finish("stop").concat());
    let calls = answer(&bytes).unwrap().calls;
    assert_eq!(calls.len(), 2);
    assert_eq!((calls[1].tool.as_str(), calls[1].args.as_str()), ("note_read", "{\"a\":1}"));
}

#[test]
fn a_length_limit_drops_every_call_and_keeps_the_words() {
    let mut bytes = delta(json!({ "content": "I shall" }));
    bytes.extend(call_pieces(&[("lamp_restart", json!({ "name": "hall" }))]).concat());
    bytes.extend(finish("length").concat());
    let complete = answer(&bytes).unwrap();
    assert_eq!((complete.stop, complete.calls.len(), complete.dropped), (Stop::Length, 0, 1));
    assert_eq!(complete.text, "I shall");
}

#[test]
fn done_without_a_reason_completes_words_but_not_calls() {
    let words = [delta(json!({ "content": "Yes." })), b"data: [DONE]\n\n".to_vec()].concat();
    assert_eq!(answer(&words).unwrap().text, "Yes.");
    let calls = [call_pieces(&[("lamp_list", json!({}))]).concat(), b"data: [DONE]\n\n".to_vec()].concat();
    assert!(answer(&calls).is_err());
}

#[test]
fn faults_are_told_in_whatever_shape_they_come() {
    let shapes = [
        sse(&json!({ "error": { "message": "out of memory", "code": 500 } })),
        sse(&json!({ "error": "out of memory" })),
        b"error: {\"message\":\"out of memory\"}\n\n".to_vec(),
        b"event: error\ndata: {\"error\":{\"message\":\"out of memory\"}}\n\n".to_vec(),
    ];
    for shape in shapes {
        let bytes = [delta(json!({ "content": "half" })), shape, finish("stop").concat()].concat();
        let incomplete = answer(&bytes).unwrap_err();
        assert_eq!((incomplete.text.as_str(), incomplete.fault.as_deref()), ("half", Some("out of memory")));
    }
    assert!(answer(b"data: {not json}\n\n").unwrap_err().fault.is_some());
}

#[test]
fn behind_a_fault_comes_nothing_of_a_thought_that_was_open() {
    let mut decoder = Decoder::new();
    let mut events = decoder.push(&delta(json!({ "content": "<think>hm</th" })));
    events.extend(decoder.push(b"data: {not json\n"));
    events.extend(decoder.finish());
    assert!(matches!(events.as_slice(), [ModelEvent::Thinking(_), ModelEvent::Fault(_)]), "{events:?}");
}

#[test]
fn a_line_without_end_is_a_fault_and_not_a_full_memory() {
    let mut decoder = Decoder::new();
    let mut events = decoder.push(b"data: ");
    for _ in 0..40 {
        events.extend(decoder.push(&[b'x'; 64 * 1024]));
    }
    assert!(matches!(events.as_slice(), [ModelEvent::Fault(_)]), "{events:?}");
    assert!(decoder.ended());
}
