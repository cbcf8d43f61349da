//! `say`: plain words, answered as they come.

use jarvis_client::wire::{SayBody, SayPlan, StatusInfo, TurnEntry, TurnInfo};
use jarvis_client::{Client, Message};

use super::call::{path_segment, tell_undo};
use super::connect::Connection;
use super::exit::{Exit, Result};
use super::print::Printer;

/// Prints the calls that a sentence would make.
pub(super) async fn plan(connection: &Connection, printer: &Printer, text: String) -> Result {
    let body = SayBody { text, plan: true, ..SayBody::default() };
    let plan: SayPlan = connection.client()?.post("/api/say", &body, None).await?;
    printer.answer(&plan, || match (&plan.question, plan.calls.is_empty()) {
        (Some(question), _) => question.clone(),
        (None, true) => "It would call nothing.".to_owned(),
        (None, false) => {
            let line =
                |call: &jarvis_client::wire::PlannedCall| format!("{:<7} {} {}", call.tier, call.tool, call.args);
            plan.calls.iter().map(line).collect::<Vec<_>>().join("\n")
        }
    });
    Ok(Exit::Done)
}

/// Says it, and prints the answer as it comes.
pub(super) async fn run(
    connection: &Connection,
    printer: &Printer,
    text: String,
    conversation: Option<String>,
    key: Option<String>,
) -> Result {
    let client = connection.client()?;
    let status: StatusInfo = client.get("/api/status").await?;
    // Opened before the words are sent, so that nothing of the answer is missed.
    let mut stream = client.stream(status.head, "turns").await?;
    let body = SayBody { text, conversation, key, ..SayBody::default() };
    let mut turn: TurnInfo = client.post("/api/say", &body, None).await?;
    let subject = format!("turn:{}", turn.id);
    let mut streamed = 0;
    while turn.state == "running" {
        match stream.next().await {
            Some(Message::Frame(frame)) if frame.subject == subject && frame.kind == "text" => {
                if !printer.is_json() {
                    streamed += show_delta(printer, &frame.data, frame.offset, streamed);
                }
            }
            Some(Message::Event(event)) if event.subject == turn.id && event.kind != "turn.step" => {
                turn = fetch(&client, &turn.id).await?;
            }
            Some(_) => {}
            None => {
                turn = fetch(&client, &turn.id).await?;
                stream = client.stream(status.head, "turns").await?;
            }
        }
    }
    if streamed > 0 {
        printer.line("");
    }
    printer.answer(&turn, || words(&turn, streamed > 0));
    for entry in &turn.entries {
        if let TurnEntry::Call { answer, .. } = entry {
            tell_undo(printer, answer);
        }
    }
    Ok(match turn.state.as_str() {
        "waiting" => Exit::Waiting,
        "done" => ended(&turn),
        _ => Exit::Failed,
    })
}

async fn fetch(client: &Client, id: &str) -> Result<TurnInfo> {
    Ok(client.get(&format!("/api/turns/{}", path_segment(id))).await?)
}

/// Prints what is new of a text frame and answers how many characters that was.
fn show_delta(printer: &Printer, data: &serde_json::Value, offset: u64, seen: usize) -> usize {
    let text = data.get("text").and_then(|text| text.as_str()).unwrap_or_default();
    let known = seen.saturating_sub(usize::try_from(offset).unwrap_or(usize::MAX));
    let fresh: String = text.chars().skip(known).collect();
    printer.piece(&fresh);
    fresh.chars().count()
}

fn words(turn: &TurnInfo, streamed: bool) -> String {
    let mut lines = Vec::new();
    for entry in &turn.entries {
        match entry {
            TurnEntry::Said { text, .. } if !streamed => lines.push(text.clone()),
            TurnEntry::Said { .. } => {}
            TurnEntry::Question { text, choices } => {
                lines.push(text.clone());
                lines.extend(choices.iter().map(|choice| format!("  · {choice}")));
            }
            TurnEntry::Note { text } => lines.push(format!("({text})")),
            TurnEntry::Call { answer, .. } => {
                if let (Some(approval), "waiting") = (&answer.approval, answer.state.as_str()) {
                    lines
                        .push(format!("{}\nWaits for approval {approval}: `jarvis approve {approval}`.", answer.words));
                }
            }
        }
    }
    lines.join("\n")
}

/// A turn is done when it is answered; whether its calls were is another matter.
fn ended(turn: &TurnInfo) -> Exit {
    let states = turn.entries.iter().filter_map(|entry| match entry {
        TurnEntry::Call { answer, .. } => Some(Exit::of_state(&answer.state)),
        _ => None,
    });
    states.rev().find(|exit| *exit != Exit::Done).unwrap_or(Exit::Done)
}
