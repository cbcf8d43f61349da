//! Approval cards.

use jarvis_client::wire::{ApprovalInfo, CallAnswer, Preview, StepInfo};
use jarvis_safety::ActorId;
use jarvis_safety::approval::{Approval, Step};
use jarvis_safety::plain::visible_block;

use super::call;

/// A card as it stands.
#[must_use]
pub fn card(card: &Approval) -> ApprovalInfo {
    ApprovalInfo {
        id: card.id.to_string(),
        state: card.state.as_str().to_owned(),
        tier: card.tier.as_str().to_owned(),
        rule: card.rule.clone(),
        actor: card.actor.id.to_string(),
        actor_name: card.actor.name.clone(),
        face: card.origin.face.clone(),
        words: card.origin.words.as_deref().map(visible_block),
        vouching: card.vouching.as_str().to_owned(),
        unvouched: card.origin.unvouched.clone(),
        conversation: card.origin.conversation.as_ref().map(ToString::to_string),
        digest: card.digest.to_string(),
        steps: card.steps.iter().map(|each| step(card, each)).collect(),
        grantable: card.is_grantable(),
        proposes_grant: card.proposes_grant,
        created_at: card.created_at,
        expires_at: card.expires_at,
        decided_at: card.decided_at,
        decided_by: card.decided_by.as_ref().map(ActorId::to_string),
        because: card.because.clone(),
    }
}

/// What came of each step that ran.
#[must_use]
pub fn answers(card: &Approval) -> Vec<CallAnswer> {
    card.steps.iter().filter_map(|step| answer(card, step)).collect()
}

fn step(card: &Approval, step: &Step) -> StepInfo {
    let shown = Preview {
        tool: step.tool.clone(),
        args: step.args.clone(),
        target: call::target(&step.target),
        tier: step.tier.as_str().to_owned(),
        verdict: "ask".to_owned(),
        rule: step.rule.clone(),
        sentence: step.sentence.clone(),
        effects: Vec::new(),
        diff: None,
        undo: None,
        untrusted: None,
        digest: step.digest.to_string(),
    };
    StepInfo {
        state: step.state.as_str().to_owned(),
        preview: call::with_details(shown, &step.preview),
        answer: answer(card, step),
    }
}

fn answer(card: &Approval, step: &Step) -> Option<CallAnswer> {
    let outcome = step.outcome.as_ref()?;
    Some(CallAnswer { approval: Some(card.id.to_string()), ..call::outcome(outcome) })
}
