//! Grants: standing permissions that the operator gives, and what they would have allowed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::approval::{Approval, ApprovalState, Step, StepState};
use crate::call::Vouching;
use crate::id::{ActorId, ApprovalId, GrantId};
use crate::kernel::{Compiled, Console, Described, Inner, POLICY};
use crate::refusal::{Refusal, store_refusal};
use crate::target::Target;
use crate::tier::Tier;

/// Most calls that one grant lets through.
pub const MOST_CALLS: u32 = 1000;

/// Longest that a grant lives, in minutes: 30 days.
pub const MOST_MINUTES: u32 = 30 * 24 * 60;

/// Cards that a trial looks through.
const LOOKED: u32 = 500;

/// What an argument must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Wanted {
    /// A text that fits a pattern with `*` and `?`.
    Like {
        /// The pattern.
        like: String,
    },
    /// Exactly this value.
    Is(Value),
}

/// Which calls run without being asked. What is left out fits everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Name of the tool; `*` and `?` are patterns.
    pub tool: String,
    /// Name of the target; `*` and `?` are patterns. Another thing may come to bear the same name.
    #[serde(default)]
    pub target: Option<String>,
    /// Id of the target, which is its own.
    #[serde(default)]
    pub target_id: Option<String>,
    /// Whoever calls.
    #[serde(default)]
    pub actor: Option<ActorId>,
    /// Canonical arguments, by name.
    #[serde(default)]
    pub when: BTreeMap<String, Wanted>,
    /// No argument beyond those may be given: a later version of a tool may take more.
    #[serde(default)]
    pub only: bool,
}

impl Terms {
    /// Exactly this call of this actor, on exactly this target.
    #[must_use]
    pub fn exactly(card: &Approval, step: &Step) -> Self {
        let args = step.args.as_object().into_iter().flatten();
        let Target { id, name, .. } = &step.target;
        // A name in which a letter would be a pattern could mean others too.
        let by_name = step.target.changes_its_id() && !name.contains(['*', '?']);
        Self {
            tool: step.tool.clone(),
            target: by_name.then(|| name.clone()),
            target_id: (!by_name).then(|| id.clone()),
            actor: Some(card.actor.id.clone()),
            when: args.map(|(name, value)| (name.clone(), Wanted::Is(value.clone()))).collect(),
            only: true,
        }
    }
}

impl Terms {
    /// Whether every value of such a call, its tool and its target are the operator's own words, or what is usual: then
    /// nothing is left that somebody else could have chosen.
    #[must_use]
    pub fn spells_out(&self, args: &Value, tool: Option<&Described>) -> bool {
        let plain = |text: &String| !text.contains(['*', '?']);
        let said = |name: &String| matches!(self.when.get(name), Some(Wanted::Is(_)));
        let usual =
            |name: &str, value: &Value| tool.is_some_and(|tool| tool.input["properties"][name]["default"] == *value);
        plain(&self.tool)
            && (self.target_id.is_some() || self.target.as_ref().is_some_and(plain))
            && args
                .as_object()
                .is_none_or(|args| args.iter().all(|(name, value)| value.is_null() || said(name) || usual(name, value)))
    }
}

/// A standing permission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Id.
    pub id: GrantId,
    /// Which calls.
    pub terms: Terms,
    /// Most calls that it lets through.
    pub most: u32,
    /// Calls that it has let through.
    pub used: u32,
    /// When it was given.
    pub created_at: i64,
    /// When it ends.
    pub expires_at: i64,
    /// Who gave it.
    pub by: ActorId,
    /// When it was taken back.
    pub revoked_at: Option<i64>,
}

impl Grant {
    /// Whether it may still let a call through.
    #[must_use]
    pub const fn is_live(&self, now: i64) -> bool {
        self.revoked_at.is_none() && now < self.expires_at && self.used < self.most
    }
}

