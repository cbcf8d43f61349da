//! What is beyond the rules, although they know words of it: an order that they do not know, another language, a question
//! that nothing here answers.
//!
//! A look forgives words that are not understood, and such a word may be the order itself: "shred the logs of web" is no
//! wish to see them. So it is forgiven only where no order can stand: in a clause that begins by asking or looking, and
//! there not behind an "and" or a "to".

use super::lexicon::Class;
use super::reading::{Reader, Word};
use super::token::{Shape, Token};

/// Behind these an English word names something.
const BEFORE_THINGS: [&str; 14] =
    ["the", "a", "an", "my", "our", "your", "this", "of", "on", "in", "at", "for", "from", "with"];

/// So the verbs end that German and Dutch put last: "server neustarten".
const VERBS_END: [&str; 3] = ["en", "ern", "eln"];

/// Whether a free word is of another language than English. All that names something has been taken before.
pub(super) fn is_foreign(reader: &Reader<'_>) -> bool {
    (reader.lo..reader.hi).any(|at| {
        let token = &reader.tokens()[at];
        let strange = || !token.low.is_ascii() && reader.cx.names.part(&[&token.low]).is_empty();
        let free = !reader.taken[at] && token.shape == Shape::Word;
        free && (reader.cx.lexicon.is("foreign", &token.low) || strange())
    })
}

/// Marks a clause that must not be answered with a look.
pub(super) fn find(reader: &mut Reader<'_>) {
    reader.out.beyond = reader.foreign || is_line(reader) || may_order(reader) || asks_elsewhere(reader);
}

/// Whether marks of a shell's line stand between the words: who writes "cat notes.txt > hosts" does not want to see it.
fn is_line(reader: &Reader<'_>) -> bool {
    let tokens = &reader.tokens()[reader.lo..];
    let marked =
        |pair: &[Token]| reader.cx.text.get(pair[0].to..pair[1].from).is_some_and(|gap| gap.contains(['|', '>']));
    tokens.windows(2).any(marked)
}

/// Whether an order that no rule knows may stand in the clause.
fn may_order(reader: &Reader<'_>) -> bool {
    let words = reader.tokens();
    let Some(first) = (reader.lo..reader.hi).find(|&at| words[at].shape != Shape::Mark) else { return false };
    let does = |at: usize| (opens(reader, first, at) && does(reader, at)) || wants_done(reader, at);
    if reader.out.action.is_none() && (reader.lo..reader.hi).any(does) {
        return true;
    }
    let joined = reader.strange.iter().any(|&at| opens(reader, first, at) || words[at - 1].low == "to");
    // Behind an article or a preposition stands a thing.
    let thing = |&&at: &&usize| at == first || !BEFORE_THINGS.contains(&&*words[at - 1].low);
    joined || (reader.strange.iter().any(|at| thing(&at)) && !looks(reader, first))
}

/// Whether an order may begin here: first, or behind what joins.
fn opens(reader: &Reader<'_>, first: usize, at: usize) -> bool {
    let words = reader.tokens();
    let lexicon = reader.cx.lexicon;
    at == first
        || (at > first && {
            let before = &words[at - 1];
            let joins = ["and", "then"].iter().any(|list| lexicon.is(list, &before.low));
            before.is_mark(",") || joins || (lexicon.is("polite", &before.low) && opens(reader, first, at - 1))
        })
}

/// Whether known words order something here that no tool does.
fn does(reader: &Reader<'_>, at: usize) -> bool {
    let lexicon = reader.cx.lexicon;
    let doing = reader.listed("doing", at);
    let found = lexicon.at(reader.tokens(), at);
    if doing > 0 && doing >= reader.listed("looks", at).max(found.as_ref().map_or(0, |found| found.length)) {
        return true;
    }
    found.is_some_and(|found| {
        let grammar = reader.cx.grammar;
        let concept = &found.meaning.concept;
        let known = grammar.looks.contains(concept) || grammar.actions.contains(concept);
        found.meaning.commands && !known && !reader.is_named(at)
    })
}

/// "Get the folder removed", "I want web restarted".
fn wants_done(reader: &Reader<'_>, at: usize) -> bool {
    let done = |word: &Word| {
        word.class == Class::Verb && word.at > at && !word.historic && reader.cx.grammar.actions.contains(&word.concept)
    };
    reader.listed("wanting", at) > 0 && reader.out.words.iter().any(done)
}

/// Whether the clause begins as one that asks or wants to see, or only names a topic.
fn looks(reader: &Reader<'_>, first: usize) -> bool {
    if ["looks", "wondering", "past"].iter().any(|list| reader.listed(list, first) > 0) {
        return true;
    }
    match reader.cx.lexicon.at(reader.tokens(), first).map(|found| found.meaning.class) {
        None => false,
        Some(Class::Weak | Class::Verb) => true,
        Some(Class::Noun | Class::Context) => {
            let last = |&at: &usize| VERBS_END.iter().any(|end| reader.tokens()[at].low.ends_with(end));
            reader.out.mentions.is_empty() && reader.out.values.is_empty() && !reader.strange.iter().any(last)
        }
    }
}

/// Whether it is asked what only the world outside knows, such as whether there is something newer.
fn asks_elsewhere(reader: &Reader<'_>) -> bool {
    let outside = |at: usize| reader.listed("elsewhere", at) > 0 && !reader.is_named(at);
    reader.out.action.is_none() && (reader.lo..reader.hi).any(outside)
}
