//! `file_restore`: puts a kept version back.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use jarvis_safety::kernel::Permit;
use jarvis_safety::plain::visible;
use jarvis_safety::tool::{Done, Look, Preview, Probe, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Files;
use super::change::Change;
use super::diff::diff;
use super::fault::{changed, failed, invalid};
use super::place::{Place, Purpose};
use super::seen::{WHOLE, mark_of};
use super::trash::{Kept, Manifest};

pub(super) struct FileRestore(pub(super) Files);

/// Puts a file back as it was before a write or removal, by the version that `file_write`, `file_remove` or
/// `file_restore` answered. A file that did not exist before is removed. Refused if the file was changed since; can itself
/// be undone.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RestoreArgs {
    /// Version, 32 characters.
    #[schemars(length(min = 32, max = 32))]
    version: String,
}

/// What was put back.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RestoreOutput {
    /// The file or folder.
    path: String,
    /// Whether something stands there now; false where nothing stood there before.
    there: bool,
    /// The version that takes this back.
    version: String,
}

impl Tool for FileRestore {
    const SPEC: Spec = Spec {
        name: "file_restore",
        revision: 1,
        tier: Tier::Yellow,
        effects: Effects::DELETES,
        deadline: Duration::from_secs(60),
        trust: Trust::Trusted,
        secrets: &[],
        examples: &[
            "restore the file version {version}",
            "put version {version} back",
            "bring back the file version {version}",
            "bring version {version} back",
        ],
        lists: None,
    };
    type Args = RestoreArgs;
    type Output = RestoreOutput;

    async fn resolve(&self, args: &RestoreArgs, _: &Look) -> Result<Target, ToolError> {
        let version = args.version.clone();
        let work = move |files: &Files| {
            let (manifest, _) = files.trash().version(&version)?;
            let place = files.placed(Path::new(&manifest.path), Purpose::Write)?;
            let seen = place.seen_from_root()?;
            if seen.mark() != manifest.after {
                return Err(invalid(format!(
                    "`{}` was changed since that version was kept, and putting it back would lose the change; nothing was \
                     done. Read the file and write what you want instead",
                    visible(&place.shown)
                )));
            }
            Ok(place.change_target(&seen))
        };
        self.0.look(work).await
    }

    fn sentence(&self, args: &RestoreArgs, target: &Target) -> String {
        format!("Put {} back as it was before the change {}", target.name, args.version)
    }

    async fn preview(&self, args: &RestoreArgs, target: &Target, _: &Look) -> Result<Preview, ToolError> {
        let (version, target) = (args.version.clone(), target.clone());
        let work = move |files: &Files| {
            let (place, _) = files.targeted(&target)?;
            let seen = place.seen_from_root()?;
            let (manifest, _) = files.trash().version(&version)?;
            let shown = visible(&place.shown);
            let (effect, diff) = match manifest.before {
                Kept::Nothing => (format!("removes {shown}, which did not exist before"), None),
                Kept::Folder => (format!("makes the folder {shown}"), None),
                Kept::File { size, .. } if size > WHOLE => (format!("puts {shown} back"), None),
                Kept::File { .. } => {
                    let old = files.kept_content(&version)?;
                    (format!("puts {shown} back"), Some(diff(&place.shown, seen.content(), Some(&old))))
                }
            };
            let undo = Some("what is there now is kept for 30 days; undo puts it back".to_owned());
            Ok(Preview { effects: vec![effect], diff, undo, untrusted: None })
        };
        self.0.look(work).await
    }

    async fn run(
        &self,
        args: RestoreArgs,
        _: &RunContext,
        permit: Permit<Self>,
    ) -> Result<Done<RestoreOutput>, ToolError> {
        let target = permit.target().clone();
        let work = move |files: &Files| {
            let (place, stamp) = files.targeted(&target)?;
            let (manifest, _) = files.trash().version(&args.version)?;
            let there = manifest.before != Kept::Nothing;
            let change = files.put_back(&place, &stamp, &manifest, &args.version)?;
            Ok(RestoreOutput { path: place.shown, there, version: change.version })
        };
        let output = self.0.change(work).await?;
        let undo = json!({ "version": output.version });
        Ok(Done::new(output).undo_by("file_restore", undo))
    }

    async fn probe(&self, args: &RestoreArgs, target: &Target) -> Probe {
        let (version, target) = (args.version.clone(), target.clone());
        let work = move |files: &Files| {
            let (place, stamp) = files.targeted(&target)?;
            let seen = place.seen_from_root()?;
            if seen.stamp() == stamp {
                return Ok(Probe::NotDone);
            }
            // A version that was moved back is used up; then only what stands there can be compared with nothing.
            let Ok((manifest, _)) = files.trash().version(&version) else { return Ok(Probe::Unknown) };
            let wanted = match manifest.before {
                Kept::Nothing => None,
                Kept::Folder => Some("folder".to_owned()),
                Kept::File { mark, .. } => Some(mark),
            };
            Ok(if seen.mark() == wanted { Probe::Done } else { Probe::Unknown })
        };
        self.0.change(work).await.unwrap_or(Probe::Unknown)
    }

    fn words(&self, output: &RestoreOutput) -> String {
        let path = visible(&output.path);
        if output.there {
            format!("I put `{path}` back as it was. Undo takes that back.")
        } else {
            format!("I removed `{path}`, which did not exist before. Undo takes that back.")
        }
    }
}

impl Files {
    fn put_back(&self, place: &Place, stamp: &str, manifest: &Manifest, version: &str) -> Result<Change, ToolError> {
        match (&manifest.before, stamp) {
            (Kept::Nothing, _) => self.take_away(place, stamp),
            (Kept::Folder, "new") => self.make_folder(place, stamp),
            (Kept::File { .. }, "new") => self.move_back(place, stamp, version),
            (Kept::File { mark, .. }, _) => {
                let old = self.kept_content(version)?;
                if mark_of(&old) != *mark {
                    return Err(failed("the kept version is damaged; nothing was done"));
                }
                self.replace(place, stamp, |_| Ok(old))
            }
            (Kept::Folder, _) => Err(changed(&place.shown)),
        }
    }

    /// The content of a version that replaced a small file.
    fn kept_content(&self, version: &str) -> Result<Vec<u8>, ToolError> {
        let (_, dir) = self.trash().version(version)?;
        let mut content = Vec::new();
        let read = dir.open("content").and_then(|file| file.take(WHOLE + 1).read_to_end(&mut content));
        read.map_err(|error| failed(format!("the kept version cannot be read ({error}); nothing was done")))?;
        Ok(content)
    }
}
