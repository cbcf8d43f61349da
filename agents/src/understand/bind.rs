//! A reading's values given to a tool's arguments.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::grammar::{Role, ToolGrammar, stem};
use super::names::{Candidate, Quality};
use super::reading::{Context, Mention, Reading};
use super::value::Value;

/// What a reading gives to one tool.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    pub(super) args: Map<String, Json>,
    /// Arguments that have a value: indices.
    pub(super) filled: Vec<usize>,
    /// Required arguments that have none: indices.
    pub(super) missing: Vec<usize>,
    /// How surely the thing is named.
    pub(super) quality: Quality,
    /// The thing, where one is named.
    pub(super) thing: Option<usize>,
    /// More than one thing fits equally well.
    pub(super) doubtful: Vec<Candidate>,
    /// Words that are used up by arguments: indices into the reading's words.
    pub(super) absorbed: HashSet<usize>,
    /// Values and things that the tool has no use for.
    pub(super) unused: usize,
    /// A thing was only used to filter by.
    pub(super) by_filter: bool,
    /// Unknown words that were used as a value.
    pub(super) explained: usize,
}

/// Binds all that the tool can take. `mention` is the one thing that this call is for.
pub(super) fn bind(cx: Context<'_>, tool: &ToolGrammar, reading: &Reading, mention: Option<&Mention>) -> Bound {
    let mut binder = Binder {
        cx,
        tool,
        reading,
        out: Bound {
            args: Map::new(),
            filled: Vec::new(),
            missing: Vec::new(),
            quality: Quality::Exact,
            thing: None,
            doubtful: Vec::new(),
            absorbed: HashSet::new(),
            unused: 0,
            by_filter: false,
            explained: 0,
        },
    };
    if let Some(mention) = mention {
        binder.mention(mention);
    }
    for said in &reading.values {
        binder.value(&said.value);
    }
    if let Some(name) = &reading.named {
        binder.filter(name);
    }
    binder.bare_image();
    for arg in 0..tool.args.len() {
        binder.words(arg);
    }
    binder.kind_words(mention.is_some() || reading.group.is_some());
    let required = |arg: &usize| tool.args[*arg].required && !binder.out.filled.contains(arg);
    binder.out.missing = (0..tool.args.len()).filter(required).collect();
    binder.out
}

struct Binder<'a> {
    cx: Context<'a>,
    tool: &'a ToolGrammar,
    reading: &'a Reading,
    out: Bound,
}

