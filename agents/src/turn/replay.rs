//! Replaying a turn: its persisted log, explained step by step by [`step`](super::step::step) and nothing else.
//!
//! Wherever a step began, `step` is asked anew what comes next, and what the log holds there must be something that the
//! driver writes when it carries that out. Nothing is run, asked or written.
//!
//! ```text
//! Keep · End                  ─► exactly these entries
//! AskRules · AskModel         ─► one of the shapes in which rules and model are written down
//! Call · Plan · Await         ─► a card or an outcome for each of these calls, in order
//! any of the last five        ─► or the turn ends here: a person stopped it, or it failed with a note
//! ```
//!
//! Where the words end that a step was about, and where the next one begins, is not kept. It follows from the shapes;
//! where two would do, what follows from the log alone is taken for just that.
//!
//! What rules, a model, the gate and people said is taken as it stands. So a log that an older Jarvis wrote may diverge
//! where `step` has changed since, or what it looks at: the declared tier of a tool, or the words of an answer and the
//! prompts that they are made with. A turn that is open and diverges is still gone on with, from what its log says.

use jarvis_safety::conversation::{CallEnd, Entry, Turn, TurnState};
use jarvis_safety::kernel::Registry;
use jarvis_safety::plain::{shorten, visible};

use crate::prompt::Prompts;

use super::reading::{CallView, Reading, Route};
use super::step::{Effect, Facts, step};

/// Longest text of an entry in the words of a step, in characters.
const BRIEF: usize = 80;
/// Longest text of an entry where log and step diverge.
const LONG: usize = 2_000;
/// Longest words for all entries of a step.
const MAX_CAME: usize = 400;

/// What replaying a turn found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replay {
    /// The steps that the log holds, in order, up to its end or to where it diverges.
    pub steps: Vec<ReplayedStep>,
    /// What an open turn would do next.
    pub next: Option<String>,
    /// Where the log first holds something else than what comes of a step.
    pub divergence: Option<Divergence>,
}

/// A step that the log holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayedStep {
    /// Position of its first entry in the log, from 0.
    pub at: usize,
    /// What it was to do, in words on one line.
    pub does: String,
    /// What came of it, in words on one line.
    pub came: String,
}

/// A log that does not hold what its own beginning leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// Position of the first entry that is not explained, from 0; the length of the log if one is missing at its end.
    pub at: usize,
    /// What the step says, in words on one line.
    pub step: String,
    /// What the log holds instead, in words on one line.
    pub log: String,
}

/// Replays a turn with the tools and prompts that there are now. Pure.
#[must_use]
pub fn replay(turn: &Turn, log: &[Entry], registry: &Registry, prompts: &Prompts) -> Replay {
    let facts = Facts { registry, prompts };
    let open = !ended(turn.state);
    let (mut replay, mut at) = (Replay::default(), 0);
    while at < log.len() {
        let place = Place { log, at, facts: &facts, open };
        let effects = step(&log[..at], &facts);
        match place.explain(&effects) {
            Ok(taken) => {
                let came = log[at..at + taken].iter().map(|entry| told(entry, BRIEF)).collect::<Vec<_>>().join("; ");
                let does = wish(&effects, &log[..at]);
                replay.steps.push(ReplayedStep { at, does, came: shorten(&came, MAX_CAME) });
                at += taken;
            }
            Err(offset) => {
                replay.divergence = Some(place.divergence(&effects, offset));
                return replay;
            }
        }
    }
    let next = wish(&step(log, &facts), log);
    match (log.last(), open) {
        (Some(Entry::Ended { state, .. }), _) if *state == turn.state => {}
        (Some(last @ Entry::Ended { .. }), _) => {
            let step = format!("nothing of this: the turn is {}", turn.state.as_str());
            replay.divergence = Some(Divergence { at: log.len() - 1, step, log: told(last, LONG) });
        }
        (_, true) => replay.next = Some(next),
        (_, false) => {
            let log_holds = format!("nothing more, although the turn is {}", turn.state.as_str());
            replay.divergence = Some(Divergence { at: log.len(), step: next, log: log_holds });
        }
    }
    replay
}

