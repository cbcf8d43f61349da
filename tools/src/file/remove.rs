//! `file_remove`: one file, or one empty folder, to the trash.

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
use super::change::too_large_to_keep;
use super::diff::diff;
use super::fault::{closed, missing, system};
use super::guard::runnable;
use super::place::Purpose;
use super::seen::Seen;
use super::trash::KEPT_BYTES;

pub(super) struct FileRemove(pub(super) Files);

/// Removes one file, or one empty folder. It goes to the trash, is kept for 30 days and can be put back. Programs,
/// dot-files and what lies in folders of the system (/etc, /usr, /var/lib …) are never removed.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RemoveArgs {
    /// File or empty folder. Relative paths lie in Jarvis's own files.
    #[schemars(extend("x-entity" = "path"))]
    path: String,
}

/// What was removed.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RemoveOutput {
    /// What it was called.
    path: String,
    /// Bytes that it had; 0 for a folder.
    size: u64,
    /// The version that `file_restore` takes to put it back.
    version: String,
}

impl Tool for FileRemove {
    const SPEC: Spec = Spec {
        name: "file_remove",
        revision: 1,
        tier: Tier::Yellow,
        effects: Effects::DELETES,
        deadline: Duration::from_secs(60),
        trust: Trust::Trusted,
        secrets: &[],
        examples: &[
            "remove the file {path}",
            "delete the file {path}",
            "delete {path} from my files",
            "throw away the file {path}",
            "trash the file {path}",
        ],
        lists: None,
    };
    type Args = RemoveArgs;
    type Output = RemoveOutput;

    async fn resolve(&self, args: &RemoveArgs, _: &Look) -> Result<Target, ToolError> {
        let path = args.path.clone();
        let work = move |files: &Files| {
            let place = files.place(&path, Purpose::Write)?;
            let seen = place.seen_from_root()?;
            match &seen {
                Seen::Nothing => return Err(missing(&place.shown)),
                Seen::Folder(_) => refuse_full(&place.folder()?, &place.shown)?,
                Seen::Large(facts) if facts.size > KEPT_BYTES => {
                    return Err(too_large_to_keep(&place.shown));
                }
                Seen::Text(_, content) if runnable(content) => {
                    return Err(closed(format!(
                        "`{}` begins like a program; Jarvis never removes what a machine may run. Do it by hand",
                        visible(&place.shown)
                    )));
                }
                Seen::Text(..) | Seen::Large(_) => {}
            }
            Ok(place.change_target(&seen))
        };
        self.0.look(work).await
    }

    fn sentence(&self, _: &RemoveArgs, target: &Target) -> String {
        let what = if target.id.ends_with(":folder") { "the empty folder " } else { "" };
        format!("Move {what}{} to the trash", target.name)
    }

    async fn preview(&self, _: &RemoveArgs, target: &Target, _: &Look) -> Result<Preview, ToolError> {
        let target = target.clone();
        let work = move |files: &Files| {
            let (place, _) = files.targeted(&target)?;
            let seen = place.seen_from_root()?;
            let bytes = seen.facts().map_or(0, |facts| facts.size);
            let what = if matches!(seen, Seen::Folder(_)) { "empty folder".to_owned() } else { size(bytes) };
            Ok(Preview {
                effects: vec![format!("moves {} ({what}) to the trash", visible(&place.shown))],
                diff: seen.content().map(|content| diff(&place.shown, Some(content), None)),
                undo: Some("it is kept for 30 days; undo puts it back".to_owned()),
                untrusted: None,
            })
        };
        self.0.look(work).await
    }

    async fn run(&self, _: RemoveArgs, _: &RunContext, permit: Permit<Self>) -> Result<Done<RemoveOutput>, ToolError> {
        let target = permit.target().clone();
        let work = move |files: &Files| {
            let (place, stamp) = files.targeted(&target)?;
            let change = files.take_away(&place, &stamp)?;
            let size = if stamp.ends_with(":folder") { 0 } else { change.size };
            Ok(RemoveOutput { path: place.shown, size, version: change.version })
        };
        let output = self.0.change(work).await?;
        let undo = json!({ "version": output.version });
        Ok(Done::new(output).undo_by("file_restore", undo))
    }

    async fn probe(&self, _: &RemoveArgs, target: &Target) -> Probe {
        let target = target.clone();
        let work = move |files: &Files| {
            let (place, stamp) = files.targeted(&target)?;
            Ok(match place.seen_from_root()? {
                Seen::Nothing => Probe::Done,
                seen if seen.stamp() == stamp => Probe::NotDone,
                _ => Probe::Unknown,
            })
        };
        self.0.change(work).await.unwrap_or(Probe::Unknown)
    }

    fn words(&self, output: &RemoveOutput) -> String {
        format!("I moved `{}` to the trash. Undo puts it back.", visible(&output.path))
    }
}

/// Only an empty folder can be put back as it was.
fn refuse_full(dir: &cap_std::fs::Dir, shown: &str) -> Result<(), ToolError> {
    let mut entries = dir.entries().map_err(|error| system(&error, shown))?;
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(system(&rustix::io::Errno::NOTEMPTY.into(), shown)),
    }
}
