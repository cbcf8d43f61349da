//! `serve`: the server in the foreground.

use super::connect::Connection;
use super::exit::{Exit, Result, Stop};
use super::print::Printer;
use crate::config::{self, Config};
use crate::serve::Listening;

pub(super) async fn run(listen: Option<&str>, fixtures: bool, connection: &Connection, printer: &Printer) -> Result {
    let read = config::read(listen, connection.data_flag.as_deref(), &connection.environment)
        .map_err(|error| Stop::new(Exit::Refused, error.to_string()))?;
    let config = Config { fixtures, ..read };
    crate::serve::run(config, &connection.environment, |listening| printer.answer(listening, || words(listening)))
        .await
        .map(|()| Exit::Done)
        .map_err(|error| Stop::new(Exit::Failed, format!("{error:#}")))
}

/// Says where to go.
fn words(listening: &Listening) -> String {
    let first = format!("Jarvis listens on {}", listening.url);
    match &listening.setup {
        Some(link) => format!("{first}\nSet the operator's password once: {link}"),
        None => first,
    }
}
