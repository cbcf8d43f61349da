//! The stream of a model server (`agents/src/provider`): the same however the line cuts it, what another reading of the
//! whole finds, in an order that makes sense, and without a secret that Jarvis knows.

// What only the client uses is not used here.
#[allow(dead_code, unreachable_pub)]
#[path = "../../../agents/src/provider/event.rs"]
mod event;
#[allow(dead_code, unreachable_pub)]
#[path = "../../../agents/src/provider/openai.rs"]
mod openai;
#[allow(dead_code)]
#[path = "../../../agents/src/provider/scrub.rs"]
mod scrub;
#[allow(dead_code)]
#[path = "../../../agents/src/provider/thought.rs"]
mod thought;

mod whole;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use jarvis_safety::secret::{Redactor, Secret};

use crate::sabotage::Sabotage;
use event::{ModelEvent, Stop};
use openai::Decoder;
use scrub::Scrub;

/// A secret that Jarvis knows. The dictionary of the search holds it too.
const SECRET: &str = "Swordfish-4711";

/// The first two bytes say where the line is cut; the rest is what the server sends.
pub(crate) fn holds(data: &[u8], sabotage: Sabotage) {
    let Some((cuts, sent)) = data.split_first_chunk::<2>() else { return };
    let whole = decoded(&[sent], sabotage);
    assert_eq!(decoded(&cut(sent, *cuts), sabotage), whole, "cut elsewhere it is another answer");
    if sabotage != Sabotage::TornText {
        let single: Vec<&[u8]> = sent.chunks(1).collect();
        assert_eq!(decoded(&single, sabotage), whole, "byte by byte it is another answer");
    }
    ordered(&whole);
    let heard = joined(&whole);
    said(&heard, &whole::read(sent), &whole);
    scrubbed(whole, &heard);
}

/// Words and thoughts are those of the other reading.
fn said(heard: &Heard, expected: &whole::Said, events: &[ModelEvent]) {
    // The other reading knows no bounds.
    if events.iter().any(|event| matches!(event, ModelEvent::Fault(why) if why.contains("longer than"))) {
        return;
    }
    assert_eq!(heard.words, expected.words, "other words were sent");
    let (written, apart) = (&expected.written, &expected.apart);
    if written.is_empty() || apart.is_empty() {
        assert_eq!(heard.thoughts, format!("{written}{apart}"), "other thoughts were sent");
    } else {
        assert_eq!(heard.thoughts.len(), written.len() + apart.len(), "more or fewer thoughts were sent");
    }
}

fn cut(sent: &[u8], cuts: [u8; 2]) -> Vec<&[u8]> {
    let mut state = u32::from(u16::from_le_bytes(cuts));
    let (mut rest, mut pieces) = (sent, Vec::new());
    while !rest.is_empty() {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        let (piece, after) = rest.split_at((state as usize >> 16) % 23 % (rest.len() + 1));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

fn decoded(pieces: &[&[u8]], sabotage: Sabotage) -> Vec<ModelEvent> {
    let mut decoder = Decoder::new();
    let mut events = Vec::new();
    for piece in pieces {
        let ended = decoder.ended();
        let heard = if sabotage == Sabotage::TornText {
            decoder.push(String::from_utf8_lossy(piece).as_bytes())
        } else {
            decoder.push(piece)
        };
        assert!(!ended || heard.is_empty(), "it goes on behind its end");
        events.extend(heard);
    }
    events.extend(decoder.finish());
    assert!(decoder.ended() && decoder.finish().is_empty(), "it does not end");
    events
}

/// Calls are numbered from 0 and begun before they are given arguments; behind a fault comes nothing.
fn ordered(events: &[ModelEvent]) {
    let mut begun = 0;
    for (at, event) in events.iter().enumerate() {
        match event {
            ModelEvent::CallBegun { call, tool, .. } => {
                assert!(*call == begun && !tool.is_empty(), "call {call} of {tool:?} is begun behind {begun}");
                begun += 1;
            }
            ModelEvent::CallArgs { call, text } => {
                assert!(*call < begun && !text.is_empty(), "call {call} is given {text:?} of {begun}");
            }
            // Tokens of the same event are still counted.
            ModelEvent::Fault(why) => {
                let over = events[at + 1..].iter().all(|event| matches!(event, ModelEvent::Usage { .. }));
                assert!(over && !why.is_empty(), "behind a fault it goes on: {events:?}");
            }
            ModelEvent::Text(text) | ModelEvent::Thinking(text) => assert!(!text.is_empty(), "nothing was said"),
            ModelEvent::Stop(Stop::Complete | Stop::Length | Stop::Withheld) | ModelEvent::Usage { .. } => {}
        }
    }
}

/// Everything that was said, put together.
#[derive(Debug, Default)]
struct Heard {
    words: String,
    thoughts: String,
    args: BTreeMap<usize, String>,
    named: Vec<String>,
}

fn joined(events: &[ModelEvent]) -> Heard {
    let mut heard = Heard::default();
    for event in events {
        match event {
            ModelEvent::Text(text) => heard.words.push_str(text),
            ModelEvent::Thinking(text) => heard.thoughts.push_str(text),
            ModelEvent::CallArgs { call, text } => heard.args.entry(*call).or_default().push_str(text),
            ModelEvent::CallBegun { id, tool, .. } => heard.named.extend([id.clone(), tool.clone()]),
            _ => {}
        }
    }
    heard
}

/// No secret is left, however it was split, and nothing else is changed.
fn scrubbed(events: Vec<ModelEvent>, before: &Heard) {
    static REDACTOR: OnceLock<Redactor> = OnceLock::new();
    let redactor = REDACTOR.get_or_init(|| {
        let redactor = Redactor::default();
        let kept = vec![("KEY".to_owned(), Secret::new(SECRET.to_owned()))];
        redactor.know(kept).unwrap_or_else(|why| panic!("one secret is too many: {why}"));
        redactor
    });
    let mut scrub = Scrub::new(redactor);
    let mut events: Vec<_> = events.into_iter().map(|event| scrub.event(event)).collect();
    events.extend(scrub.finish());
    let after = joined(&events);
    let pairs = after.args.iter().map(|(call, text)| (text, before.args.get(call).cloned().unwrap_or_default()));
    for (text, was) in pairs.chain([(&after.words, before.words.clone())]) {
        assert!(!text.contains(SECRET), "a secret came through: {text:?}");
        let plain = redactor.text(&was) == was;
        // Half a secret at the very end is struck out too.
        let but_its_end = text.strip_suffix("[secret KEY]").is_some_and(|begun| was.starts_with(begun));
        assert!(!plain || *text == was || but_its_end, "{was:?} became {text:?} without a secret in it");
    }
    assert!(after.named.iter().all(|name| !name.contains(SECRET)), "a secret came through: {:?}", after.named);
}
