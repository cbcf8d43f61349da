//! Asking the model for its next answer, and showing it while it is being said.
//!
//! What has been said is shown live at once, kept as [`Entry::Partial`] each second, and kept whole when the server
//! declares it whole. An answer that breaks off before anything was shown is simply asked for again; one that breaks off
//! later is kept as cut, and the step is asked again from the log.

use std::time::Duration;

use async_openai::types::chat::CreateChatCompletionRequest;
use jarvis_safety::conversation::{Entry, ModelCall, TurnState};
use jarvis_safety::port::Stored;
use jarvis_safety::setting::ModelSetting;
use jarvis_safety::{json, plain};
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval};

use crate::context::{Material, build, select};
use crate::provider::generation::{Complete, Generation};
use crate::provider::{ProviderError, Stop};

use super::answer::sentence;
use super::driver::{Came, Driver};
use super::reading::{Reading, Route};
use super::step::holds_secret;

/// How often new words are shown.
const SHOW: Duration = Duration::from_millis(40);
/// How often the words so far are kept.
const KEEP: Duration = Duration::from_secs(1);

/// How one attempt at an answer ended.
enum Attempt {
    Whole(Complete),
    Stopped { text: String },
    Broken { text: String, fault: bool, error: ProviderError },
}

impl Driver {
    /// Asks for the next answer.
    pub(super) async fn ask_model(&self, log: &[Entry]) -> Stored<Came> {
        let Some(setting) = self.mind.gate.settings().model else {
            return Ok(Came::failed(Vec::new(), "The model was removed from the settings meanwhile."));
        };
        let read = Reading::of(log);
        let Some(Route::Model(model)) = read.route else { return Ok(Came::with(Vec::new())) };
        let used: Vec<_> = read.calls.iter().map(|call| call.tool.to_owned()).collect();
        let past = &self.past().await?.turns;
        let registry = self.mind.gate.registry();
        let tools = select(&*self.mind.index, registry, &self.turn.asked, &used, past);
        let asked = &self.turn.asked;
        let material = Material { prompts: &self.mind.prompts, registry, asked, log, past, tools: &tools, plan: false };
        let request = match build(&material, &setting, model) {
            Ok(request) => request,
            Err(error) => return Ok(Came::failed(Vec::new(), sentence(&error.to_string()))),
        };
        let came = match self.attempts(&setting, &request).await {
            Attempt::Whole(complete) => self.heard(complete, &read.wanted),
            Attempt::Stopped { text } => Came::stopped(cut(text)),
            Attempt::Broken { text, fault: false, .. } if !text.is_empty() => Came::with(cut(text)),
            Attempt::Broken { text, error, .. } => Came::failed(cut(text), sentence(&error.to_string())),
        };
        Ok(came)
    }

    /// Asks until an answer begins, then reads it to its end.
    async fn attempts(&self, setting: &ModelSetting, request: &CreateChatCompletionRequest) -> Attempt {
        let patience = *self.mind.client.patience();
        let mut pause = patience.backoff;
        let mut attempt = 1;
        loop {
            let result = self.attempt(setting, request).await;
            let Attempt::Broken { text, error, .. } = &result else { return result };
            let wait = match error {
                ProviderError::Busy { after, .. } => after.unwrap_or(pause),
                ProviderError::Broken(_) => pause,
                ProviderError::NotSent(_) | ProviderError::Rejected(_) => return result,
            };
            if !text.is_empty() || attempt >= patience.tries {
                return result;
            }
            tracing::warn!(turn = %self.turn.id, %error, attempt, "the model did not answer; asking again");
            tokio::select! {
                () = self.cancel.cancelled() => return Attempt::Stopped { text: String::new() },
                () = tokio::time::sleep(wait) => {}
            }
            attempt += 1;
            pause *= 2;
        }
    }

