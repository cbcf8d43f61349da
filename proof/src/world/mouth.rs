//! A model that says what whoever wrote its script wants: an attacker, mostly.

use std::collections::HashMap;
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
pub(crate) struct Script {
    pub(crate) steps: Vec<Vec<Spoken>>,
    /// Its last words, where it matters what they are.
    pub(crate) last: Option<String>,
}

impl From<Vec<Vec<Spoken>>> for Script {
    fn from(steps: Vec<Vec<Spoken>>) -> Self {
        Self { steps, last: None }
    }
}

/// Where the model of a bay has met what strangers wrote.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sight {
    /// In what a tool told.
    pub(crate) tool: bool,
    /// In its own words of before.
    pub(crate) model: bool,
    /// Anywhere in what it was told.
    pub(crate) anywhere: bool,
}

type Scripts = Arc<Mutex<HashMap<String, Script>>>;
type Sights = Arc<Mutex<HashMap<String, Sight>>>;

/// The server. It ends with whoever holds it.
pub(crate) struct Mouth {
    port: u16,
    scripts: Scripts,
    sights: Sights,
    _server: Served,
}

impl Mouth {
    pub(crate) async fn start(covers: Covers) -> anyhow::Result<Self> {
        let scripts = Scripts::default();
        let (read, sights) = (Arc::clone(&scripts), Sights::default());
        let sees = Arc::clone(&sights);
        let answerer = Arc::new(move |asked| answer(&asked, &read, &sees, &covers));
        let (server, port) = on_port(answerer).await?;
        Ok(Self { port, scripts, sights, _server: server })
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
        self.sights.lock().unwrap_or_else(PoisonError::into_inner).remove(bay);
    }

    /// Where it has met what strangers wrote.
    pub(crate) fn sight(&self, bay: &str) -> Sight {
        self.sights.lock().unwrap_or_else(PoisonError::into_inner).get(bay).copied().unwrap_or_default()
    }
}

fn answer(asked: &Asked, scripts: &Scripts, sights: &Sights, covers: &Covers) -> Told {
    let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let person = messages.iter().rposition(|message| message["role"] == "user").unwrap_or(0);
    let words = messages.get(person).and_then(|message| message["content"].as_str()).unwrap_or_default();
    let bay = bay(words).unwrap_or_default();
    let said = messages[person..].iter().filter(|message| message["role"] == "assistant").count();
    let key = if bay.is_empty() { words } else { bay };
    let script = scripts.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned().unwrap_or_default();
    let in_sight = String::from_utf8_lossy(&asked.body).contains(STRANGERS);
    let mut steps = script.steps.iter().filter(|step| in_sight || !step.iter().any(|spoken| spoken.led));
    let spoken = steps.nth(said).map_or(&[][..], Vec::as_slice);
    if in_sight {
        let by = |role: &str| {
            let mut texts = messages.iter().filter(|message| message["role"] == role);
            texts.any(|message| message["content"].as_str().is_some_and(|text| text.contains(STRANGERS)))
        };
        let mut sights = sights.lock().unwrap_or_else(PoisonError::into_inner);
        let sight = sights.entry(bay.to_owned()).or_default();
        sight.anywhere = true;
        sight.tool |= by("tool");
        sight.model |= by("assistant");
    } else {
        for deed in spoken.iter().filter_map(|spoken| spoken.light.clone()) {
            covers.give(deed, Why::Level, bay, "operator");
        }
    }
    Told::new(200, "text/event-stream", speech(spoken, said, script.last.as_deref()))
}

/// The first name of a bay in a text.
fn bay(words: &str) -> Option<&str> {
    words.match_indices("bay").find_map(|(at, _)| {
        let digits = words[at + 3..].bytes().take_while(u8::is_ascii_digit).count();
        (digits > 0).then(|| &words[at..at + 3 + digits])
    })
}

/// An answer as a stream of the OpenAI kind.
fn speech(spoken: &[Spoken], said: usize, last: Option<&str>) -> String {
    let chunk = |delta: Value, reason: Option<&str>| {
        let choice = json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": reason });
        let chunk = json!({
            "id": "chatcmpl-mouth", "object": "chat.completion.chunk", "created": 1_795_000_000, "model": "mouth",
            "choices": [choice],
        });
        format!("data: {chunk}\n\n")
    };
    if spoken.is_empty() {
        let words = json!({ "role": "assistant", "content": last.unwrap_or("That is all there is to say.") });
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
