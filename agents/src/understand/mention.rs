//! Words that name things: a whole name of up to four words, or some of its parts that stand side by side.

use super::lexicon::{Class, Found};
use super::names::Candidate;
use super::reading::{Mention, Reader};
use super::token::{Shape, Token};

/// Longest name, in words.
const MOST_WORDS: usize = 4;

/// Finds things by their whole names, the longest first.
pub(super) fn exact(reader: &mut Reader<'_>) {
    let mut at = reader.lo;
    while at < reader.hi {
        let longest = (1..=MOST_WORDS.min(reader.hi - at)).rev().find(|&length| exact_at(reader, at, length));
        at += longest.unwrap_or(1);
    }
}

fn exact_at(reader: &mut Reader<'_>, at: usize, length: usize) -> bool {
    let window = &reader.tokens()[at..at + length];
    let quoted = window.iter().any(|token| token.shape == Shape::Quoted);
    let mark = window.iter().any(|token| token.shape == Shape::Mark);
    if !reader.free(at, at + length) || mark || (quoted && length > 1) {
        return false;
    }
    let words: Vec<&str> = window.iter().map(|token| token.low.as_str()).collect();
    let candidates = reader.cx.names.exact(&words);
    if candidates.is_empty() || (length == 1 && !quoted && !reads_as_name(reader, at, &candidates)) {
        return false;
    }
    keep(reader, at, at + length, candidates);
    true
}

/// Whether a word that is some thing's name is meant as that name here.
fn reads_as_name(reader: &mut Reader<'_>, at: usize, candidates: &[Candidate]) -> bool {
    let word = &reader.tokens()[at].low;
    let beside_kind = (at > reader.lo && reader.kind_at(at - 1).is_some()) || reader.kind_at(at + 1).is_some();
    let lexicon = reader.cx.lexicon;
    let filler = ["light", "stop", "everything", "both", "and", "polite", "then"];
    if filler.into_iter().any(|list| lexicon.is(list, word)) {
        return beside_kind;
    }
    // In "the web page" nothing is named web.
    let topic = |found: &Found<'_>| found.length > 1 && found.meaning.class == Class::Noun;
    if !beside_kind && lexicon.at(reader.tokens(), at).as_ref().is_some_and(topic) {
        return false;
    }
    match lexicon.meaning(word) {
        None => true,
        Some(meaning) if meaning.commands || meaning.class == Class::Weak => beside_kind,
        Some(_) if candidates.iter().all(|c| &*reader.cx.names.things[c.thing].kind == "image") => false,
        Some(_) => {
            reader.out.twofold = true;
            reader.manner.as_names
        }
    }
}

/// "machine learning" names a thing although "machine" is a topic.
pub(super) fn joined_parts(reader: &mut Reader<'_>) {
    for length in [3, 2] {
        for at in reader.lo..=reader.hi.saturating_sub(length).max(reader.lo) {
            if at + length > reader.hi || !reader.free(at, at + length) {
                continue;
            }
            let window = &reader.tokens()[at..at + length];
            let known = |token: &Token| {
                token.shape != Shape::Word
                    || reader.cx.lexicon.meaning(&token.low).is_some()
                    || reader.cx.lexicon.is("stop", &token.low)
                    || reader.cx.lexicon.is("light", &token.low)
            };
            if window.iter().all(known) || window.iter().any(|token| token.shape == Shape::Mark) {
                continue;
            }
            let words: Vec<&str> = window.iter().map(|token| token.low.as_str()).collect();
            let candidates = reader.cx.names.part(&words);
            if !candidates.is_empty() {
                keep(reader, at, at + length, candidates);
            }
        }
    }
}

/// Takes these words as naming one of these things.
pub(super) fn keep(reader: &mut Reader<'_>, from: usize, to: usize, candidates: Vec<Candidate>) {
    let said = reader.tokens()[from..to].iter().map(|token| token.raw.as_str()).collect::<Vec<_>>().join(" ");
    reader.take(from, to);
    reader.out.mentions.push(Mention { from, to, said, candidates });
}
