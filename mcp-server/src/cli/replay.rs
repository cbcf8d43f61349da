//! `replay`: whether the logs of a conversation hold what their own steps lead to.

use jarvis_client::wire::{ConversationReplay, TurnReplay};
use jarvis_safety::plain::{shorten, visible};

use super::call::path_segment;
use super::connect::Connection;
use super::exit::{Exit, Result};
use super::print::Printer;

/// Longest words of a person on the line of a turn, in characters.
const MAX_ASKED: usize = 80;

pub(super) async fn run(connection: &Connection, printer: &Printer, conversation: &str) -> Result {
    let path = format!("/api/conversations/{}/replay", path_segment(conversation));
    let found: ConversationReplay = connection.client()?.get(&path).await?;
    printer.answer(&found, || words(&found));
    Ok(if found.whole { Exit::Done } else { Exit::Failed })
}

fn words(found: &ConversationReplay) -> String {
    let mut lines: Vec<_> = found.turns.iter().flat_map(lines).collect();
    let turns = counted(found.turns.len(), "turn", "turns");
    let steps = counted(found.turns.iter().map(|turn| turn.steps.len()).sum(), "step", "steps");
    let diverging = found.turns.iter().filter(|turn| turn.divergence.is_some()).count();
    lines.push(match diverging {
        0 => format!("Replayed {turns}, {steps}: whole."),
        count => format!(
            "REPLAYED {turns}, {steps}: {} not hold what comes of a step. Where the steps of a turn, a tool's tier or a \
             prompt have changed since, that is to be expected; else look at the audit with `jarvis audit verify`.",
            counted(count, "log does", "logs do")
        ),
    });
    lines.join("\n")
}

/// A turn, and one line for each of its steps.
fn lines(turn: &TurnReplay) -> Vec<String> {
    let mut lines = vec![format!("{} {}: {}", turn.id, turn.state, shorten(&visible(&turn.asked), MAX_ASKED))];
    lines.extend(turn.steps.iter().map(|step| format!("{:>5} {} → {}", step.at, step.does, step.came)));
    if let Some(next) = &turn.next {
        lines.push(format!(" next {next}"));
    }
    if let Some(divergence) = &turn.divergence {
        lines.push(format!(
            "{:>5} DIVERGES: the step says: {} → the log holds: {}",
            divergence.at, divergence.step, divergence.log
        ));
    }
    lines
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
