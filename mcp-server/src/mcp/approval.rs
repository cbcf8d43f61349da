//! How an approval reaches an MCP client.
//!
//! A form in the client confirms yellow only (orange for a token that the operator made so): the client relays it and
//! could fill it in by itself, so it is a convenience and no boundary. Everything else is decided elsewhere: a client that
//! can open addresses is led to the card on the dashboard, where the operator signs in; opening it decides nothing. The
//! call becomes a task or is held for a while, then answers `approval_required`. Approving executes it; the identical call
//! fetches the outcome.

use std::time::Duration;

use jarvis_safety::approval::{Approval, ApprovalState};
use jarvis_safety::call::{Origin, Request};
use jarvis_safety::kernel::answer_of;
use jarvis_safety::outcome::Answer;
use jarvis_safety::plain::visible;
use jarvis_safety::refusal::Code;
use jarvis_safety::role::Deed;
use jarvis_safety::{Actor, ApprovalId, Refusal};
use rmcp::model::{
    CallToolResponse, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema,
    ErrorData, InputRequest, InputRequests, InputRequiredResult, InputResponses, ProgressNotificationParam,
    ProtocolVersion,
};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Value, json};

use super::Face;
use super::answer::{required, result};
use super::task::takes_tasks;

/// Key of the form in a modern answer.
pub(super) const FORM: &str = "approval";
/// Key of the address of the card in a modern answer.
const PAGE: &str = "approval_page";
/// How often a client that waits hears that it still waits.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long a call that was just approved by form is waited for.
const RUN_DEADLINE: Duration = Duration::from_secs(120);
/// Longest time that a person may leave a form open in a client of the old era.
const FORM_DEADLINE: Duration = Duration::from_secs(300);

impl Face {
    /// Shows the card as a form where that suffices, else holds the call.
    pub(super) async fn ask(
        &self,
        request: Request,
        card: Approval,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let acts = request.actor.role.may(Deed::Act);
        let shown = if form_suffices(&request.actor, &card, context) {
            Some((FORM, form(&card)?))
        } else if acts && takes_addresses(context) {
            self.page_of(&card, context).map(|page| (PAGE, page))
        } else {
            None
        };
        if let Some((key, question)) = shown {
            let modern = context.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
            if modern {
                let question = InputRequest::Elicitation(ElicitRequest::new(question));
                let questions = InputRequests::from([(key.to_owned(), question)]);
                return Ok(InputRequiredResult::new(Some(questions), Some(card.id.to_string())).into());
            }
            let answered = context.peer.create_elicitation_with_timeout(question, Some(FORM_DEADLINE)).await;
            match answered {
                Ok(filled) if key == FORM => return self.decide(&request, &card, &filled, context).await,
                Ok(opened) => return self.page_opened(request, &card, &opened, context).await,
                // A client that declares them and cannot show them leaves the card to the other faces.
                Err(_) => {}
            }
        }
        if takes_tasks(&request.actor, context) {
            // The job's call joins the card.
            return self.start_task(request, context).await;
        }
        self.hold(&card.id, context).await
    }

    /// A modern client sends the same call again, with the form filled in.
    pub(super) async fn form_came_back(
        &self,
        request: &Request,
        state: &str,
        forms: Option<&InputResponses>,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let unknown = || ErrorData::invalid_params("this requestState belongs to no open approval of this call", None);
        let id: ApprovalId = state.parse().map_err(|_| unknown())?;
        let card = self.gate.approval(&id).await.map_err(|_| unknown())?;
        // The state is only a handle: the card must be the caller's own, and of exactly this call.
        let same = match self.gate.classify(request).await {
            Ok(call) => card.steps.len() == 1 && card.steps[0].digest == call.digest,
            Err(refusal) => return self.hand(&request.actor, Answer::Refused(refusal)).await,
        };
        if card.actor.id != request.actor.id {
            return Err(unknown());
        }
        if !same {
            return result(Answer::Refused(Refusal::new(
                Code::ApprovalStale,
                "decided again at spending",
                "the form was about another call, or its target has changed since; make the call anew. Nothing was done",
            )));
        }
        let came_back = |key: &str| forms.and_then(|forms| forms.get(key)).cloned();
        if let Some(opened) = came_back(PAGE) {
            let opened = serde_json::from_value(opened).map_err(|_| {
                ErrorData::invalid_params("what became of the address came back in an unknown shape", None)
            })?;
            return self.page_opened(request.clone(), &card, &opened, context).await;
        }
        match came_back(FORM).map(serde_json::from_value::<ElicitResult>) {
            Some(Ok(filled)) if card.state == ApprovalState::Pending && request.actor.role.may(Deed::Act) => {
                self.decide(request, &card, &filled, context).await
            }
            Some(Err(_)) => Err(ErrorData::invalid_params("the form came back in an unknown shape", None)),
            _ => self.hold(&id, context).await,
        }
    }

    /// A client was asked to open the card's address. That decides nothing: whoever accepted has only agreed to look. A
    /// person who does not want to look takes the question back.
    async fn page_opened(
        &self,
        request: Request,
        card: &Approval,
        opened: &ElicitResult,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if opened.action == ElicitationAction::Decline && card.state == ApprovalState::Pending {
            let origin = Origin { face: "mcp".to_owned(), ..request.origin.clone() };
            return match self.gate.withdraw(&request.actor, &card.id, "", &origin).await {
                Ok(card) => self.hand(&request.actor, answer_of(&card)).await,
                Err(refusal) => result(Answer::Refused(refusal)),
            };
        }
        if takes_tasks(&request.actor, context) && card.state == ApprovalState::Pending {
            return self.start_task(request, context).await;
        }
        self.hold(&card.id, context).await
    }

