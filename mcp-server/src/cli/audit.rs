//! `audit tail` and `audit verify`.

use jarvis_client::Message;
use jarvis_client::wire::{AuditReport, EventInfo, EventPage};
use jarvis_safety::port::Feed as _;

use crate::config::SOCKET;
use crate::serve::{SystemClock, open_store};

use super::arguments::AuditCommand;
use super::connect::Connection;
use super::exit::{Exit, Result, Stop};
use super::print::Printer;

/// `audit …`.
pub(super) async fn run(connection: &Connection, printer: &Printer, command: AuditCommand) -> Result {
    match command {
        AuditCommand::Tail { lines, follow } => tail(connection, printer, lines, follow).await,
        AuditCommand::Verify => verify(connection, printer).await,
    }
}

async fn tail(connection: &Connection, printer: &Printer, lines: u32, follow: bool) -> Result {
    let client = connection.client()?;
    let mut page: EventPage = client.get(&format!("/api/history?limit={}", lines.clamp(1, 500))).await?;
    page.events.reverse();
    for event in &page.events {
        printer.answer(event, || line(event));
    }
    let mut seen = page.events.last().map_or(0, |event| event.seq);
    if !follow {
        return Ok(Exit::Done);
    }
    loop {
        // The server may be restarted while somebody looks on; the stream goes on where it was.
        let mut stream = client.stream(seen, "").await?;
        while let Some(message) = stream.next().await {
            if let Message::Event(event) = message {
                seen = event.seq;
                printer.answer(&*event, || line(&event));
            }
        }
    }
}

/// Over the server if one runs, else on the files themselves.
async fn verify(connection: &Connection, printer: &Printer) -> Result {
    let running = connection.is_remote() || connection.data().join(SOCKET).exists();
    let asked = match running {
        true => connection.client()?.post("/api/audit/verify", &serde_json::json!({}), None).await.map_err(Stop::from),
        false => Err(Stop::new(Exit::NoServer, "no server runs")),
    };
    let report: AuditReport = match asked {
        Err(stop) if stop.exit == Exit::NoServer && !connection.is_remote() => offline(connection).await?,
        asked => asked?,
    };
    printer.answer(&report, || words(&report));
    Ok(if report.ok { Exit::Done } else { Exit::Failed })
}

async fn offline(connection: &Connection) -> Result<AuditReport> {
    let data = connection.data();
    if !data.join("jarvis.db").exists() {
        return Err(Stop::new(Exit::NoServer, format!("no server runs, and {} holds no audit", data.display())));
    }
    let failed = |error: &dyn std::fmt::Display| Stop::new(Exit::Failed, error.to_string());
    let store = open_store(&data, std::sync::Arc::new(SystemClock)).await.map_err(|error| failed(&error))?;
    let found = store.verify().await.map_err(|error| failed(&error))?;
    Ok(jarvis_web::view::event::report(found))
}

fn line(event: &EventInfo) -> String {
    format!("{:>7} {} {:<18} {:<14} {}", event.seq, clock_time(event.at), event.kind, event.actor, event.summary)
}

/// Date and time in UTC, to the second.
fn clock_time(millis: i64) -> String {
    let days = millis.div_euclid(86_400_000);
    let seconds = millis.rem_euclid(86_400_000) / 1000;
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Days since 1970 as a date (Howard Hinnant's `civil_from_days`).
const fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + if month <= 2 { 1 } else { 0 }, month, day)
}

fn words(report: &AuditReport) -> String {
    let counts = format!(
        "{} rows, {} bodies ({} erased), head {} {}, sealed to {}",
        report.rows,
        report.bodies,
        report.erased,
        report.head,
        report.hash.get(..12).unwrap_or_default(),
        report.sealed
    );
    match report.ok {
        true => format!("The audit is whole: {counts}."),
        false => format!("THE AUDIT IS NOT WHOLE: {counts}.\n{}", report.faults.join("\n")),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_shown_in_utc() {
        assert_eq!(super::clock_time(0), "1970-01-01 00:00:00Z");
        assert_eq!(super::clock_time(1_795_219_199_000), "2026-11-20 23:59:59Z");
        assert_eq!(super::clock_time(951_782_400_000), "2000-02-29 00:00:00Z");
    }
}
