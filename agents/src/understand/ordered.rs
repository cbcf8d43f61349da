//! What a text orders beyond doubt, whatever else it says.
//!
//! For calls that a model chose after it had read what strangers wrote: they count as the person's only if the words order
//! them. So where understanding forgives, this does not. An order stands at the beginning of its clause, in a sentence
//! that begins with a verb, is understood to its last word but for an `if`, and neither asks, forbids nor tells. What
//! comes after a colon or a line break may be something that was pasted.

use super::clause::Outcome;
use super::lexicon::{Class, Lexicon};
use super::manner::{self, Bare};
use super::names::Names;
use super::reading::{Context, Manner, Reading};
use super::token::{self, Shape, Token};
use super::{MOST_CLAUSES, MOST_TOKENS, Meant, Understanding, World, readings};

/// Conditions that a person leaves to Jarvis to see; all others may be about the person.
const LEFT_TO_US: [&str; 2] = ["if", "in case"];
/// Who is spoken of: a condition about them is not for Jarvis to see.
const PEOPLE: [&str; 12] = ["i", "me", "my", "we", "us", "our", "you", "he", "she", "him", "her", "somebody"];

impl Understanding {
    /// The calls that a text orders beyond doubt.
    pub async fn orders(&self, text: &str, world: &dyn World) -> Vec<Meant> {
        let names = Names::of(world, &self.grammar.kinds).await;
        self.ordered(text.trim().lines().next().unwrap_or_default(), &names)
    }

    fn ordered(&self, text: &str, names: &Names) -> Vec<Meant> {
        let text = token::clean(text);
        let tokens = token::tokens(&text);
        if tokens.len() > MOST_TOKENS {
            return Vec::new();
        }
        let cx = Context { lexicon: &self.lexicon, grammar: &self.grammar, names, tokens: &tokens, text: &text };
        let (mut read, mut count) = (Vec::new(), Vec::new());
        for (from, to) in sentences(&tokens) {
            let bare = manner::strip(&self.lexicon, &tokens, from, to);
            let clauses: Vec<Bare> = manner::clauses(&self.lexicon, names, &tokens, bare)
                .into_iter()
                .map(|(from, to)| manner::strip(&self.lexicon, &tokens, from, to))
                .filter(|clause| clause.from < clause.to)
                .collect();
            let earnest = self.is_earnest(&tokens, bare, &clauses);
            for clause in clauses {
                let to = conditions(&self.lexicon, &tokens, clause).next().map_or(clause.to, |(at, _)| at);
                let manner = Manner { gerund: bare.gerund || clause.gerund, past: false, as_names: true };
                let found = readings(cx, Bare { to, ..clause }, manner);
                if !found.is_empty() {
                    count.push(earnest && found.iter().any(|reading| commands(cx, clause.from, to, reading)));
                    read.push(found);
                }
            }
        }
        if read.len() > MOST_CLAUSES {
            return Vec::new();
        }
        let outcomes = self.outcomes(cx, &read).into_iter().zip(count);
        let certain = outcomes.filter(|(outcome, counts)| *counts && outcome.question.is_none());
        certain.flat_map(|(Outcome { calls, .. }, _)| calls).map(Meant::from).collect()
    }

    /// Whether a sentence is there to be obeyed at all.
    fn is_earnest(&self, tokens: &[Token], bare: Bare, clauses: &[Bare]) -> bool {
        let lexicon = &self.lexicon;
        let words = &tokens[..bare.to];
        let begins = |list: &str| lexicon.listed(list, words, bare.from) > 0;
        if ["wondering", "past", "musing", "refusal"].into_iter().any(begins) {
            return false;
        }
        let mut rest = tokens[bare.to..].iter().take_while(|token| token.shape == Shape::Mark);
        if !bare.request && rest.any(|token| token.is_mark("?")) {
            return false;
        }
        // "cancel job 7" is an order, "cancel" elsewhere takes one back.
        let own = |at: usize| clauses.iter().any(|clause| clause.from == at) && self.is_action(words, at);
        let forbids = |at: usize| lexicon.listed("negation", words, at) > 0 && !manner::of_state(words, at) && !own(at);
        if (bare.from..bare.to).any(forbids) {
            return false;
        }
        let mut all = conditions(lexicon, tokens, bare);
        let ours = all.all(|(at, length)| {
            let said: Vec<_> = words[at..at + length].iter().map(|token| token.low.as_str()).collect();
            let about = words[at..].iter().take_while(|token| token.shape != Shape::Mark);
            LEFT_TO_US.contains(&said.join(" ").as_str())
                && about.map(|token| &*token.low).all(|word| !PEOPLE.contains(&word))
        });
        let Some(first) = clauses.first().filter(|_| ours) else { return false };
        // "see how to stop it and start it again" shows, and orders nothing.
        let looks = lexicon.listed("looks", words, first.from) > 0;
        let also = || (first.from + 1..first.to).any(|at| self.is_action(words, at));
        self.is_action(words, first.from) || (looks && !also())
    }

    /// Whether a verb of some tool stands here, in the form that commands.
    fn is_action(&self, words: &[Token], at: usize) -> bool {
        self.lexicon.at(words, at).is_some_and(|found| {
            let meaning = found.meaning;
            meaning.commands && meaning.class == Class::Verb && self.grammar.actions.contains(&meaning.concept)
        })
    }
}

/// Sentences up to the first colon, without the marks that end them.
fn sentences(tokens: &[Token]) -> Vec<(usize, usize)> {
    let end = tokens.iter().position(|token| token.is_mark(":")).unwrap_or(tokens.len());
    let mut from = 0;
    let parts = tokens[..end].split(|token| token.is_mark(".!?;")).map(|part| {
        let to = from + part.len();
        (std::mem::replace(&mut from, to + 1), to)
    });
    parts.filter(|(from, to)| from < to).collect()
}

/// Where conditions begin, and how many words they begin with.
fn conditions(lexicon: &Lexicon, tokens: &[Token], within: Bare) -> impl Iterator<Item = (usize, usize)> {
    let words = &tokens[..within.to];
    (within.from..within.to)
        .map(move |at| (at, lexicon.listed("condition", words, at)))
        .filter(|(_, length)| *length > 0)
}

/// Whether a clause begins with its order, and nothing in it was passed over.
fn commands(cx: Context<'_>, from: usize, to: usize, reading: &Reading) -> bool {
    if reading.order().is_none_or(|order| order.at != from) {
        return false;
    }
    let words = &cx.tokens[..to];
    let Some(verb) = cx.lexicon.at(words, from) else { return false };
    let after = from + verb.length;
    // "restart of web" is a noun.
    if words.get(after).is_some_and(|word| word.low == "of") {
        return false;
    }
    let particle = verb.particle.unwrap_or((after, after));
    let joins = |word: &str| {
        ["light", "into", "onto", "holding", "about", "and", "pronoun"].iter().any(|list| cx.lexicon.is(list, word))
    };
    (after..to)
        .filter(|at| !(particle.0..particle.1).contains(at))
        .map(|at| &words[at])
        .all(|word| word.shape != Shape::Word || !cx.lexicon.is("stop", &word.low) || joins(&word.low))
}