    async fn attempt(&self, setting: &ModelSetting, request: &CreateChatCompletionRequest) -> Attempt {
        let opened = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Attempt::Stopped { text: String::new() },
            opened = self.mind.client.open(setting, request) => opened,
        };
        let mut answering = match opened {
            Ok(answering) => answering,
            Err(error) => return Attempt::Broken { text: String::new(), fault: false, error },
        };
        let mut generation = Generation::default();
        let mut spoken = Spoken::default();
        let (mut show, mut keep) = (interval(SHOW), interval(KEEP));
        show.set_missed_tick_behavior(MissedTickBehavior::Delay);
        keep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        keep.reset();
        loop {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => {
                    return Attempt::Stopped { text: generation.text().to_owned() };
                }
                _ = keep.tick() => self.keep_partial(&mut spoken, generation.text()).await,
                _ = show.tick() => self.show(&mut spoken),
                event = answering.next() => match event {
                    Ok(Some(event)) => spoken.unshown.push_str(&generation.take(event).unwrap_or_default()),
                    Ok(None) => break,
                    Err(error) => {
                        self.show(&mut spoken);
                        return Attempt::Broken { text: generation.text().to_owned(), fault: false, error };
                    }
                },
            }
        }
        self.show(&mut spoken);
        match generation.complete() {
            Ok(complete) => Attempt::Whole(complete),
            Err(incomplete) => {
                let fault = incomplete.fault.is_some();
                let error = match incomplete.fault {
                    Some(words) => ProviderError::Busy {
                        message: format!("the model server reports a fault: {words}"),
                        after: None,
                    },
                    None => ProviderError::Broken("the model's answer broke off".to_owned()),
                };
                Attempt::Broken { text: incomplete.text, fault, error }
            }
        }
    }

    fn show(&self, spoken: &mut Spoken) {
        if spoken.unshown.is_empty() {
            return;
        }
        let text = std::mem::take(&mut spoken.unshown);
        let length = text.chars().count() as u64;
        self.frame("text", spoken.shown, serde_json::json!({ "text": text }));
        spoken.shown += length;
    }

    /// Keeps what was said so far. If that fails, the answer goes on: only a crash would miss it.
    async fn keep_partial(&self, spoken: &mut Spoken, text: &str) {
        if text.len() == spoken.kept {
            return;
        }
        let entry = Entry::Partial { text: text.to_owned() };
        match self.mind.conversations.step(&self.turn.id, &[entry], TurnState::Running, None).await {
            Ok(()) => spoken.kept = text.len(),
            Err(error) => tracing::warn!(turn = %self.turn.id, %error, "a partial answer could not be kept"),
        }
    }

    /// A whole answer as entries. `before` are the calls that were asked for earlier in this turn.
    fn heard(&self, complete: Complete, before: &[&ModelCall]) -> Came {
        let registry = self.mind.gate.registry();
        let mut calls: Vec<ModelCall> = Vec::new();
        for wanted in complete.calls {
            let known = before.iter().copied().chain(&calls).any(|call| call.id == wanted.id);
            let own = format!("call_{}", before.len() + calls.len());
            let id = if wanted.id.is_empty() || known { own } else { wanted.id };
            let tool = plain::shorten(&plain::visible(&wanted.tool), 64);
            // What is kept of a call must not hold a secret; the call itself is then refused.
            let args = match json::parse(&wanted.args) {
                Ok(args) if holds_secret(registry, &tool, &args) => withheld(registry, &tool, args),
                _ => wanted.args,
            };
            calls.push(ModelCall { id, tool, args });
        }
        let ends = calls.is_empty();
        let mut entries = vec![Entry::Model {
            text: complete.text,
            calls,
            tokens_in: complete.tokens_in,
            tokens_out: complete.tokens_out,
        }];
        let note = match complete.stop {
            Stop::Complete => None,
            Stop::Length if complete.dropped > 0 => {
                Some("The answer reached its length limit in the middle of a call, so the call was not made.")
            }
            Stop::Length => Some("The answer reached its length limit and ends early."),
            Stop::Withheld => Some("The model server withheld the rest of the answer."),
        };
        if let Some(note) = note.filter(|_| ends) {
            entries.push(Entry::Note { text: note.to_owned() });
        }
        Came::with(entries)
    }
}

/// How much of an answer was shown and kept.
#[derive(Default)]
struct Spoken {
    unshown: String,
    /// In characters.
    shown: u64,
    /// In bytes.
    kept: usize,
}

fn cut(text: String) -> Vec<Entry> {
    if text.is_empty() { Vec::new() } else { vec![Entry::Cut { text }] }
}

fn withheld(registry: &jarvis_safety::kernel::Registry, tool: &str, mut args: Value) -> String {
    let secrets = registry.describe(tool).map_or(&[][..], |described| described.spec.secrets);
    for field in secrets {
        if let Some(value) = args.get_mut(*field) {
            *value = Value::String("[withheld]".to_owned());
        }
    }
    args.to_string()
}
