//! One clause, read: every token is a word with a meaning, a thing, a value, a filler, or not understood.
//!
//! Nothing is thrown away silently. What is not understood is kept, because a sentence that changes something must be
//! understood to its last word.

use std::sync::Arc;

use super::grammar::{Grammar, stem};
use super::lexicon::{Class, Lexicon};
use super::names::{Candidate, MOST_NEAR, Names, Quality, looks_like_file};
use super::token::{Shape, Token};
use super::value::{Said, Value, value_at};
use super::{beyond, group, literal, mention, order};

/// What every clause is read with.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) lexicon: &'a Lexicon,
    pub(super) grammar: &'a Grammar,
    pub(super) names: &'a Names,
    pub(super) tokens: &'a [Token],
    /// The cleaned text that the tokens were cut from.
    pub(super) text: &'a str,
}

/// A word with a meaning.
#[derive(Debug, Clone)]
pub(super) struct Word {
    pub(super) concept: Arc<str>,
    pub(super) facet: Arc<str>,
    pub(super) weight: f32,
    pub(super) class: Class,
    /// It is in the form that commands.
    pub(super) commands: bool,
    /// It tells what was done, and so asks for a state too.
    pub(super) historic: bool,
    pub(super) at: usize,
    pub(super) said: String,
}

/// Words that name a thing.
#[derive(Debug, Clone)]
pub(super) struct Mention {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) said: String,
    pub(super) candidates: Vec<Candidate>,
}

/// Words that name many things at once.
#[derive(Debug, Clone, Default)]
pub(super) struct Group {
    /// Patterns with `*`.
    pub(super) patterns: Vec<String>,
    /// "all", "every", "everything".
    pub(super) every: bool,
    /// "both".
    pub(super) both: bool,
    /// "named", "called": what follows says which of all.
    pub(super) named: bool,
    /// Only those in this state.
    pub(super) state: Option<Arc<str>>,
}

/// How the clause is worded, apart from its words.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Manner {
    /// "would you mind restarting": there the -ing form commands.
    pub(super) gerund: bool,
    /// "did web restart?": there verbs ask for a state.
    pub(super) past: bool,
    /// Words that are both a name and a topic ("docker") are read as the name.
    pub(super) as_names: bool,
}

/// A clause, read.
#[derive(Debug, Clone, Default)]
pub(super) struct Reading {
    pub(super) words: Vec<Word>,
    pub(super) mentions: Vec<Mention>,
    pub(super) excepted: Vec<Mention>,
    pub(super) group: Option<Group>,
    pub(super) values: Vec<Said>,
    /// "named X" where X is no thing that exists.
    pub(super) named: Option<String>,
    pub(super) unknown: Vec<String>,
    /// A word that was not understood stands right behind "image": it is the name of one.
    pub(super) image_said: bool,
    /// Kinds of things that were said: "container", "service".
    pub(super) kinds: Vec<Arc<str>>,
    pub(super) pronoun: bool,
    /// The order given: index into `words`.
    pub(super) action: Option<usize>,
    /// Words stand in ways that an order does not have; good enough for a question only.
    pub(super) odd: bool,
    /// It may be an order that is not known, or no English, or asks for what is not here: it is no look.
    pub(super) beyond: bool,
    /// A word was both a name and a topic.
    pub(super) twofold: bool,
    /// The clause in lower case, its words parted by single spaces.
    pub(super) said: String,
}

impl Reading {
    /// The concept of the order given.
    pub(super) fn order(&self) -> Option<&Word> {
        self.action.map(|at| &self.words[at])
    }

    /// Whether the clause holds this phrase, word for word.
    pub(super) fn says(&self, phrase: &str) -> bool {
        format!(" {} ", self.said).contains(&format!(" {phrase} "))
    }

    /// Whether this is the order given.
    pub(super) fn orders(&self, concept: &str) -> bool {
        self.order().is_some_and(|word| &*word.concept == concept)
    }

