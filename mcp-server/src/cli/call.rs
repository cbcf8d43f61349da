//! `call`.

use jarvis_client::wire::{CallAnswer, CallBody};

use super::connect::Connection;
use super::exit::{Exit, Result};
use super::job::raw;
use super::print::Printer;

pub(super) async fn run(
    connection: &Connection,
    printer: &Printer,
    tool: String,
    args: String,
    key: Option<String>,
    wait: u32,
) -> Result {
    let body = CallBody { tool, args: Some(raw(args)?), key };
    let answer: CallAnswer = connection.client()?.post("/api/call", &body, Some(wait)).await?;
    Ok(show(printer, &answer))
}

/// An id as part of a path.
pub(super) fn path_segment(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Prints what came of a call.
pub(super) fn show(printer: &Printer, answer: &CallAnswer) -> Exit {
    let exit = Exit::of_state(&answer.state);
    printer.answer(answer, || match (exit, &answer.approval) {
        (Exit::Waiting, Some(approval)) => format!(
            "{}\nIt waits for approval {approval} ({}). Decide with `jarvis approve {approval}` or on the dashboard.",
            answer.words, answer.rule
        ),
        _ => answer.words.clone(),
    });
    tell_undo(printer, answer);
    exit
}

/// How a person takes it back, where that can be done. Programs read it in the answer.
pub(super) fn tell_undo(printer: &Printer, answer: &CallAnswer) {
    if let (Some(call), true, false) = (&answer.call, answer.undoable, printer.is_json()) {
        printer.remark(&format!("Take it back with `jarvis undo {call}`."));
    }
}
