//! Secrets: kept, changed and removed by the operator alone. No answer holds a value.

use std::borrow::Cow;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use jarvis_client::wire::{ImportBody, ImportReport, SecretBody, SecretInfo, SecretList, SkippedInfo};
use jarvis_safety::event::EventKind;
use jarvis_safety::port::StoreError;
use jarvis_safety::secret::{Secret, SecretChange, SecretName, SecretRecord, Use, dotenv, value_fault};

use crate::auth::{Caller, Face, Operator};
use crate::guard::body::Sent;
use crate::guard::locate::At;
use crate::problem::{Answered, Fault};
use crate::view;
use crate::web::Web;

/// Longest note, in characters.
const NOTE: usize = 200;
/// Most tools and targets that may get one secret.
const USES: usize = 20;
/// Longest pattern, in bytes.
const PATTERN: usize = 200;
/// Longest file that is imported, in bytes.
const FILE: usize = 256 * 1024;

/// All secrets, without their values.
#[utoipa::path(get, path = "/api/secrets", tag = "secrets", responses((status = 200, body = SecretList)))]
pub(super) async fn list_secrets(State(web): State<Web>, _: Operator) -> Json<SecretList> {
    Json(SecretList {
        secrets: web.secrets.secrets().iter().map(view::secret::secret).collect(),
        key: web.secrets.key_words(),
        fault: web.secrets.vault_fault(),
    })
}

/// Keeps a secret, or changes what is given of one. The value is sealed, and struck out of everything that is shown, kept,
/// logged or sent to a model from now on.
#[utoipa::path(put, path = "/api/secrets/{name}", tag = "secrets", request_body = SecretBody,
    params(("name" = String, Path, description = "1 to 64 of A-Z a-z 0-9 _ . -")),
    responses((status = 200, body = SecretInfo)))]
pub(super) async fn keep_secret(
    State(web): State<Web>,
    Operator(caller): Operator,
    face: Face,
    At(name): At<SecretName>,
    Sent(body): Sent<SecretBody>,
) -> Answered<Json<SecretInfo>> {
    let change = change(body).and_then(|change| told_apart(&web, &name, change));
    let change = change.map_err(|why| Fault::invalid(format!("{why}. Nothing was kept")))?;
    if change.value.is_none() && !web.secrets.secrets().iter().any(|known| known.name == name) {
        return Err(Fault::not_found(format!(
            "there is no secret {name}, and a new one needs a value. Nothing was kept"
        )));
    }
    let record = keep(&web, &caller, &face, &name, change).await?;
    Ok(Json(view::secret::secret(&record)))
}

/// Takes a secret out of use. What refers to it gets it no more; its value is struck out for 30 days longer.
#[utoipa::path(delete, path = "/api/secrets/{name}", tag = "secrets",
    params(("name" = String, Path, description = "Name of the secret")),
    responses((status = 204, description = "Removed")))]
pub(super) async fn remove_secret(
    State(web): State<Web>,
    Operator(caller): Operator,
    face: Face,
    At(name): At<SecretName>,
) -> Answered<StatusCode> {
    let row = face.row(EventKind::SecretRemoved, &caller.actor, name.as_str(), &format!("secret {name} removed"));
    if web.secrets.remove_secret(&name, row).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(StoreError::NotFound(format!("secret {name}")).into())
}

/// Keeps the variables of a `.env` file as secrets of their names. Each is kept or skipped on its own; nothing is expanded.
#[utoipa::path(post, path = "/api/secrets/import", tag = "secrets", request_body = ImportBody,
    responses((status = 200, body = ImportReport)))]
pub(super) async fn import_secrets(
    State(web): State<Web>,
    Operator(caller): Operator,
    face: Face,
    Sent(body): Sent<ImportBody>,
) -> Answered<Json<ImportReport>> {
    if body.text.len() > FILE {
        return Err(Fault::invalid(format!("the file has {} bytes; at most {FILE} are taken", body.text.len())));
    }
    if let Some(fault) = web.secrets.vault_fault() {
        return Err(StoreError::Unavailable(format!("the vault is closed: {fault}; nothing was kept")).into());
    }
    let mut report = ImportReport { kept: Vec::new(), skipped: Vec::new() };
    for dotenv::Line { number, name, value } in dotenv::parse(&body.text) {
        match import(&web, &caller, &face, &name, value, body.replace).await {
            Ok(name) => report.kept.push(name.to_string()),
            Err(why) => {
                let name = name.parse::<SecretName>().map(|name| name.to_string()).unwrap_or_default();
                report.skipped.push(SkippedInfo { line: number as u64, name, why });
            }
        }
    }
    Ok(Json(report))
}