    /// Whether all that is spoken of is known by its whole name: then nothing is meant that is not among the names.
    pub(super) fn is_certain(&self, names: &Names) -> bool {
        let of_kind =
            |candidate: &Candidate| self.kinds.is_empty() || self.kinds.contains(&names.things[candidate.thing].kind);
        let whole = |candidate: &Candidate| candidate.quality == Quality::Exact && of_kind(candidate);
        // Who is in a group is what the listing says.
        let grouped = self.group.as_ref().is_some_and(|group| self.action.is_some() || !group.patterns.is_empty());
        let known = |mention: &Mention| mention.candidates.iter().any(whole);
        !grouped && self.named.is_none() && self.unknown.is_empty() && self.mentions.iter().all(known)
    }

    /// Nothing but fillers.
    pub(super) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| word.class == Class::Weak)
            && self.mentions.is_empty()
            && self.values.is_empty()
            && self.named.is_none()
            && self.group.as_ref().is_none_or(|group| group.patterns.is_empty())
    }
}

/// Reads the tokens from `lo` to `hi`.
pub(super) fn read(cx: Context<'_>, lo: usize, hi: usize, manner: Manner) -> Reading {
    let (taken, out) = (vec![false; hi], Reading::default());
    let mut reader = Reader { cx, lo, hi, manner, taken, foreign: false, strange: Vec::new(), out };
    let said: Vec<&str> = cx.tokens[lo..hi].iter().map(|token| token.low.as_str()).collect();
    reader.out.said = said.join(" ");
    literal::capture(&mut reader);
    reader.values();
    group::find(&mut reader);
    mention::exact(&mut reader);
    mention::joined_parts(&mut reader);
    reader.phrases();
    reader.path_kinds();
    reader.foreign = beyond::is_foreign(&reader);
    reader.remaining();
    order::find(&mut reader);
    beyond::find(&mut reader);
    group::settle(&mut reader);
    if reader.out.action.is_some() {
        order::connections(&mut reader);
    }
    reader.out
}

pub(super) struct Reader<'a> {
    pub(super) cx: Context<'a>,
    pub(super) lo: usize,
    pub(super) hi: usize,
    pub(super) manner: Manner,
    pub(super) taken: Vec<bool>,
    /// Words are of another language.
    pub(super) foreign: bool,
    /// Where the words stand that were not understood, and so may order something.
    pub(super) strange: Vec<usize>,
    pub(super) out: Reading,
}

