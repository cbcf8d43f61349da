//! How well a reading fits each tool.

use std::sync::Arc;

use super::bind::{Bound, bind};
use super::grammar::{Concept, Pattern, Role, ToolGrammar};
use super::lexicon::Class;
use super::reading::{Context, Mention, Reading, Word};

/// A tool, the example of it that fits best, and how well.
#[derive(Debug, Clone)]
pub(super) struct Fit<'a> {
    pub(super) tool: &'a ToolGrammar,
    pub(super) pattern: &'a Pattern,
    pub(super) bound: Bound,
    /// From 0 to a little above 1.
    pub(super) score: f32,
    /// Every word of the reading is in the example or used by an argument, and the words that make the example what it
    /// is are in the reading.
    pub(super) whole: bool,
}

/// Weight of a word that was not understood.
const UNKNOWN: f32 = 0.9;
/// Weight of a value or thing that the tool cannot use.
const UNUSED: f32 = 1.5;
/// Weight against filtering by a thing that could be looked at itself.
const FILTERED: f32 = 0.8;
/// Scores this close are a tie.
pub(super) const TIE: f32 = 0.06;

/// All tools that `admit` lets through, best first.
pub(super) fn weigh<'a>(
    cx: Context<'a>,
    reading: &Reading,
    mention: Option<&Mention>,
    admit: impl Fn(&ToolGrammar) -> bool,
) -> Vec<Fit<'a>> {
    let mut fits: Vec<Fit<'a>> = cx
        .grammar
        .tools
        .iter()
        .filter(|tool| admit(tool))
        .filter_map(|tool| {
            let bound = bind(cx, tool, reading, mention);
            let order = reading.order().map(|word| &word.concept);
            tool.patterns
                .iter()
                .filter(|pattern| {
                    order.is_none_or(|order| !pattern.asks && (holds(pattern, order) || tool.flags.contains(order)))
                })
                .map(|pattern| fit(tool, pattern, &bound, reading))
                .max_by(|a, b| a.score.total_cmp(&b.score))
        })
        .collect();
    fits.sort_by(|a, b| b.score.total_cmp(&a.score));
    fits
}

/// How far a word is what an example says. "Stopped" is a good part of "running": both ask for a state; and in a question
/// about the past "restart" may also just ask for the state.
fn agreement(word: &Word, concept: &Concept) -> f32 {
    if word.concept == concept.name {
        let same = word.facet == concept.facet || word.facet.is_empty();
        if same { 1.0 } else { 0.7 }
    } else if word.historic && &*concept.name == "status" {
        0.8
    } else if matches!((&*word.concept, &*concept.name), ("hog", "usage") | ("usage", "hog")) {
        0.6
    } else if &*word.facet == "amount" && &*concept.name == "free" {
        0.7
    } else {
        0.0
    }
}

fn holds(pattern: &Pattern, concept: &Arc<str>) -> bool {
    pattern.concepts.iter().any(|known| known.name == *concept)
}

fn fit<'a>(tool: &'a ToolGrammar, pattern: &'a Pattern, bound: &Bound, reading: &Reading) -> Fit<'a> {
    let (mut matched, mut missing, mut extra) = (0.0, 0.0, 0.0);
    // Of what kind a thing is shows in its name.
    let shown = |concept: &&Concept| bound.thing.is_none() || !tool.takes(&concept.name);
    for concept in pattern.concepts.iter().filter(shown) {
        let share = reading.words.iter().map(|word| agreement(word, concept)).fold(0.0, f32::max);
        matched += share * concept.weight;
        missing += (1.0 - share) * concept.weight;
    }
    // "Fetch redis" is not "fetch the image {image}"; "fetch redis:7" can be nothing else.
    let unmistakable = !reading.values.is_empty() || tool.flags.iter().any(|flag| reading.orders(flag));
    let said = |concept: &Concept| {
        let there = reading.words.iter().any(|word| word.concept == concept.name);
        there || concept.weight < 1.0 || unmistakable
    };
    let mut whole = pattern.concepts.iter().all(said);
    for (at, word) in reading.words.iter().enumerate() {
        if pattern.concepts.iter().any(|concept| agreement(word, concept) > 0.0) || bound.absorbed.contains(&at) {
            continue;
        }
        whole &= word.weight == 0.0 || (word.class == Class::Weak && reading.action.is_none());
        extra += if tool.vocabulary.contains(&word.concept) { 0.3 * word.weight } else { word.weight };
    }
    for &slot in &pattern.slots {
        if !bound.filled.contains(&slot) {
            missing += absence(&tool.args[slot].role, tool.args[slot].required);
        }
    }
    for &arg in &bound.filled {
        let weight = presence(&tool.args[arg].role);
        let of_thing = matches!(tool.args[arg].role, Role::Thing(_));
        let weight = if of_thing { weight * bound.quality.weight() } else { weight };
        matched += if pattern.slots.contains(&arg) { weight } else { 0.6 * weight };
    }
    let unknown = reading.unknown.len() - bound.explained.min(reading.unknown.len());
    extra += UNKNOWN * small(unknown) + UNUSED * small(bound.unused);
    if bound.by_filter {
        extra += FILTERED;
    }
    let all = matched + 0.8 * missing + extra;
    let mut score = if all > 0.0 { matched / all } else { 0.0 };
    if !bound.missing.is_empty() {
        score *= 0.75;
    }
    // Between equals the one that explains more.
    score += 0.02 * matched;
    whole &= unknown == 0 && bound.unused == 0;
    Fit { tool, pattern, bound: bound.clone(), score, whole }
}

fn small(count: usize) -> f32 {
    f32::from(u8::try_from(count).unwrap_or(u8::MAX))
}

const fn presence(role: &Role) -> f32 {
    match role {
        Role::Thing(_) | Role::Path | Role::Image | Role::Url | Role::Id(_) => 1.0,
        Role::Text | Role::Verbatim | Role::Words => 0.7,
        Role::Name => 0.5,
        Role::Span(_) | Role::Count => 0.3,
        Role::Flag(_) | Role::Choice(_) => 0.2,
    }
}

const fn absence(role: &Role, required: bool) -> f32 {
    match role {
        _ if required => 0.8,
        Role::Thing(_) | Role::Path | Role::Image | Role::Url | Role::Id(_) | Role::Text | Role::Verbatim => 0.7,
        Role::Name => 0.4,
        Role::Span(_) | Role::Count | Role::Flag(_) | Role::Choice(_) | Role::Words => 0.15,
    }
}
