//! The table of words, read once.
//!
//! All English lives in `lexicon.txt`, so that a word can be added without touching code, and so that examples on tools
//! and sentences of people are read with the same eyes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How much a meaning tells about which tool is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// What is to be done.
    Verb,
    /// What it is about.
    Noun,
    /// Where it is; said often without need.
    Context,
    /// Asks for something to be shown.
    Weak,
}

impl Class {
    /// Its share in the score of a match.
    pub(super) const fn weight(self) -> f32 {
        match self {
            Self::Verb | Self::Noun => 1.0,
            Self::Context => 0.5,
            Self::Weak => 0.1,
        }
    }
}

/// What a word or phrase means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) concept: Arc<str>,
    /// Tells values of one concept apart; empty where there is one only.
    pub(super) facet: Arc<str>,
    pub(super) class: Class,
    /// The form that commands: "restart", never "restarted".
    pub(super) commands: bool,
}

#[derive(Debug)]
struct Phrase {
    words: Vec<String>,
    /// Words after the gap, for "turn .. on".
    particle: Vec<String>,
    meaning: Meaning,
}

/// A phrase that was found: how many words it takes, and where the part after its gap stands.
pub(super) struct Found<'a> {
    pub(super) length: usize,
    pub(super) particle: Option<(usize, usize)>,
    pub(super) meaning: &'a Meaning,
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct Lexicon {
    phrases: HashMap<String, Vec<Phrase>>,
    lists: HashMap<String, HashMap<String, Vec<Vec<String>>>>,
    verbs: HashSet<Arc<str>>,
}

/// Farthest that the two halves of a phrase stand apart, in words.
const WIDEST_GAP: usize = 6;

impl Lexicon {
    /// Reads the table.
    pub(super) fn new() -> Self {
        let mut lexicon = Self::default();
        for line in include_str!("lexicon.txt").lines() {
            let line = line.trim();
            let Some((head, forms)) = line.split_once(':').filter(|_| !line.starts_with('#')) else {
                continue;
            };
            if let Some(list) = head.strip_prefix('@') {
                lexicon.add_list(list, forms);
            } else {
                lexicon.add_concept(head, forms);
            }
        }
        for phrases in lexicon.phrases.values_mut() {
            phrases.sort_by_key(|phrase| std::cmp::Reverse(phrase.words.len() + phrase.particle.len()));
        }
        lexicon
    }

    fn add_list(&mut self, list: &str, forms: &str) {
        let by_first = self.lists.entry(list.to_owned()).or_default();
        for words in split_forms(forms) {
            by_first.entry(words[0].clone()).or_default().push(words);
        }
        for phrases in by_first.values_mut() {
            phrases.sort_by_key(|words| std::cmp::Reverse(words.len()));
        }
    }

    fn add_concept(&mut self, head: &str, forms: &str) {
        let (class, name) = head.split_once(' ').unwrap_or(("noun", head));
        let (concept, facet) = name.split_once('/').unwrap_or((name, ""));
        let class = match class {
            "verb" => Class::Verb,
            "context" => Class::Context,
            "weak" => Class::Weak,
            _ => Class::Noun,
        };
        let (concept, facet): (Arc<str>, Arc<str>) = (concept.into(), facet.into());
        if class == Class::Verb {
            self.verbs.insert(Arc::clone(&concept));
        }
        let (commanding, other) = forms.split_once(';').unwrap_or((forms, ""));
        for (forms, commands) in [(commanding, true), (other, false)] {
            for words in split_forms(forms) {
                let gap = words.iter().position(|word| word == "..");
                let particle = gap.map(|gap| words[gap + 1..].to_vec()).unwrap_or_default();
                let words = words[..gap.unwrap_or(words.len())].to_vec();
                let meaning = Meaning {
                    concept: Arc::clone(&concept),
                    facet: Arc::clone(&facet),
                    class,
                    commands: commands && class == Class::Verb,
                };
                let first = words.first().cloned().unwrap_or_default();
                self.phrases.entry(first).or_default().push(Phrase { words, particle, meaning });
            }
        }
    }

