//! Calls: outcomes, refusals within a turn, records, previews.

use jarvis_client::wire::{CallAnswer, Preview, TargetInfo};
use jarvis_safety::approval::Approval;
use jarvis_safety::call::CallRecord;
use jarvis_safety::kernel::{Prepared, Verdict};
use jarvis_safety::outcome::Outcome;
use jarvis_safety::plain::{visible, visible_block};
use jarvis_safety::{Refusal, Target, tool};
use serde_json::Value;

/// A target. Its id is shown as it is; its name may be anything that somebody chose.
#[must_use]
pub fn target(target: &Target) -> TargetInfo {
    TargetInfo { kind: target.kind.clone(), id: target.id.clone(), name: visible(&target.name) }
}

/// An answer about which nothing is known yet but its tool, tier and state.
#[must_use]
pub fn bare(tool: &str, tier: &str, state: &str) -> CallAnswer {
    CallAnswer {
        call: None,
        tool: tool.to_owned(),
        tier: tier.to_owned(),
        state: state.to_owned(),
        target: None,
        output: Value::Null,
        words: String::new(),
        error: None,
        untrusted: false,
        undoable: false,
        millis: 0,
        approval: None,
        expires_at: None,
        rule: String::new(),
    }
}

/// A call that ran.
#[must_use]
pub fn outcome(outcome: &Outcome) -> CallAnswer {
    CallAnswer {
        call: Some(outcome.call.to_string()),
        target: Some(target(&outcome.target)),
        output: outcome.output.clone(),
        words: outcome.words.clone(),
        error: outcome.error.as_ref().map(|error| error.kind.as_str().to_owned()),
        untrusted: outcome.untrusted,
        undoable: outcome.undoable,
        millis: outcome.millis,
        rule: outcome.rule.clone(),
        ..bare(&outcome.tool, outcome.tier.as_str(), outcome.state.as_str())
    }
}

/// A call that was refused, where an answer and not a problem is wanted: within a turn or a plan.
#[must_use]
pub fn refused(tool: &str, tier: &str, refusal: &Refusal) -> CallAnswer {
    CallAnswer {
        words: refusal.message.clone(),
        error: Some(refusal.code.as_str().to_owned()),
        rule: refusal.rule.clone(),
        ..bare(tool, tier, "refused")
    }
}

/// A call that waits for a person.
#[must_use]
pub fn waiting(card: &Approval) -> CallAnswer {
    let first = card.steps.first();
    CallAnswer {
        call: first.map(|step| step.call.to_string()),
        target: first.map(|step| target(&step.target)),
        words: first.map(|step| step.sentence.clone()).unwrap_or_default(),
        approval: Some(card.id.to_string()),
        expires_at: Some(card.expires_at),
        rule: card.rule.clone(),
        ..bare(first.map_or("", |step| &step.tool), card.tier.as_str(), "waiting")
    }
}

/// What is kept of a call.
#[must_use]
pub fn record(record: &CallRecord) -> CallAnswer {
    let approval = record.approval.as_ref().map(|(id, _)| id.to_string());
    let Some(known) = &record.outcome else {
        return CallAnswer {
            call: Some(record.id.to_string()),
            target: Some(target(&record.target)),
            approval,
            rule: record.rule.clone(),
            ..bare(&record.tool, record.tier.as_str(), record.state.as_str())
        };
    };
    let undoable = known.undoable && record.undone_by.is_none();
    CallAnswer { approval, undoable, ..outcome(known) }
}

/// What would happen.
#[must_use]
pub fn preview(call: &Prepared, shown: &tool::Preview) -> Preview {
    let (verdict, rule) = match &call.verdict {
        Verdict::Run { rule, .. } => ("run", rule),
        Verdict::Ask { rule } => ("ask", rule),
        Verdict::Refuse(refusal) => ("refuse", &refusal.rule),
    };
    let base = Preview {
        tool: call.tool().to_owned(),
        args: call.shown_args(),
        target: target(&call.target),
        tier: call.tier.as_str().to_owned(),
        verdict: verdict.to_owned(),
        rule: rule.clone(),
        sentence: call.sentence.clone(),
        effects: Vec::new(),
        diff: None,
        undo: None,
        untrusted: None,
        digest: call.digest.to_string(),
    };
    with_details(base, shown)
}

/// Adds what a person should see before deciding.
#[must_use]
pub fn with_details(base: Preview, shown: &tool::Preview) -> Preview {
    Preview {
        effects: shown.effects.iter().map(|line| visible(line)).collect(),
        diff: shown.diff.as_deref().map(visible_block),
        undo: shown.undo.as_deref().map(visible),
        untrusted: shown.untrusted.as_deref().map(visible_block),
        ..base
    }
}
