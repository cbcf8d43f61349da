//! One `tools/call`: from the request to the gate, and back.

use jarvis_safety::call::{CallState, Origin, Request, Vouching};
use jarvis_safety::kernel::Watch;
use jarvis_safety::outcome::{Answer, Outcome};
use jarvis_safety::refusal::Code;
use jarvis_safety::tool::Progress;
use jarvis_safety::{Actor, CallId, Refusal};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, MetaObject,
    ProgressNotificationParam, ProgressToken,
};
use rmcp::service::{Peer, RequestContext, RoleServer};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::Face;

/// Key in `_meta` under which a client names its call, so that a retry is not a repetition.
const KEY: &str = "jarvis/idempotency-key";

impl Face {
    pub(super) async fn call(
        &self,
        actor: Actor,
        params: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let request = self.request(actor, &params, &context);
        if let Some(state) = &params.request_state {
            return self.form_came_back(&request, state, params.input_responses.as_ref(), &context).await;
        }
        let watch = Watch { cancel: context.ct.child_token(), ..Watch::default() };
        let token = context.meta.get_progress_token();
        let heard = watch.progress.subscribe();
        let teller = token.map(|token| tokio::spawn(tell_progress(context.peer.clone(), token, heard)));
        let answer = self.gate.call_watched(request.clone(), watch).await;
        if let Some(teller) = teller {
            teller.abort();
        }
        match answer {
            Answer::Waiting(card) => self.ask(&request, *card, &context).await,
            answer => result(answer),
        }
    }

    fn request(&self, actor: Actor, params: &CallToolRequestParams, context: &RequestContext<RoleServer>) -> Request {
        let key = context.meta.get(KEY).and_then(Value::as_str).map(str::to_owned);
        Request {
            actor,
            origin: Origin {
                face: "mcp".to_owned(),
                correlation: CallId::new(self.ids.next()).to_string(),
                ..Origin::default()
            },
            tool: params.name.to_string(),
            args: params.arguments.clone().map_or(Value::Null, Value::Object),
            key,
            vouching: Vouching::Client,
        }
    }
}

/// An answer that is final, as a result. Only an unknown tool is an error of the protocol: everything else is for the
/// model to read.
pub(super) fn result(answer: Answer) -> Result<CallToolResponse, ErrorData> {
    match answer {
        Answer::Ran(outcome) => Ok(ran(&outcome).into()),
        Answer::Refused(refusal) if refusal.code == Code::UnknownTool => {
            Err(ErrorData::invalid_params(refusal.message, None))
        }
        Answer::Refused(refusal) => Ok(refused(&refusal).into()),
        Answer::Waiting(card) => Ok(super::approval::required(&card, 0).into()),
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

fn refused(refusal: &Refusal) -> CallToolResult {
    failure(refusal.code.as_str(), &refusal.message, json!({ "rule": refusal.rule }))
}

/// An error that the model reads: a sentence, and the same as data.
pub(super) fn failure(code: &str, sentence: &str, more: Value) -> CallToolResult {
    let mut data = json!({ "code": code, "message": sentence });
    if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
        data.extend(more);
    }
    CallToolResult::error(vec![ContentBlock::text(sentence.to_owned()), ContentBlock::text(data.to_string())])
}

async fn tell_progress(peer: Peer<RoleServer>, token: ProgressToken, mut heard: watch::Receiver<Option<Progress>>) {
    while heard.changed().await.is_ok() {
        let Some(latest) = heard.borrow_and_update().clone() else { continue };
        let mut told = ProgressNotificationParam::new(token.clone(), latest.done).with_message(latest.text);
        told.total = latest.total;
        if peer.notify_progress(told).await.is_err() {
            return;
        }
    }
}
