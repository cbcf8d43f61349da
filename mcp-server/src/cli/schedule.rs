//! `schedules` and `schedule …`.

use clap::{Args, Subcommand};
use jarvis_client::wire::{ScheduleBody, ScheduleInfo, ScheduleList};
use serde::Deserialize as _;
use serde_json::value::RawValue;

use super::audit::clock_time;
use super::call::path_segment;
use super::connect::Connection;
use super::exit::{Exit, Result, Stop};
use super::job::raw;
use super::print::Printer;

#[derive(Debug, Subcommand)]
pub(super) enum ScheduleCommand {
    /// Make one; its runs are jobs of whoever made it.
    #[command(after_help = "Example: jarvis schedule add nightly --cron \"30 4 * * *\" --zone Europe/Berlin \
        docker_restart '{\"container\":\"web\"}'")]
    Add(ScheduleWanted),
    /// Let it rest.
    Pause {
        /// Id of the schedule.
        #[arg(value_name = "ID")]
        schedule: String,
    },
    /// Let it run again.
    Resume {
        /// Id of the schedule.
        #[arg(value_name = "ID")]
        schedule: String,
    },
    /// Remove it; jobs that it has submitted stay.
    Remove {
        /// Id of the schedule.
        #[arg(value_name = "ID")]
        schedule: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct ScheduleWanted {
    /// Name for people.
    pub(super) name: String,
    /// Minute, hour, day of the month, month, day of the week.
    #[arg(long, value_name = "FIELDS")]
    pub(super) cron: String,
    /// IANA time zone.
    #[arg(long, default_value = "UTC", value_name = "ZONE")]
    pub(super) zone: String,
    /// Make up for so many runs that were missed while Jarvis was not there; 0 leaves them out.
    #[arg(long, default_value_t = 0, value_name = "RUNS", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub(super) catch_up: u32,
    /// Name of the tool.
    pub(super) tool: String,
    /// Arguments as a JSON object.
    #[arg(default_value = "{}", value_name = "JSON")]
    pub(super) args: String,
}

/// `schedule …`.
pub(super) async fn run(connection: &Connection, printer: &Printer, command: ScheduleCommand) -> Result {
    match command {
        ScheduleCommand::Add(wanted) => add(connection, printer, wanted).await,
        ScheduleCommand::Pause { schedule } => switch(connection, printer, &schedule, false).await,
        ScheduleCommand::Resume { schedule } => switch(connection, printer, &schedule, true).await,
        ScheduleCommand::Remove { schedule } => remove(connection, printer, &schedule).await,
    }
}

/// `schedules`.
pub(super) async fn list(connection: &Connection, printer: &Printer) -> Result {
    let list: ScheduleList = connection.client()?.get("/api/schedules").await?;
    printer.answer(&list, || match list.schedules.is_empty() {
        true => {
            "There are no schedules; `jarvis schedule add NAME --cron \"30 4 * * *\" TOOL JSON` makes one.".to_owned()
        }
        false => list.schedules.iter().map(line).collect::<Vec<_>>().join("\n"),
    });
    Ok(Exit::Done)
}

async fn add(connection: &Connection, printer: &Printer, wanted: ScheduleWanted) -> Result {
    let ScheduleWanted { name, cron, zone, catch_up, tool, args } = wanted;
    let body = ScheduleBody { name, tool, args: Some(raw(args)?), cron, zone, catch_up, active: true };
    let made: ScheduleInfo = connection.client()?.post("/api/schedules", &body, None).await?;
    printer.answer(&made, || line(&made));
    Ok(Exit::Done)
}

/// Pauses a schedule, or lets it go on.
async fn switch(connection: &Connection, printer: &Printer, id: &str, active: bool) -> Result {
    let client = connection.client()?;
    let list: ScheduleList = client.get("/api/schedules").await?;
    let found = list.schedules.into_iter().find(|schedule| schedule.id == id).ok_or_else(|| {
        Stop::new(
            Exit::Refused,
            format!("there is no schedule {id}; `jarvis schedules` lists them. Nothing was changed"),
        )
    })?;
    let path = format!("/api/schedules/{}", path_segment(id));
    let changed: ScheduleInfo = client.put(&path, &body(found, active)?).await?;
    printer.answer(&changed, || line(&changed));
    Ok(Exit::Done)
}

/// The same schedule, going or not.
fn body(schedule: ScheduleInfo, active: bool) -> Result<ScheduleBody> {
    #[derive(serde::Deserialize)]
    struct Call {
        tool: String,
        args: serde_json::Value,
    }
    let strange = |error: serde_json::Error| Stop::new(Exit::Failed, format!("the schedule cannot be read: {error}"));
    let Call { tool, args } = Call::deserialize(schedule.payload).map_err(strange)?;
    let args: Box<RawValue> = serde_json::value::to_raw_value(&args).map_err(strange)?;
    let ScheduleInfo { name, cron, zone, catch_up, .. } = schedule;
    Ok(ScheduleBody { name, tool, args: Some(args), cron, zone, catch_up, active })
}

async fn remove(connection: &Connection, printer: &Printer, id: &str) -> Result {
    connection.client()?.delete(&format!("/api/schedules/{}", path_segment(id))).await?;
    printer
        .answer(&serde_json::json!({ "removed": id }), || format!("{id} is removed; jobs that it has submitted stay."));
    Ok(Exit::Done)
}

fn line(schedule: &ScheduleInfo) -> String {
    let next = schedule.next_at.map_or_else(|| "paused".to_owned(), |at| format!("next {}", clock_time(at)));
    format!(
        "{} {:<20} {} ({}) {} · {}",
        schedule.id, schedule.name, schedule.cron, schedule.zone, schedule.payload, next
    )
}
