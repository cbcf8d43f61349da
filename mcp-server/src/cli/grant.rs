//! `grant create`, `list` and `revoke`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::{Args, Subcommand};
use jarvis_client::wire::{GrantBody, GrantInfo, GrantList, GrantTrial};
use serde_json::{Value, json};

use super::audit::clock_time;
use super::call::path_segment;
use super::connect::Connection;
use super::exit::{Exit, Result, Stop};
use super::print::Printer;
use super::span::minutes;

/// Questions of the past that are shown.
const SHOWN: usize = 20;

#[derive(Debug, Subcommand)]
pub(super) enum GrantCommand {
    /// Give one: a number of calls, for a time. Red calls are asked all the same.
    #[command(after_help = "Examples: jarvis grant create docker_stop --target web --calls 5 --for 8h\n\
                                       jarvis grant create --of appr_01m7y712k7etmvpk3cb77ryrd6 --try")]
    Create(GrantWanted),
    /// List them, those that have ended too.
    List,
    /// Take one back. What it has let begin goes on.
    #[command(after_help = "Example: jarvis grant revoke grant_01m7y712k7etmvpk3cb77ryrd6")]
    Revoke {
        /// Id of the grant, as `jarvis grant list` shows it.
        #[arg(value_name = "ID")]
        grant: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct GrantWanted {
    /// Name of a tool, or a pattern with `*` and `?`.
    #[arg(required_unless_present = "of", conflicts_with = "of")]
    pub(super) tool: Option<String>,
    /// Exactly what this card asked: the same call of the same caller on the same target.
    #[arg(long, value_name = "APPROVAL", conflicts_with_all = ["target", "target_id", "actor", "when", "like"])]
    pub(super) of: Option<String>,
    /// Name of the target, or a pattern; left out: any. Another thing may come to bear the same name.
    #[arg(long, value_name = "NAME")]
    pub(super) target: Option<String>,
    /// Whole id of the target, as a card shows it.
    #[arg(long, value_name = "ID")]
    pub(super) target_id: Option<String>,
    /// Id of whoever calls, as the history shows it; left out: any.
    #[arg(long, value_name = "ID")]
    pub(super) actor: Option<String>,
    /// An argument and its value, as JSON or as text; may be given several times.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) when: Vec<String>,
    /// An argument that is a text, and a pattern; may be given several times.
    #[arg(long, value_name = "NAME=PATTERN")]
    pub(super) like: Vec<String>,
    /// Most calls that it lets through.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) calls: u32,
    /// How long it lives, at most 30d.
    #[arg(long = "for", value_name = "30m|8h|7d", default_value = "24h", value_parser = |text: &str| minutes(text, 30))]
    pub(super) minutes: u32,
    /// Give nothing: tell which questions of the past it would have answered.
    #[arg(long = "try")]
    pub(super) only_try: bool,
}

/// `grant …`.
pub(super) async fn run(connection: &Connection, printer: &Printer, command: GrantCommand) -> Result {
    match command {
        GrantCommand::Create(wanted) => create(connection, printer, wanted).await,
        GrantCommand::List => list(connection, printer).await,
        GrantCommand::Revoke { grant } => revoke(connection, printer, &grant).await,
    }
}

async fn create(connection: &Connection, printer: &Printer, wanted: GrantWanted) -> Result {
    let client = connection.operator().await?;
    let (calls, minutes, only_try, of) = (wanted.calls, wanted.minutes, wanted.only_try, wanted.of.is_some());
    let body = match &wanted.of {
        Some(card) => {
            let path = format!("/api/approvals/{}/grant", path_segment(card));
            GrantBody { calls, minutes, ..client.get(&path).await? }
        }
        None => body(wanted)?,
    };
    if only_try {
        let trial: GrantTrial = client.post("/api/grants/trial", &body, None).await?;
        printer.answer(&trial, || tried(&trial));
        return Ok(Exit::Done);
    }
    let grant: GrantInfo = client.post("/api/grants", &body, None).await?;
    printer.answer(&grant, || line(&grant));
    if !printer.is_json() {
        let waits = if of { " The question itself still waits: `jarvis approve`." } else { "" };
        printer.remark(&format!(
            "Such calls run without being asked. `jarvis grant revoke {}` takes it back.{waits}",
            grant.id
        ));
    }
    Ok(Exit::Done)
}

fn body(wanted: GrantWanted) -> std::result::Result<GrantBody, Stop> {
    let mut when = BTreeMap::new();
    for (given, like) in
        wanted.when.iter().map(|given| (given, false)).chain(wanted.like.iter().map(|given| (given, true)))
    {
        let Some((name, value)) = given.split_once('=') else {
            return Err(Stop::invalid(format!("`{given}` is not NAME=VALUE; nothing was granted")));
        };
        when.insert(name.to_owned(), if like { json!({ "like": value }) } else { exact(value) });
    }
    let GrantWanted { tool, target, target_id, actor, calls, minutes, .. } = wanted;
    Ok(GrantBody { tool: tool.unwrap_or_default(), target, target_id, actor, when, only: false, calls, minutes })
}

/// What is no JSON is a text, and so is a number that would be written otherwise: the tag `1.10` is not `1.1`.
fn exact(value: &str) -> Value {
    match serde_json::from_str::<Value>(value) {
        Ok(Value::Number(number)) if number.to_string() != value => Value::from(value),
        Ok(read) => read,
        Err(_) => Value::from(value),
    }
}

async fn list(connection: &Connection, printer: &Printer) -> Result {
    let list: GrantList = connection.operator().await?.get("/api/grants").await?;
    printer.answer(&list, || match list.grants.is_empty() {
        true => "There are no grants; `jarvis grant create --of APPROVAL` gives one for a question.".to_owned(),
        false => list.grants.iter().map(line).collect::<Vec<_>>().join("\n"),
    });
    Ok(Exit::Done)
}

async fn revoke(connection: &Connection, printer: &Printer, id: &str) -> Result {
    connection.operator().await?.delete(&format!("/api/grants/{}", path_segment(id))).await?;
    printer.answer(&json!({ "revoked": id }), || format!("{id} is taken back."));
    Ok(Exit::Done)
}

fn line(grant: &GrantInfo) -> String {
    let until = clock_time(grant.expires_at);
    let mut line =
        format!("{} {:<7} {}/{} until {until} {}", grant.id, grant.state, grant.used, grant.calls, grant.tool);
    let _ = match (&grant.target, &grant.target_id) {
        (None, None) => write!(line, ", any target"),
        (Some(name), None) => write!(line, ", target {name}"),
        (None, Some(id)) => write!(line, ", target id {id}"),
        (Some(name), Some(id)) => write!(line, ", target {name} with id {id}"),
    };
    let _ = match &grant.actor {
        Some(actor) => write!(line, ", caller {actor}"),
        None => write!(line, ", any caller"),
    };
    for (name, value) in &grant.when {
        let _ = match value.get("like") {
            Some(pattern) => write!(line, ", {name} like {pattern}"),
            None => write!(line, ", {name} {value}"),
        };
    }
    line
}

fn tried(trial: &GrantTrial) -> String {
    let (all, looked) = (trial.spared.len(), trial.looked);
    let calls = if all == 1 { "call" } else { "calls" };
    let mut told =
        format!("It would have answered {all} {calls} of the newest {looked} questions. Nothing was granted.");
    for spared in trial.spared.iter().take(SHOWN) {
        let _ = write!(told, "\n{} {:<9} {:<6} {}", spared.approval, spared.answer, spared.tier, spared.sentence);
    }
    if all > SHOWN {
        let _ = write!(told, "\n… and {} more", all - SHOWN);
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_as_it_is_written() {
        assert_eq!(exact("5"), json!(5));
        assert_eq!(exact("true"), json!(true));
        assert_eq!(exact("\"5\""), json!("5"));
        assert_eq!(exact("[\"-h\"]"), json!(["-h"]));
        for text in ["1.10", "1e3", "007", "web", "", "-0"] {
            assert_eq!(exact(text), json!(text), "{text}");
        }
    }
}
