//! Every error that leaves the door, as `application/problem+json` (RFC 9457).
//!
//! A [`Fault`] is what a handler answers. It is written out by the [trace](crate::guard::trace) layer, because only that
//! knows the correlation id, and because a fault that belongs in the audit is recorded there before it is answered.
//!
//! Which status a refusal has:
//!
//! | status | codes |
//! |---|---|
//! | 400 | `invalid_arguments` |
//! | 401 | `unauthenticated` |
//! | 403 | `above_ceiling` `outside_targets` `autonomy_level` `policy` `policy_unreadable` `stopped` `no_approver` `forbidden` `denied` |
//! | 404 | `unknown_tool` `unknown_target` `unknown_approval` `not_found` |
//! | 409 | `already_decided` `approval_expired` `approval_stale` `key_reused` `not_undoable` |
//! | 429 | `rate_limited` |
//! | 503 | `unavailable` `store_unavailable` |
//!
//! Everything that the rules forbid is 403, the kill switch too: asking again in a while does not help, a person must
//! act. The door adds `too_large` (413), `unsupported_media_type` (415), `method_not_allowed` (405), `misdirected` (421)
//! and `internal` (500).

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use jarvis_client::wire::Problem;
use jarvis_safety::event::EventKind;
use jarvis_safety::kernel::Described;
use jarvis_safety::plain::{shorten, visible, visible_block};
use jarvis_safety::port::StoreError;
use jarvis_safety::refusal::Code;
use jarvis_safety::{ActorId, Refusal, Tier};

/// Longest sentence of a problem, in characters.
const MAX_DETAIL: usize = 2_000;

/// Media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// An answer that says no. Boxed, because it is the rare end of every result.
#[derive(Debug, Clone)]
pub struct Fault(Box<Said>);

/// What a fault says.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) detail: String,
    pub(crate) rule: Option<String>,
    pub(crate) retry_after: Option<u64>,
    /// Where the resource describes itself that nobody unknown is let in to.
    pub(crate) resource: Option<String>,
    pub(crate) record: Option<Record>,
}

/// That a fault is to stand in the audit, and as what.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) kind: EventKind,
    /// `None` when nobody knows who it was; such rows are limited in number.
    pub(crate) actor: Option<ActorId>,
    pub(crate) subject: String,
    /// The tool that was meant and its declared tier, where the request could be read so far.
    pub(crate) tool: Option<(&'static str, Tier)>,
}

/// Text of a request as an answer may repeat it: with everything in it to be seen, and not much of it.
pub(crate) fn quote(text: &str) -> String {
    format!("`{}`", shorten(&visible(text), 60))
}

/// Result of a handler.
pub type Answered<T> = Result<T, Fault>;

impl Fault {
    /// A fault of the door itself, which no rule of the gate stands behind.
    ///
    /// Whatever the sentence repeats of a request reaches terminals and pages from here, so nothing in it stays hidden.
    #[must_use]
    pub fn door(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let detail = shorten(&visible_block(&detail.into()), MAX_DETAIL);
        Self(Box::new(Said { status, code, detail, rule: None, retry_after: None, resource: None, record: None }))
    }

    pub(crate) fn said(&self) -> &Said {
        &self.0
    }

    /// What was sent makes no sense.
    #[must_use]
    pub fn invalid(detail: impl Into<String>) -> Self {
        Refusal::invalid(detail).into()
    }

    /// What was asked for is not there, or not the caller's: nobody learns which.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Refusal::new(Code::NotFound, "not found", detail).into()
    }

    /// The same fault, with a time after which it makes sense to ask again.
    #[must_use]
    pub fn after(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// The same fault, with the place where the resource describes itself: said to whoever is not known.
    #[must_use]
    pub(crate) fn of_resource(mut self, metadata: String) -> Self {
        self.0.resource = Some(metadata);
        self
    }

    /// The same fault, to be recorded as the act of an actor before it is answered.
    #[must_use]
    pub fn recorded(mut self, kind: EventKind, actor: Option<&ActorId>, subject: impl Into<String>) -> Self {
        self.0.record = Some(Record { kind, actor: actor.cloned(), subject: subject.into(), tool: None });
        self
    }

    /// The same fault, whose row also says which tool was meant.
    #[must_use]
    pub(crate) fn about(mut self, tool: Option<&Described>) -> Self {
        if let Some(record) = &mut self.0.record {
            record.tool = tool.map(|tool| (tool.spec.name, tool.spec.tier));
        }
        self
    }

    /// Status, for tests and logs.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Stable code, for tests and logs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The sentence.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// How to come in (RFC 6750, RFC 9728).
    fn challenge(&self) -> HeaderValue {
        let plain = HeaderValue::from_static("Bearer realm=\"jarvis\"");
        let Some(metadata) = &self.0.resource else { return plain };
        let challenge = format!("Bearer realm=\"jarvis\", resource_metadata=\"{metadata}\"");
        HeaderValue::from_str(&challenge).unwrap_or(plain)
    }

    /// Writes the fault out.
    #[must_use]
    pub(crate) fn render(&self, correlation: &str) -> Response {
        let problem = Problem {
            code: self.0.code.to_owned(),
            status: self.0.status.as_u16(),
            detail: self.0.detail.clone(),
            rule: self.0.rule.clone(),
            correlation: correlation.to_owned(),
        };
        // Serialising strings and a number cannot fail; an empty body would still carry the status.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (self.0.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if self.0.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, self.challenge());
        }
        if let Some(seconds) = self.0.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The status that a refusal's code has on the wire.
#[must_use]
pub const fn status_of(code: Code) -> StatusCode {
    match code {
        Code::InvalidArguments => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::AboveCeiling
        | Code::OutsideTargets
        | Code::AutonomyLevel
        | Code::Policy
        | Code::PolicyUnreadable
        | Code::Stopped
        | Code::NoApprover
        | Code::Forbidden
        | Code::Denied => StatusCode::FORBIDDEN,
        Code::UnknownTool | Code::UnknownTarget | Code::UnknownApproval | Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyDecided | Code::ApprovalExpired | Code::ApprovalStale | Code::KeyReused | Code::NotUndoable => {
            StatusCode::CONFLICT
        }
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable | Code::StoreUnavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        let mut fault = Self::door(status_of(refusal.code), refusal.code.as_str(), refusal.message);
        fault.0.rule = Some(refusal.rule);
        fault
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::NotFound(_) => Code::NotFound,
            StoreError::Conflict(_) => Code::AlreadyDecided,
            StoreError::Unavailable(_) | StoreError::Unknown(_) => Code::StoreUnavailable,
        };
        Refusal::new(code, "store", error.to_string()).into()
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_fault_repeats_cannot_steer_a_terminal_and_is_bounded() {
        let fault = Fault::invalid(format!("\u{1b}[2J{}", "x".repeat(5_000)));
        assert!(fault.detail().starts_with(r"\u{1b}[2J"), "{}", fault.detail());
        assert_eq!(fault.detail().chars().count(), MAX_DETAIL + 1);
        assert_eq!(quote("a\u{202e}b"), r"`a\u{202e}b`");
        assert_eq!(quote(&"x".repeat(61)).chars().count(), 63);
    }
}
