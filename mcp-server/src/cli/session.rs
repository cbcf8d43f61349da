//! `session list` and `revoke`.

use jarvis_client::wire::{OpenSession, SessionList};

use super::arguments::SessionCommand;
use super::audit::clock_time;
use super::call::path_segment;
use super::connect::Connection;
use super::exit::{Exit, Result};
use super::print::Printer;

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
