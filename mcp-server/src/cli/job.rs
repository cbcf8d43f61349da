//! `jobs` and `job …`.

use std::fmt::Write as _;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use jarvis_client::wire::{CancelInfo, JobBody, JobInfo, JobPage};
use jarvis_client::{Client, ClientError, Message};
use serde_json::value::RawValue;

use super::arguments::LONGEST_WAIT;
use super::audit::clock_time;
use super::call::path_segment;
use super::connect::Connection;
use super::exit::{Exit, Result, Stop};
use super::print::Printer;

/// Pause before a server that is away is asked again.
const PAUSE: Duration = Duration::from_secs(2);
/// How often it is asked again before somebody else must look: about five minutes.
const PATIENCE: u32 = 150;

const JOB_STATES: [&str; 9] = ["all", "open", "queued", "running", "waiting", "done", "failed", "cancelled", "unknown"];

#[derive(Debug, Args)]
pub(super) struct JobsWanted {
    /// Only those in this state.
    #[arg(long, default_value = "all", value_parser = PossibleValuesParser::new(JOB_STATES))]
    pub(super) state: String,
    /// How many, at most 200.
    #[arg(long, short = 'n', default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(super) lines: u32,
    /// Only those before this job.
    #[arg(long, value_name = "ID")]
    pub(super) before: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum JobCommand {
    /// Hand in a call of a tool; the gate decides it when it runs.
    #[command(after_help = "Example: jarvis job start docker_pull '{\"image\":\"nginx:1.27\"}' --follow")]
    Start(JobWanted),
    /// Show one job.
    Show {
        /// Id of the job.
        #[arg(value_name = "ID")]
        job: String,
        /// Wait so many seconds for its end, at most 50.
        #[arg(long, default_value_t = 0, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=LONGEST_WAIT))]
        wait: u32,
    },
    /// Print what a job puts out until it has ended, also over restarts of the server.
    #[command(after_help = "Ends like `jarvis call`: 0 done, 1 failed, cancelled or unknown.")]
    Output {
        /// Id of the job.
        #[arg(value_name = "ID")]
        job: String,
        /// Go on after this piece.
        #[arg(long, default_value_t = 0, value_name = "NUMBER")]
        after: u64,
    },
    /// Stop a job: one that has not begun ends at once.
    Cancel {
        /// Id of the job.
        #[arg(value_name = "ID")]
        job: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct JobWanted {
    /// Name of the tool.
    pub(super) tool: String,
    /// Arguments as a JSON object.
    #[arg(default_value = "{}", value_name = "JSON")]
    pub(super) args: String,
    /// Idempotency key: the same key and call are the same job.
    #[arg(long)]
    pub(super) key: Option<String>,
    /// Print what it puts out until it has ended.
    #[arg(long, short)]
    pub(super) follow: bool,
}

/// `job …`.
pub(super) async fn run(connection: &Connection, printer: &Printer, command: JobCommand) -> Result {
    match command {
        JobCommand::Start(wanted) => start(connection, printer, wanted).await,
        JobCommand::Show { job, wait } => show(connection, printer, &job, wait).await,
        JobCommand::Output { job, after } => follow(&connection.client()?, printer, &job, after).await,
        JobCommand::Cancel { job } => cancel(connection, printer, &job).await,
    }
}

/// `jobs`.
pub(super) async fn list(connection: &Connection, printer: &Printer, wanted: JobsWanted) -> Result {
    let JobsWanted { state, lines, before } = wanted;
    let before = before.map(|id| format!("&before={}", path_segment(&id))).unwrap_or_default();
    let page: JobPage = connection.client()?.get(&format!("/api/jobs?state={state}&limit={lines}{before}")).await?;
    printer.answer(&page, || match page.jobs.is_empty() {
        true => "There are no such jobs; `jarvis job start TOOL JSON` hands one in.".to_owned(),
        false => page.jobs.iter().map(line).collect::<Vec<_>>().join("\n"),
    });
    if let (Some(next), false) = (&page.next, printer.is_json()) {
        printer.remark(&format!("There are older ones: `jarvis jobs --before {next}`."));
    }
    Ok(Exit::Done)
}

/// Arguments as they were typed.
pub(super) fn raw(args: String) -> Result<Box<RawValue>> {
    RawValue::from_string(args).map_err(|error| {
        Stop::invalid(format!("the arguments are not JSON: {error}. Write for example '{{\"container\":\"web\"}}'"))
    })
}

async fn start(connection: &Connection, printer: &Printer, wanted: JobWanted) -> Result {
    let JobWanted { tool, args, key, follow: wait } = wanted;
    let client = connection.client()?;
    let body = JobBody { tool, args: Some(raw(args)?), key, run_at: None };
    let job: JobInfo = client.post("/api/jobs", &body, None).await?;
    if wait {
        printer.remark(&format!("{} is handed in; Ctrl-C ends only the looking on.", job.id));
        return follow(&client, printer, &job.id, 0).await;
    }
    printer
        .answer(&job, || format!("{} is handed in ({}). `jarvis job output {}` looks on.", job.id, job.title, job.id));
    Ok(Exit::Done)
}

async fn show(connection: &Connection, printer: &Printer, id: &str, wait: u32) -> Result {
    let client = connection.client()?;
    let path = format!("/api/jobs/{}", path_segment(id));
    let job: JobInfo = match wait {
        0 => client.get(&path).await?,
        seconds => client.get_waiting(&path, seconds).await?,
    };
    printer.answer(&job, || words(&job));
    Ok(Exit::Done)
}

async fn cancel(connection: &Connection, printer: &Printer, id: &str) -> Result {
    let path = format!("/api/jobs/{}/cancel", path_segment(id));
    let answer: CancelInfo = connection.client()?.post(&path, &serde_json::json!({}), None).await?;
    printer.answer(&answer, || match answer.state.as_str() {
        "cancelled" => format!("{id} is cancelled; it had not begun."),
        "stopping" => format!("{id} is being stopped; `jarvis job show {id}` tells what came of it."),
        state => format!("{id} had ended before: {state}."),
    });
    Ok(match answer.state.as_str() {
        "cancelled" | "stopping" => Exit::Done,
        _ => Exit::Refused,
    })
}

/// Prints what a job puts out until it has ended, also over restarts of the server, and answers how it ended.
async fn follow(client: &Client, printer: &Printer, id: &str, mut after: u64) -> Result {
    let (mut told, mut away, mut begun) = (String::new(), 0, false);
    loop {
        let mut last = None;
        match client.job_stream(&path_segment(id), after).await {
            Ok(mut stream) => {
                (away, begun) = (0, true);
                while let Some(message) = stream.next().await {
                    match message {
                        Message::Output(piece) => {
                            after = piece.number;
                            printer.answer(&*piece, || piece.text.trim_end_matches('\n').to_owned());
                        }
                        Message::Job(job) => {
                            tell(printer, &job, &mut told);
                            last = Some(job);
                        }
                        Message::Event(_) | Message::Frame(_) => {}
                    }
                    if printer.is_shut() {
                        return Ok(Exit::Done);
                    }
                }
            }
            Err(ClientError::NoServer { .. } | ClientError::Cut { .. }) if begun && away < PATIENCE => away += 1,
            Err(error) => return Err(error.into()),
        }
        if let Some(job) = last.filter(|job| job.ended_at.is_some()) {
            printer.answer(&*job, || ending(&job));
            return Ok(Exit::of_state(&job.state));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Remarks that a person needs while a job goes on, each once.
fn tell(printer: &Printer, job: &JobInfo, told: &mut String) {
    let remark = match (job.state.as_str(), &job.approval) {
        ("waiting", Some(approval)) => {
            format!("It waits for approval {approval}: `jarvis approve {approval}` or the dashboard decides.")
        }
        ("queued", _) if job.attempt > 0 => {
            format!(
                "Attempt {} came to nothing ({}); it is tried again.",
                job.attempt,
                job.error.as_deref().unwrap_or("")
            )
        }
        _ => return,
    };
    if *told != remark {
        printer.remark(&remark);
        *told = remark;
    }
}

fn ending(job: &JobInfo) -> String {
    match (job.state.as_str(), &job.answer, &job.error) {
        ("done", Some(answer), _) => answer.words.clone(),
        ("unknown", _, error) => format!(
            "Nobody can tell what became of it: {}. Look at the target, then at `jarvis audit tail`.",
            error.as_deref().unwrap_or("it was cut off")
        ),
        (state, _, Some(error)) => format!("{state}: {error}"),
        (state, Some(answer), None) => format!("{state}: {}", answer.words),
        (state, None, None) => state.to_owned(),
    }
}

fn line(job: &JobInfo) -> String {
    let attempt = if job.attempt > 1 { format!(" (attempt {})", job.attempt) } else { String::new() };
    format!("{} {} {:<9} {:<14} {}{attempt}", job.id, clock_time(job.created_at), job.state, job.actor, job.title)
}

fn words(job: &JobInfo) -> String {
    let mut text = format!("{}\n  {} {}", line(job), job.kind, job.payload);
    if let Some(progress) = &job.progress {
        let total = progress.total.map(|total| format!(" of {total}")).unwrap_or_default();
        let _ = write!(text, "\n  {}{total} {}", progress.done, progress.text);
    }
    if let Some(approval) = &job.approval {
        let _ = write!(text, "\n  approval {approval}");
    }
    if let Some(schedule) = &job.schedule {
        let _ = write!(text, "\n  from schedule {schedule}");
    }
    if let Some(ended) = job.ended_at {
        let _ = write!(text, "\n  ended {}\n{}", clock_time(ended), ending(job));
    }
    text
}
