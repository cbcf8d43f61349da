//! What tools say about themselves, made ready for matching.
//!
//! The example utterances are the grammar: their words become concepts, their `{slots}` arguments. How an argument takes
//! a value follows from its schema, so that a tool author writes sentences and a schema and nothing else.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jarvis_safety::Tier;
use serde_json::Value as Json;

use super::lexicon::{Class, Lexicon};
use super::token::{Shape, Token, clean, tokens};
use super::value::{Value, number, unit_seconds, value_at};
use super::{ToolText, line};

/// How an argument takes its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Role {
    /// The name of a thing of this kind.
    Thing(Arc<str>),
    /// A path or file name.
    Path,
    /// An image reference.
    Image,
    /// An http address.
    Url,
    /// A span of time; seconds in one unit of it.
    Span(u64),
    /// A number of something.
    Count,
    /// True when its word, or one of these phrases, is said.
    Flag(Vec<String>),
    /// One of these.
    Choice(Vec<String>),
    /// An id that begins with this.
    Id(String),
    /// A part of a name, to filter by.
    Name,
    /// A program or a tool by its very name: no words of a sentence stand for it.
    Verbatim,
    /// Several words, one by one.
    Words,
    /// Free text.
    Text,
}

/// One argument.
#[derive(Debug)]
pub(super) struct Arg {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) required: bool,
}

/// A word of an example.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Concept {
    pub(super) name: Arc<str>,
    pub(super) facet: Arc<str>,
    pub(super) weight: f32,
}

/// One example utterance.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) concepts: Vec<Concept>,
    pub(super) slots: Vec<usize>,
    /// Arguments that this sentence alone implies.
    pub(super) fixed: Vec<(String, Json)>,
    /// It asks, so it never stands for an order although it may hold a verb.
    pub(super) asks: bool,
    /// The sentence as it was written.
    pub(super) example: String,
}

/// One tool.
#[derive(Debug)]
pub(super) struct ToolGrammar {
    pub(super) name: String,
    pub(super) tier: Tier,
    pub(super) args: Vec<Arg>,
    pub(super) patterns: Vec<Pattern>,
    pub(super) vocabulary: HashSet<Arc<str>>,
    /// Flags that are orders of their own: "append".
    pub(super) flags: HashSet<Arc<str>>,
}

impl ToolGrammar {
    /// Whether an argument names a thing of this kind.
    pub(super) fn takes(&self, kind: &str) -> bool {
        self.args.iter().any(|arg| matches!(&arg.role, Role::Thing(of) if **of == *kind))
    }
}

/// All tools.
#[derive(Debug, Default)]
pub(super) struct Grammar {
    pub(super) tools: Vec<ToolGrammar>,
    /// Words of examples that the lexicon does not know, by their stem.
    pub(super) coined: HashMap<String, Arc<str>>,
    /// What tools above green do: these words are orders, not topics.
    pub(super) actions: HashSet<Arc<str>>,
    /// What tools say that only look.
    pub(super) looks: HashSet<Arc<str>>,
    /// Tools that run a program with arguments, the lowest tier first.
    pub(super) lines: Vec<String>,
    /// How they are told to.
    pub(super) runs: HashSet<Arc<str>>,
    /// Kinds of things that any tool takes.
    pub(super) kinds: Vec<Arc<str>>,
}

impl Grammar {
    /// Reads all tools.
    pub(super) fn new(tools: &[ToolText], lexicon: &Lexicon) -> Self {
        let mut grammar = Self::default();
        let mut kinds = BTreeSet::new();
        for tool in tools {
            let args = args_of(&tool.input);
            for arg in &args {
                if let Role::Thing(kind) = &arg.role {
                    kinds.insert(Arc::clone(kind));
                } else if arg.role == Role::Image {
                    kinds.insert("image".into());
                }
            }
            let patterns: Vec<Pattern> =
                tool.examples.iter().map(|example| grammar.pattern(example, &args, tool.tier, lexicon)).collect();
            let vocabulary: HashSet<Arc<str>> = patterns
                .iter()
                .flat_map(|pattern| pattern.concepts.iter().map(|concept| Arc::clone(&concept.name)))
                .collect();
            let flags: HashSet<Arc<str>> = args
                .iter()
                .filter(|arg| tool.tier > Tier::Green && matches!(arg.role, Role::Flag(_)))
                .filter_map(|arg| lexicon.meaning(&arg.name).filter(|meaning| meaning.commands))
                .map(|meaning| Arc::clone(&meaning.concept))
                .collect();
            grammar.actions.extend(flags.iter().cloned());
            if tool.tier == Tier::Green {
                grammar.looks.extend(vocabulary.iter().cloned());
            }
            let (name, tier) = (tool.name.clone(), tool.tier);
            grammar.tools.push(ToolGrammar { name, tier, args, patterns, vocabulary, flags });
        }
        grammar.kinds = kinds.into_iter().collect();
        grammar.find_lines(lexicon);
        grammar
    }

