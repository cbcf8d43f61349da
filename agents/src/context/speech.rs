//! The turn itself, as a model is told of it: what it said and called, and what came of its calls.

use async_openai::types::chat::{
    ChatCompletionMessageToolCall, ChatCompletionRequestAssistantMessage, ChatCompletionRequestMessage,
    ChatCompletionRequestToolMessage, FunctionCall,
};
use jarvis_safety::call::CallState;
use jarvis_safety::conversation::{CallEnd, Entry, ModelCall};
use jarvis_safety::outcome::Outcome;
use jarvis_safety::plain::visible_block;

use super::Material;
use crate::sight::holds_strangers;

/// The messages of this turn after the person's words, outputs cut to so many bytes.
pub(super) fn turn(material: &Material<'_>, most: usize) -> Vec<ChatCompletionRequestMessage> {
    let mut messages = Vec::new();
    let mut index = 0;
    for entry in material.log {
        let Entry::Model { text, calls, .. } = entry else { continue };
        messages.push(spoken(text, calls));
        for call in calls {
            let is_its_end = |entry: &&Entry| matches!(entry, Entry::Answered { index: of, .. } if *of == index);
            let content = output(material, &call.tool, material.log.iter().find(is_its_end), most);
            messages.push(
                ChatCompletionRequestToolMessage { content: content.into(), tool_call_id: call.id.clone() }.into(),
            );
            index += 1;
        }
    }
    messages
}

fn spoken(text: &str, calls: &[ModelCall]) -> ChatCompletionRequestMessage {
    let calls: Vec<_> = calls
        .iter()
        .map(|call| {
            let function = FunctionCall { name: call.tool.clone(), arguments: call.args.clone() };
            ChatCompletionMessageToolCall { id: call.id.clone(), function }.into()
        })
        .collect();
    let content = (!text.is_empty() || calls.is_empty()).then(|| text.to_owned().into());
    let tool_calls = (!calls.is_empty()).then_some(calls);
    ChatCompletionRequestAssistantMessage { content, tool_calls, ..Default::default() }.into()
}

/// What came of a call, in its box. What counts as text by strangers where a call is decided is marked as such.
fn output(material: &Material<'_>, tool: &str, end: Option<&Entry>, most: usize) -> String {
    let (state, text) = match end {
        Some(Entry::Answered { answer: CallEnd::Refused { refusal }, .. }) => ("refused", refusal.message.clone()),
        Some(Entry::Answered { answer: CallEnd::Ran { outcome }, .. }) => (outcome.state.as_str(), told(outcome, most)),
        _ => ("unknown", "this call has no outcome".to_owned()),
    };
    let untrusted = end.is_some_and(|end| holds_strangers(material.registry, std::slice::from_ref(end)));
    material.prompts.tool_output(tool, state, untrusted, &cut(&visible_block(&text), most))
}

/// The structured output where it fits, else its words.
fn told(outcome: &Outcome, most: usize) -> String {
    if outcome.state != CallState::Done || outcome.output.is_null() {
        return outcome.words.clone();
    }
    let whole = outcome.output.to_string();
    let words = &outcome.words;
    if whole.len() <= most || words.is_empty() { whole } else { words.clone() }
}

/// Cuts after at most so many bytes, and says so.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}\n[cut here: {end} of {} bytes are shown]", &text[..end], text.len())
}
