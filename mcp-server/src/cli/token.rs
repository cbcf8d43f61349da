//! `token create`, `list` and `revoke`.

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use jarvis_client::wire::{TokenBody, TokenInfo, TokenList};

use super::audit::clock_time;
use super::call::path_segment;
use super::connect::Connection;
use super::exit::{Exit, Result};
use super::print::Printer;
use super::span::minutes;

const TIERS: [&str; 4] = ["green", "yellow", "orange", "red"];

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make one; its secret is printed once.
    #[command(after_help = "Examples: jarvis token create ide --ceiling yellow --target 'web*' --expires 30d\n\
                                       jarvis token create wall --role viewer")]
    Create(TokenWanted),
    /// List them, revoked ones too.
    List,
    /// Revoke one; what it holds open ends at once.
    #[command(after_help = "Example: jarvis token revoke tok_01m7y712k7etmvpk3cb77ryrd6")]
    Revoke {
        /// Id of the token, as `jarvis token list` shows it.
        #[arg(value_name = "ID")]
        token: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct TokenWanted {
    /// Name for people.
    pub(super) name: String,
    /// `client` unless said otherwise; `approver` also decides approvals, and cannot be used over MCP; `viewer` only
    /// reads; `guest` asks green things on its targets.
    #[arg(long, value_parser = ["client", "approver", "viewer", "guest"])]
    pub(super) role: Option<String>,
    /// Highest tier that it may ask for; that of a viewer and a guest is green.
    #[arg(long, value_name = "TIER", value_parser = PossibleValuesParser::new(TIERS))]
    #[arg(required_unless_present = "role", required_if_eq_any([("role", "client"), ("role", "approver")]))]
    pub(super) ceiling: Option<String>,
    /// Let the client's own form confirm up to this tier.
    #[arg(long, value_name = "TIER", value_parser = ["yellow", "orange"])]
    pub(super) confirm: Option<String>,
    /// Name of a target that it may call on, or a pattern with `*` and `?`, or a whole id; again for more. Left out: all.
    #[arg(long = "target", value_name = "NAME")]
    pub(super) targets: Vec<String>,
    /// It ends by itself after this time; left out: when it is revoked.
    #[arg(long = "expires", value_name = "30m|8h|30d", value_parser = |text: &str| minutes(text, 5 * 365))]
    pub(super) minutes: Option<u32>,
    /// Most requests a minute; left out: no limit, but 30 for a guest.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub(super) per_minute: Option<u32>,
}

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