    fn find_lines(&mut self, lexicon: &Lexicon) {
        let takes = |tool: &ToolGrammar, name: &str, role: &Role| {
            tool.args.iter().any(|arg| arg.name == name && arg.role == *role)
        };
        // A tool of a stranger brings no sentences, whatever its arguments are called.
        let line = |tool: &&ToolGrammar| {
            let takes_line = takes(tool, line::PROGRAM, &Role::Verbatim) && takes(tool, line::ARGS, &Role::Words);
            takes_line && !tool.patterns.is_empty()
        };
        let mut tools: Vec<&ToolGrammar> = self.tools.iter().filter(line).collect();
        tools.sort_by_key(|tool| tool.tier);
        let words = tools.iter().flat_map(|tool| &tool.vocabulary);
        let verbs = words.filter(|word| lexicon.commands(word) && self.actions.contains(*word)).map(Arc::clone);
        (self.runs, self.lines) = (verbs.collect(), tools.iter().map(|tool| tool.name.clone()).collect());
    }

    fn pattern(&mut self, example: &str, args: &[Arg], tier: Tier, lexicon: &Lexicon) -> Pattern {
        let (sentence, fixed) = example.split_once("=>").unwrap_or((example, ""));
        let text = clean(sentence);
        let words = tokens(&text);
        let mut pattern = Pattern {
            concepts: Vec::new(),
            slots: Vec::new(),
            fixed: fixed_args(fixed),
            asks: false,
            example: sentence.trim().trim_end_matches(['?', '.', '!']).to_owned(),
        };
        let mut at = 0;
        // Manners in an example carry no meaning either.
        loop {
            let polite = ["request", "polite"].into_iter().map(|list| lexicon.listed(list, &words, at)).max();
            match polite {
                Some(length) if length > 0 && at + length < words.len() => at += length,
                _ => break,
            }
        }
        pattern.asks = sentence.contains('?')
            || ["wondering", "past"].into_iter().any(|list| lexicon.listed(list, &words, at) > 0);
        let (start, mut first) = (at, true);
        let mut particles = Vec::new();
        while at < words.len() {
            if particles.contains(&at) {
                at += 1;
                continue;
            }
            if let Some((from, to)) = lexicon.at(&words, at).and_then(|found| found.particle) {
                particles.extend(from..to);
            }
            let opens = at == start;
            at = self.example_word(&words, at, args, lexicon, &mut pattern);
            let contextual = pattern.concepts.last().is_none_or(|concept| concept.weight < Class::Verb.weight());
            if first
                && tier > Tier::Green
                && !contextual
                && let Some(concept) = pattern.concepts.last().map(|last| &last.name)
            {
                // In "{container} hangs, restart it" the first word after the slot is not the order, and in "take back job
                // {job}" the first that means anything is not.
                if lexicon.commands(concept) || (opens && self.coined.contains_key(&**concept)) {
                    self.actions.insert(Arc::clone(concept));
                    first = false;
                }
            }
        }
        pattern
    }

    fn example_word(
        &mut self,
        words: &[Token],
        at: usize,
        args: &[Arg],
        lexicon: &Lexicon,
        pattern: &mut Pattern,
    ) -> usize {
        let token = &words[at];
        if let Some(slot) = token.raw.strip_prefix('{').and_then(|raw| raw.split('}').next()) {
            pattern.slots.extend(args.iter().position(|arg| arg.name == slot));
            return at + 1;
        }
        if token.shape == Shape::Mark {
            return at + 1;
        }
        if let Some(found) = lexicon.at(words, at) {
            let weight = found.meaning.class.weight();
            let (name, facet) = (Arc::clone(&found.meaning.concept), Arc::clone(&found.meaning.facet));
            pattern.add(Concept { name, facet, weight });
            return at + found.length;
        }
        let marker = ["named", "inname"].into_iter().map(|list| lexicon.listed(list, words, at)).max();
        if let Some(length) = marker.filter(|length| *length > 0) {
            return at + length;
        }
        // A sample value stands for its argument.
        if let Some(said) = value_at(words, at) {
            pattern.slots.extend(args.iter().position(|arg| arg.role.takes(&said.value)));
            return said.to;
        }
        let filler =
            ["stop", "light", "everything", "and", "both"].into_iter().any(|list| lexicon.is(list, &token.low));
        if !filler && number(&token.low).is_none() {
            let key = stem(&token.low).to_owned();
            let concept = self.coined.entry(key.clone()).or_insert_with(|| key.as_str().into());
            let name = Arc::clone(concept);
            pattern.add(Concept { name, facet: "".into(), weight: Class::Noun.weight() });
        }
        at + 1
    }
}

impl Pattern {
    /// A word that is said twice counts once.
    fn add(&mut self, concept: Concept) {
        match self.concepts.iter_mut().find(|known| known.name == concept.name) {
            Some(known) if known.facet.is_empty() => *known = concept,
            Some(_) => {}
            None => self.concepts.push(concept),
        }
    }
}

impl Role {
    /// Whether a value of this sort can fill it.
    pub(super) fn takes(&self, value: &Value) -> bool {
        if let (Self::Id(prefix), Value::Id(id)) = (self, value) {
            return id.starts_with(&**prefix);
        }
        matches!(
            (self, value),
            (Self::Path, Value::Path(_))
                | (Self::Url, Value::Url(_))
                | (Self::Image, Value::Image(_))
                | (Self::Span(_), Value::Span(_))
                | (Self::Count, Value::Count(..))
                | (Self::Text, Value::Text(_))
        )
    }
}

