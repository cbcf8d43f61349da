//! From a reading to one call, one question, or nothing.
//!
//! Reading is forgiving, changing is not. A green tool may be chosen by a near name or by the index. A tool above green
//! needs its own words in the form that commands, a thing named exactly, and no word left over.

use jarvis_safety::Tier;
use jarvis_safety::port::Index;
use serde_json::{Map, Value as Json};

use super::lexicon::Class;
use super::names::Quality;
use super::question;
use super::reading::{Context, Mention, Reading};
use super::weigh::{Fit, TIE, weigh};

/// Least score with which a green tool runs.
const SURE: f32 = 0.55;
/// Least score at which the index is asked.
const HALF_SURE: f32 = 0.3;
/// How far ahead of the next the index's first answer must be.
const AHEAD: f32 = 1.3;

/// One call that was understood.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    pub(super) tool: String,
    pub(super) tier: Tier,
    pub(super) args: Map<String, Json>,
    pub(super) why: String,
    /// A sentence that means exactly this call.
    pub(super) sentence: String,
}

/// What became of a reading.
#[derive(Debug, Clone)]
pub(super) enum Verdict {
    /// This call, and how well it fits.
    Act(Call, f32),
    /// Words of a question and sentences that would answer it.
    Ask(String, Vec<String>),
    /// No tool is meant.
    Nothing,
}

/// Decides for one thing or none.
pub(super) fn decide(cx: Context<'_>, index: &dyn Index, reading: &Reading, mention: Option<&Mention>) -> Verdict {
    if reading.action.is_some() { ordered(cx, reading, mention) } else { looked(cx, index, reading, mention) }
}

fn call(cx: Context<'_>, fit: &Fit<'_>) -> Call {
    let mut args = fit.bound.args.clone();
    for (key, value) in &fit.pattern.fixed {
        args.entry(key.clone()).or_insert_with(|| value.clone());
    }
    let thing = fit.bound.thing.map(|thing| &cx.names.things[thing]);
    let named = thing.map(|thing| format!("; {} is a {}", thing.name, thing.kind)).unwrap_or_default();
    Call {
        tool: fit.tool.name.clone(),
        tier: fit.tool.tier,
        why: format!("“{}” is {}{named}", fit.pattern.example, fit.tool.name),
        sentence: question::sentence(cx, fit.tool, &args),
        args,
    }
}

/// A sentence with an order in it.
fn ordered(cx: Context<'_>, reading: &Reading, mention: Option<&Mention>) -> Verdict {
    let fits = weigh(cx, reading, mention, |_| true);
    let Some(best) = fits.first() else { return Verdict::Nothing };
    let rivals: Vec<&Fit<'_>> = fits.iter().take_while(|fit| best.score - fit.score < TIE).collect();
    if mention.is_some() && best.bound.thing.is_none() && best.bound.unused > 0 {
        return question::not_that(cx, reading, mention);
    }
    if !best.bound.missing.is_empty() {
        return question::which(cx, reading, mention, &rivals);
    }
    let two_kinds = rivals.len() > 1 && rivals[1].bound.thing != best.bound.thing && rivals[1].bound.missing.is_empty();
    if two_kinds || !best.bound.doubtful.is_empty() {
        return question::which_of(cx, reading, &rivals);
    }
    let call = call(cx, best);
    if call.tier == Tier::Green && !reading.beyond {
        return Verdict::Act(call, best.score);
    }
    let certain = best.whole && !reading.beyond && !reading.odd && reading.unknown.len() <= best.bound.explained;
    if certain && best.bound.quality == Quality::Exact {
        Verdict::Act(call, best.score)
    } else {
        Verdict::Ask(format!("Did you mean: {}?", call.sentence), vec![call.sentence])
    }
}

/// A sentence that only asks to see something.
fn looked(cx: Context<'_>, index: &dyn Index, reading: &Reading, mention: Option<&Mention>) -> Verdict {
    if reading.is_empty() {
        return Verdict::Nothing;
    }
    let fits = weigh(cx, reading, mention, |tool| tool.tier == Tier::Green);
    let Some(best) = fits.first() else { return Verdict::Nothing };
    if best.score >= SURE && !reading.beyond && best.bound.unused == 0 {
        let rivals: Vec<&Fit<'_>> = fits.iter().take_while(|fit| best.score - fit.score < TIE).collect();
        return certain(cx, reading, mention, &rivals);
    }
    if let Some(fit) = second_opinion(index, reading, &fits).filter(|_| !reading.beyond) {
        return Verdict::Act(call(cx, fit), fit.score);
    }
    if let Some(verdict) = unknown_thing(cx, reading, mention) {
        return verdict;
    }
    match mention {
        Some(mention) if reading.unknown.len() < 2 => question::what_about(cx, mention),
        _ => Verdict::Nothing,
    }
}

fn certain(cx: Context<'_>, reading: &Reading, mention: Option<&Mention>, rivals: &[&Fit<'_>]) -> Verdict {
    let best = rivals[0];
    if !best.bound.missing.is_empty() {
        return question::which(cx, reading, mention, rivals);
    }
    let two_kinds = rivals.iter().any(|rival| {
        rival.bound.thing.is_some()
            && best.bound.thing.is_some()
            && rival.bound.thing != best.bound.thing
            && rival.bound.quality == best.bound.quality
    });
    if two_kinds || !best.bound.doubtful.is_empty() {
        return question::which_of(cx, reading, rivals);
    }
    Verdict::Act(call(cx, best), best.score)
}

/// "Is plex running?" where nothing is named plex: asks which thing is meant.
fn unknown_thing(cx: Context<'_>, reading: &Reading, mention: Option<&Mention>) -> Option<Verdict> {
    if mention.is_some() || reading.unknown.len() != 1 {
        return None;
    }
    let known = Reading { unknown: Vec::new(), ..reading.clone() };
    let meant = |word: &super::reading::Word| matches!(&*word.concept, "status" | "log" | "usage");
    if !known.words.iter().any(meant) || known.words.iter().any(|word| word.class == Class::Verb) {
        return None;
    }
    let fits = weigh(cx, &known, None, |tool| tool.tier == Tier::Green && tool.args.iter().any(|arg| arg.required));
    let best = fits.first().filter(|fit| fit.score > HALF_SURE && !fit.bound.missing.is_empty())?;
    let rivals: Vec<&Fit<'_>> = fits.iter().take_while(|fit| best.score - fit.score < 2.0 * TIE).collect();
    Some(question::which(cx, reading, None, &rivals))
}

/// The index may tip the balance for a green tool that the words point to, but not well enough.
fn second_opinion<'a, 'b>(index: &dyn Index, reading: &Reading, fits: &'b [Fit<'a>]) -> Option<&'b Fit<'a>> {
    let meant = |word: &super::reading::Word| word.class != Class::Weak;
    if !reading.words.iter().any(meant) || reading.words.iter().any(|word| word.commands && word.at == 0) {
        return None;
    }
    let text: Vec<&str> = reading.words.iter().map(|word| word.said.as_str()).collect();
    let found = index.search(&text.join(" "), 8);
    let green = |name: &str| fits.iter().find(|fit| fit.tool.name == name);
    let mut ranked = found.iter().filter_map(|(name, score)| green(name).map(|fit| (fit, *score)));
    let (first, score) = ranked.next()?;
    let next = ranked.next().map_or(0.0, |(_, score)| score);
    let plausible = first.score >= HALF_SURE && first.bound.missing.is_empty() && first.bound.unused == 0;
    let clear = score >= next * AHEAD && first.bound.doubtful.is_empty();
    (plausible && clear).then_some(first)
}
