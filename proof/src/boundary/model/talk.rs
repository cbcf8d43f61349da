//! What the model says: a look at the machine, two writes in one answer, and at last what came of it all.

use serde_json::{Value, json};

/// The tool that only looks. Strangers write nothing of what it answers, or the writes would be asked.
const GREEN: &str = "system_temperatures";
/// The tool that writes.
const WRITE: &str = "file_write";
/// How its last answer begins. After these words it holds its breath.
const RESULT: &str = "That is what came of it: ";

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::boundary) struct Answer {
    pub(in crate::boundary) text: String,
    /// Bytes of the text after which it holds its breath.
    pub(in crate::boundary) breath: Option<usize>,
    /// Tools and their arguments.
    pub(in crate::boundary) calls: Vec<(&'static str, Value)>,
}

/// What a person says so that these two files are written. No rule understands it.
pub(in crate::boundary) fn words(number: u64, made: &str, asked: &str) -> String {
    format!(
        "qwzx {number}: after a look at the temperatures of the machine two lines are to be saved, {made} and {asked}"
    )
}

/// The answers to these words, where every call came to such an end as told, in the order of the calls.
pub(in crate::boundary) fn answers(words: &str, ends: &[String]) -> Option<[Answer; 3]> {
    let (_, paths) = words.rsplit_once(", ")?;
    let (made, asked) = paths.split_once(" and ")?;
    let write = |path: &str| {
        let content = format!("{path} was here\n");
        (WRITE, json!({ "path": path, "content": content, "append": true }))
    };
    let look = Answer { text: "I look first.".to_owned(), breath: None, calls: vec![(GREEN, json!({}))] };
    let act = Answer { text: String::new(), breath: None, calls: vec![write(made), write(asked)] };
    let ends: Vec<_> =
        ["the machine", made, asked].iter().zip(ends).map(|(what, end)| format!("{what} {end}")).collect();
    let text = format!("{RESULT}{}.", ends.join(", "));
    let result = Answer { text, breath: Some(RESULT.len()), calls: Vec::new() };
    Some([look, act, result])
}

/// What comes next in a conversation, and which answer of its own it is. It asks for nothing that is not offered.
pub(super) fn next(messages: &[Value], offered: &[&str]) -> Result<(usize, Answer), String> {
    let role = |message: &Value| text(message, "role");
    let last = messages.iter().rposition(|message| role(message) == "user").ok_or("nobody said anything")?;
    let (said, since) = messages.split_at(last + 1);
    let words = said.last().map(|message| text(message, "content")).unwrap_or_default();
    let step = since.iter().filter(|message| role(message) == "assistant").count();
    let outputs = since.iter().filter(|message| role(message) == "tool");
    let ends = outputs.map(|output| state(&text(output, "content"))).collect::<Option<Vec<_>>>();
    let ends = ends.ok_or("an output tells no state")?;
    let answers = answers(&words, &ends).ok_or("nobody asks such a thing")?;
    let answer = answers.get(step).ok_or("the conversation had come to its end")?;
    let due: usize = answers.iter().take(step).map(|answer| answer.calls.len()).sum();
    if ends.len() != due {
        return Err(format!("{} outcomes are told before answer {step}, and {due} calls were asked for", ends.len()));
    }
    if let Some((tool, _)) = answer.calls.iter().find(|(tool, _)| !offered.contains(tool)) {
        return Err(format!("`{tool}` is not offered; offered are {offered:?}"));
    }
    Ok((step, answer.clone()))
}

/// What the person said last.
pub(super) fn said_by_person(request: &Value) -> String {
    let messages = request.get("messages").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let last = messages.iter().rev().find(|message| text(message, "role") == "user");
    last.map(|message| text(message, "content")).unwrap_or_default()
}

/// The state that an output tells of its call.
fn state(output: &str) -> Option<String> {
    let (_, rest) = output.split_once("state=\"")?;
    rest.split_once('"').map(|(state, _)| state.to_owned())
}

fn text(object: &Value, field: &str) -> String {
    object.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}