/// Without a plural ending.
pub(super) fn stem(word: &str) -> &str {
    word.strip_suffix('s').filter(|base| base.len() > 2 && !base.ends_with('s')).unwrap_or(word)
}

fn fixed_args(text: &str) -> Vec<(String, Json)> {
    text.split([',', ' '])
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| {
            let value = value.trim();
            let value = serde_json::from_str(value).unwrap_or_else(|_| Json::String(value.to_owned()));
            (key.trim().to_owned(), value)
        })
        .collect()
}

fn args_of(schema: &Json) -> Vec<Arg> {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    let properties = schema["properties"].as_object();
    properties
        .into_iter()
        .flatten()
        .map(|(name, property)| Arg {
            name: name.clone(),
            role: role_of(name, property, schema),
            required: required.contains(&name.as_str()),
        })
        .collect()
}

/// The parts of a property's schema that say what it is: itself, what it refers to, and its alternatives.
fn facts<'a>(property: &'a Json, schema: &'a Json, depth: u8) -> Vec<&'a Json> {
    let mut found = vec![property];
    if depth == 0 {
        return found;
    }
    let referred = property["$ref"].as_str().and_then(|path| schema.pointer(path.trim_start_matches('#')));
    let alternatives = ["anyOf", "oneOf", "allOf"].iter().filter_map(|key| property[*key].as_array()).flatten();
    for part in referred.into_iter().chain(alternatives) {
        found.extend(facts(part, schema, depth - 1));
    }
    found
}

fn role_of(name: &str, property: &Json, schema: &Json) -> Role {
    let facts = facts(property, schema, 4);
    let entity = facts.iter().find_map(|fact| fact["x-entity"].as_str());
    let typed = |kind: &str| {
        facts.iter().any(|fact| {
            fact["type"] == kind || fact["type"].as_array().is_some_and(|types| types.iter().any(|t| t == kind))
        })
    };
    let choices: Vec<String> = facts
        .iter()
        .flat_map(|fact| fact["enum"].as_array().into_iter().flatten().chain(fact.get("const")))
        .filter_map(|value| value.as_str().map(str::to_owned))
        .collect();
    // `^job_…`: an id that Jarvis gave.
    let id = facts.iter().find_map(|fact| {
        let (kind, _) = fact["pattern"].as_str()?.strip_prefix('^')?.split_once('_')?;
        kind.bytes().all(|b| b.is_ascii_lowercase()).then(|| format!("{kind}_"))
    });
    let address = facts.iter().any(|fact| fact["format"] == "uri" || fact["format"] == "url");
    match entity.unwrap_or(name) {
        "path" | "file" | "folder" | "directory" => Role::Path,
        "image" => Role::Image,
        line::PROGRAM | "tool" if entity.is_none() => Role::Verbatim,
        "url" | "address" if entity.is_none() => Role::Url,
        kind if entity.is_some() => Role::Thing(kind.into()),
        _ if address => Role::Url,
        _ if let Some(kind) = id => Role::Id(kind),
        _ if !choices.is_empty() => Role::Choice(choices),
        _ if typed("array") => Role::Words,
        _ if typed("boolean") => {
            // A tool may list phrases that switch it on.
            let phrases = facts.iter().filter_map(|fact| fact["x-true"].as_array()).flatten();
            Role::Flag(phrases.filter_map(Json::as_str).map(str::to_lowercase).collect())
        }
        unit if typed("integer") || typed("number") => unit_seconds(unit).map_or(Role::Count, Role::Span),
        "name" | "filter" => Role::Name,
        _ => Role::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_follow_from_the_schema() {
        let schema = serde_json::json!({
            "properties": {
                "container": {"type": "string", "x-entity": "container"},
                "state": {"$ref": "#/$defs/State", "default": "running"},
                "minutes": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
                "limit": {"type": ["integer", "null"]},
                "volumes": {"type": "boolean"}
            },
            "required": ["container"],
            "$defs": {"State": {"oneOf": [{"const": "running"}, {"const": "all"}]}}
        });
        let args = args_of(&schema);
        let role = |name: &str| args.iter().find(|arg| arg.name == name).unwrap().role.clone();
        assert_eq!(role("container"), Role::Thing("container".into()));
        assert_eq!(role("state"), Role::Choice(vec!["running".into(), "all".into()]));
        assert_eq!(role("minutes"), Role::Span(60));
        assert_eq!(role("limit"), Role::Count);
        assert_eq!(role("volumes"), Role::Flag(Vec::new()));
        assert!(args.iter().all(|arg| arg.required == (arg.name == "container")));
    }

    #[test]
    fn a_suffix_gives_fixed_arguments() {
        assert_eq!(
            fixed_args(" largest=true, state=failed"),
            [("largest".to_owned(), Json::Bool(true)), ("state".to_owned(), Json::String("failed".into()))]
        );
    }
}
