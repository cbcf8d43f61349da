//! `session list` and `revoke`.

use clap::Subcommand;
use jarvis_client::wire::{OpenSession, SessionList};

use super::audit::clock_time;
use super::call::path_segment;
use super::connect::Connection;
use super::exit::{Exit, Result};
use super::print::Printer;

#[derive(Debug, Subcommand)]
pub(super) enum SessionCommand {
    /// List those that are open: from where, since when, and when each was last used.
    List,
    /// End one; what it holds open ends at once.
    #[command(after_help = "Example: jarvis session revoke sess_01m7y712k7etmvpk3cb77ryrd6")]
    Revoke {
        /// Id of the session, as `jarvis session list` shows it.
        #[arg(value_name = "ID", required_unless_present = "all")]
        session: Option<String>,
        /// End all of them.
        #[arg(long, conflicts_with = "session")]
        all: bool,
    },
}

/// `session …`.
pub(super) async fn run(connection: &Connection, printer: &Printer, command: SessionCommand) -> Result {
    let client = connection.operator().await?;
    match command {
        SessionCommand::List => {
            let list: SessionList = client.get("/api/sessions").await?;
            printer.answer(&list, || list.sessions.iter().map(line).collect::<Vec<_>>().join("\n"));
        }
        SessionCommand::Revoke { session: Some(id), .. } => {
            client.delete(&format!("/api/sessions/{}", path_segment(&id))).await?;
            printer.answer(&serde_json::json!({ "revoked": id }), || format!("{id} is ended."));
        }
        SessionCommand::Revoke { session: None, .. } => {
            client.delete("/api/sessions").await?;
            printer.answer(&serde_json::json!({ "revoked": "all" }), || "All sessions are ended.".to_owned());
        }
    }
    Ok(Exit::Done)
}

fn line(session: &OpenSession) -> String {
    let known = |word: &str| if word.is_empty() { "unknown" } else { word }.to_owned();
    let own = if session.current { ", this one" } else { "" };
    format!(
        "{} {:<9} from {}, opened {}, used {}, ends {}{own}",
        session.id,
        known(&session.face),
        known(&session.place),
        clock_time(session.created_at),
        clock_time(session.used_at),
        clock_time(session.expires_at)
    )
}
