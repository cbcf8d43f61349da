//! How a text is put: manners around it, the mood it is in, and where one clause ends and the next begins.

use super::grammar::Grammar;
use super::lexicon::{Class, Lexicon};
use super::names::Names;
use super::token::{Shape, Token};
use super::value::{Said, Value, value_at};

/// A stretch of tokens without its manners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bare {
    pub(super) from: usize,
    pub(super) to: usize,
    /// "could you …": a request although it is put as a question.
    pub(super) request: bool,
    /// "would you mind …ing".
    pub(super) gerund: bool,
}

/// An order and its id are so many words apart: "cancel the job job_…".
const MOST_BEFORE_ID: usize = 3;

/// Takes greetings, pleas and thanks off both ends.
pub(super) fn strip(lexicon: &Lexicon, tokens: &[Token], mut from: usize, mut to: usize) -> Bare {
    let (mut request, mut gerund) = (false, false);
    while from < to {
        if tokens[from].shape == Shape::Mark {
            from += 1;
            continue;
        }
        let words = &tokens[..to];
        let lists =
            ["gerund", "request", "polite", "then", "and"].map(|list| (lexicon.listed(list, words, from), list));
        let Some(&(length, list)) = lists.iter().max_by_key(|(length, _)| *length).filter(|best| best.0 > 0) else {
            break;
        };
        gerund |= list == "gerund";
        request |= matches!(list, "gerund" | "request");
        from += length;
    }
    while from < to {
        if tokens[to - 1].shape == Shape::Mark {
            to -= 1;
            continue;
        }
        let length = lexicon.listed_before("ending", &tokens[from..to], to - from);
        if length == 0 {
            break;
        }
        to -= length;
    }
    Bare { from, to, request, gerund }
}

/// Whether a text gives orders at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mood {
    /// It begins by forbidding or wondering: whatever order it holds is not one.
    pub(super) idle: bool,
    /// It only thinks aloud: nothing in it asks for anything.
    pub(super) musing: bool,
    /// It asks what has been.
    pub(super) past: bool,
    /// It holds a "not", an "if", or is a bare question: an order in it must be asked about.
    pub(super) doubtful: bool,
}

/// The mood of a text.
pub(super) fn mood(lexicon: &Lexicon, grammar: &Grammar, tokens: &[Token], bare: Bare) -> Mood {
    let words = &tokens[..bare.to];
    let begins = |list: &str| lexicon.listed(list, words, bare.from) > 0;
    let refuses = begins("refusal");
    let past = !refuses && begins("past");
    let wonders = !bare.request && begins("wondering");
    let asked = tokens.last().is_some_and(|token| token.is_mark("?")) && !bare.request;
    let qualified = (bare.from..bare.to).any(|at| {
        lexicon.listed("condition", words, at) > 0
            || (lexicon.listed("negation", words, at) > 0 && !of_state(words, at) && !of_id(grammar, words, at))
    });
    Mood {
        idle: refuses || wonders,
        musing: begins("musing"),
        past,
        doubtful: qualified || asked || past || wonders || refuses,
    }
}

/// "not running" is a state, not a prohibition.
pub(super) fn of_state(words: &[Token], at: usize) -> bool {
    let states = ["running", "up", "working", "responding", "started", "active", "online", "healthy"];
    words[at].low == "not" && words.get(at + 1).is_some_and(|next| states.contains(&&*next.low))
}

/// "Cancel job_…" is an order for that job, where "cancel that" takes one back.
fn of_id(grammar: &Grammar, words: &[Token], at: usize) -> bool {
    let next = (at + 1..words.len()).take(MOST_BEFORE_ID).take_while(|&next| words[next].shape == Shape::Word);
    let is_id = |next: usize| matches!(value_at(words, next), Some(Said { value: Value::Id(_), .. }));
    grammar.actions.contains(&*words[at].low) && next.into_iter().any(is_id)
}