async fn import(
    web: &Web,
    caller: &Caller,
    face: &Face,
    name: &str,
    value: Result<Secret, &'static str>,
    replace: bool,
) -> Result<SecretName, String> {
    let value = value?;
    let name: SecretName = name.parse().map_err(|error: jarvis_safety::secret::BadName| error.to_string())?;
    if let Some(fault) = value_fault(value.expose()) {
        return Err(fault);
    }
    if dotenv::is_plain(value.expose()) {
        let said = "it looks like a place and not like a secret: struck out, it would garble much. Keep it by hand if it is one";
        return Err(said.to_owned());
    }
    if !replace && web.secrets.secrets().iter().any(|known| known.name == name) {
        return Err("there is a secret of this name; it was left as it is".to_owned());
    }
    let change = SecretChange { value: Some(value), ..SecretChange::default() };
    keep(web, caller, face, &name, change).await.map_err(|error| error.to_string())?;
    Ok(name)
}

async fn keep(
    web: &Web,
    caller: &Caller,
    face: &Face,
    name: &SecretName,
    change: SecretChange,
) -> Result<SecretRecord, StoreError> {
    let parts = [("value", change.value.is_some()), ("note", change.note.is_some()), ("uses", change.uses.is_some())];
    let told: Vec<_> = parts.iter().filter(|(_, given)| *given).map(|(part, _)| *part).collect();
    let row = face.row(
        EventKind::SecretKept,
        &caller.actor,
        name.as_str(),
        &format!("secret {name} kept: {}", told.join(", ")),
    );
    web.secrets.keep_secret(name, change, row).await
}

fn change(body: SecretBody) -> Result<SecretChange, String> {
    let value = body.value.map(Secret::new);
    if let Some(fault) = value.as_ref().and_then(|value| value_fault(value.expose())) {
        return Err(fault);
    }
    let note = body.note.map(|note| note.trim().to_owned());
    if note.as_ref().is_some_and(|note| note.chars().count() > NOTE || note.chars().any(char::is_control)) {
        return Err(format!("note must have at most {NOTE} printable characters"));
    }
    let uses = body.uses.map(uses).transpose()?;
    Ok(SecretChange { value, note, uses })
}

/// Name, note and uses are shown: none of them may hold the value of this secret or of another one.
fn told_apart(web: &Web, name: &SecretName, change: SecretChange) -> Result<SecretChange, String> {
    let uses = change.uses.iter().flatten().flat_map(|allowed| [&allowed.tool, &allowed.target]);
    for text in uses.map(String::as_str).chain(change.note.as_deref()).chain([name.as_str()]) {
        let own = change.value.as_ref().is_some_and(|value| text.contains(value.expose()));
        if own || matches!(web.redactor.text(text), Cow::Owned(_)) {
            return Err("name, note and uses are shown, and one of them holds the value of a secret".to_owned());
        }
    }
    Ok(change)
}

fn uses(given: Vec<jarvis_client::wire::SecretUse>) -> Result<Vec<Use>, String> {
    if given.len() > USES {
        return Err(format!("uses has {} entries; at most {USES} are taken", given.len()));
    }
    let mut uses = Vec::with_capacity(given.len());
    for (index, given) in given.into_iter().enumerate() {
        for (field, text) in [("tool", &given.tool), ("target", &given.target)] {
            if text.is_empty() || text.len() > PATTERN || text.chars().any(char::is_control) {
                return Err(format!("uses[{index}].{field} must have 1 to {PATTERN} printable characters"));
            }
        }
        uses.push(Use { tool: given.tool, target: given.target });
    }
    Ok(uses)
}
