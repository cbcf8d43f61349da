//! `file_list`: what is in a folder.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use cap_std::fs::Dir;
use jarvis_safety::bounded::Bounded;
use jarvis_safety::kernel::Permit;
use jarvis_safety::plain::visible;
use jarvis_safety::tool::{Done, Listing, Look, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Files;
use super::bound::{Budget, size};
use super::fault::system;
use super::folder::{Walk, folder_of};
use super::place::{Place, Purpose};
use super::root::Roots;
use super::seen::{Facts, Kind};

/// Entries of one answer.
const ENTRIES: usize = 500;
/// Entries that are looked at for one answer.
const LOOKED: usize = 20_000;
/// Names in plain words.
const NAMED: usize = 20;

pub(super) struct FileList(pub(super) Files);

/// Lists a folder: names, kinds, sizes and times of change. Without a path it lists Jarvis's own files. Other folders are
/// open only if the operator has added them.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListArgs {
    /// Folder. Relative paths lie in Jarvis's own files, `.` is their top.
    #[serde(default = "top")]
    #[schemars(extend("x-entity" = "path"))]
    path: String,
    /// Levels of folders to show; 1 is the folder alone.
    #[serde(default = "one")]
    depth: Bounded<1, 4>,
}

pub(super) fn top() -> String {
    ".".to_owned()
}

const fn one() -> Bounded<1, 4> {
    Bounded::clamped(1)
}

/// What is in a folder.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ListOutput {
    /// The folder.
    path: String,
    /// What is in it, in the order of paths; at most 500.
    entries: Vec<Entry>,
    /// Whether there is more than is shown.
    cut: bool,
    /// Entries left out because their names are not UTF-8 and cannot be named in a call.
    unnameable: u32,
}

/// One thing in a folder.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Entry {
    /// As `file_read` takes it.
    path: String,
    /// Last part of the path.
    name: String,
    /// `file`, `folder`, `link` or `other`.
    kind: &'static str,
    /// Bytes of a file.
    size: Option<u64>,
    /// Milliseconds since 1970.
    modified: i64,
}

impl Tool for FileList {
    const SPEC: Spec = Spec {
        name: "file_list",
        revision: 1,
        tier: Tier::Green,
        effects: Effects::READS,
        deadline: Duration::from_secs(20),
        trust: Trust::Untrusted,
        secrets: &[],
        examples: &[
            "what files are there",
            "list my files",
            "show your files",
            "list the folder {path}",
            "what is in the folder {path}",
            "which files are in {path}",
        ],
        lists: Some(Listing { entity: "path", items: "entries", name: "path", state: "kind" }),
    };
    type Args = ListArgs;
    type Output = ListOutput;

    async fn resolve(&self, args: &ListArgs, _: &Look) -> Result<Target, ToolError> {
        let path = args.path.clone();
        self.0.look(move |files| Ok(folder_of(&files.place(&path, Purpose::Read)?))).await
    }

    fn sentence(&self, _: &ListArgs, target: &Target) -> String {
        format!("List the folder {}", target.name)
    }

    async fn run(&self, args: ListArgs, cx: &RunContext, permit: Permit<Self>) -> Result<Done<ListOutput>, ToolError> {
        let (path, cancel) = (PathBuf::from(&permit.target().id), cx.cancelled().clone());
        let depth = args.depth.get();
        let work = move |files: &Files| {
            let place = files.placed(&path, Purpose::Read)?;
            let walk = Walk::new(&place, depth, LOOKED, cancel);
            list(&place, walk)
        };
        Ok(Done::new(self.0.look(work).await?))
    }

    fn words(&self, output: &ListOutput) -> String {
        let place = if output.path == "." { "your files".to_owned() } else { format!("`{}`", visible(&output.path)) };
        let count = output.entries.len();
        if count == 0 && output.unnameable == 0 {
            return format!("There is nothing in {place}.");
        }
        let things = if count == 1 { "1 thing".to_owned() } else { format!("{count} things") };
        let mut words = format!("{things} in {place}:");
        let below = output.path.trim_start_matches('.');
        for entry in output.entries.iter().take(NAMED) {
            let path = entry.path.strip_prefix(below).unwrap_or(&entry.path).trim_start_matches('/');
            let what = match (entry.kind, entry.size) {
                ("folder", _) => "/".to_owned(),
                (_, Some(bytes)) => format!(" ({})", size(bytes)),
                (kind, None) => format!(" ({kind})"),
            };
            words.push_str(&format!("\n{}{what}", visible(path)));
        }
        if count > NAMED {
            words.push_str(&format!("\n… and {} more", count - NAMED));
        }
        if output.cut {
            words.push_str("\nThere is more than fits in one answer; list a folder in it.");
        }
        if output.unnameable > 0 {
            words.push_str(&format!("\n{} names are not UTF-8 and are left out.", output.unnameable));
        }
        words
    }
}

fn list(place: &Place, mut walk: Walk<'_>) -> Result<ListOutput, ToolError> {
    let mut found: Vec<(PathBuf, Facts)> = Vec::new();
    walk.go(&place.folder()?, &place.rest, &mut |_: &Dir, _: &OsString, rest, facts| {
        found.push((rest.to_owned(), *facts));
        Ok(true)
    })
    .map_err(|error| system(&error, &place.shown))?;
    found.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    let mut output =
        ListOutput { path: place.shown.clone(), entries: Vec::new(), cut: walk.cut(), unnameable: walk.unnameable };
    let mut budget = Budget::new();
    for (rest, facts) in found {
        let Ok(path) = Roots::shown(&place.root, &rest) else { continue };
        let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
        if output.entries.len() >= ENTRIES || !budget.pay(&path) || !budget.pay(&name) {
            output.cut = true;
            break;
        }
        let kind = match facts.kind {
            Kind::File => "file",
            Kind::Folder => "folder",
            Kind::Link => "link",
            Kind::Other => "other",
        };
        let size = (facts.kind == Kind::File).then_some(facts.size);
        output.entries.push(Entry { path, name, kind, size, modified: facts.modified() });
    }
    Ok(output)
}
