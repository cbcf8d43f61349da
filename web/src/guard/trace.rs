//! The outermost layer: a correlation id for every request, a span, a measurement, and the end of every fault.
//!
//! A panic in a handler becomes a 500 without details; the log line under the same correlation has them.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use http::{HeaderValue, StatusCode};
use jarvis_safety::event::{Draft, EventKind};
use tracing::Instrument as _;

use super::{record, strike};
use crate::problem::{Fault, Record};
use crate::web::Web;

/// Name of the response header that carries the correlation id.
pub const CORRELATION_HEADER: &str = "x-correlation-id";

/// Follows a request through answer, log and audit: 32 hexadecimal digits, made here and never taken from outside.
#[derive(Debug, Clone)]
pub struct Correlation(pub String);

/// The layer.
pub async fn layer(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let correlation = format!("{:032x}", web.ids.next());
    request.extensions_mut().insert(Correlation(correlation.clone()));
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("http", %correlation, %method, route);
    let begun = Instant::now();
    let run = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone());
    let mut response = match run.await {
        Ok(response) => response,
        Err(panic) => span.in_scope(|| panicked(&*panic)),
    };
    if let Some(fault) = response.extensions_mut().remove::<Fault>() {
        let concluded = conclude(&web, &fault, &correlation).instrument(span).await;
        response = strike::clean(&web.redactor, concluded).await;
    }
    web.metrics.answered(&method, &route, response.status(), begun.elapsed());
    if let Ok(value) = HeaderValue::from_str(&correlation) {
        response.headers_mut().insert(CORRELATION_HEADER, value);
    }
    response
}

fn panicked(panic: &(dyn Any + Send)) -> Response {
    let message = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    tracing::error!(message, "a handler panicked");
    Fault::door(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "a defect in Jarvis stopped this request; look for the correlation id in the log, and in the history for what was \
         done",
    )
    .into_response()
}

async fn conclude(web: &Web, fault: &Fault, correlation: &str) -> Response {
    tracing::info!(code = fault.code(), status = fault.status().as_u16(), "refused");
    let Some(Record { kind, actor, subject, tool }) = &fault.said().record else { return fault.render(correlation) };
    if actor.is_none() && !web.nameless.admit(web.clock.now()) {
        return fault.render(correlation);
    }
    let actor = actor.clone().unwrap_or_else(record::nobody);
    let summary = if *kind == EventKind::CallRefused {
        format!("refused {subject}: {}", fault.detail())
    } else {
        format!("{subject}: {}", fault.detail())
    };
    let row = Draft {
        tool: tool.map(|(name, _)| name.to_owned()),
        tier: tool.map(|(_, tier)| tier),
        ..record::row(*kind, actor, subject, correlation, &summary)
    };
    if let Err(error) = web.ledger.append(row, web.gate.settings().audit_reads).await {
        tracing::error!(%error, "a refusal at the door could not be recorded");
    }
    fault.render(correlation)
}
