//! One clause: its readings, the things that it is for, and what they come to.

use std::sync::Arc;

use jarvis_safety::Tier;
use jarvis_safety::port::Index;

use super::decide::{Call, Verdict, decide};
use super::grammar::Role;
use super::group::{Expanded, expand};
use super::names::{Candidate, Quality};
use super::question::wanted;
use super::reading::{Context, Mention, Reading};

/// Things that one sentence may act on.
const MOST_THINGS: usize = 30;

/// What a clause came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Outcome {
    pub(super) calls: Vec<Call>,
    /// A question and its choices; then `calls` is empty.
    pub(super) question: Option<(String, Vec<String>)>,
    /// It holds an order.
    pub(super) ordered: bool,
    /// It may hold more than the rules know.
    pub(super) beyond: bool,
    pub(super) score: f32,
}

impl Outcome {
    /// Neither a call nor a question.
    pub(super) const fn is_nothing(&self) -> bool {
        self.calls.is_empty() && self.question.is_none()
    }

    fn asking(text: String, choices: Vec<String>) -> Self {
        Self { question: Some((text, choices)), ..Self::default() }
    }
}

/// The better of all readings. `before` are the things of the clause before, for "it".
pub(super) fn outcome(cx: Context<'_>, index: &dyn Index, readings: &[Reading], before: &[Mention]) -> Outcome {
    let mut best: Option<Outcome> = None;
    for reading in readings {
        let alone = of_reading(cx, index, reading);
        let elliptic = reading.mentions.is_empty() && reading.group.is_none() && !before.is_empty();
        let candidates = if elliptic {
            let mut filled = reading.clone();
            filled.mentions = before.to_vec();
            let filled_in = of_reading(cx, index, &filled);
            // "it" stands for something; without it only looking takes its object from before.
            let reading_only = filled_in.calls.iter().all(|call| call.tier == Tier::Green);
            match (reading.pronoun, reading_only) {
                (true, _) => vec![filled_in, alone],
                (false, true) => vec![alone, filled_in],
                (false, false) => vec![alone],
            }
        } else {
            vec![alone]
        };
        for candidate in candidates {
            if best.as_ref().is_none_or(|best| candidate.score > best.score || best.is_nothing()) {
                best = Some(candidate);
            }
        }
    }
    let mut best = best.unwrap_or_default();
    best.ordered = readings.iter().any(|reading| reading.action.is_some());
    best.beyond = readings.iter().any(|reading| reading.beyond);
    best
}

fn of_reading(cx: Context<'_>, index: &dyn Index, reading: &Reading) -> Outcome {
    let exact = |mention: &Mention| mention.candidates.iter().any(|c| c.quality == Quality::Exact);
    if let Some(group) = &reading.group {
        let list = group.patterns.is_empty()
            && group.state.is_none()
            && reading.excepted.is_empty()
            && !reading.mentions.is_empty()
            && reading.mentions.iter().all(exact);
        let green_pattern = reading.action.is_none() && !group.patterns.is_empty();
        if (reading.action.is_some() && !list) || green_pattern {
            return of_group(cx, index, reading, green_pattern);
        }
    }
    match reading.mentions.as_slice() {
        [] => one(decide(cx, index, reading, None)),
        [mention] => one(decide(cx, index, reading, Some(mention))),
        mentions => each(cx, index, reading, mentions),
    }
}

fn one(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Act(call, score) => Outcome { calls: vec![call], score, ..Outcome::default() },
        // A question is better than nothing and worse than any call.
        Verdict::Ask(text, choices) => Outcome { score: 0.01, ..Outcome::asking(text, choices) },
        Verdict::Nothing => Outcome::default(),
    }
}

