//! The things that exist, as one sentence sees them.
//!
//! A name is found whole (also without its `.service`, and whatever stands between its parts), by a part of it, or by a
//! near miss. The three are kept apart, because only the first is good enough to change something.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Named, World};

/// How well a word names a thing. Later is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Quality {
    /// A slip of the finger away.
    Near,
    /// A part of the name.
    Part,
    /// The name, or all of it but its ending.
    Exact,
}

impl Quality {
    /// Its share in the score of a match.
    pub(super) const fn weight(self) -> f32 {
        match self {
            Self::Near => 0.5,
            Self::Part => 0.7,
            Self::Exact => 1.0,
        }
    }
}

/// One thing of the world.
#[derive(Debug)]
pub(super) struct Thing {
    pub(super) kind: Arc<str>,
    pub(super) name: String,
    pub(super) state: String,
    /// Foldings of the name and of the name without its ending.
    whole: Vec<String>,
    parts: Vec<String>,
}

/// A thing that a word may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Index into [`Names::things`].
    pub(super) thing: usize,
    pub(super) quality: Quality,
}

/// All things of the kinds that tools act on.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) things: Vec<Thing>,
    whole: HashMap<String, Vec<usize>>,
    parts: HashMap<String, Vec<usize>>,
    /// Names of this machine.
    hosts: Vec<String>,
    /// Folders that are known.
    folders: HashSet<String>,
    /// Files that are known.
    files: Vec<String>,
}

/// Things of one kind that are looked at; more would make a sentence slow.
const MOST_THINGS: usize = 5_000;
/// Words that are looked up by similarity in one sentence.
pub(super) const MOST_NEAR: usize = 12;

impl Names {
    /// Asks the world for all kinds.
    pub(super) async fn of(world: &dyn World, kinds: &[Arc<str>]) -> Self {
        let mut names = Self::default();
        for kind in kinds {
            for Named { name, state } in world.names(kind).await.into_iter().take(MOST_THINGS) {
                names.add(kind, name, state);
            }
        }
        names.hosts = world.names("host").await.into_iter().map(|host| host.name.to_lowercase()).collect();
        for Named { name, state } in world.names("path").await.into_iter().take(MOST_THINGS) {
            // Where a listing does not tell files from folders, the name must.
            let folder = if state.is_empty() { !looks_like_file(&name) } else { state == "folder" };
            if folder {
                names.folders.insert(name);
            } else {
                names.files.push(name);
            }
        }
        names
    }

    /// How many things of this kind there are.
    pub(super) fn count(&self, kind: &str) -> usize {
        self.things.iter().filter(|thing| *thing.kind == *kind).count()
    }