    /// The card on the dashboard, under the address that the client itself uses. It opens to nobody but the operator.
    fn page_of(&self, card: &Approval, context: &RequestContext<RoleServer>) -> Option<ElicitRequestParams> {
        let host = || {
            let parts = context.extensions.get::<::http::request::Parts>()?;
            Some(format!("http://{}", parts.headers.get(::http::header::HOST)?.to_str().ok()?))
        };
        let base = self.public.as_deref().map(str::to_owned).or_else(host)?;
        let message = format!(
            "Jarvis asks: {}\nTier: {} · rule: {}. A person decides on the dashboard; opening the page decides nothing.",
            card.steps[0].sentence, card.tier, card.rule
        );
        let url = format!("{}/approvals/{}", base.trim_end_matches('/'), card.id);
        Some(ElicitRequestParams::UrlElicitationParams {
            meta: None,
            message,
            url,
            elicitation_id: card.id.to_string(),
        })
    }

    async fn decide(
        &self,
        request: &Request,
        card: &Approval,
        filled: &ElicitResult,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let origin = Origin { face: "mcp".to_owned(), ..request.origin.clone() };
        match self.rule(&request.actor, card, filled, &origin).await {
            // The person has decided: what is left is the run itself.
            Some(Ok(card)) => self.hold_for(&card.id, RUN_DEADLINE, context).await,
            Some(Err(refusal)) => result(Answer::Refused(refusal)),
            None => self.hold(&card.id, context).await,
        }
    }

    /// Decides by a form. One that was closed without an answer decides nothing: the card stays open for the other faces.
    pub(super) async fn rule(
        &self,
        actor: &Actor,
        card: &Approval,
        filled: &ElicitResult,
        origin: &Origin,
    ) -> Option<Result<Approval, Refusal>> {
        let said = |field: &str| filled.content.as_ref().and_then(|content| content.get(field)).and_then(Value::as_str);
        match (&filled.action, said("decision")) {
            (ElicitationAction::Accept, Some("approve")) => Some(self.gate.confirm(actor, &card.id, origin).await),
            (ElicitationAction::Accept | ElicitationAction::Decline, _) => {
                let because = said("because").unwrap_or_default();
                Some(self.gate.withdraw(actor, &card.id, because, origin).await)
            }
            _ => None,
        }
    }

    /// Waits for the decision and its outcome, for as long as the settings say, and tells that it waits.
    async fn hold(&self, id: &ApprovalId, context: &RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
        let longest = Duration::from_secs(u64::from(self.gate.settings().mcp_hold_seconds));
        self.hold_for(id, longest, context).await
    }

    async fn hold_for(
        &self,
        id: &ApprovalId,
        longest: Duration,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let token = context.meta.get_progress_token();
        let mut waited = Duration::ZERO;
        loop {
            let slice = HEARTBEAT.min(longest.saturating_sub(waited));
            let card = tokio::select! {
                card = self.gate.wait(id, slice) => card,
                // The card stays: whoever cancels a wait has not denied the call.
                () = context.ct.cancelled() => return Err(ErrorData::internal_error("the request was cancelled", None)),
            };
            waited += slice;
            match card {
                Err(refusal) => return result(Answer::Refused(refusal)),
                Ok(card) if card.state.is_final() => return self.hand(&card.actor, answer_of(&card)).await,
                Ok(card) if waited >= longest => return Ok(required(&card, waited.as_secs()).into()),
                Ok(_) => {}
            }
            if let Some(token) = token.clone() {
                let told = ProgressNotificationParam::new(token, waited.as_secs_f64())
                    .with_total(longest.as_secs_f64())
                    .with_message("waiting for a person's approval");
                // A client that does not listen any more is found out by the transport.
                let _ = context.peer.notify_progress(told).await;
            }
        }
    }
}

/// Whether a form in this client may decide a card of its own.
pub(super) fn form_suffices(actor: &Actor, card: &Approval, context: &RequestContext<RoleServer>) -> bool {
    actor.role.may(Deed::Act) && card.tier <= actor.form_reach() && takes_forms(context)
}

/// `elicitation: {}` means forms, and so does naming them.
fn takes_forms(context: &RequestContext<RoleServer>) -> bool {
    let declared = context.client_capabilities().and_then(|capabilities| capabilities.elicitation);
    declared.is_some_and(|modes| modes.form.is_some() || modes.url.is_none())
}

/// Whether the client can lead its person to an address.
fn takes_addresses(context: &RequestContext<RoleServer>) -> bool {
    context
        .client_capabilities()
        .and_then(|capabilities| capabilities.elicitation)
        .is_some_and(|modes| modes.url.is_some())
}

pub(super) fn form(card: &Approval) -> Result<ElicitRequestParams, ErrorData> {
    let step = &card.steps[0];
    let mut message = format!(
        "Jarvis asks: {}\nTier: {} · rule: {} · target: {}",
        step.sentence, card.tier, card.rule, step.target.id
    );
    for effect in &step.preview.effects {
        message.push_str("\n· ");
        message.push_str(&visible(effect));
    }
    let schema = json!({
        "type": "object",
        "properties": {
            "decision": { "type": "string", "enum": ["approve", "deny"], "description": "Approve runs it once, exactly as shown." },
            "because": { "type": "string", "maxLength": 500, "description": "A word back, if denied." }
        },
        "required": ["decision"]
    });
    let schema = schema.as_object().cloned().unwrap_or_default();
    let requested_schema = ElicitationSchema::from_json_schema(schema)
        .map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    Ok(ElicitRequestParams::FormElicitationParams { meta: None, message, requested_schema })
}
