//! A model that says what whoever wrote its script wants: an attacker, mostly.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::STRANGERS;
use super::ledger::{Covers, Deed, Why};
use super::serve::{Asked, Served, Told, on_port};

/// One call, as the model says it.
#[derive(Debug, Clone)]
pub(crate) struct Spoken {
    /// The name of the tool, right or wrong.
    pub(crate) tool: String,
    /// The arguments, which may be no JSON.
    pub(crate) args: String,
    /// What the operator's level lets a model do that has nothing of strangers in sight.
    pub(crate) light: Option<Deed>,
    /// Only said by a model that has something of strangers in sight: it does what that wants.
    pub(crate) led: bool,
}

/// What it says in a turn, answer by answer; then it is content.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script(pub(crate) Vec<Vec<Spoken>>);

type Scripts = Arc<Mutex<HashMap<String, Script>>>;
/// Bays to which a tool has shown what strangers wrote.
type Heard = Arc<Mutex<HashSet<String>>>;

/// The server. It ends with whoever holds it.
pub(crate) struct Mouth {
    port: u16,
    scripts: Scripts,
    heard: Heard,
    shown: Heard,
    _server: Served,
}

impl Mouth {
    pub(crate) async fn start(covers: Covers) -> anyhow::Result<Self> {
        let scripts = Scripts::default();
        let (read, heard, shown) = (Arc::clone(&scripts), Heard::default(), Heard::default());
        let (hears, sees) = (Arc::clone(&heard), Arc::clone(&shown));
        let answerer = Arc::new(move |asked| answer(&asked, &read, (&hears, &sees), &covers));
        let (server, port) = on_port(answerer).await?;
        Ok(Self { port, scripts, heard, shown, _server: server })
    }

    /// What stands in the settings.
    pub(crate) fn setting(&self) -> Value {
        json!({ "url": format!("http://127.0.0.1:{}/v1", self.port), "name": "mouth", "context": 65_536 })
    }

    /// What it says from now on to a person in whose words the same bay is named; where none is, to just these words.
    pub(crate) fn learn(&self, words: &str, script: Script) {
        let key = bay(words).unwrap_or(words).to_owned();
        self.scripts.lock().unwrap_or_else(PoisonError::into_inner).insert(key, script);
    }

    /// Nothing of strangers was shown to this one yet.
    pub(crate) fn forget(&self, bay: &str) {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).remove(bay);
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).remove(bay);
    }

    /// Whether anything of strangers was shown to it, wherever in what it was told.
    pub(crate) fn shown(&self, bay: &str) -> bool {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).contains(bay)
    }

    /// Whether a tool has shown it what strangers wrote.
    pub(crate) fn heard(&self, bay: &str) -> bool {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).contains(bay)
    }
}

fn answer(asked: &Asked, scripts: &Scripts, (heard, shown): (&Heard, &Heard), covers: &Covers) -> Told {
    let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let person = messages.iter().rposition(|message| message["role"] == "user").unwrap_or(0);
    let words = messages.get(person).and_then(|message| message["content"].as_str()).unwrap_or_default();
    let bay = bay(words).unwrap_or_default();
    let said = messages[person..].iter().filter(|message| message["role"] == "assistant").count();
    let key = if bay.is_empty() { words } else { bay };
    let script = scripts.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned().unwrap_or_default();
    let in_sight = String::from_utf8_lossy(&asked.body).contains(STRANGERS);
    let mut steps = script.0.iter().filter(|step| in_sight || !step.iter().any(|spoken| spoken.led));
    let spoken = steps.nth(said).map_or(&[][..], Vec::as_slice);
    let tools = messages.iter().filter(|message| message["role"] == "tool");
    if tools.filter_map(|message| message["content"].as_str()).any(|text| text.contains(STRANGERS)) {
        heard.lock().unwrap_or_else(PoisonError::into_inner).insert(bay.to_owned());
    }
    if in_sight {
        shown.lock().unwrap_or_else(PoisonError::into_inner).insert(bay.to_owned());
    } else {
        for deed in spoken.iter().filter_map(|spoken| spoken.light.clone()) {
            covers.give(deed, Why::Level, bay, "operator");
        }
    }
    Told::new(200, "text/event-stream", speech(spoken, said))
}

/// The first name of a bay in a text.
fn bay(words: &str) -> Option<&str> {
    words.match_indices("bay").find_map(|(at, _)| {
        let digits = words[at + 3..].bytes().take_while(u8::is_ascii_digit).count();
        (digits > 0).then(|| &words[at..at + 3 + digits])
    })
}

/// An answer as a stream of the OpenAI kind.
fn speech(spoken: &[Spoken], said: usize) -> String {
    let chunk = |delta: Value, reason: Option<&str>| {
        let choice = json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": reason });
        let chunk = json!({
            "id": "chatcmpl-mouth", "object": "chat.completion.chunk", "created": 1_795_000_000, "model": "mouth",
            "choices": [choice],
        });
        format!("data: {chunk}\n\n")
    };
    if spoken.is_empty() {
        let words = json!({ "role": "assistant", "content": "That is all there is to say." });
        return format!("{}{}data: [DONE]\n\n", chunk(words, None), chunk(json!({}), Some("stop")));
    }
    let calls: Vec<_> = spoken
        .iter()
        .enumerate()
        .map(|(index, spoken)| {
            json!({ "index": index, "id": format!("call_{said}_{index}"), "type": "function",
                "function": { "name": spoken.tool, "arguments": spoken.args } })
        })
        .collect();
    let words = json!({ "role": "assistant", "content": "", "tool_calls": calls });
    format!("{}{}data: [DONE]\n\n", chunk(words, None), chunk(json!({}), Some("tool_calls")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bay_is_found_in_the_midst_of_words() {
        assert_eq!(bay("what of the bay and bay12-web?"), Some("bay12"));
        assert_eq!(bay("bay"), None);
    }
}
