//! `approvals`, `approve` and `deny`.

use std::fmt::Write as _;

use jarvis_client::wire::{ApprovalInfo, ApprovalList, ApproveBody, DenyBody};

use super::call::{path_segment, tell_undo};
use super::connect::Connection;
use super::exit::{Exit, Result};
use super::print::Printer;

/// Cards that the server gives at once.
const MOST: usize = 200;

pub(super) async fn list(connection: &Connection, printer: &Printer, all: bool) -> Result {
    let state = if all { "all" } else { "pending" };
    let list: ApprovalList = connection.client()?.get(&format!("/api/approvals?state={state}&limit={MOST}")).await?;
    printer.answer(&list, || match list.approvals.is_empty() {
        true => "Nothing waits for a decision.".to_owned(),
        false => list.approvals.iter().map(card).collect::<Vec<_>>().join("\n\n"),
    });
    if list.approvals.len() >= MOST {
        printer.remark(&format!("These are the newest {MOST}; there may be more."));
    }
    Ok(Exit::Done)
}

pub(super) async fn approve(
    connection: &Connection,
    printer: &Printer,
    id: &str,
    without: Vec<u32>,
    wait: u32,
) -> Result {
    let client = connection.operator().await?;
    let path = format!("/api/approvals/{}/approve", path_segment(id));
    let card: ApprovalInfo = client.post(&path, &ApproveBody { without }, Some(wait)).await?;
    printer.answer(&card, || outcome(&card));
    for answer in card.steps.iter().filter_map(|step| step.answer.as_ref()) {
        tell_undo(printer, answer);
    }
    Ok(match card.state.as_str() {
        // It was approved and runs; nothing is left to decide.
        "approved" | "running" => Exit::Done,
        state => Exit::of_state(state),
    })
}

pub(super) async fn deny(connection: &Connection, printer: &Printer, id: &str, because: String) -> Result {
    let client = connection.operator().await?;
    let path = format!("/api/approvals/{}/deny", path_segment(id));
    let card: ApprovalInfo = client.post(&path, &DenyBody { because }, None).await?;
    printer.answer(&card, || format!("Denied: {}", sentence(&card)));
    Ok(Exit::Done)
}

fn sentence(card: &ApprovalInfo) -> String {
    card.steps.iter().map(|step| step.preview.sentence.as_str()).collect::<Vec<_>>().join(" Then: ")
}

fn card(card: &ApprovalInfo) -> String {
    let mut text = format!("{} · {} · {}\n", card.id, card.tier, card.state);
    for (step, number) in card.steps.iter().zip(1..) {
        let preview = &step.preview;
        let place = if card.steps.len() > 1 { format!("{number}. ") } else { String::new() };
        let _ = writeln!(text, "  {place}{}", preview.sentence);
        let _ = writeln!(text, "  {} {} = {}", preview.target.kind, preview.target.name, preview.target.id);
        for effect in &preview.effects {
            let _ = writeln!(text, "  · {effect}");
        }
        if let Some(undo) = &preview.undo {
            let _ = writeln!(text, "  undo: {undo}");
        }
    }
    let chosen = match card.vouching.as_str() {
        "model" => Some("chosen by the client's own model: what it has read is not known here"),
        "led" => Some("chosen by the client's own model, which has read what strangers may have written"),
        "unvouched" => Some("chosen with words by strangers in sight; yours do not order it"),
        _ => None,
    };
    if let Some(chosen) = chosen {
        let _ = writeln!(text, "  {chosen}");
    }
    if !card.unvouched.is_empty() {
        let _ = writeln!(text, "  nothing vouches for: {}", card.unvouched.join(", "));
    }
    if card.proposes_grant {
        let _ =
            writeln!(text, "  this was approved twice within a week: `jarvis grant create --of {}` spares it", card.id);
    }
    let _ = write!(text, "  asked by {} over {} · rule: {}", card.actor_name, card.face, card.rule);
    text
}

fn outcome(card: &ApprovalInfo) -> String {
    let words = card.steps.iter().filter_map(|step| match &step.answer {
        Some(answer) => Some(answer.words.clone()),
        None if step.state == "denied" => Some(format!("Left out: {}", step.preview.sentence)),
        None => None,
    });
    let words: Vec<_> = words.collect();
    match (card.state.as_str(), &card.because) {
        (_, Some(because)) => format!("{}: {because}", card.state),
        ("approved" | "running", None) => format!("Approved; it runs: {}", sentence(card)),
        _ => words.join("\n"),
    }
}
