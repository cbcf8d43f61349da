//! Turns: the log of entries, folded into what a person reads.
//!
//! ```text
//! Routed                               ─► footer
//! Model{text, tokens} · Said           ─► said
//! Partial                              ─► said, cut when the turn has ended without more
//! Cut                                  ─► said, cut
//! Called → Waiting → Answered (index)  ─► one call, in the place where it was called
//! Asked                                ─► question
//! Ended                                ─► footer
//! ```

use std::collections::HashMap;

use jarvis_client::wire::{CallAnswer, ConversationInfo, TurnEntry, TurnFooter, TurnInfo};
use jarvis_safety::ApprovalId;
use jarvis_safety::approval::Approval;
use jarvis_safety::conversation::{CallEnd, Conversation, Entry, Turn, TurnState};

use super::call;

/// A conversation in a list.
#[must_use]
pub fn conversation(conversation: &Conversation) -> ConversationInfo {
    ConversationInfo {
        id: conversation.id.to_string(),
        title: conversation.title.clone(),
        created_at: conversation.created_at,
        updated_at: conversation.updated_at,
        turns: conversation.turns,
    }
}

/// A turn with its log. `declared` tells the tier that a tool declares: what is shown until the gate has classified
/// the call.
#[must_use]
pub fn turn(turn: &Turn, log: &[Entry], declared: impl Fn(&str) -> &'static str) -> TurnInfo {
    let mut fold = Fold { ended: turn.state, ..Fold::default() };
    for entry in log {
        fold.entry(entry, &declared);
    }
    TurnInfo {
        id: turn.id.to_string(),
        conversation: turn.conversation.to_string(),
        parent: turn.parent.as_ref().map(ToString::to_string),
        actor: turn.actor.to_string(),
        asked: turn.asked.clone(),
        state: turn.state.as_str().to_owned(),
        footer: fold.footer(),
        entries: fold.entries,
        created_at: turn.created_at,
    }
}

/// Adds to the call that waits what its card knows: tier and target as classified, the sentence, and until when.
pub fn add_card(turn: &mut TurnInfo, card: &Approval) {
    let id = card.id.to_string();
    for entry in &mut turn.entries {
        if let TurnEntry::Call { answer, .. } = entry
            && answer.state == "waiting"
            && answer.approval.as_ref() == Some(&id)
        {
            **answer = call::waiting(card);
        }
    }
}

/// The cards that calls of this turn wait for.
#[must_use]
pub fn open_cards(log: &[Entry]) -> Vec<ApprovalId> {
    let answered =
        |wanted: u32| log.iter().any(|entry| matches!(entry, Entry::Answered { index, .. } if *index == wanted));
    let waiting = log.iter().filter_map(|entry| match entry {
        Entry::Waiting { index, approval } if !answered(*index) => Some(approval.clone()),
        _ => None,
    });
    waiting.collect()
}

struct Fold {
    entries: Vec<TurnEntry>,
    calls: HashMap<u32, usize>,
    route: Option<(String, String, Option<String>)>,
    tokens_in: Option<u64>,
    tokens_out: Option<u64>,
    millis: Option<u64>,
    ended: TurnState,
}

impl Default for Fold {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            calls: HashMap::new(),
            route: None,
            tokens_in: None,
            tokens_out: None,
            millis: None,
            ended: TurnState::Running,
        }
    }
}

impl Fold {
    fn entry(&mut self, entry: &Entry, declared: &impl Fn(&str) -> &'static str) {
        match entry {
            Entry::Routed { route, why, model } => {
                self.route = Some((route.clone(), why.clone(), model.clone()));
            }
            Entry::Model { text, tokens_in, tokens_out, .. } => {
                add(&mut self.tokens_in, *tokens_in);
                add(&mut self.tokens_out, *tokens_out);
                self.said(text, false);
            }
            Entry::Partial { text } => self.said(text, self.ended != TurnState::Running),
            Entry::Cut { text } => self.said(text, true),
            Entry::Said { text } => self.said(text, false),
            Entry::Called { index, tool, args } => {
                self.calls.insert(*index, self.entries.len());
                let answer = call::bare(tool, declared(tool), "running");
                self.entries.push(TurnEntry::Call { args: args.clone(), answer: Box::new(answer) });
            }
            Entry::Waiting { index, approval } => self.change(*index, |answer| {
                "waiting".clone_into(&mut answer.state);
                answer.approval = Some(approval.to_string());
            }),
            Entry::Answered { index, answer: end } => {
                self.change(*index, |answer| *answer = ended(answer, end));
            }
            Entry::Asked { text, choices } => {
                self.entries.push(TurnEntry::Question { text: text.clone(), choices: choices.clone() });
            }
            Entry::Note { text } => self.entries.push(TurnEntry::Note { text: text.clone() }),
            Entry::Ended { millis, .. } => self.millis = Some(*millis),
        }
    }

    fn said(&mut self, text: &str, cut: bool) {
        if !text.trim().is_empty() {
            self.entries.push(TurnEntry::Said { text: text.to_owned(), cut });
        }
    }

    fn change(&mut self, index: u32, change: impl FnOnce(&mut CallAnswer)) {
        let entry = self.calls.get(&index).and_then(|place| self.entries.get_mut(*place));
        if let Some(TurnEntry::Call { answer, .. }) = entry {
            change(answer);
        }
    }

    fn footer(&self) -> Option<TurnFooter> {
        let millis = self.millis?;
        let (route, why, model) = self.route.clone()?;
        Some(TurnFooter { route, why, model, tokens_in: self.tokens_in, tokens_out: self.tokens_out, millis })
    }
}

fn add(sum: &mut Option<u64>, more: Option<u64>) {
    if let Some(more) = more {
        *sum = Some(sum.unwrap_or(0).saturating_add(more));
    }
}

/// A call that waited keeps the card that it was executed by.
fn ended(before: &CallAnswer, end: &CallEnd) -> CallAnswer {
    let answer = match end {
        CallEnd::Ran { outcome } => call::outcome(outcome),
        CallEnd::Refused { refusal } => call::refused(&before.tool, &before.tier, refusal),
    };
    CallAnswer { approval: before.approval.clone(), ..answer }
}
