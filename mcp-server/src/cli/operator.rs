//! `stop`, `resume` and `operator reset`.

use clap::Subcommand;
use jarvis_client::wire::KillBody;
use serde_json::{Value, json};

use super::connect::Connection;
use super::directory;
use super::exit::{Exit, Result, Stop};
use super::print::Printer;

#[derive(Debug, Subcommand)]
pub(super) enum OperatorCommand {
    /// Forget the password and print a new one-time link; the server must have ended.
    #[command(after_help = "Example: systemctl stop jarvis && jarvis operator reset && systemctl start jarvis")]
    Reset,
}

pub(super) async fn stop(connection: &Connection, printer: &Printer, all: bool) -> Result {
    let level = if all { "all" } else { "effects" };
    let body = KillBody { level: Some(level.to_owned()) };
    // The answer has no body: the switch is on, or a problem says why not.
    let _: Value = connection.operator().await?.post("/api/kill", &body, None).await?;
    printer.answer(&json!({ "kill": level }), || match all {
        true => "Stopped: every call is refused. `jarvis resume` releases it.".to_owned(),
        false => "Stopped: everything above green is refused. `jarvis resume` releases it.".to_owned(),
    });
    Ok(Exit::Done)
}

pub(super) async fn resume(connection: &Connection, printer: &Printer) -> Result {
    connection.operator().await?.delete("/api/kill").await?;
    printer.answer(&json!({ "kill": "off" }), || "The kill switch is released.".to_owned());
    Ok(Exit::Done)
}

pub(super) async fn reset(connection: &Connection, printer: &Printer) -> Result {
    connection.must_be_local("the password is reset in the data directory on the server's own machine")?;
    let data = connection.data();
    let store = directory::open(connection).await?.ok_or_else(|| {
        let told = format!(
            "no Jarvis ever ran on {}, so there is no password to forget; name its data directory with --data or JARVIS_DATA",
            data.display()
        );
        Stop::new(Exit::Refused, told)
    })?;
    let reset = store.reset_operator().await.map_err(|error| Stop::new(Exit::Failed, error.to_string()));
    store.close().await;
    let code = reset?;
    printer.answer(&json!({ "code": code, "data": data.display().to_string() }), || {
        format!(
            "The password and the second factor of the Jarvis in {} are forgotten and all sessions are closed. Start the server and open the link \
             that it prints, /setup#code={code}",
            data.display()
        )
    });
    Ok(Exit::Done)
}
