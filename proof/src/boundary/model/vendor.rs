//! Chat completions as the vendor has them (OpenAI API reference, Chat Completions): what a request may hold, and the
//! chunks of a streamed answer.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::NAME;
use super::talk::Answer;

/// Parameters of a request, as far as anybody here has a use for them. The vendor refuses those that it does not know.
const PARAMETERS: [&str; 10] = [
    "model",
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
];
/// Most characters of a tool's name.
const TOOL_NAME: usize = 64;
/// Most characters of a piece of arguments.
const PIECE: usize = 9;

/// The messages of a request, if all of it is as the vendor wants it.
pub(super) fn messages(request: &Value) -> Result<&[Value], String> {
    let fields = request.as_object().ok_or("the request is no JSON object")?;
    if let Some(name) = fields.keys().find(|name| !PARAMETERS.contains(&name.as_str())) {
        return Err(format!("unrecognized request argument supplied: {name}"));
    }
    ensure(request.get("model").and_then(Value::as_str) == Some(NAME), "the model does not exist")?;
    ensure(request.get("stream") == Some(&Value::Bool(true)), "no stream was asked for")?;
    let usage = request.pointer("/stream_options/include_usage");
    ensure(usage == Some(&Value::Bool(true)), "the tokens are not asked for")?;
    for name in ["max_tokens", "max_completion_tokens"] {
        let most = request.get(name);
        ensure(most.is_none_or(|most| most.as_u64().is_some_and(|most| most > 0)), "an answer of no tokens")?;
    }
    tools(request)?;
    let messages = request.get("messages").and_then(Value::as_array).ok_or("there are no messages")?;
    let mut open = BTreeSet::new();
    for message in messages {
        turn(message, &mut open)?;
    }
    ensure(open.is_empty(), "the last calls have no outputs")?;
    let last = messages.last().map_or("", |last| text(last, "role"));
    ensure(matches!(last, "user" | "tool"), "there is nothing to answer")?;
    Ok(messages)
}

/// A message, after which these calls have no output yet.
fn turn<'a>(message: &'a Value, open: &mut BTreeSet<&'a str>) -> Result<(), String> {
    let role = text(message, "role");
    if role == "tool" {
        let id = text(message, "tool_call_id");
        ensure(open.remove(id), "an output belongs to no call of the message before, or to one that has an output")?;
        return ensure(message.get("content").is_some_and(Value::is_string), "an output has no content");
    }
    ensure(open.is_empty(), "tool_calls must be followed by tool messages responding to each tool_call_id")?;
    match role {
        "system" | "developer" | "user" => ensure(!text(message, "content").is_empty(), "a message has no content"),
        "assistant" => {
            let calls = message.get("tool_calls").and_then(Value::as_array);
            let said = message.get("content").is_some_and(Value::is_string);
            ensure(said || calls.is_some(), "content is required unless tool_calls is specified")?;
            ensure(calls.is_none_or(|calls| !calls.is_empty()), "tool_calls is empty")?;
            for call in calls.into_iter().flatten() {
                let arguments = call.pointer("/function/arguments").and_then(Value::as_str);
                let name = call.pointer("/function/name").and_then(Value::as_str).unwrap_or_default();
                ensure(text(call, "type") == "function" && is_name(name), "a call is no call of a function")?;
                ensure(arguments.is_some(), "the arguments of a call are no text")?;
                let id = text(call, "id");
                ensure(!id.is_empty() && open.insert(id), "a call has no id of its own")?;
            }
            Ok(())
        }
        _ => Err(format!("there is no role `{role}`")),
    }
}

fn tools(request: &Value) -> Result<(), String> {
    let Some(tools) = request.get("tools") else { return Ok(()) };
    let tools = tools.as_array().filter(|tools| !tools.is_empty()).ok_or("tools is no list, or an empty one")?;
    let mut names = BTreeSet::new();
    for tool in tools {
        let name = tool.pointer("/function/name").and_then(Value::as_str).unwrap_or_default();
        ensure(text(tool, "type") == "function" && is_name(name), "a tool is no function with a name")?;
        ensure(names.insert(name), "a tool is offered twice")?;
        let parameters = tool.pointer("/function/parameters/type").and_then(Value::as_str);
        ensure(parameters == Some("object"), "the parameters of a tool are no object")?;
    }
    Ok(())
}

/// Names of the tools that a request offers.
pub(super) fn offered(request: &Value) -> Vec<&str> {
    let tools = request.get("tools").and_then(Value::as_array);
    let names = tools.into_iter().flatten().map(|tool| tool.pointer("/function/name").and_then(Value::as_str));
    names.flatten().collect()
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=TOOL_NAME).contains(&name.len()) && name.bytes().all(fits)
}

fn ensure(holds: bool, why: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why.to_owned()) }
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// What a stream is made of.
pub(super) enum Event {
    /// Data of a server-sent event.
    Data(String),
    /// Silence.
    Breath,
}

/// An answer as the vendor streams it: the role, the words, the calls one after the other in pieces, the reason, the
/// tokens.
pub(super) fn events(answer: &Answer) -> Vec<Event> {
    let calls = &answer.calls;
    let content = if answer.text.is_empty() { Value::Null } else { "".into() };
    let mut events = vec![delta(&json!({ "role": "assistant", "content": content, "refusal": null }))];
    let (before, after) = answer.text.split_at_checked(answer.breath.unwrap_or(0)).unwrap_or(("", &answer.text));
    events.extend(before.split_inclusive(' ').map(|word| delta(&json!({ "content": word }))));
    if answer.breath.is_some() {
        events.push(Event::Breath);
    }
    events.extend(after.split_inclusive(' ').map(|word| delta(&json!({ "content": word }))));
    for (index, (tool, args)) in calls.iter().enumerate() {
        // The same call has the same id, however often it is asked for.
        let id = format!("call_{tool}_{}_{index}", calls.len());
        let function = json!({ "name": tool, "arguments": "" });
        let call = json!({ "index": index, "id": id, "type": "function", "function": function });
        events.push(delta(&json!({ "tool_calls": [call] })));
        let args: Vec<char> = args.to_string().chars().collect();
        for piece in args.chunks(PIECE) {
            let piece = json!({ "index": index, "function": { "arguments": piece.iter().collect::<String>() } });
            events.push(delta(&json!({ "tool_calls": [piece] })));
        }
    }
    let reason = if calls.is_empty() { "stop" } else { "tool_calls" };
    let end = json!([{ "index": 0, "delta": {}, "logprobs": null, "finish_reason": reason }]);
    let usage = json!({ "prompt_tokens": 321, "completion_tokens": 12, "total_tokens": 333 });
    events.extend([chunk(&end, &Value::Null), chunk(&json!([]), &usage), Event::Data("[DONE]".to_owned())]);
    events
}

fn delta(delta: &Value) -> Event {
    let choice = json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": null });
    chunk(&json!([choice]), &Value::Null)
}

fn chunk(choices: &Value, usage: &Value) -> Event {
    let chunk = json!({
        "id": "chatcmpl-proof",
        "object": "chat.completion.chunk",
        "created": 1_795_000_000,
        "model": NAME,
        "service_tier": "default",
        "system_fingerprint": null,
        "choices": choices,
        "usage": usage,
    });
    Event::Data(chunk.to_string())
}
