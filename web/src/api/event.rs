//! History: rows of the audit, newest first.

use std::str::FromStr;

use axum::Json;
use axum::extract::State;
use jarvis_client::wire::{EventInfo, EventPage};
use jarvis_safety::ActorId;
use jarvis_safety::event::EventKind;
use jarvis_safety::port::EventFilter;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::auth::Asker;
use crate::guard::locate::{Asked, At};
use crate::problem::{Answered, Fault, quote};
use crate::view;
use crate::web::Web;

/// Longest actor or subject that is looked for, in characters.
const MAX_NAME: usize = 1_000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Only rows before this sequence; the newest without it.
    #[param(format = "uint64")]
    before: Option<u64>,
    /// 1 to 500.
    #[serde(default = "fifty")]
    #[param(minimum = 1, maximum = 500)]
    limit: u32,
    /// Only these kinds, with commas between them: `call.done,call.failed`.
    #[serde(default)]
    kind: String,
    /// Only of this actor.
    #[param(max_length = 1000)]
    actor: Option<String>,
    /// Only about this call, approval, turn …
    #[param(max_length = 1000)]
    subject: Option<String>,
}

const fn fifty() -> u32 {
    50
}

/// A page of history. A token sees what it did and what concerns it.
#[utoipa::path(get, path = "/api/history", tag = "events", params(Which), responses((status = 200, body = EventPage)))]
pub(super) async fn history(
    State(web): State<Web>,
    Asker(caller): Asker,
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
        actor: named("actor", which.actor)?.map(ActorId::new),
        subject: named("subject", which.subject)?,
    };
    let rows = web.feed.before(before, &filter, which.limit).await?;
    let full = rows.len() >= which.limit as usize;
    let next = rows.last().map(|row| row.seq).filter(|seq| full && *seq > 1);
    Ok(Json(EventPage { events: rows.iter().map(view::event::event).collect(), next }))
}

fn kinds(list: &str) -> Answered<Vec<EventKind>> {
    let mut kinds = Vec::new();
    for word in list.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let kind = EventKind::from_word(word).ok_or_else(|| {
            Fault::invalid(format!("there is no kind of event {}; one looks like `call.done`", quote(word)))
        })?;
        // Each stands in the store's question once, however often it was named.
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    Ok(kinds)
}

/// What a filter compares with; an empty one is none.
fn named(field: &str, value: Option<String>) -> Answered<Option<String>> {
    let value = value.filter(|value| !value.is_empty());
    if value.as_ref().is_some_and(|value| value.chars().count() > MAX_NAME) {
        return Err(Fault::invalid(format!("{field} has at most {MAX_NAME} characters")));
    }
    Ok(value)
}

/// The place of a row, as it stands in a path.
#[derive(Debug)]
pub(super) struct Sequence(u64);

impl FromStr for Sequence {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse()
            .map(Self)
            .map_err(|_| format!("{} is not the sequence of an event; it is a number from 1", quote(text)))
    }
}

/// One row with its body: arguments, output, text. The body is null once erased.
#[utoipa::path(get, path = "/api/events/{seq}", tag = "events", params(("seq" = u64, Path, description = "Sequence")),
    responses((status = 200, body = EventInfo)))]
pub(super) async fn get_event(
    State(web): State<Web>,
    Asker(caller): Asker,
    At(Sequence(seq)): At<Sequence>,
) -> Answered<Json<EventInfo>> {
    let found = if seq > web.feed.head() { None } else { web.feed.event(seq).await? };
    let own = caller.actor.id.clone();
    let (event, body) = found
        .filter(|(event, _)| caller.sees_all() || event.owner == own || event.actor == own)
        .ok_or_else(|| Fault::not_found(format!("there is no event {seq} of yours")))?;
    Ok(Json(EventInfo { body, ..view::event::event(&event) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_counts_once_and_one_that_does_not_exist_is_named_without_what_it_hides() {
        let named = kinds("call.done, call.failed,call.done,,").unwrap();
        assert_eq!(named, [EventKind::CallDone, EventKind::CallFailed]);
        let fault = kinds("call.done,\u{1b}[31mcall.dnoe").unwrap_err();
        assert!(fault.detail().contains(r"`\u{1b}[31mcall.dnoe`"), "{}", fault.detail());
        assert!(kinds(&"x".repeat(10_000)).unwrap_err().detail().len() < 200);
    }

    #[test]
    fn a_filter_is_bounded_and_an_empty_one_is_none() {
        assert_eq!(named("actor", Some(String::new())).unwrap(), None);
        assert_eq!(named("actor", Some("operator".to_owned())).unwrap().as_deref(), Some("operator"));
        let fault = named("subject", Some("x".repeat(1_001))).unwrap_err();
        assert!(fault.detail().starts_with("subject has at most 1000"));
    }
}
