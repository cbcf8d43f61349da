//! `migrate-database`: everything from SQLite in the data directory to PostgreSQL.

use std::sync::Arc;

use jarvis_memory::{Database, OpenError, Options, Progress, TransferError, Transferred, transfer};
use jarvis_safety::secret::Redactor;
use serde_json::json;

use super::connect::Connection;
use super::directory;
use super::exit::{Exit, Result, Stop};
use super::print::{Printer, remark};
use crate::serve::{SystemClock, UuidIds};

pub(super) async fn run(connection: &Connection, printer: &Printer, url: Option<String>) -> Result {
    connection.must_be_local("a database is moved on the server's own machine")?;
    let data = connection.data();
    directory::must_be_own(&data)?;
    let url = url.or_else(|| connection.environment.get("JARVIS_DATABASE").cloned());
    let target: Database =
        url.unwrap_or_default().parse().map_err(|error: OpenError| Stop::invalid(error.to_string()))?;
    if !data.join("jarvis.db").exists() {
        let told = format!("{} holds no database to move; name its directory with --data", data.display());
        return Err(Stop::new(Exit::Refused, told));
    }
    let quiet = printer.is_json();
    let options = Options {
        data: data.clone(),
        clock: Arc::new(SystemClock),
        ids: Arc::new(UuidIds),
        redactor: Redactor::default(),
    };
    let moved = transfer(options, target, move |progress| tell(quiet, progress)).await.map_err(stop)?;
    let tables: Vec<_> = moved
        .tables
        .iter()
        .map(|table| json!({ "table": table.table, "rows": table.rows, "sha256": table.digest }))
        .collect();
    let answer = json!({ "tables": tables, "events": moved.verification.rows, "head": moved.verification.head });
    printer.answer(&answer, || words(&moved));
    Ok(Exit::Done)
}

fn tell(quiet: bool, progress: Progress<'_>) {
    if quiet {
        return;
    }
    match progress {
        Progress::Copied { table, rows } => remark(&format!("{table}: {rows} rows copied")),
        Progress::Compared { table, rows } => remark(&format!("{table}: {rows} rows are the same on both sides")),
    }
}

fn stop(error: TransferError) -> Stop {
    let exit = match &error {
        TransferError::Open(OpenError::InUse { .. }) | TransferError::Target | TransferError::NotEmpty { .. } => {
            Exit::Refused
        }
        _ => Exit::Failed,
    };
    Stop { code: error.code().to_owned(), ..Stop::new(exit, error.to_string()) }
}

fn words(moved: &Transferred) -> String {
    let rows: u64 = moved.tables.iter().map(|table| table.rows).sum();
    format!(
        "Moved {} tables with {rows} rows; each was read back and is the same, and the audit verifies there with {} \
         rows.\nNow set `database` in jarvis.toml, or JARVIS_DATABASE, to that address and start the server. Further \
         servers need a data directory of their own with the same `keys/audit.key` and, where the vault's key lies there, \
         `keys/vault.key`. `jarvis.db` stays as it was: keep it until you have a backup of PostgreSQL, and never start a \
         server on it again.",
        moved.tables.len(),
        moved.verification.rows
    )
}
