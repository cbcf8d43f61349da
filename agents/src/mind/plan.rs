//! What a sentence would do, without doing it.

use jarvis_safety::call::{Origin, Request, Vouching};
use jarvis_safety::refusal::Code;
use jarvis_safety::setting::ModelSetting;
use jarvis_safety::{Actor, Refusal, Tier, json};
use serde_json::Value;

use crate::context::{Material, build, select};
use crate::provider::generation::{Complete, Generation};
use crate::provider::{ModelEvent, ProviderError};
use crate::understand::Understood;
use crate::world::GateWorld;

use super::say::words;
use super::{Inner, Mind};

/// The calls that a sentence would make.
#[derive(Debug, Clone, PartialEq)]
pub struct SayPlan {
    /// In order.
    pub calls: Vec<PlannedCall>,
    /// The one question, or the answer, that would be said instead.
    pub question: Option<String>,
}

/// One call that a sentence would make.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedCall {
    /// Tool.
    pub tool: String,
    /// Arguments.
    pub args: Value,
    /// Tier of exactly this call; the declared one where the target cannot be looked at.
    pub tier: Tier,
}

impl Mind {
    /// Works out the calls that a sentence would make. Runs nothing but reads that find names, and keeps nothing.
    ///
    /// # Errors
    /// If the words are none or too many, or no rule fits and the model fails.
    pub async fn plan(&self, actor: &Actor, origin: Origin, text: &str) -> Result<SayPlan, Refusal> {
        let inner = self.inner();
        let asked = words(text)?;
        let world = GateWorld::new(inner, actor, &origin);
        let wanted = match inner.understanding.understand(asked, &world).await {
            Understood::Calls { calls, .. } => {
                calls.into_iter().map(|meant| (meant.tool, meant.args)).collect::<Vec<_>>()
            }
            Understood::Question { text, .. } => {
                // As in a turn: a model takes what no rule is sure of, and if it cannot, the rule asks.
                let drafted = match inner.gate.settings().model {
                    Some(setting) => inner.draft(&setting, asked).await.ok(),
                    None => None,
                };
                match drafted {
                    Some(complete) if complete.calls.is_empty() => return Ok(question(complete.text)),
                    Some(complete) => wanted_by(&complete),
                    None => return Ok(question(text)),
                }
            }
            Understood::Courtesy { kind, said, examples, many } => {
                return Ok(question(inner.courtesy(kind, &said, &examples, &many)));
            }
            Understood::Nothing { nearest, order } => {
                let Some(setting) = inner.gate.settings().model else {
                    return Ok(question(inner.no_model(asked, order, &nearest)));
                };
                let drafted = inner.draft(&setting, asked).await;
                let complete = drafted.map_err(|error| Refusal::new(Code::Unavailable, "model", error.to_string()))?;
                if complete.calls.is_empty() {
                    return Ok(question(complete.text));
                }
                wanted_by(&complete)
            }
        };
        let mut calls = Vec::with_capacity(wanted.len());
        for (tool, args) in wanted {
            let tier = inner.tier(actor, &origin, asked, &tool, &args).await?;
            calls.push(PlannedCall { tool, args, tier });
        }
        Ok(SayPlan { calls, question: None })
    }
}

/// The calls that a model wants, arguments parsed where they can be.
fn wanted_by(complete: &Complete) -> Vec<(String, Value)> {
    let args = |text: &str| json::parse(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    complete.calls.iter().map(|call| (call.tool.clone(), args(&call.args))).collect()
}

const fn question(text: String) -> SayPlan {
    SayPlan { calls: Vec::new(), question: Some(text) }
}

impl Inner {
    /// Tier of a call, as the gate sees it now.
    async fn tier(
        &self,
        actor: &Actor,
        origin: &Origin,
        asked: &str,
        tool: &str,
        args: &Value,
    ) -> Result<Tier, Refusal> {
        let request = Request {
            actor: actor.clone(),
            origin: Origin { words: Some(asked.to_owned()), ..origin.clone() },
            tool: tool.to_owned(),
            args: args.clone(),
            key: None,
            vouching: Vouching::Person,
        };
        match self.gate.classify(&request).await {
            Ok(prepared) => Ok(prepared.tier),
            // A plan is also wanted for what would be refused now; then the declared tier is the least it would be.
            Err(refusal) => self.gate.registry().describe(tool).map(|described| described.spec.tier).ok_or(refusal),
        }
    }

    /// Asks the model for one answer to the prompt for plans.
    async fn draft(&self, setting: &ModelSetting, asked: &str) -> Result<Complete, ProviderError> {
        let model = self.client.model(setting).await?;
        let registry = self.gate.registry();
        let tools = select(&*self.index, registry, asked, &[], &[]);
        let material =
            Material { prompts: &self.prompts, registry, asked, log: &[], past: &[], tools: &tools, plan: true };
        let request = build(&material, setting, &model);
        let request = request.map_err(|error| ProviderError::NotSent(error.to_string()))?;
        let mut answering = self.client.open(setting, &request).await?;
        let mut generation = Generation::default();
        while let Some(event) = answering.next().await? {
            if let ModelEvent::Fault(words) = &event {
                return Err(ProviderError::Broken(format!("the model server reports a fault: {words}")));
            }
            generation.take(event);
        }
        generation.complete().map_err(|_| ProviderError::Broken("the model's answer broke off; ask again".to_owned()))
    }
}
