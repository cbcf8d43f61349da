//! `doctor`: what was found, what is missing, how to mend it.

use jarvis_client::wire::{DoctorReport, Finding};

use crate::config;
use crate::serve::offline_report;

use super::connect::Connection;
use super::exit::{Exit, Result, Stop};
use super::print::Printer;

/// Asks the server, and looks for itself when none runs.
pub(super) async fn run(connection: &Connection, printer: &Printer) -> Result {
    let report: DoctorReport = match connection.client()?.get("/api/doctor").await.map_err(Stop::from) {
        Err(stop) if stop.exit == Exit::NoServer && !connection.is_remote() => offline(connection).await,
        asked => asked?,
    };
    printer.answer(&report, || report.findings.iter().map(line).collect::<Vec<_>>().join("\n"));
    Ok(if report.findings.iter().any(|finding| finding.state == "warning") { Exit::Failed } else { Exit::Done })
}

/// A configuration with faults is a finding too: that is what somebody asks the doctor for.
async fn offline(connection: &Connection) -> DoctorReport {
    match config::read(None, connection.data_flag.as_deref(), &connection.environment) {
        Ok(config) => offline_report(&config).await,
        Err(error) => {
            let fault = Finding {
                what: "configuration".to_owned(),
                state: "warning".to_owned(),
                found: error.to_string(),
                fix: "mend what is named; until then no server starts".to_owned(),
            };
            DoctorReport { findings: vec![fault] }
        }
    }
}

fn line(finding: &Finding) -> String {
    let mark = match finding.state.as_str() {
        "ok" => "ok     ",
        "missing" => "missing",
        _ => "warning",
    };
    let fix = if finding.fix.is_empty() { String::new() } else { format!("\n        → {}", finding.fix) };
    format!("{mark} {}: {}{fix}", finding.what, finding.found)
}
