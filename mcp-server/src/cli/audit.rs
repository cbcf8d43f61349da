//! `audit tail`, `audit export` and `audit verify`.

use std::time::Duration;

use clap::Subcommand;
use jarvis_client::wire::{AuditReport, EventInfo, EventPage, StatusInfo};
use jarvis_client::{Client, ClientError, EventStream, Message};
use jarvis_safety::port::Feed as _;
use jiff::Timestamp;
use tokio::time::Instant;

use super::connect::Connection;
use super::directory;
use super::exit::{Exit, Result, Stop};
use super::print::Printer;

/// First pause before a server that is away is asked again; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Print the newest rows, oldest first.
    #[command(after_help = "Example: jarvis audit tail -n 50 --follow")]
    Tail {
        /// How many, at most 500.
        #[arg(long, short = 'n', default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=500))]
        lines: u32,
        /// Go on as rows are written, also over restarts of the server; Ctrl-C ends it.
        #[arg(long, short)]
        follow: bool,
    },
    /// Print every row that you see, with what stands beside it, oldest first, one JSON document a line.
    #[command(after_help = "Example: jarvis audit export > audit.jsonl\n\
        A row that was exported can be held against the audit by its hash; --after goes on after it.")]
    Export {
        /// Only rows after this one.
        #[arg(long, value_name = "SEQ", default_value_t = 0)]
        after: u64,
    },
    /// Check every row, every kept body and the seal; without a server, on the files themselves.
    Verify,
}

/// `audit …`.
pub(super) async fn run(connection: &Connection, printer: &Printer, command: AuditCommand) -> Result {
    match command {
        AuditCommand::Tail { lines, follow } => tail(connection, printer, lines, follow).await,
        AuditCommand::Export { after } => export(connection, printer, after).await,
        AuditCommand::Verify => verify(connection, printer).await,
    }
}

async fn tail(connection: &Connection, printer: &Printer, lines: u32, follow: bool) -> Result {
    let client = connection.client()?;
    let page = newest(&client, lines).await?;
    if !follow {
        printer.answer(&page, || page.events.iter().map(line).collect::<Vec<_>>().join("\n"));
        return Ok(Exit::Done);
    }
    let seen = match page.events.last() {
        Some(event) => event.seq,
        None if lines == 0 => client.get::<StatusInfo>("/api/status").await?.head,
        None => 0,
    };
    for event in &page.events {
        printer.answer(event, || line(event));
    }
    go_on(&client, printer, seen).await
}

/// The newest rows, oldest first.
async fn newest(client: &Client, lines: u32) -> Result<EventPage> {
    if lines == 0 {
        return Ok(EventPage { events: Vec::new(), next: None });
    }
    let mut page: EventPage = client.get(&format!("/api/history?limit={lines}")).await?;
    page.events.reverse();
    Ok(page)
}

/// Prints what is written from now on. A server that goes away is waited for, and the rows go on after the last one that
/// was printed; only what the server refuses, or a reader that has left, ends it.
async fn go_on(client: &Client, printer: &Printer, mut seen: u64) -> Result {
    let (mut pause, mut away) = (Duration::ZERO, false);
    loop {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        match client.stream(seen, "").await {
            Ok(mut stream) => {
                let opened = Instant::now();
                if std::mem::take(&mut away) {
                    printer.remark(&format!("The server is back; the rows go on after {seen}."));
                }
                let last = print_rows(&mut stream, printer, seen).await;
                // A stream that brought something or held for a while was a good one: the next is asked for at once.
                if last > seen || opened.elapsed() >= FIRST_PAUSE {
                    pause = Duration::ZERO;
                }
                seen = last;
            }
            Err(ClientError::NoServer { why, .. } | ClientError::Cut { why, .. }) => {
                if !std::mem::replace(&mut away, true) {
                    printer.remark(&format!("The server is away ({why}); waiting for it. Ctrl-C ends this."));
                }
            }
            Err(error) => return Err(error.into()),
        }
        if printer.is_shut() {
            return Ok(Exit::Done);
        }
    }
}

/// Prints rows until the stream ends or nobody reads them, and answers the last sequence.
async fn print_rows(stream: &mut EventStream, printer: &Printer, mut seen: u64) -> u64 {
    while let Some(message) = stream.next().await {
        if let Message::Event(event) = message {
            seen = event.seq;
            printer.answer(&*event, || line(&event));
        }
        if printer.is_shut() {
            break;
        }
    }
    seen
}

/// Every row that the asker sees, up to the newest one of now.
async fn export(connection: &Connection, printer: &Printer, after: u64) -> Result {
    let client = connection.client()?;
    let newest = newest(&client, 1).await?.events.last().map_or(0, |event| event.seq);
    let mut seen = after;
    while seen < newest {
        let last = seen;
        let mut stream = client.stream(seen, "").await?;
        let broken = export_rows(&client, &mut stream, printer, newest, &mut seen).await.err().map(Stop::from);
        if printer.is_shut() {
            break;
        }
        // A stream that somebody read too slowly ends, and is asked for again where it brought something.
        if broken.is_some() || seen == last {
            let why = broken.map_or_else(|| "the server sends no more".to_owned(), |stop| stop.message);
            let said = format!("{why}. The rows end with {seen} of {newest}; go on with --after {seen}");
            return Err(Stop::new(Exit::Failed, said));
        }
    }
    Ok(Exit::Done)
}

/// Prints rows with what stands beside each, until the stream ends or all are there.
async fn export_rows(
    client: &Client,
    stream: &mut EventStream,
    printer: &Printer,
    newest: u64,
    seen: &mut u64,
) -> std::result::Result<(), ClientError> {
    while *seen < newest && !printer.is_shut() {
        let Some(message) = stream.next().await else { break };
        let Message::Event(event) = message else { continue };
        printer.document(&client.get::<EventInfo>(&format!("/api/events/{}", event.seq)).await?);
        *seen = event.seq;
    }
    Ok(())
}

/// Over the server if one runs, else on the files themselves.
async fn verify(connection: &Connection, printer: &Printer) -> Result {
    let asked = connection.client()?.post("/api/audit/verify", &serde_json::json!({}), None).await.map_err(Stop::from);
    let report: AuditReport = match asked {
        Err(stop) if stop.exit == Exit::NoServer && !connection.is_remote() => offline(connection).await?,
        asked => asked?,
    };
    printer.answer(&report, || words(&report));
    Ok(if report.ok { Exit::Done } else { Exit::Failed })
}

async fn offline(connection: &Connection) -> Result<AuditReport> {
    let data = connection.data();
    let store = directory::open(connection)
        .await?
        .ok_or_else(|| Stop::new(Exit::NoServer, format!("no server runs, and {} holds no audit", data.display())))?;
    let found = store.verify().await.map_err(|error| Stop::new(Exit::Failed, error.to_string()));
    store.close().await;
    Ok(jarvis_web::view::event::report(found?))
}

fn line(event: &EventInfo) -> String {
    format!("{:>7} {} {:<18} {:<14} {}", event.seq, clock_time(event.at), event.kind, event.actor, event.summary)
}

/// Date and time in UTC, to the second.
pub(super) fn clock_time(millis: i64) -> String {
    Timestamp::from_millisecond(millis).unwrap_or_default().strftime("%Y-%m-%d %H:%M:%SZ").to_string()
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
