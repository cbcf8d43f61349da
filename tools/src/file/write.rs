//! `file_write`: a text file, new or instead of the old one.

use std::time::Duration;

use jarvis_safety::kernel::Permit;
use jarvis_safety::plain::visible;
use jarvis_safety::tool::{Done, Look, Preview, Probe, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Files;
use super::bound::size;
use super::change::too_large;
use super::diff::diff;
use super::fault::{changed, closed, invalid};
use super::guard::{deceptive, runnable};
use super::place::{Place, Purpose};
use super::seen::{Seen, WHOLE, mark_of};

/// Largest content of one call, in bytes.
const CONTENT: usize = 1024 * 1024;

pub(super) struct FileWrite(pub(super) Files);

/// Writes a text file: makes it, replaces what is in it, or with `append` adds to its end. Missing folders are made. The
/// old version is kept and can be put back. Programs, dot-files and folders of the system (/etc, /usr, /var/lib …) are
/// never written.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WriteArgs {
    /// File. Relative paths lie in Jarvis's own files.
    #[schemars(extend("x-entity" = "path"))]
    path: String,
    /// The text, at most 1 MiB.
    content: String,
    /// Add to the end instead of replacing everything.
    #[serde(default)]
    append: bool,
}

/// What was written.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct WriteOutput {
    /// The file.
    path: String,
    /// Bytes that it has now.
    size: u64,
    /// Whether it is new.
    created: bool,
    /// The version that `file_restore` takes to put back what was there before.
    version: String,
}

impl Tool for FileWrite {
    const SPEC: Spec = Spec {
        name: "file_write",
        revision: 1,
        tier: Tier::Yellow,
        effects: Effects::WRITES,
        deadline: Duration::from_secs(30),
        trust: Trust::Trusted,
        secrets: &[],
        // None of these may say "add" or "append": without a model nothing would set `append`.
        examples: &[
            "write {content} to {path}",
            "write {content} into the file {path}",
            "save {content} as {path}",
            "create a file {path} with {content}",
            "replace the content of {path} with {content}",
        ],
        lists: None,
    };
    type Args = WriteArgs;
    type Output = WriteOutput;

    async fn resolve(&self, args: &WriteArgs, _: &Look) -> Result<Target, ToolError> {
        if args.content.len() > CONTENT {
            return Err(invalid(format!(
                "the content has {}; at most {CONTENT} bytes are written at once. Write it in parts with `append`",
                size(args.content.len() as u64)
            )));
        }
        let (path, added) = (args.path.clone(), (args.append, args.content.clone()));
        let work = move |files: &Files| {
            let place = files.place(&path, Purpose::Write)?;
            let seen = place.seen_from_root()?;
            if matches!(seen, Seen::Folder(_) | Seen::Large(_)) {
                return Err(too_large(&place.shown));
            }
            if matches!(seen, Seen::Nothing) && deceptive(&place.rest) {
                return Err(invalid(format!(
                    "the name `{}` has invisible or direction-changing characters; choose one that reads as it is",
                    visible(&place.shown)
                )));
            }
            written(&place, seen.content(), added.0, &added.1)?;
            Ok(place.change_target(&seen))
        };
        self.0.look(work).await
    }

    fn sentence(&self, args: &WriteArgs, target: &Target) -> String {
        let bytes = size(args.content.len() as u64);
        match (args.append, target.id.ends_with("#new")) {
            (_, true) => format!("Create {} with {bytes}", target.name),
            (true, false) => format!("Add {bytes} to the end of {}", target.name),
            (false, false) => format!("Replace what is in {} with {bytes}", target.name),
        }
    }

    async fn preview(&self, args: &WriteArgs, target: &Target, _: &Look) -> Result<Preview, ToolError> {
        let (target, append, content) = (target.clone(), args.append, args.content.clone());
        let work = move |files: &Files| {
            let (place, stamp) = files.targeted(&target)?;
            let seen = place.seen_from_root()?;
            if seen.stamp() != stamp {
                return Err(changed(&place.shown));
            }
            let new = written(&place, seen.content(), append, &content)?;
            let effect = if seen.content().is_some() { "changes" } else { "creates" };
            Ok(Preview {
                effects: vec![format!("{effect} {} ({})", visible(&place.shown), size(new.len() as u64))],
                diff: Some(diff(&place.shown, seen.content(), Some(&new))),
                undo: Some("the old version is kept for 30 days; undo puts it back".to_owned()),
                untrusted: None,
            })
        };
        self.0.look(work).await
    }

    async fn run(&self, args: WriteArgs, _: &RunContext, permit: Permit<Self>) -> Result<Done<WriteOutput>, ToolError> {
        let target = permit.target().clone();
        let work = move |files: &Files| {
            let (place, stamp) = files.targeted(&target)?;
            let change = files.replace(&place, &stamp, |old| written(&place, old, args.append, &args.content))?;
            Ok(WriteOutput { path: place.shown, size: change.size, created: change.created, version: change.version })
        };
        let output = self.0.change(work).await?;
        let undo = json!({ "version": output.version });
        Ok(Done::new(output).undo_by("file_restore", undo))
    }

    async fn probe(&self, args: &WriteArgs, target: &Target) -> Probe {
        let (target, append, content) = (target.clone(), args.append, args.content.clone());
        let work = move |files: &Files| {
            let (place, stamp) = files.targeted(&target)?;
            Ok(probed(&place.seen_from_root()?, &stamp, append, &content))
        };
        self.0.change(work).await.unwrap_or(Probe::Unknown)
    }

    fn words(&self, output: &WriteOutput) -> String {
        let (path, bytes) = (visible(&output.path), size(output.size));
        if output.created {
            format!("I made `{path}` ({bytes}). Undo removes it.")
        } else {
            format!("I wrote `{path}`; it has {bytes} now. The old version is kept, and undo puts it back.")
        }
    }
}

/// What will stand in the file; refused where a machine would run it or it would be too large to handle.
fn written(place: &Place, old: Option<&[u8]>, append: bool, content: &str) -> Result<Vec<u8>, ToolError> {
    let mut bytes = if append { old.unwrap_or_default().to_vec() } else { Vec::new() };
    bytes.extend_from_slice(content.as_bytes());
    if runnable(&bytes) || old.is_some_and(runnable) {
        return Err(closed(format!(
            "what stands or would stand in `{}` begins like a program (`#!` or ELF); Jarvis never writes what a machine \
             may run. Do it by hand",
            visible(&place.shown)
        )));
    }
    if bytes.len() as u64 > WHOLE {
        return Err(too_large(&place.shown));
    }
    Ok(bytes)
}

fn probed(seen: &Seen, stamp: &str, append: bool, content: &str) -> Probe {
    if seen.stamp() == stamp {
        return Probe::NotDone;
    }
    let Some(now) = seen.content() else { return Probe::Unknown };
    let old = stamp.rsplit(':').next().unwrap_or_default();
    let before = match now.strip_suffix(content.as_bytes()) {
        Some(before) => before,
        None => return Probe::Unknown,
    };
    let fits = match (append, stamp) {
        (false, _) | (true, "new") => before.is_empty(),
        (true, _) => mark_of(before) == old,
    };
    if fits { Probe::Done } else { Probe::Unknown }
}