impl Binder<'_> {
    fn set(&mut self, arg: usize, value: impl Into<Json>) {
        self.out.args.insert(self.tool.args[arg].name.clone(), value.into());
        self.out.filled.push(arg);
    }

    fn open(&self, fits: impl Fn(&Role) -> bool) -> Option<usize> {
        let free = |arg: &usize| !self.out.filled.contains(arg) && fits(&self.tool.args[*arg].role);
        let open = || (0..self.tool.args.len()).filter(free);
        open().find(|&arg| self.tool.args[arg].required).or_else(|| open().next())
    }

    fn mention(&mut self, mention: &Mention) {
        let things = &self.cx.names.things;
        let kinds = &self.reading.kinds;
        let kind_fits = |candidate: &Candidate| kinds.contains(&things[candidate.thing].kind);
        // "the web service" where only a container is named web: good enough to look, not to act.
        let contradicted = !kinds.is_empty() && !mention.candidates.iter().any(kind_fits);
        for (arg, kind) in self.tool.args.iter().enumerate().filter_map(|(arg, known)| match &known.role {
            Role::Thing(kind) => Some((arg, kind)),
            _ => None,
        }) {
            let said = !kinds.is_empty() && kinds.iter().any(|said| self.cx.grammar.kinds.contains(said));
            let of_kind: Vec<Candidate> = mention
                .candidates
                .iter()
                .filter(|candidate| things[candidate.thing].kind == *kind)
                .filter(|candidate| !said || contradicted || kind_fits(candidate))
                .copied()
                .collect();
            let Some(best) = of_kind.iter().map(|candidate| candidate.quality).max() else { continue };
            let best_of: Vec<Candidate> = of_kind.into_iter().filter(|c| c.quality == best).collect();
            self.out.quality = if contradicted { best.min(Quality::Part) } else { best };
            self.out.thing = Some(best_of[0].thing);
            self.set(arg, things[best_of[0].thing].name.clone());
            if best_of.len() > 1 {
                self.out.doubtful = best_of;
            }
            return;
        }
        if let Some(arg) = self.open(|role| *role == Role::Image) {
            // "redis" is the image redis; "grafana" is not, where the image that exists is grafana/grafana.
            let official = |c: &Candidate| {
                let name = things[c.thing].name.to_lowercase();
                &*things[c.thing].kind == "image" && name.split(':').next() == Some(&mention.said.to_lowercase())
            };
            let whole = mention.candidates.iter().any(official);
            self.out.quality = if whole { Quality::Exact } else { Quality::Near };
            return self.set(arg, mention.said.clone());
        }
        // A thing that exists is better looked at than filtered for.
        self.out.by_filter = true;
        self.filter(&mention.said);
    }

    /// A part of a name to filter by; never sure enough to change something.
    fn filter(&mut self, name: &str) {
        self.out.quality = Quality::Part;
        match self.open(|role| *role == Role::Name) {
            Some(arg) => self.set(arg, name.trim_matches('*')),
            None => self.out.unused += 1,
        }
    }

    fn value(&mut self, value: &Value) {
        let arg = match value {
            Value::Count(_, unit) => self.count_arg(unit),
            Value::Text(_) => self.open(|role| role.takes(value)).or_else(|| self.open(|role| *role == Role::Name)),
            _ => self.open(|role| role.takes(value)),
        };
        let Some(arg) = arg else {
            self.out.unused += 1;
            return;
        };
        match value {
            Value::Count(count, _) => self.set(arg, *count),
            Value::Span(seconds) => {
                let unit = if let Role::Span(unit) = self.tool.args[arg].role { unit } else { 1 };
                self.set(arg, seconds.div_ceil(unit));
            }
            Value::Text(text) | Value::Url(text) | Value::Path(text) | Value::Image(text) | Value::Id(text) => {
                self.set(arg, text.clone());
            }
        }
    }

    /// "20 lines" goes to `lines`; "5 processes" and "top 5" to the one number that there is.
    fn count_arg(&self, unit: &str) -> Option<usize> {
        let concept = |word: &str| self.cx.lexicon.meaning(word).map(|meaning| Arc::clone(&meaning.concept));
        let named = (0..self.tool.args.len()).find(|&arg| {
            let name = &self.tool.args[arg].name;
            self.tool.args[arg].role == Role::Count
                && !self.out.filled.contains(&arg)
                && (stem(name) == stem(unit) || (concept(name).is_some() && concept(name) == concept(unit)))
        });
        named.or_else(|| self.open(|role| *role == Role::Count))
    }

    /// "pull alpine": a bare word is an image if it is known as one or called one.
    fn bare_image(&mut self) {
        let [word] = self.reading.unknown.as_slice() else { return };
        if let Some(arg) = self.open(|role| *role == Role::Image) {
            self.out.quality = if self.reading.image_said { Quality::Exact } else { Quality::Near };
            self.out.explained = 1;
            self.set(arg, word.clone());
        }
    }

    /// Arguments that follow from words: choices, flags, and what logs are searched for.
    fn words(&mut self, arg: usize) {
        if self.out.filled.contains(&arg) {
            return;
        }
        let known = &self.tool.args[arg];
        match &known.role {
            Role::Choice(choices) => self.choice(arg, choices),
            Role::Flag(phrases) => {
                if phrases.iter().any(|phrase| self.reading.says(phrase)) {
                    return self.set(arg, true);
                }
                let concept = self.cx.lexicon.meaning(&known.name).map(|meaning| &meaning.concept);
                let says = |word: &super::reading::Word| {
                    concept.is_some_and(|concept| *concept == word.concept) || stem(&word.said) == stem(&known.name)
                };
                if let Some(at) = self.reading.words.iter().position(says) {
                    self.out.absorbed.insert(at);
                    self.set(arg, true);
                }
            }
            Role::Text if known.name == "search" => {
                let found = self
                    .reading
                    .words
                    .iter()
                    .position(|word| matches!(&*word.concept, "error" | "warning" | "timeout"));
                if let Some(at) = found {
                    self.out.absorbed.insert(at);
                    self.set(arg, &*self.reading.words[at].concept);
                }
            }
            _ => {}
        }
    }

    fn choice(&mut self, arg: usize, choices: &[String]) {
        let meaning = |choice: &String| self.cx.lexicon.meaning(choice);
        for (at, word) in self.reading.words.iter().enumerate() {
            let exact = choices.iter().find(|choice| {
                **choice == word.said
                    || meaning(choice).is_some_and(|m| m.concept == word.concept && m.facet == word.facet)
            });
            // "stopped" and "failed" stand in for each other where a tool knows only one of them.
            let close = || {
                let down = |facet: &str| matches!(facet, "exited" | "failed");
                choices.iter().find(|c| down(&word.facet) && meaning(c).is_some_and(|m| down(&m.facet)))
            };
            if let Some(choice) = exact.or_else(close) {
                self.out.absorbed.insert(at);
                return self.set(arg, choice.clone());
            }
        }
        let every = self.reading.group.as_ref().is_some_and(|group| group.every);
        if let Some(choice) = choices.iter().find(|choice| every && *choice == "all") {
            self.set(arg, choice.clone());
        }
    }

    /// "container" in "restart the container web" says nothing that web does not.
    fn kind_words(&mut self, named: bool) {
        for (at, word) in self.reading.words.iter().enumerate() {
            let image = &*word.concept == "image" && self.tool.args.iter().any(|arg| arg.role == Role::Image);
            if (named && self.tool.takes(&word.concept)) || (image && self.out.thing.is_none()) {
                self.out.absorbed.insert(at);
            }
        }
    }
}
