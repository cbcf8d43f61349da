//! What the log of a turn says, put in order.

use jarvis_safety::ApprovalId;
use jarvis_safety::conversation::{CallEnd, Entry, ModelCall};
use serde_json::Value;

/// A call of a turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallView<'a> {
    pub(crate) index: u32,
    pub(crate) tool: &'a str,
    pub(crate) args: &'a Value,
    /// The card that it waits for, or waited for.
    pub(crate) card: Option<&'a ApprovalId>,
    pub(crate) end: Option<&'a CallEnd>,
}

/// How a turn is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// By rule.
    Rule,
    /// By the model of this name.
    Model(&'a str),
}

/// A log, read once.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    pub(crate) route: Option<Route<'a>>,
    pub(crate) calls: Vec<CallView<'a>>,
    /// Calls that the model asked for, in order; the first ones have become `calls`.
    pub(crate) wanted: Vec<&'a ModelCall>,
    /// How many answers the model gave.
    pub(crate) answers: usize,
    /// How many calls the last answer asked for, and its words.
    pub(crate) last: Option<(usize, &'a str)>,
    /// How often in a row an answer broke off.
    pub(crate) cuts: usize,
    /// Words that were being said when the log ends.
    pub(crate) partial: Option<&'a str>,
    pub(crate) ended: bool,
}

impl<'a> Reading<'a> {
    pub(crate) fn of(log: &'a [Entry]) -> Self {
        let mut read = Self {
            route: None,
            calls: Vec::new(),
            wanted: Vec::new(),
            answers: 0,
            last: None,
            cuts: 0,
            partial: None,
            ended: false,
        };
        for entry in log {
            read.take(entry);
        }
        read
    }

    fn take(&mut self, entry: &'a Entry) {
        self.partial = None;
        match entry {
            Entry::Routed { route, model, .. } => {
                self.route = Some(if route == "model" {
                    Route::Model(model.as_deref().unwrap_or_default())
                } else {
                    Route::Rule
                });
            }
            Entry::Model { text, calls, .. } => {
                self.answers += 1;
                self.cuts = 0;
                self.last = Some((calls.len(), text));
                self.wanted.extend(calls);
            }
            Entry::Partial { text } => self.partial = Some(text),
            Entry::Cut { .. } => self.cuts += 1,
            Entry::Called { index, tool, args } => {
                self.calls.push(CallView { index: *index, tool, args, card: None, end: None });
            }
            Entry::Waiting { index, approval } => {
                if let Some(call) = self.calls.iter_mut().find(|call| call.index == *index) {
                    call.card = Some(approval);
                }
            }
            Entry::Answered { index, answer } => {
                if let Some(call) = self.calls.iter_mut().find(|call| call.index == *index) {
                    call.end = Some(answer);
                }
            }
            Entry::Ended { .. } => self.ended = true,
            Entry::Said { .. } | Entry::Asked { .. } | Entry::Note { .. } => {}
        }
    }

    /// Calls without an outcome.
    pub(crate) fn open(&self) -> impl Iterator<Item = &CallView<'a>> {
        self.calls.iter().filter(|call| call.end.is_none())
    }
}

impl CallView<'_> {
    /// Whether it ran and did what it should.
    pub(crate) fn succeeded(&self) -> bool {
        matches!(self.end, Some(CallEnd::Ran { outcome }) if outcome.state == jarvis_safety::call::CallState::Done)
    }
}