    /// A thing of this kind to show in an example: one that runs, with a short name that nothing else has.
    pub(super) fn presentable(&self, kind: &str) -> Option<String> {
        let of_kind = (0..self.things.len()).filter(|&thing| *self.things[thing].kind == *kind);
        let shown = of_kind.filter_map(|thing| {
            let base = base_name(kind, &self.things[thing].name).to_owned();
            let same = self.exact(&[&base.to_lowercase()]);
            let alone = same.iter().filter(|other| &*self.things[other.thing].kind != "image").count() == 1;
            let plain = base.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c));
            let vital = VITAL.iter().any(|vital| base.starts_with(vital));
            (alone && plain && !vital).then(|| (!self.is_in(thing, "running"), base.chars().count(), base))
        });
        shown.min().map(|(_, _, name)| name)
    }

    /// A file that is known, to show in an example.
    pub(super) fn known_file(&self) -> Option<String> {
        let plain = |name: &&String| name.chars().all(|c| c.is_alphanumeric() || "-_./".contains(c));
        self.files.iter().filter(plain).min_by_key(|name| (name.len(), (*name).clone())).cloned()
    }

    /// Whether a path is known to be, or written as, a folder.
    pub(super) fn is_folder(&self, path: &str) -> bool {
        path.ends_with('/') || self.folders.contains(path)
    }

    /// Whether a file or folder of exactly this name is known.
    pub(super) fn is_path(&self, path: &str) -> bool {
        self.folders.contains(path) || self.files.iter().any(|file| file == path)
    }

    fn add(&mut self, kind: &Arc<str>, name: String, state: String) {
        let low = name.to_lowercase();
        let base = base_name(kind, &low);
        let mut whole = vec![fold(&low)];
        if base != low {
            whole.push(fold(base));
        }
        let parts = joined_parts(base);
        let thing = self.things.len();
        for key in &whole {
            self.whole.entry(key.clone()).or_default().push(thing);
        }
        for key in &parts {
            self.parts.entry(key.clone()).or_default().push(thing);
        }
        self.things.push(Thing { kind: Arc::clone(kind), name, state, whole, parts });
    }

    /// Whether this is the name of the machine itself.
    pub(super) fn is_host(&self, word: &str) -> bool {
        self.hosts.iter().any(|host| host == word)
    }

    /// Things with exactly this name.
    pub(super) fn exact(&self, words: &[&str]) -> Vec<Candidate> {
        let key: String = words.iter().map(|word| fold(word)).collect();
        let Some(found) = self.whole.get(&key) else { return Vec::new() };
        let said = words.join(" ");
        let literal = |thing: usize| self.things[thing].name.eq_ignore_ascii_case(&said);
        // Of "web-1" and "web1" the one that is written as it was said, but never one kind for another.
        let outdone = |thing: usize| {
            !literal(thing)
                && found.iter().any(|&other| literal(other) && self.things[other].kind == self.things[thing].kind)
        };
        let of = |thing: usize| Candidate { thing, quality: Quality::Exact };
        found.iter().copied().filter(|&thing| !outdone(thing)).map(of).collect()
    }

    /// Things of whose name this is a part, or with which it begins.
    pub(super) fn part(&self, words: &[&str]) -> Vec<Candidate> {
        let key: String = words.iter().map(|word| fold(word)).collect();
        if key.len() < 2 {
            return Vec::new();
        }
        let of = |thing| Candidate { thing, quality: Quality::Part };
        if let Some(found) = self.parts.get(&key) {
            return found.iter().copied().map(of).collect();
        }
        if key.len() < 4 || words.len() > 1 {
            return Vec::new();
        }
        let begins = |thing: &Thing| thing.whole.iter().chain(&thing.parts).any(|name| name.starts_with(&key));
        (0..self.things.len()).filter(|&thing| begins(&self.things[thing])).map(of).collect()
    }

    /// Things whose name is a slip or two away; only the nearest.
    pub(super) fn near(&self, word: &str) -> Vec<Candidate> {
        let key = fold(word);
        let reach = match key.len() {
            0..=3 | 41.. => return Vec::new(),
            4..=5 => 1,
            _ => 2,
        };
        let mut nearest = reach;
        let mut found = Vec::new();
        for (thing, entry) in self.things.iter().enumerate() {
            let distance = entry
                .whole
                .iter()
                .filter(|name| name.len().abs_diff(key.len()) <= nearest && name.chars().next() == key.chars().next())
                .map(|name| strsim::osa_distance(name, &key))
                .min()
                .filter(|&distance| distance <= nearest);
            let Some(distance) = distance else { continue };
            if distance < nearest {
                nearest = distance;
                found.clear();
            }
            found.push(Candidate { thing, quality: Quality::Near });
        }
        found
    }

    /// Whether a name fits a pattern with `*`.
    pub(super) fn fits(&self, thing: usize, pattern: &str) -> bool {
        let thing = &self.things[thing];
        let low = thing.name.to_lowercase();
        fits(&low, pattern) || fits(base_name(&thing.kind, &low), pattern)
    }

    /// Whether a state word (`running`, `exited`, `failed`) describes the thing.
    pub(super) fn is_in(&self, thing: usize, state: &str) -> bool {
        let now = self.things[thing].state.to_lowercase();
        match state {
            "running" => matches!(&*now, "running" | "active" | "restarting" | "reloading" | "activating"),
            "exited" => matches!(&*now, "exited" | "created" | "dead" | "inactive" | "stopped" | "failed"),
            "failed" => matches!(&*now, "failed" | "dead"),
            other => now == other,
        }
    }
}

