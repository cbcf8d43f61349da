//! What a text orders beyond doubt, whatever else it says.
//!
//! For calls that a model chose after it had read what strangers wrote: they count as the person's only if the words order
//! them. So where understanding forgives, this does not. An order stands at the beginning of its clause, in a sentence
//! that begins with a verb, is understood to its last word but for an `if`, and neither asks, forbids nor tells. What
//! comes after a colon or a line break may be something that was pasted, and orders nothing; but what takes an order back
//! or waits for the person counts wherever it stands.

use super::clause::Outcome;
use super::lexicon::{Class, Lexicon};
use super::manner::{self, Bare};
use super::names::Names;
use super::reading::{Context, Manner, Reading};
use super::token::{self, Shape, Token};
use super::{MOST_CLAUSES, MOST_TOKENS, Meant, Understanding, World, readings};

/// Conditions that a person leaves to Jarvis to see; all others may be about the person.
const LEFT_TO_US: [&str; 2] = ["if", "in case"];
/// Who is spoken of: what depends on them is not for Jarvis to see.
const PEOPLE: [&str; 20] = [
    "i",
    "me",
    "my",
    "mine",
    "we",
    "us",
    "our",
    "you",
    "he",
    "she",
    "him",
    "her",
    "they",
    "them",
    "somebody",
    "someone",
    "anybody",
    "anyone",
    "everybody",
    "everyone",
];
/// Words of those who want to be asked first, by their beginnings.
const LEAVE: [&str; 8] = ["agree", "allow", "approv", "ask", "confirm", "consent", "permi", "wait"];
/// What things fail to do. No tool does any of it, so nobody forbids an act with these words.
const FAILS: [&str; 9] = ["answer", "appear", "connect", "load", "play", "react", "respond", "sync", "work"];
/// The same, with "up" behind.
const FAILS_UP: [&str; 2] = ["come", "show"];
/// What may follow where somebody tells of a failure, and no order goes on.
const LASTS: [&str; 9] = ["again", "any", "anymore", "at", "for", "lately", "since", "today", "yet"];
/// What makes of an order something that is told.
const TOLD: [&str; 11] = ["how", "whether", "that", "who", "which", "can", "may", "could", "should", "would", "will"];
/// Their dots end no sentence.
const SHORTENED: [&str; 8] = ["e.g", "i.e", "eg", "ie", "etc", "vs", "resp", "approx"];

impl Understanding {
    /// The calls that a text orders beyond doubt.
    pub async fn orders(&self, text: &str, world: &dyn World) -> Vec<Meant> {
        let breaks = |character: char| character.is_control() || matches!(character, '\u{2028}' | '\u{2029}');
        let line = text.trim().split(breaks).next().unwrap_or_default();
        // A quotation that does not end, or whose marks are not known here, may hold anything.
        let odd = |mark: char| line.matches(mark).count() % 2 == 1;
        let open = odd('"') || odd('`') || line.contains(['«', '»', '“', '”', '„', '‹', '›']);
        if open || self.is_withheld(text) {
            return Vec::new();
        }
        self.ordered(line, &Names::of(world, &self.grammar.kinds).await)
    }

    /// Whether anything in a text takes its orders back, or waits for the person.
    fn is_withheld(&self, text: &str) -> bool {
        let text = token::clean(text);
        let tokens = token::tokens(&text);
        let listed = |list: &str, at: usize| self.lexicon.listed(list, &tokens, at);
        tokens.len() > MOST_TOKENS
            || (0..tokens.len()).any(|at| {
                let token = &tokens[at];
                let conditional = listed("condition", at);
                let said: Vec<_> = tokens[at..at + conditional].iter().map(|token| token.low.as_str()).collect();
                let number = token.shape == Shape::Word && token.low.bytes().all(|byte| byte.is_ascii_digit());
                (listed("negation", at) > 0 && !manner::of_state(&tokens, at) && !self.is_failing(&tokens, at))
                    || (conditional > 0 && !LEFT_TO_US.contains(&said.join(" ").as_str()))
                    || token.shape == Shape::Word && LEAVE.iter().any(|leave| token.low.starts_with(leave))
                    || SHORTENED.contains(&token.low.as_str())
                    || (number && tokens.get(at + 1).is_some_and(|next| next.is_mark(".")))
            })
    }