/// A question of the past that a grant would have answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spared {
    /// The card.
    pub approval: ApprovalId,
    /// When it was asked.
    pub at: i64,
    /// What was asked.
    pub sentence: String,
    /// Tier of the call.
    pub tier: Tier,
    /// Whether a person said yes; nothing if nobody decided.
    pub approved: Option<bool>,
}

/// What a grant would have done to the newest cards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trial {
    /// Cards that were looked through.
    pub looked: usize,
    /// Their calls that it would have answered, newest first.
    pub spared: Vec<Spared>,
}

impl Console {
    /// Which calls of the newest cards a grant would have answered. A plan of nothing else would not have been asked.
    ///
    /// # Errors
    /// If the terms can let nothing through, or the store cannot be read.
    pub async fn try_grant(&self, terms: &Terms) -> Result<Trial, Refusal> {
        let compiled = self.inner().grantable(terms)?;
        let cards = self.inner().ledger.approvals(&[], LOOKED).await.map_err(|error| store_refusal(&error))?;
        let mut trial = Trial { looked: cards.len(), spared: Vec::new() };
        for card in &cards {
            let approved = match card.state {
                ApprovalState::Pending | ApprovalState::Expired => None,
                state => Some(state != ApprovalState::Denied),
            };
            let spared = card.steps.iter().filter(|step| {
                let carried = !card.vouching.by_clients_model()
                    || terms.spells_out(&step.args, self.inner().registry.describe(&step.tool).as_deref());
                let fits = || compiled.fits(&step.tool, &step.args, &step.target, &card.actor.id);
                carried && card.leaves_to_grants(step) && fits()
            });
            trial.spared.extend(spared.map(|step| Spared {
                approval: card.id.clone(),
                at: card.created_at,
                sentence: step.sentence.clone(),
                tier: step.tier,
                approved: if step.state == StepState::Denied { Some(false) } else { approved },
            }));
        }
        Ok(trial)
    }
}

impl Approval {
    /// Whether a grant could have spared this question: it is about one call, which is not red, was not chosen by
    /// untrusted text, and is not asked by a rule of the policy.
    #[must_use]
    pub fn is_grantable(&self) -> bool {
        matches!(self.steps.as_slice(), [step] if self.leaves_to_grants(step))
    }

    fn leaves_to_grants(&self, step: &Step) -> bool {
        matches!(step.tier, Tier::Yellow | Tier::Orange)
            && self.vouching != Vouching::Unvouched
            && !step.rule.starts_with(POLICY)
    }
}

impl Inner {
    /// Compiles terms, if a grant with them could let anything through.
    pub(crate) fn grantable(&self, terms: &Terms) -> Result<Compiled, Refusal> {
        let compiled = Compiled::new(terms.clone())
            .map_err(|pattern| Refusal::invalid(format!("`{pattern}` is no pattern; use letters, `*` and `?`")))?;
        let mut tools = self.registry.described().filter(|tool| compiled.tool.is_match(tool.spec.name)).peekable();
        if tools.peek().is_none() {
            let said = format!("no tool is called `{}`; `jarvis tools` lists them. Nothing was granted", terms.tool);
            return Err(Refusal::invalid(said));
        }
        let mut tools = tools.filter(|tool| tool.spec.tier < Tier::Red).peekable();
        if tools.peek().is_none() {
            let said = format!("`{}` is red, and red is asked every time. Nothing was granted", terms.tool);
            return Err(Refusal::invalid(said));
        }
        let tools: Vec<_> = tools.collect();
        if let Some(name) = tools.iter().flat_map(|tool| tool.spec.secrets).find(|name| terms.when.contains_key(**name))
        {
            let said =
                format!("`{name}` is a secret, and a grant is kept and shown; leave it out. Nothing was granted");
            return Err(Refusal::invalid(said));
        }
        let known = |name: &&String| tools.iter().any(|tool| !tool.input["properties"][name.as_str()].is_null());
        match terms.when.keys().find(|name| !known(name)) {
            Some(name) => Err(Refusal::invalid(format!("`{}` takes no `{name}`. Nothing was granted", terms.tool))),
            None => Ok(compiled),
        }
    }
}
