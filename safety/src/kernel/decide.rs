//! The decision, as a pure function of facts.

use crate::actor::Actor;
use crate::autonomy::Level;
use crate::bar::Bar;
use crate::call::Vouching;
use crate::id::GrantId;
use crate::kill::KillSwitch;
use crate::refusal::{Code, Refusal};
use crate::tier::{Effects, Tier};

use super::policy::Tightening;

/// What a call has in its favour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing yet.
    Fresh,
    /// A person approved exactly this call.
    Approved,
    /// A person approved a plan that holds exactly this call.
    InPlan,
}

/// Everything that the decision depends on.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The higher of the declared tier and the tier of this call.
    pub tier: Tier,
    /// Declared effects.
    pub effects: Effects,
    /// Autonomy level for this tool and target.
    pub level: Level,
    /// Who asks.
    pub actor: &'a Actor,
    /// The kill switch.
    pub kill: KillSwitch,
    /// The strictest fitting rule of the policy; `Err` when the policy cannot be read.
    pub policy: Result<Option<Tightening>, ()>,
    /// Who chose the call.
    pub vouching: Vouching,
    /// Calls of this actor, tool and target within the last 10 minutes.
    pub repeats: u64,
    /// Whether a configured identity could approve this tier.
    pub approvable: bool,
    /// A grant that fits it and may still let it through.
    pub grant: Option<GrantId>,
    /// What it has in its favour.
    pub standing: Standing,
}

/// The decision and the rule behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Run it.
    Run {
        /// Because of this rule.
        rule: String,
        /// The grant without which a person would be asked.
        grant: Option<GrantId>,
    },
    /// Ask a person.
    Ask {
        /// Because of this rule.
        rule: String,
    },
    /// No.
    Refuse(Refusal),
}

impl Verdict {
    /// The grant that it runs by, if it does.
    #[must_use]
    pub const fn grant(&self) -> Option<&GrantId> {
        match self {
            Self::Run { grant, .. } => grant.as_ref(),
            _ => None,
        }
    }

    fn run(rule: impl Into<String>) -> Self {
        Self::Run { rule: rule.into(), grant: None }
    }
}

/// Where the rules of the policy stand, and how the rules that it adds begin.
pub const POLICY: &str = "policy.toml";

/// How many calls of one tool on one target within 10 minutes run without asking.
pub const UNASKED_REPEATS: u64 = 2;

/// Decides. Refusals come first, then what must be asked, and only what is left may run.
#[must_use]
pub fn decide(facts: &Facts<'_>) -> Verdict {
    if let Some(refusal) = refusal(facts) {
        return Verdict::Refuse(refusal);
    }
    let Some(rule) = question(facts) else {
        return Verdict::run(running_rule(facts));
    };
    if facts.standing != Standing::Fresh {
        return Verdict::run(if facts.standing == Standing::InPlan { "approved in a plan" } else { "approved once" });
    }
    if let Some(grant) = facts.grant.clone().filter(|_| is_grantable(facts)) {
        return Verdict::Run { rule: format!("granted by {grant}"), grant: Some(grant) };
    }
    if !facts.approvable {
        return Verdict::Refuse(Refusal::new(
            Code::NoApprover,
            rule,
            format!(
                "this is {} and must be approved, but nobody can approve yet; set the operator's password first (the \
                 link that the start printed, or `jarvis operator reset`)",
                facts.tier
            ),
        ));
    }
    Verdict::Ask { rule }
}

/// What is refused whatever the target is: nothing is even looked at for such a call.
pub(super) fn refused_outright(tier: Tier, actor: &Actor, kill: KillSwitch) -> Option<Refusal> {
    if kill == KillSwitch::All || (kill == KillSwitch::Effects && tier > Tier::Green) {
        return Some(Bar::Stopped.refusal());
    }
    (tier > actor.ceiling).then(|| {
        Refusal::new(
            Code::AboveCeiling,
            "ceiling",
            format!(
                "this call is {tier} and {} may ask for {} at most; use an identity with a higher ceiling",
                actor.name, actor.ceiling
            ),
        )
    })
}

/// Refuses what only the policy could allow.
pub(super) fn unreadable(so: &str) -> Refusal {
    let said = format!("{POLICY} cannot be read, so {so}; `jarvis doctor` names the fault");
    Refusal::new(Code::PolicyUnreadable, POLICY, said)
}

fn refusal(facts: &Facts<'_>) -> Option<Refusal> {
    if let Some(refusal) = refused_outright(facts.tier, facts.actor, facts.kill) {
        return Some(refusal);
    }
    let above_green = facts.tier > Tier::Green;
    match &facts.policy {
        Err(()) if above_green => return Some(unreadable("everything above green is refused")),
        Ok(Some(Tightening::Refuse { rule, because })) => {
            return Some(Refusal::new(Code::Policy, format!("{POLICY}: {rule}"), because.clone()));
        }
        _ => {}
    }
    if facts.level == Level::Observe && above_green {
        return Some(Refusal::new(
            Code::AutonomyLevel,
            "autonomy level 0",
            format!("this call is {} and the autonomy level here is 0 (observe); raise it in the settings", facts.tier),
        ));
    }
    None
}

/// The hard line of grants: never red, never what untrusted text chose, and nothing that a rule of the policy asks.
fn is_grantable(facts: &Facts<'_>) -> bool {
    matches!(facts.tier, Tier::Yellow | Tier::Orange)
        && facts.vouching != Vouching::Unvouched
        && facts.policy == Ok(None)
}

/// The first rule that wants a person's yes, if any does.
fn question(facts: &Facts<'_>) -> Option<String> {
    if let Ok(Some(Tightening::Ask { rule })) = &facts.policy {
        return Some(format!("{POLICY}: {rule}"));
    }
    match facts.tier {
        Tier::Green if facts.effects.network && facts.vouching.after_strangers() => {
            Some("untrusted text in sight: outbound network asks".to_owned())
        }
        Tier::Green => None,
        Tier::Yellow => yellow_question(facts),
        Tier::Orange => Some("orange asks".to_owned()),
        Tier::Red => Some("red always asks".to_owned()),
    }
}

fn yellow_question(facts: &Facts<'_>) -> Option<String> {
    let asks = match facts.level {
        Level::Observe | Level::Suggest => true,
        Level::OnRequest => facts.vouching != Vouching::Person,
        Level::ActAndReport | Level::ActWithinPlan => false,
    };
    if asks {
        return Some(format!("autonomy level {} asks", u8::from(facts.level)));
    }
    if facts.vouching.after_strangers() {
        return Some("untrusted text in sight: yellow asks like orange".to_owned());
    }
    (facts.repeats >= UNASKED_REPEATS).then(|| format!("call {} on this target within 10 minutes", facts.repeats + 1))
}

fn running_rule(facts: &Facts<'_>) -> String {
    match facts.tier {
        Tier::Green => "green runs".to_owned(),
        tier => format!("{tier} runs at autonomy level {}", u8::from(facts.level)),
    }
}