    /// Whether the "not" here tells of a thing that fails, as in "my photos do not load": in a sentence of its own that holds
    /// nothing else, no act and no condition. What "it" or "that" does not do may be the order itself.
    fn is_failing(&self, tokens: &[Token], at: usize) -> bool {
        let ends = |token: &Token| token.is_mark(".:!?;");
        // "do not" is one negation.
        let at = at + usize::from(tokens[at].low == "do");
        let from = tokens[..at].iter().rposition(ends).map_or(0, |mark| mark + 1);
        let to = tokens[at..].iter().position(ends).map_or(tokens.len(), |mark| at + mark);
        let (before, after) = (&tokens[from..at], &tokens[at + 1..to]);
        let [.., thing, helper] = before else { return false };
        let lists = ["and", "condition", "courteous", "light", "negation", "polite", "pronoun", "stop", "then"];
        let named = thing.shape == Shape::Word
            && !PEOPLE.contains(&&*thing.low)
            && !lists.iter().any(|list| self.lexicon.is(list, &thing.low));
        let helps = ["do", "does", "will"].contains(&&*helper.low);
        let rest = match after {
            [verb, up, rest @ ..] if FAILS_UP.contains(&&*verb.low) && up.low == "up" => rest,
            [verb, rest @ ..] if FAILS.contains(&&*verb.low) => rest,
            _ => return false,
        };
        let over = rest.first().is_none_or(|next| LASTS.contains(&&*next.low));
        let more = (from..to).any(|place| {
            let verb = self.lexicon.at(&tokens[..to], place).map(|found| found.meaning);
            let act =
                verb.is_some_and(|verb| verb.class == Class::Verb && self.grammar.actions.contains(&verb.concept));
            act || self.lexicon.listed("condition", &tokens[..to], place) > 0 || tokens[place].shape != Shape::Word
        });
        named && helps && over && !more
    }

    fn ordered(&self, text: &str, names: &Names) -> Vec<Meant> {
        let text = token::clean(text);
        let tokens = token::tokens(&text);
        let cx = Context { lexicon: &self.lexicon, grammar: &self.grammar, names, tokens: &tokens, text: &text };
        let (mut read, mut count) = (Vec::new(), Vec::new());
        for (sentence, (from, to)) in sentences(&tokens).into_iter().enumerate() {
            let bare = manner::strip(&self.lexicon, &tokens, from, to);
            let clauses: Vec<Bare> = manner::clauses(&self.lexicon, names, &tokens, bare)
                .into_iter()
                .map(|(from, to)| manner::strip(&self.lexicon, &tokens, from, to))
                .filter(|clause| clause.from < clause.to)
                .collect();
            let mut earnest = self.is_earnest(&tokens, (from, to), bare, &clauses);
            for clause in clauses {
                let to = condition(&self.lexicon, &tokens, clause).unwrap_or(clause.to);
                let manner = Manner { gerund: bare.gerund || clause.gerund, past: false, as_names: true };
                let found = readings(cx, Bare { to, ..clause }, manner);
                if !found.is_empty() {
                    let commands = found.iter().any(|reading| commands(cx, clause.from, to, reading));
                    count.push((sentence, earnest, commands));
                    read.push(found);
                }
                // What follows a condition may belong to it, and what follows "how" or "whether" is told.
                earnest &= to == clause.to && !self.is_told(&tokens, clause);
            }
        }
        if read.len() > MOST_CLAUSES {
            return Vec::new();
        }
        let mut broken = None;
        let mut orders = Vec::new();
        for ((outcome, (sentence, earnest, commands)), read) in
            self.outcomes(cx, &read).into_iter().zip(count).zip(&read)
        {
            let Outcome { calls, question, .. } = outcome;
            let certain = commands && question.is_none() && !calls.is_empty();
            // One "it" is one thing.
            let several = calls.len() > 1 && read.iter().any(|reading| reading.pronoun && reading.group.is_none());
            if earnest && certain && !several && broken != Some(sentence) {
                orders.extend(calls.into_iter().map(Meant::from));
            } else if read.iter().any(|reading| reading.action.is_some()) {
                // An order that is not understood may be what the next ones are only a part of.
                broken = Some(sentence);
            }
        }
        orders
    }

