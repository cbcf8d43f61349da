//! Mounted MCP servers: added, looked at, reviewed and removed by the operator alone.

pub(crate) mod check;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use jarvis_client::wire::{MountBody, MountInfo, MountList, ReviewBody, ToolReview};
use jarvis_safety::Tier;
use jarvis_safety::event::EventKind;
use jarvis_safety::mount::{MountName, MountedTool, Review, ToolStanding};
use jarvis_safety::setting::Settings;
use serde_json::json;

use crate::auth::{Caller, Face, Operator};
use crate::guard::body::Sent;
use crate::guard::locate::At;
use crate::problem::{Answered, Fault, quote};
use crate::view;
use crate::web::Web;

/// Most servers.
const MOUNTS: usize = 32;
/// Most tools that are reviewed at once: all that a server can have.
const REVIEWS: usize = 128;

/// All mounted servers with their tools.
#[utoipa::path(get, path = "/api/mounts", tag = "mounts", responses((status = 200, body = MountList)))]
pub(super) async fn list_mounts(State(web): State<Web>, _: Operator) -> Json<MountList> {
    Json(MountList { mounts: web.mounts.mounts().into_iter().map(view::mount::mount).collect() })
}

/// Mounts a server, or changes how one is reached. It is reached in the background. Its tools are red until they are
/// reviewed; if it is reached otherwise, they have to be reviewed again.
#[utoipa::path(put, path = "/api/mounts/{name}", tag = "mounts", request_body = MountBody,
    params(("name" = String, Path, description = "1 to 24 of a-z 0-9, a letter first")),
    responses((status = 200, body = MountBody)))]
pub(super) async fn keep_mount(
    State(web): State<Web>,
    Operator(caller): Operator,
    face: Face,
    At(name): At<MountName>,
    Sent(body): Sent<MountBody>,
) -> Answered<Json<MountBody>> {
    let name = name.as_str();
    let line = check::line(body).map_err(|why| Fault::invalid(format!("{why}. Nothing was mounted")))?;
    not_configured(&web, name)?;
    let known = web.mounts.mounts().iter().any(|view| view.name == name);
    if !known && web.gate.registry().described().any(|tool| tool.family() == name) {
        return Err(Fault::invalid(format!(
            "`{name}` is a family of Jarvis's own tools; use another name. Nothing was mounted"
        )));
    }
    let shown = view::mount::line(&line);
    change(&web, &caller, &face, name, "mounted", |settings| {
        if !settings.mounts.contains_key(name) && settings.mounts.len() >= MOUNTS {
            return Err(format!("there are {MOUNTS} servers already; remove one first"));
        }
        settings.mounts.insert(name.to_owned(), line);
        Ok(())
    })
    .await?;
    Ok(Json(shown))
}

/// Takes a server away, with all that was said of its tools.
#[utoipa::path(delete, path = "/api/mounts/{name}", tag = "mounts",
    params(("name" = String, Path, description = "Name of the server")),
    responses((status = 204, description = "Removed")))]
pub(super) async fn remove_mount(
    State(web): State<Web>,
    Operator(caller): Operator,
    face: Face,
    At(name): At<MountName>,
) -> Answered<StatusCode> {
    let name = name.as_str();
    not_configured(&web, name)?;
    if !web.settings.settings().await?.mounts.contains_key(name) {
        return Err(unknown(name));
    }
    change(&web, &caller, &face, name, "taken away", |settings| {
        settings.mounts.remove(name);
        settings.reviews.remove(name);
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reaches a server again now that is down and would be tried later.
#[utoipa::path(post, path = "/api/mounts/{name}/retry", tag = "mounts",
    params(("name" = String, Path, description = "Name of the server")),
    responses((status = 200, body = MountInfo)))]
pub(super) async fn retry_mount(
    State(web): State<Web>,
    _: Operator,
    At(name): At<MountName>,
) -> Answered<Json<MountInfo>> {
    let name = name.as_str();
    if web.mounts.retry(name) { Ok(Json(seen(&web, name)?)) } else { Err(unknown(name)) }
}

/// Gives tools their tiers, all or none: each as it was read, by its digest.
#[utoipa::path(post, path = "/api/mounts/{name}/reviews", tag = "mounts", request_body = ReviewBody,
    params(("name" = String, Path, description = "Name of the server")),
    responses((status = 200, body = MountInfo)))]