/// Services that a machine stands on: nobody is led to restart one for a try.
const VITAL: [&str; 6] = ["systemd", "dbus", "polkit", "getty", "user@", "network"];

/// Files without an ending that everybody knows.
const KNOWN_FILES: [&str; 10] =
    ["hosts", "passwd", "group", "shadow", "fstab", "hostname", "crontab", "syslog", "Dockerfile", "Makefile"];

/// Whether a path reads like that of a file: the last part has an ending, or is well known.
pub(super) fn looks_like_file(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|last| last.contains('.') || KNOWN_FILES.contains(&last))
}

/// Without what people leave out: the ending of a unit, registry and tag of an image.
fn base_name<'a>(kind: &str, name: &'a str) -> &'a str {
    match kind {
        "service" => name.strip_suffix(".service").unwrap_or(name),
        "image" => {
            let last = name.rsplit('/').next().unwrap_or(name);
            last.split(['@', ':']).next().unwrap_or(last)
        }
        _ => name,
    }
}

/// "Home Assistant", "home_assistant" and "home-assistant" are one name.
pub(super) fn fold(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

/// All runs of neighbouring parts that are shorter than the whole.
fn joined_parts(name: &str) -> Vec<String> {
    let parts: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).collect();
    let count = parts.len().min(6);
    let mut joined: Vec<String> = (0..count)
        .flat_map(|from| (from + 1..=count).map(move |to| (from, to)))
        .filter(|(from, to)| to - from < count)
        .map(|(from, to)| parts[from..to].concat())
        .collect();
    joined.sort();
    joined.dedup();
    joined
}

/// Matches `*` against any run of characters. Linear but for the retry after the last star.
fn fits(name: &str, pattern: &str) -> bool {
    let (name, pattern) = (name.as_bytes(), pattern.as_bytes());
    let (mut at, mut of, mut star) = (0, 0, None);
    while at < name.len() {
        if pattern.get(of) == Some(&b'*') {
            star = Some((of, at));
            of += 1;
        } else if pattern.get(of) == Some(&name[at]) {
            at += 1;
            of += 1;
        } else if let Some((back, from)) = star {
            star = Some((back, from + 1));
            at = from + 1;
            of = back + 1;
        } else {
            return false;
        }
    }
    pattern[of..].iter().all(|&rest| rest == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let mut names = Names::default();
        for (kind, name) in [
            ("container", "nginx-proxy"),
            ("container", "immich_machine_learning"),
            ("container", "uptime-kuma"),
            ("service", "nginx.service"),
            ("service", "postgresql.service"),
        ] {
            names.add(&kind.into(), name.to_owned(), String::new());
        }
        names
    }

    fn said(candidates: &[Candidate]) -> Vec<(usize, Quality)> {
        candidates.iter().map(|candidate| (candidate.thing, candidate.quality)).collect()
    }

    #[test]
    fn a_name_is_found_whole_by_part_or_nearly() {
        let names = names();
        assert_eq!(said(&names.exact(&["nginx"])), [(3, Quality::Exact)]);
        assert_eq!(said(&names.exact(&["uptime", "kuma"])), [(2, Quality::Exact)]);
        assert_eq!(said(&names.part(&["kuma"])), [(2, Quality::Part)]);
        assert_eq!(said(&names.part(&["machine", "learning"])), [(1, Quality::Part)]);
        assert_eq!(said(&names.part(&["postg"])), [(4, Quality::Part)]);
        assert_eq!(said(&names.near("ngnix")), [(3, Quality::Near)]);
        assert!(names.near("weather").is_empty());
    }

    #[test]
    fn stars_match_any_run() {
        assert!(fits("test-a", "test-*") && fits("a", "*") && fits("old-db", "*-db") && fits("abc", "a*c"));
        assert!(!fits("test", "test-*") && !fits("latest-a", "test-*"));
    }
}
