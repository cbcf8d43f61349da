//! One `tools/call`: from the request to the gate, and back.

use std::time::Duration;

use jarvis_safety::call::{Origin, Request, Vouching};
use jarvis_safety::kernel::Watch;
use jarvis_safety::outcome::Answer;
use jarvis_safety::tool::{Progress, Trust};
use jarvis_safety::{Actor, CallId, Refusal};
use rmcp::model::{CallToolRequestParams, CallToolResponse, ErrorData, ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RequestContext, RoleServer};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::answer::result;
use super::straight::KEY;
use super::strict::Unread;
use super::task::takes_tasks;
use super::{Face, stage};

/// How long the last word on a call's progress may take to go out.
const LAST_WORD: Duration = Duration::from_secs(1);

impl Face {
    pub(super) async fn call(
        &self,
        actor: Actor,
        params: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if self.stages(&params.name) {
            return self.stage(actor, params, &context).await;
        }
        let request = match self.request(actor.clone(), &params, &context).await {
            Ok(request) => request,
            Err(refusal) => return result(Answer::Refused(refusal)),
        };
        if let Some(state) = &params.request_state {
            return self.form_came_back(&request, state, params.input_responses.as_ref(), &context).await;
        }
        if takes_tasks(&actor, &context) && self.takes_long(&request.tool) {
            return self.start_task(request, &context).await;
        }
        let watch = Watch { cancel: context.ct.child_token(), ..Watch::default() };
        let teller = self.teller(&actor, &request.tool, &context, &watch).await;
        let answer = self.gate.call_watched(request.clone(), watch).await;
        heard_out(teller).await;
        self.remember(&actor, &answer).await?;
        match answer {
            Answer::Waiting(card) => self.ask(request, *card, &context).await,
            answer => self.shown(answer),
        }
    }

    /// Tells the audit of a message that was not read: it never becomes a call.
    pub(super) async fn tell_unread(&self, actor: &Actor, unread: &Unread) {
        let request = Request {
            actor: actor.clone(),
            origin: self.origin(),
            tool: "tools/call".to_owned(),
            args: Value::Null,
            key: None,
            vouching: Vouching::Model,
        };
        self.gate.refuse(&request, Refusal::invalid(unread.message.clone())).await;
    }

    /// Tells the client how far the call is, if it wants to know and may hear it.
    pub(super) async fn teller(
        &self,
        actor: &Actor,
        tool: &str,
        context: &RequestContext<RoleServer>,
        watch: &Watch,
    ) -> Option<JoinHandle<()>> {
        let token = context.meta.get_progress_token()?;
        if !self.may_tell(actor, tool).await {
            return None;
        }
        Some(tokio::spawn(tell_progress(context.peer.clone(), token, watch.progress.subscribe())))
    }

    async fn request(
        &self,
        actor: Actor,
        params: &CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<Request, Refusal> {
        let key = context.meta.get(KEY).and_then(Value::as_str).map(str::to_owned);
        let args = params.arguments.clone().map_or(Value::Null, Value::Object);
        self.asking(actor, params.name.to_string(), args, key).await
    }

    /// What a client of MCP asks of the gate.
    pub(super) async fn asking(
        &self,
        actor: Actor,
        tool: String,
        args: Value,
        key: Option<String>,
    ) -> Result<Request, Refusal> {
        let origin = self.origin();
        let matters = self.gate.registry().describe(&tool).is_some_and(|tool| tool.spec.changes_or_goes_out());
        let vouching = match matters.then(|| self.heard.chooser(&actor)) {
            Some(chooser) => chooser.await?,
            None => Vouching::Model,
        };
        Ok(Request { actor, origin, tool, args, key, vouching })
    }

    /// Where something comes from that a client of MCP does.
    pub(super) fn origin(&self) -> Origin {
        let correlation = CallId::new(self.ids.next()).to_string();
        Origin { face: "mcp".to_owned(), correlation, ..Origin::default() }
    }

    /// Hands an answer to a client.
    pub(super) async fn hand(&self, actor: &Actor, answer: Answer) -> Result<CallToolResponse, ErrorData> {
        self.remember(actor, &answer).await?;
        self.shown(answer)
    }

    /// An answer, in the way of its tool.
    pub(super) fn shown(&self, answer: Answer) -> Result<CallToolResponse, ErrorData> {
        match &answer {
            Answer::Ran(outcome) if self.stages(&outcome.tool) => stage::shown(answer),
            _ => result(answer),
        }
    }

    /// Whether what a tool tells on its way may be told: it holds names that strangers chose, or more, so it must be
    /// remembered first that the client has heard it.
    pub(super) async fn may_tell(&self, actor: &Actor, tool: &str) -> bool {
        let trusted = self.gate.registry().describe(tool).is_some_and(|tool| tool.spec.trust == Trust::Trusted);
        trusted || self.heard.hears(actor).await.is_ok()
    }

    /// Remembers if a client's model is about to hear strangers. If that cannot be kept, nothing may be handed over.
    pub(super) async fn remember(&self, actor: &Actor, answer: &Answer) -> Result<(), ErrorData> {
        if self.gate.registry().quotes_strangers(answer) && self.heard.hears(actor).await.is_err() {
            let said = match answer {
                Answer::Ran(outcome) => format!("the call {} ended as {}", outcome.call, outcome.state.as_str()),
                _ => "nothing was done".to_owned(),
            };
            let why = "the store is away, and what strangers may have written is not handed over unrecorded";
            return Err(ErrorData::internal_error(
                format!("{said}; {why}. Do not repeat it: ask again in a moment"),
                None,
            ));
        }
        Ok(())
    }
}

/// Lets what was told last go out before the answer. The call has ended, so there is nothing after it.
pub(super) async fn heard_out(tellers: impl IntoIterator<Item = JoinHandle<()>>) {
    for mut teller in tellers {
        if tokio::time::timeout(LAST_WORD, &mut teller).await.is_err() {
            teller.abort();
        }
    }
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