const fn ended(state: TurnState) -> bool {
    matches!(state, TurnState::Done | TurnState::Stopped | TurnState::Failed)
}

/// Where a step began in the log of a turn.
struct Place<'a> {
    log: &'a [Entry],
    at: usize,
    facts: &'a Facts<'a>,
    /// Whether the turn is still open.
    open: bool,
}

impl Place<'_> {
    /// How many entries these effects explain, or after how many the log holds something else.
    fn explain(&self, effects: &[Effect]) -> Result<usize, usize> {
        let read = Reading::of(&self.log[..self.at]);
        let mut rest = Rest { entries: &self.log[self.at..], taken: 0 };
        let follows = matches!(effects, [] | [Effect::Keep(_) | Effect::End(_), ..]);
        if !follows && rest.broken_off(matches!(effects, [Effect::Await { .. }])) {
            return Ok(rest.taken);
        }
        match effects {
            // The turn has ended: nothing comes after that.
            [] => return Err(0),
            [Effect::Keep(entries), then @ ..] => {
                for entry in entries {
                    rest.one(|found| found == entry)?;
                }
                if let [Effect::End(state)] = then {
                    rest.end(*state)?;
                }
            }
            [Effect::End(state)] => rest.end(*state)?,
            [Effect::AskRules] => rules(&mut rest)?,
            [Effect::AskModel] => self.model(&mut rest)?,
            [Effect::Plan] => plan(&mut rest, &read)?,
            [Effect::Await { index, whole, .. }] => awaited(&mut rest, &read, *index, *whole)?,
            calls => made(&mut rest, &read, calls)?,
        }
        Ok(rest.taken)
    }

    /// What is written down of one answer of the model.
    fn model(&self, rest: &mut Rest<'_>) -> Result<(), usize> {
        match rest.entries {
            [Entry::Model { calls, .. }, after @ ..] => {
                rest.taken = 1;
                if calls.is_empty() && matches!(after, [Entry::Note { .. }, ..]) && !self.follows(1) {
                    rest.taken = 2;
                }
                Ok(())
            }
            [Entry::Cut { .. }, ..] => {
                rest.taken = 1;
                if !self.follows(1) {
                    rest.broken_off(false);
                }
                Ok(())
            }
            // It is being said, or was when the program ended.
            [Entry::Partial { .. }] if self.open => rest.one(|_| true),
            _ => Err(0),
        }
    }

    /// Whether what stands so many entries further on follows from the log alone.
    fn follows(&self, further: usize) -> bool {
        let at = self.at + further;
        match step(&self.log[..at], self.facts).first() {
            Some(Effect::Keep(entries)) => self.log[at..].starts_with(entries),
            _ => false,
        }
    }

    fn divergence(&self, effects: &[Effect], offset: usize) -> Divergence {
        let at = self.at + offset;
        let step = match effects {
            [Effect::Keep(entries), ..] if offset < entries.len() => told(&entries[offset], LONG),
            _ => wish(effects, &self.log[..self.at]),
        };
        let log = self.log.get(at).map_or_else(|| "nothing more".to_owned(), |entry| told(entry, LONG));
        Divergence { at, step, log }
    }
}

/// The log from where a step began.
struct Rest<'a> {
    entries: &'a [Entry],
    taken: usize,
}

