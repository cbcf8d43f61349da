//! `token create`, `list` and `revoke`.

use jarvis_client::wire::{TokenBody, TokenInfo, TokenList};

use super::arguments::{TokenCommand, TokenWanted};
use super::audit::clock_time;
use super::call::path_segment;
use super::connect::Connection;
use super::exit::{Exit, Result};
use super::print::Printer;

/// `token …`.
pub(super) async fn run(connection: &Connection, printer: &Printer, command: TokenCommand) -> Result {
    match command {
        TokenCommand::Create(wanted) => create(connection, printer, wanted).await,
        TokenCommand::List => list(connection, printer).await,
        TokenCommand::Revoke { token } => revoke(connection, printer, &token).await,
    }
}

async fn create(connection: &Connection, printer: &Printer, wanted: TokenWanted) -> Result {
    let TokenWanted { name, role, ceiling, confirm, targets, minutes, per_minute } = wanted;
    let body = TokenBody { name, role, ceiling, confirm, targets, minutes, per_minute };
    let token: TokenInfo = connection.operator().await?.post("/api/tokens", &body, None).await?;
    printer.answer(&token, || token.secret.clone().unwrap_or_default());
    if !printer.is_json() {
        printer.remark(&format!("Token {} ({}): {}. This secret is shown once.", token.id, token.name, terms(&token)));
    }
    Ok(Exit::Done)
}

async fn list(connection: &Connection, printer: &Printer) -> Result {
    let list: TokenList = connection.operator().await?.get("/api/tokens").await?;
    printer.answer(&list, || match list.tokens.is_empty() {
        true => "There are no tokens; `jarvis token create NAME --ceiling yellow` makes one.".to_owned(),
        false => list.tokens.iter().map(line).collect::<Vec<_>>().join("\n"),
    });
    Ok(Exit::Done)
}

async fn revoke(connection: &Connection, printer: &Printer, id: &str) -> Result {
    connection.operator().await?.delete(&format!("/api/tokens/{}", path_segment(id))).await?;
    printer.answer(&serde_json::json!({ "revoked": id }), || format!("{id} is revoked."));
    Ok(Exit::Done)
}

fn line(token: &TokenInfo) -> String {
    format!("{} {:<8} {}: {}", token.id, token.state, token.name, terms(token))
}

/// What it may, in words.
fn terms(token: &TokenInfo) -> String {
    let mut said = format!("{}, up to {}", token.role, token.ceiling);
    if !token.targets.is_empty() {
        said += &format!(", on {}", token.targets.join(" "));
    }
    if let Some(most) = token.per_minute {
        said += &format!(", {most} requests a minute");
    }
    if let Some(at) = token.expires_at {
        said += &format!(", until {}", clock_time(at));
    }
    said
}
