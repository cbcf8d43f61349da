//! Answers of the gate as MCP results.
//!
//! Only an unknown tool is an error of the protocol: everything else is for the model to read.

use jarvis_safety::Refusal;
use jarvis_safety::approval::Approval;
use jarvis_safety::call::CallState;
use jarvis_safety::outcome::{Answer, Outcome};
use jarvis_safety::refusal::Code;
use rmcp::model::{CallToolResponse, CallToolResult, ContentBlock, ErrorData, MetaObject};
use serde_json::{Value, json};

/// An answer as a result.
pub(super) fn result(answer: Answer) -> Result<CallToolResponse, ErrorData> {
    match answer {
        Answer::Ran(outcome) => Ok(ran(&outcome).into()),
        Answer::Refused(refusal) if refusal.code == Code::UnknownTool => {
            Err(ErrorData::invalid_params(refusal.message, None))
        }
        Answer::Refused(refusal) => Ok(refused(&refusal).into()),
        Answer::Waiting(card) => Ok(required(&card, 0).into()),
    }
}

fn ran(outcome: &Outcome) -> CallToolResult {
    let meta = json!({
        "jarvis/call": outcome.call,
        "jarvis/tier": outcome.tier,
        "jarvis/state": outcome.state,
        "jarvis/undoable": outcome.undoable,
        "jarvis/untrusted": outcome.untrusted,
    });
    let mut result = if outcome.state == CallState::Done {
        let text = vec![ContentBlock::text(outcome.words.clone()), ContentBlock::text(outcome.output.to_string())];
        let mut result = CallToolResult::success(text);
        result.structured_content = Some(outcome.output.clone()).filter(|output| !output.is_null());
        result.is_error = Some(false);
        result
    } else {
        let code = outcome.error.as_ref().map_or(outcome.state.as_str(), |error| error.kind.as_str());
        failure(code, &outcome.words, json!({ "state": outcome.state }))
    };
    result.meta = meta.as_object().cloned().map(MetaObject);
    result
}

/// A refusal that the model reads.
pub(super) fn refused(refusal: &Refusal) -> CallToolResult {
    failure(refusal.code.as_str(), &refusal.message, json!({ "rule": refusal.rule }))
}

/// An error that the model reads: a sentence, and the same as data.
fn failure(code: &str, sentence: &str, more: Value) -> CallToolResult {
    let mut data = json!({ "code": code, "message": sentence });
    if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
        data.extend(more);
    }
    CallToolResult::error(vec![ContentBlock::text(sentence.to_owned()), ContentBlock::text(data.to_string())])
}

/// The answer to a call that still waits for a person.
pub(super) fn required(card: &Approval, waited: u64) -> CallToolResult {
    let step = &card.steps[0];
    let sentence = format!(
        "This needs a person's approval and was not done yet: {} A person decides on the dashboard, or with `jarvis \
         approve {}`. Approving executes it; make the identical call afterwards to get the outcome.",
        step.sentence, card.id
    );
    let expires = (card.expires_at - card.created_at) / 1000;
    failure(
        "approval_required",
        &sentence,
        json!({
            "approval_id": card.id,
            "state": card.state,
            "tier": card.tier,
            "rule": card.rule,
            "expires_at": card.expires_at,
            "expires_in_seconds_from_asking": expires,
            "waited_seconds": waited,
        }),
    )
}
