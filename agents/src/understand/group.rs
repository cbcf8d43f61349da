//! Many things in few words: `test-*`, "everything named x", "all stopped containers", "both test containers".

use std::sync::Arc;

use super::grammar::stem;
use super::names::{Candidate, Names, Quality};
use super::reading::{Group, Mention, Reader, Reading};
use super::token::Shape;

/// Finds patterns and words for "all" before names are looked up.
pub(super) fn find(reader: &mut Reader<'_>) {
    let mut group = Group::default();
    let mut at = reader.lo;
    while at < reader.hi {
        if reader.taken[at] {
            at += 1;
            continue;
        }
        let step = pattern_at(reader, at, &mut group).or_else(|| quantity_at(reader, at, &mut group));
        at += step.unwrap_or(1);
    }
    if group.every || group.both || !group.patterns.is_empty() {
        for at in reader.lo..reader.hi {
            let length = reader.listed("except", at);
            reader.take(at, at + length);
        }
        reader.out.group = Some(group);
    }
}

fn pattern_at(reader: &mut Reader<'_>, at: usize, group: &mut Group) -> Option<usize> {
    let token = &reader.tokens()[at];
    if token.low.contains('*') && !token.low.contains('/') && token.shape != Shape::Mark {
        group.patterns.push(token.low.clone());
        reader.take(at, at + 1);
        return Some(1);
    }
    for (list, before, after) in [("starts", "", "*"), ("ends", "*", ""), ("holds", "*", "*")] {
        let length = reader.listed(list, at);
        if length == 0 {
            continue;
        }
        let name = at + length + article(reader, at + length);
        let Some(said) = word_of(reader, name) else { continue };
        group.patterns.push(format!("{before}{}{after}", said.trim_matches('*')));
        let end = name + 1 + reader.listed("inname", name + 1);
        reader.take(at, end);
        return Some(end - at);
    }
    // "with db in the name"
    if matches!(&*token.low, "with" | "having" | "has" | "have") {
        let said = word_of(reader, at + 1)?;
        let length = reader.listed("inname", at + 2);
        if length > 0 {
            group.patterns.push(format!("*{}*", said.trim_matches('*')));
            reader.take(at, at + 2 + length);
            return Some(2 + length);
        }
    }
    let length = reader.listed("named", at);
    (length > 0).then(|| {
        group.named = true;
        reader.take(at, at + length);
        let next = at + length;
        let exists =
            word_of(reader, next).is_none_or(|said| said.contains('*') || !reader.cx.names.exact(&[&said]).is_empty());
        if !exists && reader.free(next, next + 1) {
            reader.out.named = word_of(reader, next);
            reader.take(next, next + 1);
        }
        length
    })
}

fn quantity_at(reader: &mut Reader<'_>, at: usize, group: &mut Group) -> Option<usize> {
    // "everything all right" is a question after the state, not after everything.
    if reader.cx.lexicon.at(reader.tokens(), at).is_some_and(|found| found.length > 1) {
        return None;
    }
    for (list, both) in [("everything", false), ("both", true)] {
        let length = reader.listed(list, at);
        if length > 0 {
            group.every |= !both;
            group.both |= both;
            reader.take(at, at + length);
            return Some(length);
        }
    }
    None
}

fn article(reader: &Reader<'_>, at: usize) -> usize {
    usize::from(at < reader.hi && matches!(&*reader.tokens()[at].low, "the" | "a" | "an"))
}

fn word_of(reader: &Reader<'_>, at: usize) -> Option<String> {
    let token = reader.tokens().get(at).filter(|token| token.shape != Shape::Mark)?;
    Some(token.low.clone())
}

