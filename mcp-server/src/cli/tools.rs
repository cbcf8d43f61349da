//! `tools`, and what the program knows about itself: `openapi` and `completions`.

use jarvis_client::wire::{ToolInfo, ToolList};

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::arguments::Arguments;
use super::connect::Connection;
use super::exit::{Exit, Result, Stop};
use super::print::Printer;

pub(super) async fn run(connection: &Connection, printer: &Printer, name: Option<&str>) -> Result {
    let list: ToolList = connection.client()?.get("/api/tools").await?;
    let Some(name) = name else {
        printer.answer(&list, || list.tools.iter().map(line).collect::<Vec<_>>().join("\n"));
        return Ok(Exit::Done);
    };
    let found = list.tools.iter().find(|tool| tool.name == name);
    let tool = found.ok_or_else(|| Stop {
        code: "unknown_tool".to_owned(),
        ..Stop::new(Exit::Refused, format!("there is no tool `{name}`; `jarvis tools` lists them"))
    })?;
    printer.answer(tool, || page(tool));
    Ok(Exit::Done)
}

pub(super) fn openapi(printer: &Printer) -> Result {
    let document = jarvis_web::openapi();
    let text = document.to_pretty_json().map_err(|error| Stop::new(Exit::Failed, error.to_string()))?;
    printer.answer(&document, || text);
    Ok(Exit::Done)
}

pub(super) fn completions(printer: &Printer, shell: Shell) -> Result {
    // Into memory first: the generator panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "jarvis", &mut script);
    let script = String::from_utf8(script).map_err(|error| Stop::new(Exit::Failed, error.to_string()))?;
    match printer.is_json() {
        true => printer.answer(&serde_json::json!({ "shell": shell.to_string(), "script": script }), String::new),
        false => printer.write(&script),
    }
    Ok(Exit::Done)
}

fn line(tool: &ToolInfo) -> String {
    format!("{:<7} {:<22} {}", tool.tier, tool.name, tool.description)
}

fn page(tool: &ToolInfo) -> String {
    let schema = serde_json::to_string_pretty(&tool.input).unwrap_or_default();
    format!(
        "{} · {} · {}\n{}\n\nSay for example:\n  {}\n\nArguments:\n{schema}",
        tool.name,
        tool.tier,
        tool.effects.join(", "),
        tool.description,
        tool.examples.join("\n  ")
    )
}