/// Cuts into clauses: at full stops, and at "then", "and" or a comma before a verb.
pub(super) fn clauses(lexicon: &Lexicon, names: &Names, tokens: &[Token], bare: Bare) -> Vec<(usize, usize)> {
    let words = &tokens[..bare.to];
    let mut found = Vec::new();
    let mut start = bare.from;
    let mut at = bare.from;
    while at < bare.to {
        // In "stop and start" the "and" is part of the verb.
        let phrase = lexicon.at(words, at).map_or(0, |found| found.length);
        if words[at..at + phrase].iter().any(|word| word.low == "and") {
            at += phrase;
            continue;
        }
        let then = lexicon.listed("then", words, at);
        let and = lexicon.listed("and", words, at);
        let joins = and > 0 || words[at].is_mark(",");
        let (ends, length) = if words[at].is_mark(".!?;") {
            (true, 1)
        } else if then > 0 && at > start {
            (verb_begins(lexicon, names, words, at + then), then)
        } else {
            (joins && verb_begins(lexicon, names, words, at + and.max(1)), and.max(1))
        };
        if ends {
            found.push((start, at));
            start = at + length;
        }
        at += length;
    }
    found.push((start, bare.to));
    found.retain(|(from, to)| tokens[*from..*to].iter().any(|token| token.shape != Shape::Mark));
    found
}

fn verb_begins(lexicon: &Lexicon, names: &Names, words: &[Token], at: usize) -> bool {
    let mut at = at;
    loop {
        let skipped = ["and", "then", "polite", "request"]
            .into_iter()
            .map(|list| lexicon.listed(list, words, at))
            .max()
            .unwrap_or_default();
        if skipped == 0 {
            break;
        }
        at += skipped;
    }
    let Some(word) = words.get(at).filter(|word| word.shape == Shape::Word) else { return false };
    if matches!(&*word.low, "how" | "is" | "are" | "do" | "never" | "tail") {
        return true;
    }
    lexicon.at(words, at).is_some_and(|found| {
        let starts = found.meaning.commands || found.meaning.class == Class::Weak;
        starts && names.exact(&[&word.low]).is_empty()
    })
}

#[cfg(test)]
mod tests {
    use super::super::token::{clean, tokens};
    use super::*;

    fn of(text: &str) -> (Mood, Vec<String>) {
        let lexicon = Lexicon::new();
        let tokens = tokens(&clean(text));
        let bare = strip(&lexicon, &tokens, 0, tokens.len());
        let clauses = clauses(&lexicon, &Names::default(), &tokens, bare);
        let said = |(from, to): (usize, usize)| {
            tokens[from..to].iter().map(|token| token.low.clone()).collect::<Vec<_>>().join(" ")
        };
        (mood(&lexicon, &Grammar::default(), &tokens, bare), clauses.into_iter().map(said).collect())
    }

    #[test]
    fn manners_fall_off_and_requests_are_not_questions() {
        let (mood, clauses) = of("Hey Jarvis, could you please restart web for me? Thanks!");
        assert_eq!(clauses, ["restart web"]);
        assert!(!mood.doubtful);
    }

    #[test]
    fn prohibitions_conditions_and_musings_are_not_orders() {
        assert!(of("don't stop web").0.idle);
        assert!(of("should I restart web?").0.idle);
        assert!(of("how do I restart web").0.idle);
        assert!(of("restart web unless it is busy").0.doubtful);
        assert!(of("restart web?").0.doubtful);
        assert!(of("did web restart?").0.past);
        assert!(!of("restart everything that is not running").0.doubtful);
    }

    #[test]
    fn clauses_end_where_the_next_verb_begins() {
        assert_eq!(of("restart web and grafana and show its logs").1, ["restart web and grafana", "show its logs"]);
        assert_eq!(of("stop web, then remove it").1, ["stop web", "then remove it"]);
        assert_eq!(of("turn web off and on again").1, ["turn web off and on again"]);
    }
}
