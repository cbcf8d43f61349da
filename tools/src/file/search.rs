//! `file_search`: lines that hold a text, in one file or everything below a folder.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cap_std::fs::Dir;
use jarvis_safety::kernel::Permit;
use jarvis_safety::plain::visible;
use jarvis_safety::secret::Redactor;
use jarvis_safety::tool::{Done, Look, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Effects, Target, Tier};
use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Files;
use super::bound::Budget;
use super::fault::{invalid, system};
use super::folder::{Walk, folder_of};
use super::guard;
use super::list::top;
use super::place::{Place, Purpose};
use super::read::binary;
use super::root::Roots;
use super::seen::{Facts, Kind};

/// Hits in one answer.
const HITS: usize = 200;
/// Files and folders that are looked at.
const LOOKED: usize = 50_000;
/// Levels of folders.
const DEPTH: u32 = 32;
/// Bytes that are read in all.
const BYTES: u64 = 512 * 1024 * 1024;
/// Largest file that is searched.
const LARGEST: u64 = 64 * 1024 * 1024;
/// Longest line that is searched, in bytes; the rest of it is not.
const LINE: u64 = 64 * 1024;
/// Characters of a line that are shown.
const SHOWN: usize = 240;
/// Hits in plain words.
const NAMED: usize = 10;

pub(super) struct FileSearch(pub(super) Files);

/// Searches the contents of text files below a folder, or of one file, for a text. Upper and lower case are alike. Answers
/// the lines with their numbers. Without a path it searches Jarvis's own files.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchArgs {
    /// Text to find.
    #[schemars(length(min = 1, max = 500))]
    text: String,
    /// Folder or file to search.
    #[serde(default = "top")]
    #[schemars(extend("x-entity" = "path"))]
    path: String,
    /// Whether the text is a regular expression.
    #[serde(default)]
    regex: bool,
}

/// Where the text stands.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct SearchOutput {
    /// What was searched.
    path: String,
    /// Lines that hold it; at most 200.
    hits: Vec<Hit>,
    /// Text files that were read.
    files: u32,
    /// Files and folders that were left out because they are no text, too large, closed or not readable.
    skipped: u32,
    /// Whether the search ended before everything was read.
    cut: bool,
}

/// One line.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Hit {
    /// File, as `file_read` takes it.
    path: String,
    /// Number of the line, from 1.
    line: u32,
    /// The line; of a long one the part around the text.
    text: String,
}

impl Tool for FileSearch {
    const SPEC: Spec = Spec {
        name: "file_search",
        revision: 1,
        tier: Tier::Green,
        effects: Effects::READS,
        deadline: Duration::from_secs(30),
        trust: Trust::Untrusted,
        secrets: &[],
        examples: &[
            "search my files for {text}",
            "find {text} in my files",
            "which file contains {text}",
            "search {path} for {text}",
            "find {text} in {path}",
        ],
        lists: None,
    };
    type Args = SearchArgs;
    type Output = SearchOutput;

    async fn resolve(&self, args: &SearchArgs, _: &Look) -> Result<Target, ToolError> {
        pattern(&args.text, args.regex)?;
        let path = args.path.clone();
        let work = move |files: &Files| Ok(folder_of(&files.place(&path, Purpose::Read)?));
        self.0.look(work).await
    }

    fn sentence(&self, args: &SearchArgs, target: &Target) -> String {
        format!("Search {} for {:?}", target.name, args.text)
    }

    async fn run(
        &self,
        args: SearchArgs,
        cx: &RunContext,
        permit: Permit<Self>,
    ) -> Result<Done<SearchOutput>, ToolError> {
        let (path, cancel) = (PathBuf::from(&permit.target().id), cx.cancelled().clone());
        let (pattern, redactor) = (pattern(&args.text, args.regex)?, cx.redactor().clone());
        let work = move |files: &Files| {
            let place = files.placed(&path, Purpose::Read)?;
            let walk = Walk::new(&place, DEPTH, LOOKED, cancel);
            Search::new(&place, pattern, redactor).all(walk)
        };
        Ok(Done::new(self.0.look(work).await?))
    }

    fn words(&self, output: &SearchOutput) -> String {
        let place = if output.path == "." { "your files".to_owned() } else { format!("`{}`", visible(&output.path)) };
        let read = if output.files == 1 { "1 file".to_owned() } else { format!("{} files", output.files) };
        let mut words = match output.hits.len() {
            0 => format!("Nothing was found in {place} ({read} read)."),
            1 => format!("1 line in {place} ({read} read):"),
            many => format!("{many} lines in {place} ({read} read):"),
        };
        for hit in output.hits.iter().take(NAMED) {
            words.push_str(&format!("\n{}:{}: {}", visible(&hit.path), hit.line, visible(hit.text.trim())));
        }
        if output.hits.len() > NAMED {
            words.push_str(&format!("\n… and {} more", output.hits.len() - NAMED));
        }
        if output.skipped > 0 {
            let skipped = output.skipped;
            words.push_str(&format!("\n{skipped} files or folders were left out: no text, too large, or closed."));
        }
        if output.cut {
            words.push_str("\nNot everything was searched; name a smaller folder.");
        }
        words
    }
}