pub(super) async fn review_tools(
    State(web): State<Web>,
    Operator(caller): Operator,
    face: Face,
    At(name): At<MountName>,
    Sent(body): Sent<ReviewBody>,
) -> Answered<Json<MountInfo>> {
    let name = name.as_str();
    let view = web.mounts.mounts().into_iter().find(|view| view.name == name).ok_or_else(|| unknown(name))?;
    let nothing = |why: String| Fault::invalid(format!("{why}. Nothing was changed"));
    if body.reviews.is_empty() || body.reviews.len() > REVIEWS {
        return Err(nothing(format!("reviews takes 1 to {REVIEWS} tools")));
    }
    let judged = body.reviews.iter().map(|given| judged(&view.tools, given)).collect::<Result<Vec<_>, _>>();
    let judged = judged.map_err(nothing)?;
    change(&web, &caller, &face, name, "reviewed", |settings| {
        let reviews = settings.reviews.entry(name.to_owned()).or_default();
        for (tool, review) in judged {
            match review {
                Some(review) => reviews.insert(tool, review),
                None => reviews.remove(&tool),
            };
        }
        Ok(())
    })
    .await?;
    Ok(Json(seen(&web, name)?))
}

/// A server as it is now.
fn seen(web: &Web, name: &str) -> Answered<MountInfo> {
    let found = web.mounts.mounts().into_iter().find(|view| view.name == name);
    found.map(view::mount::mount).ok_or_else(|| unknown(name))
}

/// What is said of one tool, if it still is what was read.
fn judged(tools: &[MountedTool], given: &ToolReview) -> Result<(String, Option<Review>), String> {
    let shown = quote(&given.tool);
    let tool = tools.iter().find(|tool| tool.name == given.tool);
    let tool = tool.ok_or_else(|| format!("the server has no tool {shown} now"))?;
    let Some(tier) = &given.tier else { return Ok((tool.name.to_owned(), None)) };
    let tier: Tier = tier.parse().map_err(|error| format!("the tier of {shown}: {error}"))?;
    if let ToolStanding::Refused(why) = &tool.standing {
        return Err(format!("{shown} cannot be called: {why}"));
    }
    if tool.digest.as_str() != given.digest {
        return Err(format!("{shown} is not what was read any more; look at it again"));
    }
    let review = Review { tier, digest: tool.digest.clone(), description: tool.description.clone() };
    Ok((tool.name.to_owned(), Some(review)))
}

/// Changes the settings and tells everybody.
async fn change(
    web: &Web,
    caller: &Caller,
    face: &Face,
    name: &str,
    did: &str,
    change: impl FnOnce(&mut Settings) -> Result<(), String>,
) -> Answered<()> {
    let _changing = web.changing.lock().await;
    let mut settings = web.settings.settings().await?;
    change(&mut settings).map_err(|why| Fault::invalid(format!("{why}. Nothing was changed")))?;
    let mut row = face.row(EventKind::SettingChanged, &caller.actor, "settings", &format!("MCP server {name}: {did}"));
    row.body = Some(json!({
        "mount": name,
        "line": settings.mounts.get(name).map(view::mount::line),
        "reviews": settings.reviews.get(name),
    }));
    web.settings.save(&settings, row).await?;
    web.gate.apply_settings(settings.clone());
    web.settings_tx.send_replace(settings);
    web.mounts.apply();
    Ok(())
}

fn not_configured(web: &Web, name: &str) -> Answered<()> {
    if !web.mounts.is_configured(name) {
        return Ok(());
    }
    Err(Fault::invalid(format!("`{name}` stands in jarvis.toml; change it there and restart. Nothing was changed")))
}

fn unknown(name: &str) -> Fault {
    Fault::not_found(format!("there is no mounted server {}", quote(name)))
}
