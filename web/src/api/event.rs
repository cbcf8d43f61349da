//! History: rows of the audit, newest first.

use axum::Json;
use axum::extract::State;
use jarvis_client::wire::{EventInfo, EventPage};
use jarvis_safety::ActorId;
use jarvis_safety::event::EventKind;
use jarvis_safety::port::EventFilter;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::auth::Caller;
use crate::guard::locate::{Asked, At};
use crate::problem::{Answered, Fault};
use crate::view;
use crate::web::Web;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Only rows before this sequence; the newest without it.
    before: Option<u64>,
    /// 1 to 500.
    #[serde(default = "fifty")]
    limit: u32,
    /// Only these kinds, with commas between them: `call.done,call.failed`.
    #[serde(default)]
    kind: String,
    /// Only of this actor.
    actor: Option<String>,
    /// Only about this call, approval, turn …
    subject: Option<String>,
}

const fn fifty() -> u32 {
    50
}

/// A page of history. A token sees what it did and what concerns it.
#[utoipa::path(get, path = "/api/history", tag = "events", params(Which), responses((status = 200, body = EventPage)))]
pub(super) async fn history(
    State(web): State<Web>,
    caller: Caller,
    Asked(which): Asked<Which>,
) -> Answered<Json<EventPage>> {
    if !(1..=500).contains(&which.limit) {
        return Err(Fault::invalid(format!("limit is {}; use 1 to 500", which.limit)));
    }
    let after_newest = web.feed.head().saturating_add(1);
    let before = which.before.unwrap_or(after_newest).min(after_newest);
    let filter = EventFilter {
        audience: (!caller.sees_all()).then(|| caller.actor.id.clone()),
        kinds: kinds(&which.kind)?,
        actor: which.actor.filter(|actor| !actor.is_empty()).map(ActorId::new),
        subject: which.subject.filter(|subject| !subject.is_empty()),
    };
    let rows = web.feed.before(before, &filter, which.limit).await?;
    let full = rows.len() >= which.limit as usize;
    let next = rows.last().map(|row| row.seq).filter(|seq| full && *seq > 1);
    Ok(Json(EventPage { events: rows.iter().map(view::event::event).collect(), next }))
}

fn kinds(list: &str) -> Answered<Vec<EventKind>> {
    let words = list.split(',').map(str::trim).filter(|word| !word.is_empty());
    words
        .map(|word| {
            EventKind::from_word(word).ok_or_else(|| {
                Fault::invalid(format!("there is no kind of event `{word}`; one looks like `call.done`"))
            })
        })
        .collect()
}

/// One row with its body: arguments, output, text. The body is null once erased.
#[utoipa::path(get, path = "/api/events/{seq}", tag = "events", params(("seq" = u64, Path, description = "Sequence")),
    responses((status = 200, body = EventInfo)))]
pub(super) async fn get_event(State(web): State<Web>, caller: Caller, At(seq): At<u64>) -> Answered<Json<EventInfo>> {
    let found = if seq > web.feed.head() { None } else { web.feed.event(seq).await? };
    let own = caller.actor.id.clone();
    let (event, body) = found
        .filter(|(event, _)| caller.sees_all() || event.owner == own || event.actor == own)
        .ok_or_else(|| Fault::not_found(format!("there is no event {seq} of yours")))?;
    Ok(Json(EventInfo { body, ..view::event::event(&event) }))
}
