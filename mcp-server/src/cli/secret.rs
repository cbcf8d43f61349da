//! `secret set`, `allow`, `list`, `remove` and `import`.

use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueHint};
use jarvis_client::wire::{ImportBody, ImportReport, SecretBody, SecretInfo, SecretList, SecretUse};
use serde_json::json;

use super::call::path_segment;
use super::connect::Connection;
use super::exit::{Exit, Result, Stop};
use super::print::Printer;

/// Longest file that is read, in bytes.
const MAX_FILE: u64 = 256 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum SecretCommand {
    /// Keep a secret, or give one another value; it is asked for, or read from standard input or a file.
    #[command(after_help = "Example: jarvis secret set github --file token.txt --allow http_fetch=api.github.com")]
    Set {
        /// 1 to 64 of A-Z a-z 0-9 _ . -; `secret://NAME` refers to it.
        name: String,
        /// Read the value from this file.
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
        /// What it is for.
        #[arg(long)]
        note: Option<String>,
        /// A tool that may hand it to a target; patterns; may be given several times, and replaces what was allowed.
        #[arg(long, value_name = "TOOL=TARGET")]
        allow: Vec<String>,
    },
    /// Say which tools may hand it to which targets; without any, only Jarvis's own settings can refer to it.
    Allow {
        /// Its name.
        name: String,
        /// A tool and a target, or patterns.
        #[arg(value_name = "TOOL=TARGET")]
        allow: Vec<String>,
    },
    /// List them, without their values.
    List,
    /// Take one out of use. Its value is struck out for 30 days longer.
    Remove {
        /// Its name.
        name: String,
    },
    /// Keep the variables of a `.env` file as secrets of their names.
    Import {
        /// The file.
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Also those that are there already.
        #[arg(long)]
        replace: bool,
    },
}

/// `secret …`.
pub(super) async fn run(connection: &Connection, printer: &Printer, command: SecretCommand) -> Result {
    match command {
        SecretCommand::Set { name, file, note, allow } => {
            let uses = if allow.is_empty() { None } else { Some(uses(&allow)?) };
            let client = connection.operator().await?;
            let body = SecretBody { value: Some(value(&name, file.as_deref())?), note, uses };
            let secret: SecretInfo = client.put(&path(&name), &body).await?;
            printer.answer(&secret, || line(&secret));
            if !printer.is_json() {
                printer.remark(&format!("`secret://{}` refers to it.", secret.name));
            }
            Ok(Exit::Done)
        }
        SecretCommand::Allow { name, allow } => {
            let body = SecretBody { value: None, note: None, uses: Some(uses(&allow)?) };
            let secret: SecretInfo = connection.operator().await?.put(&path(&name), &body).await?;
            printer.answer(&secret, || line(&secret));
            Ok(Exit::Done)
        }
        SecretCommand::List => list(connection, printer).await,
        SecretCommand::Remove { name } => {
            connection.operator().await?.delete(&path(&name)).await?;
            printer.answer(&json!({ "removed": name }), || format!("{name} is removed."));
            Ok(Exit::Done)
        }
        SecretCommand::Import { file, replace } => {
            let body = ImportBody { text: read(&file)?, replace };
            let report: ImportReport = connection.operator().await?.post("/api/secrets/import", &body, None).await?;
            printer.answer(&report, || imported(&report));
            Ok(Exit::Done)
        }
    }
}

async fn list(connection: &Connection, printer: &Printer) -> Result {
    let list: SecretList = connection.operator().await?.get("/api/secrets").await?;
    if let Some(fault) = &list.fault {
        printer.remark(&format!("The vault is closed: {fault}"));
    }
    printer.answer(&list, || match list.secrets.is_empty() {
        true => "There are no secrets; `jarvis secret set NAME` keeps one.".to_owned(),
        false => list.secrets.iter().map(line).collect::<Vec<_>>().join("\n"),
    });
    Ok(Exit::Done)
}

fn path(name: &str) -> String {
    format!("/api/secrets/{}", path_segment(name))
}

fn uses(given: &[String]) -> std::result::Result<Vec<SecretUse>, Stop> {
    let one = |text: &String| match text.split_once('=') {
        Some((tool, target)) => Ok(SecretUse { tool: tool.to_owned(), target: target.to_owned() }),
        None => Err(Stop::invalid(format!("`{text}` is not TOOL=TARGET; nothing was changed"))),
    };
    given.iter().map(one).collect()
}

/// Never from the command line, where every user of the machine can read it.
fn value(name: &str, file: Option<&Path>) -> std::result::Result<String, Stop> {
    let text = match file {
        Some(file) => read(file)?,
        None if std::io::stdin().is_terminal() => rpassword::prompt_password(format!("Value of {name}: "))
            .map_err(|error| Stop::new(Exit::Failed, format!("the value cannot be read: {error}")))?,
        None => limited(std::io::stdin(), "standard input")?,
    };
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn read(file: &Path) -> std::result::Result<String, Stop> {
    let shown = file.display().to_string();
    let open = std::fs::File::open(file).map_err(|error| Stop::invalid(format!("{shown} cannot be read: {error}")))?;
    limited(open, &shown)
}

fn limited(from: impl std::io::Read, shown: &str) -> std::result::Result<String, Stop> {
    let mut text = String::new();
    let read = from.take(MAX_FILE + 1).read_to_string(&mut text);
    let read = read.map_err(|error| Stop::invalid(format!("{shown} cannot be read: {error}")))?;
    if read as u64 > MAX_FILE {
        return Err(Stop::invalid(format!("{shown} has more than {MAX_FILE} bytes; nothing was kept")));
    }
    Ok(text)
}

fn line(secret: &SecretInfo) -> String {
    let uses: Vec<_> = secret.uses.iter().map(|allowed| format!("{}={}", allowed.tool, allowed.target)).collect();
    let uses = if uses.is_empty() { "Jarvis's own settings only".to_owned() } else { uses.join(" ") };
    let note = if secret.note.is_empty() { String::new() } else { format!("  {}", secret.note) };
    format!("{:<24} v{:<3} {uses}{note}", secret.name, secret.version)
}

fn imported(report: &ImportReport) -> String {
    let mut told = format!("Kept {}: {}", report.kept.len(), report.kept.join(", "));
    for skipped in &report.skipped {
        let name = if skipped.name.is_empty() { "?" } else { &skipped.name };
        told.push_str(&format!("\nLine {}, {name}: {}", skipped.line, skipped.why));
    }
    told
}
