//! What the audit says of calls and cards: one place that words every row of the gate.

use serde_json::{Value, json};

use crate::actor::Actor;
use crate::approval::Approval;
use crate::call::{CallRecord, CallState, Origin, Request};
use crate::digest::Digest;
use crate::event::{Draft, EventKind};
use crate::grant::Grant;
use crate::id::ActorId;
use crate::kernel::Prepared;
use crate::outcome::Outcome;
use crate::plain::{shorten, visible};
use crate::refusal::Refusal;

/// Largest output that is kept in a body; of a larger one only the words are.
const KEPT_OUTPUT: usize = 16 * 1024;

/// A row about something that an actor did.
pub(crate) fn row(kind: EventKind, actor: &Actor, subject: &str, origin: &Origin, summary: &str) -> Draft {
    Draft {
        kind,
        actor: actor.id.clone(),
        owner: actor.id.clone(),
        subject: subject.to_owned(),
        correlation: origin.correlation.clone(),
        tool: None,
        tier: None,
        summary: visible(summary),
        body: None,
    }
}

/// The gate said no.
pub(crate) fn refused(request: &Request, call: Option<&Prepared>, refusal: &Refusal) -> Draft {
    let name = visible(&request.tool);
    let target = call.map_or("", |call| call.target.name.as_str());
    let said = format!("refused {name}: {}", refusal.message);
    Draft {
        tool: Some(name),
        tier: call.map(|call| call.tier),
        body: Some(json!({
            "args": call.map_or(Value::Null, Prepared::shown_args),
            "code": refusal.code,
            "rule": refusal.rule,
        })),
        ..row(EventKind::CallRefused, &request.actor, target, &request.origin, &said)
    }
}

/// A call above green is about to run.
pub(crate) fn intent(request: &Request, call: &Prepared, record: &CallRecord, policy: &Digest) -> Draft {
    Draft {
        tool: Some(record.tool.clone()),
        tier: Some(call.tier),
        body: Some(json!({
            "args": record.args, "target": call.target, "digest": call.digest, "rule": record.rule,
            "approval": record.approval, "grant": record.grant, "policy": policy,
        })),
        ..row(EventKind::CallIntent, &request.actor, record.id.as_str(), &request.origin, &call.sentence)
    }
}

/// Somebody looked at what a call would do.
pub(crate) fn previewed(request: &Request, call: &Prepared) -> Draft {
    Draft {
        tool: Some(call.tool().to_owned()),
        tier: Some(call.tier),
        body: Some(json!({ "args": call.shown_args(), "target": call.target })),
        ..row(EventKind::CallPreviewed, &request.actor, &call.target.name, &request.origin, &call.sentence)
    }
}

/// What came of a call.
pub(crate) fn outcome(actor: &Actor, origin: &Origin, args: Value, outcome: &Outcome, kind: EventKind) -> Draft {
    // Summaries outlive the erasing of bodies: what strangers wrote is not in them.
    let first = if outcome.untrusted && outcome.error.is_none() {
        outcome.state.as_str().to_owned()
    } else {
        shorten(outcome.words.lines().next().unwrap_or_default(), 200)
    };
    let told = format!("{} {}: {first}", outcome.tool, outcome.target.name);
    let small = crate::json::size(&outcome.output) <= KEPT_OUTPUT;
    Draft {
        tool: Some(outcome.tool.clone()),
        tier: Some(outcome.tier),
        body: Some(json!({
            "args": args,
            "target": outcome.target,
            "rule": outcome.rule,
            "state": outcome.state,
            "words": shorten(&outcome.words, 4000),
            "output": if small { outcome.output.clone() } else { Value::Null },
            "error": outcome.error,
            "face": origin.face,
            "undoable": outcome.undoable,
            "millis": outcome.millis,
        })),
        ..row(kind, actor, outcome.call.as_str(), origin, &told)
    }
}

/// The kind of row for the state in which an effect ended.
pub(crate) const fn settled(state: CallState) -> EventKind {
    match state {
        CallState::Done => EventKind::CallDone,
        CallState::Failed => EventKind::CallFailed,
        CallState::Cancelled => EventKind::CallCancelled,
        CallState::Unknown | CallState::Running => EventKind::CallUnknown,
    }
}

/// Something happened to a card. Its owner is whoever asked.
pub(crate) fn card(kind: EventKind, by: &ActorId, card: &Approval, summary: &str) -> Draft {
    // Whoever was refused need not be one who may see it.
    let told = card.steps.iter().filter(|_| kind != EventKind::ApprovalRefused);
    let steps: Vec<_> = told
        .map(|step| json!({ "tool": step.tool, "args": step.args, "target": step.target, "digest": step.digest }))
        .collect();
    Draft {
        actor: by.clone(),
        tool: Some(card.steps[0].tool.clone()),
        tier: Some(card.tier),
        body: Some(json!({ "digest": card.digest, "rule": card.rule, "steps": steps })),
        ..row(kind, &card.actor, card.id.as_str(), &card.origin, summary)
    }
}

/// The operator gave a grant.
pub(crate) fn granted(by: &Actor, grant: &Grant, origin: &Origin) -> Draft {
    let said = format!("granted: {} calls of {}", grant.most, grant.terms.tool);
    Draft {
        body: Some(json!({ "terms": grant.terms, "most": grant.most, "until": grant.expires_at })),
        ..row(EventKind::GrantGiven, by, grant.id.as_str(), origin, &said)
    }
}