/// After all is read: which state is asked for, and what is excepted.
pub(super) fn settle(reader: &mut Reader<'_>) {
    let plural = (reader.lo..reader.hi)
        .any(|at| reader.kind_at(at).is_some() && stem(&reader.tokens()[at].low).len() < reader.tokens()[at].low.len());
    let ordered = reader.out.action.is_some();
    let state = reader
        .out
        .words
        .iter()
        .position(|word| &*word.concept == "status" && !word.facet.is_empty())
        .filter(|_| ordered && (plural || reader.out.group.is_some()));
    if let Some(at) = state {
        let word = reader.out.words.remove(at);
        if reader.out.action.is_some_and(|action| action > at) {
            reader.out.action = reader.out.action.map(|action| action - 1);
        }
        let group = reader.out.group.get_or_insert_default();
        group.state = Some(word.facet);
    }
    if reader.out.group.is_some()
        && let Some(from) = (reader.lo..reader.hi).find(|&at| reader.listed("except", at) > 0)
    {
        let (kept, excepted) = std::mem::take(&mut reader.out.mentions).into_iter().partition(|m| m.from < from);
        (reader.out.mentions, reader.out.excepted) = (kept, excepted);
        // Who is spared must be as certain as who is not.
        let sure = |mention: &Mention| mention.candidates.iter().all(|c| c.quality == Quality::Exact);
        reader.out.odd |= reader.out.excepted.is_empty() || !reader.out.excepted.iter().all(sure);
    }
    // "stop web and everything": whoever says both a name and "all" means more than the name.
    let exact = |mention: &Mention| mention.candidates.iter().any(|c| c.quality == Quality::Exact);
    let group = reader.out.group.as_ref().filter(|group| group.every && !group.named);
    reader.out.odd |= group.is_some() && reader.out.mentions.iter().any(exact);
}

/// What a group came to.
pub(super) enum Expanded {
    /// Each one as if it had been named.
    Things(Vec<Mention>),
    /// It is not clear which things are meant: "stop everything".
    Unbounded,
    /// Nothing is in it. The words say why.
    Nobody(String),
}

/// Names the things of a group, in the order of their names. `kinds` are those that the order can be for; `wanted` says
/// whether the order makes sense for a thing in its state.
pub(super) fn expand(
    names: &Names,
    reading: &Reading,
    group: &Group,
    kinds: &[Arc<str>],
    wanted: impl Fn(&str) -> bool,
) -> Expanded {
    let of_kind = |thing: usize| {
        let kind = &names.things[thing].kind;
        kinds.contains(kind) && (reading.kinds.is_empty() || reading.kinds.contains(kind))
    };
    let within: Vec<Candidate> =
        reading.mentions.iter().flat_map(|mention| mention.candidates.iter().copied()).collect();
    let bounded = !group.patterns.is_empty() || !within.is_empty();
    let all_of_kind = !reading.kinds.is_empty() || (group.state.is_some() && kinds.len() == 1);
    if !bounded && !all_of_kind || group.patterns.iter().any(|p| p.trim_matches('*').is_empty() && !all_of_kind) {
        return Expanded::Unbounded;
    }
    let spared =
        |thing: usize| reading.excepted.iter().any(|mention| mention.candidates.iter().any(|c| c.thing == thing));
    let mut fitting: Vec<usize> = (0..names.things.len())
        .filter(|&thing| of_kind(thing) && !spared(thing))
        .filter(|&thing| {
            !bounded
                || group.patterns.iter().any(|pattern| names.fits(thing, pattern))
                || within.iter().any(|candidate| candidate.thing == thing)
        })
        .collect();
    if fitting.is_empty() {
        let text = match said_of(reading, group) {
            said if said.is_empty() => "There is nothing of that kind.".to_owned(),
            said => format!("Nothing is named {said}."),
        };
        return Expanded::Nobody(text);
    }
    if let Some(state) = &group.state {
        fitting.retain(|&thing| names.is_in(thing, state));
    }
    fitting.retain(|&thing| wanted(&names.things[thing].state.to_lowercase()));
    if fitting.is_empty() {
        return Expanded::Nobody("None of them is in a state in which that would do anything.".to_owned());
    }
    fitting.sort_by(|a, b| names.things[*a].name.cmp(&names.things[*b].name));
    Expanded::Things(fitting.into_iter().map(|thing| alone(names, thing)).collect())
}

/// A mention of exactly one thing.
pub(super) fn alone(names: &Names, thing: usize) -> Mention {
    let candidates = vec![Candidate { thing, quality: Quality::Exact }];
    Mention { from: 0, to: 0, said: names.things[thing].name.clone(), candidates }
}

fn said_of(reading: &Reading, group: &Group) -> String {
    let names = reading.mentions.iter().map(|mention| mention.said.clone());
    group.patterns.iter().cloned().chain(names).collect::<Vec<_>>().join(" or ")
}
