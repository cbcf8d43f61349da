//! Who may decide a card.

use crate::actor::{Actor, ActorKind};
use crate::approval::Approval;
use crate::refusal::{Code, Refusal};
use crate::tier::Tier;

/// Proof that an actor may decide approvals, and up to which tier. The approver is never the agent: a model has no way
/// to come by one.
pub(super) struct Approver {
    pub(super) actor: Actor,
    reach: Tier,
    own_only: bool,
}

impl Approver {
    /// The operator, or a token that was made to decide.
    ///
    /// # Errors
    /// Everyone else may not.
    pub(super) fn of(actor: &Actor) -> Result<Self, Refusal> {
        if !actor.may_approve() {
            return Err(Refusal::new(
                Code::Forbidden,
                "the approver is never the agent",
                format!(
                    "{} may ask but not decide; decide on the dashboard, or with `jarvis approve` and the operator's \
                     password",
                    actor.name
                ),
            ));
        }
        Ok(Self { actor: actor.clone(), reach: actor.ceiling, own_only: false })
    }

    /// A form that an MCP client showed to its person. The client could have filled it in itself, so it reaches no
    /// further than the operator allowed this client: yellow, or orange. Never red, and only the client's own cards.
    pub(super) fn form(actor: &Actor) -> Self {
        Self { actor: actor.clone(), reach: actor.form_reach(), own_only: true }
    }

    /// Whoever asked, or the operator, may take a question back, whatever it is: nothing comes of a no.
    pub(super) fn of_question(actor: &Actor) -> Self {
        Self { actor: actor.clone(), reach: Tier::Red, own_only: actor.kind != ActorKind::Operator }
    }

    /// Whether this card is within its reach.
    pub(super) fn may_decide(&self, approval: &Approval) -> Result<(), Refusal> {
        let own = approval.actor.id == self.actor.id;
        let refused = if approval.tier > self.reach {
            Some(format!("this card is {} and {} may approve {} at most", approval.tier, self.actor.name, self.reach))
        } else if self.own_only && !own {
            Some("only what it asked for itself may be decided here".to_owned())
        } else if own && !self.own_only && self.actor.kind == ActorKind::Token {
            Some("a token cannot approve what it asked for itself".to_owned())
        } else if !own && !approval.steps.iter().all(|step| self.actor.reach.names(&step.target)) {
            Some(format!("not all of this is among the targets of {}", self.actor.name))
        } else {
            None
        };
        refused.map_or(Ok(()), |why| {
            Err(Refusal::new(
                Code::Forbidden,
                "who may approve",
                format!("{why}; decide it on the dashboard, or with `jarvis approve` and the operator's password"),
            ))
        })
    }
}