fn pattern(text: &str, regex: bool) -> Result<Regex, ToolError> {
    if text.is_empty() || text.chars().count() > 500 {
        return Err(invalid("the text to find has 1 to 500 characters"));
    }
    let source = if regex { text.to_owned() } else { regex::escape(text) };
    let built = RegexBuilder::new(&source).case_insensitive(true).size_limit(1 << 20).dfa_size_limit(1 << 22).build();
    built.map_err(|error| {
        let why = error.to_string();
        let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
        invalid(format!("that is no regular expression that Jarvis can use: {}", visible(why)))
    })
}

struct Search<'a> {
    place: &'a Place,
    pattern: Regex,
    redactor: Redactor,
    output: SearchOutput,
    budget: Budget,
    bytes: u64,
    full: bool,
}

impl<'a> Search<'a> {
    fn new(place: &'a Place, pattern: Regex, redactor: Redactor) -> Self {
        let output = SearchOutput { path: place.shown.clone(), ..SearchOutput::default() };
        Self { place, pattern, redactor, output, budget: Budget::new(), bytes: BYTES, full: false }
    }

    fn all(mut self, mut walk: Walk<'_>) -> Result<SearchOutput, ToolError> {
        // One file, if it is one; else everything below the folder.
        let file = match (self.place.rest.file_name(), self.place.parent()) {
            (Some(name), Ok(dir)) => {
                let seen = dir.symlink_metadata(name).map_err(|error| system(&error, &self.place.shown))?;
                (Facts::from(&seen).kind != Kind::Folder).then_some((dir, name))
            }
            _ => None,
        };
        if let Some((dir, name)) = file {
            self.place.open(&dir, name)?;
            self.file(&dir, name, &self.place.rest.clone());
            self.output.cut = self.full;
            return Ok(self.output);
        }
        let dir = self.place.folder()?;
        let walked = walk.go(&dir, &self.place.rest.clone(), &mut |dir, name, rest, facts| {
            if facts.kind == Kind::File {
                self.file(dir, name, rest);
            }
            Ok(!self.full)
        });
        walked.map_err(|error| system(&error, &self.place.shown))?;
        self.output.cut = walk.cut() || self.full;
        self.output.skipped += walk.unnameable + walk.unreadable;
        self.output.hits.sort_by(|one, other| (&one.path, one.line).cmp(&(&other.path, other.line)));
        Ok(self.output)
    }

    fn file(&mut self, dir: &Dir, name: &OsStr, rest: &Path) {
        let closed = !self.place.root.own && guard::private(name);
        let opened = if closed { None } else { self.place.open(dir, name).ok() };
        let usable = opened.filter(|(_, facts)| facts.size <= LARGEST);
        let (Some((file, facts)), Ok(path)) = (usable, Roots::shown(&self.place.root, rest)) else {
            self.output.skipped += 1;
            return;
        };
        if facts.size > self.bytes {
            self.full = true;
            return;
        }
        self.bytes -= facts.size;
        match self.lines(BufReader::new(file), &path) {
            Ok(true) => self.output.files += 1,
            Ok(false) | Err(_) => self.output.skipped += 1,
        }
    }

    /// Answers whether it was text.
    fn lines(&mut self, mut reader: BufReader<std::fs::File>, path: &str) -> std::io::Result<bool> {
        if binary(reader.fill_buf()?).is_some() {
            return Ok(false);
        }
        let mut line = Vec::new();
        let mut number = 0;
        while !self.full {
            line.clear();
            if (&mut reader).take(LINE).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            number += 1;
            if !line.ends_with(b"\n") {
                skip_line(&mut reader)?;
            }
            let text = String::from_utf8_lossy(&line);
            // Before it is searched and cut: what is hidden can neither be found by guessing nor come out by halves.
            let text = self.redactor.text(text.trim_end_matches(['\n', '\r']));
            if let Some(found) = self.pattern.find(&text) {
                self.hit(path, number, around(&text, found.start()));
            }
        }
        Ok(true)
    }

    fn hit(&mut self, path: &str, line: u32, text: String) {
        if self.output.hits.len() >= HITS || !self.budget.pay(path) || !self.budget.pay(&text) {
            self.full = true;
            return;
        }
        self.output.hits.push(Hit { path: path.to_owned(), line, text });
    }
}

fn skip_line(reader: &mut BufReader<std::fs::File>) -> std::io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        let (used, ended) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(end) => (end + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        reader.consume(used);
        if ended {
            return Ok(());
        }
    }
}

/// The part of a line around a place in it.
fn around(text: &str, at: usize) -> String {
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    let before = text[..at].chars().rev().take(SHOWN / 3).map(char::len_utf8).sum::<usize>();
    let start = at - before;
    let mut shown: String = text[start..].chars().take(SHOWN).collect();
    if start + shown.len() < text.len() {
        shown.push('…');
    }
    if start > 0 { format!("…{shown}") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_shows_the_part_around_the_text() {
        let line = format!("{}needle{}", "ä".repeat(500), "ö".repeat(500));
        let shown = around(&line, line.find("needle").unwrap());
        assert!(shown.contains("needle") && shown.starts_with('…') && shown.ends_with('…'));
        assert!(shown.chars().count() <= SHOWN + 2);
        assert_eq!(around("short", 0), "short");
    }

    #[test]
    fn a_text_is_no_pattern_unless_it_is_said_to_be() {
        assert!(pattern("a.c", false).unwrap().find("abc").is_none());
        assert!(pattern("a.c", true).unwrap().is_match("ABC"));
        let error = pattern("(", true).unwrap_err().message;
        assert!(error.contains("unclosed group"), "{error}");
        assert!(pattern(&"(a{1000}){1000}".repeat(3), true).is_err());
    }
}
