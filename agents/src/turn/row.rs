//! The audit rows of a turn.

use jarvis_safety::call::Origin;
use jarvis_safety::conversation::{CallEnd, Entry, Turn, TurnState};
use jarvis_safety::event::{Draft, EventKind};
use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::{ActorId, ConversationId};
use serde_json::{Value, json};

/// Something was said to Jarvis.
pub(crate) fn asked(turn: &Turn, origin: &Origin) -> Draft {
    let body = json!({ "words": turn.asked, "face": origin.face, "conversation": turn.conversation });
    row(EventKind::TurnAsked, turn, origin, &shorten(&turn.asked, 120), Some(body))
}

/// A step was persisted; `state` is what the turn is in now.
pub(crate) fn step(turn: &Turn, origin: &Origin, entries: &[Entry], state: TurnState) -> Draft {
    let kind = match state {
        TurnState::Running => EventKind::TurnStep,
        TurnState::Waiting => EventKind::TurnWaiting,
        TurnState::Done => EventKind::TurnDone,
        TurnState::Stopped => EventKind::TurnStopped,
        TurnState::Failed => EventKind::TurnFailed,
    };
    let told: Vec<_> = entries.iter().filter_map(line).collect();
    let said: Vec<_> = entries.iter().filter_map(words).collect();
    let body = (!said.is_empty()).then(|| json!({ "said": shorten(&said.join("\n"), 4000) }));
    row(kind, turn, origin, &told.join("; "), body)
}

/// A conversation got another title, or was erased.
pub(crate) fn conversation(
    kind: EventKind,
    actor: &ActorId,
    owner: &ActorId,
    id: &ConversationId,
    summary: &str,
) -> Draft {
    Draft {
        kind,
        actor: actor.clone(),
        owner: owner.clone(),
        subject: id.to_string(),
        correlation: id.to_string(),
        tool: None,
        tier: None,
        summary: shorten(&visible(summary), 300),
        body: None,
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
        summary: shorten(&visible(summary), 300),
        body,
    }
}

/// An entry in a few words. What was said is in the body, which can be erased.
fn line(entry: &Entry) -> Option<String> {
    Some(match entry {
        Entry::Routed { route, why, .. } => format!("answered by {route}: {why}"),
        Entry::Model { calls, .. } if calls.is_empty() => "the model answered".to_owned(),
        Entry::Model { calls, .. } => {
            let tools: Vec<_> = calls.iter().map(|call| call.tool.as_str()).collect();
            format!("the model asks for {}", tools.join(", "))
        }
        Entry::Partial { .. } => return None,
        Entry::Cut { .. } => "an answer broke off".to_owned(),
        Entry::Called { tool, .. } => format!("calls {tool}"),
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
