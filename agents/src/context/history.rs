//! Earlier turns of a branch, as a model is told of them.
//!
//! Of an earlier turn the model gets the person's words and what was said in answer, not the tools' outputs: they are
//! old, and large. What the rules said names what there is, and what another caller asked is no word of this one: both stand in a
//! box, in no message of the person. Turns are left out whole, from the oldest.

use std::collections::HashMap;

use async_openai::types::chat::{
    ChatCompletionRequestAssistantMessage, ChatCompletionRequestMessage, ChatCompletionRequestUserMessage,
};
use jarvis_safety::TurnId;
use jarvis_safety::conversation::{Entry, Turn};
use jarvis_safety::kernel::Registry;
use jarvis_safety::plain::{shorten, visible_block};

use crate::prompt::{Prompts, unboxed};
use crate::sight::holds_strangers;

/// Most earlier turns that are told of.
const MAX_PAST: usize = 24;
/// Longest answer that is repeated, in characters.
const MAX_ANSWER: usize = 1_500;
/// What stands for the words of whoever speaks now where it was another.
const BY_ANOTHER: &str = "(another caller spoke here)";

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
    /// `own`: whether whoever speaks now said it.
    fn of(prompts: &Prompts, turn: &Turn, log: &[Entry], own: bool) -> Self {
        let (mut words, mut boxed) = (Vec::new(), Vec::new());
        let mut tools: Vec<String> = Vec::new();
        for entry in log {
            match entry {
                Entry::Model { text, .. } | Entry::Note { text } => words.push(text.trim()),
                Entry::Said { text } | Entry::Asked { text, .. } => boxed.push(text.trim()),
                Entry::Called { tool, .. } if !tools.contains(tool) => tools.push(tool.clone()),
                _ => {}
            }
        }
        let joined = |mut words: Vec<&str>| {
            words.retain(|words| !words.is_empty());
            shorten(&words.join("\n"), MAX_ANSWER)
        };
        let in_box = |of: &str, text: &str| prompts.tool_output(of, "earlier", true, &visible_block(text));
        let mut answer = Vec::new();
        if !own {
            answer.push(in_box("request of another caller", &shorten(&turn.asked, MAX_ANSWER)));
        }
        answer.extend(Some(joined(boxed)).filter(|said| !said.is_empty()).map(|said| in_box("answer by rule", &said)));
        answer.extend(Some(unboxed(&joined(words))).filter(|said| !said.is_empty()));
        // Templates of many models insist on an answer to every message.
        if answer.is_empty() {
            answer.push("(no answer)".to_owned());
        }
        if !tools.is_empty() {
            answer.push(format!("(called: {})", tools.join(", ")));
        }
        let asked = if own { turn.asked.clone() } else { BY_ANOTHER.to_owned() };
        let mut past = Self { asked, answer: answer.join("\n"), tools, size: 0 };
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
pub(crate) fn branch(registry: &Registry, prompts: &Prompts, turns: &[(Turn, Vec<Entry>)], of: &Turn) -> History {
    let by_id: HashMap<&TurnId, &(Turn, Vec<Entry>)> = turns.iter().map(|turn| (&turn.0.id, turn)).collect();
    let mut history = History::default();
    let mut next = of.parent.as_ref();
    while let Some((turn, log)) = next.and_then(|id| by_id.get(id)) {
        if history.turns.len() < MAX_PAST {
            history.turns.push(Past::of(prompts, turn, log, turn.actor == of.actor));
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
