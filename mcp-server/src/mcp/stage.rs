//! Tools whose output is content of the protocol, or a question to the client: the fixtures of the conformance suite.
//!
//! A mark in the schema of a tool's output says so (`mark.rs`); no tool of a default start has one. Each round is a call of
//! its own through the gate: the tool answers what it wants to know, the face asks the client in the way of its era, and
//! calls again with the answers. It may go on as a task, and ask whoever holds that
//! while it runs (`inquiry.rs`). Sampling, roots and log messages are deprecated, and are spoken here alone.
#![expect(deprecated, reason = "the suite still asks for sampling, roots and log messages")]

use std::time::Duration;

use jarvis_safety::call::CallState;
use jarvis_safety::digest::Digest;
use jarvis_safety::job::JobRecord;
use jarvis_safety::kernel::Watch;
use jarvis_safety::outcome::{Answer, Outcome};
use jarvis_safety::tool::Progress;
use jarvis_safety::{Actor, CallId};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ErrorCode, ErrorData, InputRequest,
    InputRequests, InputRequiredResult, LoggingLevel, LoggingMessageNotificationParam, ProtocolVersion, SealOptions,
};
use rmcp::service::{Peer, RequestContext, RoleServer};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::Face;
use super::call::heard_out;
use super::mark::{Mark, Staging, Tasked};
use super::task::takes_tasks;

/// Argument that holds what the client answered.
const ROUND: &str = "round";
/// Most rounds of one call with a client of the old era.
const MOST_ROUNDS: usize = 5;
/// Code of a scene that breaks on purpose, so that it is told from a fault of our own.
const BROKEN: ErrorCode = ErrorCode(-32_000);
/// How long the state of a round may be away.
const STATE_TTL: Duration = Duration::from_secs(600);

/// What a tool wants to know.
struct Wanted {
    requests: Map<String, Value>,
    state: Option<Value>,
    fitting: bool,
}

impl Wanted {
    fn of(output: &Value) -> Option<Self> {
        let ask = output.get("ask")?;
        Some(Self {
            requests: ask.get("requests")?.as_object()?.clone(),
            state: ask.get("state").filter(|state| !state.is_null()).cloned(),
            fitting: ask.get("fitting") == Some(&Value::Bool(true)),
        })
    }

    /// Leaves what the client can answer; an error where it must answer something else.
    fn within(mut self, context: &RequestContext<RoleServer>) -> Result<Self, ErrorData> {
        if self.fitting {
            self.requests.retain(|_, request| fits(request, context).is_ok());
        }
        self.requests.values().try_for_each(|request| fits(request, context))?;
        Ok(self)
    }
}

/// Whether the client declared that it can answer a request; else the error that says what it would have to declare.
pub(super) fn fits(request: &Value, context: &RequestContext<RoleServer>) -> Result<(), ErrorData> {
    let declared = context.client_capabilities().unwrap_or_default();
    let mut needed = ClientCapabilities::default();
    let there = match request.get("method").and_then(Value::as_str) {
        Some("sampling/createMessage") => {
            needed.sampling = Some(rmcp::model::SamplingCapability::default());
            declared.sampling.is_some()
        }
        Some("roots/list") => {
            needed.roots = Some(rmcp::model::RootsCapabilities::default());
            declared.roots.is_some()
        }
        _ => {
            needed.elicitation = Some(rmcp::model::ElicitationCapability::default());
            declared.elicitation.is_some()
        }
    };
    if there { Ok(()) } else { Err(ErrorData::missing_required_client_capability(needed)) }
}

impl Face {
    /// Whether a tool is shown in a way of its own.
    pub(super) fn stages(&self, tool: &str) -> bool {
        self.marks.contains_key(tool)
    }