impl<'a> Reader<'a> {
    /// The tokens of the clause, and none behind it.
    pub(super) fn tokens(&self) -> &'a [Token] {
        &self.cx.tokens[..self.hi]
    }

    pub(super) fn take(&mut self, from: usize, to: usize) {
        let to = to.min(self.hi);
        if let Some(taken) = self.taken.get_mut(from..to) {
            taken.fill(true);
        }
    }

    pub(super) fn free(&self, from: usize, to: usize) -> bool {
        to <= self.hi && !self.taken[from..to].iter().any(|&taken| taken)
    }

    pub(super) fn listed(&self, list: &str, at: usize) -> usize {
        self.cx.lexicon.listed(list, self.tokens(), at)
    }

    /// Whether what stands here belongs to a name or a value.
    pub(super) fn is_named(&self, at: usize) -> bool {
        let mentions = self.out.mentions.iter().map(|mention| mention.from..mention.to);
        mentions.chain(self.out.values.iter().map(|said| said.from..said.to)).any(|span| span.contains(&at))
    }

    fn values(&mut self) {
        for at in self.lo..self.hi {
            let token = &self.tokens()[at];
            if self.taken[at] || !self.thing_kinds(&[&token.low]).is_empty() {
                continue;
            }
            let said = self.known_path(at).or_else(|| value_at(self.tokens(), at));
            if let Some(said) = said.filter(|said| self.free(said.from, said.to)) {
                if matches!(&said.value, Value::Path(path) if path.contains('*')) {
                    self.out.odd = true;
                }
                // "-n 50": the option says nothing that the number does not.
                let number = matches!(said.value, Value::Count(..));
                if number && at > self.lo && self.tokens()[at - 1].low.starts_with('-') {
                    self.take(at - 1, at);
                }
                self.take(said.from, said.to);
                self.out.values.push(said);
            }
        }
    }

    /// "The folder pictures", where there is one: a name that would be any word elsewhere.
    fn known_path(&self, at: usize) -> Option<Said> {
        let before = self.tokens().get(at.checked_sub(1).filter(|before| *before >= self.lo)?)?;
        let called = before.low == "file" || self.cx.lexicon.is("folder", &before.low);
        let path = &self.tokens()[at].raw;
        let said = || Said { value: Value::Path(path.clone()), from: at, to: at + 1 };
        (called && self.cx.names.is_path(path)).then(said)
    }

    /// Exact candidates that are things one acts on, images apart.
    fn thing_kinds(&self, words: &[&str]) -> Vec<Candidate> {
        let mut found = self.cx.names.exact(words);
        found.retain(|candidate| &*self.cx.names.things[candidate.thing].kind != "image");
        found
    }

    pub(super) fn kind_at(&self, at: usize) -> Option<&Arc<str>> {
        let token = self.tokens().get(at).filter(|token| token.shape == Shape::Word)?;
        let concept = &self.cx.lexicon.meaning(&token.low)?.concept;
        self.cx.grammar.kinds.iter().find(|kind| *kind == concept)
    }

    fn phrases(&mut self) {
        for at in self.lo..self.hi {
            if self.taken[at] {
                continue;
            }
            let Some(found) = self.cx.lexicon.at(self.tokens(), at) else {
                if self.cx.names.is_host(&self.tokens()[at].low)
                    && let Some(meaning) = self.cx.lexicon.meaning("machine")
                {
                    self.word(at, at + 1, &meaning.clone(), false);
                }
                continue;
            };
            let (from, to) = found.particle.unwrap_or((at, at));
            if !self.free(at, at + found.length) || !self.free(from, to) {
                continue;
            }
            let ing = self.manner.gerund && self.tokens()[at].low.ends_with("ing");
            let meaning = found.meaning.clone();
            let length = found.length;
            self.take(from, to);
            self.word(at, at + length, &meaning, meaning.commands || (ing && meaning.class == Class::Verb));
            for particle in from..to {
                if let Some(word) = self.out.words.last_mut() {
                    word.said = format!("{} {}", word.said, self.cx.tokens[particle].low);
                }
            }
        }
    }

    /// A path tells whether it is a folder or a file; so much the better if an example says the same.
    fn path_kinds(&mut self) {
        let paths: Vec<(usize, String)> = self
            .out
            .values
            .iter()
            .filter_map(|said| if let Value::Path(path) = &said.value { Some((said.from, path.clone())) } else { None })
            .collect();
        for (at, path) in paths {
            // "The folder hosts" says what the name does not.
            let called = at > self.lo && self.cx.lexicon.is("folder", &self.tokens()[at - 1].low);
            let folder = called || self.cx.names.is_folder(&path);
            let file = looks_like_file(&path) && !folder;
            let log = path.contains("/log") || path.ends_with(".log");
            if file {
                // "What is in notes.txt" asks to read it, not for a folder.
                for word in self.out.words.iter_mut().filter(|word| word.said.starts_with("what is in")) {
                    word.concept = "read".into();
                }
            }
            let concept = match file {
                _ if folder => "folder",
                _ if log => "log",
                // "What does notes.txt say": who only asks about a file wants to read it.
                true if self.out.words.iter().all(|word| word.class == Class::Weak) => "read",
                true => "file",
                false => continue,
            };
            if self.out.words.iter().all(|word| &*word.concept != concept) {
                let (concept, facet) = (concept.into(), "".into());
                let (class, said) = (Class::Weak, String::new());
                let word = Word { concept, facet, weight: 0.0, class, commands: false, historic: false, at, said };
                self.out.words.push(word);
            }
        }
    }

    fn word(&mut self, from: usize, to: usize, meaning: &super::lexicon::Meaning, commands: bool) {
        if let Some(kind) = self.cx.grammar.kinds.iter().find(|kind| **kind == meaning.concept) {
            self.out.kinds.push(Arc::clone(kind));
        }
        let said = self.tokens()[from..to].iter().map(|token| token.low.as_str()).collect::<Vec<_>>().join(" ");
        self.take(from, to);
        self.out.words.push(Word {
            concept: Arc::clone(&meaning.concept),
            facet: Arc::clone(&meaning.facet),
            weight: meaning.class.weight(),
            class: meaning.class,
            commands,
            historic: false,
            at: from,
            said,
        });
    }

    /// "to notes.txt", "into the file notes.txt", "from my files": the preposition belongs to the file.
    fn leads_to_file(&self, at: usize) -> bool {
        let tokens = self.tokens();
        let between = |at: &usize| matches!(&*tokens[*at].low, "the" | "a" | "my" | "your" | "file" | "files");
        if tokens[at].low == "from" {
            let end = (at + 1..self.hi).find(|next| !between(next)).unwrap_or(self.hi);
            return end > at + 1 && tokens[end - 1].low.starts_with("file");
        }
        let next = (at + 1..self.hi).find(|next| !between(next));
        let is_path = |said: &Said| Some(said.from) == next && matches!(said.value, Value::Path(_));
        self.cx.lexicon.is("onto", &tokens[at].low) && self.out.values.iter().any(is_path)
    }

    fn remaining(&mut self) {
        let mut looked_up = 0;
        for at in self.lo..self.hi {
            let token = &self.tokens()[at];
            if self.taken[at] || token.shape != Shape::Word {
                continue;
            }
            if self.listed("pronoun", at) > 0 {
                self.out.pronoun = true;
            }
            let lexicon = self.cx.lexicon;
            let light = ["light", "and", "then", "polite", "ending", "everything", "both"];
            if light.into_iter().any(|list| lexicon.is(list, &token.low)) {
                continue;
            }
            let onto_path = self.leads_to_file(at);
            if onto_path {
                continue;
            }
            if lexicon.is("stop", &token.low) {
                let of_group = self.out.group.is_some() && matches!(&*token.low, "is" | "are" | "in" | "has" | "have");
                self.out.odd |= !of_group;
                continue;
            }
            if let Some(concept) = self.cx.grammar.coined.get(stem(&token.low)) {
                let meaning = super::lexicon::Meaning {
                    concept: Arc::clone(concept),
                    facet: "".into(),
                    class: Class::Noun,
                    commands: self.cx.grammar.actions.contains(concept),
                };
                self.word(at, at + 1, &meaning, meaning.commands);
                continue;
            }
            let foreign = lexicon.is("foreign", &token.low);
            let mut candidates = if foreign { Vec::new() } else { self.cx.names.part(&[&token.low]) };
            if candidates.is_empty() && !foreign && looked_up < MOST_NEAR {
                looked_up += 1;
                candidates = self.cx.names.near(&token.low);
            }
            if !candidates.is_empty() {
                mention::keep(self, at, at + 1, candidates);
            } else if let Some(meaning) = lexicon.nearly(&token.low).filter(|_| !self.foreign) {
                // A misspelt order is good enough to ask about, not to follow.
                self.out.odd = true;
                self.word(at, at + 1, &meaning.clone(), meaning.commands);
            } else {
                let before = at.checked_sub(1).map(|before| &*self.tokens()[before].low);
                self.out.image_said |= before == Some("image");
                self.out.unknown.push(token.raw.clone());
                if self.listed("looks", at) == 0 {
                    self.strange.push(at);
                }
            }
        }
        self.out.mentions.sort_by_key(|mention| mention.from);
        if self.out.mentions.is_empty() {
            // Where nothing is named, the kind of thing is the topic.
            let kinds = &self.cx.grammar.kinds;
            for word in self.out.words.iter_mut().filter(|word| kinds.contains(&word.concept)) {
                word.weight = 1.0;
            }
        }
        self.out.words.sort_by_key(|word| word.at);
    }
}