impl<'a> Rest<'a> {
    fn left(&self) -> &'a [Entry] {
        &self.entries[self.taken..]
    }

    /// Takes the next entry if it fits.
    fn maybe(&mut self, fits: impl FnOnce(&Entry) -> bool) -> bool {
        let fits = self.left().first().is_some_and(fits);
        self.taken += usize::from(fits);
        fits
    }

    /// Takes the next entry, which must fit.
    fn one(&mut self, fits: impl FnOnce(&Entry) -> bool) -> Result<(), usize> {
        if self.maybe(fits) { Ok(()) } else { Err(self.taken) }
    }

    fn end(&mut self, wanted: TurnState) -> Result<(), usize> {
        self.one(|entry| matches!(entry, Entry::Ended { state, .. } if *state == wanted))
    }

    /// Takes the end of a turn that was stopped by a person, or that could not be gone on with.
    fn broken_off(&mut self, waits: bool) -> bool {
        let length = match self.left() {
            [Entry::Ended { state: TurnState::Stopped, .. }] => 1,
            [Entry::Note { .. }, Entry::Ended { state: TurnState::Failed, .. }] => 2,
            // The card was not the stopper's to take back.
            [Entry::Note { .. }, Entry::Ended { state: TurnState::Stopped, .. }] if waits => 2,
            _ => 0,
        };
        self.taken += length;
        length > 0
    }

    /// Takes the outcome of a call.
    fn answered(&mut self, call: &CallView<'_>) -> Result<(), usize> {
        self.one(|entry| match entry {
            Entry::Answered { index, answer: CallEnd::Ran { outcome } } => {
                *index == call.index && outcome.tool == call.tool
            }
            Entry::Answered { index, answer: CallEnd::Refused { .. } } => *index == call.index,
            _ => false,
        })
    }

    /// Takes the card of a call that a person asked for, with the word about it.
    fn card(&mut self, call: u32) -> bool {
        let found = matches!(self.left(), [Entry::Said { .. }, Entry::Waiting { index, .. }, ..] if *index == call);
        self.taken += if found { 2 } else { 0 };
        found
    }
}

/// What is written down of the way that was chosen.
fn rules(rest: &mut Rest<'_>) -> Result<(), usize> {
    let Some(Entry::Routed { route, model, .. }) = rest.left().first() else { return Err(0) };
    match (route.as_str(), model) {
        ("model", Some(_)) => rest.one(|_| true),
        ("model", None) => {
            rest.taken = 1;
            rest.one(is_note)?;
            rest.end(TurnState::Failed)
        }
        ("rule", None) => {
            rest.taken = 1;
            let mut calls = 0;
            while rest.maybe(|entry| matches!(entry, Entry::Called { index, .. } if *index == calls)) {
                calls += 1;
            }
            if calls > 0 || rest.maybe(|entry| matches!(entry, Entry::Said { .. })) {
                return Ok(());
            }
            // A model that could not be asked is noted before the question of the rules.
            rest.maybe(is_note);
            rest.one(|entry| matches!(entry, Entry::Asked { .. }))
        }
        _ => Err(0),
    }
}

/// What is written down of calls that are made side by side.
fn made(rest: &mut Rest<'_>, read: &Reading<'_>, effects: &[Effect]) -> Result<(), usize> {
    for effect in effects {
        let Effect::Call(wanted) = effect else { return Err(rest.taken) };
        let call = read.calls.iter().find(|call| call.index == *wanted).ok_or(rest.taken)?;
        let waits = match read.route {
            Some(Route::Rule) => rest.card(*wanted),
            _ => rest.maybe(|entry| matches!(entry, Entry::Waiting { index, .. } if index == wanted)),
        };
        if !waits {
            rest.answered(call)?;
        }
    }
    stopped(rest);
    Ok(())
}

/// What is written down of a plan: its card, or an outcome for each of its calls.
fn plan(rest: &mut Rest<'_>, read: &Reading<'_>) -> Result<(), usize> {
    if !read.calls.first().is_some_and(|first| rest.card(first.index)) {
        for call in &read.calls {
            rest.answered(call)?;
        }
    }
    stopped(rest);
    Ok(())
}

/// What is written down of a card that was decided. One that cannot be looked at is the end of its first call only.
fn awaited(rest: &mut Rest<'_>, read: &Reading<'_>, index: u32, whole: bool) -> Result<(), usize> {
    let alone = !whole || !matches!(rest.left(), [_, Entry::Answered { .. }, ..]);
    for call in read.calls.iter().filter(|call| !alone || call.index == index) {
        rest.answered(call)?;
    }
    Ok(())
}

/// Takes the end of a turn that was stopped while its calls ran: what came of them was kept first.
fn stopped(rest: &mut Rest<'_>) {
    if let [Entry::Ended { state: TurnState::Stopped, .. }] = rest.left() {
        rest.taken += 1;
    }
}