    /// Whether a clause tells of an order, which the clauses behind it then belong to.
    fn is_told(&self, tokens: &[Token], clause: Bare) -> bool {
        (clause.from..clause.to).any(|at| {
            let verb = || self.lexicon.at(&tokens[..clause.to], at + 1).is_some();
            TOLD.contains(&tokens[at].low.as_str()) || (tokens[at].low == "to" && at + 1 < clause.to && verb())
        })
    }

    /// Whether a sentence is there to be obeyed at all.
    fn is_earnest(&self, tokens: &[Token], (from, to): (usize, usize), bare: Bare, clauses: &[Bare]) -> bool {
        let lexicon = &self.lexicon;
        let words = &tokens[..bare.to];
        let begins = |list: &str| lexicon.listed(list, words, bare.from) > 0;
        if ["wondering", "past", "musing", "refusal"].into_iter().any(begins) {
            return false;
        }
        let ends = |mark: &str| tokens.get(to).is_some_and(|token| token.is_mark(mark));
        if ends(":") || (ends("?") && !bare.request) {
            return false;
        }
        // "I want to stop it" may be a thought.
        if PEOPLE.contains(&tokens[from].low.as_str()) {
            return false;
        }
        // A condition about things is for Jarvis to see; "if you see" is one.
        let condition = (bare.from..bare.to).find(|at| lexicon.listed("condition", words, *at) > 0).unwrap_or(bare.to);
        let about_people = (condition..bare.to).any(|at| {
            let seen = words.get(at + 1).is_some_and(|next| matches!(&*next.low, "see" | "find" | "notice"));
            let told = matches!(&*words[at].low, "say" | "says" | "said" | "tells");
            told || (PEOPLE.contains(&words[at].low.as_str()) && !(words[at].low == "you" && seen))
        });
        let objects = words[condition..].iter().any(|word| word.low == "but");
        let Some(first) = clauses.first().filter(|_| !about_people && !objects) else { return false };
        // "see how to stop it and start it again" shows, and "check with me" asks; both order nothing.
        let looks = lexicon.listed("looks", words, first.from) > 0;
        let also = || (first.from + 1..first.to).any(|at| self.is_action(words, at));
        let asks = || {
            (first.from + 1..first.to).any(|at| {
                let told = matches!(&*words[at - 1].low, "tell" | "show" | "give" | "let");
                PEOPLE.contains(&words[at].low.as_str()) && !(words[at].low == "me" && told)
            })
        };
        self.is_action(words, first.from) || (looks && !also() && !asks())
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

/// Where the condition of a clause begins.
fn condition(lexicon: &Lexicon, tokens: &[Token], within: Bare) -> Option<usize> {
    let words = &tokens[..within.to];
    (within.from..within.to).find(|at| lexicon.listed("condition", words, *at) > 0)
}

/// Whether a clause begins with its order, and nothing in it was passed over.
fn commands(cx: Context<'_>, from: usize, to: usize, reading: &Reading) -> bool {
    if reading.order().is_none_or(|order| order.at != from) {
        return false;
    }
    let words = &cx.tokens[..to];
    let Some(verb) = cx.lexicon.at(words, from) else { return false };
    let after = from + verb.length;
    // "restart of web" is a noun, and "start on web" is begun work.
    if words.get(after).is_some_and(|word| matches!(&*word.low, "of" | "on")) {
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
