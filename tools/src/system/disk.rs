//! `system_disks`: how full the disks are, and with what.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jarvis_safety::plain::visible;
use jarvis_safety::tool::{Done, Look, RunContext, Spec, Tool, ToolError, ToolErrorKind, Trust};
use jarvis_safety::{Effects, Target, Tier, kernel::Permit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::largest::{Bounds, Largest, largest};
use super::mount::{Mount, Mounts, mount_points};
use super::quantity::{bytes, counted};
use super::{System, blocking, unreadable};

/// Mounts that are answered; a machine with more has them from a container engine that is not known here.
const MAX_MOUNTS: usize = 100;

/// How full the disks of this machine are, and with `largest` what fills the fullest one: its largest directories,
/// measured for at most 3 seconds.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Also measure the largest directories of the fullest disk.
    #[serde(default)]
    #[schemars(extend(
        "x-true" = ["what is filling", "what fills", "filling up", "largest", "biggest", "taking up", "takes up",
            "eating up", "using up", "space went", "where did the space go"]
    ))]
    largest: bool,
}

/// The disks.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// File systems that hold data, fullest first.
    disks: Vec<Mount>,
    /// Whether there are more.
    cut: bool,
    /// Mounts over the network. They are not measured: a server that is away would hold up the answer.
    network_mounts: Vec<String>,
    /// The largest directories of the fullest disk, where asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    largest: Option<Largest>,
}

pub(super) struct SystemDisks(pub(super) System);

impl Tool for SystemDisks {
    const SPEC: Spec = Spec {
        name: "system_disks",
        revision: 1,
        tier: Tier::Green,
        effects: Effects::READS,
        deadline: Duration::from_secs(20),
        // Any program can give a directory any name.
        trust: Trust::Untrusted,
        secrets: &[],
        examples: &[
            "what is filling the disk?",
            "how full are the disks?",
            "how much disk space is left?",
            "show the largest directories",
            "what takes up the space on this machine?",
            "is a disk nearly full?",
        ],
        lists: None,
    };
    type Args = Args;
    type Output = Output;

    async fn resolve(&self, _: &Args, _: &Look) -> Result<Target, ToolError> {
        Ok(self.0.target())
    }

    fn sentence(&self, args: &Args, target: &Target) -> String {
        let more = if args.largest { " and the largest directories of the fullest one" } else { "" };
        format!("measure the disks of {}{more}", target.name)
    }

    async fn run(&self, args: Args, cx: &RunContext, _: Permit<Self>) -> Result<Done<Output>, ToolError> {
        let Mounts { measured: mut disks, mut network } =
            blocking(|| Mounts::read().map_err(|error| unreadable("the list of mounts", error))).await?;
        let cut = disks.len() > MAX_MOUNTS || network.len() > MAX_MOUNTS;
        disks.truncate(MAX_MOUNTS);
        network.truncate(MAX_MOUNTS);
        let mut output = Output { disks, cut, network_mounts: network, largest: None };
        if args.largest {
            let fullest = output.disks.first().map(|disk| disk.mount.clone()).ok_or_else(no_disk)?;
            cx.progress(0.0, None, format!("measuring {}", visible(&fullest)));
            output.largest = Some(self.walk(fullest).await?);
        }
        Ok(Done::new(output))
    }

    fn words(&self, output: &Output) -> String {
        words(output)
    }
}

impl SystemDisks {
    async fn walk(&self, root: String) -> Result<Largest, ToolError> {
        let turn = Arc::clone(&self.0.0.walk).acquire_owned().await;
        let turn = turn.map_err(|error| unreadable("the disk", error))?;
        blocking(move || {
            // Held by the thread: a caller that goes away does not let the next walk begin before this one has ended.
            let _turn = turn;
            largest(Path::new(&root), mount_points(), Bounds::default())
                .map_err(|error| unreadable(&visible(&root), error))
        })
        .await
    }
}

fn no_disk() -> ToolError {
    ToolError::new(ToolErrorKind::Unavailable, "this machine shows no file system that holds data")
}

