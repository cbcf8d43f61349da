//! Striking secrets out of what is shown, kept, logged or sent.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, Match, MatchKind};
use serde_json::{Map, Value};

use super::form::forms;
use super::{SHORTEST, SHORTEST_ORDINARY, Secret};

/// Most bytes of all forms together: what finds them takes some twenty times that much memory.
const MOST_FORMS: usize = 4 * 1024 * 1024;

/// Strikes every secret that it knows out of a text, in every form that it may have there. Where one stood, stands
/// `[secret NAME]`. Clones know the same secrets.
#[derive(Clone, Default)]
pub struct Redactor(Arc<Shared>);

#[derive(Default)]
struct Shared {
    known: Mutex<Known>,
    matcher: RwLock<Option<Arc<Matcher>>>,
}

#[derive(Default)]
struct Known {
    /// What the vault keeps.
    kept: Vec<(String, Secret)>,
    /// What was opened from elsewhere, by reference.
    opened: BTreeMap<String, Secret>,
}

impl Redactor {
    /// Replaces what the vault keeps, by name.
    ///
    /// # Errors
    /// If there are too many of them; those known before are struck out as before.
    pub fn know(&self, kept: Vec<(String, Secret)>) -> Result<(), String> {
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut known.kept, kept);
        self.rebuild(&known).inspect_err(|_| known.kept = before)
    }

    /// Learns what was opened from elsewhere. What is shorter than a secret is a placeholder of a server that wants no
    /// key, such as `ollama`.
    ///
    /// # Errors
    /// If there are too many secrets.
    pub fn learn(&self, reference: &str, secret: &Secret) -> Result<(), String> {
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        let same = known.opened.get(reference).is_some_and(|known| known.expose() == secret.expose());
        if same || secret.expose().len() < SHORTEST {
            return Ok(());
        }
        known.opened.insert(reference.to_owned(), secret.clone());
        self.rebuild(&known)
    }

    fn rebuild(&self, known: &Known) -> Result<(), String> {
        let opened = known.opened.iter();
        let kept = known.kept.iter().map(|(name, secret)| (name, secret));
        let matcher = Matcher::new(kept.chain(opened))?.map(Arc::new);
        *self.0.matcher.write().unwrap_or_else(PoisonError::into_inner) = matcher;
        Ok(())
    }

    /// Whether it knows no secret.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.0.matcher.read().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    fn matcher(&self) -> Option<Arc<Matcher>> {
        self.0.matcher.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The text without secrets.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.matcher().map_or(Cow::Borrowed(text), |matcher| matcher.text(text))
    }

    /// The same, in place.
    pub fn strike(&self, text: &mut String) {
        if let Some(Cow::Owned(clean)) = self.matcher().as_deref().map(|matcher| matcher.text(text)) {
            *text = clean;
        }
    }

    /// Strikes secrets out of every text, number and foreign name in a value.
    pub fn value(&self, value: &mut Value) {
        if let Some(matcher) = self.matcher() {
            matcher.value(value);
        }
    }

    /// A JSON text without secrets: what stands in its strings, numbers and foreign names is struck out, and it stays JSON.
    #[must_use]
    pub fn json(&self, text: String) -> String {
        let Some(matcher) = self.matcher().filter(|matcher| matcher.automaton.is_match(&text)) else { return text };
        match serde_json::from_str::<Value>(&text) {
            Ok(mut value) => {
                matcher.value(&mut value);
                value.to_string()
            }
            Err(_) => matcher.text(&text).into_owned(),
        }
    }

    /// Name of a secret that a value holds, or of whose mark: what was struck out of a text must not be written back in
    /// its place.
    #[must_use]
    pub fn found(&self, value: &Value) -> Option<String> {
        let matcher = self.matcher()?;
        matcher.found(value).map(|name| matcher.names[name].clone())
    }

    /// Strikes secrets out of one text that comes in pieces.
    #[must_use]
    pub fn stream(&self) -> Strike {
        Strike { redactor: self.clone(), held: String::new() }
    }
}

struct Matcher {
    automaton: AhoCorasick,
    /// Whose form each pattern is.
    of: Vec<usize>,
    names: Vec<String>,
    /// All forms, sorted.
    forms: Vec<String>,
    shortest: usize,
    longest: usize,
}

