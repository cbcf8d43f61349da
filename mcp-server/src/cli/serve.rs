//! `serve`: the server in the foreground.

use super::connect::Connection;
use super::exit::{Exit, Result, Stop};
use crate::config;

pub(super) async fn run(listen: Option<&str>, connection: &Connection) -> Result {
    let config = config::read(listen, connection.data_flag.as_deref(), &connection.environment)
        .map_err(|error| Stop::new(Exit::Refused, error.to_string()))?;
    crate::serve::run(config, &connection.environment)
        .await
        .map(|()| Exit::Done)
        .map_err(|error| Stop::new(Exit::Failed, format!("{error:#}")))
}