    /// Under which the call of a job asks its client while it runs.
    pub(super) fn handle<'a>(&self, job: &'a JobRecord) -> Option<&'a str> {
        let tool = job.payload.get("tool")?.as_str()?;
        let handle = job.payload.pointer("/args/round/handle")?.as_str()?;
        self.stages(tool).then_some(handle)
    }

    /// Calls such a tool, round by round.
    pub(super) async fn stage(
        &self,
        actor: Actor,
        params: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let modern = context.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
        let mark = self.marks.get(&*params.name).copied();
        let staging = mark.map(|mark| mark.staging);
        let as_task = as_task(mark, &actor, context)?;
        let mut args = params.arguments.clone().unwrap_or_default();
        if args.remove(ROUND).is_some() {
            return Err(ErrorData::invalid_params(format!("`{ROUND}` is filled in by the server"), None));
        }
        let bound = bound(&actor, &params.name, &args);
        let mut round = self.opened(&params, &bound)?;
        let answered = params.input_responses.as_ref().is_some_and(|answers| !answers.is_empty());
        if as_task && (answered || staging != Some(Staging::Exchange)) {
            let round = match staging {
                Some(Staging::Inquiry) => Some(json!({ "handle": CallId::new(self.ids.next()) })),
                Some(Staging::Exchange) => round,
                _ => None,
            };
            args.extend(round.map(|round| (ROUND.to_owned(), round)));
            return match self.asking(actor, params.name.to_string(), Value::Object(args), None).await {
                Ok(request) => self.start_task(request, context).await,
                Err(refusal) => super::answer::result(Answer::Refused(refusal)),
            };
        }
        for _ in 0..MOST_ROUNDS {
            let mut args = args.clone();
            if let Some(round) = round.take().filter(|_| staging == Some(Staging::Exchange)) {
                args.insert(ROUND.to_owned(), round);
            }
            let answer = self.one_round(&actor, &params, args, context).await;
            self.remember(&actor, &answer).await?;
            let wanted = match &answer {
                Answer::Ran(outcome) if outcome.state == CallState::Done => Wanted::of(&outcome.output),
                _ => None,
            };
            let Some(wanted) = wanted else { return shown(answer) };
            let wanted = wanted.within(context)?;
            if modern {
                return self.asked(wanted, &bound);
            }
            round = Some(answers(wanted, &context.peer).await?);
        }
        Err(ErrorData::internal_error("the tool does not stop asking", None))
    }

    async fn one_round(
        &self,
        actor: &Actor,
        params: &CallToolRequestParams,
        args: Map<String, Value>,
        context: &RequestContext<RoleServer>,
    ) -> Answer {
        let request = match self.asking(actor.clone(), params.name.to_string(), Value::Object(args), None).await {
            Ok(request) => request,
            Err(refusal) => return Answer::Refused(refusal),
        };
        let watch = Watch { cancel: context.ct.child_token(), ..Watch::default() };
        let progress = self.teller(actor, &params.name, context, &watch).await;
        let logs = params.name.contains("logging") && self.wants_logs(context);
        let logs = logs.then(|| tokio::spawn(tell_log(context.peer.clone(), watch.progress.subscribe())));
        let answer = self.gate.call_watched(request, watch).await;
        heard_out(progress.into_iter().chain(logs)).await;
        answer
    }

    /// Whether the client wants to hear what is told at the level of information.
    fn wants_logs(&self, context: &RequestContext<RoleServer>) -> bool {
        let modern = context.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
        let level = if modern { context.meta.log_level() } else { self.session.level() };
        level.is_some_and(|level| matches!(level, LoggingLevel::Debug | LoggingLevel::Info))
    }

    /// The answers that a modern client sent along, beside the state that was handed to it.
    fn opened(&self, params: &CallToolRequestParams, bound: &[u8]) -> Result<Option<Value>, ErrorData> {
        let state: Option<Value> = match &params.request_state {
            None => None,
            Some(sealed) => Some(self.seal.open_json_with(sealed, bound).map_err(|_| {
                let said = "this requestState was changed, is too old, or belongs to another call; make the call anew";
                ErrorData::invalid_params(said, None)
            })?),
        };
        let answers = params.input_responses.as_ref();
        Ok((state.is_some() || answers.is_some())
            .then(|| json!({ "answers": answers.cloned().unwrap_or_default(), "state": state })))
    }

    /// The question as a modern client is asked.
    fn asked(&self, wanted: Wanted, bound: &[u8]) -> Result<CallToolResponse, ErrorData> {
        let requests = requests(wanted.requests)?;
        let options = SealOptions::new().associated_data(bound).ttl(STATE_TTL);
        let state = wanted.state.map(|state| self.seal.seal_json_with(&state, &options)).transpose();
        let state = state.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        Ok(InputRequiredResult::new(Some(requests), state).into())
    }
}

