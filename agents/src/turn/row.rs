//! The audit rows of a turn.
//!
//! A summary is part of the chain and outlives the conversation, so no word of a person or of a model stands in one:
//! those are in the body, which is erased with the conversation.

use jarvis_safety::call::Origin;
use jarvis_safety::conversation::{CallEnd, Entry, Turn, TurnState};
use jarvis_safety::event::{Draft, EventKind};
use jarvis_safety::kernel::Registry;
use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::{ActorId, ConversationId};
use serde_json::{Map, Value, json};

/// Something was said to Jarvis.
pub(crate) fn asked(turn: &Turn, origin: &Origin) -> Draft {
    let body = json!({ "words": turn.asked, "face": origin.face, "conversation": turn.conversation });
    let summary = match turn.asked.split_whitespace().count() {
        1 => format!("said 1 word ({})", origin.face),
        count => format!("said {count} words ({})", origin.face),
    };
    row(EventKind::TurnAsked, turn, origin, &summary, Some(body))
}

/// A step was persisted; `state` is what the turn is in now.
pub(crate) fn step(registry: &Registry, turn: &Turn, origin: &Origin, entries: &[Entry], state: TurnState) -> Draft {
    let kind = match state {
        TurnState::Running => EventKind::TurnStep,
        TurnState::Waiting => EventKind::TurnWaiting,
        TurnState::Done => EventKind::TurnDone,
        TurnState::Stopped => EventKind::TurnStopped,
        TurnState::Failed => EventKind::TurnFailed,
    };
    let told: Vec<_> = entries.iter().filter_map(|entry| line(registry, entry)).collect();
    let said: Vec<_> = entries.iter().filter_map(words).collect();
    let why = entries.iter().find_map(|entry| if let Entry::Routed { why, .. } = entry { Some(why) } else { None });
    let mut body = Map::new();
    if !said.is_empty() {
        body.insert("said".to_owned(), shorten(&said.join("\n"), 4000).into());
    }
    if let Some(why) = why {
        body.insert("why".to_owned(), why.as_str().into());
    }
    row(kind, turn, origin, &told.join("; "), (!body.is_empty()).then_some(Value::Object(body)))
}

/// A conversation got another title, or was erased. What must go with it is in the body.
pub(crate) fn conversation(
    kind: EventKind,
    actor: &ActorId,
    owner: &ActorId,
    id: &ConversationId,
    summary: &str,
    body: Option<Value>,
) -> Draft {
    Draft {
        kind,
        actor: actor.clone(),
        owner: owner.clone(),
        subject: id.to_string(),
        correlation: id.to_string(),
        tool: None,
        tier: None,
        summary: summary.to_owned(),
        body,
    }
}

fn row(kind: EventKind, turn: &Turn, origin: &Origin, summary: &str, body: Option<Value>) -> Draft {
    Draft {
        kind,
        actor: turn.actor.clone(),
        owner: turn.actor.clone(),
        subject: turn.id.to_string(),
        correlation: origin.correlation.clone(),
        tool: None,
        tier: None,
        summary: visible(summary),
        body,
    }
}

/// An entry in a few words, none of which somebody said.
fn line(registry: &Registry, entry: &Entry) -> Option<String> {
    // A model may ask for whatever it likes: only the name of a tool that exists is not its own word.
    let named = |tool: &str| registry.describe(tool).map_or("a tool that does not exist", |known| known.spec.name);
    Some(match entry {
        Entry::Routed { route, .. } => format!("answered by {route}"),
        Entry::Model { calls, .. } if calls.is_empty() => "the model answered".to_owned(),
        Entry::Model { calls, .. } => {
            let tools: Vec<_> = calls.iter().map(|call| named(&call.tool)).collect();
            format!("the model asks for {}", tools.join(", "))
        }
        Entry::Partial { .. } => return None,
        Entry::Cut { .. } => "an answer broke off".to_owned(),
        Entry::Called { tool, .. } => format!("calls {}", named(tool)),
        Entry::Waiting { approval, .. } => format!("waits for {approval}"),
        Entry::Answered { answer: CallEnd::Ran { outcome }, .. } => {
            format!("{} is {}", outcome.tool, outcome.state.as_str())
        }
        Entry::Answered { answer: CallEnd::Refused { refusal }, .. } => {
            format!("refused: {}", refusal.code.as_str())
        }
        Entry::Said { .. } => "answered".to_owned(),
        Entry::Asked { .. } => "asked back".to_owned(),
        Entry::Note { .. } => "noted something".to_owned(),
        Entry::Ended { state, millis } => format!("{} after {millis} ms", state.as_str()),
    })
}

fn words(entry: &Entry) -> Option<&str> {
    match entry {
        Entry::Model { text, .. } | Entry::Said { text } | Entry::Asked { text, .. } | Entry::Note { text } => {
            Some(text.as_str()).filter(|text| !text.is_empty())
        }
        _ => None,
    }
}