const fn is_note(entry: &Entry) -> bool {
    matches!(entry, Entry::Note { .. })
}

/// What effects are about, in words.
fn wish(effects: &[Effect], log: &[Entry]) -> String {
    let read = Reading::of(log);
    let named = |index: u32| {
        let tool = read.calls.iter().find(|call| call.index == index).map_or("no tool", |call| call.tool);
        format!("{index} ({})", quiet(tool, BRIEF))
    };
    match effects {
        [] => "nothing: the turn has ended".to_owned(),
        [Effect::AskRules, ..] => "understand the words by rule".to_owned(),
        [Effect::AskModel, ..] => "ask the model".to_owned(),
        [Effect::Plan, ..] => format!("make all {} calls as one plan", read.calls.len()),
        [Effect::Await { approval, whole: false, .. }, ..] => format!("wait until {approval} is decided"),
        [Effect::Await { approval, .. }, ..] => format!("wait until {approval} is decided, for the whole plan"),
        [Effect::End(state), ..] => format!("end the turn as {}", state.as_str()),
        [Effect::Call(index)] => format!("make call {}", named(*index)),
        [Effect::Call(_), ..] => {
            let calls = effects.iter().filter_map(|effect| match effect {
                Effect::Call(index) => Some(named(*index)),
                _ => None,
            });
            format!("make the calls {} side by side", calls.collect::<Vec<_>>().join(", "))
        }
        [Effect::Keep(entries)] if matches!(entries[..], [Entry::Cut { .. }]) => {
            "keep the words that broke off".to_owned()
        }
        [Effect::Keep(_), then @ ..] => {
            let end = if then.is_empty() { String::new() } else { format!(", and {}", wish(then, log)) };
            format!("write down what follows from that{end}")
        }
    }
}

/// An entry in words, its texts at most so long.
fn told(entry: &Entry, longest: usize) -> String {
    let quoted = |text: &str| format!("“{}”", quiet(text, longest));
    match entry {
        Entry::Routed { route, why, model: None } => {
            format!("goes by {}: {}", quiet(route, BRIEF), quiet(why, longest))
        }
        Entry::Routed { route, why, model: Some(model) } => {
            format!("goes by {} ({}): {}", quiet(route, BRIEF), quiet(model, BRIEF), quiet(why, longest))
        }
        Entry::Model { text, calls, .. } if calls.is_empty() => format!("the model says {}", quoted(text)),
        Entry::Model { calls, .. } => {
            let calls: Vec<_> = calls.iter().map(|call| format!("{} {}", call.tool, call.args)).collect();
            format!("the model asks for {}", quiet(&calls.join(", "), longest))
        }
        Entry::Partial { text } => format!("the model has said so far {}", quoted(text)),
        Entry::Cut { text } => format!("an answer broke off after {}", quoted(text)),
        Entry::Called { index, tool, args } => {
            format!("call {index} is {} {}", quiet(tool, BRIEF), quiet(&args.to_string(), longest))
        }
        Entry::Waiting { index, approval } => format!("call {index} waits for {approval}"),
        Entry::Answered { index, answer: CallEnd::Ran { outcome } } => {
            format!("call {index}, {}, is {}", quiet(&outcome.tool, BRIEF), outcome.state.as_str())
        }
        Entry::Answered { index, answer: CallEnd::Refused { refusal } } => {
            format!("call {index} is refused ({}): {}", refusal.code.as_str(), quiet(&refusal.message, longest))
        }
        Entry::Said { text } => format!("says {}", quoted(text)),
        Entry::Asked { text, .. } => format!("asks {}", quoted(text)),
        Entry::Note { text } => format!("notes {}", quoted(text)),
        Entry::Ended { state, .. } => format!("the turn is {}", state.as_str()),
    }
}

/// Words of others on one line: everything in them to be seen, and not too much of it.
fn quiet(text: &str, longest: usize) -> String {
    shorten(&visible(text), longest)
}