    /// The longest phrase that begins at `at`.
    pub(super) fn at<W: AsRef<str>>(&self, words: &[W], at: usize) -> Option<Found<'_>> {
        let here = &words[at..];
        self.phrases.get(here.first()?.as_ref())?.iter().find_map(|phrase| {
            let length = phrase.words.len();
            if !begins(here, &phrase.words) {
                return None;
            }
            if phrase.particle.is_empty() {
                return Some(Found { length, particle: None, meaning: &phrase.meaning });
            }
            let reach = here.len().min(length + 1 + WIDEST_GAP);
            let particle = (length + 1..reach).find(|&from| begins(&here[from..], &phrase.particle))?;
            let stands = (at + particle, at + particle + phrase.particle.len());
            Some(Found { length, particle: Some(stands), meaning: &phrase.meaning })
        })
    }

    /// The meaning of one word or phrase that stands alone.
    pub(super) fn meaning(&self, text: &str) -> Option<&Meaning> {
        let words: Vec<&str> = text.split([' ', '_', '-']).collect();
        self.at(&words, 0).filter(|found| found.length == words.len()).map(|found| found.meaning)
    }

    /// Whether the concept is something to be done.
    pub(super) fn commands(&self, concept: &str) -> bool {
        self.verbs.contains(concept)
    }

    /// How many words from `at` on are one entry of the list; 0 when none is.
    pub(super) fn listed<W: AsRef<str>>(&self, list: &str, words: &[W], at: usize) -> usize {
        let here = &words[at.min(words.len())..];
        here.first()
            .and_then(|first| self.lists.get(list)?.get(first.as_ref()))
            .and_then(|entries| entries.iter().find(|entry| begins(here, entry)))
            .map_or(0, Vec::len)
    }

    /// How many words that end before `end` are one entry of the list.
    pub(super) fn listed_before<W: AsRef<str>>(&self, list: &str, words: &[W], end: usize) -> usize {
        (1..=5.min(end)).rev().find(|&length| self.listed(list, &words[..end], end - length) == length).unwrap_or(0)
    }

    /// Whether one word alone is an entry of the list.
    pub(super) fn is(&self, list: &str, word: &str) -> bool {
        self.listed(list, &[word], 0) == 1
    }

    /// The known word that `word` is a slip of the finger away from.
    pub(super) fn nearly(&self, word: &str) -> Option<&Meaning> {
        if !(5..=16).contains(&word.len()) {
            return None;
        }
        let alone = |phrase: &&Phrase| phrase.words.len() == 1 && phrase.particle.is_empty();
        let near = self.phrases.iter().filter_map(|(form, phrases)| {
            let near = form.len().abs_diff(word.len()) <= 1 && strsim::osa_distance(form, word) == 1;
            phrases.iter().find(alone).filter(|_| near).map(|phrase| (form, &phrase.meaning))
        });
        // Of several the one that commands: it is asked about, where another would be taken for granted.
        let (_, meaning) = near.min_by_key(|(form, meaning)| (!meaning.commands, *form))?;
        // "Stoppen" is nearer to "stop" than to "stopped", whatever the letters say.
        let begins = |start: &str| {
            self.phrases.get(start).is_some_and(|phrases| phrases.iter().filter(alone).any(|it| it.meaning.commands))
        };
        let command = (4..word.len()).filter_map(|end| word.get(..end)).any(begins);
        (meaning.commands || !command).then_some(meaning)
    }
}

fn split_forms(forms: &str) -> impl Iterator<Item = Vec<String>> + '_ {
    forms
        .split(',')
        .map(|form| form.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .filter(|words| !words.is_empty())
}

fn begins<A: AsRef<str>, B: AsRef<str>>(words: &[A], start: &[B]) -> bool {
    words.len() >= start.len() && words.iter().zip(start).all(|(word, start)| word.as_ref() == start.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_phrase_wins_and_may_have_a_gap() {
        let lexicon = Lexicon::new();
        let words = ["turn", "web", "off"];
        let found = lexicon.at(&words, 0).unwrap();
        assert_eq!((&*found.meaning.concept, found.particle), ("stop", Some((2, 3))));
        let words = ["turn", "web", "off", "and", "on", "again"];
        assert_eq!(&*lexicon.at(&words, 0).unwrap().meaning.concept, "restart");
        assert_eq!(&*lexicon.meaning("not running").unwrap().facet, "exited");
        assert!(lexicon.meaning("restart").unwrap().commands);
        assert!(!lexicon.meaning("restarted").unwrap().commands);
    }

    #[test]
    fn no_list_is_empty_and_no_word_is_written_in_capitals() {
        let lexicon = Lexicon::new();
        assert!(lexicon.lists.len() > 20 && lexicon.lists.values().all(|entries| !entries.is_empty()));
        assert!(lexicon.phrases.keys().all(|word| !word.is_empty() && *word == word.to_lowercase()));
    }
}
