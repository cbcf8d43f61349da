//! `undo`: of a call, or of a whole turn.

use std::fmt::Write as _;

use jarvis_client::wire::{ApprovalInfo, CallAnswer, UndoPreview, UndoStep};
use serde::{Deserialize, Serialize};

use super::call::{path_segment, show as show_answer};
use super::connect::Connection;
use super::exit::{Exit, Result};
use super::print::Printer;

/// What the server answers to the undo of a turn.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum TurnUndone {
    Ran { answers: Vec<CallAnswer> },
    Waiting(Box<ApprovalInfo>),
}

/// Shows what would be done.
pub(super) async fn show(connection: &Connection, printer: &Printer, id: &str) -> Result {
    let preview: UndoPreview = connection.client()?.get(&path(id)).await?;
    printer.answer(&preview, || preview.steps.iter().map(told).collect::<Vec<_>>().join("\n"));
    Ok(Exit::Done)
}

/// Does it.
pub(super) async fn run(connection: &Connection, printer: &Printer, id: &str, wait: u32) -> Result {
    let (client, path) = (connection.client()?, path(id));
    let nothing = serde_json::json!({});
    if !is_turn(id) {
        let answer: CallAnswer = client.post(&path, &nothing, Some(wait)).await?;
        return Ok(show_answer(printer, &answer));
    }
    let undone: TurnUndone = client.post(&path, &nothing, Some(wait)).await?;
    let answers = match &undone {
        TurnUndone::Waiting(card) => {
            printer.answer(&undone, || {
                let steps = card.steps.iter().map(|step| step.preview.sentence.as_str()).collect::<Vec<_>>();
                let (id, told) = (&card.id, steps.join("\n"));
                format!("{told}\nIt waits for approval {id} ({}). Decide with `jarvis approve {id}`.", card.rule)
            });
            return Ok(Exit::Waiting);
        }
        TurnUndone::Ran { answers } => answers,
    };
    printer.answer(&undone, || answers.iter().map(|answer| answer.words.as_str()).collect::<Vec<_>>().join("\n"));
    Ok(answers
        .iter()
        .map(|answer| Exit::of_state(&answer.state))
        .find(|exit| *exit != Exit::Done)
        .unwrap_or(Exit::Done))
}

fn told(step: &UndoStep) -> String {
    let Some(preview) = &step.preview else {
        let why = step.unseen.as_deref().unwrap_or_default();
        return format!("{} · decided when it is its turn: {why}", step.tool);
    };
    let mut text = format!("{} · {} ({})", preview.tier, preview.sentence, preview.verdict);
    for effect in &preview.effects {
        let _ = write!(text, "\n  · {effect}");
    }
    if let Some(diff) = &preview.diff {
        let _ = write!(text, "\n{diff}");
    }
    text
}

fn is_turn(id: &str) -> bool {
    id.starts_with("turn_")
}

fn path(id: &str) -> String {
    let kind = if is_turn(id) { "turns" } else { "calls" };
    format!("/api/{kind}/{}/undo", path_segment(id))
}
