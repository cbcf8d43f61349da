//! `stop`, `resume` and `operator reset`.

use jarvis_client::wire::{KillBody, StatusInfo};

use crate::serve::{SystemClock, open_store};

use super::connect::Connection;
use super::exit::{Exit, Result, Stop};
use super::print::Printer;

pub(super) async fn stop(connection: &Connection, printer: &Printer, all: bool) -> Result {
    let level = Some(if all { "all" } else { "effects" }.to_owned());
    let status: StatusInfo = connection.operator().await?.post("/api/kill", &KillBody { level }, None).await?;
    printer.answer(&status, || match status.kill.as_str() {
        "all" => "Stopped: every call is refused. `jarvis resume` releases it.".to_owned(),
        _ => "Stopped: everything above green is refused. `jarvis resume` releases it.".to_owned(),
    });
    Ok(Exit::Done)
}

pub(super) async fn resume(connection: &Connection, printer: &Printer) -> Result {
    connection.operator().await?.delete("/api/kill").await?;
    printer.answer(&serde_json::json!({ "kill": "off" }), || "The kill switch is released.".to_owned());
    Ok(Exit::Done)
}

pub(super) async fn reset(connection: &Connection, printer: &Printer) -> Result {
    let failed = |error: &dyn std::fmt::Display| Stop::new(Exit::Failed, error.to_string());
    let store =
        open_store(&connection.data(), std::sync::Arc::new(SystemClock)).await.map_err(|error| failed(&error))?;
    let code = store.reset_operator().await.map_err(|error| failed(&error))?;
    store.close().await;
    printer.answer(&serde_json::json!({ "code": code }), || {
        format!(
            "The password is forgotten and all sessions are closed. Start the server and open /setup#code={code} on it."
        )
    });
    Ok(Exit::Done)
}