impl Matcher {
    fn new<'a>(known: impl Iterator<Item = (&'a String, &'a Secret)>) -> Result<Option<Self>, String> {
        let mut by_form = BTreeMap::new();
        let mut names: Vec<String> = Vec::new();
        for (name, secret) in known {
            let index = names.iter().position(|known| known == name).unwrap_or_else(|| {
                names.push(name.clone());
                names.len() - 1
            });
            for form in forms(secret.expose()) {
                by_form.entry(form).or_insert(index);
            }
        }
        let size: usize = by_form.keys().map(String::len).sum();
        if size > MOST_FORMS {
            return Err(
                "the secrets are too many or too long to be struck out; remove some, or keep long ones in files"
                    .to_owned(),
            );
        }
        let lengths = || by_form.keys().map(String::len);
        let Some((shortest, longest)) = lengths().min().zip(lengths().max()) else { return Ok(None) };
        let automaton = AhoCorasick::builder()
            // The other kind is quicker and takes a hundred times the memory.
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .match_kind(MatchKind::LeftmostLongest)
            .build(by_form.keys());
        let automaton = automaton.map_err(|error| format!("so many secrets cannot be struck out: {error}"))?;
        let (forms, of) = by_form.into_iter().unzip();
        Ok(Some(Self { automaton, of, names, forms, shortest, longest }))
    }

    fn mark(&self, pattern: usize, to: &mut String) {
        to.push_str("[secret ");
        to.push_str(&self.names[self.of[pattern]]);
        to.push(']');
    }

    fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut clean = String::new();
        let mut done = 0;
        for found in self.automaton.find_iter(text) {
            clean.push_str(&text[done..found.start()]);
            self.mark(found.pattern().as_usize(), &mut clean);
            done = found.end();
        }
        if done == 0 {
            return Cow::Borrowed(text);
        }
        clean.push_str(&text[done..]);
        Cow::Owned(clean)
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(clean) = self.text(text) {
                    *text = clean;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(map) => {
                map.values_mut().for_each(|value| self.value(value));
                if map.keys().any(|key| self.is_struck(key)) {
                    let renamed = std::mem::take(map).into_iter().map(|(key, value)| match self.is_struck(&key) {
                        true => (self.text(&key).into_owned(), value),
                        false => (key, value),
                    });
                    *map = renamed.collect::<Map<_, _>>();
                }
            }
            Value::Number(number) => {
                if let Cow::Owned(clean) = self.text(&number.to_string()) {
                    *value = Value::String(clean);
                }
            }
            Value::Bool(_) | Value::Null => {}
        }
    }

    /// The first secret that a value holds.
    fn found(&self, value: &Value) -> Option<usize> {
        let of = |text: &str| {
            let marked = || self.names.iter().position(|name| text.contains(&format!("[secret {name}]")));
            let found = self.automaton.find(text).map(|found| self.of[found.pattern().as_usize()]);
            found.or_else(|| text.contains("[secret ").then(marked).flatten())
        };
        match value {
            Value::String(text) => of(text),
            Value::Number(number) => of(&number.to_string()),
            Value::Array(items) => items.iter().find_map(|item| self.found(item)),
            Value::Object(map) => map
                .iter()
                .find_map(|(key, value)| self.found(value).or_else(|| of(key).filter(|_| self.is_struck(key)))),
            Value::Bool(_) | Value::Null => None,
        }
    }

    /// Whether a name in an object is to be struck out. In one that is written like those of our own structures a short
    /// match is a placeholder that reads like a word; a secret that does is longer.
    fn is_struck(&self, key: &str) -> bool {
        let own = key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let meant = |found: Match| !own || found.len() >= SHORTEST_ORDINARY;
        key.len() >= self.shortest && self.automaton.find_iter(key).any(meant)
    }

    /// Where the end of a text begins that may be the beginning of a secret; its end if there is none.
    fn open_end(&self, text: &str, from: usize) -> usize {
        let first = from.max(text.len().saturating_sub(self.longest - 1));
        let begins = |at: &usize| text.is_char_boundary(*at) && self.continued(&text[*at..]).next().is_some();
        (first..text.len()).find(begins).unwrap_or(text.len())
    }

    /// Forms that begin with a text and go on after it.
    fn continued<'a>(&'a self, text: &'a str) -> impl Iterator<Item = usize> + 'a {
        let first = self.forms.partition_point(|form| form.as_str() < text);
        let forms = self.forms[first..].iter().enumerate().take_while(move |(_, form)| form.starts_with(text));
        forms.filter(move |(_, form)| form.len() > text.len()).map(move |(index, _)| first + index)
    }
}

/// Strikes secrets out of one text that comes in pieces. What may be the beginning of one is held back until what follows
/// tells.
pub struct Strike {
    redactor: Redactor,
    held: String,
}

impl Strike {
    /// The next piece of the text, as far as it can be told.
    pub fn take(&mut self, piece: &str) -> String {
        self.held.push_str(piece);
        let Some(matcher) = self.redactor.matcher() else { return std::mem::take(&mut self.held) };
        let mut told = String::new();
        let mut done = 0;
        let mut open = matcher.open_end(&self.held, 0);
        for found in matcher.automaton.find_iter(&self.held) {
            // What is open may become a longer one that begins no later.
            if found.start() >= open {
                break;
            }
            told.push_str(&self.held[done..found.start()]);
            matcher.mark(found.pattern().as_usize(), &mut told);
            done = found.end();
            if open < done {
                open = matcher.open_end(&self.held, done);
            }
        }
        told.push_str(&self.held[done..open]);
        self.held.drain(..open);
        told
    }

    /// What was held back, now that nothing follows. Half a secret or more at the end of a text is no coincidence.
    pub fn finish(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        let Some(matcher) = self.redactor.matcher() else { return held };
        let mut told = matcher.text(&held).into_owned();
        let open = matcher.open_end(&told, 0);
        let half = matcher.continued(&told[open..]).find(|form| (told.len() - open) * 2 >= matcher.forms[*form].len());
        if let Some(form) = half.filter(|_| open < told.len()) {
            told.truncate(open);
            matcher.mark(form, &mut told);
        }
        told
    }
}