/// Whether a call goes on as a task; an error where it could not go on otherwise.
fn as_task(mark: Option<Mark>, actor: &Actor, context: &RequestContext<RoleServer>) -> Result<bool, ErrorData> {
    let takes = takes_tasks(actor, context);
    match mark.map(|mark| mark.tasked) {
        Some(Tasked::Only) if !takes => {
            let needed = ClientCapabilities::builder().enable_tasks().build();
            Err(ErrorData::missing_required_client_capability(needed))
        }
        Some(Tasked::Only | Tasked::Offered) => Ok(takes),
        Some(Tasked::Never) | None => Ok(false),
    }
}

/// Requests of MCP as a client is asked them.
pub(super) fn requests(of: Map<String, Value>) -> Result<InputRequests, ErrorData> {
    let read = |(key, request)| Ok((key, serde_json::from_value::<InputRequest>(request)?));
    let read: serde_json::Result<_> = of.into_iter().map(read).collect();
    read.map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

/// What a state is bound to: who calls what with which arguments.
fn bound(actor: &Actor, tool: &str, args: &Map<String, Value>) -> Vec<u8> {
    let bound = json!({ "actor": actor.id, "tool": tool, "args": args });
    Digest::of(bound.to_string().as_bytes()).to_string().into_bytes()
}

/// Asks a client of the old era, one thing after the other.
async fn answers(wanted: Wanted, peer: &Peer<RoleServer>) -> Result<Value, ErrorData> {
    let unanswered =
        |error: &dyn std::fmt::Display| ErrorData::internal_error(format!("the client did not answer: {error}"), None);
    let mut answers = Map::new();
    for (key, request) in wanted.requests {
        let request: InputRequest =
            serde_json::from_value(request).map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        let answer = match request {
            InputRequest::Elicitation(form) => {
                serde_json::to_value(peer.create_elicitation(form.params).await.map_err(|error| unanswered(&error))?)
            }
            InputRequest::CreateMessage(question) => {
                serde_json::to_value(peer.create_message(question.params).await.map_err(|error| unanswered(&error))?)
            }
            InputRequest::ListRoots(_) => {
                serde_json::to_value(peer.list_roots().await.map_err(|error| unanswered(&error))?)
            }
            _ => Ok(Value::Null),
        };
        answers.insert(key, answer.map_err(|error| ErrorData::internal_error(error.to_string(), None))?);
    }
    Ok(json!({ "answers": answers, "state": wanted.state }))
}

/// Content, as it is; everything else like any answer.
pub(super) fn shown(answer: Answer) -> Result<CallToolResponse, ErrorData> {
    let content = match &answer {
        Answer::Ran(outcome) if outcome.state == CallState::Done => content(outcome)?,
        _ => return super::answer::result(answer),
    };
    Ok(content.into())
}

fn content(outcome: &Outcome) -> Result<CallToolResult, ErrorData> {
    if let Some(why) = outcome.output.get("broken").and_then(Value::as_str) {
        return Err(ErrorData::new(BROKEN, why.to_owned(), None));
    }
    let blocks = outcome.output.get("content").cloned().unwrap_or_default();
    let blocks = serde_json::from_value(blocks).map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    let mut result = CallToolResult::success(blocks);
    result.is_error = Some(false);
    Ok(result)
}

/// Sends what a tool tells as log messages.
async fn tell_log(peer: Peer<RoleServer>, mut heard: watch::Receiver<Option<Progress>>) {
    while heard.changed().await.is_ok() {
        let Some(latest) = heard.borrow_and_update().clone() else { continue };
        let told = LoggingMessageNotificationParam::new(LoggingLevel::Info, latest.text.into()).with_logger("jarvis");
        if peer.notify_logging_message(told).await.is_err() {
            return;
        }
    }
}