fn words(output: &Output) -> String {
    let Some(fullest) = output.disks.first() else {
        return "This machine shows no file system that holds data.".to_owned();
    };
    let mut lines = Vec::new();
    match &output.largest {
        Some(found) => {
            lines.push(full(fullest));
            lines.extend(filling(found, fullest.used));
        }
        None => lines.extend(output.disks.iter().take(8).map(full)),
    }
    let more = output.disks.len().saturating_sub(8);
    if more > 0 && output.largest.is_none() {
        lines.push(format!("{} more, all emptier.", counted(more as u64, "disk")));
    }
    if !output.network_mounts.is_empty() {
        let names: Vec<_> = output.network_mounts.iter().take(5).map(|name| visible(name)).collect();
        lines.push(format!("Not measured, because they are mounted over the network: {}.", names.join(", ")));
    }
    lines.join("\n")
}

fn full(disk: &Mount) -> String {
    let warning = if disk.percent >= 85.0 { ", that is little" } else { "" };
    let inodes = disk.inodes_percent.filter(|share| *share >= 85.0);
    let inodes = inodes.map(|share| format!("; {share:.0} % of its inodes are used")).unwrap_or_default();
    format!(
        "{} ({}, {}) is {:.0} % full: {} in use, {} free{warning}{inodes}.",
        visible(&disk.mount),
        visible(&disk.device),
        disk.fs,
        disk.percent,
        bytes(disk.used),
        bytes(disk.free)
    )
}

/// What fills it, and what was not seen.
fn filling(found: &Largest, used: u64) -> Vec<String> {
    let mut lines = vec!["The largest directories on it:".to_owned()];
    lines.extend(found.directories.iter().map(|directory| format!("{}  {}", bytes(directory.bytes), directory.path)));
    let mut unseen = Vec::new();
    if found.cut {
        unseen.push(format!(
            "the time was over after {} entries ({} of {} seen), so the sizes are lower bounds",
            found.entries,
            bytes(found.seen_bytes),
            bytes(used)
        ));
    }
    if found.denied > 0 {
        unseen.push(format!("Jarvis may not read {} directories", found.denied));
    }
    if found.other_mounts > 0 {
        unseen.push(format!("{} inside it are other file systems", counted(found.other_mounts, "mount")));
    }
    if !unseen.is_empty() {
        lines.push(format!("Not everything was measured: {}.", unseen.join("; ")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::largest::Directory;
    use super::*;

    const GIB: u64 = 1024 * 1024 * 1024;

    fn disk(mount: &str, percent: f64) -> Mount {
        Mount {
            mount: mount.to_owned(),
            device: "/dev/sda1".to_owned(),
            fs: "ext4".to_owned(),
            total: 100 * GIB,
            used: 90 * GIB,
            free: 10 * GIB,
            percent,
            inodes_percent: Some(2.0),
        }
    }

    #[test]
    fn words_answer_what_fills_the_disk_and_admit_what_was_not_seen() {
        let found = Largest {
            mount: "/".to_owned(),
            directories: vec![Directory { path: "/var/lib/docker".to_owned(), bytes: 60 * GIB }],
            seen_bytes: 61 * GIB,
            entries: 1000,
            cut: true,
            denied: 2,
            other_mounts: 0,
        };
        let output = Output {
            disks: vec![disk("/", 90.0)],
            cut: false,
            network_mounts: vec!["/mnt/nas".to_owned()],
            largest: Some(found),
        };
        assert_eq!(
            words(&output),
            "/ (/dev/sda1, ext4) is 90 % full: 90.0 GiB in use, 10.0 GiB free, that is little.\n\
             The largest directories on it:\n60.0 GiB  /var/lib/docker\n\
             Not everything was measured: the time was over after 1000 entries (61.0 GiB of 90.0 GiB seen), so the \
             sizes are lower bounds; Jarvis may not read 2 directories.\n\
             Not measured, because they are mounted over the network: /mnt/nas."
        );
    }

    #[test]
    fn a_mount_point_cannot_break_the_line() {
        assert!(full(&disk("/mnt/a\nb\u{202e}", 10.0)).starts_with(r"/mnt/a\u{a}b\u{202e} "));
    }
}