fn of_group(cx: Context<'_>, index: &dyn Index, reading: &Reading, filters: bool) -> Outcome {
    let Some(group) = &reading.group else { return Outcome::default() };
    if filters {
        // "list the containers named test-*" is one call with a filter, where a tool has one.
        let mut filtered = reading.clone();
        filtered.named = group.patterns.first().cloned();
        filtered.group = None;
        let whole = one(decide(cx, index, &filtered, None));
        if !whole.calls.is_empty() {
            return whole;
        }
    }
    let order = reading.order().map(|word| Arc::clone(&word.concept));
    let kinds: Vec<Arc<str>> = cx
        .grammar
        .tools
        .iter()
        .filter(|tool| order.as_ref().is_none_or(|order| tool.vocabulary.contains(order)))
        .flat_map(|tool| &tool.args)
        .filter_map(|arg| if let Role::Thing(kind) = &arg.role { Some(Arc::clone(kind)) } else { None })
        .collect();
    let verb = reading.order().map_or("look at", |word| word.said.as_str());
    match expand(cx.names, reading, group, &kinds, |state| wanted(reading, state)) {
        Expanded::Nobody(text) => one(Verdict::Ask(text, Vec::new())),
        Expanded::Unbounded => {
            let mut kinds = kinds;
            kinds.sort();
            kinds.dedup();
            let choices = kinds.iter().map(|kind| format!("{verb} all {kind}s")).collect();
            one(Verdict::Ask(format!("That could be a lot. What exactly should I {verb}?"), choices))
        }
        Expanded::Things(things) if things.len() > MOST_THINGS => one(Verdict::Ask(
            format!("That would be {} things at once. Please name them more closely.", things.len()),
            Vec::new(),
        )),
        Expanded::Things(things) if group.both && (things.len() != 2 || of_both(cx, reading) > 2) => {
            let choices = things.iter().map(|thing| format!("{verb} {}", thing.said)).collect();
            one(Verdict::Ask(format!("Both? {} things fit.", things.len()), choices))
        }
        Expanded::Things(things) => {
            let nearly = |mention: &Mention| mention.candidates.iter().all(|c| c.quality == Quality::Near);
            let mut alike = reading.clone();
            alike.odd |= reading.mentions.iter().any(nearly);
            each(cx, index, &alike, &things)
        }
    }
}

/// How many things "both" could mean, whatever state they are in.
fn of_both(cx: Context<'_>, reading: &Reading) -> usize {
    let of_kind = |candidate: &&Candidate| {
        let kind = &cx.names.things[candidate.thing].kind;
        reading.kinds.is_empty() && &**kind != "image" || reading.kinds.contains(kind)
    };
    reading.mentions.iter().flat_map(|mention| &mention.candidates).filter(of_kind).count()
}

/// The same for each of several things, in order. One doubt makes the whole a question.
fn each(cx: Context<'_>, index: &dyn Index, reading: &Reading, mentions: &[Mention]) -> Outcome {
    let mut calls = Vec::new();
    let mut sentences = Vec::new();
    let mut doubt = None;
    let mut least = f32::MAX;
    for mention in mentions.iter().take(MOST_THINGS) {
        match decide(cx, index, reading, Some(mention)) {
            Verdict::Act(call, score) => {
                least = least.min(score);
                sentences.push(call.sentence.clone());
                calls.push(call);
            }
            Verdict::Ask(text, choices) => {
                sentences.extend(choices.first().cloned());
                doubt.get_or_insert((text, choices.len()));
            }
            Verdict::Nothing => return Outcome::default(),
        }
    }
    if mentions.len() > MOST_THINGS {
        return one(Verdict::Ask("Those are too many at once. Please name fewer.".to_owned(), Vec::new()));
    }
    match doubt {
        // How the things belong together is itself in doubt where the words between them are odd.
        Some((text, _)) if reading.odd => one(Verdict::Ask(text, sentences)),
        Some((text, _)) => one(Verdict::Ask(text, vec![sentences.join(" and ")])),
        None => {
            calls.dedup_by(|a, b| a.tool == b.tool && a.args == b.args);
            Outcome { calls, score: least, ..Outcome::default() }
        }
    }
}
