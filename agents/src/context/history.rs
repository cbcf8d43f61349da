//! Earlier turns of a branch, as a model is told of them.
//!
//! Of an earlier turn the model gets the person's words and what was said in answer, not the tools' outputs: they are
//! old, and large. Turns are left out whole, from the oldest.

use std::collections::HashMap;

use async_openai::types::chat::{
    ChatCompletionRequestAssistantMessage, ChatCompletionRequestMessage, ChatCompletionRequestUserMessage,
};
use jarvis_safety::TurnId;
use jarvis_safety::conversation::{Entry, Turn};
use jarvis_safety::kernel::Registry;
use jarvis_safety::plain::shorten;

use crate::sight::holds_strangers;

/// Most earlier turns that are told of.
const MAX_PAST: usize = 24;
/// Longest answer that is repeated, in characters.
const MAX_ANSWER: usize = 1_500;

/// An earlier turn.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    asked: String,
    answer: String,
    /// Tools that were called.
    pub(crate) tools: Vec<String>,
    size: usize,
}

impl Past {
    fn of(turn: &Turn, log: &[Entry]) -> Self {
        let mut words = Vec::new();
        let mut tools: Vec<String> = Vec::new();
        for entry in log {
            match entry {
                Entry::Model { text, .. } | Entry::Said { text } | Entry::Asked { text, .. } => {
                    words.push(text.trim());
                }
                Entry::Note { text } => words.push(text.trim()),
                Entry::Called { tool, .. } if !tools.contains(tool) => tools.push(tool.clone()),
                _ => {}
            }
        }
        words.retain(|words| !words.is_empty());
        let mut answer = shorten(&words.join("\n"), MAX_ANSWER);
        // Templates of many models insist on an answer to every message.
        if answer.is_empty() {
            answer = "(no answer)".to_owned();
        }
        if !tools.is_empty() {
            answer = format!("{answer}\n(called: {})", tools.join(", "));
        }
        let mut past = Self { asked: turn.asked.clone(), answer, tools, size: 0 };
        past.size = past.messages().iter().map(|message| super::size(message) + 1).sum();
        past
    }

    /// The two messages that stand for it.
    pub(crate) fn messages(&self) -> [ChatCompletionRequestMessage; 2] {
        [
            ChatCompletionRequestUserMessage::from(self.asked.as_str()).into(),
            ChatCompletionRequestAssistantMessage::from(self.answer.as_str()).into(),
        ]
    }
}

/// What went before a turn.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// The newest turns, oldest first.
    pub(crate) turns: Vec<Past>,
    /// Whether any turn of the branch has read what strangers may have written. What was said since may rest on it,
    /// however long ago that was.
    pub(crate) strangers: bool,
}

/// The turns from the root to the parent of this one.
pub(crate) fn branch(registry: &Registry, turns: &[(Turn, Vec<Entry>)], of: &Turn) -> History {
    let by_id: HashMap<&TurnId, &(Turn, Vec<Entry>)> = turns.iter().map(|turn| (&turn.0.id, turn)).collect();
    let mut history = History::default();
    let mut next = of.parent.as_ref();
    while let Some((turn, log)) = next.and_then(|id| by_id.get(id)) {
        if history.turns.len() < MAX_PAST {
            history.turns.push(Past::of(turn, log));
        } else if history.strangers {
            break;
        }
        // What a program asked here is no word of whoever speaks now.
        history.strangers |= turn.actor != of.actor || holds_strangers(registry, log);
        next = turn.parent.as_ref();
    }
    history.turns.reverse();
    history
}

/// The newest turns that fit into so many bytes.
pub(super) fn fitting(past: &[Past], room: usize) -> &[Past] {
    let mut left = room;
    let kept = past.iter().rev().take_while(|turn| {
        let fits = turn.size <= left;
        left = left.saturating_sub(turn.size);
        fits
    });
    &past[past.len() - kept.count()..]
}
